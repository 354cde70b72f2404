/* Every place at which an answer full of Unicode can be split in two, and in three for a short one:
 * the text comes out byte for byte, streamed and whole, in every framing; what is shown while it
 * comes is valid UTF-8 at every moment. */
#include "tests/support/test.h"

#include <string.h>

#include "answers.h"
#include "engine/base/check.h"
#include "engine/base/utf8.h"
#include "provider.h"

static void check(struct provider *provider, const struct answer *answer)
{
    const struct provider_outcome *outcome = &provider->outcome;
    assert_int_equal(outcome->error.code, MOOT_OK);
    assert_int_equal(outcome->text.len, answer->text.len);
    assert_memory_equal(outcome->text.data, answer->text.data, answer->text.len);
    assert_int_equal(outcome->tokens.len, answer->text.len);
    assert_memory_equal(outcome->tokens.data, answer->text.data, answer->text.len);
}

/* Send up to `at`, see what is shown, send the rest. */
static void answer_split(struct provider *provider, const struct answer *answer, size_t at)
{
    provider_ask(provider, answer->is_stream);
    assert_true(memnet_run_until(&provider->net, &provider->peer.asked, 1));
    struct moot_stream *stream = provider->peer.stream;
    if (at)
        assert_int_equal(moot__stream_write(stream, answer->wire.data, at), at);
    memnet_run_idle(&provider->net);
    struct moot_view shown = moot__buf_view(&provider->outcome.tokens);
    assert_true(moot__utf8_valid(shown));
    assert_true(shown.len <= answer->text.len);
    assert_true(shown.len == 0 || memcmp(shown.ptr, answer->text.data, shown.len) == 0);
    struct moot_view rest = {answer->wire.data + at, answer->wire.len - at};
    if (provider->outcome.done)
        rest.len = 0; /* all that mattered was there */
    provider_answer(provider, rest, 1 << 20, PROVIDER_FIN);
    check(provider, answer);
}

static void every_place(void **state)
{
    (void)state;
    static struct provider provider;
    struct moot_rng rng;
    unsigned splits = 0;
    moot__rng_init(&rng, 5);
    provider_open(&provider, "openai", NULL, NULL);
    for (int round = 0; round < 2 * ANSWER_FRAMINGS; round++) {
        struct answer answer;
        answer_draw(&answer, &rng, round % 2, (enum answer_framing)(round / 2));
        for (size_t at = 0; at < answer.wire.len; at++, splits++)
            answer_split(&provider, &answer, at);
        answer_deinit(&answer);
    }
    provider_close(&provider);
    print_message("%u splits\n", splits);
}

/* Bytes one by one, and pieces of two, three and four bytes, which no character survives whole. */
static void every_small_piece(void **state)
{
    (void)state;
    static struct provider provider;
    struct moot_rng rng;
    moot__rng_init(&rng, 6);
    provider_open(&provider, "databricks", NULL, NULL);
    for (size_t piece = 1; piece <= 4; piece++) {
        provider.net.chunk_max = piece;
        for (int round = 0; round < 10 * ANSWER_FRAMINGS; round++) {
            struct answer answer;
            answer_draw(&answer, &rng, round % 2, (enum answer_framing)(round % ANSWER_FRAMINGS));
            provider_ask(&provider, answer.is_stream);
            provider_answer(&provider, moot__buf_view(&answer.wire), piece, PROVIDER_FIN);
            check(&provider, &answer);
            answer_deinit(&answer);
        }
    }
    provider_close(&provider);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place),
        cmocka_unit_test(every_small_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
