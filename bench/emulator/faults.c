#include "faults.h"

#include "engine/base/check.h"

const struct moot_emulator_fault_info *moot_emulator_fault_info(enum moot_emulator_fault fault)
{
    static const struct moot_emulator_fault_info infos[MOOT_EMULATOR_FAULTS] = {
        [MOOT_EMULATOR_FAULT_NONE] = {"none", MOOT_EMULATOR_ACT_NONE, MOOT_EMULATOR_AT_NONE, 0,
                                      "nothing goes wrong"},
#define X(id, name, act, place, status, what)                                                      \
    [MOOT_EMULATOR_FAULT_##                                                                        \
        id] = {name, MOOT_EMULATOR_ACT_##act, MOOT_EMULATOR_AT_##place, status, what},
        MOOT_EMULATOR_FAULT_MAP(X)
#undef X
    };
    assert((unsigned)fault < MOOT_EMULATOR_FAULTS);
    return &infos[fault];
}
