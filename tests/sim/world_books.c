/* What was billed, kept twice: by the provider's ledger and receipts, and by the engines' usage.
 *
 * With R(t) the sum over the receipts of turn t (one role of one conversation), U(t) the usage that
 * the engine gives for it (of all its attempts, as far as they said), and a turn "marked" when the
 * engine calls it a possible duplicate, these hold to the token, for input and output alike:
 *
 *   ledger = sum of R(t)           the provider's two books agree;
 *   stats  = sum of U(t)           an engine's counters are the sum of its outcomes' usage;
 *   R(t)   = U(t), not marked      an answer was billed once, and a turn without one not at all;
 *   R(t)  >= U(t), marked          an attempt that was billed may not have lived to say so, but
 * none says more than it was billed; so that ledger - stats = sum of R(t) - U(t) over the marked
 * turns, and 0 where none is marked.
 *
 * A turn whose answer came without usage has U(t) = 0 and is known for it: there R(t) must be one
 * receipt, if it is not marked. What attempts of a turn that was not answered said is in the usage
 * of the outcome alone, so that the last two are checked for it as bounds (world_check.c).
 *
 * The third is the promise to the user: whatever may have been billed twice, or for nothing, is
 * marked. It is why a request whose bytes left is marked even if nothing ever arrives. Where bytes
 * were corrupted a request may be billed to a turn that nobody asked for, so there only the first
 * two hold. */
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/view.h"
#include "world.h"

/* Questions begin with "#NUMBER.", endpoints end in the number of the role. */
static struct world_turn *find_turn(struct world *world,
                                    const struct moot_emulator_receipt *receipt)
{
    struct moot_view mark = world_find(receipt->body, "\"#");
    unsigned talk = mark.ptr ? (unsigned)strtoul(mark.ptr + 2, NULL, 10) : WORLD_TALKS_ALL;
    unsigned role = receipt->endpoint.len
                        ? (unsigned)(receipt->endpoint.ptr[receipt->endpoint.len - 1] - '0')
                        : WORLD_ROLES;
    if (talk >= world->plan.talks || role >= world->plan.roles)
        return NULL;
    return &world->talks[talk].turns[role];
}

static void enter(struct world_books *books, const struct moot_emulator_receipt *receipt)
{
    books->billed++;
    books->tokens_in += receipt->tokens_in;
    books->tokens_out += receipt->tokens_out;
}

void world_take_receipt(void *context, const struct moot_emulator_receipt *receipt)
{
    struct world *world = context;
    struct world_turn *turn = find_turn(world, receipt);
    if (!turn && !world_is_muddled(world))
        world_fail(world, "request %llu belongs to no turn", (unsigned long long)receipt->request);
    if (!receipt->is_billed)
        return;
    enter(&world->books, receipt);
    if (!turn)
        return;
    enter(&turn->books, receipt);
    if (turn->billed < WORLD_RECEIPTS)
        turn->receipts[turn->billed] = (struct world_receipt){
            .text_hash = world_hash(receipt->text),
            .tokens = receipt->tokens,
            .tokens_in = receipt->tokens_in,
            .tokens_out = receipt->tokens_out,
            .fault = receipt->fault,
        };
    turn->billed++;
}

/* The first equation. The provider bills an answer when its account is closed, so that none that is
 * still open is in either book. */
void world_check_ledger(struct world *world)
{
    const struct moot_emulator_ledger *ledger =
        moot_emulator_ledger(moot__emulator_server_emulator(world->server));
    const struct world_books *books = &world->books;
    if (ledger->billed != books->billed || ledger->tokens_in != books->tokens_in ||
        ledger->tokens_out != books->tokens_out)
        world_fail(world,
                   "the ledger has %llu answers, %llu+%llu tokens; the receipts %llu,"
                   " %llu+%llu",
                   (unsigned long long)ledger->billed, (unsigned long long)ledger->tokens_in,
                   (unsigned long long)ledger->tokens_out, (unsigned long long)books->billed,
                   (unsigned long long)books->tokens_in, (unsigned long long)books->tokens_out);
    uint64_t calls = 0;
    for (unsigned i = 0; i < world->plan.engines; i++)
        calls += world->stats[i].calls;
    if (!world_is_muddled(world) && ledger->requests > calls)
        world_fail(world, "%llu requests came of %llu calls", (unsigned long long)ledger->requests,
                   (unsigned long long)calls);
}

/* The third and the fourth. */
static void check_turn(const struct world_talk *talk, unsigned role)
{
    struct world *world = talk->world;
    const struct world_turn *turn = &talk->turns[role];
    const struct world_books *books = &turn->books;
    const struct moot_usage *usage = &turn->usage;
    bool is_marked = turn->is_answered ? turn->possible_duplicate
                                       : talk->possible_duplicate || talk->error.possible_duplicate;
    bool is_told = turn->is_answered && usage->known;
    bool is_less =
        books->tokens_in < usage->input_tokens || books->tokens_out < usage->output_tokens;
    bool is_equal =
        books->tokens_in == usage->input_tokens && books->tokens_out == usage->output_tokens;
    if (is_told && is_less)
        world_fail(world, "talk %u, role %u: usage %llu+%llu, but only %llu+%llu were billed",
                   talk->number, role, (unsigned long long)usage->input_tokens,
                   (unsigned long long)usage->output_tokens, (unsigned long long)books->tokens_in,
                   (unsigned long long)books->tokens_out);
    else if (!is_marked && turn->billed != (turn->is_answered ? 1 : 0))
        world_fail(world, "talk %u, role %u was billed %u times%s and is not marked", talk->number,
                   role, turn->billed, turn->is_answered ? "" : " without an answer");
    else if (!is_marked && is_told && !is_equal)
        world_fail(world, "talk %u, role %u: usage %llu+%llu, billed %llu+%llu, not marked",
                   talk->number, role, (unsigned long long)usage->input_tokens,
                   (unsigned long long)usage->output_tokens, (unsigned long long)books->tokens_in,
                   (unsigned long long)books->tokens_out);
}

/* The second. */
static void check_stats(struct world *world, unsigned engine)
{
    const struct moot_engine_stats *stats = &world->stats[engine];
    uint64_t input = 0, output = 0;
    for (unsigned i = 0; i < world->plan.talks; i++) {
        const struct world_talk *talk = &world->talks[i];
        if (talk->engine != engine || !talk->done)
            continue;
        input += talk->usage.input_tokens;
        output += talk->usage.output_tokens;
    }
    if (stats->input_tokens != input || stats->output_tokens != output)
        world_fail(world, "engine %u counted %llu+%llu tokens, its outcomes %llu+%llu", engine,
                   (unsigned long long)stats->input_tokens,
                   (unsigned long long)stats->output_tokens, (unsigned long long)input,
                   (unsigned long long)output);
}

void world_check_books(struct world *world)
{
    for (unsigned i = 0; i < world->plan.engines; i++)
        check_stats(world, i);
    if (world->corruptions || world->doubled)
        return;
    for (unsigned i = 0; i < world->plan.talks; i++)
        for (unsigned role = 0; role < world->plan.roles && world->talks[i].done == 1; role++)
            check_turn(&world->talks[i], role);
}
