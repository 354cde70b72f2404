/* One table of failures: what went wrong, in the words of every surface that has some of its own.
 */
#include "failure.h"

#include <stddef.h>

#include "engine/base/check.h"

struct moot_emulator_failure moot__emulator_failure(int status, enum moot_emulator_fault fault)
{
    static const struct moot_emulator_failure failures[] = {
        {302, "redirect", NULL, "BAD_REQUEST", NULL, "The service has moved."},
        {400, "invalid_request_error", NULL, "BAD_REQUEST", NULL, "The request is malformed."},
        {401, "invalid_request_error", "invalid_api_key", "UNAUTHENTICATED", NULL,
         "The API key is missing or wrong."},
        {403, "invalid_request_error", NULL, "PERMISSION_DENIED", NULL,
         "The API key may not use this model."},
        {404, "invalid_request_error", "model_not_found", "RESOURCE_DOES_NOT_EXIST", "model",
         "The model does not exist."},
        {405, "invalid_request_error", NULL, "BAD_REQUEST", NULL,
         "The method is not allowed here."},
        {408, "server_error", "request_timeout", "DEADLINE_EXCEEDED", NULL,
         "The request took too long."},
        {409, "invalid_request_error", NULL, "ABORTED", NULL, "The request was in conflict."},
        {413, "invalid_request_error", NULL, "BAD_REQUEST", NULL, "The request is too large."},
        {422, "invalid_request_error", NULL, "INVALID_PARAMETER_VALUE", NULL,
         "The request cannot be processed."},
        {429, "requests", "rate_limit_exceeded", "REQUEST_LIMIT_EXCEEDED", NULL,
         "The rate limit was reached. Try again later."},
        {500, "server_error", NULL, "INTERNAL_ERROR", NULL, "The server had an error."},
        {503, "server_error", NULL, "TEMPORARILY_UNAVAILABLE", NULL,
         "The service is not available for the moment."},
        {529, "overloaded_error", NULL, "TEMPORARILY_UNAVAILABLE", NULL,
         "The service is overloaded."},
    };
    static const struct moot_emulator_failure no_quota = {
        429,
        "insufficient_quota",
        "insufficient_quota",
        "RESOURCE_EXHAUSTED",
        NULL,
        "The quota is exhausted. Check the plan and the billing details."};
    static const struct moot_emulator_failure slow_down = {
        429,         "requests",
        "slow_down", "RESOURCE_EXHAUSTED",
        NULL,        "The rate of requests rose too fast. Slow down."};
    if (fault == MOOT_EMULATOR_FAULT_QUOTA)
        return no_quota;
    if (fault == MOOT_EMULATOR_FAULT_SLOW_DOWN)
        return slow_down;
    for (size_t i = 0; i < moot__countof(failures); i++)
        if (failures[i].status == status)
            return failures[i];
    struct moot_emulator_failure other = failures[1];
    other.status = status;
    return other;
}
