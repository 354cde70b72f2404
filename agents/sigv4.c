/* One function makes a signature of whatever headers it is given; signing puts its own among them,
 * verifying picks those that the request names.
 *
 * Secrets: the secret key and what is derived of it are on the stack or in a buffer that never
 * grows, and wiped; the canonical request, which holds the session token, likewise. */
#include "sigv4.h"

#include <stdbool.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/calendar.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/sha256.h"

#define ALGORITHM       "AWS4-HMAC-SHA256"
#define LAST_YEAR_END_S UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

#define DATE_BYTES 16 /* yyyymmddThhmmssZ */
#define DAY_BYTES  8

enum {
    HEADERS_MAX = MOOT_LIMIT_SIGV4_ITEMS,
};

struct signature {
    struct moot_buf canonical; /* what was signed */
    struct moot_view names;    /* the list of signed headers, within it */
    char text[2 * MOOT_SHA256_BYTES + 1];
};

static void wipe_buf(struct moot_buf *buf)
{
    if (buf->data)
        moot__wipe(buf->data, buf->cap);
    moot__buf_deinit(buf);
}

static struct moot_view digest_view(const struct moot_sha256 *digest)
{
    return moot__view((const char *)digest->bytes, sizeof digest->bytes);
}

/* --- the signature --- */

/* The key for one day, region and service. */
static int derive_key(const struct moot_sigv4_key *key, struct moot_view day,
                      const struct moot_allocator *allocator, struct moot_sha256 *derived)
{
    const struct moot_view steps[] = {day, key->region, key->service, MOOT_VIEW("aws4_request")};
    struct moot_buf secret;
    moot__buf_init(&secret, allocator, MOOT_LIMIT_SECRET_BYTES + 4);
    int rc = moot__buf_reserve(&secret, 4 + key->secret_key.len);
    if (!rc)
        rc = moot__buf_append_str(&secret, "AWS4");
    if (!rc)
        rc = moot__buf_append_view(&secret, key->secret_key);
    for (size_t i = 0; i < moot__countof(steps) && !rc; i++) {
        struct moot_sha256 last = *derived;
        rc = moot__hmac_sha256(i == 0 ? moot__buf_view(&secret) : digest_view(&last), &steps[i], 1,
                               derived);
        moot__wipe(&last, sizeof last);
    }
    wipe_buf(&secret);
    return rc;
}

/* Sign all headers of the request. Deinit `signature` in any case. */
static int make_signature(const struct moot_sigv4_request *request,
                          const struct moot_sigv4_key *key, struct moot_view date,
                          const struct moot_allocator *allocator, struct signature *signature)
{
    struct moot_sha256 digest, derived = {{0}};
    struct moot_view day = {date.ptr, DAY_BYTES};
    moot__buf_init(&signature->canonical, allocator, MOOT_LIMIT_SIGV4_BYTES);
    int rc = moot__sigv4_canonical(request, &signature->canonical, &signature->names);
    if (!rc)
        rc = moot__sha256(moot__buf_view(&signature->canonical), &digest);
    if (!rc)
        rc = derive_key(key, day, allocator, &derived);
    if (rc)
        return rc;
    moot__sha256_text(&digest, signature->text);
    const struct moot_view to_sign[] = {
        MOOT_VIEW(ALGORITHM "\n"),
        date,
        MOOT_VIEW("\n"),
        day,
        MOOT_VIEW("/"),
        key->region,
        MOOT_VIEW("/"),
        key->service,
        MOOT_VIEW("/aws4_request\n"),
        moot__view_str(signature->text),
    };
    rc = moot__hmac_sha256(digest_view(&derived), to_sign, moot__countof(to_sign), &digest);
    moot__sha256_text(&digest, signature->text);
    moot__wipe(&derived, sizeof derived);
    return rc;
}

static void signature_deinit(struct signature *signature)
{
    wipe_buf(&signature->canonical);
    moot__wipe(signature->text, sizeof signature->text);
}

/* --- signing --- */

/* Not those that belong to a connection, that a proxy on the way may change, or that are ours. */
static bool is_signable(struct moot_view name)
{
    static const char *const never[] = {
        "connection", "expect",     "keep-alive",      "te", "trailer", "transfer-encoding",
        "upgrade",    "user-agent", "x-amzn-trace-id",
    };
    for (size_t i = 0; i < moot__countof(never); i++)
        if (moot__view_eq_nocase(name, moot__view_str(never[i])))
            return false;
    return name.len < 6 || !moot__view_eq_nocase(moot__view(name.ptr, 6), MOOT_VIEW("proxy-"));
}

static bool is_ours(struct moot_view name)
{
    return moot__view_eq_nocase(name, MOOT_VIEW("authorization")) ||
           moot__view_eq_nocase(name, MOOT_VIEW("x-amz-date")) ||
           moot__view_eq_nocase(name, MOOT_VIEW("x-amz-security-token"));
}

/* The caller's headers that may be signed, and ours. */
static int gather_headers(const struct moot_sigv4_request *request, struct moot_sigv4_header *all,
                          const struct moot_sigv4_signed *ours, size_t *count)
{
    bool has_host = false;
    *count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct moot_sigv4_header header = request->headers[i];
        if (is_ours(header.name))
            return MOOT_EINVAL;
        if (!is_signable(header.name))
            continue;
        if (*count == HEADERS_MAX - ours->count)
            return MOOT_ELIMIT;
        has_host = has_host || moot__view_eq_nocase(header.name, MOOT_VIEW("host"));
        all[(*count)++] = header;
    }
    for (size_t i = 0; i < ours->count; i++)
        all[(*count)++] = ours->headers[i];
    return has_host ? MOOT_OK : MOOT_EINVAL;
}

static int append_all(struct moot_buf *out, const struct moot_view *pieces, size_t count)
{
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && !rc; i++)
        rc = moot__buf_append_view(out, pieces[i]);
    return rc;
}

static int append_authorization(struct moot_buf *out, const struct moot_sigv4_key *key,
                                struct moot_view day, const struct signature *signature)
{
    const struct moot_view pieces[] = {
        MOOT_VIEW(ALGORITHM " Credential="),
        key->access_key,
        MOOT_VIEW("/"),
        day,
        MOOT_VIEW("/"),
        key->region,
        MOOT_VIEW("/"),
        key->service,
        MOOT_VIEW("/aws4_request, SignedHeaders="),
        signature->names,
        MOOT_VIEW(", Signature="),
        moot__view_str(signature->text),
    };
    return append_all(out, pieces, moot__countof(pieces));
}

static bool write_date(uint64_t unix_s, char out[DATE_BYTES + 1])
{
    time_t when = (time_t)unix_s;
    struct tm utc;
    return unix_s <= LAST_YEAR_END_S && gmtime_r(&when, &utc) &&
           strftime(out, DATE_BYTES + 1, "%Y%m%dT%H%M%SZ", &utc) == DATE_BYTES;
}

static int sign_at(const struct moot_sigv4_request *request, const struct moot_sigv4_key *key,
                   struct moot_view date, struct moot_buf *text, struct moot_sigv4_signed *made)
{
    MOOT_UNINITIALIZED struct moot_sigv4_header all[HEADERS_MAX];
    struct signature signature = {0};
    struct moot_sigv4_request with_ours = *request;
    size_t before = text->len;
    *made = (struct moot_sigv4_signed){{{MOOT_VIEW("x-amz-date"), date}}, 1};
    if (key->session_token.len)
        made->headers[made->count++] =
            (struct moot_sigv4_header){MOOT_VIEW("x-amz-security-token"), key->session_token};
    with_ours.headers = all;
    int rc = gather_headers(request, all, made, &with_ours.header_count);
    if (!rc)
        rc = make_signature(&with_ours, key, date, text->allocator, &signature);
    if (!rc)
        rc = moot__buf_append_view(text, date);
    if (!rc)
        rc = append_authorization(text, key, moot__view(date.ptr, DAY_BYTES), &signature);
    signature_deinit(&signature);
    if (rc) {
        moot__buf_truncate(text, before);
        return rc;
    }
    size_t at = before + DATE_BYTES;
    made->headers[0].value = moot__view(text->data + before, DATE_BYTES);
    made->headers[made->count++] = (struct moot_sigv4_header){
        MOOT_VIEW("authorization"), moot__view(text->data + at, text->len - at)};
    return MOOT_OK;
}

int moot__sigv4_sign(const struct moot_sigv4_request *request, const struct moot_sigv4_key *key,
                     uint64_t unix_s, struct moot_buf *text, struct moot_sigv4_signed *made)
{
    char date[DATE_BYTES + 1];
    *made = (struct moot_sigv4_signed){.count = 0};
    if (!key->access_key.len || !key->secret_key.len || !key->region.len || !key->service.len ||
        !write_date(unix_s, date))
        return MOOT_EINVAL;
    int rc = sign_at(request, key, moot__view(date, DATE_BYTES), text, made);
    if (rc)
        *made = (struct moot_sigv4_signed){.count = 0};
    return rc;
}

/* --- verifying --- */

struct claim {
    struct moot_view access_key, day, region, service, suffix; /* of the credential */
    struct moot_view names, signature;
    struct moot_view date, token; /* of headers of their own */
};

static struct moot_view find_header(const struct moot_sigv4_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (moot__view_eq_nocase(request->headers[i].name, moot__view_str(name)))
            return moot__view_trim(request->headers[i].value);
    return MOOT_VIEW("");
}

static bool read_credential(struct moot_view text, struct claim *claim)
{
    struct moot_view more;
    return moot__view_split(&text, '/', &claim->access_key) &&
           moot__view_split(&text, '/', &claim->day) &&
           moot__view_split(&text, '/', &claim->region) &&
           moot__view_split(&text, '/', &claim->service) &&
           moot__view_split(&text, '/', &claim->suffix) && !moot__view_split(&text, '/', &more);
}

/* The parts of an authorization after the scheme, in any order. */
static bool read_claim(struct moot_view text, struct claim *claim)
{
    struct moot_view part, credential = MOOT_VIEW("");
    while (moot__view_split(&text, ',', &part)) {
        struct moot_view name;
        part = moot__view_trim(part);
        if (!moot__view_split(&part, '=', &name))
            return false;
        if (moot__view_is(name, "Credential"))
            credential = part;
        else if (moot__view_is(name, "SignedHeaders"))
            claim->names = part;
        else if (moot__view_is(name, "Signature"))
            claim->signature = part;
    }
    return read_credential(credential, claim) && claim->names.len > 0;
}

static bool read_digits(struct moot_view text, size_t from, size_t len, uint64_t *value)
{
    return moot__view_to_u64(moot__view(text.ptr + from, len), value);
}

static bool read_date(struct moot_view date, uint64_t *unix_s)
{
    uint64_t year, month, day, hour, minute, second;
    if (date.len != DATE_BYTES || date.ptr[8] != 'T' || date.ptr[15] != 'Z' ||
        !read_digits(date, 0, 4, &year) || !read_digits(date, 4, 2, &month) ||
        !read_digits(date, 6, 2, &day) || !read_digits(date, 9, 2, &hour) ||
        !read_digits(date, 11, 2, &minute) || !read_digits(date, 13, 2, &second) || year < 1970 ||
        month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    int64_t days = moot__days_from_civil((int64_t)year, (int)month, (int)day);
    *unix_s = (uint64_t)days * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

static bool is_near(uint64_t a, uint64_t b, uint64_t most)
{
    return (a > b ? a - b : b - a) <= most;
}

/* As long for the first difference as for the last. */
static bool is_same_secret(struct moot_view a, struct moot_view b)
{
    unsigned difference = 0;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference |= (unsigned)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}

static bool is_listed(struct moot_view names, struct moot_view name)
{
    struct moot_view listed;
    while (moot__view_split(&names, ';', &listed))
        if (moot__view_eq_nocase(listed, name))
            return true;
    return false;
}

/* The headers that the signature says it covers; false if one that it must cover is not. */
static bool pick_headers(const struct moot_sigv4_request *request, struct moot_view names,
                         struct moot_sigv4_header *picked, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct moot_sigv4_header header = request->headers[i];
        if (is_listed(names, header.name)) {
            if (*count == HEADERS_MAX)
                return false;
            picked[(*count)++] = header;
        } else if (header.name.len > 6 &&
                   moot__view_eq_nocase(moot__view(header.name.ptr, 6), MOOT_VIEW("x-amz-"))) {
            return false;
        }
    }
    return is_listed(names, MOOT_VIEW("host"));
}

/* All that can be told without the signature. */
static enum moot_sigv4_verdict judge_claim(const struct claim *claim,
                                           const struct moot_sigv4_key *key,
                                           struct moot_sigv4_window window)
{
    uint64_t signed_s;
    if (!read_date(claim->date, &signed_s))
        return MOOT_SIGV4_INCOMPLETE;
    if (!moot__view_eq(claim->access_key, key->access_key) ||
        !is_same_secret(claim->token, key->session_token))
        return MOOT_SIGV4_UNKNOWN_KEY;
    if (!moot__view_eq(claim->day, moot__view(claim->date.ptr, DAY_BYTES)) ||
        !moot__view_eq(claim->region, key->region) ||
        !moot__view_eq(claim->service, key->service) ||
        !moot__view_is(claim->suffix, "aws4_request"))
        return MOOT_SIGV4_WRONG_SCOPE;
    return is_near(signed_s, window.now_s, window.skew_s) ? MOOT_SIGV4_VALID : MOOT_SIGV4_SKEWED;
}

static int judge_signature(const struct moot_sigv4_request *request,
                           const struct moot_sigv4_key *key, const struct claim *claim,
                           const struct moot_allocator *allocator, enum moot_sigv4_verdict *verdict)
{
    MOOT_UNINITIALIZED struct moot_sigv4_header picked[HEADERS_MAX];
    struct moot_sigv4_request covered = *request;
    struct signature signature = {0};
    *verdict = MOOT_SIGV4_INCOMPLETE;
    covered.headers = picked;
    if (!pick_headers(request, claim->names, picked, &covered.header_count))
        return MOOT_OK;
    int rc = make_signature(&covered, key, claim->date, allocator, &signature);
    if (!rc && moot__view_eq(signature.names, claim->names))
        *verdict = is_same_secret(moot__view_str(signature.text), claim->signature)
                       ? MOOT_SIGV4_VALID
                       : MOOT_SIGV4_MISMATCH;
    signature_deinit(&signature);
    return rc == MOOT_EINVAL ? MOOT_OK : rc;
}

int moot__sigv4_verify(const struct moot_sigv4_request *request, const struct moot_sigv4_key *key,
                       struct moot_sigv4_window window, const struct moot_allocator *allocator,
                       enum moot_sigv4_verdict *verdict)
{
    struct claim claim = {{0}};
    struct moot_view text = find_header(request, "authorization"), scheme;
    *verdict = MOOT_SIGV4_ABSENT;
    if (!moot__view_split(&text, ' ', &scheme) || !moot__view_is(scheme, ALGORITHM))
        return MOOT_OK;
    *verdict = MOOT_SIGV4_INCOMPLETE;
    if (!read_claim(text, &claim))
        return MOOT_OK;
    claim.date = find_header(request, "x-amz-date");
    claim.token = find_header(request, "x-amz-security-token");
    *verdict = judge_claim(&claim, key, window);
    return *verdict == MOOT_SIGV4_VALID ? judge_signature(request, key, &claim, allocator, verdict)
                                        : MOOT_OK;
}
