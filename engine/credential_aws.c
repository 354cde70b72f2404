/* Roles that AWS gives to containers and machines: keys that expire after some hours, from a server
 * that only they can reach.
 *
 *   container   keys                        the address and what to show come from the environment
 *   machine     session ──► role ──► keys   the second version of the metadata service: without a
 *                                           session of one's own nothing is said */
#include "credential_source.h"
#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "net/pool.h"
#include "secret_file.h"
#include "token_call.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

enum step { STEP_SESSION, STEP_ROLE, STEP_KEYS };
enum { SESSION_BYTES = 1024, ROLE_BYTES = 256 };

struct job {
    struct moot_fetch *fetch;
    struct moot_token_call call;
    enum step step;
    struct moot_buf session, target;
};

static void free_job(struct job *job)
{
    const struct moot_allocator *allocator = job->target.allocator;
    moot__token_call_deinit(&job->call);
    moot__secret_file_deinit(&job->session);
    moot__buf_deinit(&job->target);
    moot__free(allocator, job);
}

static int fail(struct moot_fetch *fetch, int rc, const char *what)
{
    return moot__fail(&fetch->error, rc == MOOT_ENOMEM ? rc : MOOT_ECREDENTIAL,
                      MOOT_PHASE_CREDENTIAL, "credential: %s %s", fetch->spec->source->name, what);
}

static int ask(struct job *job, const struct moot_http1_header *header)
{
    const struct moot_token_request request = {
        .url = &job->fetch->spec->url,
        .method = job->step == STEP_SESSION ? MOOT_VIEW("PUT") : MOOT_VIEW("GET"),
        .target = moot__buf_view(&job->target),
        .headers = header,
        .header_count = header ? 1 : 0,
        .is_of_machine = true,
    };
    return moot__token_call_start(&job->call, &request);
}

/* ---- A machine's role ---- */

static int ask_session(struct job *job)
{
    static const struct moot_http1_header ttl = {{"x-aws-ec2-metadata-token-ttl-seconds", 36},
                                                 {"21600", 5}};
    job->step = STEP_SESSION;
    int rc = moot__buf_append_str(&job->target, "/latest/api/token");
    return rc ? fail(job->fetch, rc, "cannot be asked") : ask(job, &ttl);
}

static int ask_with_session(struct job *job, enum step step)
{
    const struct moot_http1_header header = {MOOT_VIEW("x-aws-ec2-metadata-token"),
                                             moot__buf_view(&job->session)};
    job->step = step;
    return ask(job, &header);
}

static int ask_role(struct job *job)
{
    struct moot_view session = moot__view_trim(moot__buf_view(&job->call.answer));
    int rc = session.len && session.len <= SESSION_BYTES
                 ? moot__buf_reserve(&job->session, job->session.max)
                 : MOOT_EINVAL;
    if (!rc)
        rc = moot__buf_append_view(&job->session, session);
    moot__buf_reset(&job->target);
    if (!rc)
        rc = moot__buf_append_str(&job->target, ROLES);
    return rc ? fail(job->fetch, rc, "gave no session") : ask_with_session(job, STEP_ROLE);
}

static int ask_keys(struct job *job)
{
    struct moot_view rest = moot__buf_view(&job->call.answer), role = {"", 0};
    moot__ignore(moot__view_split(&rest, '\n', &role));
    role = moot__view_trim(role);
    if (role.len == 0 || role.len > ROLE_BYTES)
        return fail(job->fetch, MOOT_ECREDENTIAL, "knows no role: give the machine one");
    int rc = moot__url_append_segment(&job->target, role);
    return rc ? fail(job->fetch, rc, "names a role that no address can hold")
              : ask_with_session(job, STEP_KEYS);
}

/* ---- The walk ---- */

static void on_called(struct moot_token_call *call)
{
    struct job *job = moot__container_of(call, struct job, call);
    struct moot_fetch *fetch = job->fetch;
    int rc = fetch->error.code;
    if (!rc && job->step == STEP_SESSION) {
        if (ask_role(job) == MOOT_OK)
            return;
    } else if (!rc && job->step == STEP_ROLE) {
        if (ask_keys(job) == MOOT_OK)
            return;
    } else if (!rc) {
        moot__ignore(moot__fetch_take_answer(fetch, moot__buf_view(&call->answer), false));
    }
    fetch->job = NULL;
    free_job(job);
    fetch->on_done(fetch);
}

static struct job *new_job(struct moot_fetch *fetch)
{
    const struct moot_allocator *allocator = fetch->pool->transport->allocator;
    struct job *job = moot__calloc(allocator, 1, sizeof *job);
    if (!job) {
        moot__fail(&fetch->error, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
        return NULL;
    }
    job->fetch = fetch;
    moot__buf_init(&job->session, allocator, SESSION_BYTES);
    moot__buf_init(&job->target, allocator, MOOT_LIMIT_HTTP_URL_BYTES);
    moot__token_call_init(&job->call, fetch);
    job->call.on_done = on_called;
    return job;
}

static int keep(struct moot_fetch *fetch, struct job *job, int rc)
{
    if (rc)
        free_job(job);
    else
        fetch->job = job;
    return rc;
}

static int begin_machine(struct moot_fetch *fetch)
{
    struct job *job = new_job(fetch);
    return job ? keep(fetch, job, ask_session(job)) : MOOT_ENOMEM;
}

static int ask_container(struct job *job)
{
    struct moot_fetch *fetch = job->fetch;
    const struct moot_credential_spec *spec = fetch->spec;
    struct moot_http1_header header = {MOOT_VIEW("Authorization"), {NULL, 0}};
    job->step = STEP_KEYS;
    int rc = moot__fetch_read_secret(fetch);
    if (rc)
        return rc;
    if (spec->secrets[0].secret)
        header.value = moot__secret_expose(spec->secrets[0].secret);
    rc = moot__buf_append_view(&job->target, spec->url.path.len ? spec->url.path : MOOT_VIEW("/"));
    if (!rc && spec->url.query.len)
        rc = moot__buf_append_byte(&job->target, '?');
    if (!rc)
        rc = moot__buf_append_view(&job->target, spec->url.query);
    if (rc)
        return fail(fetch, rc, "cannot be asked: its address is too long");
    return ask(job, header.value.len ? &header : NULL);
}

static int begin_container(struct moot_fetch *fetch)
{
    struct job *job = new_job(fetch);
    return job ? keep(fetch, job, ask_container(job)) : MOOT_ENOMEM;
}

static void cancel(struct moot_fetch *fetch)
{
    struct job *job = fetch->job;
    moot__token_call_cancel(&job->call);
}

#define AWS_MARGINS                                                                                \
    {                                                                                              \
        .stop_ns = 600 * MOOT_NS_PER_S, .fresh_ns = 900 * MOOT_NS_PER_S,                           \
        .again_ns = 60 * MOOT_NS_PER_S                                                             \
    }

const struct moot_credential_source_ops moot__credential_aws_container = {
    .name = "the container's role",
    .margins = AWS_MARGINS,
    .begin = begin_container,
    .cancel = cancel,
};

const struct moot_credential_source_ops moot__credential_aws_machine = {
    .name = "the role of this machine, as no other AWS credential was found,",
    .margins = AWS_MARGINS,
    .begin = begin_machine,
    .cancel = cancel,
};
