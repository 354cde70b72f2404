#include "token_call.h"

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "mask.h"
#include "secret_file.h"

#define CONNECT_NS (UINT64_C(10) * MOOT_NS_PER_S)
#define TOTAL_NS   (UINT64_C(30) * MOOT_NS_PER_S)
#define MACHINE_NS (UINT64_C(2) * MOOT_NS_PER_S) /* it is near, or it is not there */

enum { SAID_BYTES = 300 };

bool moot__is_machine_address(const struct moot_url *url)
{
    static const char *const hosts[] = {"169.254.169.254", "169.254.170.2", "169.254.170.23",
                                        "fd00:ec2::254", "fd00:ec2::23"};
    for (size_t i = 0; i < moot__countof(hosts); i++)
        if (moot__view_eq_nocase(url->host, moot__view_str(hosts[i])))
            return true;
    return false;
}

static struct moot_token_call *token_call_of(struct moot_call *call)
{
    return moot__container_of(call, struct moot_token_call, call);
}

void moot__token_call_init(struct moot_token_call *call, struct moot_fetch *fetch)
{
    *call = (struct moot_token_call){.fetch = fetch};
    moot__buf_init(&call->answer, fetch->pool->transport->allocator,
                   MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES);
}

void moot__token_call_deinit(struct moot_token_call *call)
{
    moot__secret_file_deinit(&call->answer);
}

static int on_body(struct moot_call *base, struct moot_view data)
{
    return moot__buf_append_view(&token_call_of(base)->answer, data);
}

static bool may_pass(int status)
{
    return status == 408 || status == 429 || status >= 500;
}

static void understand(struct moot_token_call *call)
{
    struct moot_fetch *fetch = call->fetch;
    const struct moot_call *base = &call->call;
    const char *name = fetch->spec->source->name;
    char said[SAID_BYTES];
    if (base->error.code == MOOT_ECANCELED || base->error.code == MOOT_ENOMEM) {
        fetch->error = base->error;
        fetch->error.phase = MOOT_PHASE_CREDENTIAL;
    } else if (base->error.code) {
        moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                   "credential: %s could not be asked: %s", name, base->error.message);
        fetch->error.retriable = !call->is_of_machine; /* that one is there, or is not */
    } else if (base->status >= 300 && base->status < 400) {
        moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                   "credential: %s answered with a redirect (HTTP %d), which is never followed: "
                   "check its address",
                   name, base->status);
    } else if (base->status >= 300) {
        moot__credential_answer_refusal(moot__buf_view(&call->answer), call->answer.allocator, said,
                                        sizeof said);
        moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                   "credential: %s refused (HTTP %d)%s%s", name, base->status, said[0] ? ": " : "",
                   said);
        fetch->error.http_status = base->status;
        fetch->error.retriable = may_pass(base->status);
    }
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        if (fetch->spec->secrets[i].secret)
            moot__mask_secret(fetch->error.message, sizeof fetch->error.message,
                              moot__secret_expose(fetch->spec->secrets[i].secret));
}

static void on_call_done(struct moot_call *base)
{
    struct moot_token_call *call = token_call_of(base);
    call->is_started = false;
    understand(call);
    call->on_done(call);
}

int moot__token_call_start(struct moot_token_call *call, const struct moot_token_request *request)
{
    struct moot_fetch *fetch = call->fetch;
    bool is_https = request->url->scheme == MOOT_URL_HTTPS;
    const struct moot_origin_spec spec = {
        .url = *request->url,
        .proxy = is_https ? fetch->proxy : (struct moot_view){NULL, 0},
        .identity = fetch->identity,
        .allow_link_local = request->is_of_machine && moot__is_machine_address(request->url),
    };
    const struct moot_call_deadlines machine = {MACHINE_NS, MACHINE_NS, MACHINE_NS, MACHINE_NS};
    const struct moot_call_deadlines usual = {CONNECT_NS, TOTAL_NS, TOTAL_NS, TOTAL_NS};
    struct moot_call_request http = {
        .method = request->method,
        .target = request->target,
        .headers = request->headers,
        .header_count = request->header_count,
        .body = request->body,
        .deadlines = request->is_of_machine ? machine : usual,
        .body_bytes_max = MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES,
    };
    moot__error_clear(&fetch->error);
    moot__buf_reset(&call->answer);
    call->call.on_head = NULL;
    call->call.on_body = on_body;
    call->call.on_done = on_call_done;
    call->call.is_sound = NULL;
    /* Of full size at once, so that no copy of a secret is left behind. */
    int rc = moot__buf_reserve(&call->answer, MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES);
    if (!rc)
        rc = moot__pool_origin(fetch->pool, &spec, &http.origin);
    if (!rc)
        rc = moot__call_start(&call->call, fetch->pool, &http);
    call->is_of_machine = request->is_of_machine;
    call->is_started = rc == MOOT_OK;
    if (rc == MOOT_ENOMEM)
        return moot__fail(&fetch->error, rc, MOOT_PHASE_CREDENTIAL, "out of memory");
    if (rc)
        return moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                          "credential: %s cannot be asked: its address or the client's name is "
                          "none that a request can carry",
                          fetch->spec->source->name);
    return MOOT_OK;
}

void moot__token_call_cancel(struct moot_token_call *call)
{
    if (call->is_started)
        moot__call_cancel(&call->call);
}
