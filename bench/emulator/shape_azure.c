/* OpenAI's shape with what Azure adds: a first chunk of filter results that has neither choices nor
 * names, and errors whose code is the status. */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "shape_openai.h"

static void write_filters(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                          struct moot_view text)
{
    static const char *const names[] = {"hate", "self_harm", "sexual", "violence"};
    (void)c;
    (void)text;
    moot__json_write_member_array_begin(w, "choices");
    moot__json_write_array_end(w);
    moot__json_write_member_u64(w, "created", 0);
    moot__json_write_member_str(w, "id", "");
    moot__json_write_member_str(w, "model", "");
    moot__json_write_member_str(w, "object", "");
    moot__json_write_member_array_begin(w, "prompt_filter_results");
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "prompt_index", 0);
    moot__json_write_member_object_begin(w, "content_filter_results");
    for (size_t i = 0; i < moot__countof(names); i++) {
        moot__json_write_member_object_begin(w, names[i]);
        moot__json_write_member_bool(w, "filtered", false);
        moot__json_write_member_str(w, "severity", "safe");
        moot__json_write_object_end(w);
    }
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__json_write_array_end(w);
}

static void write_failure(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                          const struct moot_emulator_failure *failure)
{
    char code[24];
    (void)c;
    snprintf(code, sizeof code, "%d", failure->status);
    bool is_quota = failure->code && strcmp(failure->code, "insufficient_quota") == 0;
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "code",
                                failure->status == 404 ? "DeploymentNotFound"
                                : is_quota             ? failure->code
                                                       : code);
    moot__json_write_member_str(w, "message", failure->message);
    moot__json_write_object_end(w);
}

const struct moot_emulator_shape moot__emulator_shape_azure = {
    MOOT_EMULATOR_OPENAI_STREAM,
    MOOT_EMULATOR_OPENAI_USAGE,
    .begin = {{NULL, write_filters, NULL},
              {NULL, moot__emulator_openai_role, NULL},
              MOOT_EMULATOR_OPENAI_CALL},
    .write_broken = write_failure,
    .write_failure = write_failure,
};
