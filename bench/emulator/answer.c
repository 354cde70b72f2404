/* Answers. Generated text is pseudo-Latin with a few words that are not ASCII, so that every long
 * answer also tests two, three and four byte characters. */
#include "answer.h"

#include "engine/base/check.h"

enum { GOLDEN_CHARACTERS = 60 };

static const char *const words[] = {
    "lorem", "ipsum",   "dolor", "sit",   "amet",   "caf\u00e9", "elit", "sed",  "do",
    "magna", "tempor",  "ut",    "enim",  "minim",  "veniam",    "quis", "nisi", "ex",
    "ea",    "commodo", "aute",  "irure", "\u6771", "velit",     "esse", "eu",   "fugiat",
    "nulla", "sint",    "non",   "culpa", "qui",    "\u00fcber", "id",   "est",  "\U0001F600",
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

size_t moot__emulator_token_end(struct moot_view text, size_t from)
{
    assert(from < text.len);
    size_t at = from;
    while (at < text.len && is_space(text.ptr[at]))
        at++;
    while (at < text.len && !is_space(text.ptr[at]))
        at++;
    assert(at > from);
    return at;
}

uint64_t moot__emulator_count_tokens(struct moot_view text)
{
    uint64_t count = 0;
    for (size_t at = 0; at < text.len; count++)
        at = moot__emulator_token_end(text, at);
    return count;
}

struct moot_view moot__emulator_characters(struct moot_view text, size_t count)
{
    size_t at = 0;
    while (at < text.len) {
        bool begins_one = ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
        if (begins_one && count-- == 0)
            break;
        at++;
    }
    return moot__view(text.ptr, at);
}

static int generate(const struct moot_emulator *emulator, uint64_t number, struct moot_buf *out)
{
    const struct moot_emulator_options *options = &emulator->options;
    struct moot_rng rng;
    moot__emulator_draw(emulator, MOOT_EMULATOR_DRAW_TEXT, number, &rng);
    uint64_t spread = options->reply_tokens_max - options->reply_tokens_min + 1;
    uint64_t tokens = options->reply_tokens_min + moot__rng_below(&rng, spread);
    for (uint64_t i = 0; i < tokens; i++) {
        const char *word = words[moot__rng_below(&rng, moot__countof(words))];
        int rc = i ? moot__buf_append_byte(out, ' ') : MOOT_OK;
        if (rc == MOOT_OK)
            rc = moot__buf_append_str(out, word);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

static int append_three(struct moot_buf *out, struct moot_view a, struct moot_view b,
                        struct moot_view c)
{
    int rc = moot__buf_append_view(out, a);
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(out, b);
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(out, c);
    return rc;
}

static int golden(const struct moot_emulator_question *question, struct moot_buf *out)
{
    int rc = append_three(out, MOOT_VIEW("Answer from "), question->endpoint, MOOT_VIEW(" to: "));
    if (rc)
        return rc;
    return moot__buf_append_view(out, moot__emulator_characters(question->last, GOLDEN_CHARACTERS));
}

int moot__emulator_answer(const struct moot_emulator *emulator,
                          const struct moot_emulator_question *question, struct moot_buf *out)
{
    const struct moot_emulator_options *options = &emulator->options;
    switch (options->answer) {
    case MOOT_EMULATOR_GENERATED:
        return generate(emulator, question->number, out);
    case MOOT_EMULATOR_GOLDEN:
        return golden(question, out);
    case MOOT_EMULATOR_SCRIPTED:
        for (size_t i = 0; i < options->script_count; i++) {
            struct moot_view match = moot__view_str(options->scripts[i].match);
            if (moot__emulator_holds(question->last, match))
                return moot__buf_append_str(out, options->scripts[i].text);
        }
        break;
    case MOOT_EMULATOR_TOOL: /* no tool was offered */
    case MOOT_EMULATOR_ECHO:
        break;
    }
    return append_three(out, question->endpoint, MOOT_VIEW(" heard: "), question->last);
}
