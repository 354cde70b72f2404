#include "json_read.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "check.h"
#include "json_reserve.h"
#include "utf8.h"

/* The reader drives yajl over a whole document and builds a tree in an arena.
 *
 * What yajl cannot be trusted with is done here. It checks UTF-8 by halves, takes vertical tab and
 * form feed for space, decodes surrogate escapes wrongly, has no limits, takes the beginning of a
 * string after the document, and writes through a failed allocation. So: the bytes are validated
 * first; the callbacks count depth and keys; what follows the root is looked at; yajl allocates
 * from a reserve that is large enough for any document of that size; and strings with escapes are
 * decoded here, from the raw text, wherever yajl reports one.
 *
 * The text is copied into the arena once, with a space after it, so that a number at the end is a
 * token like any other. Strings and numbers are views into that copy; escapes are decoded in place,
 * as a decoded string is never longer than its escaped form.
 *
 * While a container is open, `next` of its node is its parent and `child` its last child, whose
 * `next` is the first: a ring. Closing it cuts the ring and appends the node to its parent's. */

enum { NODES_PER_SLAB_MIN = 4, NODES_PER_SLAB_MAX = 64, BYTES_PER_NODE = 16 };

struct builder {
    struct moot_arena *arena;
    yajl_handle parser;
    char *base; /* the copy of the text */
    size_t len;
    size_t string_end;          /* just after the last string's closing quote */
    struct moot_json *slab;     /* nodes taken from the arena but not yet used */
    size_t slab_left, slab_len; /* of them, and of every slab */
    struct moot_json *open;     /* the innermost open container, or NULL */
    struct moot_json *root;     /* once it is complete */
    size_t root_end;            /* just after it */
    struct moot_view key;       /* waiting for its value */
    uint32_t depth;
    struct moot_json_read_options options;
    struct moot_json_error error;
};

static int fail(struct builder *b, int code, size_t offset, const char *reason)
{
    b->error = (struct moot_json_error){.code = code, .offset = offset, .reason = reason};
    return 0; /* what tells yajl to stop */
}

static int fail_memory(struct builder *b, size_t wanted)
{
    if (b->arena->max - b->arena->used < wanted)
        return fail(b, MOOT_ELIMIT, 0, "the document's tree is too large");
    return fail(b, MOOT_ENOMEM, 0, "out of memory");
}

/* Strings. */

static uint32_t hex4(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c & ~0x20) - 'A' + 10);
    }
    return value;
}

/* Decode \uXXXX at `in`, or a pair of them, into `out`. Returns the bytes written; `*used` is what
 * was read. yajl has checked the digits. */
static size_t unescape_unicode(const char *in, size_t left, bool keep_halves, char *out,
                               size_t *used)
{
    uint32_t code = hex4(in + 2);
    *used = 6;
    if (code < 0xD800 || code > 0xDFFF)
        return moot__utf8_encode(code, out);
    if (code < 0xDC00 && left >= 12 && in[6] == '\\' && in[7] == 'u') {
        uint32_t low = hex4(in + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *used = 12;
            return moot__utf8_encode(0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00)), out);
        }
    }
    return moot__utf8_encode(keep_halves ? code : 0xFFFD, out);
}

static char unescape_letter(char letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    default: /* quote, backslash, slash */
        return letter;
    }
}

/* Decode in place; returns the new length. */
static size_t unescape(char *text, size_t len, bool keep_halves)
{
    const char *in = text, *end = text + len;
    char *out = text;
    while (in < end) {
        const char *stop = memchr(in, '\\', (size_t)(end - in));
        size_t plain = (size_t)((stop ? stop : end) - in);
        if (out != in)
            memmove(out, in, plain);
        out += plain;
        in += plain;
        if (!stop)
            break;
        assert(end - in >= 2);
        if (in[1] == 'u') {
            char bytes[4];
            size_t used, n = unescape_unicode(in, (size_t)(end - in), keep_halves, bytes, &used);
            memcpy(out, bytes, n);
            out += n;
            in += used;
        } else {
            *out++ = unescape_letter(in[1]);
            in += 2;
        }
    }
    return (size_t)(out - text);
}

/* The string that yajl has just reported: inside the text when it has no escapes, otherwise in
 * yajl's own buffer, whose content is not used. Then the string ends where yajl stands, and begins
 * at the first quote after the last string, as only what is no string lies between. */
static struct moot_view take_string(struct builder *b, const unsigned char *ptr, size_t len,
                                    uint32_t *offset)
{
    size_t at = (size_t)((uintptr_t)ptr - (uintptr_t)b->base);
    if (at <= b->len) {
        b->string_end = at + len + 1;
        *offset = (uint32_t)(at - 1);
        return moot__view(b->base + at, len);
    }
    size_t end = yajl_get_bytes_consumed(b->parser);
    char *quote = memchr(b->base + b->string_end, '"', end - b->string_end);
    assert(quote && quote < b->base + end - 1);
    char *text = quote + 1;
    *offset = (uint32_t)(quote - b->base);
    len = unescape(text, (size_t)(b->base + end - 1 - text), b->options.keep_halves);
    b->string_end = end;
    return moot__view(text, len);
}

/* The tree. */

static struct moot_json *new_node(struct builder *b, enum moot_json_type type, size_t offset)
{
    if (b->slab_left == 0) {
        b->slab = moot__arena_alloc(b->arena, b->slab_len * sizeof *b->slab);
        if (!b->slab) {
            fail_memory(b, b->slab_len * sizeof *b->slab);
            return NULL;
        }
        b->slab_left = b->slab_len;
    }
    struct moot_json *node = b->slab++;
    b->slab_left--;
    *node = (struct moot_json){.type = type, .offset = (uint32_t)offset, .key = b->key};
    return node;
}

/* Put a complete value where it belongs. */
static int append(struct builder *b, struct moot_json *node)
{
    struct moot_json *parent = b->open;
    if (!parent) {
        b->root = node;
        b->root_end = yajl_get_bytes_consumed(b->parser);
        return 1;
    }
    if (parent->child) {
        node->next = parent->child->next;
        parent->child->next = node;
    } else {
        node->next = node;
    }
    parent->child = node;
    parent->count++;
    return 1;
}

static int append_new(struct builder *b, enum moot_json_type type, size_t offset, bool truth,
                      struct moot_view text)
{
    struct moot_json *node = new_node(b, type, offset);
    if (!node)
        return 0;
    node->truth = truth;
    node->text = text;
    return append(b, node);
}

static int open_container(struct builder *b, enum moot_json_type type)
{
    size_t offset = yajl_get_bytes_consumed(b->parser) - 1;
    if (b->depth == b->options.depth_max)
        return fail(b, MOOT_ELIMIT, offset, "nested too deeply");
    struct moot_json *node = new_node(b, type, offset);
    if (!node)
        return 0;
    b->depth++;
    node->next = b->open;
    b->open = node;
    return 1;
}

static int by_key(const void *left, const void *right)
{
    const struct moot_json *a = *(struct moot_json *const *)left;
    const struct moot_json *b = *(struct moot_json *const *)right;
    if (a->key.len != b->key.len)
        return a->key.len < b->key.len ? -1 : 1;
    int order = a->key.len ? memcmp(a->key.ptr, b->key.ptr, a->key.len) : 0;
    return order ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Sorted, as comparing each with each would let a file of one object take seconds. */
static int check_duplicates(struct builder *b, const struct moot_json *object)
{
    const struct moot_allocator *allocator = b->arena->allocator;
    const struct moot_json **members = moot__calloc(allocator, object->count, sizeof(void *));
    if (!members)
        return fail(b, MOOT_ENOMEM, object->offset, "out of memory");
    size_t count = 0;
    for (const struct moot_json *member = object->child; member; member = member->next)
        members[count++] = member;
    assert(count == object->count);
    qsort(members, count, sizeof(void *), by_key);
    const struct moot_json *twice = NULL;
    for (size_t i = 1; i < count; i++)
        if (moot__view_eq(members[i - 1]->key, members[i]->key) &&
            (!twice || members[i]->offset < twice->offset))
            twice = members[i];
    moot__free(allocator, members);
    return twice ? fail(b, MOOT_EJSON, twice->offset, "a key appears twice") : 1;
}

static int close_container(struct builder *b)
{
    struct moot_json *node = b->open, *last = node->child;
    assert(node && b->depth > 0);
    if (last) {
        node->child = last->next;
        last->next = NULL;
    }
    b->open = node->next;
    node->next = NULL;
    b->depth--;
    if (node->type == MOOT_JSON_OBJECT && node->count > 1 && b->options.reject_duplicate_keys &&
        !check_duplicates(b, node))
        return 0;
    return append(b, node);
}

/* What yajl calls. A result of 0 stops it. */

static int on_null(void *context)
{
    struct builder *b = context;
    size_t offset = yajl_get_bytes_consumed(b->parser) - 4;
    return append_new(b, MOOT_JSON_NULL, offset, false, (struct moot_view){"", 0});
}

static int on_bool(void *context, int truth)
{
    struct builder *b = context;
    size_t offset = yajl_get_bytes_consumed(b->parser) - (truth ? 4 : 5);
    return append_new(b, MOOT_JSON_BOOL, offset, truth != 0, (struct moot_view){"", 0});
}

static int on_number(void *context, const char *text, size_t len)
{
    struct builder *b = context;
    size_t offset = (size_t)(text - b->base);
    assert(offset < b->len);
    if (len > MOOT_LIMIT_JSON_NUMBER_BYTES)
        return fail(b, MOOT_ELIMIT, offset, "a number is too long");
    return append_new(b, MOOT_JSON_NUMBER, offset, false, moot__view(text, len));
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    struct builder *b = context;
    uint32_t offset;
    struct moot_view string = take_string(b, text, len, &offset);
    return append_new(b, MOOT_JSON_STRING, offset, false, string);
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
    struct builder *b = context;
    uint32_t offset;
    b->key = take_string(b, text, len, &offset);
    if (b->open->count == b->options.keys_max)
        return fail(b, MOOT_ELIMIT, offset, "an object has too many keys");
    return 1;
}

static int on_object_begin(void *context)
{
    return open_container(context, MOOT_JSON_OBJECT);
}

static int on_array_begin(void *context)
{
    struct builder *b = context;
    int go_on = open_container(b, MOOT_JSON_ARRAY);
    b->key = (struct moot_view){"", 0}; /* elements have none */
    return go_on;
}

static int on_end(void *context)
{
    struct builder *b = context;
    b->key = (struct moot_view){"", 0};
    return close_container(b);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_map_key = on_key,
    .yajl_start_map = on_object_begin,
    .yajl_end_map = on_end,
    .yajl_start_array = on_array_begin,
    .yajl_end_array = on_end,
};

/* What yajl would let through. */
static int check_bytes(struct builder *b, struct moot_view text)
{
    size_t valid = moot__utf8_scan(text, NULL);
    if (valid != text.len)
        return fail(b, MOOT_EUTF8, valid, "not UTF-8");
    const char *space = text.len ? memchr(text.ptr, '\f', text.len) : NULL;
    if (!space && text.len)
        space = memchr(text.ptr, '\v', text.len);
    if (space)
        return fail(b, MOOT_EJSON, (size_t)(space - text.ptr), "a control character");
    return 1;
}

static int copy_text(struct builder *b, struct moot_view text)
{
    b->base = moot__arena_alloc(b->arena, text.len + 1);
    if (!b->base)
        return fail_memory(b, text.len + 1);
    if (text.len)
        memcpy(b->base, text.ptr, text.len);
    b->base[text.len] = ' ';
    b->len = text.len + 1;
    return 1;
}

/* yajl waits for the end of a string also where none may be, and yajl_complete_parse does not mind
 * that it never comes; of a document that ends in space it finds nothing else either. */
static void check_rest(struct builder *b)
{
    size_t at = b->root_end;
    while (at < b->len && memchr(" \t\r\n", b->base[at], 4))
        at++;
    if (at < b->len)
        fail(b, MOOT_EJSON, at, "unexpected character");
}

static int parse(struct builder *b)
{
    struct moot_json_reserve reserve MOOT_UNINITIALIZED; /* 6 KiB */
    if (!moot__json_reserve_init(&reserve, b->arena->allocator, b->len))
        return fail(b, MOOT_ENOMEM, 0, "out of memory");
    yajl_alloc_funcs functions = moot__json_reserve_functions(&reserve);
    b->parser = yajl_alloc(&callbacks, &functions, b);
    yajl_config(b->parser, yajl_dont_validate_strings, 1);
    yajl_status status = yajl_parse(b->parser, (const unsigned char *)b->base, b->len);
    size_t consumed = yajl_get_bytes_consumed(b->parser);
    bool whole = b->root && !b->open;
    if (status == yajl_status_error)
        fail(b, MOOT_EJSON, consumed ? consumed - 1 : 0, "unexpected character");
    else if (status == yajl_status_ok && !whole)
        fail(b, MOOT_EJSON, b->len - 1, "unexpected end");
    else if (status == yajl_status_ok)
        check_rest(b);
    moot__json_reserve_deinit(&reserve); /* all that yajl_free would give back piece by piece */
    assert(b->error.code || (status == yajl_status_ok && whole && b->depth == 0));
    return b->error.code == MOOT_OK;
}

static void set_defaults(struct moot_json_read_options *options)
{
    if (!options->bytes_max)
        options->bytes_max = MOOT_LIMIT_JSON_BYTES;
    if (!options->depth_max)
        options->depth_max = MOOT_LIMIT_JSON_DEPTH;
    if (!options->keys_max)
        options->keys_max = MOOT_LIMIT_JSON_KEYS;
    assert(options->bytes_max < UINT32_MAX / 8); /* offsets are 32 bits; yajl's sizes may double */
    assert(options->depth_max <= MOOT_LIMIT_JSON_DEPTH); /* what the reserve is sized for */
}

static void locate(struct moot_json_error *error, struct moot_view text)
{
    if (error->offset > text.len)
        error->offset = text.len;
    error->line = error->column = 1;
    for (size_t at = 0; at < error->offset; at++) {
        if (text.ptr[at] == '\n') {
            error->line++;
            error->column = 1;
        } else {
            error->column++;
        }
    }
}

int moot__json_read(struct moot_arena *arena, struct moot_view text,
                    const struct moot_json_read_options *options, const struct moot_json **out,
                    struct moot_json_error *error)
{
    assert(arena && out && (text.ptr || text.len == 0));
    size_t nodes = text.len / BYTES_PER_NODE;
    nodes = nodes < NODES_PER_SLAB_MIN ? NODES_PER_SLAB_MIN : nodes;
    struct builder b = {
        .arena = arena,
        .key = {"", 0},
        .slab_len = nodes > NODES_PER_SLAB_MAX ? NODES_PER_SLAB_MAX : nodes,
    };
    if (options)
        b.options = *options;
    set_defaults(&b.options);
    *out = NULL;
    bool ok = text.len <= b.options.bytes_max ||
              fail(&b, MOOT_ELIMIT, b.options.bytes_max, "the document is too large");
    if (ok && check_bytes(&b, text) && copy_text(&b, text) && parse(&b))
        *out = b.root;
    if (error) {
        *error = b.error;
        if (error->code)
            locate(error, text);
    }
    return b.error.code;
}
