#include "frame.h"

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/eventstream.h"
#include "shape.h"

static void append(struct moot_emulator_connection *c, const char *text)
{
    if (c->error == MOOT_OK)
        c->error = moot__buf_append_str(&c->event, text);
}

/* ---- server-sent events ---- */

/* "FIELD: data" and the blank line, after what the fault puts before it. */
static void append_lines(struct moot_emulator_connection *c, const char *name, const char *field,
                         struct moot_view data)
{
    enum moot_emulator_fault fault = c->reply.fault;
    const char *end = fault == MOOT_EMULATOR_FAULT_CRLF ? "\r\n"
                      : fault == MOOT_EMULATOR_FAULT_CR ? "\r"
                                                        : "\n";
    if (fault == MOOT_EMULATOR_FAULT_BOM && !c->reply.wrote_event)
        append(c, "\xEF\xBB\xBF");
    if (fault == MOOT_EMULATOR_FAULT_COMMENTS)
        append(c, ": ping\n");
    if (fault == MOOT_EMULATOR_FAULT_EMPTY_DATA)
        append(c, "data:\n\n");
    if (name) {
        append(c, "event: ");
        append(c, name);
        append(c, end);
    }
    append(c, field);
    if (c->error == MOOT_OK)
        c->error = moot__buf_append_view(&c->event, data);
    append(c, end);
    append(c, end);
    c->reply.wrote_event = true;
}

void moot__emulator_frame_field(struct moot_emulator_connection *c, const char *field,
                                struct moot_view data)
{
    append_lines(c, NULL, field, data);
}

/* ---- AWS frames ---- */

static void append_message(struct moot_emulator_connection *c, const char *kind, const char *name,
                           struct moot_view payload)
{
    bool is_event = strcmp(kind, "event") == 0;
    const struct moot_eventstream_header headers[] = {
        {is_event ? MOOT_VIEW(":event-type") : MOOT_VIEW(":exception-type"), moot__view_str(name)},
        {MOOT_VIEW(":content-type"), MOOT_VIEW("application/json")},
        {MOOT_VIEW(":message-type"), moot__view_str(kind)},
    };
    if (c->error == MOOT_OK)
        c->error = moot__eventstream_write(&c->event, headers, moot__countof(headers), payload);
}

/* {"bytes": the event in base64}, as an invoked model's stream is carried. */
static void append_chunk(struct moot_emulator_connection *c, struct moot_view data)
{
    struct moot_buf text, payload;
    struct moot_json_writer w;
    moot__buf_init(&text, c->emulator->allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
    moot__buf_init(&payload, c->emulator->allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
    if (c->error == MOOT_OK)
        c->error = moot__base64_encode(&text, data);
    moot__json_write_init(&w, &payload);
    moot__json_write_object_begin(&w);
    moot__json_write_member_string(&w, "bytes", moot__buf_view(&text));
    moot__emulator_write_padding(&w, c);
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (c->error == MOOT_OK)
        c->error = rc;
    append_message(c, "event", "chunk", moot__buf_view(&payload));
    moot__buf_deinit(&text);
    moot__buf_deinit(&payload);
}

/* ---- either ---- */

void moot__emulator_frame(struct moot_emulator_connection *c, const char *name,
                          struct moot_view data)
{
    switch (moot__emulator_shape_of(c)->framing) {
    case MOOT_EMULATOR_LINES:
        append_lines(c, name, "data: ", data);
        break;
    case MOOT_EMULATOR_FRAMES:
        append_message(c, "event", name, data);
        break;
    case MOOT_EMULATOR_FRAMED_CHUNKS:
        append_chunk(c, data);
        break;
    }
}

void moot__emulator_frame_broken(struct moot_emulator_connection *c, const char *name,
                                 struct moot_view data)
{
    if (moot__emulator_shape_of(c)->framing == MOOT_EMULATOR_LINES)
        append_lines(c, name, "data: ", data);
    else
        append_message(c, "exception", name, data);
}
