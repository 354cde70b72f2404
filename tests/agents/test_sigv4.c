#include "tests/support/test.h"

#include "agents/sigv4.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/sha256.h"
#include "sigv4_vectors.h"
#include "tests/support/failing_alloc.h"

#define HEADERS_MAX (MOOT_LIMIT_SIGV4_ITEMS + 1)

/* --- SHA-256 and HMAC, by the examples of FIPS 180-4 and RFC 4231 --- */

static void assert_digest(const struct moot_sha256 *digest, const char *expected)
{
    char text[2 * MOOT_SHA256_BYTES + 1];
    moot__sha256_text(digest, text);
    assert_string_equal(text, expected);
}

static void hashes(void **state)
{
    (void)state;
    struct moot_sha256 digest;
    assert_int_equal(moot__sha256(moot__view(NULL, 0), &digest), MOOT_OK);
    assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(moot__sha256(MOOT_VIEW("abc"), &digest), MOOT_OK);
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void keyed_hashes(void **state)
{
    (void)state;
    struct moot_sha256 digest;
    struct moot_view pieces[] = {MOOT_VIEW("what do ya "), MOOT_VIEW(""),
                                 MOOT_VIEW("want for nothing?")};
    assert_int_equal(moot__hmac_sha256(MOOT_VIEW("Jefe"), pieces, moot__countof(pieces), &digest),
                     MOOT_OK);
    assert_digest(&digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    struct moot_view text = MOOT_VIEW("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_int_equal(moot__hmac_sha256(moot__view(long_key, sizeof long_key), &text, 1, &digest),
                     MOOT_OK);
    assert_digest(&digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* --- Amazon's vectors --- */

struct parsed {
    struct moot_sigv4_request request;
    struct moot_sigv4_header headers[HEADERS_MAX];
};

static struct moot_view cut_line(struct moot_view *rest)
{
    struct moot_view line = MOOT_VIEW("");
    if (!moot__view_split(rest, '\n', &line))
        return MOOT_VIEW("");
    while (rest->len > 0 && rest->ptr[0] == ' ') { /* it goes on */
        size_t end = moot__view_find(*rest, '\n', 0);
        line.len = (size_t)(rest->ptr - line.ptr) + end;
        *rest = moot__view(rest->ptr + end + 1, rest->len - end - 1);
    }
    return line;
}

static void parse_request(const char *text, struct parsed *parsed)
{
    struct moot_view rest = moot__view_str(text), line = cut_line(&rest), name;
    *parsed = (struct parsed){.request.headers = parsed->headers};
    moot__view_split(&line, ' ', &parsed->request.method);
    assert_true(moot__view_ends(line, MOOT_VIEW(" HTTP/1.1")));
    line.len -= strlen(" HTTP/1.1");
    moot__view_split(&line, '?', &parsed->request.path);
    parsed->request.query = line;
    for (line = cut_line(&rest); line.len > 0; line = cut_line(&rest)) {
        moot__view_split(&line, ':', &name);
        parsed->headers[parsed->request.header_count++] = (struct moot_sigv4_header){name, line};
    }
    parsed->request.body = rest;
}

static void add_header(struct parsed *parsed, const char *name, const char *value)
{
    assert_true(parsed->request.header_count < HEADERS_MAX);
    parsed->headers[parsed->request.header_count++] =
        (struct moot_sigv4_header){moot__view_str(name), moot__view_str(value)};
}

static struct moot_sigv4_key suite_key(const char *token)
{
    return (struct moot_sigv4_key){MOOT_VIEW(SIGV4_ACCESS_KEY), MOOT_VIEW(SIGV4_SECRET_KEY),
                                   moot__view_str(token), MOOT_VIEW("us-east-1"),
                                   MOOT_VIEW("service")};
}

/* What was signed, made again of the request with the headers that signing added. */
static void assert_canonical(struct parsed *parsed, const struct moot_sigv4_signed *made,
                             const char *expected)
{
    struct moot_buf canonical;
    struct moot_view names;
    moot__buf_init(&canonical, NULL, MOOT_LIMIT_SIGV4_BYTES);
    for (size_t i = 0; i < made->count - 1; i++)
        parsed->headers[parsed->request.header_count++] = made->headers[i];
    assert_int_equal(moot__sigv4_canonical(&parsed->request, &canonical, &names), MOOT_OK);
    assert_view(moot__buf_view(&canonical), expected);
    moot__buf_deinit(&canonical);
}

static enum moot_sigv4_verdict verify(const struct moot_sigv4_request *request,
                                      const struct moot_sigv4_key *key, uint64_t now_s)
{
    enum moot_sigv4_verdict verdict;
    struct moot_sigv4_window window = {now_s, 300};
    assert_int_equal(moot__sigv4_verify(request, key, window, NULL, &verdict), MOOT_OK);
    return verdict;
}

static void run_vector(const struct sigv4_vector *vector)
{
    struct parsed parsed;
    struct moot_sigv4_signed made;
    struct moot_buf text;
    struct moot_sha256 digest;
    char body_hash[2 * MOOT_SHA256_BYTES + 1];
    struct moot_sigv4_key key = suite_key(vector->token);
    parse_request(vector->request, &parsed);
    if (vector->sign_body) {
        assert_int_equal(moot__sha256(parsed.request.body, &digest), MOOT_OK);
        moot__sha256_text(&digest, body_hash);
        add_header(&parsed, "X-Amz-Content-Sha256", body_hash);
    }
    moot__buf_init(&text, NULL, 4096);
    assert_int_equal(moot__sigv4_sign(&parsed.request, &key, SIGV4_UNIX_S, &text, &made), MOOT_OK);
    assert_int_equal(made.count, vector->token[0] ? 3 : 2);
    assert_view(made.headers[0].name, "x-amz-date");
    assert_view(made.headers[0].value, "20150830T123600Z");
    struct moot_sigv4_header last = made.headers[made.count - 1];
    assert_view(last.name, "authorization");
    assert_true(moot__view_ends(last.value, moot__view_str(vector->signature)));
    assert_canonical(&parsed, &made, vector->canonical);

    parsed.headers[parsed.request.header_count++] = last;
    assert_int_equal(verify(&parsed.request, &key, SIGV4_UNIX_S), MOOT_SIGV4_VALID);
    moot__buf_deinit(&text);
}

static void the_suite(void **state)
{
    (void)state;
    assert_int_equal(moot__countof(sigv4_vectors), 31);
    for (size_t i = 0; i < moot__countof(sigv4_vectors); i++) {
        print_message("%s\n", sigv4_vectors[i].name);
        run_vector(&sigv4_vectors[i]);
    }
}

/* --- Bedrock's own: the path on the wire is encoded again; as botocore and the JS SDK sign it ---
 */

#define BEDROCK_UNIX_S 1735787045 /* 2025-01-02T03:04:05Z */

static struct moot_sigv4_key bedrock_key(void)
{
    return (struct moot_sigv4_key){MOOT_VIEW(SIGV4_ACCESS_KEY), MOOT_VIEW(SIGV4_SECRET_KEY),
                                   MOOT_VIEW("fixture-session-token"), MOOT_VIEW("us-east-1"),
                                   MOOT_VIEW("bedrock")};
}

static void bedrock_request(struct parsed *parsed)
{
    *parsed = (struct parsed){
        .request = {
            MOOT_VIEW("POST"),
            MOOT_VIEW("/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream"),
            MOOT_VIEW(""), parsed->headers, 0,
            MOOT_VIEW("{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}")}};
    add_header(parsed, "Host", "bedrock-runtime.us-east-1.amazonaws.com");
    add_header(parsed, "Content-Type", "application/json");
}

static void sign_bedrock(struct parsed *parsed, struct moot_buf *text)
{
    struct moot_sigv4_signed made;
    struct moot_sigv4_key key = bedrock_key();
    bedrock_request(parsed);
    add_header(parsed, "User-Agent", "moot");     /* passed over */
    add_header(parsed, "Proxy-Connection", "no"); /* as well */
    assert_int_equal(moot__sigv4_sign(&parsed->request, &key, BEDROCK_UNIX_S, text, &made),
                     MOOT_OK);
    assert_int_equal(made.count, 3);
    for (size_t i = 0; i < made.count; i++)
        parsed->headers[parsed->request.header_count++] = made.headers[i];
}

static void bedrock(void **state)
{
    (void)state;
    struct parsed parsed;
    struct moot_buf text;
    moot__buf_init(&text, NULL, 4096);
    sign_bedrock(&parsed, &text);
    const struct moot_sigv4_header *made = parsed.headers + parsed.request.header_count - 3;
    assert_view(made[0].value, "20250102T030405Z");
    assert_view(made[1].name, "x-amz-security-token");
    assert_view(made[1].value, "fixture-session-token");
    assert_view(made[2].value,
                "AWS4-HMAC-SHA256 "
                "Credential=AKIDEXAMPLE/20250102/us-east-1/bedrock/aws4_request, "
                "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
                "Signature=62cb4d1d69aa0dc46b3409cc3427416babc61ea50bacc297b7c10a1ffdf5f6f9");
    moot__buf_deinit(&text);
}

/* --- paths --- */

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *canonical; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"//", "/"},
        {"/a/", "/a/"},
        {"/a//b", "/a/b"},
        {"/a/./b", "/a/b"},
        {"/a/b/.", "/a/b"},
        {"/a/b/..", "/a"},
        {"/a/b/../", "/a/"},
        {"/..", "/"},
        {"/../a", "/a"},
        {"/a%3A0", "/a%253A0"},
        {"/%2e%2E/", "/%252e%252E/"},
        {"/...", "/..."},
        {"/a+b~", "/a%2Bb~"},
        {"", NULL},
        {"a", NULL},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct parsed parsed;
        struct moot_buf out;
        struct moot_view names, rest, line;
        bedrock_request(&parsed);
        parsed.request.path = moot__view_str(cases[i].path);
        moot__buf_init(&out, NULL, MOOT_LIMIT_SIGV4_BYTES);
        int rc = moot__sigv4_canonical(&parsed.request, &out, &names);
        assert_int_equal(rc, cases[i].canonical ? MOOT_OK : MOOT_EINVAL);
        rest = moot__buf_view(&out);
        moot__view_split(&rest, '\n', &line);
        moot__view_split(&rest, '\n', &line);
        if (!rc)
            assert_view(line, cases[i].canonical);
        moot__buf_deinit(&out);
    }
}

/* --- refusals, and nothing left behind --- */

static void assert_refused(const struct parsed *parsed, const struct moot_sigv4_key *key,
                           uint64_t unix_s, int expected)
{
    struct moot_buf text;
    struct moot_sigv4_signed made;
    moot__buf_init(&text, NULL, 4096);
    assert_int_equal(moot__buf_append_str(&text, "x"), MOOT_OK);
    assert_int_equal(moot__sigv4_sign(&parsed->request, key, unix_s, &text, &made), expected);
    assert_int_equal(made.count, 0);
    assert_view(moot__buf_view(&text), "x");
    moot__buf_deinit(&text);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const ours[] = {"Authorization", "X-Amz-Date", "x-amz-security-token", ""};
    struct moot_sigv4_key key = bedrock_key();
    struct parsed parsed;
    for (size_t i = 0; i < moot__countof(ours); i++) {
        bedrock_request(&parsed);
        add_header(&parsed, ours[i], "v");
        assert_refused(&parsed, &key, BEDROCK_UNIX_S, MOOT_EINVAL);
    }
    bedrock_request(&parsed);
    parsed.request.headers++;
    parsed.request.header_count--;
    assert_refused(&parsed, &key, BEDROCK_UNIX_S, MOOT_EINVAL); /* no host */
    bedrock_request(&parsed);
    assert_refused(&parsed, &key, UINT64_C(253402300800), MOOT_EINVAL);
    parsed.request.method.len = 0;
    assert_refused(&parsed, &key, BEDROCK_UNIX_S, MOOT_EINVAL);
    struct moot_view *parts[] = {&key.access_key, &key.secret_key, &key.region, &key.service};
    bedrock_request(&parsed);
    for (size_t i = 0; i < moot__countof(parts); i++) {
        struct moot_view kept = *parts[i];
        *parts[i] = MOOT_VIEW("");
        assert_refused(&parsed, &key, BEDROCK_UNIX_S, MOOT_EINVAL);
        *parts[i] = kept;
    }
}

static int sign_with_headers(size_t count)
{
    struct parsed parsed;
    struct moot_buf text;
    struct moot_sigv4_signed made;
    struct moot_sigv4_key key = bedrock_key();
    bedrock_request(&parsed);
    while (parsed.request.header_count < count)
        add_header(&parsed, "x-amz-more", "v");
    moot__buf_init(&text, NULL, 4096);
    int rc = moot__sigv4_sign(&parsed.request, &key, BEDROCK_UNIX_S, &text, &made);
    moot__buf_deinit(&text);
    return rc;
}

static int sign_with_parameters(size_t count)
{
    char query[2 * (MOOT_LIMIT_SIGV4_ITEMS + 1)];
    struct parsed parsed;
    struct moot_buf out;
    struct moot_view names;
    for (size_t i = 0; i < count; i++)
        memcpy(query + 2 * i, "&a", 2);
    bedrock_request(&parsed);
    parsed.request.query = moot__view(query, 2 * count);
    moot__buf_init(&out, NULL, MOOT_LIMIT_SIGV4_BYTES);
    int rc = moot__sigv4_canonical(&parsed.request, &out, &names);
    moot__buf_deinit(&out);
    return rc;
}

static int canonical_of_bytes(size_t value_bytes)
{
    static char value[MOOT_LIMIT_SIGV4_BYTES + 2];
    struct parsed parsed;
    struct moot_buf out;
    struct moot_view names;
    memset(value, 'v', sizeof value - 1);
    bedrock_request(&parsed);
    parsed.headers[1].value = moot__view(value, value_bytes);
    moot__buf_init(&out, NULL, MOOT_LIMIT_SIGV4_BYTES);
    int rc = moot__sigv4_canonical(&parsed.request, &out, &names);
    moot__buf_deinit(&out);
    return rc;
}

static void limits(void **state)
{
    (void)state;
    const size_t items = MOOT_LIMIT_SIGV4_ITEMS, ours = 2;
    assert_int_equal(sign_with_headers(items - ours - 1), MOOT_OK);
    assert_int_equal(sign_with_headers(items - ours), MOOT_OK);
    assert_int_equal(sign_with_headers(items - ours + 1), MOOT_ELIMIT);
    assert_int_equal(sign_with_parameters(items - 1), MOOT_OK);
    assert_int_equal(sign_with_parameters(items), MOOT_OK);
    assert_int_equal(sign_with_parameters(items + 1), MOOT_ELIMIT);
    assert_int_equal(canonical_of_bytes(MOOT_LIMIT_SIGV4_BYTES - 1024), MOOT_OK);
    assert_int_equal(canonical_of_bytes(MOOT_LIMIT_SIGV4_BYTES), MOOT_ELIMIT);
    assert_int_equal(canonical_of_bytes(MOOT_LIMIT_SIGV4_BYTES + 1), MOOT_ELIMIT);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 100; nth++) {
        struct moot_failing_alloc memory;
        struct parsed parsed;
        struct moot_buf text;
        struct moot_sigv4_signed made;
        struct moot_sigv4_key key = bedrock_key();
        bedrock_request(&parsed);
        moot__failing_alloc_init(&memory, nth);
        moot__buf_init(&text, &memory.allocator, 4096);
        int rc = moot__sigv4_sign(&parsed.request, &key, BEDROCK_UNIX_S, &text, &made);
        moot__buf_deinit(&text);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            assert_true(nth > 3);
            return;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    fail();
}

/* --- the service's side --- */

/* What a request is after one change, by a number from 0; false after the last. */
static bool change(struct parsed *parsed, struct moot_sigv4_key *key, size_t nth,
                   enum moot_sigv4_verdict *expected)
{
    size_t count = parsed->request.header_count;
    struct moot_sigv4_header *authorization = &parsed->headers[count - 1];
    static const enum moot_sigv4_verdict verdicts[] = {
        MOOT_SIGV4_VALID,       MOOT_SIGV4_MISMATCH,    MOOT_SIGV4_MISMATCH,
        MOOT_SIGV4_MISMATCH,    MOOT_SIGV4_MISMATCH,    MOOT_SIGV4_MISMATCH,
        MOOT_SIGV4_ABSENT,      MOOT_SIGV4_ABSENT,      MOOT_SIGV4_INCOMPLETE,
        MOOT_SIGV4_INCOMPLETE,  MOOT_SIGV4_UNKNOWN_KEY, MOOT_SIGV4_UNKNOWN_KEY,
        MOOT_SIGV4_WRONG_SCOPE, MOOT_SIGV4_WRONG_SCOPE, MOOT_SIGV4_INCOMPLETE,
        MOOT_SIGV4_INCOMPLETE,
    };
    if (nth == moot__countof(verdicts))
        return false;
    *expected = verdicts[nth];
    switch (nth) {
    case 1:
        parsed->request.body.len--;
        break;
    case 2:
        parsed->request.path = MOOT_VIEW("/model/x/converse-stream");
        break;
    case 3:
        parsed->request.query = MOOT_VIEW("a=b");
        break;
    case 4:
        parsed->headers[1].value = MOOT_VIEW("text/plain");
        break;
    case 5:
        authorization->value.len--;
        break;
    case 6:
        parsed->request.header_count--;
        break;
    case 7:
        authorization->value = MOOT_VIEW("Bearer x");
        break;
    case 8:
        authorization->value = MOOT_VIEW("AWS4-HMAC-SHA256 Credential=a");
        break;
    case 9:
        add_header(parsed, "x-amz-more", "not signed");
        break;
    case 10:
        key->access_key = MOOT_VIEW("AKIDOTHER");
        break;
    case 11:
        key->session_token = MOOT_VIEW("");
        break;
    case 12:
        key->region = MOOT_VIEW("eu-west-1");
        break;
    case 13:
        key->service = MOOT_VIEW("bedrock-mantle");
        break;
    case 14:
        parsed->headers[0].name = MOOT_VIEW("hist");
        break;
    case 15:
        parsed->headers[count - 3].value = MOOT_VIEW("20250102T030405");
        break;
    default:
        break;
    }
    return true;
}

static void verdicts(void **state)
{
    (void)state;
    enum moot_sigv4_verdict expected;
    bool has_more = true;
    for (size_t nth = 0; has_more; nth++) {
        struct parsed parsed;
        struct moot_buf text;
        struct moot_sigv4_key key = bedrock_key();
        moot__buf_init(&text, NULL, 4096);
        sign_bedrock(&parsed, &text);
        has_more = change(&parsed, &key, nth, &expected);
        if (has_more)
            assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S), expected);
        moot__buf_deinit(&text);
    }
}

static void skew_and_wrong_secret(void **state)
{
    (void)state;
    struct parsed parsed;
    struct moot_buf text;
    struct moot_sigv4_key key = bedrock_key();
    moot__buf_init(&text, NULL, 4096);
    sign_bedrock(&parsed, &text);
    assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S + 300), MOOT_SIGV4_VALID);
    assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S + 301), MOOT_SIGV4_SKEWED);
    assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S - 300), MOOT_SIGV4_VALID);
    assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S - 301), MOOT_SIGV4_SKEWED);
    key.secret_key = MOOT_VIEW("another");
    assert_int_equal(verify(&parsed.request, &key, BEDROCK_UNIX_S), MOOT_SIGV4_MISMATCH);
    moot__buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),    cmocka_unit_test(keyed_hashes),
        cmocka_unit_test(the_suite), cmocka_unit_test(bedrock),
        cmocka_unit_test(paths),     cmocka_unit_test(refusals),
        cmocka_unit_test(limits),    cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(verdicts),  cmocka_unit_test(skew_and_wrong_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
