/* The managed identity of a machine in Azure: its metadata service gives tokens to whoever asks
 * from the machine itself. */
#include "credential_source.h"
#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "net/pool.h"
#include "token_call.h"

#define PATH "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="

struct job {
    struct moot_fetch *fetch;
    struct moot_token_call call;
    struct moot_buf target;
};

static void free_job(struct job *job)
{
    const struct moot_allocator *allocator = job->target.allocator;
    moot__token_call_deinit(&job->call);
    moot__buf_deinit(&job->target);
    moot__free(allocator, job);
}

static void on_called(struct moot_token_call *call)
{
    struct job *job = moot__container_of(call, struct job, call);
    struct moot_fetch *fetch = job->fetch;
    if (fetch->error.code == MOOT_OK)
        moot__ignore(moot__fetch_take_answer(fetch, moot__buf_view(&call->answer), false));
    fetch->job = NULL;
    free_job(job);
    fetch->on_done(fetch);
}

static int write_target(struct moot_buf *out, const struct moot_credential_spec *spec)
{
    int rc = moot__buf_append_str(out, PATH);
    if (!rc)
        rc = moot__url_append_query_part(out, spec->resource);
    if (!rc && spec->client_id.len)
        rc = moot__buf_append_str(out, "&client_id=");
    if (!rc && spec->client_id.len)
        rc = moot__url_append_query_part(out, spec->client_id);
    return rc;
}

static int begin(struct moot_fetch *fetch)
{
    static const struct moot_http1_header headers[] = {{{"Metadata", 8}, {"true", 4}}};
    const struct moot_allocator *allocator = fetch->pool->transport->allocator;
    struct job *job = moot__calloc(allocator, 1, sizeof *job);
    if (!job)
        return moot__fail(&fetch->error, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
    job->fetch = fetch;
    moot__buf_init(&job->target, allocator, MOOT_LIMIT_HTTP_URL_BYTES);
    moot__token_call_init(&job->call, fetch);
    job->call.on_done = on_called;
    int rc = write_target(&job->target, fetch->spec);
    if (rc)
        rc = moot__fail(&fetch->error, rc == MOOT_ENOMEM ? rc : MOOT_ECREDENTIAL,
                        MOOT_PHASE_CREDENTIAL, "credential: no room for the identity's address");
    const struct moot_token_request request = {
        .url = &fetch->spec->url,
        .method = MOOT_VIEW("GET"),
        .target = moot__buf_view(&job->target),
        .headers = headers,
        .header_count = 1,
        .is_of_machine = true,
    };
    if (!rc)
        rc = moot__token_call_start(&job->call, &request);
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

const struct moot_credential_source_ops moot__credential_azure_machine = {
    .name = "the managed identity of this machine",
    .margins = {.stop_ns = 30 * MOOT_NS_PER_S,
                .fresh_ns = 120 * MOOT_NS_PER_S,
                .again_ns = 3 * MOOT_NS_PER_S},
    .begin = begin,
    .cancel = cancel,
};
