#include "authorization.h"

#include "agents/sigv4.h"
#include "engine/base/check.h"
#include "secret_file.h"

enum { SIGNED_HEADERS_MAX = 32 };

static struct moot_view header_of(enum moot_auth auth)
{
    switch (auth) {
    case MOOT_AUTH_BEARER:
    case MOOT_AUTH_SIGV4: /* a token came where keys were expected: AWS takes both */
        return MOOT_VIEW("Authorization");
    case MOOT_AUTH_API_KEY:
        return MOOT_VIEW("api-key");
    case MOOT_AUTH_X_API_KEY:
        return MOOT_VIEW("x-api-key");
    }
    moot__unreachable();
}

static int write_token(struct moot_authorization *made, const struct moot_attempt_request *request)
{
    struct moot_view token = moot__access_part(&request->access, MOOT_ACCESS_TOKEN);
    int rc = moot__buf_reserve(&made->text, token.len + 16);
    if (!rc && moot__view_is(header_of(request->auth), "Authorization"))
        rc = moot__buf_append_str(&made->text, "Bearer ");
    if (!rc)
        rc = moot__buf_append_view(&made->text, token);
    made->headers[0] =
        (struct moot_http1_header){header_of(request->auth), moot__buf_view(&made->text)};
    made->count = 1;
    return rc;
}

/* What must be signed of what is sent: the host, the type and every x-amz-*. */
static size_t list_signed(const struct moot_attempt_request *request,
                          struct moot_sigv4_header headers[SIGNED_HEADERS_MAX])
{
    size_t count = 0;
    headers[count++] =
        (struct moot_sigv4_header){MOOT_VIEW("host"), moot__origin_authority(request->origin)};
    headers[count++] =
        (struct moot_sigv4_header){MOOT_VIEW("content-type"), MOOT_VIEW("application/json")};
    for (size_t i = 0; i < request->header_count && count < SIGNED_HEADERS_MAX; i++) {
        struct moot_view name = request->headers[i].name;
        if (name.len > 6 && moot__view_eq_nocase(moot__view(name.ptr, 6), MOOT_VIEW("x-amz-")))
            headers[count++] = (struct moot_sigv4_header){name, request->headers[i].value};
    }
    return count;
}

static int sign(struct moot_authorization *made, const struct moot_attempt_request *request)
{
    struct moot_sigv4_header headers[SIGNED_HEADERS_MAX];
    size_t question = moot__view_find(request->target, '?', 0);
    size_t query = question < request->target.len ? question + 1 : question;
    const struct moot_sigv4_request what = {
        .method = MOOT_VIEW("POST"),
        .path = moot__view(request->target.ptr, question),
        .query = moot__view(request->target.ptr + query, request->target.len - query),
        .headers = headers,
        .header_count = list_signed(request, headers),
        .body = request->body,
    };
    const struct moot_sigv4_key key = {
        .access_key = moot__access_part(&request->access, MOOT_ACCESS_KEY_ID),
        .secret_key = moot__access_part(&request->access, MOOT_ACCESS_SECRET_KEY),
        .session_token = moot__access_part(&request->access, MOOT_ACCESS_SESSION_TOKEN),
        .region = request->region,
        .service = request->service,
    };
    struct moot_sigv4_signed given;
    uint64_t unix_s = moot__wall_ns(request->pool->transport) / MOOT_NS_PER_S;
    int rc = moot__sigv4_sign(&what, &key, unix_s, &made->text, &given);
    for (size_t i = 0; !rc && i < given.count; i++)
        made->headers[made->count++] =
            (struct moot_http1_header){given.headers[i].name, given.headers[i].value};
    return rc;
}

static bool is_written_already(const struct moot_attempt_request *request)
{
    struct moot_view name = header_of(request->auth);
    for (size_t i = 0; i < request->header_count; i++)
        if (moot__view_eq_nocase(request->headers[i].name, name))
            return true;
    return false;
}

int moot__authorize(struct moot_authorization *made, const struct moot_attempt_request *request)
{
    enum moot_access_kind kind = moot__access_kind(&request->access);
    *made = (struct moot_authorization){.count = 0};
    moot__buf_init(&made->text, request->pool->transport->allocator,
                   2 * MOOT_LIMIT_SECRET_BYTES + 4096);
    int rc = MOOT_OK;
    if (kind == MOOT_ACCESS_AWS_KEYS)
        rc = sign(made, request);
    else if (kind == MOOT_ACCESS_BEARER && !is_written_already(request))
        rc = write_token(made, request);
    if (rc)
        moot__authorization_deinit(made);
    return rc;
}

void moot__authorization_deinit(struct moot_authorization *made)
{
    moot__secret_file_deinit(&made->text);
}
