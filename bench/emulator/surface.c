#include "surface.h"

#include "engine/base/check.h"
#include "shape.h"

#define OPENAI MOOT_EMULATOR_RATES_OPENAI
#define NONE   MOOT_EMULATOR_RATES_NONE
#define CLAUDE MOOT_EMULATOR_RATES_ANTHROPIC
#define AZURE  MOOT_EMULATOR_RATES_AZURE

#define ROW(surface, shape, question, key, id, is_signed, rates)                                   \
    [MOOT_EMULATOR_##surface] = {&moot__emulator_shape_##shape,                                    \
                                 moot__emulator_question_##question,                               \
                                 key,                                                              \
                                 id,                                                               \
                                 is_signed,                                                        \
                                 rates}

const struct moot_emulator_surface_info *moot__emulator_surface(enum moot_emulator_surface surface)
{
    static const struct moot_emulator_surface_info infos[MOOT_EMULATOR_SURFACES] = {
        ROW(OPENAI, openai, openai, NULL, "x-request-id", false, OPENAI),
        ROW(DATABRICKS, databricks, openai, NULL, "x-request-id", false, NONE),
        ROW(ANTHROPIC, anthropic, anthropic, "x-api-key", "request-id", false, CLAUDE),
        ROW(CONVERSE, converse, converse, NULL, "x-amzn-requestid", true, NONE),
        ROW(INVOKE, invoke, invoke, NULL, "x-amzn-requestid", true, NONE),
        ROW(BEDROCK_OPENAI, openai, openai, NULL, "x-amzn-requestid", true, NONE),
        ROW(AZURE, azure, openai, "api-key", "x-request-id", false, AZURE),
        ROW(AZURE_DATED, azure, azure, "api-key", "x-request-id", false, AZURE),
    };
    assert((unsigned)surface < MOOT_EMULATOR_SURFACES);
    return &infos[surface];
}
