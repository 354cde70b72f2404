/* A span as one line of JSON: the fixed fields, then whatever the catalogue says of each attribute
 * that is set. Nothing here knows a single attribute but the status text.
 *
 * There are seven of these lines in a conversation, so all that is the same in each is put together
 * by the preprocessor: a line is pieces of text, copied, and values between them. Room is made
 * once, for the longest that the line may be; no step after that can fail. A member ends in its
 * comma, and the last one's is taken back where its object ends. */
#include "encode_jsonl.h"

#include "engine/base/clock.h"
#include "engine/base/json_text.h"

/* Text of the line's frame: literals, so that lengths are constants. */
struct piece {
    const char *text;
    size_t len;
};
#define PIECE(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* From the ids to the first time. */
static const struct piece names[MOOT_SPAN_NAMES] = {
#define X(id, name, operation, type, kind)                                                         \
    [MOOT_SPAN_##id] =                                                                             \
        PIECE("\",\"name\":\"" name "\",\"kind\":\"" kind "\",\"start_time_unix_nano\":\""),
    MOOT_SPAN_NAME_MAP(X)
#undef X
};

/* Of a span without an operation it is empty. */
static const struct piece operations[MOOT_SPAN_NAMES] = {
#define X(id, name, operation, type, kind)                                                         \
    [MOOT_SPAN_##id] = {                                                                           \
        "\"gen_ai.operation.name\":\"" operation "\",",                                            \
        sizeof(operation) == 1 ? 0 : sizeof("\"gen_ai.operation.name\":\"" operation "\",") - 1},
    MOOT_SPAN_NAME_MAP(X)
#undef X
};

/* The keys are copied with their padding: a constant size is a few moves, a length would be a call.
 */
struct key {
    char text[48];
    size_t len;
};

static const struct key keys[MOOT_ATTRS] = {
#define X(id, name, type, privacy, meaning)                                                        \
    [MOOT_ATTR_##id] = {"\"" name "\":", sizeof("\"" name "\":") - 1},
    MOOT_ATTR_MAP(X)
#undef X
};
#define X(id, name, type, privacy, meaning)                                                        \
    static_assert(sizeof("\"" name "\":") <= sizeof(((struct key *)0)->text), "a key fits");
MOOT_ATTR_MAP(X)
#undef X

static const struct piece statuses[] = {
    [MOOT_SPAN_OK] = PIECE("\",\"status\":{\"code\":\"OK\","),
    [MOOT_SPAN_ERROR] = PIECE("\",\"status\":{\"code\":\"ERROR\","),
};

/* What every attribute at once takes, the bytes of texts left out: a value's frame is at most that
 * of a text in a list, with its comma. */
enum { FRAME_BYTES_MAX = MOOT_JSON_DOUBLE_BYTES_MAX + MOOT_JSON_STRING_BYTES_MAX(0) + 3 };
#define X(id, name, type, privacy, meaning) +sizeof("\"" name "\":") + FRAME_BYTES_MAX
enum { ATTRIBUTES_BYTES_MAX = 0 MOOT_ATTR_MAP(X), FIXED_BYTES_MAX = ATTRIBUTES_BYTES_MAX + 512 };
#undef X
static_assert(6 * (size_t)MOOT_LIMIT_SPAN_BYTES + FIXED_BYTES_MAX <= MOOT_JSONL_LINE_BYTES,
              "a line is as long as the header says");

static char *put(char *to, struct piece piece)
{
    memcpy(to, piece.text, piece.len);
    return to + piece.len;
}

static char *put_key(char *to, const struct key *key)
{
    memcpy(to, key->text, sizeof key->text);
    return to + key->len;
}

#define PUT(to, literal) put(to, (struct piece)PIECE(literal))

/* No table and no branch, so that compilers make vectors of it. */
static void write_hex(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t high = bytes[i] >> 4, low = bytes[i] & 15;
        out[2 * i] = (char)(high + (high < 10 ? '0' : 'a' - 10));
        out[2 * i + 1] = (char)(low + (low < 10 ? '0' : 'a' - 10));
    }
}

/* The digits of one of the ids, out of those of all. */
#define PUT_ID(to, digits, id)                                                                     \
    put(to, (struct piece){(digits) + 2 * offsetof(struct moot_span_ids, id),                      \
                           2 * sizeof(((struct moot_span_ids *)0)->id)})

static char *put_ids(char *to, const struct moot_span_ids *ids)
{
    uint8_t bytes[sizeof *ids];
    char digits[2 * sizeof bytes];
    memcpy(bytes, ids, sizeof bytes);
    write_hex(bytes, sizeof bytes, digits);
    to = PUT(to, "{\"trace_id\":\"");
    to = PUT_ID(to, digits, trace_id);
    to = PUT(to, "\",\"span_id\":\"");
    to = PUT_ID(to, digits, span_id);
    if (moot__span_is_root(ids))
        return to;
    to = PUT(to, "\",\"parent_span_id\":\"");
    return PUT_ID(to, digits, parent_id);
}

/* Over the comma of the last member, if there is one. */
static char *put_end(char *to)
{
    if (to[-1] == ',')
        to--;
    *to++ = '}';
    return to;
}

static char *put_status(char *to, const struct moot_span *span)
{
    to = put(to, statuses[span->status]);
    if (moot__span_has(span, MOOT_ATTR_STATUS_MESSAGE)) {
        to = PUT(to, "\"message\":");
        to = moot__json_put_string(to, span->values[MOOT_ATTR_STATUS_MESSAGE].text);
    }
    return put_end(to);
}

static char *put_value(char *to, enum moot_attr_type type, const union moot_attr_value *value)
{
    switch (type) {
    case MOOT_ATTR_TYPE_U64:
        return moot__json_put_u64(to, value->u64);
    case MOOT_ATTR_TYPE_SECONDS:
        return moot__json_put_double(to, (double)value->u64 / (double)MOOT_NS_PER_S);
    case MOOT_ATTR_TYPE_F64:
        return moot__json_put_double(to, value->f64);
    case MOOT_ATTR_TYPE_BOOL:
        return value->u64 ? PUT(to, "true") : PUT(to, "false");
    case MOOT_ATTR_TYPE_STR:
        return moot__json_put_string(to, value->text);
    case MOOT_ATTR_TYPE_LIST:
        *to++ = '[';
        to = moot__json_put_string(to, value->text);
        *to++ = ']';
        return to;
    }
    moot__unreachable();
    return to;
}

static char *put_attributes(char *to, const struct moot_span *span)
{
    to = put(to, operations[span->name]);
    uint64_t set = span->set & ~MOOT_ATTR_BIT(MOOT_ATTR_STATUS_MESSAGE);
    for (; set; set &= set - 1) {
        unsigned attr = moot__attr_first(set);
        to = put_key(to, &keys[attr]);
        to = put_value(to, moot__attr_infos[attr].type, &span->values[attr]);
        *to++ = ',';
    }
    return put_end(to);
}

static char *put_line(char *to, const struct moot_span *span)
{
    to = put_ids(to, &span->ids);
    to = put(to, names[span->name]);
    to = moot__json_put_u64(to, span->start_wall_ns);
    to = PUT(to, "\",\"end_time_unix_nano\":\"");
    to = moot__json_put_u64(to, span->end_wall_ns);
    to = put_status(to, span);
    to = PUT(to, ",\"attributes\":{");
    to = put_attributes(to, span);
    return PUT(to, "}\n");
}

static size_t line_bytes_max(const struct moot_span *span)
{
    size_t text_bytes = 0;
    for (uint64_t set = span->set & moot__attrs_text; set; set &= set - 1)
        text_bytes += span->values[moot__attr_first(set)].text.len;
    return FIXED_BYTES_MAX + 6 * text_bytes;
}

static int append_line(const struct moot_span *span, size_t bytes_max, struct moot_buf *out)
{
    int rc = moot__buf_reserve(out, bytes_max);
    if (rc != MOOT_OK)
        return rc;
    char *end = put_line(out->data + out->len, span);
    assert((size_t)(end - out->data) - out->len <= bytes_max);
    out->len = (size_t)(end - out->data);
    return MOOT_OK;
}

int moot__encode_jsonl(const struct moot_span *span, struct moot_buf *out)
{
    size_t bytes_max = line_bytes_max(span);
    if (bytes_max <= out->max - out->len)
        return append_line(span, bytes_max, out);
    /* Perhaps the line itself is short enough for what is left below the ceiling. */
    struct moot_buf line;
    moot__buf_init(&line, out->allocator, bytes_max);
    int rc = append_line(span, bytes_max, &line);
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(out, moot__buf_view(&line));
    moot__buf_deinit(&line);
    return rc;
}
