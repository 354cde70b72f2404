/* From YAML to the tree: the only user of libyaml.
 *
 * libyaml composes a document whose aliases are shared nodes. The tree has no sharing, so aliases
 * are copied; depth and number of nodes are limited, which ends cycles and documents that explode.
 * Plain scalars get the types of the YAML 1.2 core schema; quoted ones are strings. */
#include "config_tree.h"

#include <yaml.h>

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"

enum { NODES_MAX = 200000 };

struct composer {
    struct moot_arena *arena;
    yaml_document_t *document;
    const char *file;
    struct moot_error_info *info;
    unsigned nodes;
};

static int fail_at(struct composer *c, const yaml_node_t *node, const char *text)
{
    unsigned line = (unsigned)node->start_mark.line + 1;
    unsigned column = (unsigned)node->start_mark.column + 1;
    return moot__fail_at(c->info, MOOT_ECONFIG, line, column, "%s:%u:%u: %s", c->file, line, column,
                         text);
}

static int out_of_memory(struct composer *c)
{
    return moot__fail(c->info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
}

static bool is_one_of(struct moot_view text, const char *a, const char *b, const char *d)
{
    return moot__view_is(text, a) || moot__view_is(text, b) || moot__view_is(text, d);
}

static size_t skip_digits(struct moot_view text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(struct moot_view text)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    size_t whole = skip_digits(text, at) - at, fraction = 0;
    at += whole;
    if (at < text.len && text.ptr[at] == '.') {
        fraction = skip_digits(text, at + 1) - at - 1;
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        at += at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+');
        size_t end = skip_digits(text, at);
        if (end == at)
            return false;
        at = end;
    }
    return at == text.len;
}

/* A YAML number in JSON's grammar: no plus, no leading zeros, digits on both sides of the point. */
static bool write_decimal(struct moot_arena *arena, struct moot_view text, struct moot_view *out)
{
    char *buf = moot__arena_alloc(arena, text.len + 4);
    if (!buf)
        return false;
    size_t len = 0, at = text.ptr[0] == '-' || text.ptr[0] == '+';
    if (text.ptr[0] == '-')
        buf[len++] = '-';
    while (at + 1 < text.len && text.ptr[at] == '0' && text.ptr[at + 1] >= '0' &&
           text.ptr[at + 1] <= '9')
        at++;
    if (text.ptr[at] == '.')
        buf[len++] = '0';
    for (; at < text.len; at++) {
        buf[len++] = text.ptr[at];
        bool has_digit_after =
            at + 1 < text.len && text.ptr[at + 1] >= '0' && text.ptr[at + 1] <= '9';
        if (text.ptr[at] == '.' && !has_digit_after)
            buf[len++] = '0';
    }
    *out = moot__view(buf, len);
    return true;
}

/* 0o17 and 0xff. */
static bool read_based(struct moot_view text, uint64_t *value)
{
    if (text.len < 3 || text.len > 18 || text.ptr[0] != '0')
        return false;
    unsigned base = text.ptr[1] == 'o' ? 8 : text.ptr[1] == 'x' ? 16 : 0;
    *value = 0;
    for (size_t i = 2; base && i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit >= base)
            return false;
        *value = *value * base + digit;
    }
    return base != 0;
}

static int compose_plain(struct composer *c, const yaml_node_t *node, struct moot_view text,
                         struct moot_tree *tree)
{
    uint64_t value;
    if (text.len == 0 || moot__view_is(text, "~") || is_one_of(text, "null", "Null", "NULL")) {
        tree->type = MOOT_JSON_NULL;
    } else if (is_one_of(text, "true", "True", "TRUE") ||
               is_one_of(text, "false", "False", "FALSE")) {
        tree->type = MOOT_JSON_BOOL;
        tree->truth = text.ptr[0] == 't' || text.ptr[0] == 'T';
    } else if (read_based(text, &value)) {
        struct moot_buf buf;
        moot__buf_init(&buf, c->arena->allocator, 32);
        tree->type = MOOT_JSON_NUMBER;
        bool ok = moot__buf_append_u64(&buf, value) == MOOT_OK &&
                  moot__arena_copy(c->arena, moot__buf_view(&buf), &tree->text);
        moot__buf_deinit(&buf);
        return ok ? MOOT_OK : out_of_memory(c);
    } else if (is_decimal(text)) {
        if (text.len > MOOT_LIMIT_JSON_NUMBER_BYTES)
            return fail_at(c, node, "this number is too long; quote it if it is a text");
        tree->type = MOOT_JSON_NUMBER;
        return write_decimal(c->arena, text, &tree->text) ? MOOT_OK : out_of_memory(c);
    } else {
        static const char *const none[] = {".inf",  ".Inf", ".INF", "+.inf",
                                           "-.inf", ".nan", ".NaN", ".NAN"};
        for (size_t i = 0; i < moot__countof(none); i++) {
            if (moot__view_is(text, none[i]))
                return fail_at(c, node, "infinity and NaN cannot be sent as JSON");
        }
        tree->text = text;
    }
    return MOOT_OK;
}

/* Without a tag of its own, a node has the standard one of its kind. */
static int check_tag(struct composer *c, const yaml_node_t *node)
{
    static const char *const known[] = {YAML_STR_TAG,  YAML_INT_TAG, YAML_FLOAT_TAG, YAML_BOOL_TAG,
                                        YAML_NULL_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    for (size_t i = 0; i < moot__countof(known); i++) {
        if (moot__view_is(moot__view_str((const char *)node->tag), known[i]))
            return MOOT_OK;
    }
    return fail_at(c, node, "YAML tags other than the standard ones are not understood");
}

static int compose_scalar(struct composer *c, const yaml_node_t *node, struct moot_tree *tree)
{
    struct moot_view text;
    const char *bytes = (const char *)node->data.scalar.value;
    if (!moot__arena_copy(c->arena, moot__view(bytes, node->data.scalar.length), &text))
        return out_of_memory(c);
    tree->type = MOOT_JSON_STRING;
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return compose_plain(c, node, text, tree);
    tree->text = text;
    return MOOT_OK;
}

static int compose(struct composer *c, int index, unsigned depth, struct moot_tree **out);

static int compose_list(struct composer *c, const yaml_node_t *node, unsigned depth,
                        struct moot_tree *tree)
{
    struct moot_tree **last = &tree->child;
    tree->type = MOOT_JSON_ARRAY;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        int rc = compose(c, *item, depth, last);
        if (rc)
            return rc;
        last = &(*last)->next;
        tree->count++;
    }
    return MOOT_OK;
}

static int check_key(struct composer *c, const yaml_node_t *key, const struct moot_tree *before)
{
    if (key->type != YAML_SCALAR_NODE)
        return fail_at(c, key, "a key must be a plain text");
    struct moot_view text =
        moot__view((const char *)key->data.scalar.value, key->data.scalar.length);
    for (; before; before = before->next) {
        if (moot__view_eq(before->key, text))
            return fail_at(c, key, "this key is already there; remove one of the two");
    }
    return MOOT_OK;
}

static int compose_map(struct composer *c, const yaml_node_t *node, unsigned depth,
                       struct moot_tree *tree)
{
    struct moot_tree **last = &tree->child;
    tree->type = MOOT_JSON_OBJECT;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(c->document, pair->key);
        if (tree->count >= MOOT_LIMIT_ROLES * 16)
            return fail_at(c, key, "too many keys in one map");
        int rc = check_key(c, key, tree->child);
        if (rc)
            return rc;
        rc = compose(c, pair->value, depth, last);
        if (rc)
            return rc;
        struct moot_view text =
            moot__view((const char *)key->data.scalar.value, key->data.scalar.length);
        if (!moot__arena_copy(c->arena, text, &(*last)->key))
            return out_of_memory(c);
        (*last)->key_line = (unsigned)key->start_mark.line + 1;
        (*last)->key_column = (unsigned)key->start_mark.column + 1;
        last = &(*last)->next;
        tree->count++;
    }
    return MOOT_OK;
}

static int compose(struct composer *c, int index, unsigned depth, struct moot_tree **out)
{
    const yaml_node_t *node = yaml_document_get_node(c->document, index);
    assert(node);
    if (depth >= MOOT_LIMIT_JSON_DEPTH)
        return fail_at(c, node, "nested too deeply, or an alias that holds itself");
    if (++c->nodes > NODES_MAX)
        return fail_at(c, node, "too many values; aliases count each time they are used");
    int rc = check_tag(c, node);
    if (rc)
        return rc;
    struct moot_tree *tree = moot__arena_calloc(c->arena, 1, sizeof *tree);
    if (!tree)
        return out_of_memory(c);
    tree->line = (unsigned)node->start_mark.line + 1;
    tree->column = (unsigned)node->start_mark.column + 1;
    *out = tree;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return compose_scalar(c, node, tree);
    case YAML_SEQUENCE_NODE:
        return compose_list(c, node, depth + 1, tree);
    case YAML_MAPPING_NODE:
        return compose_map(c, node, depth + 1, tree);
    case YAML_NO_NODE:
        break;
    }
    moot__unreachable();
    return MOOT_EINVAL;
}

static int parser_failed(struct composer *c, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return out_of_memory(c);
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    unsigned column = (unsigned)parser->problem_mark.column + 1;
    /* libyaml's texts are constant and quote nothing of the input. */
    return moot__fail_at(c->info, MOOT_ECONFIG, line, column, "%s:%u:%u: YAML: %s", c->file, line,
                         column, parser->problem ? parser->problem : "cannot be read");
}

/* Only one document: what follows would be ignored without a word. */
static int check_end(struct composer *c, yaml_parser_t *parser)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document))
        return parser_failed(c, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    int rc = root ? fail_at(c, root, "a second document; a configuration is one") : MOOT_OK;
    yaml_document_delete(&document);
    return rc;
}

int moot__tree_read_yaml(struct moot_arena *arena, struct moot_view text, const char *file,
                         const struct moot_tree **out, struct moot_error_info *info)
{
    struct composer c = {.arena = arena, .file = file, .info = info};
    struct moot_tree *root = NULL;
    yaml_parser_t parser;
    yaml_document_t document;
    *out = NULL;
    if (!yaml_parser_initialize(&parser))
        return out_of_memory(&c);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    int rc = MOOT_OK;
    if (!yaml_parser_load(&parser, &document)) {
        rc = parser_failed(&c, &parser);
        goto delete_parser;
    }
    c.document = &document;
    if (yaml_document_get_root_node(&document)) {
        rc = compose(&c, 1, 0, &root);
        if (rc == MOOT_OK)
            rc = check_end(&c, &parser);
    } else {
        rc = moot__fail_at(info, MOOT_ECONFIG, 1, 1, "%s:1:1: the configuration is empty", file);
    }
    if (rc == MOOT_OK)
        *out = root;
    yaml_document_delete(&document);
delete_parser:
    yaml_parser_delete(&parser);
    return rc;
}
