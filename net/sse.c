/* Bytes become lines, lines become fields, a blank line dispatches.
 *
 * Cost: every byte is looked at once for LF and once for CR, by memchr, in whatever pieces it
 * arrives; a line that is complete within one feed is never copied, and an event of one data line
 * within one feed is handed out in place. This is the hot path of every streamed token.
 *
 * Invariants: between feeds no view points into fed bytes (feed ends by keeping what is pending);
 * `line` holds a line's beginning without any terminator; an error is sticky. */
#include "sse.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"

static const char bom[3] = {'\xEF', '\xBB', '\xBF'};

#define BOM_DONE (sizeof bom + 1)

struct feed {
    struct moot_sse_parser *parser;
    moot_sse_event_fn *on_event;
    void *context;
    struct moot_view bytes;
    size_t at;      /* the first byte of the current line */
    size_t next_lf; /* the first LF at or after `at`, or bytes.len; found once, used by many CRs */
};

/* --- fields --- */

static void field_clear(struct moot_sse_field *field)
{
    field->view = moot__view(NULL, 0);
    field->is_set = field->is_borrowed = false;
    moot__buf_reset(&field->copy);
}

static void field_borrow(struct moot_sse_field *field, struct moot_view value)
{
    field->view = value;
    field->is_set = field->is_borrowed = true;
}

/* Make the value the field's own, so that it outlives the fed bytes. */
static int field_keep(struct moot_sse_field *field)
{
    if (!field->is_borrowed)
        return MOOT_OK;
    moot__buf_reset(&field->copy);
    int rc = moot__buf_append_view(&field->copy, field->view);
    if (rc)
        return rc;
    field->view = moot__buf_view(&field->copy);
    field->is_borrowed = false;
    return MOOT_OK;
}

static int field_append_line(struct moot_sse_field *field, struct moot_view value)
{
    assert(field->is_set);
    int rc = field_keep(field);
    if (!rc)
        rc = moot__buf_append_byte(&field->copy, '\n');
    if (!rc)
        rc = moot__buf_append_view(&field->copy, value);
    field->view = moot__buf_view(&field->copy);
    return rc;
}

/* --- lines --- */

static int emit(struct feed *feed, enum moot_sse_kind kind, struct moot_view data)
{
    const struct moot_sse_parser *parser = feed->parser;
    struct moot_sse_event event = {kind, parser->name.view, data, parser->id.view};
    if (kind == MOOT_SSE_STRAY)
        event.name = moot__view(NULL, 0);
    return feed->on_event(feed->context, &event);
}

/* The standard drops events without data; the official SDKs hand out those that were named. */
static int dispatch(struct feed *feed)
{
    struct moot_sse_parser *parser = feed->parser;
    int rc = MOOT_OK;
    if (parser->data.is_set || parser->name.view.len)
        rc = emit(feed, MOOT_SSE_EVENT, parser->data.view);
    field_clear(&parser->data);
    field_clear(&parser->name);
    return rc;
}

static int on_data(struct feed *feed, struct moot_view value)
{
    struct moot_sse_field *data = &feed->parser->data;
    if (data->is_set)
        return field_append_line(data, value);
    field_borrow(data, value);
    return MOOT_OK;
}

static int on_name(struct feed *feed, struct moot_view value)
{
    field_borrow(&feed->parser->name, value);
    return MOOT_OK;
}

static int on_id(struct feed *feed, struct moot_view value)
{
    if (moot__view_find(value, '\0', 0) == value.len)
        field_borrow(&feed->parser->id, value);
    return MOOT_OK;
}

static int on_retry(struct feed *feed, struct moot_view value)
{
    uint64_t retry_ms;
    if (moot__view_to_u64(value, &retry_ms))
        feed->parser->retry_ms = retry_ms;
    return MOOT_OK;
}

static int on_stray(struct feed *feed, struct moot_view value)
{
    return emit(feed, MOOT_SSE_STRAY, value);
}

static const struct {
    struct moot_view name;
    int (*handle)(struct feed *feed, struct moot_view value);
} fields[] = {
    {{"data", 4}, on_data},   {{"event", 5}, on_name},  {{"id", 2}, on_id},
    {{"retry", 5}, on_retry}, {{"error", 5}, on_stray},
};

static int take_line(struct feed *feed, struct moot_view line)
{
    if (line.len == 0)
        return dispatch(feed);
    if (line.ptr[0] == ':')
        return MOOT_OK;
    if (line.ptr[0] == '{')
        return on_stray(feed, line);
    for (size_t i = 0; i < moot__countof(fields); i++) {
        struct moot_view name = fields[i].name;
        if (line.len < name.len || memcmp(line.ptr, name.ptr, name.len) != 0)
            continue;
        if (line.len == name.len)
            return fields[i].handle(feed, moot__view(line.ptr + line.len, 0));
        if (line.ptr[name.len] != ':')
            continue;
        size_t value = name.len + 1;
        if (value < line.len && line.ptr[value] == ' ')
            value++;
        return fields[i].handle(feed, moot__view(line.ptr + value, line.len - value));
    }
    return MOOT_OK;
}

/* What `line` holds was borrowed by a field and is about to be overwritten. */
static int keep_fields(struct moot_sse_parser *parser)
{
    int rc = field_keep(&parser->data);
    if (!rc)
        rc = field_keep(&parser->name);
    if (!rc)
        rc = field_keep(&parser->id);
    return rc;
}

/* The end of a line was found: `tail` is what this feed holds of it. */
static int end_line(struct feed *feed, struct moot_view tail)
{
    struct moot_sse_parser *parser = feed->parser;
    if (parser->line.len == 0)
        return tail.len > MOOT_LIMIT_SSE_LINE_BYTES ? MOOT_ELIMIT : take_line(feed, tail);
    int rc = moot__buf_append_view(&parser->line, tail);
    if (!rc)
        rc = take_line(feed, moot__buf_view(&parser->line));
    if (!rc)
        rc = keep_fields(parser);
    moot__buf_reset(&parser->line);
    return rc;
}

/* --- bytes --- */

/* Drop one byte order mark at the very start, also if it comes in pieces. */
static int skip_bom(struct feed *feed)
{
    struct moot_sse_parser *parser = feed->parser;
    while (parser->bom_matched < sizeof bom && feed->at < feed->bytes.len) {
        if (feed->bytes.ptr[feed->at] != bom[parser->bom_matched]) {
            size_t matched = parser->bom_matched;
            parser->bom_matched = BOM_DONE;
            return moot__buf_append(&parser->line, bom, matched);
        }
        parser->bom_matched++;
        feed->at++;
    }
    return MOOT_OK;
}

/* The index of the CR or LF that ends the current line, or bytes.len. */
static size_t find_line_end(struct feed *feed)
{
    struct moot_view bytes = feed->bytes;
    if (feed->next_lf < feed->at)
        feed->next_lf = moot__view_find(bytes, '\n', feed->at);
    struct moot_view before_lf = {bytes.ptr, feed->next_lf};
    return moot__view_find(before_lf, '\r', feed->at);
}

static int feed_lines(struct feed *feed)
{
    struct moot_sse_parser *parser = feed->parser;
    struct moot_view bytes = feed->bytes;
    while (feed->at < bytes.len) {
        if (parser->swallow_lf) {
            parser->swallow_lf = false;
            if (bytes.ptr[feed->at] == '\n') {
                feed->at++;
                continue;
            }
        }
        size_t end = find_line_end(feed);
        struct moot_view piece = {bytes.ptr + feed->at, end - feed->at};
        if (end == bytes.len) {
            feed->at = end;
            return moot__buf_append_view(&parser->line, piece);
        }
        parser->swallow_lf = bytes.ptr[end] == '\r';
        feed->at = end + 1;
        int rc = end_line(feed, piece);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

void moot__sse_init(struct moot_sse_parser *parser, const struct moot_allocator *allocator)
{
    *parser = (struct moot_sse_parser){0};
    moot__buf_init(&parser->line, allocator, MOOT_LIMIT_SSE_LINE_BYTES);
    moot__buf_init(&parser->name.copy, allocator, MOOT_LIMIT_SSE_LINE_BYTES);
    moot__buf_init(&parser->data.copy, allocator, MOOT_LIMIT_SSE_EVENT_BYTES);
    moot__buf_init(&parser->id.copy, allocator, MOOT_LIMIT_SSE_LINE_BYTES);
}

void moot__sse_deinit(struct moot_sse_parser *parser)
{
    moot__buf_deinit(&parser->line);
    moot__buf_deinit(&parser->name.copy);
    moot__buf_deinit(&parser->data.copy);
    moot__buf_deinit(&parser->id.copy);
}

int moot__sse_feed(struct moot_sse_parser *parser, struct moot_view bytes,
                   moot_sse_event_fn *on_event, void *context)
{
    assert(on_event);
    if (parser->error || bytes.len == 0)
        return parser->error;
    struct feed feed = {parser, on_event, context, bytes, 0, 0};
    int rc = skip_bom(&feed);
    feed.next_lf = moot__view_find(bytes, '\n', feed.at);
    if (!rc)
        rc = feed_lines(&feed);
    if (!rc)
        rc = keep_fields(parser);
    parser->error = rc;
    return rc;
}

static int store_event(void *context, const struct moot_sse_event *event)
{
    *(struct moot_sse_event *)context = *event;
    return 1;
}

int moot__sse_finish(struct moot_sse_parser *parser, struct moot_sse_event *pending)
{
    if (parser->error)
        return parser->error;
    *pending = (struct moot_sse_event){.kind = MOOT_SSE_EVENT};
    if (parser->line.len) {
        struct feed feed = {.parser = parser, .on_event = store_event, .context = pending};
        int rc = take_line(&feed, moot__buf_view(&parser->line));
        if (rc)
            return rc; /* 1 if the line was a stray one, which then is what is pending */
    }
    pending->name = parser->name.view;
    pending->data = parser->data.view;
    pending->id = parser->id.view;
    return parser->data.is_set || parser->name.view.len ? 1 : 0;
}

/* --- writing --- */

/* Cut the first line off *rest, with its terminator; false once nothing is left. */
static bool cut_line(struct moot_view *rest, struct moot_view *line)
{
    if (!rest->ptr)
        return false;
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != '\n' && rest->ptr[end] != '\r')
        end++;
    *line = moot__view(rest->ptr, end);
    if (end == rest->len) {
        *rest = moot__view(NULL, 0);
        return true;
    }
    size_t next = end + 1;
    if (rest->ptr[end] == '\r' && next < rest->len && rest->ptr[next] == '\n')
        next++;
    *rest = moot__view(rest->ptr + next, rest->len - next);
    return true;
}

static int write_lines(struct moot_buf *buf, const char *field, struct moot_view text)
{
    struct moot_view rest = text.ptr ? text : MOOT_VIEW(""), line;
    int rc = MOOT_OK;
    while (!rc && cut_line(&rest, &line)) {
        rc = moot__buf_append_str(buf, field);
        if (!rc)
            rc = moot__buf_append_view(buf, line);
        if (!rc)
            rc = moot__buf_append_byte(buf, '\n');
    }
    return rc;
}

static bool is_one_line(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r' || text.ptr[i] == '\0')
            return false;
    return true;
}

int moot__sse_write_event(struct moot_buf *buf, struct moot_view name, struct moot_view data)
{
    size_t before = buf->len;
    int rc = MOOT_OK;
    if (!is_one_line(name))
        return MOOT_EINVAL;
    if (name.len)
        rc = write_lines(buf, "event: ", name);
    if (!rc)
        rc = write_lines(buf, "data: ", data);
    if (!rc)
        rc = moot__buf_append_byte(buf, '\n');
    if (rc)
        moot__buf_truncate(buf, before);
    return rc;
}

int moot__sse_write_comment(struct moot_buf *buf, struct moot_view text)
{
    size_t before = buf->len;
    int rc = write_lines(buf, ": ", text);
    if (!rc)
        rc = moot__buf_append_byte(buf, '\n');
    if (rc)
        moot__buf_truncate(buf, before);
    return rc;
}
