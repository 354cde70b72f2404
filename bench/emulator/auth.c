#include "auth.h"

#include "agents/sigv4.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "surface.h"
#include "token.h"

enum { SKEW_S = 300 };

static struct moot_view bearer_of(const struct moot_http1_head *head)
{
    struct moot_view authorization = moot__http1_header(head, "authorization");
    struct moot_view bearer = MOOT_VIEW("Bearer ");
    if (!moot__view_starts(authorization, bearer))
        return MOOT_VIEW("");
    return moot__view(authorization.ptr + bearer.len, authorization.len - bearer.len);
}

static bool has_key(const struct moot_emulator_connection *c)
{
    const char *key = c->emulator->options.api_key;
    const char *own = moot__emulator_surface(c->request.surface)->key_header;
    if (moot__emulator_token_is_valid(c, bearer_of(&c->head)))
        return true;
    if (!key)
        return false;
    if (moot__view_is(bearer_of(&c->head), key))
        return true;
    return own && moot__view_is(moot__http1_header(&c->head, own), key);
}

/* ---- signatures ---- */

static struct moot_emulator_failure refusal(enum moot_sigv4_verdict verdict)
{
    static const struct {
        const char *type, *message;
    } words[] = {
        [MOOT_SIGV4_ABSENT] = {"MissingAuthenticationTokenException",
                               "Missing Authentication Token"},
        [MOOT_SIGV4_INCOMPLETE] = {"IncompleteSignatureException",
                                   "The request signature does not conform to AWS standards."},
        [MOOT_SIGV4_UNKNOWN_KEY] = {"UnrecognizedClientException",
                                    "The security token included in the request is invalid."},
        [MOOT_SIGV4_WRONG_SCOPE] = {"InvalidSignatureException",
                                    "Credential should be scoped to a valid region and service."},
        [MOOT_SIGV4_SKEWED] = {"InvalidSignatureException",
                               "Signature expired, or not yet current."},
        [MOOT_SIGV4_MISMATCH] = {"InvalidSignatureException",
                                 "The request signature we calculated does not match the signature "
                                 "you provided. Check your AWS Secret Access Key and signing "
                                 "method."},
    };
    struct moot_emulator_failure failure = moot__emulator_failure(403, MOOT_EMULATOR_FAULT_NONE);
    failure.aws_type = words[verdict].type;
    failure.message = words[verdict].message;
    return failure;
}

/* The headers as the verifier wants them, in the arena; NULL: no memory. */
static struct moot_sigv4_header *copy_headers(struct moot_emulator_connection *c)
{
    size_t count = c->head.header_count;
    struct moot_sigv4_header *headers =
        moot__arena_calloc(&c->arena, count ? count : 1, sizeof *headers);
    for (size_t i = 0; headers && i < count; i++)
        headers[i] = (struct moot_sigv4_header){c->head.headers[i].name, c->head.headers[i].value};
    return headers;
}

static enum moot_sigv4_verdict verify(struct moot_emulator_connection *c)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    struct moot_view target = c->head.target;
    size_t mark = moot__view_find(target, '?', 0);
    struct moot_sigv4_request request = {
        .method = c->head.method,
        .path = moot__view(target.ptr, mark),
        .query = mark < target.len ? moot__view(target.ptr + mark + 1, target.len - mark - 1)
                                   : MOOT_VIEW(""),
        .headers = copy_headers(c),
        .header_count = c->head.header_count,
        .body = c->body.len ? moot__buf_view(&c->body) : MOOT_VIEW(""),
    };
    const struct moot_sigv4_key key = {
        .access_key = moot__view_str(options->aws_access_key),
        .secret_key = moot__view_str(options->aws_secret_key),
        .session_token = MOOT_VIEW(""),
        .region = moot__view_str(options->aws_region ? options->aws_region : "us-east-1"),
        .service = MOOT_VIEW("bedrock"),
    };
    const struct moot_sigv4_window window = {
        moot__ns_add(c->now_ns, options->wall_offset_ns) / MOOT_NS_PER_S, SKEW_S};
    enum moot_sigv4_verdict verdict = MOOT_SIGV4_INCOMPLETE;
    int rc = request.headers
                 ? moot__sigv4_verify(&request, &key, window, c->emulator->allocator, &verdict)
                 : MOOT_ENOMEM;
    if (rc == MOOT_ENOMEM && c->error == MOOT_OK)
        c->error = rc;
    return rc ? MOOT_SIGV4_INCOMPLETE : verdict;
}

bool moot__emulator_is_authorized(struct moot_emulator_connection *c,
                                  struct moot_emulator_failure *why)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    bool is_signed = moot__emulator_surface(c->request.surface)->is_signed;
    bool verifies = is_signed && options->aws_access_key;
    *why = moot__emulator_failure(is_signed ? 403 : 401, MOOT_EMULATOR_FAULT_NONE);
    bool is_open = !options->api_key && !options->client_id && !verifies;
    if (is_open || has_key(c))
        return true;
    if (!verifies)
        return false;
    enum moot_sigv4_verdict verdict = verify(c);
    if (verdict == MOOT_SIGV4_VALID)
        return true;
    *why = refusal(verdict);
    return false;
}
