/* A configuration, in YAML or JSON: it is read, or refused with a place and a message that holds
 * nothing but text. */
#include <moot/plan.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "fuzz.h"

#define SECRET "a-secret-of-the-environment"

/* A fuzzer sees what texts are compared with, and writes the secret itself. */
static bool holds_secret(struct moot_view text)
{
    for (size_t i = 0; i + sizeof SECRET - 1 <= text.len; i++)
        if (memcmp(text.ptr + i, SECRET, sizeof SECRET - 1) == 0)
            return true;
    return false;
}

static const char *look_up(void *context, const char *name)
{
    (void)context;
    return strstr(name, "TOKEN") || strstr(name, "KEY") ? SECRET
           : strstr(name, "HOST")                       ? "https://host.test"
                                                        : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = size && data[0] & 1 ? "fuzz.json" : "fuzz.yaml",
        .text = fuzz_rest(data, size),
        .environment = look_up,
    };
    struct moot_error_info info = {0};
    struct moot_plan *plan;
    if (options.text.len == 0)
        return 0;
    int rc = moot_plan_load(&options, &plan, &info);
    if (rc == MOOT_OK) {
        char print[33];
        moot_plan_fingerprint(plan, print);
        FUZZ_REQUIRE(strlen(print) == 32);
    } else {
        size_t len = strnlen(info.message, sizeof info.message);
        FUZZ_REQUIRE(!plan && info.code == rc && len > 0 && len < sizeof info.message);
        struct moot_view message = {info.message, len};
        FUZZ_REQUIRE(!holds_secret(message) || holds_secret(options.text));
        FUZZ_REQUIRE(moot__utf8_valid(message));
    }
    moot_plan_unref(plan);
    return 0;
}
