/* What the connections of one provider share: options, seeded draws, rules, ledger and log. */
#include "world.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"

enum { REPLY_TOKENS_MAX = 1 << 20, LOG_MAX = 1 << 24 };

static bool rule_is_valid(const struct moot_emulator_rule *rule)
{
    if ((unsigned)rule->fault >= MOOT_EMULATOR_FAULTS || rule->fault == MOOT_EMULATOR_FAULT_NONE)
        return false;
    if (!(rule->rate >= 0 && rule->rate <= 1) || rule->first > rule->last)
        return false;
    enum moot_emulator_place place = moot_emulator_fault_info(rule->fault)->place;
    bool is_early = place == MOOT_EMULATOR_AT_ACCEPT || place == MOOT_EMULATOR_AT_REQUEST;
    return !(is_early && rule->match[0]); /* the text is not known that early */
}

static bool options_are_valid(const struct moot_emulator_options *options)
{
    if (options->size != sizeof *options || options->log_max > LOG_MAX)
        return false;
    if (options->reply_tokens_min > options->reply_tokens_max ||
        options->reply_tokens_max > REPLY_TOKENS_MAX)
        return false;
    if ((options->rule_count && !options->rules) || (options->script_count && !options->scripts))
        return false;
    if (options->client_id && !options->client_secret)
        return false;
    if (options->aws_access_key && !options->aws_secret_key)
        return false;
    if ((unsigned)options->hint >= MOOT_EMULATOR_HINTS)
        return false;
    for (size_t i = 0; i < options->rule_count; i++)
        if (!rule_is_valid(&options->rules[i]))
            return false;
    return true;
}

int moot_emulator_new(const struct moot_emulator_options *options,
                      const struct moot_allocator *allocator, struct moot_emulator **out)
{
    struct moot_emulator_options defaults = moot_emulator_options_default();
    *out = NULL;
    if (!options)
        options = &defaults;
    if (!options_are_valid(options))
        return MOOT_EINVAL;
    struct moot_emulator *emulator = moot__calloc(allocator, 1, sizeof *emulator);
    if (!emulator)
        return MOOT_ENOMEM;
    emulator->allocator = allocator;
    emulator->options = *options;
    if (options->log_max) {
        emulator->log = moot__calloc(allocator, options->log_max, sizeof *emulator->log);
        if (!emulator->log) {
            moot__free(allocator, emulator);
            return MOOT_ENOMEM;
        }
    }
    moot__emulator_meters_init(&emulator->meters, &options->quota);
    *out = emulator;
    return MOOT_OK;
}

void moot_emulator_free(struct moot_emulator *emulator)
{
    if (!emulator)
        return;
    assert(emulator->connections_open == 0);
    moot__free(emulator->allocator, emulator->log);
    moot__free(emulator->allocator, emulator);
}

const struct moot_emulator_ledger *moot_emulator_ledger(const struct moot_emulator *emulator)
{
    return &emulator->ledger;
}

void moot__emulator_draw(const struct moot_emulator *emulator, enum moot_emulator_draw draw,
                         uint64_t number, struct moot_rng *out)
{
    uint64_t salt = number * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)draw;
    moot__rng_init(out, emulator->options.seed ^ (salt * UINT64_C(0xD1B54A32D192ED03)));
}

bool moot__emulator_holds(struct moot_view text, struct moot_view part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (part.len == 0 || memcmp(text.ptr + at, part.ptr, part.len) == 0)
            return true;
    return false;
}

static bool is_by_rate(const struct moot_emulator_rule *rule)
{
    return rule->first == 0 && rule->last == 0 && rule->match[0] == '\0';
}

static bool applies(const struct moot_emulator_rule *rule, uint64_t number, struct moot_view text)
{
    if (rule->last)
        return number >= rule->first && number <= rule->last;
    return rule->match[0] && text.ptr && moot__emulator_holds(text, moot__view_str(rule->match));
}

const struct moot_emulator_rule *moot__emulator_rule_for(const struct moot_emulator *emulator,
                                                         enum moot_emulator_stage stage,
                                                         uint64_t number, struct moot_view text)
{
    const struct moot_emulator_options *options = &emulator->options;
    bool at_accept = stage == MOOT_EMULATOR_STAGE_ACCEPT;
    struct moot_rng rng;
    moot__emulator_draw(emulator, at_accept ? MOOT_EMULATOR_DRAW_ACCEPT : MOOT_EMULATOR_DRAW_FAULT,
                        number, &rng);
    double draw = moot__rng_unit(&rng), sum = 0;
    for (size_t i = 0; i < options->rule_count; i++) {
        const struct moot_emulator_rule *rule = &options->rules[i];
        enum moot_emulator_place place = moot_emulator_fault_info(rule->fault)->place;
        if ((place == MOOT_EMULATOR_AT_ACCEPT) != at_accept)
            continue;
        bool hit = applies(rule, number, text);
        if (is_by_rate(rule)) {
            hit = draw >= sum && draw < sum + rule->rate;
            sum += rule->rate;
        }
        if (hit && stage == MOOT_EMULATOR_STAGE_HEAD && place != MOOT_EMULATOR_AT_REQUEST)
            return NULL; /* this one's turn comes with the whole request */
        if (hit)
            return rule;
    }
    return NULL;
}

uint64_t moot__emulator_log_planned(struct moot_emulator *emulator, uint64_t request,
                                    uint64_t token, uint64_t planned_ns)
{
    uint64_t entry = emulator->log_written++;
    if (emulator->log)
        emulator->log[entry % emulator->options.log_max] =
            (struct moot_emulator_log_entry){request, token, planned_ns, 0};
    return entry;
}

void moot__emulator_log_sent(struct moot_emulator *emulator, uint64_t entry, uint64_t now_ns)
{
    assert(entry < emulator->log_written);
    if (emulator->log && emulator->log_written - entry <= emulator->options.log_max)
        emulator->log[entry % emulator->options.log_max].sent_ns = now_ns;
}

bool moot_emulator_log(const struct moot_emulator *emulator, size_t index,
                       struct moot_emulator_log_entry *out)
{
    uint64_t max = emulator->log ? emulator->options.log_max : 0;
    uint64_t kept = emulator->log_written < max ? emulator->log_written : max;
    if (index >= kept)
        return false;
    *out = emulator->log[(emulator->log_written - kept + index) % max];
    return true;
}
