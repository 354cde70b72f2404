#ifndef MOOT_EMULATOR_QUOTA_H
#define MOOT_EMULATOR_QUOTA_H

/* Quotas as providers keep them: one meter for requests, one for each kind of token. Pure; time is
 * an argument and never runs backwards. */
#include "emulator.h"

/* One limit over one window. SLIDING is GCRA with the whole limit as burst: `mark_ns` is the
 * theoretical arrival time. FIXED counts in windows that begin at multiples of the window. */
struct moot_emulator_meter {
    uint64_t limit; /* 0: none */
    uint64_t window_ns;
    enum moot_emulator_window window;
    uint64_t mark_ns; /* SLIDING: when it will be full again; FIXED: when the window began */
    uint64_t used;    /* FIXED */
};

enum moot_emulator_meter_kind {
    MOOT_EMULATOR_REQUESTS,
    MOOT_EMULATOR_TOKENS,
    MOOT_EMULATOR_INPUT,
    MOOT_EMULATOR_OUTPUT,
    MOOT_EMULATOR_METERS
};

struct moot_emulator_meters {
    struct moot_emulator_meter meter[MOOT_EMULATOR_METERS];
};

void moot__emulator_meters_init(struct moot_emulator_meters *meters,
                                const struct moot_emulator_quota *quota);

/* Take one request with its tokens from every meter, or from none. When refused: false, the meter
 * that refused longest in *kind, and the time after which it would admit in *wait_ns
 * (MOOT_NEVER_NS: it never can). */
bool moot__emulator_meters_admit(struct moot_emulator_meters *meters, uint64_t input,
                                 uint64_t output, uint64_t now_ns,
                                 enum moot_emulator_meter_kind *kind, uint64_t *wait_ns);

/* `reserved` output tokens were taken at admission, `used` were really emitted. */
void moot__emulator_meters_settle(struct moot_emulator_meters *meters, uint64_t reserved,
                                  uint64_t used, uint64_t now_ns);

/* What is left, and in how long everything will be back. */
uint64_t moot__emulator_meter_remaining(const struct moot_emulator_meter *meter, uint64_t now_ns);
uint64_t moot__emulator_meter_reset_ns(const struct moot_emulator_meter *meter, uint64_t now_ns);

#endif
