/* Answers that are cut: at a drawn place before their end, in drawn pieces, by every kind of end,
 * over every dialect, framing and protocol. None may be a success, what was said up to there must
 * be told, unspoiled, and no text that never was. Every tenth answer is whole, and must be told
 * whole.
 *
 *     moot-cuts [--cuts N] [--seed S]
 *
 * A failure prints the number of its case; the same seed meets it again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "engine/base/check.h"
#include "provider.h"
#include "tests/support/test.h"

enum { CASES_AN_ENGINE = 200, CODES = 64 };

static const char *const dialects[] = {"openai", "databricks"};

struct run {
    struct moot_rng rng;
    struct tls_fixture fixture;
    char ca_file[32];
    unsigned long number, cuts, wholes, tls;
    unsigned long codes[CODES]; /* by -code */
};

struct cut_case {
    struct answer answer;
    size_t cut; /* bytes that are sent */
    enum provider_end end;
    size_t piece;
    bool is_whole;
};

static unsigned draw(struct run *run, unsigned bound)
{
    return (unsigned)moot__rng_below(&run->rng, bound);
}

static void draw_case(struct run *run, struct cut_case *cut, bool has_tls)
{
    static const size_t pieces[] = {1, 7, 100, 100000};
    answer_draw(&cut->answer, &run->rng, draw(run, 2),
                (enum answer_framing)draw(run, ANSWER_FRAMINGS));
    cut->piece = pieces[draw(run, moot__countof(pieces))];
    cut->is_whole = draw(run, 10) == 0;
    cut->end = (enum provider_end)draw(run, PROVIDER_ENDS);
    cut->cut = cut->is_whole ? cut->answer.wire.len : draw(run, (unsigned)cut->answer.needed);
    if (cut->is_whole)
        cut->end = PROVIDER_FIN;
    /* Of a body that ends with the connection, the end is a part: all bytes and no close_notify,
     * or an RST, or silence, are a cut as well. */
    bool ends_with_it = cut->answer.framing == ANSWER_UNTIL_END && !cut->answer.is_stream;
    if (ends_with_it && !cut->is_whole && draw(run, 4) == 0 &&
        (has_tls ? cut->end != PROVIDER_FIN : cut->end == PROVIDER_RESET))
        cut->cut = cut->answer.wire.len;
}

static void describe(const struct run *run, const struct cut_case *cut,
                     const struct provider_outcome *outcome)
{
    static const char *const ends[] = {"FIN", "RST", "FIN without close_notify", "silence"};
    fprintf(stderr,
            "case %lu: %s, framing %d, %zu of %zu bytes (%zu needed) in pieces of %zu, %s: %s "
            "(%s), \"%.*s\"\n",
            run->number, cut->answer.is_stream ? "stream" : "whole", (int)cut->answer.framing,
            cut->cut, cut->answer.wire.len, cut->answer.needed, cut->piece, ends[cut->end],
            moot_error_name(outcome->error.code), outcome->error.message, (int)outcome->text.len,
            outcome->text.data);
}

static void print_difference(const char *what, struct moot_view said, struct moot_view got)
{
    size_t at = 0;
    while (at < said.len && at < got.len && said.ptr[at] == got.ptr[at])
        at++;
    fprintf(stderr, "    %s: %zu of %zu bytes are right; then", what, at, got.len);
    for (size_t i = at; i < got.len && i < at + 8; i++)
        fprintf(stderr, " %02x", (unsigned)(unsigned char)got.ptr[i]);
    fprintf(stderr, " instead of");
    for (size_t i = at; i < said.len && i < at + 8; i++)
        fprintf(stderr, " %02x", (unsigned)(unsigned char)said.ptr[i]);
    fprintf(stderr, "\n");
}

static bool begins_with(struct moot_view whole, struct moot_view part)
{
    return part.len <= whole.len && (part.len == 0 || memcmp(whole.ptr, part.ptr, part.len) == 0);
}

/* Without the U+FFFD that stands for half a character at its end. */
static struct moot_view without_half(struct moot_view text)
{
    bool has_half = text.len >= 3 && memcmp(text.ptr + text.len - 3, "\xEF\xBF\xBD", 3) == 0;
    return moot__view(text.ptr, text.len - (has_half ? 3 : 0));
}

static bool is_right(const struct cut_case *cut, const struct provider_outcome *outcome)
{
    struct moot_view said = moot__buf_view(&cut->answer.text);
    struct moot_view told = moot__buf_view(&outcome->text);
    if (!cut->is_whole && !begins_with(said, told))
        told = without_half(told);
    struct moot_view shown = moot__buf_view(&outcome->tokens);
    if (!begins_with(said, told) || !begins_with(said, shown))
        return false;
    if (cut->is_whole)
        return outcome->error.code == MOOT_OK && told.len == said.len &&
               (!cut->answer.is_stream || shown.len == said.len);
    return outcome->error.code != MOOT_OK && outcome->error.message[0];
}

static bool live_case(struct run *run, struct provider *provider)
{
    struct cut_case cut;
    static const size_t chunks[] = {0, 0, 1, 50};
    draw_case(run, &cut, provider->tls != NULL);
    provider->net.chunk_max = chunks[draw(run, moot__countof(chunks))];
    provider_ask(provider, cut.answer.is_stream);
    provider_answer(provider, moot__view(cut.answer.wire.data, cut.cut), cut.piece, cut.end);
    const struct provider_outcome *outcome = &provider->outcome;
    bool right = is_right(&cut, outcome);
    if (!right) {
        describe(run, &cut, outcome);
        print_difference("told", moot__buf_view(&cut.answer.text), moot__buf_view(&outcome->text));
        print_difference("shown", moot__buf_view(&cut.answer.text),
                         moot__buf_view(&outcome->tokens));
    }
    if (cut.is_whole)
        run->wholes++;
    else
        run->cuts++;
    run->tls += provider->tls != NULL;
    if (!cut.is_whole && -outcome->error.code < CODES)
        run->codes[-outcome->error.code]++;
    answer_deinit(&cut.answer);
    return right;
}

static void make_authority(struct run *run)
{
    const struct moot_view name = MOOT_VIEW("127.0.0.1");
    tls_mint_for(&run->fixture, &name, 1, (struct moot_view){0});
    snprintf(run->ca_file, sizeof run->ca_file, "moot-cuts-XXXXXX");
    int fd = mkstemp(run->ca_file);
    assert_true(fd >= 0);
    size_t len = strlen(run->fixture.minted.ca_pem);
    assert_int_equal(write(fd, run->fixture.minted.ca_pem, len), len);
    close(fd);
}

/* One case in eight is over TLS, whose sessions are resumed. */
static unsigned long live(struct run *run, unsigned long cuts)
{
    static struct provider provider;
    unsigned long wrong = 0;
    for (unsigned long engine = 0; run->cuts < cuts; engine++) {
        bool has_tls = engine % 8 == 7;
        provider_open(&provider, dialects[engine % moot__countof(dialects)],
                      has_tls ? &run->fixture : NULL, has_tls ? run->ca_file : NULL);
        for (unsigned i = 0; i < CASES_AN_ENGINE && run->cuts < cuts; i++, run->number++)
            wrong += !live_case(run, &provider);
        provider_close(&provider);
    }
    return wrong;
}

static void report(const struct run *run, unsigned long wrong)
{
    printf("%lu cuts, none a success; %lu whole answers; %lu of them all over TLS; %lu wrong\n",
           run->cuts, run->wholes, run->tls, wrong);
    for (int code = 0; code < CODES; code++)
        if (run->codes[code])
            printf("%8lu %s\n", run->codes[code], moot_error_name(-code));
}

static void all_cuts(void **state)
{
    struct run *run = *state;
    unsigned long cuts = run->cuts;
    run->cuts = 0;
    make_authority(run);
    unsigned long wrong = live(run, cuts);
    report(run, wrong);
    tls_fixture_deinit(&run->fixture);
    unlink(run->ca_file);
    assert_int_equal(wrong, 0);
    assert_int_equal(run->codes[0], 0);
}

int main(int argc, char **argv)
{
    static struct run run = {.cuts = 3000};
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cuts") == 0)
            run.cuts = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    moot__rng_init(&run.rng, seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(all_cuts, &run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
