/* What a user may rely on, looked at from both ends: the provider's receipts are the truth about
 * what was sent and billed, the outcomes are what the engine says. A receipt may be written after
 * the client has its answer, so the two are laid side by side once all is over. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/emulator/answer.h"
#include "engine/base/check.h"
#include "engine/base/view.h"
#include "world.h"

/* How far apart the times may be at which requests that were paced evenly arrive: they wait for
 * names and connections. */
#define ARRIVAL_SPREAD_S 5
#define MINUTE_NS        (60 * MOOT_NS_PER_S)

/* Deadlines are met with the lateness that a turn may have. */
#define OVERSHOOT_NS (50 * MOOT_NS_PER_MS)

void world_fail(struct world *world, const char *format, ...)
{
    if (world->has_failed)
        return; /* what follows a failure is noise */
    world->has_failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure, sizeof world->failure, format, args);
    va_end(args);
}

uint64_t world_hash(struct moot_view text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

struct moot_view world_find(struct moot_view text, const char *part)
{
    size_t len = strlen(part);
    while (text.len >= len) {
        const char *first = memchr(text.ptr, part[0], text.len - len + 1);
        if (!first)
            break;
        text.len -= (size_t)(first - text.ptr);
        text.ptr = first;
        if (memcmp(first, part, len) == 0)
            return text;
        text.len--;
        text.ptr++;
    }
    return moot__view(NULL, 0);
}

void world_check_said(struct world *world, const char *where, struct moot_view text)
{
    if (world_find(text, WORLD_CANARY).ptr)
        world_fail(world, "the key is in %s", where);
}

bool world_is_muddled(const struct world *world)
{
    return moot__sim_corruptions(world->sim) > 0 || world->doubled > 0;
}

/* ---- the provider's side ---- */

/* Requests that reach the provider in a minute, where the network does not bunch them. */
static void check_rate(struct world *world)
{
    const struct world_plan *plan = &world->plan;
    uint64_t now_ns = moot__sim_now_ns(world->sim), count = 0;
    uint64_t kept = world->arrival_count < WORLD_ARRIVALS ? world->arrival_count : WORLD_ARRIVALS;
    for (; count < kept; count++)
        if (world->arrivals[(world->arrival_count - 1 - count) % WORLD_ARRIVALS] + MINUTE_NS <=
            now_ns)
            break;
    uint64_t budgets = plan->is_shared ? 1 : plan->engines;
    uint64_t most = budgets * (plan->rpm + plan->rpm * (1 + ARRIVAL_SPREAD_S) / 60 + 2);
    if (count > most)
        world_fail(world, "%llu requests in a minute, of %llu a minute allowed",
                   (unsigned long long)count, (unsigned long long)(budgets * plan->rpm));
}

void world_check_step(struct world *world)
{
    const struct moot_emulator_ledger *ledger;
    if (!world->server)
        return;
    ledger = moot_emulator_ledger(moot__emulator_server_emulator(world->server));
    if (ledger->requests == world->arrival_count)
        return;
    world->doubled = ledger->faults[MOOT_EMULATOR_FAULT_TWO_ANSWERS];
    while (world->arrival_count < ledger->requests)
        world->arrivals[world->arrival_count++ % WORLD_ARRIVALS] = moot__sim_now_ns(world->sim);
    if (world->plan.rpm && world->plan.sim.faults.stall == 0 && !world_is_muddled(world))
        check_rate(world);
}

/* ---- the engine's side ---- */

/* "ENDPOINT heard: LAST", cut to so many tokens. */
static bool is_echo(const struct world_talk *talk, unsigned role, struct moot_view text)
{
    char expected[1024];
    const char *last = role == 0 ? talk->question : "Better please.";
    int len = snprintf(expected, sizeof expected, "model-%u heard: %s", role, last);
    struct moot_view whole = moot__view(expected, (size_t)len);
    size_t at = 0;
    for (uint64_t n = 0; n < talk->world->plan.max_tokens && at < whole.len; n++)
        at = moot__emulator_token_end(whole, at);
    return moot__view_eq(text, moot__view(expected, at));
}

static void check_texts(struct world_talk *talk, const struct moot_outcome *outcome)
{
    struct world *world = talk->world;
    const struct moot_error_info *error = &outcome->error;
    world_check_said(world, "an error's message", moot__view_str(error->message));
    world_check_said(world, "a provider's code", moot__view_str(error->provider_code));
    world_check_said(world, "an answer", outcome->text);
    if (error->code == MOOT_OK) {
        if (outcome->reply_count != world->plan.roles)
            world_fail(world, "talk %u is answered, but %zu of %u roles spoke", talk->number,
                       outcome->reply_count, world->plan.roles);
        else if (!moot__view_eq(outcome->text, outcome->replies[world->plan.roles - 1].text))
            world_fail(world, "talk %u: the answer is not the last role's", talk->number);
        return;
    }
    if (error->message[0] == '\0')
        world_fail(world, "talk %u failed with %s and no message", talk->number,
                   moot_error_name(error->code));
    if (error->code == MOOT_ENOMEM && (!world->plan.fail_at || talk->is_last))
        world_fail(world, "talk %u: no memory, but memory did not fail", talk->number);
    if (error->code == MOOT_ECANCELED && !talk->cancelled_ns && !world->is_closing)
        world_fail(world, "talk %u was cancelled by nobody", talk->number);
}

static void check_cancelled_at_once(struct world_talk *talk)
{
    if (talk->cancelled_ns && talk->done_ns - talk->cancelled_ns > OVERSHOOT_NS)
        world_fail(talk->world, "talk %u was cancelled %.3f s before its end", talk->number,
                   (double)(talk->done_ns - talk->cancelled_ns) / 1e9);
}

static void check_work_limit(struct world_talk *talk)
{
    uint64_t span_ns = talk->done_ns - talk->began_ns;
    uint64_t work_ns = moot__ns_until(talk->waited_ns, span_ns);
    if (talk->waited_ns > span_ns + OVERSHOOT_NS)
        world_fail(talk->world, "talk %u waited longer than it lasted", talk->number);
    else if (talk->work_limit_ns && work_ns > talk->work_limit_ns + OVERSHOOT_NS)
        world_fail(talk->world, "talk %u was at work for %.3f s, its limit is %.3f s", talk->number,
                   (double)work_ns / 1e9, (double)talk->work_limit_ns / 1e9);
}

void world_check_outcome(struct world_talk *talk, const struct moot_outcome *outcome)
{
    talk->error = outcome->error;
    talk->possible_duplicate = outcome->possible_duplicate;
    talk->reply_count = outcome->reply_count;
    talk->waited_ns = outcome->waited_ns;
    talk->usage = outcome->usage;
    for (unsigned i = 0; i < outcome->reply_count && i < WORLD_ROLES; i++) {
        const struct moot_agent_reply *reply = &outcome->replies[i];
        struct world_turn *turn = &talk->turns[i];
        turn->is_answered = true;
        turn->text_hash = world_hash(reply->text);
        turn->is_echo = is_echo(talk, i, reply->text);
        turn->usage = reply->usage;
        turn->possible_duplicate = reply->possible_duplicate;
    }
    check_texts(talk, outcome);
    check_work_limit(talk);
    check_cancelled_at_once(talk);
}

/* ---- both ---- */

/* Faults that change the text on purpose. */
static bool may_differ(const struct world_turn *turn)
{
    for (unsigned i = 0; i < turn->billed && i < WORLD_RECEIPTS; i++)
        if (turn->receipts[i].fault == MOOT_EMULATOR_FAULT_SURROGATES ||
            turn->receipts[i].fault == MOOT_EMULATOR_FAULT_NULL_CONTENT)
            return true;
    return turn->billed > WORLD_RECEIPTS;
}

/* The receipt of an answer that was sent to its end and is the one that the engine has. */
static const struct world_receipt *find_receipt(const struct world_turn *turn)
{
    for (unsigned i = 0; i < turn->billed && i < WORLD_RECEIPTS; i++)
        if (turn->receipts[i].text_hash == turn->text_hash &&
            turn->receipts[i].tokens_out == turn->receipts[i].tokens)
            return &turn->receipts[i];
    return NULL;
}

/* Whether each attempt that may have given the answer said what it used: of several with one text
 * nobody can tell which it was. */
static bool has_told_usage(const struct world_turn *turn)
{
    for (unsigned i = 0; i < turn->billed && i < WORLD_RECEIPTS; i++)
        if (turn->receipts[i].fault == MOOT_EMULATOR_FAULT_NO_USAGE)
            return false;
    return turn->usage.known;
}

static void check_answered_turn(const struct world_talk *talk, unsigned role)
{
    struct world *world = talk->world;
    const struct world_turn *turn = &talk->turns[role];
    const struct world_receipt *receipt = find_receipt(turn);
    if (may_differ(turn) || world->corruptions || world->doubled)
        return;
    if (!receipt)
        world_fail(world, "talk %u, role %u: this answer was never sent whole", talk->number, role);
    else if (has_told_usage(turn) && /* attempts before may have said theirs */
             (turn->usage.input_tokens < receipt->tokens_in ||
              turn->usage.output_tokens < receipt->tokens))
        world_fail(world, "talk %u, role %u: usage %llu+%llu, the provider counted %llu+%llu",
                   talk->number, role, (unsigned long long)turn->usage.input_tokens,
                   (unsigned long long)turn->usage.output_tokens,
                   (unsigned long long)receipt->tokens_in, (unsigned long long)receipt->tokens);
    if (world->plan.emulator.answer == MOOT_EMULATOR_ECHO && !turn->is_echo)
        world_fail(world, "talk %u, role %u: the answer is not that of its question", talk->number,
                   role);
    if (talk->wants_tokens && !turn->is_shown_right)
        world_fail(world, "talk %u, role %u: the tokens shown are not the answer", talk->number,
                   role);
}

/* The roles' sum, and what attempts of a role that gave no answer may have said. */
static void check_usage(const struct world_talk *talk)
{
    const struct world *world = talk->world;
    uint64_t input = 0, output = 0, more_input = 0, more_output = 0;
    for (unsigned role = 0; role < world->plan.roles; role++) {
        const struct world_turn *turn = &talk->turns[role];
        input += turn->usage.input_tokens;
        output += turn->usage.output_tokens;
        more_input += turn->is_answered ? 0 : turn->books.tokens_in;
        more_output += turn->is_answered ? 0 : turn->books.tokens_out;
    }
    bool is_more = talk->usage.input_tokens > input + more_input ||
                   talk->usage.output_tokens > output + more_output;
    if (talk->usage.input_tokens < input || talk->usage.output_tokens < output ||
        (is_more && !world->corruptions && !world->doubled))
        world_fail(talk->world, "talk %u: its usage is not the sum of its roles'", talk->number);
}

static void check_talk(struct world_talk *talk)
{
    struct world *world = talk->world;
    if (talk->has_begun && !talk->refused && talk->done != 1)
        world_fail(world, "talk %u was done %u times", talk->number, talk->done);
    if (talk->done != 1)
        return;
    for (unsigned role = 0; role < world->plan.roles; role++) {
        const struct world_turn *turn = &talk->turns[role];
        if (turn->is_answered)
            check_answered_turn(talk, role);
        if (turn->possible_duplicate && !talk->possible_duplicate)
            world_fail(world, "talk %u: role %u is marked, the outcome is not", talk->number, role);
    }
    check_usage(talk);
    /* A provider that takes few connections is still that. */
    bool must_be_answered = talk->is_last && !world->plan.connections_max;
    if (must_be_answered && talk->error.code && talk->error.code != MOOT_ECANCELED)
        world_fail(world, "talk %u began when all was well again, and failed: %s: %s", talk->number,
                   moot_error_name(talk->error.code), talk->error.message);
}

void world_check_end(struct world *world)
{
    for (unsigned i = 0; i < world->plan.talks; i++)
        check_talk(&world->talks[i]);
    uint64_t published = moot__ring_pending(&world->ring); /* of a ring that nobody reads: all */
    assert(published <= world->ring.capacity);
    world_check_said(world, "a span",
                     moot__view((const char *)world->ring.data, (size_t)published));
    size_t live = moot__failing_alloc_live(&world->memory);
    size_t provider_live = moot__failing_alloc_live(&world->provider_memory);
    if (live || provider_live)
        world_fail(world, "%zu blocks of the engines and %zu of the provider are left", live,
                   provider_live);
}
