/* Method, path, query, headers, list of headers, hash of the body: a line or a block each.
 *
 * All of it is measured before it is written, so that no copy of a session token stays behind in
 * memory that a growing buffer left; appending then fails no more. */
#include "sigv4_canonical.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/sha256.h"

struct pair {
    struct moot_view name, value;
};

typedef int pair_order_fn(const struct pair *a, const struct pair *b);

/* Equal ones stay in their order. */
static void sort_pairs(struct pair *pairs, size_t count, pair_order_fn *order)
{
    for (size_t i = 1; i < count; i++) {
        struct pair moved = pairs[i];
        size_t at = i;
        for (; at > 0 && order(&pairs[at - 1], &moved) > 0; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = moved;
    }
}

/* --- characters --- */

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned char to_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int hex_digit(char c)
{
    unsigned char lower = to_lower(c);
    if (lower >= '0' && lower <= '9')
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The character at *at, decoded if it is percent-encoded; steps over it. */
static unsigned char next_decoded(struct moot_view text, size_t *at)
{
    char c = text.ptr[(*at)++];
    if (c != '%' || text.len - *at < 2)
        return (unsigned char)c;
    int high = hex_digit(text.ptr[*at]), low = hex_digit(text.ptr[*at + 1]);
    if (high < 0 || low < 0)
        return (unsigned char)c;
    *at += 2;
    return (unsigned char)(high << 4 | low);
}

static int append_encoded(struct moot_buf *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
    return is_unreserved(c) ? moot__buf_append_byte(out, (char)c)
                            : moot__buf_append(out, escape, sizeof escape);
}

/* --- path --- */

static int append_segment(struct moot_buf *out, struct moot_view segment)
{
    int rc = moot__buf_append_byte(out, '/');
    for (size_t i = 0; i < segment.len && !rc; i++)
        rc = append_encoded(out, (unsigned char)segment.ptr[i]);
    return rc;
}

/* A segment itself has no slash any more: it is encoded. */
static void drop_segment(struct moot_buf *out, size_t start)
{
    size_t at = out->len;
    while (at > start && out->data[at - 1] != '/')
        at--;
    moot__buf_truncate(out, at > start ? at - 1 : start);
}

/* Empty segments and "." go, ".." takes the one before it along, a slash at the end stays. */
static int append_path(struct moot_buf *out, struct moot_view path)
{
    size_t start = out->len;
    struct moot_view rest = path, segment;
    int rc = MOOT_OK;
    while (!rc && moot__view_split(&rest, '/', &segment)) {
        if (moot__view_is(segment, ".."))
            drop_segment(out, start);
        else if (segment.len > 0 && !moot__view_is(segment, "."))
            rc = append_segment(out, segment);
    }
    if (!rc && (out->len == start || path.ptr[path.len - 1] == '/'))
        rc = moot__buf_append_byte(out, '/');
    return rc;
}

/* --- query --- */

/* Texts in the order of what they are once encoded: '%' is below every unreserved character. */
static int compare_encoded(struct moot_view a, struct moot_view b)
{
    size_t at_a = 0, at_b = 0;
    while (at_a < a.len && at_b < b.len) {
        unsigned char c = next_decoded(a, &at_a), d = next_decoded(b, &at_b);
        int rank_c = c + (is_unreserved(c) ? 256 : 0), rank_d = d + (is_unreserved(d) ? 256 : 0);
        if (rank_c != rank_d)
            return rank_c - rank_d;
    }
    return (at_a < a.len) - (at_b < b.len);
}

static int compare_parameters(const struct pair *a, const struct pair *b)
{
    int order = compare_encoded(a->name, b->name);
    return order ? order : compare_encoded(a->value, b->value);
}

static int append_decoded(struct moot_buf *out, struct moot_view text)
{
    int rc = MOOT_OK;
    for (size_t at = 0; at < text.len && !rc;)
        rc = append_encoded(out, next_decoded(text, &at));
    return rc;
}

static int append_parameter(struct moot_buf *out, const struct pair *pair)
{
    int rc = append_decoded(out, pair->name);
    if (!rc)
        rc = moot__buf_append_byte(out, '=');
    return rc ? rc : append_decoded(out, pair->value);
}

static int append_query(struct moot_buf *out, struct moot_view query)
{
    MOOT_UNINITIALIZED struct pair pairs[MOOT_LIMIT_SIGV4_ITEMS];
    struct moot_view part;
    size_t count = 0;
    while (moot__view_split(&query, '&', &part)) {
        if (part.len == 0)
            continue;
        if (count == moot__countof(pairs))
            return MOOT_ELIMIT;
        size_t equals = moot__view_find(part, '=', 0), value = equals + (equals < part.len);
        pairs[count].name = moot__view(part.ptr, equals);
        pairs[count++].value = moot__view(part.ptr + value, part.len - value);
    }
    sort_pairs(pairs, count, compare_parameters);
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && !rc; i++) {
        if (i > 0)
            rc = moot__buf_append_byte(out, '&');
        if (!rc)
            rc = append_parameter(out, &pairs[i]);
    }
    return rc;
}

/* --- headers --- */

static int compare_names(const struct pair *a, const struct pair *b)
{
    for (size_t i = 0; i < a->name.len && i < b->name.len; i++) {
        int difference = to_lower(a->name.ptr[i]) - to_lower(b->name.ptr[i]);
        if (difference)
            return difference;
    }
    return (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static int append_name(struct moot_buf *out, struct moot_view name)
{
    int rc = MOOT_OK;
    for (size_t i = 0; i < name.len && !rc; i++)
        rc = moot__buf_append_byte(out, (char)to_lower(name.ptr[i]));
    return rc;
}

/* Without blanks at its ends, and one space for every run of them. */
static int append_value(struct moot_buf *out, struct moot_view value)
{
    int rc = MOOT_OK;
    bool is_after_blank = false, is_first = true;
    for (size_t i = 0; i < value.len && !rc; i++) {
        if (is_blank(value.ptr[i])) {
            is_after_blank = true;
            continue;
        }
        if (is_after_blank && !is_first)
            rc = moot__buf_append_byte(out, ' ');
        if (!rc)
            rc = moot__buf_append_byte(out, value.ptr[i]);
        is_after_blank = is_first = false;
    }
    return rc;
}

/* Values of the same name come in one line, in the order of the request. */
static int append_headers(struct moot_buf *out, const struct pair *pairs, size_t count)
{
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && !rc; i++) {
        bool is_another = i > 0 && compare_names(&pairs[i - 1], &pairs[i]) == 0;
        if (!is_another) {
            rc = append_name(out, pairs[i].name);
            if (!rc)
                rc = moot__buf_append_byte(out, ':');
        } else {
            moot__buf_truncate(out, out->len - 1);
            rc = moot__buf_append_byte(out, ',');
        }
        if (!rc)
            rc = append_value(out, pairs[i].value);
        if (!rc)
            rc = moot__buf_append_byte(out, '\n');
    }
    return rc ? rc : moot__buf_append_byte(out, '\n');
}

static int append_names(struct moot_buf *out, const struct pair *pairs, size_t count,
                        struct moot_view *names)
{
    size_t start = out->len;
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && !rc; i++) {
        if (i > 0 && compare_names(&pairs[i - 1], &pairs[i]) == 0)
            continue;
        if (i > 0)
            rc = moot__buf_append_byte(out, ';');
        if (!rc)
            rc = append_name(out, pairs[i].name);
    }
    *names = moot__view(out->data + start, out->len - start);
    return rc ? rc : moot__buf_append_byte(out, '\n');
}

static int collect_headers(const struct moot_sigv4_request *request, struct pair *pairs)
{
    if (request->header_count > MOOT_LIMIT_SIGV4_ITEMS)
        return MOOT_ELIMIT;
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].name.len == 0)
            return MOOT_EINVAL;
        pairs[i] = (struct pair){request->headers[i].name, request->headers[i].value};
    }
    sort_pairs(pairs, request->header_count, compare_names);
    return MOOT_OK;
}

/* --- the whole --- */

/* Room for all of it, at its longest: every byte of path and query encoded, "=" after every
 * parameter, each name of a header once more in the list. */
static int reserve(const struct moot_sigv4_request *request, struct moot_buf *out)
{
    const size_t max = MOOT_LIMIT_SIGV4_BYTES;
    size_t need = 2 * (MOOT_SHA256_BYTES + 8) + MOOT_LIMIT_SIGV4_ITEMS;
    struct moot_view parts[] = {request->method, request->path, request->query};
    for (size_t i = 0; i < moot__countof(parts); i++) {
        if (parts[i].len > max)
            return MOOT_ELIMIT;
        need += 3 * parts[i].len;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        struct moot_sigv4_header header = request->headers[i];
        if (header.name.len > max || header.value.len > max || need > max)
            return MOOT_ELIMIT;
        need += 2 * header.name.len + header.value.len + 3;
    }
    return need > max ? MOOT_ELIMIT : moot__buf_reserve(out, need);
}

/* End the line, if all of it could be appended. */
static int end_line(struct moot_buf *out, int rc)
{
    return rc ? rc : moot__buf_append_byte(out, '\n');
}

int moot__sigv4_canonical(const struct moot_sigv4_request *request, struct moot_buf *out,
                          struct moot_view *names)
{
    MOOT_UNINITIALIZED struct pair pairs[MOOT_LIMIT_SIGV4_ITEMS];
    struct moot_sha256 body;
    char body_text[2 * MOOT_SHA256_BYTES + 1];
    size_t count = request->header_count;
    assert(out->len == 0);
    if (request->method.len == 0 || request->path.len == 0 || request->path.ptr[0] != '/')
        return MOOT_EINVAL;
    int rc = collect_headers(request, pairs);
    if (!rc)
        rc = reserve(request, out);
    if (!rc)
        rc = moot__sha256(request->body, &body);
    if (rc)
        return rc;
    rc = end_line(out, moot__buf_append_view(out, request->method));
    if (!rc)
        rc = end_line(out, append_path(out, request->path));
    if (!rc)
        rc = end_line(out, append_query(out, request->query));
    if (!rc)
        rc = append_headers(out, pairs, count);
    if (!rc)
        rc = append_names(out, pairs, count, names);
    moot__sha256_text(&body, body_text);
    return rc ? rc : moot__buf_append(out, body_text, sizeof body_text - 1);
}
