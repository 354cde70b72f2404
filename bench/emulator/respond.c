/* What to answer: routes, refusals, faults, quotas, and then the answer itself. The order is that
 * of a provider: who are you, is this a request, may you now. Faults that replace the answer come
 * before the quota and use none of it. */
#include "answer.h"
#include "auth.h"
#include "connection.h"
#include "document.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "head.h"
#include "question.h"
#include "shape.h"
#include "surface.h"
#include "token.h"

static const char json_type[] = "application/json";

/* Send `json` under a status. */
static void put_document(struct moot_emulator_connection *c, struct moot_emulator_head *head)
{
    if (!head->type)
        head->type = json_type;
    head->content_length = (int64_t)c->json.len;
    moot__emulator_put_head(c, head, false);
    moot__emulator_put(c, moot__buf_view(&c->json));
    moot__emulator_complete(c);
}

static void put_failure(struct moot_emulator_connection *c,
                        const struct moot_emulator_failure *failure, struct moot_emulator_head head)
{
    const struct moot_emulator_shape *shape = moot__emulator_shape_of(c);
    head.status = failure->status;
    head.error_type = shape->error_type ? shape->error_type(failure) : NULL;
    moot__buf_reset(&c->json);
    if (c->error == MOOT_OK)
        c->error = moot__emulator_shape_failure(c, failure, &c->json);
    put_document(c, &head);
}

static void refuse_as(struct moot_emulator_connection *c,
                      const struct moot_emulator_failure *failure)
{
    c->emulator->ledger.refused++;
    put_failure(c, failure, (struct moot_emulator_head){0});
}

static void refuse(struct moot_emulator_connection *c, int status, const char *param,
                   const char *message)
{
    struct moot_emulator_failure failure = moot__emulator_failure(status, MOOT_EMULATOR_FAULT_NONE);
    failure.param = param;
    if (message)
        failure.message = message;
    refuse_as(c, &failure);
}

void moot__emulator_refuse(struct moot_emulator_connection *c, int status, const char *reason)
{
    c->request.keep_alive = false; /* where the next request would begin is not known */
    refuse(c, status ? status : 400, NULL, reason);
}

/* ---- faults that replace the answer ---- */

static void put_text(struct moot_emulator_connection *c, int status, const char *type,
                     const char *text)
{
    struct moot_emulator_head head = {.status = status, .type = type};
    moot__buf_reset(&c->json);
    if (c->error == MOOT_OK)
        c->error = moot__buf_append_str(&c->json, text);
    put_document(c, &head);
}

static void put_status_fault(struct moot_emulator_connection *c)
{
    const struct moot_emulator_rule *rule = c->reply.rule;
    const struct moot_emulator_options *options = &c->emulator->options;
    enum moot_emulator_fault fault = c->reply.fault;
    struct moot_emulator_failure failure =
        moot__emulator_failure(moot__emulator_fault_of(c)->status, fault);
    struct moot_emulator_head head = {
        .has_hint = failure.status == 429 || failure.status == 503 || failure.status == 529,
        .hint = rule->has_hint ? rule->hint : options->hint,
        .hint_ns = rule->has_hint ? rule->hint_ns : options->hint_ns,
    };
    switch (fault) {
    case MOOT_EMULATOR_FAULT_502:
    case MOOT_EMULATOR_FAULT_504:
        put_text(c, failure.status, "text/html",
                 "<html><head><title>Bad gateway</title></head>"
                 "<body><h1>The upstream did not answer</h1></body></html>\r\n");
        return;
    case MOOT_EMULATOR_FAULT_ERROR_TEXT:
        put_text(c, failure.status, "text/plain", "INTERNAL_ERROR: something broke\n");
        return;
    case MOOT_EMULATOR_FAULT_ERROR_EMPTY:
        put_text(c, failure.status, "text/plain", "");
        return;
    case MOOT_EMULATOR_FAULT_REDIRECT:
        head.location = "http://elsewhere.invalid/v1/chat/completions";
        break;
    case MOOT_EMULATOR_FAULT_QUOTA:
        head.has_hint = false;
        break;
    default:
        break;
    }
    put_failure(c, &failure, head);
}

/* ---- documents ---- */

static void put_made(struct moot_emulator_connection *c,
                     int (*make)(const struct moot_emulator *, struct moot_buf *))
{
    struct moot_emulator_head head = {.status = 200};
    moot__buf_reset(&c->json);
    if (c->error == MOOT_OK)
        c->error = make(c->emulator, &c->json);
    put_document(c, &head);
}

static void put_oauth(struct moot_emulator_connection *c)
{
    struct moot_emulator_head head = {.status = 200};
    if (c->request.route == MOOT_EMULATOR_GRANT)
        head.status = moot__emulator_token_grant(c);
    else
        moot__emulator_token_discovery(c);
    if (head.status != 200)
        c->emulator->ledger.refused++;
    put_document(c, &head);
}

/* True when the request was for something else than a chat, and is answered. */
static bool answered_elsewhere(struct moot_emulator_connection *c)
{
    const struct moot_emulator_request *request = &c->request;
    struct moot_emulator_failure why;
    bool is_chat = request->route == MOOT_EMULATOR_CHAT;
    bool is_grant = request->route == MOOT_EMULATOR_GRANT;
    bool is_oauth = is_grant || request->route == MOOT_EMULATOR_DISCOVERY;
    bool is_ours = request->route == MOOT_EMULATOR_LEDGER || request->route == MOOT_EMULATOR_LOG;
    bool is_absent = is_oauth && !c->emulator->options.client_id;
    if (request->route == MOOT_EMULATOR_NOWHERE || is_absent)
        refuse(c, 404, NULL, "There is nothing at this path.");
    else if (is_chat || is_grant ? !request->is_post : !request->is_get)
        refuse(c, 405, NULL, NULL);
    else if (is_oauth)
        put_oauth(c);
    else if (!is_ours && !moot__emulator_is_authorized(c, &why))
        refuse_as(c, &why);
    else if (request->route == MOOT_EMULATOR_MODELS)
        put_made(c, moot__emulator_document_models);
    else if (request->route == MOOT_EMULATOR_LEDGER)
        put_made(c, moot__emulator_document_ledger);
    else if (request->route == MOOT_EMULATOR_LOG)
        put_made(c, moot__emulator_document_log);
    else
        return false;
    return true;
}

/* ---- the answer ---- */

/* Not every fault can happen to every answer; one that cannot is none. */
static bool is_applicable(enum moot_emulator_fault fault, const struct moot_emulator_request *r)
{
    const struct moot_emulator_shape *shape = moot__emulator_surface(r->surface)->shape;
    bool is_openai = shape->is_openai;
    switch (fault) {
    case MOOT_EMULATOR_FAULT_GZIP:
    case MOOT_EMULATOR_FAULT_SHORT_BODY:
    case MOOT_EMULATOR_FAULT_TWO_ANSWERS:
        return !r->stream;
    case MOOT_EMULATOR_FAULT_NO_LAST_CHUNK:
    case MOOT_EMULATOR_FAULT_BAD_CHUNK:
        return r->is_chunkable;
    case MOOT_EMULATOR_FAULT_NO_CHOICES:
    case MOOT_EMULATOR_FAULT_NULL_CONTENT:
        return is_openai || !r->stream;
    case MOOT_EMULATOR_FAULT_CRLF:
    case MOOT_EMULATOR_FAULT_CR:
    case MOOT_EMULATOR_FAULT_BOM:
    case MOOT_EMULATOR_FAULT_COMMENTS:
    case MOOT_EMULATOR_FAULT_EMPTY_DATA:
        return r->stream && shape->framing == MOOT_EMULATOR_LINES;
    case MOOT_EMULATOR_FAULT_CONTENT_LIST: /* what others always have */
        return is_openai;
    default:
        return r->stream || moot_emulator_fault_info(fault)->act != MOOT_EMULATOR_ACT_STREAM;
    }
}

static void choose_fault(struct moot_emulator_connection *c)
{
    struct moot_emulator *emulator = c->emulator;
    const struct moot_emulator_rule *rule = moot__emulator_rule_for(
        emulator, MOOT_EMULATOR_STAGE_WHOLE, c->reply.number, c->request.last);
    if (!rule || !is_applicable(rule->fault, &c->request))
        return;
    if (moot_emulator_fault_info(rule->fault)->place == MOOT_EMULATOR_AT_REQUEST)
        return; /* its moment has passed */
    c->reply.rule = rule;
    c->reply.fault = rule->fault;
    emulator->ledger.faults[rule->fault]++;
}

/* Take the request from the quotas, or answer 429. */
static bool admit(struct moot_emulator_connection *c)
{
    struct moot_emulator *emulator = c->emulator;
    const struct moot_emulator_options *options = &emulator->options;
    enum moot_emulator_meter_kind kind = MOOT_EMULATOR_REQUESTS;
    uint64_t wait_ns = options->hint_ns;
    uint64_t reserved = c->request.max_tokens == UINT64_MAX ? 0 : c->request.max_tokens;
    uint64_t slots = options->quota.concurrency;
    if ((slots == 0 || emulator->ledger.in_flight < slots) &&
        moot__emulator_meters_admit(&emulator->meters, c->request.prompt_tokens, reserved,
                                    c->now_ns, &kind, &wait_ns)) {
        c->reply.tokens_reserved = reserved;
        return true;
    }
    struct moot_emulator_failure failure = moot__emulator_failure(429, MOOT_EMULATOR_FAULT_NONE);
    failure.type = kind == MOOT_EMULATOR_REQUESTS ? "requests" : "tokens";
    emulator->ledger.throttled++;
    put_failure(c, &failure,
                (struct moot_emulator_head){.has_hint = wait_ns != MOOT_NEVER_NS,
                                            .hint = options->hint,
                                            .hint_ns = wait_ns});
    return false;
}

/* A tool is called where one is offered and the client does not bring its result. */
static bool calls_tool(const struct moot_emulator_connection *c)
{
    return c->emulator->options.answer == MOOT_EMULATOR_TOOL && c->request.tool.len &&
           !c->request.has_result;
}

/* Make the text, cut to max_tokens; a call is never cut, so that its arguments stay JSON. */
static void make_text(struct moot_emulator_connection *c)
{
    struct moot_emulator_reply *reply = &c->reply;
    struct moot_emulator_question question = {reply->number, c->request.endpoint, c->request.last};
    struct moot_json_writer w;
    reply->is_call = calls_tool(c);
    moot__buf_reset(&c->text);
    if (c->error == MOOT_OK && reply->is_call) {
        moot__json_write_init(&w, &c->text);
        moot__emulator_write_arguments(&w, question.last, true);
        c->error = moot__json_write_finish(&w);
    } else if (c->error == MOOT_OK) {
        c->error = moot__emulator_answer(c->emulator, &question, &c->text);
    }
    uint64_t max = reply->is_call ? UINT64_MAX : c->request.max_tokens;
    struct moot_view text = c->text.len ? moot__buf_view(&c->text) : MOOT_VIEW("");
    size_t at = 0;
    while (at < text.len && reply->tokens < max) {
        at = moot__emulator_token_end(text, at);
        reply->tokens++;
    }
    reply->is_cut = at < text.len;
    reply->text = moot__view(text.ptr, at);
}

static void begin_reply(struct moot_emulator_connection *c)
{
    struct moot_emulator_ledger *ledger = &c->emulator->ledger;
    const struct moot_emulator_options *options = &c->emulator->options;
    struct moot_emulator_reply *reply = &c->reply;
    assert(!reply->is_open && reply->number > 0);
    reply->is_open = true;
    if (++ledger->in_flight > ledger->in_flight_max)
        ledger->in_flight_max = ledger->in_flight;
    reply->start_ns = c->now_ns;
    reply->created = moot__ns_add(c->now_ns, options->wall_offset_ns) / MOOT_NS_PER_S;
    moot__emulator_draw(c->emulator, MOOT_EMULATOR_DRAW_JITTER, reply->number, &reply->jitter);
    make_text(c);
    if (reply->fault == MOOT_EMULATOR_FAULT_SLOW) {
        c->visible = 0;
        c->visible_ns = c->now_ns;
    } else if (reply->fault == MOOT_EMULATOR_FAULT_SPLIT) {
        c->visible = 1;
    }
    if (moot__emulator_fault_of(c)->place == MOOT_EMULATOR_AT_STATUS) {
        moot__emulator_cut(c);
        return;
    }
    if (c->request.stream) {
        moot__sm_move(&c->state, MOOT_EMULATOR_STREAMING);
        moot__emulator_stream_begin(c);
        return;
    }
    uint64_t jitter = options->jitter_ns ? moot__rng_below(&reply->jitter, options->jitter_ns) : 0;
    c->due_ns = moot__ns_add(moot__ns_add(c->now_ns, options->whole_ns), jitter);
    moot__sm_move(&c->state, MOOT_EMULATOR_WAITING);
}

void moot__emulator_respond(struct moot_emulator_connection *c)
{
    struct moot_emulator_complaint complaint;
    assert(c->state.current == MOOT_EMULATOR_READING);
    if (answered_elsewhere(c))
        return;
    int rc = moot__emulator_question(moot__buf_view(&c->body), &c->arena, &c->request, &complaint);
    if (rc == MOOT_ENOMEM) {
        c->error = rc;
        return;
    }
    if (rc) {
        refuse(c, 400, complaint.param, complaint.message);
        return;
    }
    if (c->emulator->options.on_request)
        c->emulator->options.on_request(c->emulator->options.on_request_context,
                                        c->request.endpoint, moot__buf_view(&c->body));
    c->emulator->ledger.streams += c->request.stream;
    choose_fault(c);
    if (moot__emulator_fault_of(c)->act == MOOT_EMULATOR_ACT_STATUS) {
        put_status_fault(c);
        return;
    }
    if (admit(c))
        begin_reply(c);
}
