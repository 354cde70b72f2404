/* Quotas. Costs are turned into time (cost * window / limit) in 128 bits, so that no rounding adds
 * up over a long run. */
#include "quota.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t cost_ns(const struct moot_emulator_meter *meter, uint64_t cost)
{
    assert(meter->limit > 0 && meter->window_ns > 0);
    wide ns = (wide)cost * meter->window_ns / meter->limit;
    return ns > MOOT_NEVER_NS ? MOOT_NEVER_NS : (uint64_t)ns;
}

static uint64_t window_start(const struct moot_emulator_meter *meter, uint64_t now_ns)
{
    return now_ns - now_ns % meter->window_ns;
}

static uint64_t fixed_used(const struct moot_emulator_meter *meter, uint64_t now_ns)
{
    return meter->mark_ns == window_start(meter, now_ns) ? meter->used : 0;
}

uint64_t moot__emulator_meter_reset_ns(const struct moot_emulator_meter *meter, uint64_t now_ns)
{
    if (meter->limit == 0)
        return 0;
    if (meter->window == MOOT_EMULATOR_SLIDING)
        return moot__ns_until(now_ns, meter->mark_ns);
    return fixed_used(meter, now_ns) ? window_start(meter, now_ns) + meter->window_ns - now_ns : 0;
}

uint64_t moot__emulator_meter_remaining(const struct moot_emulator_meter *meter, uint64_t now_ns)
{
    if (meter->limit == 0)
        return 0;
    if (meter->window == MOOT_EMULATOR_FIXED) {
        uint64_t used = fixed_used(meter, now_ns);
        return used < meter->limit ? meter->limit - used : 0;
    }
    uint64_t behind = moot__ns_until(now_ns, meter->mark_ns);
    if (behind >= meter->window_ns)
        return 0;
    return (uint64_t)((wide)(meter->window_ns - behind) * meter->limit / meter->window_ns);
}

/* How long until `cost` fits; 0 is now. */
static uint64_t wait_for(const struct moot_emulator_meter *meter, uint64_t cost, uint64_t now_ns)
{
    if (meter->limit == 0 || cost == 0)
        return 0;
    if (cost > meter->limit)
        return MOOT_NEVER_NS;
    if (meter->window == MOOT_EMULATOR_FIXED)
        return fixed_used(meter, now_ns) + cost <= meter->limit
                   ? 0
                   : window_start(meter, now_ns) + meter->window_ns - now_ns;
    uint64_t behind = moot__ns_add(moot__ns_until(now_ns, meter->mark_ns), cost_ns(meter, cost));
    return moot__ns_until(meter->window_ns, behind);
}

static void take(struct moot_emulator_meter *meter, uint64_t cost, uint64_t now_ns)
{
    if (meter->limit == 0)
        return;
    if (meter->window == MOOT_EMULATOR_FIXED) {
        meter->used = fixed_used(meter, now_ns) + cost;
        meter->mark_ns = window_start(meter, now_ns);
        return;
    }
    uint64_t from = meter->mark_ns > now_ns ? meter->mark_ns : now_ns;
    meter->mark_ns = moot__ns_add(from, cost_ns(meter, cost));
}

static void give_back(struct moot_emulator_meter *meter, uint64_t cost, uint64_t now_ns)
{
    if (meter->limit == 0)
        return;
    if (meter->window == MOOT_EMULATOR_FIXED) { /* an earlier window's tokens are gone anyway */
        uint64_t used = fixed_used(meter, now_ns);
        meter->used = used > cost ? used - cost : 0;
        meter->mark_ns = window_start(meter, now_ns);
        return;
    }
    uint64_t ns = cost_ns(meter, cost);
    meter->mark_ns = meter->mark_ns > ns ? meter->mark_ns - ns : 0;
}

void moot__emulator_meters_init(struct moot_emulator_meters *meters,
                                const struct moot_emulator_quota *quota)
{
    const uint64_t limits[MOOT_EMULATOR_METERS] = {quota->rpm, quota->tpm, quota->itpm,
                                                   quota->otpm};
    for (unsigned i = 0; i < MOOT_EMULATOR_METERS; i++)
        meters->meter[i] = (struct moot_emulator_meter){
            .limit = limits[i],
            .window = quota->window,
            .window_ns = quota->window_ns ? quota->window_ns : 60 * MOOT_NS_PER_S,
        };
}

bool moot__emulator_meters_admit(struct moot_emulator_meters *meters, uint64_t input,
                                 uint64_t output, uint64_t now_ns,
                                 enum moot_emulator_meter_kind *kind, uint64_t *wait_ns)
{
    const uint64_t costs[MOOT_EMULATOR_METERS] = {1, moot__ns_add(input, output), input, output};
    *wait_ns = 0;
    *kind = MOOT_EMULATOR_REQUESTS;
    for (unsigned i = 0; i < MOOT_EMULATOR_METERS; i++) {
        uint64_t wait = wait_for(&meters->meter[i], costs[i], now_ns);
        if (wait > *wait_ns) {
            *wait_ns = wait;
            *kind = (enum moot_emulator_meter_kind)i;
        }
    }
    if (*wait_ns)
        return false;
    for (unsigned i = 0; i < MOOT_EMULATOR_METERS; i++)
        take(&meters->meter[i], costs[i], now_ns);
    return true;
}

void moot__emulator_meters_settle(struct moot_emulator_meters *meters, uint64_t reserved,
                                  uint64_t used, uint64_t now_ns)
{
    static const enum moot_emulator_meter_kind kinds[] = {MOOT_EMULATOR_TOKENS,
                                                          MOOT_EMULATOR_OUTPUT};
    for (unsigned i = 0; i < moot__countof(kinds); i++) {
        struct moot_emulator_meter *meter = &meters->meter[kinds[i]];
        if (used > reserved)
            take(meter, used - reserved, now_ns);
        else
            give_back(meter, reserved - used, now_ns);
    }
}
