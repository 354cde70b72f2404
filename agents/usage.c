#include "usage.h"

#include <math.h>

#include "engine/base/check.h"
#include "engine/base/json_read.h"

/* Around each message a chat template puts a handful of tokens: its role and its two borders. */
#define TURN_TOKENS 4

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void moot__tokens_add(struct moot_tokens *sum, const struct moot_tokens *one)
{
    sum->prompt = add(sum->prompt, one->prompt);
    sum->completion = add(sum->completion, one->completion);
    sum->total = add(sum->total, one->total);
    sum->reasoning = add(sum->reasoning, one->reasoning);
    sum->cached = add(sum->cached, one->cached);
    sum->cache_written = add(sum->cache_written, one->cache_written);
    sum->known |= one->known;
}

static void take(struct moot_tokens *tokens, enum moot_tokens_known bit, uint64_t *count,
                 const struct moot_json *number)
{
    uint64_t value;
    double real;
    if (!number)
        return;
    if (moot__json_u64(number, &value)) {
        *count = value;
    } else if (moot__json_double(number, &real) && real >= 0 && real < 9e15) {
        *count = (uint64_t)ceil(real);
    } else {
        return;
    }
    tokens->known |= bit;
}

static void add_up(struct moot_tokens *tokens)
{
    unsigned both = MOOT_TOKENS_PROMPT | MOOT_TOKENS_COMPLETION;
    if ((tokens->known & both) == both) {
        tokens->total = add(tokens->prompt, tokens->completion);
        tokens->known |= MOOT_TOKENS_TOTAL;
    }
}

void moot__tokens_read(struct moot_tokens *tokens, const struct moot_json *usage)
{
    if (!moot__json_is_object(usage))
        return; /* most events have none */
    const struct moot_json *in = moot__json_get(usage, "prompt_tokens_details");
    const struct moot_json *out = moot__json_get(usage, "completion_tokens_details");
    const struct {
        enum moot_tokens_known bit;
        uint64_t *count;
        const struct moot_json *number;
    } fields[] = {
        {MOOT_TOKENS_PROMPT, &tokens->prompt, moot__json_get(usage, "prompt_tokens")},
        {MOOT_TOKENS_COMPLETION, &tokens->completion, moot__json_get(usage, "completion_tokens")},
        {MOOT_TOKENS_REASONING, &tokens->reasoning, moot__json_get(usage, "reasoning_tokens")},
        {MOOT_TOKENS_REASONING, &tokens->reasoning, moot__json_get(out, "reasoning_tokens")},
        {MOOT_TOKENS_CACHED, &tokens->cached, moot__json_get(usage, "cache_read_input_tokens")},
        {MOOT_TOKENS_CACHED, &tokens->cached, moot__json_get(in, "cached_tokens")},
        {MOOT_TOKENS_CACHE_WRITTEN, &tokens->cache_written,
         moot__json_get(usage, "cache_creation_input_tokens")},
        {MOOT_TOKENS_CACHE_WRITTEN, &tokens->cache_written,
         moot__json_get(in, "cache_write_tokens")},
    };
    for (size_t i = 0; i < moot__countof(fields); i++)
        take(tokens, fields[i].bit, fields[i].count, fields[i].number);
    add_up(tokens);
    take(tokens, MOOT_TOKENS_TOTAL, &tokens->total, moot__json_get(usage, "total_tokens"));
}

void moot__tokens_read_apart(struct moot_tokens *tokens, const struct moot_json *usage,
                             const struct moot_usage_names *names)
{
    if (!moot__json_is_object(usage))
        return;
    uint64_t fresh = tokens->prompt - tokens->cached - tokens->cache_written;
    take(tokens, MOOT_TOKENS_PROMPT, &fresh, moot__json_get(usage, names->input));
    take(tokens, MOOT_TOKENS_CACHED, &tokens->cached, moot__json_get(usage, names->cache_read));
    take(tokens, MOOT_TOKENS_CACHE_WRITTEN, &tokens->cache_written,
         moot__json_get(usage, names->cache_write));
    take(tokens, MOOT_TOKENS_COMPLETION, &tokens->completion, moot__json_get(usage, names->output));
    if (names->details)
        take(tokens, MOOT_TOKENS_REASONING, &tokens->reasoning,
             moot__json_get(moot__json_get(usage, names->details), names->reasoning));
    tokens->prompt = add(add(fresh, tokens->cached), tokens->cache_written);
    add_up(tokens);
}

uint64_t moot__estimate_tokens(uint64_t bytes)
{
    /* bytes / 3.6 in whole numbers */
    return bytes > UINT64_MAX / 10 ? UINT64_MAX / 36 : (bytes * 10 + 35) / 36;
}

/* Strings below a value, for content that is not text: parts, tool calls. */
static uint64_t json_bytes(const struct moot_json *json)
{
    if (!json)
        return 0;
    if (json->type != MOOT_JSON_ARRAY && json->type != MOOT_JSON_OBJECT)
        return moot__json_is_string(json) || moot__json_is_number(json) ? json->text.len : 0;
    uint64_t bytes = 0;
    for (const struct moot_json *child = json->child; child; child = child->next)
        bytes = add(bytes, add(child->key.len, json_bytes(child)));
    return bytes;
}

uint64_t moot__estimate_turns(struct moot_turns turns)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < turns.count; i++) {
        const struct moot_turn *turn = &turns.items[i];
        uint64_t bytes = add(turn->content.len, turn->name.len);
        if (turn->extra) /* the whole message object, content included */
            bytes = json_bytes(turn->extra);
        else if (turn->content_json)
            bytes = add(turn->name.len, json_bytes(turn->content_json));
        tokens = add(tokens, add(moot__estimate_tokens(bytes), TURN_TOKENS));
    }
    return tokens;
}
