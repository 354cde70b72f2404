/* OpenAI's shape on those of Azure's surfaces whose API has a dated version. */
#include "question.h"

int moot__emulator_question_azure(const struct moot_json *root, struct moot_arena *arena,
                                  struct moot_emulator_request *out,
                                  struct moot_emulator_complaint *complaint)
{
    if (out->version.len == 0)
        return moot__emulator_complain(complaint, NULL,
                                       "Missing required query parameter: api-version");
    return moot__emulator_question_openai(root, arena, out, complaint);
}
