/* What answers tell of quotas, in the forms of the real providers. One table of forms; each names
 * its headers by a pattern, of which %s is the meter's name. */
#include <stdio.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "head.h"
#include "surface.h"

enum time_form { NO_TIME, GO, SECONDS, RFC_3339 };

struct form {
    const char *names[MOOT_EMULATOR_METERS]; /* NULL: not told */
    const char *limit, *remaining, *reset;
    enum time_form time;
};

static const struct form forms[MOOT_EMULATOR_RATES] = {
    [MOOT_EMULATOR_RATES_OPENAI] = {{"requests", "tokens", NULL, NULL},
                                    "x-ratelimit-limit-%s",
                                    "x-ratelimit-remaining-%s",
                                    "x-ratelimit-reset-%s",
                                    GO},
    [MOOT_EMULATOR_RATES_AZURE] = {{"requests", "tokens", NULL, NULL},
                                   "x-ratelimit-limit-%s",
                                   "x-ratelimit-remaining-%s",
                                   "x-ratelimit-reset-%s",
                                   SECONDS},
    [MOOT_EMULATOR_RATES_MISTRAL] = {{"req", "tokens", NULL, NULL},
                                     "x-ratelimit-limit-%s-minute",
                                     "x-ratelimit-remaining-%s-minute",
                                     NULL,
                                     NO_TIME},
    [MOOT_EMULATOR_RATES_ANTHROPIC] = {{"requests", "tokens", "input-tokens", "output-tokens"},
                                       "anthropic-ratelimit-%s-limit",
                                       "anthropic-ratelimit-%s-remaining",
                                       "anthropic-ratelimit-%s-reset",
                                       RFC_3339},
};

static void put_field(struct moot_emulator_connection *c, const char *name, const char *value)
{
    moot__emulator_put_str(c, name);
    moot__emulator_put_str(c, ": ");
    moot__emulator_put_str(c, value);
    moot__emulator_put_str(c, "\r\n");
}

/* `pattern` has one %s. */
static void put_named(struct moot_emulator_connection *c, const char *pattern, const char *meter,
                      const char *value)
{
    struct moot_view rest = moot__view_str(pattern), before;
    moot__view_split(&rest, '%', &before);
    char name[64];
    snprintf(name, sizeof name, "%.*s%s%s", (int)before.len, before.ptr, meter, rest.ptr + 1);
    put_field(c, name, value);
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit != 0);
}

/* As Go prints a duration: 0s, 12ms, 7.66s, 6m0s, 1h30m0s; to the millisecond. */
static void write_go(uint64_t ns, char *text, size_t size)
{
    char seconds[24];
    uint64_t ms = round_up(ns, MOOT_NS_PER_MS), s = ms / 1000;
    unsigned part = (unsigned)(ms % 1000);
    unsigned long long hours = s / 3600;
    unsigned minutes = (unsigned)(s / 60 % 60);
    int len = snprintf(seconds, sizeof seconds, "%u.%03u", (unsigned)(s % 60), part);
    while (seconds[len - 1] == '0')
        seconds[--len] = '\0';
    if (seconds[len - 1] == '.')
        seconds[--len] = '\0';
    if (s == 0 && part)
        snprintf(text, size, "%ums", part);
    else if (hours)
        snprintf(text, size, "%lluh%um%ss", hours, minutes, seconds);
    else if (minutes)
        snprintf(text, size, "%um%ss", minutes, seconds);
    else
        snprintf(text, size, "%ss", seconds);
}

static void write_time(const struct moot_emulator_connection *c, enum time_form form, uint64_t ns,
                       char *text, size_t size)
{
    uint64_t wall_ns = moot__ns_add(c->now_ns, c->emulator->options.wall_offset_ns);
    time_t at = (time_t)round_up(moot__ns_add(wall_ns, ns), MOOT_NS_PER_S);
    struct tm utc;
    text[0] = '\0';
    if (form == GO)
        write_go(ns, text, size);
    else if (form == SECONDS)
        snprintf(text, size, "%llu", (unsigned long long)round_up(ns, MOOT_NS_PER_S));
    else if (gmtime_r(&at, &utc))
        snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

static void put_form(struct moot_emulator_connection *c, const struct form *form)
{
    for (size_t i = 0; i < MOOT_EMULATOR_METERS; i++) {
        const struct moot_emulator_meter *meter = &c->emulator->meters.meter[i];
        char text[64];
        if (meter->limit == 0 || !form->names[i])
            continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)meter->limit);
        put_named(c, form->limit, form->names[i], text);
        uint64_t remaining = moot__emulator_meter_remaining(meter, c->now_ns);
        snprintf(text, sizeof text, "%llu", (unsigned long long)remaining);
        put_named(c, form->remaining, form->names[i], text);
        if (form->time == NO_TIME)
            continue;
        write_time(c, form->time, moot__emulator_meter_reset_ns(meter, c->now_ns), text,
                   sizeof text);
        put_named(c, form->reset, form->names[i], text);
    }
}

/* draft-ietf-httpapi-ratelimit-headers-09. */
static void put_ietf(struct moot_emulator_connection *c)
{
    const struct moot_emulator_meter *meter = &c->emulator->meters.meter[MOOT_EMULATOR_REQUESTS];
    char text[80];
    if (meter->limit == 0)
        return;
    snprintf(text, sizeof text, "\"quota\";q=%llu;w=%llu", (unsigned long long)meter->limit,
             (unsigned long long)(meter->window_ns / MOOT_NS_PER_S));
    put_field(c, "ratelimit-policy", text);
    uint64_t reset_ns = moot__emulator_meter_reset_ns(meter, c->now_ns);
    snprintf(text, sizeof text, "\"quota\";r=%llu;t=%llu",
             (unsigned long long)moot__emulator_meter_remaining(meter, c->now_ns),
             (unsigned long long)round_up(reset_ns, MOOT_NS_PER_S));
    put_field(c, "ratelimit", text);
}

static void put_hostile(struct moot_emulator_connection *c)
{
    static const char *const values[] = {"0", "-1", "1e18", "NaN", "1000000000000000000"};
    static const char *const names[] = {
        "x-ratelimit-limit-requests",   "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",   "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"};
    struct moot_rng rng;
    moot__emulator_draw(c->emulator, MOOT_EMULATOR_DRAW_JITTER, c->reply.number, &rng);
    for (size_t i = 0; i < moot__countof(names); i++)
        put_field(c, names[i], values[moot__rng_below(&rng, moot__countof(values))]);
}

void moot__emulator_put_rates(struct moot_emulator_connection *c)
{
    enum moot_emulator_rates rates = c->emulator->options.quota.rates;
    if (c->request.route != MOOT_EMULATOR_CHAT)
        return;
    if (rates == MOOT_EMULATOR_RATES_SURFACE)
        rates = moot__emulator_surface(c->request.surface)->rates;
    if (rates == MOOT_EMULATOR_RATES_IETF)
        put_ietf(c);
    else if (rates == MOOT_EMULATOR_RATES_HOSTILE)
        put_hostile(c);
    else if (rates != MOOT_EMULATOR_RATES_NONE)
        put_form(c, &forms[rates]);
}
