/* An event stream, one step at a time. Each step is one event in one chunk; the head, the role and
 * the first token are due together, and so are the last token and what follows it. */
#include "answer.h"
#include "connection.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "frame.h"
#include "head.h"
#include "shape.h"

/* ---- the schedule ---- */

static void plan_token(struct moot_emulator_connection *c)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    struct moot_emulator_reply *reply = &c->reply;
    uint64_t span =
        reply->tokens_sent && options->inter_token_ns > MOOT_NEVER_NS / reply->tokens_sent
            ? MOOT_NEVER_NS
            : reply->tokens_sent * options->inter_token_ns;
    uint64_t jitter = options->jitter_ns ? moot__rng_below(&reply->jitter, options->jitter_ns) : 0;
    uint64_t due = moot__ns_add(moot__ns_add(reply->start_ns, options->first_token_ns), span);
    due = moot__ns_add(due, jitter);
    if (reply->tokens_sent == 0 || due > c->due_ns) /* never before the token in front of it */
        c->due_ns = due;
}

/* The token at which a fault inside the stream happens. */
static uint64_t pivot(const struct moot_emulator_connection *c)
{
    const struct moot_emulator_rule *rule = c->reply.rule;
    assert(rule);
    uint64_t at = rule->has_after ? rule->after : c->reply.tokens / 2;
    return at < c->reply.tokens ? at : c->reply.tokens;
}

void moot__emulator_stream_begin(struct moot_emulator_connection *c)
{
    plan_token(c);
}

/* ---- events ---- */

/* Write what is in `event` as one chunk. */
static void flush_event(struct moot_emulator_connection *c)
{
    if (c->error == MOOT_OK && c->event.len)
        moot__emulator_put_chunk(c, moot__buf_view(&c->event));
    moot__buf_reset(&c->event);
}

static void put_field(struct moot_emulator_connection *c, const char *field, struct moot_view data)
{
    moot__emulator_frame_field(c, field, data);
    flush_event(c);
}

static void put_event(struct moot_emulator_connection *c, const char *name, struct moot_view data)
{
    moot__emulator_frame(c, name, data);
    flush_event(c);
}

static void put_broken(struct moot_emulator_connection *c, const char *name, struct moot_view data)
{
    moot__emulator_frame_broken(c, name, data);
    flush_event(c);
}

static void make_event(struct moot_emulator_connection *c, const struct moot_emulator_event *event,
                       struct moot_view text)
{
    moot__buf_reset(&c->json);
    if (c->error == MOOT_OK)
        c->error = moot__emulator_shape_event(c, event, text, &c->json);
}

static void put_events(struct moot_emulator_connection *c, const struct moot_emulator_event *events)
{
    for (size_t i = 0; i < MOOT_EMULATOR_EVENTS_MAX && events[i].write; i++) {
        if (events[i].is_due && !events[i].is_due(c))
            continue;
        make_event(c, &events[i], MOOT_VIEW(""));
        put_event(c, events[i].name, moot__buf_view(&c->json));
    }
}

static void put_last(struct moot_emulator_connection *c)
{
    const struct moot_emulator_shape *shape = moot__emulator_shape_of(c);
    put_events(c, shape->last);
    if (shape->mark)
        put_event(c, NULL, moot__view_str(shape->mark));
}

/* ---- errors in the middle ---- */

static void put_error(struct moot_emulator_connection *c)
{
    const struct moot_emulator_shape *shape = moot__emulator_shape_of(c);
    enum moot_emulator_fault fault = c->reply.fault;
    if (fault == MOOT_EMULATOR_FAULT_ERROR_FINISH && shape->error_finish[0].write) {
        put_events(c, shape->error_finish);
        return;
    }
    struct moot_emulator_failure failure =
        moot__emulator_failure(shape->broken_status, MOOT_EMULATOR_FAULT_NONE);
    moot__buf_reset(&c->json);
    bool is_object = shape->is_openai && (fault == MOOT_EMULATOR_FAULT_ERROR_EVENT ||
                                          fault == MOOT_EMULATOR_FAULT_ERROR_OBJECT);
    if (c->error == MOOT_OK)
        c->error = is_object ? moot__emulator_shape_error_object(&failure, &c->json)
                             : moot__emulator_shape_broken(c, &failure, &c->json);
    struct moot_view json = moot__buf_view(&c->json);
    if (!shape->is_openai)
        put_broken(c, shape->broken_event, json);
    else if (fault == MOOT_EMULATOR_FAULT_ERROR_EVENT)
        put_event(c, "error", json);
    else if (fault == MOOT_EMULATOR_FAULT_ERROR_FIELD)
        put_field(c, "error: ", json);
    else if (fault == MOOT_EMULATOR_FAULT_ERROR_BARE)
        put_field(c, "", json);
    else
        put_event(c, shape->broken_event, json);
}

/* Does the stream end in an error at the pivot? */
static bool is_error(enum moot_emulator_fault fault)
{
    switch (fault) {
    case MOOT_EMULATOR_FAULT_ERROR_CHUNK:
    case MOOT_EMULATOR_FAULT_ERROR_EVENT:
    case MOOT_EMULATOR_FAULT_ERROR_OBJECT:
    case MOOT_EMULATOR_FAULT_ERROR_FIELD:
    case MOOT_EMULATOR_FAULT_ERROR_BARE:
    case MOOT_EMULATOR_FAULT_ERROR_FINISH:
    case MOOT_EMULATOR_FAULT_ERROR_DONE:
        return true;
    default:
        return false;
    }
}

/* ---- steps ---- */

static void step_head(struct moot_emulator_connection *c)
{
    struct moot_emulator_head head = {
        .status = 200,
        .type = moot__emulator_shape_of(c)->stream_type,
        .content_length = c->request.is_chunkable ? MOOT_EMULATOR_CHUNKED : MOOT_EMULATOR_UNTIL_EOF,
    };
    enum moot_emulator_fault fault = c->reply.fault;
    enum moot_emulator_place place = moot__emulator_fault_of(c)->place;
    if (fault == MOOT_EMULATOR_FAULT_HTML || fault == MOOT_EMULATOR_FAULT_EMPTY_BODY) {
        moot__emulator_whole(c); /* no stream at all */
        return;
    }
    if (fault == MOOT_EMULATOR_FAULT_NO_TYPE)
        head.type = NULL;
    if (!c->request.is_chunkable)
        c->request.keep_alive = false;
    moot__emulator_put_head(c, &head, place == MOOT_EMULATOR_AT_IN_HEAD);
    if (place == MOOT_EMULATOR_AT_IN_HEAD || place == MOOT_EMULATOR_AT_HEAD)
        moot__emulator_cut(c);
    else
        c->reply.step = MOOT_EMULATOR_STEP_ROLE;
}

static void step_role(struct moot_emulator_connection *c)
{
    c->reply.step = MOOT_EMULATOR_STEP_TOKEN;
    if (c->reply.fault == MOOT_EMULATOR_FAULT_ERROR_200) {
        put_error(c);
        c->reply.step = MOOT_EMULATOR_STEP_END;
    } else if (c->reply.fault == MOOT_EMULATOR_FAULT_NULL_BODY) {
        put_event(c, moot__emulator_shape_of(c)->token.name, MOOT_VIEW("null"));
        c->reply.step = MOOT_EMULATOR_STEP_DONE;
    } else {
        put_events(c, moot__emulator_shape_of(c)->begin);
    }
}

/* The connection ends inside this token's event: half of the chunk's bytes go out. */
static void cut_in_event(struct moot_emulator_connection *c)
{
    moot__emulator_frame(c, moot__emulator_shape_of(c)->token.name, moot__buf_view(&c->json));
    size_t before = c->out.len;
    flush_event(c);
    if (c->error == MOOT_OK)
        moot__buf_truncate(&c->out, before + (c->out.len - before) / 2);
    moot__emulator_cut(c);
}

/* A chunk whose size is no number; of a stream in frames, a frame whose checksum does not hold. */
static void bad_chunk(struct moot_emulator_connection *c)
{
    const struct moot_emulator_shape *shape = moot__emulator_shape_of(c);
    if (shape->framing != MOOT_EMULATOR_LINES) {
        make_event(c, &shape->token, MOOT_VIEW("?"));
        moot__emulator_frame(c, shape->token.name, moot__buf_view(&c->json));
        if (c->error == MOOT_OK)
            c->event.data[c->event.len - 1] ^= 1;
        flush_event(c);
        moot__emulator_cut(c);
        return;
    }
    moot__emulator_put_str(c, "xyz\r\n");
    moot__emulator_cut(c);
}

/* The emoji's halves; no token, so that texts and counts stay as they are without the fault. */
static void put_surrogates(struct moot_emulator_connection *c)
{
    static const char mark[] = "@@";
    const struct moot_emulator_shape *shape = moot__emulator_shape_of(c);
    const char *halves[] = {"\\ud83d", "\\ude00"};
    for (size_t i = 0; i < moot__countof(halves); i++) {
        make_event(c, &shape->token, MOOT_VIEW("@@"));
        struct moot_view json = moot__buf_view(&c->json);
        size_t at = 0;
        while (at + 2 < json.len && memcmp(json.ptr + at, mark, 2) != 0)
            at++;
        struct moot_buf split;
        moot__buf_init(&split, c->emulator->allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
        if (c->error == MOOT_OK)
            c->error = moot__buf_append(&split, json.ptr, at);
        if (c->error == MOOT_OK)
            c->error = moot__buf_append_str(&split, halves[i]);
        if (c->error == MOOT_OK)
            c->error = moot__buf_append(&split, json.ptr + at + 2, json.len - at - 2);
        put_event(c, shape->token.name, moot__buf_view(&split));
        moot__buf_deinit(&split);
    }
}

/* What the fault does instead of, or before, the token at the pivot; true: instead. */
static bool fault_at_pivot(struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    if (is_error(fault)) {
        put_error(c);
        c->reply.step = fault == MOOT_EMULATOR_FAULT_ERROR_DONE ? MOOT_EMULATOR_STEP_DONE
                                                                : MOOT_EMULATOR_STEP_END;
        return true;
    }
    if (fault == MOOT_EMULATOR_FAULT_BAD_CHUNK) {
        bad_chunk(c);
        return true;
    }
    if (fault == MOOT_EMULATOR_FAULT_SURROGATES)
        put_surrogates(c);
    return false;
}

static void send_token(struct moot_emulator_connection *c)
{
    struct moot_emulator_reply *reply = &c->reply;
    size_t end = moot__emulator_token_end(reply->text, reply->text_at);
    struct moot_view token = moot__view(reply->text.ptr + reply->text_at, end - reply->text_at);
    const struct moot_emulator_event *event = &moot__emulator_shape_of(c)->token;
    bool is_pivot = reply->rule && reply->tokens_sent == pivot(c);
    reply->tokens_sent++; /* the cumulative usage of Databricks counts this one */
    make_event(c, event, token);
    if (is_pivot && moot__emulator_fault_of(c)->place == MOOT_EMULATOR_AT_BODY) {
        reply->tokens_sent--; /* it does not arrive */
        cut_in_event(c);
        return;
    }
    struct moot_view json = moot__buf_view(&c->json);
    if (is_pivot && reply->fault == MOOT_EMULATOR_FAULT_BAD_JSON)
        json.len /= 2;
    put_event(c, event->name, json);
    reply->text_at = end;
    assert(c->mark_count < MOOT_EMULATOR_MARKS);
    unsigned slot = (c->mark_first + c->mark_count++) % MOOT_EMULATOR_MARKS;
    c->marks[slot] = (struct moot_emulator_mark){
        .end = c->consumed + (c->out.len - c->out_at),
        .log_entry = moot__emulator_log_planned(c->emulator, reply->number, reply->tokens_sent - 1,
                                                c->due_ns),
    };
}

static void step_token(struct moot_emulator_connection *c)
{
    struct moot_emulator_reply *reply = &c->reply;
    if (reply->rule && reply->tokens_sent == pivot(c) && fault_at_pivot(c))
        return;
    if (reply->tokens_sent < reply->tokens)
        send_token(c);
    else if (moot__emulator_fault_of(c)->place == MOOT_EMULATOR_AT_BODY)
        moot__emulator_cut(c); /* `after` beyond the last token */
    if (c->state.current != MOOT_EMULATOR_STREAMING)
        return;
    if (reply->tokens_sent < reply->tokens)
        plan_token(c);
    else
        reply->step = MOOT_EMULATOR_STEP_FINISH;
}

static void step_finish(struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    if (fault == MOOT_EMULATOR_FAULT_NO_FINISH) {
        c->reply.step = MOOT_EMULATOR_STEP_END;
        return;
    }
    put_events(c, moot__emulator_shape_of(c)->finish);
    if (fault == MOOT_EMULATOR_FAULT_TWO_FINISHES)
        put_events(c, moot__emulator_shape_of(c)->finish);
    c->reply.step = MOOT_EMULATOR_STEP_USAGE;
}

static void step_usage(struct moot_emulator_connection *c)
{
    put_events(c, moot__emulator_shape_of(c)->usage);
    c->reply.step = MOOT_EMULATOR_STEP_DONE;
}

static void step_done(struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    if (moot__emulator_fault_of(c)->place == MOOT_EMULATOR_AT_END) {
        moot__emulator_cut(c);
        return;
    }
    if (fault != MOOT_EMULATOR_FAULT_NO_DONE)
        put_last(c);
    if (fault == MOOT_EMULATOR_FAULT_TWO_DONES) {
        put_events(c, moot__emulator_shape_of(c)->finish);
        put_last(c);
    }
    c->reply.step = MOOT_EMULATOR_STEP_END;
}

static void step_end(struct moot_emulator_connection *c)
{
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NO_LAST_CHUNK) {
        moot__emulator_cut(c);
        return;
    }
    if (c->request.is_chunkable)
        moot__emulator_put_str(c, "0\r\n\r\n");
    if (c->reply.fault == MOOT_EMULATOR_FAULT_LONG_BODY)
        moot__emulator_put_str(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    moot__emulator_put_unasked(c);
    moot__emulator_complete(c);
}

void moot__emulator_stream_step(struct moot_emulator_connection *c)
{
    assert(c->state.current == MOOT_EMULATOR_STREAMING);
    switch (c->reply.step) {
    case MOOT_EMULATOR_STEP_HEAD:
        step_head(c);
        break;
    case MOOT_EMULATOR_STEP_ROLE:
        step_role(c);
        break;
    case MOOT_EMULATOR_STEP_TOKEN:
        step_token(c);
        break;
    case MOOT_EMULATOR_STEP_FINISH:
        step_finish(c);
        break;
    case MOOT_EMULATOR_STEP_USAGE:
        step_usage(c);
        break;
    case MOOT_EMULATOR_STEP_DONE:
        step_done(c);
        break;
    case MOOT_EMULATOR_STEP_END:
        step_end(c);
        break;
    }
}
