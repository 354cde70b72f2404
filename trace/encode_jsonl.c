/* A span as one line of JSON: the fixed fields, then whatever the catalogue says of each attribute
 * that is set. Nothing here knows a single attribute but the status text. */
#include "encode_jsonl.h"

#include "engine/base/clock.h"
#include "engine/base/json_write.h"

static void member_hex(struct moot_json_writer *w, const char *key, const uint8_t *bytes,
                       size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * sizeof((struct moot_span_ids *)0)->trace_id];
    assert(2 * count <= sizeof text);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    moot__json_write_member_string(w, key, moot__view(text, 2 * count));
}

static void member_decimal(struct moot_json_writer *w, const char *key, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;
    do
        text[--at] = (char)('0' + value % 10);
    while (value /= 10);
    moot__json_write_member_string(w, key, moot__view(text + at, sizeof text - at));
}

static void member_status(struct moot_json_writer *w, const struct moot_span *span)
{
    moot__json_write_member_object_begin(w, "status");
    moot__json_write_member_str(w, "code", span->status == MOOT_SPAN_OK ? "OK" : "ERROR");
    if (moot__span_has(span, MOOT_ATTR_STATUS_MESSAGE))
        moot__json_write_member_string(w, "message", span->values[MOOT_ATTR_STATUS_MESSAGE].text);
    moot__json_write_object_end(w);
}

static void member_attribute(struct moot_json_writer *w, const struct moot_attr_info *info,
                             const union moot_attr_value *value)
{
    switch (info->type) {
    case MOOT_ATTR_TYPE_U64:
        moot__json_write_member_u64(w, info->name, value->u64);
        break;
    case MOOT_ATTR_TYPE_SECONDS:
        moot__json_write_member_double(w, info->name, (double)value->u64 / (double)MOOT_NS_PER_S);
        break;
    case MOOT_ATTR_TYPE_F64:
        moot__json_write_member_double(w, info->name, value->f64);
        break;
    case MOOT_ATTR_TYPE_BOOL:
        moot__json_write_member_bool(w, info->name, value->u64 != 0);
        break;
    case MOOT_ATTR_TYPE_STR:
        moot__json_write_member_string(w, info->name, value->text);
        break;
    case MOOT_ATTR_TYPE_LIST:
        moot__json_write_member_array_begin(w, info->name);
        moot__json_write_string(w, value->text);
        moot__json_write_array_end(w);
        break;
    }
}

static void member_attributes(struct moot_json_writer *w, const struct moot_span *span)
{
    const char *operation = moot__span_name_infos[span->name].operation;
    moot__json_write_member_object_begin(w, "attributes");
    if (operation[0])
        moot__json_write_member_str(w, "gen_ai.operation.name", operation);
    for (unsigned attr = 0; attr < MOOT_ATTRS; attr++)
        if (span->set & MOOT_ATTR_BIT(attr) && attr != MOOT_ATTR_STATUS_MESSAGE)
            member_attribute(w, &moot__attr_infos[attr], &span->values[attr]);
    moot__json_write_object_end(w);
}

int moot__encode_jsonl(const struct moot_span *span, struct moot_buf *out)
{
    struct moot_json_writer w;
    size_t before = out->len;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    member_hex(&w, "trace_id", span->ids.trace_id, sizeof span->ids.trace_id);
    member_hex(&w, "span_id", span->ids.span_id, sizeof span->ids.span_id);
    if (!moot__span_is_root(&span->ids))
        member_hex(&w, "parent_span_id", span->ids.parent_id, sizeof span->ids.parent_id);
    moot__json_write_member_str(&w, "name", moot__span_name_infos[span->name].name);
    moot__json_write_member_str(&w, "kind", moot__span_name_infos[span->name].kind);
    member_decimal(&w, "start_time_unix_nano", span->start_wall_ns);
    member_decimal(&w, "end_time_unix_nano", span->end_wall_ns);
    member_status(&w, span);
    member_attributes(&w, span);
    moot__json_write_object_end(&w);
    int error = moot__json_write_finish(&w);
    if (error == MOOT_OK)
        error = moot__buf_append_byte(out, '\n');
    if (error != MOOT_OK)
        moot__buf_truncate(out, before);
    return error;
}
