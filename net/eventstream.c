/* Bytes become messages by the length in their prelude; a whole message becomes an event.
 *
 *   u32 total | u32 headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of all before
 *
 * Numbers are big-endian, the CRC is zlib's. A header is u8 length, name, u8 type, value.
 *
 * Invariants: no length is believed before the prelude's CRC, nor any header before the message's;
 * a message that is complete within one feed is never copied; `frame` grows with the bytes that
 * came, never by what a prelude announces; an error is sticky. */
#include "eventstream.h"

#include <stdbool.h>
#include <zlib.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

#define PRELUDE         12            /* both lengths and their CRC */
#define OVERHEAD        (PRELUDE + 4) /* all but headers and payload */
#define NAME_BYTES_MAX  255
#define VALUE_BYTES_MAX INT16_MAX

enum {
    TYPE_BYTES = 6,
    TYPE_TEXT = 7,
};

struct header {
    struct moot_view name;
    unsigned type;
    struct moot_view value; /* its bytes as they lie there, without the length before them */
};

/* --- numbers --- */

static uint32_t read_u32(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static uint32_t crc_of(const char *data, size_t len)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)data, len);
}

/* --- headers --- */

/* Cut the first `len` bytes off *rest; false if there are not so many. */
static bool take_bytes(struct moot_view *rest, size_t len, struct moot_view *bytes)
{
    if (rest->len < len)
        return false;
    *bytes = moot__view(rest->ptr, len);
    *rest = moot__view(rest->ptr + len, rest->len - len);
    return true;
}

static bool take_byte(struct moot_view *rest, unsigned *byte)
{
    struct moot_view one;
    if (!take_bytes(rest, 1, &one))
        return false;
    *byte = (unsigned char)one.ptr[0];
    return true;
}

static bool take_header(struct moot_view *rest, struct header *header)
{
    /* true, false, i8, i16, i32, i64, bytes, text, a time in milliseconds, a UUID */
    static const unsigned char value_bytes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    unsigned len, high, low;
    if (!take_byte(rest, &len) || !take_bytes(rest, len, &header->name) ||
        !take_byte(rest, &header->type) || header->type >= moot__countof(value_bytes))
        return false;
    if (header->type != TYPE_BYTES && header->type != TYPE_TEXT)
        return take_bytes(rest, value_bytes[header->type], &header->value);
    return take_byte(rest, &high) && take_byte(rest, &low) &&
           take_bytes(rest, high << 8 | low, &header->value);
}

static bool is_named_before(const struct header *headers, size_t count, struct moot_view name)
{
    for (size_t i = 0; i < count; i++)
        if (moot__view_eq(headers[i].name, name))
            return true;
    return false;
}

static int read_headers(struct moot_view bytes, struct header *headers, size_t *count)
{
    *count = 0;
    while (bytes.len > 0) {
        struct header header;
        if (!take_header(&bytes, &header) || is_named_before(headers, *count, header.name))
            return MOOT_EPROTO;
        if (*count == MOOT_LIMIT_EVENTSTREAM_HEADERS)
            return MOOT_ELIMIT;
        headers[(*count)++] = header;
    }
    return MOOT_OK;
}

/* The text of a header, or "" if there is none; MOOT_EPROTO if it is no text. */
static int find_text(const struct header *headers, size_t count, const char *name,
                     struct moot_view *text)
{
    *text = MOOT_VIEW("");
    for (size_t i = 0; i < count; i++) {
        if (!moot__view_is(headers[i].name, name))
            continue;
        *text = headers[i].value;
        return headers[i].type == TYPE_TEXT ? MOOT_OK : MOOT_EPROTO;
    }
    return MOOT_OK;
}

/* --- messages --- */

static const struct {
    const char *message_type, *name_header;
    enum moot_eventstream_kind kind;
} kinds[] = {
    {"event", ":event-type", MOOT_EVENTSTREAM_EVENT},
    {"", ":event-type", MOOT_EVENTSTREAM_EVENT},
    {"exception", ":exception-type", MOOT_EVENTSTREAM_EXCEPTION},
    {"error", ":error-code", MOOT_EVENTSTREAM_ERROR},
};

static int read_event(const struct header *headers, size_t count,
                      struct moot_eventstream_event *event)
{
    struct moot_view type;
    int rc = find_text(headers, count, ":message-type", &type);
    if (!rc)
        rc = find_text(headers, count, ":content-type", &event->content_type);
    if (rc)
        return rc;
    for (size_t i = 0; i < moot__countof(kinds); i++) {
        if (!moot__view_is(type, kinds[i].message_type))
            continue;
        event->kind = kinds[i].kind;
        rc = find_text(headers, count, kinds[i].name_header, &event->name);
        if (!rc && event->kind == MOOT_EVENTSTREAM_ERROR)
            rc = find_text(headers, count, ":error-message", &event->payload);
        return rc;
    }
    return MOOT_EPROTO;
}

/* The length of the message that begins with these PRELUDE bytes. */
static int check_prelude(const char *prelude, size_t *total)
{
    uint32_t message_bytes = read_u32(prelude), header_bytes = read_u32(prelude + 4);
    if (crc_of(prelude, 8) != read_u32(prelude + 8))
        return MOOT_EPROTO;
    if (message_bytes < OVERHEAD || header_bytes > message_bytes - OVERHEAD)
        return MOOT_EPROTO;
    if (message_bytes > MOOT_LIMIT_EVENTSTREAM_MESSAGE_BYTES ||
        header_bytes > MOOT_LIMIT_EVENTSTREAM_HEADER_BYTES)
        return MOOT_ELIMIT;
    *total = message_bytes;
    return MOOT_OK;
}

/* A whole message, whose prelude was checked. */
static int take_message(struct moot_view message, moot_eventstream_event_fn *on_event,
                        void *context)
{
    MOOT_UNINITIALIZED struct header headers[MOOT_LIMIT_EVENTSTREAM_HEADERS];
    size_t count, header_bytes = read_u32(message.ptr + 4), before_crc = message.len - 4;
    if (crc_of(message.ptr, before_crc) != read_u32(message.ptr + before_crc))
        return MOOT_EPROTO;
    struct moot_eventstream_event event = {
        .payload = {message.ptr + PRELUDE + header_bytes, message.len - OVERHEAD - header_bytes},
    };
    int rc = read_headers(moot__view(message.ptr + PRELUDE, header_bytes), headers, &count);
    if (!rc)
        rc = read_event(headers, count, &event);
    return rc ? rc : on_event(context, &event);
}

/* --- bytes --- */

/* Go on with the message that earlier feeds began: add to it what it lacks of its prelude or of the
 * rest, of what there is. */
static int fill_frame(struct moot_eventstream_parser *parser, struct moot_view *rest)
{
    size_t lacks = (parser->total ? parser->total : PRELUDE) - parser->frame.len;
    struct moot_view piece = {rest->ptr, lacks < rest->len ? lacks : rest->len};
    int rc = moot__buf_append_view(&parser->frame, piece);
    if (rc)
        return rc;
    *rest = moot__view(rest->ptr + piece.len, rest->len - piece.len);
    return !parser->total && parser->frame.len == PRELUDE
               ? check_prelude(parser->frame.data, &parser->total)
               : MOOT_OK;
}

/* The next message, in place if all of it lies in `rest`, or "" if its end has not come yet. */
static int next_message(struct moot_eventstream_parser *parser, struct moot_view *rest,
                        struct moot_view *message)
{
    *message = MOOT_VIEW("");
    if (parser->frame.len == 0 && rest->len >= PRELUDE) {
        int rc = check_prelude(rest->ptr, &parser->total);
        if (rc || take_bytes(rest, parser->total, message))
            return rc;
    }
    int rc = fill_frame(parser, rest);
    if (!rc && parser->frame.len == parser->total)
        *message = moot__buf_view(&parser->frame);
    return rc;
}

void moot__eventstream_init(struct moot_eventstream_parser *parser,
                            const struct moot_allocator *allocator)
{
    *parser = (struct moot_eventstream_parser){0};
    moot__buf_init(&parser->frame, allocator, MOOT_LIMIT_EVENTSTREAM_MESSAGE_BYTES);
}

void moot__eventstream_deinit(struct moot_eventstream_parser *parser)
{
    moot__buf_deinit(&parser->frame);
}

int moot__eventstream_feed(struct moot_eventstream_parser *parser, struct moot_view bytes,
                           moot_eventstream_event_fn *on_event, void *context)
{
    assert(on_event);
    while (!parser->error && bytes.len > 0) {
        struct moot_view message;
        parser->error = next_message(parser, &bytes, &message);
        if (parser->error || message.len == 0)
            continue;
        parser->total = 0;
        moot__buf_reset(&parser->frame);
        parser->error = take_message(message, on_event, context);
    }
    return parser->error;
}

int moot__eventstream_finish(const struct moot_eventstream_parser *parser)
{
    if (parser->error)
        return parser->error;
    return parser->frame.len > 0 ? 1 : 0;
}

/* --- writing --- */

static int append_number(struct moot_buf *buf, size_t value, unsigned bytes)
{
    int rc = MOOT_OK;
    while (!rc && bytes-- > 0)
        rc = moot__buf_append_byte(buf, (char)(unsigned char)(value >> 8 * bytes & 0xff));
    return rc;
}

/* How long the headers will be. */
static int measure_headers(const struct moot_eventstream_header *headers, size_t count,
                           size_t *bytes)
{
    *bytes = 0;
    if (count > MOOT_LIMIT_EVENTSTREAM_HEADERS)
        return MOOT_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        struct moot_eventstream_header header = headers[i];
        if (header.name.len == 0 || header.name.len > NAME_BYTES_MAX ||
            header.value.len > VALUE_BYTES_MAX)
            return MOOT_EINVAL;
        for (size_t j = 0; j < i; j++)
            if (moot__view_eq(headers[j].name, header.name))
                return MOOT_EINVAL;
        *bytes += 1 + header.name.len + 1 + 2 + header.value.len;
    }
    return *bytes > MOOT_LIMIT_EVENTSTREAM_HEADER_BYTES ? MOOT_ELIMIT : MOOT_OK;
}

static int append_header(struct moot_buf *buf, struct moot_eventstream_header header)
{
    int rc = append_number(buf, header.name.len, 1);
    if (!rc)
        rc = moot__buf_append_view(buf, header.name);
    if (!rc)
        rc = append_number(buf, TYPE_TEXT, 1);
    if (!rc)
        rc = append_number(buf, header.value.len, 2);
    if (!rc)
        rc = moot__buf_append_view(buf, header.value);
    return rc;
}

int moot__eventstream_write(struct moot_buf *buf, const struct moot_eventstream_header *headers,
                            size_t count, struct moot_view payload)
{
    size_t before = buf->len, header_bytes;
    int rc = measure_headers(headers, count, &header_bytes);
    if (!rc && payload.len > MOOT_LIMIT_EVENTSTREAM_MESSAGE_BYTES - OVERHEAD - header_bytes)
        rc = MOOT_ELIMIT;
    if (!rc)
        rc = moot__buf_reserve(buf, OVERHEAD + header_bytes + payload.len);
    if (!rc)
        rc = append_number(buf, OVERHEAD + header_bytes + payload.len, 4);
    if (!rc)
        rc = append_number(buf, header_bytes, 4);
    if (!rc)
        rc = append_number(buf, crc_of(buf->data + before, 8), 4);
    for (size_t i = 0; i < count && !rc; i++)
        rc = append_header(buf, headers[i]);
    if (!rc)
        rc = moot__buf_append_view(buf, payload);
    if (!rc)
        rc = append_number(buf, crc_of(buf->data + before, buf->len - before), 4);
    if (rc)
        moot__buf_truncate(buf, before);
    return rc;
}
