/* moot-quota: what is used of a quota, what is refused, and what an outage costs.
 *
 *   moot-quota                    every case, one seed
 *   moot-quota --seeds 1..5       with each of them
 *   moot-quota --only outage      the cases with that in their name, headers and window
 *
 * Exit 0 when every promise was kept:
 *   quota    from the second minute on >= 95 % used; <= 1 % of all requests refused; with headers
 *            or a given quota from the first minute on
 *   outage   no row lost; calls <= 1.10 of the rows offered; afterwards no second with more than
 *            1.1 of what the provider can do: its quota, or else the most before
 * Every run begins somewhere else in the minute of a provider whose windows end at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "quota_sim.h"

#define MINUTE_NS (60 * MOOT_NS_PER_S)

struct shape {
    const char *name, *headers, *given;
    enum moot_emulator_rates rates;
    enum moot_emulator_window window;
    unsigned engines;
    uint64_t tokens_min, tokens_max;
    enum quota_outage outage;
    uint64_t rpm, latency_ms;
};

enum { SHORT_MIN = 10, SHORT_MAX = 60, LONG_MIN = 50, LONG_MAX = 300 };

#define NONE      MOOT_EMULATOR_RATES_NONE
#define SLIDING   MOOT_EMULATOR_SLIDING
#define FIXED     MOOT_EMULATOR_FIXED
#define REQUESTS  SHORT_MIN, SHORT_MAX, QUOTA_NO_OUTAGE, 600, 800
#define TOKENS    LONG_MIN, LONG_MAX, QUOTA_NO_OUTAGE, 600, 800
#define AWAY(way) SHORT_MIN, SHORT_MAX, way
#define GIVEN     ", requests_per_minute: 600, tokens_per_minute: 80k"

static const struct shape shapes[] = {
    {"quota requests", "none", "", NONE, SLIDING, 1, REQUESTS},
    {"quota requests", "none", "", NONE, SLIDING, 4, REQUESTS},
    {"quota requests", "none", "", NONE, FIXED, 1, REQUESTS},
    {"quota requests", "none", "", NONE, FIXED, 4, REQUESTS},
    {"quota tokens", "none", "", NONE, SLIDING, 1, TOKENS},
    {"quota tokens", "none", "", NONE, SLIDING, 4, TOKENS},
    {"quota tokens", "none", "", NONE, FIXED, 1, TOKENS},
    {"quota tokens", "none", "", NONE, FIXED, 4, TOKENS},
    {"quota requests", "openai", "", MOOT_EMULATOR_RATES_OPENAI, SLIDING, 1, REQUESTS},
    {"quota requests", "openai", "", MOOT_EMULATOR_RATES_OPENAI, SLIDING, 4, REQUESTS},
    {"quota requests", "azure", "", MOOT_EMULATOR_RATES_AZURE, FIXED, 1, REQUESTS},
    {"quota requests", "anthropic", "", MOOT_EMULATOR_RATES_ANTHROPIC, SLIDING, 1, REQUESTS},
    {"quota requests", "ietf", "", MOOT_EMULATOR_RATES_IETF, SLIDING, 1, REQUESTS},
    {"quota tokens", "openai", "", MOOT_EMULATOR_RATES_OPENAI, SLIDING, 1, TOKENS},
    {"quota tokens", "openai", "", MOOT_EMULATOR_RATES_OPENAI, SLIDING, 4, TOKENS},
    {"quota tokens", "azure", "", MOOT_EMULATOR_RATES_AZURE, FIXED, 1, TOKENS},
    {"quota tokens", "mistral", "", MOOT_EMULATOR_RATES_MISTRAL, SLIDING, 1, TOKENS},
    {"quota tokens", "anthropic", "", MOOT_EMULATOR_RATES_ANTHROPIC, SLIDING, 1, TOKENS},
    {"quota requests", "given", GIVEN, NONE, SLIDING, 1, REQUESTS},
    {"quota tokens", "given", GIVEN, NONE, SLIDING, 1, TOKENS},
    {"quota requests", "given", GIVEN, NONE, FIXED, 1, REQUESTS},
    {"quota requests", "given", GIVEN, NONE, FIXED, 4, REQUESTS},
    {"quota tokens", "given", GIVEN, NONE, FIXED, 1, TOKENS},
    {"quota tokens", "given", GIVEN, NONE, FIXED, 4, TOKENS},
    {"quota tokens", "hostile", GIVEN, MOOT_EMULATOR_RATES_HOSTILE, SLIDING, 1, TOKENS},
    {"outage refused", "600 rpm", GIVEN, NONE, SLIDING, 1, AWAY(QUOTA_REFUSED), 600, 800},
    {"outage refused", "600 rpm", GIVEN, NONE, SLIDING, 4, AWAY(QUOTA_REFUSED), 600, 800},
    {"outage 503", "600 rpm", GIVEN, NONE, SLIDING, 1, AWAY(QUOTA_503), 600, 800},
    {"outage 503", "600 rpm", GIVEN, NONE, SLIDING, 4, AWAY(QUOTA_503), 600, 800},
    {"outage silence", "600 rpm", GIVEN, NONE, SLIDING, 1, AWAY(QUOTA_SILENCE), 600, 800},
    {"outage silence", "600 rpm", GIVEN, NONE, SLIDING, 4, AWAY(QUOTA_SILENCE), 600, 800},
    {"outage refused", "20 slots", ", concurrency: 20", NONE, SLIDING, 1, AWAY(QUOTA_REFUSED), 0,
     800},
    {"outage 503", "20 slots", ", concurrency: 20", NONE, SLIDING, 4, AWAY(QUOTA_503), 0, 800},
    {"outage silence", "20 slots", ", concurrency: 20", NONE, SLIDING, 4, AWAY(QUOTA_SILENCE), 0,
     800},
};

static struct quota_case case_of(const struct shape *shape, uint64_t seed)
{
    struct quota_case quota = {
        .seed = seed,
        .engines = shape->engines,
        .quota = {.rpm = shape->rpm,
                  .tpm = shape->rpm ? 80000 : 0,
                  .window = shape->window,
                  .rates = shape->rates},
        .given = shape->given,
        .tokens_min = shape->tokens_min,
        .tokens_max = shape->tokens_max,
        .latency_ns = shape->latency_ms * MOOT_NS_PER_MS,
        .run_ns = 20 * MINUTE_NS,
    };
    if (shape->rates == MOOT_EMULATOR_RATES_ANTHROPIC) { /* tells of both kinds apart as well */
        quota.quota.itpm = 60000;
        quota.quota.otpm = 80000;
    }
    if (shape->outage) {
        quota.outage = shape->outage;
        quota.outage_from_ns = 5 * MINUTE_NS;
        quota.outage_to_ns = 25 * MINUTE_NS;
        quota.rows = 6000;
        quota.run_ns = 0;
    }
    return quota;
}

/* Of a quota: one line, and whether it was kept. */
static bool tell_quota(const struct shape *shape, const struct quota_report *report)
{
    double refused = report->requests ? (double)report->refused / (double)report->requests : 1;
    bool is_told = strcmp(shape->headers, "none") != 0;
    bool is_kept = report->used >= 0.95 && refused <= 0.01 && report->failed == 0 &&
                   (!is_told || report->first_minute >= 0.95);
    printf("%-15s %-10s %-8s %u engines: used %5.1f %%, first minute %5.1f %%, refused %4" PRIu64
           " of %6" PRIu64 " = %4.2f %%%s\n",
           shape->name, shape->headers, shape->window == FIXED ? "fixed" : "sliding",
           shape->engines, 100 * report->used, 100 * report->first_minute, report->refused,
           report->requests, 100 * refused, is_kept ? "" : "  MISSED");
    return is_kept;
}

static bool tell_outage(const struct shape *shape, const struct quota_case *quota,
                        const struct quota_report *report)
{
    double calls = (double)report->calls / quota->rows;
    double most = shape->rpm ? (double)shape->rpm / 60 : report->peak_before;
    double peak = most > 0 ? report->peak_after / most : 0;
    bool is_kept =
        report->answered == quota->rows && report->failed == 0 && calls <= 1.10 && peak <= 1.1;
    printf("%-15s %-10s          %u engines: %" PRIu64 " calls for %u rows = %.3f, %" PRIu64
           " lost; most a second %u, after it %u; done %.1f min after it%s\n",
           shape->name, shape->headers, shape->engines, report->calls, quota->rows, calls,
           report->failed, report->peak_before, report->peak_after,
           ((double)report->end_ns - (double)quota->outage_to_ns) / (double)MINUTE_NS,
           is_kept ? "" : "  MISSED");
    return is_kept;
}

static bool run(const struct shape *shape, uint64_t seed)
{
    struct quota_case quota = case_of(shape, seed);
    struct quota_report report;
    quota_run(&quota, &report);
    if (report.has_failed) {
        printf("%-15s %-10s: seed %" PRIu64 " came to a halt\n", shape->name, shape->headers, seed);
        return false;
    }
    bool is_kept = quota.outage ? tell_outage(shape, &quota, &report) : tell_quota(shape, &report);
    fflush(stdout);
    return is_kept;
}

/* Such as "quota tokens none fixed". */
static bool is_wanted(const struct shape *shape, const char *only)
{
    char label[64];
    snprintf(label, sizeof label, "%s %s %s", shape->name, shape->headers,
             shape->window == FIXED ? "fixed" : "sliding");
    return strstr(label, only) != NULL;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, last = 1;
    const char *only = "";
    unsigned missed = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        char *end;
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        if (strcmp(argv[i], "--seeds") == 0) {
            first = last = strtoull(argv[i + 1], &end, 10);
            if (strncmp(end, "..", 2) == 0)
                last = strtoull(end + 2, NULL, 10);
        }
    }
    for (uint64_t seed = first; seed <= last; seed++)
        for (size_t i = 0; i < moot__countof(shapes); i++)
            if (is_wanted(&shapes[i], only))
                missed += !run(&shapes[i], seed);
    if (missed)
        printf("%u cases missed what was promised\n", missed);
    return missed ? 1 : 0;
}
