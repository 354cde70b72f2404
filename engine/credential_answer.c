#include "credential_answer.h"

#include "agents/rate_headers.h"
#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"

#define UNNAMED_ZONE_NS (UINT64_C(300) * MOOT_NS_PER_S)

enum { TREE_BYTES_MAX = 1 << 20 };

struct reader {
    const struct moot_credential_answer_options *options;
    struct moot_credential_answer *answer;
    struct moot_error_info *info;
};

static int fail(struct reader *reader, const char *what)
{
    return moot__fail(reader->info, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL, "credential: %s %s",
                      reader->options->who, what);
}

/* What goes into a header: no control characters, nothing but ASCII. */
static bool is_header_safe(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return true;
}

static int keep(struct reader *reader, enum moot_access_part part, struct moot_view text)
{
    if (text.len == 0)
        return fail(reader, "gave an answer in which the credential is missing");
    if (text.len > MOOT_LIMIT_SECRET_BYTES || !is_header_safe(text))
        return fail(reader, "gave a credential that is too long, or holds characters that no "
                            "header can carry");
    struct moot_secret **place = &reader->answer->access.parts[part];
    *place = moot__secret_new(reader->options->allocator, text);
    if (!*place)
        return moot__fail(reader->info, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
    return MOOT_OK;
}

/* ---- Its end ---- */

/* A number or a text: seconds from now, Unix time or a date, as the text itself tells. */
static int keep_end(struct reader *reader, const struct moot_json *node)
{
    struct moot_view text = {"", 0};
    if (moot__json_is_number(node))
        text = node->text;
    else
        moot__json_string(node, &text);
    if (text.len == 0)
        return MOOT_OK; /* not said */
    uint64_t *lifetime_ns = &reader->answer->lifetime_ns;
    if (!moot__rate_time(text, reader->options->wall_s, lifetime_ns))
        return fail(reader, "gave a credential whose end is no time that is known");
    if (*lifetime_ns == 0)
        return fail(reader, "gave a credential that has expired already; is this machine's clock "
                            "right?");
    return MOOT_OK;
}

static const struct moot_json *first_of(const struct moot_json *object, const char *const *names)
{
    for (; *names; names++) {
        const struct moot_json *node = moot__json_get(object, *names);
        if (node && !moot__json_is_null(node))
            return node;
    }
    return NULL;
}

/* ---- The shapes ---- */

static int read_aws(struct reader *reader, const struct moot_json *root)
{
    uint64_t version = 1;
    const struct moot_json *said = moot__json_get(root, "Version");
    if (said && (!moot__json_u64(said, &version) || version != 1))
        return fail(reader, "gave AWS credentials of a Version other than 1");
    static const char *const tokens[] = {"SessionToken", "Token", NULL};
    struct moot_view token = {"", 0};
    moot__json_string(first_of(root, tokens), &token);
    int rc = keep(reader, MOOT_ACCESS_KEY_ID, moot__json_text(root, "AccessKeyId"));
    if (rc == MOOT_OK)
        rc = keep(reader, MOOT_ACCESS_SECRET_KEY, moot__json_text(root, "SecretAccessKey"));
    if (rc == MOOT_OK && token.len)
        rc = keep(reader, MOOT_ACCESS_SESSION_TOKEN, token);
    return rc ? rc : keep_end(reader, moot__json_get(root, "Expiration"));
}

static int read_azure_cli(struct reader *reader, const struct moot_json *root)
{
    int rc = keep(reader, MOOT_ACCESS_TOKEN, moot__json_text(root, "accessToken"));
    const struct moot_json *end = moot__json_get(root, "expires_on");
    if (rc == MOOT_OK && end)
        return keep_end(reader, end);
    if (rc == MOOT_OK && moot__json_get(root, "expiresOn"))
        reader->answer->lifetime_ns = UNNAMED_ZONE_NS;
    return rc;
}

static int read_object(struct reader *reader, const struct moot_json *root)
{
    static const char *const oauth_ends[] = {"expires_in", "expires_on", "expiry", NULL};
    static const char *const plain_ends[] = {"expires_in", "expires_at", "expiration", "expiry",
                                             NULL};
    const struct moot_json *status = moot__json_get(root, "status");
    int rc;
    if (moot__json_is_object(status)) {
        rc = keep(reader, MOOT_ACCESS_TOKEN, moot__json_text(status, "token"));
        return rc ? rc : keep_end(reader, moot__json_get(status, "expirationTimestamp"));
    }
    if (moot__json_get(root, "AccessKeyId"))
        return read_aws(reader, root);
    if (moot__json_get(root, "access_token")) {
        rc = keep(reader, MOOT_ACCESS_TOKEN, moot__json_text(root, "access_token"));
        return rc ? rc : keep_end(reader, first_of(root, oauth_ends));
    }
    if (moot__json_get(root, "accessToken"))
        return read_azure_cli(reader, root);
    if (moot__json_get(root, "token")) {
        rc = keep(reader, MOOT_ACCESS_TOKEN, moot__json_text(root, "token"));
        return rc ? rc : keep_end(reader, first_of(root, plain_ends));
    }
    return fail(reader, "gave JSON in which no credential is: neither access_token nor token, "
                        "AccessKeyId, status.token or accessToken");
}

int moot__credential_answer_read(struct moot_view text,
                                 const struct moot_credential_answer_options *options,
                                 struct moot_credential_answer *answer,
                                 struct moot_error_info *info)
{
    *answer = (struct moot_credential_answer){.lifetime_ns = MOOT_NEVER_NS};
    struct reader reader = {options, answer, info};
    struct moot_arena arena;
    const struct moot_json *root;
    moot__arena_init(&arena, options->allocator, TREE_BYTES_MAX);
    text = moot__view_trim(text);
    int rc;
    if (text.len == 0) {
        rc = fail(&reader, "gave nothing");
    } else if (text.ptr[0] != '{' && options->may_be_raw) {
        rc = keep(&reader, MOOT_ACCESS_TOKEN, text);
    } else {
        rc = moot__json_read(&arena, text, NULL, &root, NULL);
        if (rc == MOOT_ENOMEM)
            moot__ignore(moot__fail(info, rc, MOOT_PHASE_CREDENTIAL, "out of memory"));
        else if (rc || !moot__json_is_object(root))
            rc = fail(&reader, "gave an answer that is no JSON object");
        else
            rc = read_object(&reader, root);
    }
    moot__arena_wipe(&arena);
    if (rc)
        moot__access_deinit(&answer->access);
    return rc;
}

void moot__credential_answer_refusal(struct moot_view text, const struct moot_allocator *allocator,
                                     char *out, size_t size)
{
    static const char *const codes[] = {"error", "errorCode", "Code", "code", NULL};
    static const char *const words[] = {"error_description", "errorSummary", "Message", "message",
                                        NULL};
    struct moot_view code = {"", 0}, said = {"", 0};
    struct moot_arena arena;
    const struct moot_json *root;
    moot__arena_init(&arena, allocator, TREE_BYTES_MAX);
    if (moot__json_read(&arena, moot__view_trim(text), NULL, &root, NULL) == MOOT_OK) {
        moot__json_string(first_of(root, codes), &code);
        moot__json_string(first_of(root, words), &said);
    }
    size_t len = 0;
    struct moot_view parts[] = {code, {": ", code.len && said.len ? 2 : 0}, said};
    for (size_t i = 0; i < moot__countof(parts); i++)
        for (size_t j = 0; j < parts[i].len && len + 1 < size; j++) {
            unsigned char c = (unsigned char)parts[i].ptr[j];
            out[len++] = c < 0x20 || c >= 0x7f ? ' ' : (char)c;
        }
    out[len] = '\0';
    moot__arena_wipe(&arena);
}
