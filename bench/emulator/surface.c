#include "surface.h"

#include "engine/base/check.h"
#include "shape.h"

const struct moot_emulator_surface_info *moot__emulator_surface(enum moot_emulator_surface surface)
{
    static const struct moot_emulator_surface_info infos[MOOT_EMULATOR_SURFACES] = {
        [MOOT_EMULATOR_OPENAI] = {&moot__emulator_shape_openai, moot__emulator_question_openai,
                                  NULL, "x-request-id", MOOT_EMULATOR_RATES_OPENAI},
        [MOOT_EMULATOR_DATABRICKS] = {&moot__emulator_shape_databricks,
                                      moot__emulator_question_openai, NULL, "x-request-id",
                                      MOOT_EMULATOR_RATES_NONE},
        [MOOT_EMULATOR_ANTHROPIC] = {&moot__emulator_shape_anthropic,
                                     moot__emulator_question_anthropic, "x-api-key", "request-id",
                                     MOOT_EMULATOR_RATES_ANTHROPIC},
    };
    assert((unsigned)surface < MOOT_EMULATOR_SURFACES);
    return &infos[surface];
}
