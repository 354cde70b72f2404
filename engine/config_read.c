/* Values out of the tree. */
#include "config_read.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"

enum { SHOWN_MAX = 64 }; /* bytes of a key */

static int MOOT_PRINTF(5, 0) fail_v(struct moot_config_reader *reader, int code, unsigned line,
                                    unsigned column, const char *format, va_list args)
{
    char text[400];
    int n = vsnprintf(text, sizeof text, format, args);
    moot__view_copy(moot__view(text, n > 0 ? strlen(text) : 0), text, sizeof text);
    return moot__fail_at(reader->info, code, line, column, "%s:%u:%u: %s", reader->file, line,
                         column, text);
}

int moot__config_fail(struct moot_config_reader *reader, int code, const struct moot_tree *node,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_v(reader, code, node->line, node->column, format, args);
    va_end(args);
    return code;
}

int moot__config_fail_key(struct moot_config_reader *reader, int code, const struct moot_tree *node,
                          const char *format, ...)
{
    bool has_key = node->key_line != 0;
    va_list args;
    va_start(args, format);
    fail_v(reader, code, has_key ? node->key_line : node->line,
           has_key ? node->key_column : node->column, format, args);
    va_end(args);
    return code;
}

int moot__config_out_of_memory(struct moot_config_reader *reader)
{
    if (reader->plan->arena.used + 1024 >= reader->plan->arena.max)
        return moot__fail(reader->info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                          "%s: the configuration is too large", reader->file);
    return moot__fail(reader->info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
}

static struct moot_plan_warning *next_warning(struct moot_plan *plan)
{
    if (!plan->warnings)
        plan->warnings =
            moot__arena_calloc(&plan->arena, MOOT_LIMIT_WARNINGS, sizeof *plan->warnings);
    return plan->warnings ? &plan->warnings[plan->warning_count] : NULL;
}

int moot__config_warn(struct moot_config_reader *reader, const struct moot_tree *node,
                      const char *format, ...)
{
    struct moot_plan *plan = reader->plan;
    char text[sizeof reader->info->message];
    if (plan->warning_count == MOOT_LIMIT_WARNINGS)
        return MOOT_OK;
    struct moot_plan_warning *warning = next_warning(plan);
    if (!warning)
        return moot__config_out_of_memory(reader);
    int at = 0;
    if (node) {
        warning->line = node->key_line ? node->key_line : node->line;
        warning->column = node->key_line ? node->key_column : node->column;
        at =
            snprintf(text, sizeof text, "%s:%u:%u: ", reader->file, warning->line, warning->column);
    }
    size_t used = at < 0 ? 0 : (size_t)at < sizeof text ? (size_t)at : sizeof text - 1;
    va_list args;
    va_start(args, format);
    moot__ignore(vsnprintf(text + used, sizeof text - used, format, args) < 0);
    va_end(args);
    struct moot_view whole = moot__view_cut(moot__view_str(text), sizeof text - 1);
    if (!moot__arena_copy(&plan->arena, whole, &warning->text))
        return moot__config_out_of_memory(reader);
    plan->warning_count++;
    return MOOT_OK;
}

/* --- did you mean ---------------------------------------------------------------------------- */

enum { WORD_MAX = 40, EDITS_MAX = 2 };

/* Edits (insert, drop, change, swap neighbours) from one word to the other; EDITS_MAX + 1 stands
 * for more. */
static unsigned edits(struct moot_view a, struct moot_view b)
{
    unsigned rows[3][WORD_MAX + 1];
    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return EDITS_MAX + 1;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *now = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool is_swap =
                i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            if (is_swap && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

const char *moot__config_guess(struct moot_view word, const char *const *words)
{
    const char *best = NULL;
    unsigned least = EDITS_MAX + 1;
    for (; *words; words++) {
        struct moot_view candidate = moot__view_str(*words);
        unsigned distance = edits(word, candidate);
        if (distance < least && distance < candidate.len) {
            least = distance;
            best = *words;
        }
    }
    return best;
}

/* "a, b or c" */
static void list_words(const char *const *words, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; words[i] && len < size; i++) {
        const char *glue = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        int n = snprintf(out + len, size - len, "%s%s", glue, words[i]);
        len += n > 0 ? (size_t)n : 0;
    }
}

static bool is_word(struct moot_view word, const char *const *words)
{
    for (; *words; words++) {
        if (moot__view_is(word, *words))
            return true;
    }
    return false;
}

int moot__config_check_keys(struct moot_config_reader *reader, const struct moot_tree *node,
                            const char *where, const char *const *words)
{
    int rc = moot__config_expect(reader, node, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    for (const struct moot_tree *member = node->child; member; member = member->next) {
        if (is_word(member->key, words))
            continue;
        char known[256];
        const char *guess = moot__config_guess(member->key, words);
        list_words(words, known, sizeof known);
        struct moot_view key = moot__view_cut(member->key, SHOWN_MAX);
        if (guess)
            return moot__config_fail_key(reader, MOOT_ECONFIG, member,
                                         "unknown key '%.*s' in %s; did you mean '%s'?",
                                         (int)key.len, key.ptr, where, guess);
        return moot__config_fail_key(reader, MOOT_ECONFIG, member,
                                     "unknown key '%.*s' in %s; known are %s", (int)key.len,
                                     key.ptr, where, known);
    }
    return MOOT_OK;
}

/* --- scalars --------------------------------------------------------------------------------- */

static int wrong(struct moot_config_reader *reader, const struct moot_tree *node, const char *want)
{
    if (node->key_line == 0)
        return moot__config_fail(reader, MOOT_ECONFIG, node, "this must be %s", want);
    struct moot_view key = moot__view_cut(node->key, SHOWN_MAX);
    return moot__config_fail(reader, MOOT_ECONFIG, node, "'%.*s' must be %s", (int)key.len, key.ptr,
                             want);
}

int moot__config_expect(struct moot_config_reader *reader, const struct moot_tree *node,
                        enum moot_json_type type)
{
    if (node->type == type)
        return MOOT_OK;
    char want[64];
    snprintf(want, sizeof want, "%s, not %s", moot__tree_type_name(type),
             moot__tree_type_name(node->type));
    return wrong(reader, node, want);
}

static bool is_absent(const struct moot_tree *node)
{
    return !node || node->type == MOOT_JSON_NULL;
}

int moot__config_text(struct moot_config_reader *reader, const struct moot_tree *node,
                      struct moot_view *out)
{
    if (is_absent(node))
        return MOOT_OK;
    int rc = moot__config_expect(reader, node, MOOT_JSON_STRING);
    if (rc)
        return rc;
    if (!moot__arena_copy(&reader->plan->arena, node->text, out))
        return moot__config_out_of_memory(reader);
    return MOOT_OK;
}

int moot__config_bool(struct moot_config_reader *reader, const struct moot_tree *node, bool *out)
{
    if (is_absent(node))
        return MOOT_OK;
    int rc = moot__config_expect(reader, node, MOOT_JSON_BOOL);
    if (rc == MOOT_OK)
        *out = node->truth;
    return rc;
}

struct unit {
    const char *suffix;
    double factor;
};

/* A number with one of the suffixes, the first of which may be "". */
static bool with_unit(const struct moot_tree *node, const struct unit *units, double *out)
{
    struct moot_view text = node->text;
    if (node->type != MOOT_JSON_NUMBER && node->type != MOOT_JSON_STRING)
        return false;
    size_t digits = text.len;
    while (digits > 0 && !(text.ptr[digits - 1] >= '0' && text.ptr[digits - 1] <= '9'))
        digits--;
    struct moot_view suffix = moot__view(text.ptr + digits, text.len - digits);
    double number;
    if (!moot__view_to_double(moot__view(text.ptr, digits), &number))
        return false;
    for (; units->suffix; units++) {
        if (moot__view_is(suffix, units->suffix)) {
            *out = number * units->factor;
            return true;
        }
    }
    return false;
}

int moot__config_quantity(struct moot_config_reader *reader, const struct moot_tree *node,
                          uint64_t *out)
{
    static const struct unit units[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {NULL, 0}};
    double number;
    if (is_absent(node))
        return MOOT_OK;
    if (!with_unit(node, units, &number) || !(number >= 1 && number <= 1e12) ||
        (double)(uint64_t)(number + 0.5) - number > 1e-6 ||
        number - (double)(uint64_t)(number + 0.5) > 1e-6)
        return wrong(reader, node, "a whole number from 1 on, such as 600, 80k or 1.5M");
    *out = (uint64_t)(number + 0.5);
    return MOOT_OK;
}

int moot__config_duration(struct moot_config_reader *reader, const struct moot_tree *node,
                          uint64_t *out_ns)
{
    static const struct unit units[] = {{"", 1e9},   {"ms", 1e6},   {"s", 1e9},
                                        {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
    double ns;
    if (is_absent(node))
        return MOOT_OK;
    if (!with_unit(node, units, &ns) || !(ns >= 1 && ns <= 1e17))
        return wrong(reader, node, "a duration, such as 250ms, 5s or 10m");
    *out_ns = (uint64_t)ns;
    return MOOT_OK;
}

int moot__config_amount(struct moot_config_reader *reader, const struct moot_tree *node,
                        double *out)
{
    if (is_absent(node))
        return MOOT_OK;
    double number;
    if (node->type != MOOT_JSON_NUMBER || !moot__view_to_double(node->text, &number) ||
        !(number >= 0 && number <= 1e15))
        return wrong(reader, node, "a number from 0 on");
    *out = number;
    return MOOT_OK;
}

int moot__config_choice(struct moot_config_reader *reader, const struct moot_tree *node,
                        const char *const *words, unsigned *out)
{
    if (is_absent(node))
        return MOOT_OK;
    if (node->type == MOOT_JSON_STRING) {
        for (unsigned i = 0; words[i]; i++) {
            if (moot__view_is(node->text, words[i])) {
                *out = i;
                return MOOT_OK;
            }
        }
    }
    char known[200];
    list_words(words, known, sizeof known);
    return wrong(reader, node, known);
}
