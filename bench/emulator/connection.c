/* A connection: bytes in, bytes out, times in, next time out.
 *
 *            request whole             answer due             out consumed
 *   READING ------------> WAITING -------------> DRAINING -------------> READING
 *      |  `-------------> STREAMING -- last event --^  |
 *      `------- a fault's cut, a refusal, the end -----+--> ENDED
 *
 * Bounds: `in` and `body` by limits.h; `out` by one whole answer, or by MARKS tokens of a stream,
 * because no step is emitted while as many are unsent. */
#include "connection.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

enum {
    IN_MAX = MOOT_LIMIT_READ_CHUNK_BYTES,
    ARENA_MAX = 4 * MOOT_LIMIT_HTTP_SERVER_BODY_BYTES + (64 << 10),
    OUT_MAX = MOOT_LIMIT_HTTP_BODY_BYTES + MOOT_LIMIT_HTTP_HEAD_BYTES,
    OUT_HIGH = 64 << 10, /* no further step is emitted above */
};

static const struct moot_sm_state states[MOOT_EMULATOR_STATES] = {
    [MOOT_EMULATOR_READING] = {"reading", MOOT_SM_TO(MOOT_EMULATOR_WAITING) |
                                              MOOT_SM_TO(MOOT_EMULATOR_STREAMING) |
                                              MOOT_SM_TO(MOOT_EMULATOR_DRAINING) |
                                              MOOT_SM_TO(MOOT_EMULATOR_ENDED)},
    [MOOT_EMULATOR_WAITING] = {"waiting", MOOT_SM_TO(MOOT_EMULATOR_DRAINING) |
                                              MOOT_SM_TO(MOOT_EMULATOR_ENDED)},
    [MOOT_EMULATOR_STREAMING] = {"streaming", MOOT_SM_TO(MOOT_EMULATOR_DRAINING) |
                                                  MOOT_SM_TO(MOOT_EMULATOR_ENDED)},
    [MOOT_EMULATOR_DRAINING] = {"draining", MOOT_SM_TO(MOOT_EMULATOR_READING) |
                                                MOOT_SM_TO(MOOT_EMULATOR_ENDED)},
    [MOOT_EMULATOR_ENDED] = {"ended", 0},
};

/* ---- output ---- */

static size_t unsent(const struct moot_emulator_connection *c)
{
    return c->out.len - c->out_at;
}

void moot__emulator_put(struct moot_emulator_connection *c, struct moot_view bytes)
{
    assert(c->out_at <= c->out.len);
    if (c->error == MOOT_OK)
        c->error = moot__buf_append_view(&c->out, bytes);
}

void moot__emulator_put_str(struct moot_emulator_connection *c, const char *text)
{
    moot__emulator_put(c, moot__view_str(text));
}

static void put_one_chunk(struct moot_emulator_connection *c, struct moot_view bytes)
{
    static const char digits[] = "0123456789abcdef";
    char size[2 * sizeof(size_t)];
    size_t at = sizeof size, rest = bytes.len;
    assert(bytes.len > 0); /* an empty one would be the last */
    do
        size[--at] = digits[rest & 15];
    while (rest >>= 4);
    moot__emulator_put(c, moot__view(size + at, sizeof size - at));
    moot__emulator_put_str(c, "\r\n");
    moot__emulator_put(c, bytes);
    moot__emulator_put_str(c, "\r\n");
}

void moot__emulator_put_chunk(struct moot_emulator_connection *c, struct moot_view bytes)
{
    if (!c->request.is_chunkable) {
        moot__emulator_put(c, bytes);
        return;
    }
    bool split = c->reply.fault == MOOT_EMULATOR_FAULT_SPLIT;
    size_t step = split ? 1 : bytes.len;
    for (size_t at = 0; at < bytes.len; at += step)
        put_one_chunk(c, moot__view(bytes.ptr + at, step));
}

struct moot_view moot_emulator_connection_output(const struct moot_emulator_connection *c)
{
    size_t len = unsent(c);
    if (len > c->visible)
        len = c->visible;
    return len ? moot__view(c->out.data + c->out_at, len) : MOOT_VIEW("");
}

/* ---- the ends of answers and connections ---- */

static void give_receipt(struct moot_emulator_connection *c, bool is_billed, uint64_t emitted)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    if (!options->on_receipt)
        return;
    const struct moot_emulator_receipt receipt = {
        .request = c->reply.number,
        .fault = c->reply.fault,
        .is_stream = c->request.stream,
        .is_billed = is_billed,
        .endpoint = c->request.endpoint,
        .body = moot__buf_view(&c->body),
        .text = c->reply.text,
        .tokens = c->reply.tokens,
        .tokens_in = c->request.prompt_tokens,
        .tokens_out = emitted,
    };
    options->on_receipt(options->on_receipt_context, &receipt);
}

/* Close the ledger's account of the answer under way. */
static void settle(struct moot_emulator_connection *c, bool is_billed)
{
    struct moot_emulator *emulator = c->emulator;
    struct moot_emulator_reply *reply = &c->reply;
    if (!reply->is_open)
        return;
    reply->is_open = false;
    assert(emulator->ledger.in_flight > 0);
    emulator->ledger.in_flight--;
    uint64_t emitted = c->request.stream ? reply->tokens_sent : reply->tokens;
    moot__emulator_meters_settle(&emulator->meters, reply->tokens_reserved, emitted, c->now_ns);
    give_receipt(c, is_billed, emitted);
    if (!is_billed)
        return;
    emulator->ledger.billed++;
    emulator->ledger.tokens_in += c->request.prompt_tokens;
    emulator->ledger.tokens_out += emitted;
}

void moot__emulator_end(struct moot_emulator_connection *c, enum moot_emulator_verdict ending)
{
    assert(ending != MOOT_EMULATOR_GO_ON);
    c->ending = ending;
    c->due_ns = MOOT_NEVER_NS;
    if (c->state.current != MOOT_EMULATOR_ENDED)
        moot__sm_move(&c->state, MOOT_EMULATOR_ENDED);
}

void moot__emulator_cut(struct moot_emulator_connection *c)
{
    enum moot_emulator_act act = moot__emulator_fault_of(c)->act;
    settle(c, true);
    moot__emulator_end(c, act == MOOT_EMULATOR_ACT_RESET   ? MOOT_EMULATOR_RESET
                          : act == MOOT_EMULATOR_ACT_STALL ? MOOT_EMULATOR_STALL
                                                           : MOOT_EMULATOR_CLOSE);
}

void moot__emulator_put_unasked(struct moot_emulator_connection *c)
{
    if (c->reply.fault != MOOT_EMULATOR_FAULT_IDLE_408)
        return;
    moot__emulator_put_str(c, "HTTP/1.1 408 Request Timeout\r\n"
                              "connection: close\r\ncontent-length: 0\r\n\r\n");
    c->request.keep_alive = false;
}

void moot__emulator_complete(struct moot_emulator_connection *c)
{
    c->due_ns = MOOT_NEVER_NS;
    if (c->state.current != MOOT_EMULATOR_ENDED)
        moot__sm_move(&c->state, MOOT_EMULATOR_DRAINING);
}

/* ---- input ---- */

static int on_head(void *context, const struct moot_http1_head *head)
{
    struct moot_emulator_connection *c = context;
    struct moot_emulator *emulator = c->emulator;
    struct moot_emulator_request *request = &c->request;
    int rc = moot__emulator_route(head->target, &c->arena, request);
    if (rc)
        return rc;
    request->is_post = moot__view_is(head->method, "POST");
    request->is_get = moot__view_is(head->method, "GET");
    request->keep_alive = head->keep_alive;
    request->is_chunkable = head->minor > 0;
    if (request->surface == MOOT_EMULATOR_ANTHROPIC)
        request->version = moot__http1_header(head, "anthropic-version");
    bool is_signed =
        moot__view_starts(moot__http1_header(head, "authorization"), MOOT_VIEW("AWS4-HMAC-SHA256"));
    if (request->surface == MOOT_EMULATOR_AZURE && is_signed)
        request->surface = MOOT_EMULATOR_BEDROCK_OPENAI;
    c->head = *head;
    if (request->route == MOOT_EMULATOR_CHAT) {
        c->reply.number = ++emulator->ledger.requests;
        c->reply.rule = moot__emulator_rule_for(emulator, MOOT_EMULATOR_STAGE_HEAD, c->reply.number,
                                                (struct moot_view){NULL, 0});
        if (c->reply.rule) {
            c->reply.fault = c->reply.rule->fault;
            emulator->ledger.faults[c->reply.fault]++;
            moot__emulator_cut(c);
            return MOOT_ECANCELED;
        }
    }
    if (head->expect_continue && head->has_body)
        moot__emulator_put_str(c, "HTTP/1.1 100 Continue\r\n\r\n");
    return MOOT_OK;
}

static int on_body(void *context, struct moot_view bytes)
{
    struct moot_emulator_connection *c = context;
    return moot__buf_append_view(&c->body, bytes);
}

/* Everything of the answer is sent: make room for the next request. */
static void next_request(struct moot_emulator_connection *c)
{
    if (c->reply.is_open && c->reply.fault == MOOT_EMULATOR_FAULT_NONE)
        c->emulator->ledger.answered++;
    settle(c, true);
    if (!c->request.keep_alive) {
        moot__emulator_end(c, MOOT_EMULATOR_CLOSE);
        return;
    }
    c->visible = SIZE_MAX;
    c->reply = (struct moot_emulator_reply){0};
    c->request = (struct moot_emulator_request){0};
    c->head = (struct moot_http1_head){0};
    moot__buf_reset(&c->body);
    moot__arena_reset(&c->arena);
    moot__http1_reset(c->parser, 0);
    moot__sm_move(&c->state, MOOT_EMULATOR_READING);
}

/* Parse what is there, until a request is whole. */
static void read_input(struct moot_emulator_connection *c)
{
    size_t consumed = 0;
    assert(c->state.current == MOOT_EMULATOR_READING);
    if (c->in.len) {
        int rc = moot__http1_feed(c->parser, c->in.data, c->in.len, &consumed);
        moot__buf_consume(&c->in, consumed);
        if (c->state.current == MOOT_EMULATOR_ENDED) /* a fault at the head */
            return;
        if (rc) {
            moot__emulator_refuse(c, moot__http1_answer_status(c->parser),
                                  moot__http1_reason(c->parser));
            return;
        }
        if (moot__http1_is_complete(c->parser)) {
            moot__emulator_respond(c);
            return;
        }
    }
    if (c->peer_ended)
        moot__emulator_end(c, MOOT_EMULATOR_CLOSE);
}

/* ---- the driver ---- */

static bool may_emit(const struct moot_emulator_connection *c)
{
    return c->mark_count < MOOT_EMULATOR_MARKS && unsent(c) < OUT_HIGH;
}

static bool is_answering(const struct moot_emulator_connection *c)
{
    return c->state.current == MOOT_EMULATOR_WAITING || c->state.current == MOOT_EMULATOR_STREAMING;
}

/* Do what can be done at now_ns; every entry point ends here. */
static void run(struct moot_emulator_connection *c)
{
    for (;;) {
        if (c->error) { /* no memory: the one honest answer left */
            settle(c, false);
            moot__emulator_end(c, MOOT_EMULATOR_RESET);
            return;
        }
        if (c->state.current == MOOT_EMULATOR_READING) {
            read_input(c);
            if (c->state.current == MOOT_EMULATOR_READING && c->error == MOOT_OK)
                return;
        } else if (is_answering(c)) {
            if (c->due_ns > c->now_ns || !may_emit(c))
                return;
            if (c->state.current == MOOT_EMULATOR_WAITING)
                moot__emulator_whole(c);
            else
                moot__emulator_stream_step(c);
        } else if (c->state.current == MOOT_EMULATOR_DRAINING && unsent(c) == 0) {
            next_request(c);
        } else {
            return;
        }
    }
}

static void reveal(struct moot_emulator_connection *c)
{
    if (c->visible == 0 && unsent(c) && c->visible_ns <= c->now_ns)
        c->visible = 1;
}

static void enter(struct moot_emulator_connection *c, uint64_t now_ns)
{
    c->now_ns = now_ns;
    run(c);
    reveal(c);
}

void moot_emulator_connection_tick(struct moot_emulator_connection *c, uint64_t now_ns)
{
    enter(c, now_ns);
}

uint64_t moot_emulator_connection_next_ns(const struct moot_emulator_connection *c)
{
    uint64_t next = MOOT_NEVER_NS;
    if (is_answering(c) && may_emit(c))
        next = c->due_ns;
    if (c->visible == 0 && unsent(c) && c->visible_ns < next)
        next = c->visible_ns;
    return next;
}

size_t moot_emulator_connection_room(const struct moot_emulator_connection *c)
{
    if (c->state.current == MOOT_EMULATOR_ENDED || c->peer_ended)
        return 0;
    return IN_MAX - c->in.len;
}

void moot_emulator_connection_feed(struct moot_emulator_connection *c, struct moot_view bytes,
                                   uint64_t now_ns)
{
    assert(bytes.len <= moot_emulator_connection_room(c));
    if (c->error == MOOT_OK)
        c->error = moot__buf_append_view(&c->in, bytes);
    enter(c, now_ns);
}

void moot_emulator_connection_eof(struct moot_emulator_connection *c, uint64_t now_ns)
{
    c->peer_ended = true;
    enter(c, now_ns);
}

/* Which tokens are out now? */
static void pass_marks(struct moot_emulator_connection *c)
{
    assert(c->mark_count <= MOOT_EMULATOR_MARKS);
    while (c->mark_count && c->marks[c->mark_first].end <= c->consumed) {
        moot__emulator_log_sent(c->emulator, c->marks[c->mark_first].log_entry, c->now_ns);
        c->mark_first = (c->mark_first + 1) % MOOT_EMULATOR_MARKS;
        c->mark_count--;
    }
}

void moot_emulator_connection_consume(struct moot_emulator_connection *c, size_t len,
                                      uint64_t now_ns)
{
    assert(len <= moot_emulator_connection_output(c).len);
    c->now_ns = now_ns;
    c->out_at += len;
    c->consumed += len;
    if (c->out_at == c->out.len) {
        moot__buf_reset(&c->out);
        c->out_at = 0;
    } else if (c->out_at > c->out.len / 2) { /* so that each byte moves at most once or twice */
        moot__buf_consume(&c->out, c->out_at);
        c->out_at = 0;
    }
    if (c->reply.fault == MOOT_EMULATOR_FAULT_SLOW && len && c->visible != SIZE_MAX) {
        uint64_t interval = c->emulator->options.slow_byte_ns;
        c->visible = 0;
        c->visible_ns = moot__ns_add(now_ns, interval ? interval : 10 * MOOT_NS_PER_MS);
    }
    pass_marks(c);
    enter(c, now_ns);
}

enum moot_emulator_verdict
moot_emulator_connection_verdict(const struct moot_emulator_connection *c)
{
    return c->ending;
}

/* ---- birth and death ---- */

static void accept_fault(struct moot_emulator_connection *c)
{
    struct moot_emulator *emulator = c->emulator;
    const struct moot_emulator_rule *rule =
        moot__emulator_rule_for(emulator, MOOT_EMULATOR_STAGE_ACCEPT, emulator->ledger.connections,
                                (struct moot_view){NULL, 0});
    if (!rule)
        return;
    c->reply.fault = rule->fault;
    emulator->ledger.faults[rule->fault]++;
    moot__emulator_cut(c);
}

int moot_emulator_connection_new(struct moot_emulator *emulator, uint64_t now_ns,
                                 struct moot_emulator_connection **out)
{
    static const struct moot_http1_callbacks callbacks = {.on_head = on_head, .on_body = on_body};
    const struct moot_allocator *allocator = emulator->allocator;
    struct moot_emulator_connection *c = moot__calloc(allocator, 1, sizeof *c);
    *out = NULL;
    if (!c)
        return MOOT_ENOMEM;
    c->parser = moot__http1_new(allocator, MOOT_HTTP1_REQUEST, NULL, &callbacks, c);
    if (!c->parser) {
        moot__free(allocator, c);
        return MOOT_ENOMEM;
    }
    c->emulator = emulator;
    c->now_ns = now_ns;
    c->due_ns = MOOT_NEVER_NS;
    c->visible = SIZE_MAX;
    moot__sm_init(&c->state, states, MOOT_EMULATOR_STATES, MOOT_EMULATOR_READING);
    moot__arena_init(&c->arena, allocator, ARENA_MAX);
    moot__buf_init(&c->in, allocator, IN_MAX);
    moot__buf_init(&c->body, allocator, MOOT_LIMIT_HTTP_SERVER_BODY_BYTES);
    moot__buf_init(&c->text, allocator, MOOT_LIMIT_REPLY_BYTES);
    moot__buf_init(&c->json, allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
    moot__buf_init(&c->event, allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
    moot__buf_init(&c->out, allocator, OUT_MAX);
    emulator->connections_open++;
    emulator->ledger.connections++;
    accept_fault(c);
    *out = c;
    return MOOT_OK;
}

void moot_emulator_connection_free(struct moot_emulator_connection *c)
{
    if (!c)
        return;
    struct moot_emulator *emulator = c->emulator;
    assert(emulator->connections_open > 0);
    if (c->reply.is_open)
        emulator->ledger.abandoned++;
    settle(c, true);
    emulator->connections_open--;
    moot__http1_free(c->parser);
    moot__arena_deinit(&c->arena);
    moot__buf_deinit(&c->in);
    moot__buf_deinit(&c->body);
    moot__buf_deinit(&c->text);
    moot__buf_deinit(&c->json);
    moot__buf_deinit(&c->event);
    moot__buf_deinit(&c->out);
    moot__free(emulator->allocator, c);
}
