/* OAuth 2 client credentials (RFC 6749, 4.4): a client's name and secret, or a signed statement
 * (RFC 7523), for a token. Databricks names the place in a document of its workspace; Entra has it
 * at a known path.
 *
 *   begin ──► document ──► token ──► done        without `discovers` the document is left out
 *
 * A secret is bound to one origin: a document that names another one is not believed. */
#include "credential_source.h"
#include "engine/base/alloc.h"
#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"

#include "net/pool.h"
#include "secret_file.h"
#include "token_call.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

enum { FORM_BYTES = 4 * MOOT_LIMIT_SECRET_BYTES, DOCUMENT_BYTES = 1 << 20 };

struct job {
    struct moot_fetch *fetch;
    struct moot_token_call call;
    bool is_at_token;
    struct moot_buf target, form, authorization;
};

static void free_job(struct job *job)
{
    const struct moot_allocator *allocator = job->form.allocator;
    moot__token_call_deinit(&job->call);
    moot__secret_file_deinit(&job->form);
    moot__secret_file_deinit(&job->authorization);
    moot__buf_deinit(&job->target);
    moot__free(allocator, job);
}

static void end(struct job *job)
{
    struct moot_fetch *fetch = job->fetch;
    fetch->job = NULL;
    free_job(job);
    fetch->on_done(fetch);
}

static int fail(struct moot_fetch *fetch, const char *what)
{
    return moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL, "credential: %s %s",
                      fetch->spec->source->name, what);
}

/* ---- The request for a token ---- */

static int add_field(struct moot_buf *form, const char *name, struct moot_view value)
{
    if (value.len == 0)
        return MOOT_OK;
    int rc = form->len ? moot__buf_append_byte(form, '&') : MOOT_OK;
    if (!rc)
        rc = moot__buf_append_str(form, name);
    if (!rc)
        rc = moot__buf_append_byte(form, '=');
    return rc ? rc : moot__url_append_query_part(form, value);
}

static int write_form(struct job *job, struct moot_view secret)
{
    const struct moot_credential_spec *spec = job->fetch->spec;
    struct moot_buf *form = &job->form;
    int rc = moot__buf_reserve(form, form->max); /* nothing moves */
    if (!rc)
        rc = add_field(form, "grant_type", MOOT_VIEW("client_credentials"));
    if (!rc)
        rc = add_field(form, "scope", spec->scope);
    if (!rc)
        rc = add_field(form, "resource", spec->resource);
    if (rc || spec->style == MOOT_OAUTH_BASIC)
        return rc;
    rc = add_field(form, "client_id", spec->client_id);
    if (!rc && spec->style == MOOT_OAUTH_FORM)
        return add_field(form, "client_secret", secret);
    if (!rc)
        rc = add_field(form, "client_assertion_type", MOOT_VIEW(ASSERTION_TYPE));
    return rc ? rc : add_field(form, "client_assertion", secret);
}

/* RFC 6749, 2.3.1: both are form-encoded first, which changes none of the usual ones. */
static int write_authorization(struct job *job, struct moot_view secret)
{
    struct moot_buf pair;
    moot__buf_init(&pair, job->form.allocator, FORM_BYTES);
    int rc = moot__buf_reserve(&pair, FORM_BYTES);
    if (!rc)
        rc = moot__url_append_query_part(&pair, job->fetch->spec->client_id);
    if (!rc)
        rc = moot__buf_append_byte(&pair, ':');
    if (!rc)
        rc = moot__url_append_query_part(&pair, secret);
    if (!rc)
        rc = moot__buf_reserve(&job->authorization, job->authorization.max);
    if (!rc)
        rc = moot__buf_append_str(&job->authorization, "Basic ");
    if (!rc)
        rc = moot__base64_encode(&job->authorization, moot__buf_view(&pair));
    moot__secret_file_deinit(&pair);
    return rc;
}

static int ask_token(struct job *job)
{
    struct moot_fetch *fetch = job->fetch;
    const struct moot_credential_spec *spec = fetch->spec;
    struct moot_view secret = moot__secret_expose(spec->secrets[0].secret);
    int rc = write_form(job, secret);
    if (!rc && spec->style == MOOT_OAUTH_BASIC)
        rc = write_authorization(job, secret);
    if (rc)
        return moot__fail(&fetch->error, rc == MOOT_ENOMEM ? rc : MOOT_ECREDENTIAL,
                          MOOT_PHASE_CREDENTIAL, "credential: no room for the token request");
    const struct moot_http1_header headers[] = {
        {MOOT_VIEW("Content-Type"), MOOT_VIEW("application/x-www-form-urlencoded")},
        {MOOT_VIEW("Accept"), MOOT_VIEW("application/json")},
        {MOOT_VIEW("Authorization"), moot__buf_view(&job->authorization)},
    };
    const struct moot_token_request request = {
        .url = &spec->url,
        .method = MOOT_VIEW("POST"),
        .target = moot__buf_view(&job->target),
        .headers = headers,
        .header_count = spec->style == MOOT_OAUTH_BASIC ? 3 : 2,
        .body = moot__buf_view(&job->form),
    };
    job->is_at_token = true;
    return moot__token_call_start(&job->call, &request);
}

/* ---- The document ---- */

static bool is_same_origin(const struct moot_url *a, const struct moot_url *b)
{
    return a->scheme == b->scheme && a->port == b->port && moot__view_eq_nocase(a->host, b->host);
}

static int set_target(struct job *job, struct moot_view path, struct moot_view query)
{
    moot__buf_reset(&job->target);
    int rc = moot__buf_append_view(&job->target, path.len ? path : MOOT_VIEW("/"));
    if (!rc && query.len)
        rc = moot__buf_append_byte(&job->target, '?');
    if (!rc)
        rc = moot__buf_append_view(&job->target, query);
    if (rc)
        return moot__fail(&job->fetch->error, rc == MOOT_ENOMEM ? rc : MOOT_ECREDENTIAL,
                          MOOT_PHASE_CREDENTIAL, "credential: no room for the token's address");
    return MOOT_OK;
}

static int read_document(struct job *job)
{
    struct moot_fetch *fetch = job->fetch;
    struct moot_arena arena;
    const struct moot_json *root;
    struct moot_url url;
    moot__arena_init(&arena, job->form.allocator, DOCUMENT_BYTES);
    int rc = moot__json_read(&arena, moot__buf_view(&job->call.answer), NULL, &root, NULL);
    struct moot_view place = moot__json_text(rc ? NULL : root, "token_endpoint");
    if (rc == MOOT_ENOMEM)
        moot__fail(&fetch->error, rc, MOOT_PHASE_CREDENTIAL, "out of memory");
    else if (rc || place.len == 0 || moot__url_parse(place, 0, &url, NULL))
        rc = fail(fetch, "names no token_endpoint where the host's own document should: check "
                         "the host");
    else if (!is_same_origin(&url, &fetch->spec->url))
        rc = fail(fetch, "names a token_endpoint on another host, which does not get the secret");
    else
        rc = set_target(job, url.path, url.query);
    moot__arena_deinit(&arena);
    return rc;
}

static int ask_document(struct job *job)
{
    static const struct moot_http1_header headers[] = {{{"Accept", 6}, {"application/json", 16}}};
    const struct moot_token_request request = {
        .url = &job->fetch->spec->url,
        .method = MOOT_VIEW("GET"),
        .target = moot__buf_view(&job->target),
        .headers = headers,
        .header_count = 1,
    };
    return moot__token_call_start(&job->call, &request);
}

/* ---- The walk ---- */

static void on_called(struct moot_token_call *call)
{
    struct job *job = moot__container_of(call, struct job, call);
    struct moot_fetch *fetch = job->fetch;
    if (fetch->error.code == MOOT_OK && job->is_at_token) {
        moot__ignore(moot__fetch_take_answer(fetch, moot__buf_view(&call->answer), false));
    } else if (fetch->error.code == MOOT_OK) {
        if (read_document(job) == MOOT_OK && ask_token(job) == MOOT_OK)
            return;
    }
    end(job);
}

static int begin(struct moot_fetch *fetch)
{
    const struct moot_credential_spec *spec = fetch->spec;
    const struct moot_allocator *allocator = fetch->pool->transport->allocator;
    struct job *job = moot__calloc(allocator, 1, sizeof *job);
    if (!job)
        return moot__fail(&fetch->error, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
    job->fetch = fetch;
    moot__buf_init(&job->target, allocator, MOOT_LIMIT_HTTP_URL_BYTES);
    moot__buf_init(&job->form, allocator, FORM_BYTES);
    moot__buf_init(&job->authorization, allocator, 2 * FORM_BYTES);
    moot__token_call_init(&job->call, fetch);
    job->call.on_done = on_called;
    int rc = moot__fetch_read_secret(fetch);
    if (!rc)
        rc = set_target(job, spec->url.path, spec->url.query);
    if (!rc)
        rc = spec->discovers ? ask_document(job) : ask_token(job);
    if (rc)
        free_job(job);
    else
        fetch->job = job;
    return rc;
}

static void cancel(struct moot_fetch *fetch)
{
    struct job *job = fetch->job;
    moot__token_call_cancel(&job->call);
}

const struct moot_credential_source_ops moot__credential_oauth = {
    .name = "the token server of the workspace",
    .margins = {.stop_ns = 40 * MOOT_NS_PER_S,
                .fresh_ns = 20 * 60 * MOOT_NS_PER_S,
                .again_ns = 60 * MOOT_NS_PER_S},
    .begin = begin,
    .cancel = cancel,
};

const struct moot_credential_source_ops moot__credential_entra = {
    .name = "the token server of Entra",
    .margins = {.stop_ns = 30 * MOOT_NS_PER_S,
                .fresh_ns = 120 * MOOT_NS_PER_S,
                .again_ns = 3 * MOOT_NS_PER_S},
    .begin = begin,
    .cancel = cancel,
};
