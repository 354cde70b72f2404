/* Options: the defaults, and the small languages of the command line. */
#include "options.h"

#include <math.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/base/view.h"

#define SHOWN(view) (int)((view).len < 80 ? (view).len : 80), (view).ptr

static const char *const hint_names[MOOT_EMULATOR_HINTS] = {
#define X(id, name, what) [MOOT_EMULATOR_HINT_##id] = (name),
    MOOT_EMULATOR_HINT_MAP(X)
#undef X
};

struct moot_emulator_options moot_emulator_options_default(void)
{
    return (struct moot_emulator_options){
        .size = sizeof(struct moot_emulator_options),
        .answer = MOOT_EMULATOR_ECHO,
        .reply_tokens_min = 64,
        .reply_tokens_max = 64,
        .hint = MOOT_EMULATOR_HINT_SECONDS,
        .hint_ns = MOOT_NS_PER_S,
        .log_max = 4096,
    };
}

static int refuse(struct moot_error_info *info, const char *what, struct moot_view text,
                  const char *expected)
{
    return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE, "%s: '%.*s' is not %s", what, SHOWN(text),
                      expected);
}

/* 600, 80k, 1.5m: a count with a decimal multiplier. */
static bool to_count(struct moot_view text, uint64_t *out)
{
    double scale = 1, value;
    if (text.len > 1) {
        char unit = text.ptr[text.len - 1];
        scale = unit == 'k' || unit == 'K' ? 1e3 : unit == 'm' || unit == 'M' ? 1e6 : 1;
        text.len -= scale > 1;
    }
    if (!moot__view_to_double(text, &value) || value < 0 || value * scale > 1e15)
        return false;
    *out = (uint64_t)llround(value * scale);
    return true;
}

int moot_emulator_duration_parse(struct moot_view text, uint64_t *out_ns,
                                 struct moot_error_info *info)
{
    static const struct {
        const char *suffix;
        double ns;
    } units[] = {{"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double value;
    if (moot__view_is(text, "0")) {
        *out_ns = 0;
        return MOOT_OK;
    }
    for (size_t i = 0; i < moot__countof(units); i++) {
        struct moot_view suffix = moot__view_str(units[i].suffix);
        if (!moot__view_ends(text, suffix))
            continue;
        struct moot_view number = moot__view(text.ptr, text.len - suffix.len);
        if (!moot__view_to_double(number, &value) || value < 0 || value * units[i].ns > 1e17)
            break;
        *out_ns = (uint64_t)llround(value * units[i].ns);
        return MOOT_OK;
    }
    return refuse(info, "duration", text, "a duration such as 250ms, 5s or 10m");
}

int moot_emulator_range_parse(struct moot_view text, uint64_t *min, uint64_t *max,
                              struct moot_error_info *info)
{
    struct moot_view low = text, high;
    uint64_t from, to;
    size_t dash = moot__view_find(text, '-', 0);
    if (dash < text.len) {
        low = moot__view(text.ptr, dash);
        high = moot__view(text.ptr + dash + 1, text.len - dash - 1);
    } else {
        high = low;
    }
    if (!moot__view_to_u64(low, &from) || !moot__view_to_u64(high, &to) || from > to)
        return refuse(info, "range", text, "a number, or two as in 50-200");
    *min = from;
    *max = to;
    return MOOT_OK;
}

int moot_emulator_answer_parse(struct moot_view text, enum moot_emulator_answer *out,
                               struct moot_error_info *info)
{
    static const char *const names[] = {
        [MOOT_EMULATOR_ECHO] = "echo",           [MOOT_EMULATOR_SCRIPTED] = "scripted",
        [MOOT_EMULATOR_GENERATED] = "generated", [MOOT_EMULATOR_GOLDEN] = "golden",
        [MOOT_EMULATOR_TOOL] = "tool",
    };
    for (unsigned i = 0; i < moot__countof(names); i++) {
        if (moot__view_is(text, names[i])) {
            *out = (enum moot_emulator_answer)i;
            return MOOT_OK;
        }
    }
    return refuse(info, "answer", text, "echo, scripted, generated, golden or tool");
}

/* 30%, #3, #3-5, ~text */
static int parse_when(struct moot_view text, struct moot_emulator_rule *rule,
                      struct moot_error_info *info)
{
    double percent;
    if (moot__view_starts(text, MOOT_VIEW("#"))) {
        struct moot_view numbers = moot__view(text.ptr + 1, text.len - 1);
        int rc = moot_emulator_range_parse(numbers, &rule->first, &rule->last, info);
        return rc ? rc : rule->first ? MOOT_OK : refuse(info, "fault", text, "numbered from 1");
    }
    if (moot__view_starts(text, MOOT_VIEW("~")) && text.len > 1) {
        if (text.len > sizeof rule->match)
            return refuse(info, "fault", text, "a text of at most 63 bytes");
        moot__view_copy(moot__view(text.ptr + 1, text.len - 1), rule->match, sizeof rule->match);
        return MOOT_OK;
    }
    if (moot__view_ends(text, MOOT_VIEW("%")) &&
        moot__view_to_double(moot__view(text.ptr, text.len - 1), &percent) && percent >= 0 &&
        percent <= 100) {
        rule->rate = percent / 100;
        return MOOT_OK;
    }
    return refuse(info, "fault", text, "a rate (30%), a number (#3, #3-5) or a text (~scones)");
}

static int parse_hint(struct moot_view text, struct moot_emulator_rule *rule,
                      struct moot_error_info *info)
{
    struct moot_view rest = text, form;
    moot__view_split(&rest, '/', &form);
    for (unsigned i = 0; i < MOOT_EMULATOR_HINTS; i++) {
        if (!moot__view_is(form, hint_names[i]))
            continue;
        rule->has_hint = true;
        rule->hint = (enum moot_emulator_hint)i;
        rule->hint_ns = MOOT_NS_PER_S;
        return rest.ptr ? moot_emulator_duration_parse(rest, &rule->hint_ns, info) : MOOT_OK;
    }
    return refuse(info, "hint", form, "none, seconds, float, date, ms or another of the list");
}

static int parse_extra(struct moot_view text, struct moot_emulator_rule *rule,
                       struct moot_error_info *info)
{
    struct moot_view hint = MOOT_VIEW("hint="), after = MOOT_VIEW("after=");
    if (moot__view_starts(text, hint))
        return parse_hint(moot__view(text.ptr + hint.len, text.len - hint.len), rule, info);
    if (moot__view_starts(text, after)) {
        struct moot_view count = moot__view(text.ptr + after.len, text.len - after.len);
        rule->has_after = true;
        return moot__view_to_u64(count, &rule->after)
                   ? MOOT_OK
                   : refuse(info, "fault", text, "after=, then a number of tokens");
    }
    return refuse(info, "fault", text, "hint=FORM or after=TOKENS");
}

static bool to_fault(struct moot_view name, enum moot_emulator_fault *out)
{
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++) {
        enum moot_emulator_fault fault = (enum moot_emulator_fault)i;
        if (moot__view_is(name, moot_emulator_fault_info(fault)->name)) {
            *out = fault;
            return true;
        }
    }
    return false;
}

int moot_emulator_rule_parse(struct moot_view text, struct moot_emulator_rule *out,
                             struct moot_error_info *info)
{
    struct moot_emulator_rule rule = {.rate = 1};
    struct moot_view rest = text, part = {NULL, 0};
    moot__view_split(&rest, ':', &part);
    if (!to_fault(part, &rule.fault))
        return refuse(info, "fault", part, "a fault that the emulator knows");
    if (moot__view_split(&rest, ':', &part)) {
        rule.rate = 0;
        int rc = parse_when(part, &rule, info);
        if (rc)
            return rc;
    }
    while (moot__view_split(&rest, ':', &part)) {
        int rc = parse_extra(part, &rule, info);
        if (rc)
            return rc;
    }
    *out = rule;
    return MOOT_OK;
}

int moot_emulator_rates_parse(struct moot_view text, enum moot_emulator_rates *out,
                              struct moot_error_info *info)
{
    static const char *const names[] = {
#define X(id, name) name,
        MOOT_EMULATOR_RATES_MAP(X)
#undef X
    };
    for (unsigned i = 0; i < moot__countof(names); i++) {
        if (moot__view_is(text, names[i])) {
            *out = (enum moot_emulator_rates)i;
            return MOOT_OK;
        }
    }
    return refuse(info, "headers", text,
                  "surface, none, openai, azure, mistral, anthropic, ietf or hostile");
}

static int parse_quota_item(struct moot_view item, struct moot_emulator_quota *quota,
                            struct moot_error_info *info)
{
    const struct {
        const char *name;
        uint64_t *count;
    } counts[] = {{"rpm", &quota->rpm},
                  {"tpm", &quota->tpm},
                  {"itpm", &quota->itpm},
                  {"otpm", &quota->otpm},
                  {"concurrency", &quota->concurrency}};
    struct moot_view value = item, name = {NULL, 0};
    moot__view_split(&value, '=', &name);
    for (size_t i = 0; i < moot__countof(counts); i++)
        if (moot__view_is(name, counts[i].name))
            return to_count(value, counts[i].count)
                       ? MOOT_OK
                       : refuse(info, "quota", item, "a count such as rpm=600 or tpm=80k");
    if (moot__view_is(name, "headers"))
        return moot_emulator_rates_parse(value, &quota->rates, info);
    if (moot__view_is(name, "every"))
        return moot_emulator_duration_parse(value, &quota->window_ns, info);
    if (moot__view_is(item, "window=fixed"))
        quota->window = MOOT_EMULATOR_FIXED;
    else if (moot__view_is(item, "window=sliding"))
        quota->window = MOOT_EMULATOR_SLIDING;
    else
        return refuse(info, "quota", item,
                      "rpm=, tpm=, itpm=, otpm=, concurrency=, every=, window=fixed|sliding or "
                      "headers=");
    return MOOT_OK;
}

int moot_emulator_quota_parse(struct moot_view text, struct moot_emulator_quota *out,
                              struct moot_error_info *info)
{
    struct moot_emulator_quota quota = {0};
    struct moot_view rest = text, item;
    if (text.len == 0)
        return refuse(info, "quota", text, "a limit such as rpm=600");
    while (moot__view_split(&rest, ',', &item)) {
        int rc = parse_quota_item(item, &quota, info);
        if (rc)
            return rc;
    }
    *out = quota;
    return MOOT_OK;
}

void moot_emulator_print_faults(FILE *file)
{
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++) {
        const struct moot_emulator_fault_info *fault =
            moot_emulator_fault_info((enum moot_emulator_fault)i);
        fprintf(file, "  %-20s %s\n", fault->name, fault->what);
    }
}
