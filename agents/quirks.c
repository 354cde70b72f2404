/* Names are matched where a word begins: `us.anthropic.claude-opus-5-v1:0`, `ft:gpt-5:me` and
 * `databricks-claude-opus-5` are the models of their rows. `#` stands for digits. */
#include "quirks.h"

#include <stdbool.h>

#include "engine/base/check.h"

enum {
    REASONING = MOOT_QUIRK_NEWER_NAMES | MOOT_QUIRK_NO_TEMPERATURE,
    /* max_tokens, temperature: 400 unsupported_parameter, unsupported_value. OpenAI, reasoning
     * guide, "API parameters"; community reports for gpt-5. */
};

static const struct {
    const char *name;
    unsigned quirks;
    const char *source;
} rows[] = {
    {"o#", REASONING, "OpenAI, reasoning models: parameters"},
    {"gpt-5", REASONING, "OpenAI, GPT-5: parameter compatibility"},
    {"gpt-6", REASONING, "as gpt-5"},
    {"gpt-7", REASONING, "as gpt-5"},
    {"gpt-8", REASONING, "as gpt-5"},
    {"gpt-9", REASONING, "as gpt-5"},
    {"gpt-##", REASONING, "as gpt-5"},
    {"claude-opus-4-7", MOOT_QUIRK_NO_TEMPERATURE, "Anthropic SDK 1.12: models after Opus 4.6"},
    {"claude-opus-4-8", MOOT_QUIRK_NO_TEMPERATURE, "the same"},
    {"claude-opus-4-9", MOOT_QUIRK_NO_TEMPERATURE, "the same"},
    {"claude-opus-5", MOOT_QUIRK_NO_TEMPERATURE, "the same"},
    {"claude-sonnet-5", MOOT_QUIRK_NO_TEMPERATURE, "the same"},
    {"claude-haiku-5", MOOT_QUIRK_NO_TEMPERATURE, "the same"},
    {"claude-sonnet-4-5", MOOT_QUIRK_ONE_SAMPLER, "Anthropic, migration to Claude 4.5"},
    {"claude-haiku-4-5", MOOT_QUIRK_ONE_SAMPLER, "the same"},
    {"claude-opus-4-1", MOOT_QUIRK_ONE_SAMPLER, "the same, Opus 4.1 to 4.6"},
    {"claude-opus-4-5", MOOT_QUIRK_ONE_SAMPLER, "the same"},
    {"claude-opus-4-6", MOOT_QUIRK_ONE_SAMPLER, "the same"},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool begins_with(struct moot_view text, const char *pattern)
{
    size_t i = 0;
    for (; pattern[i]; i++) {
        if (i == text.len ||
            (pattern[i] == '#' ? !is_digit(text.ptr[i]) : text.ptr[i] != pattern[i]))
            return false;
    }
    return i == text.len || !is_digit(text.ptr[i]) || pattern[i - 1] == '#'; /* not 4-1 of 4-10 */
}

unsigned moot__model_quirks(struct moot_view model)
{
    unsigned quirks = 0;
    for (size_t at = 0; at < model.len; at++) {
        if (at > 0 && is_word(model.ptr[at - 1]))
            continue;
        struct moot_view rest = moot__view(model.ptr + at, model.len - at);
        for (size_t i = 0; i < moot__countof(rows); i++)
            quirks |= begins_with(rest, rows[i].name) ? rows[i].quirks : 0;
    }
    return quirks;
}
