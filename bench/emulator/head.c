/* Response heads. Names are lower case, as OpenAI's edge sends them. Hints are given in
 * the forms that the real providers use: seconds, floats, milliseconds and IMF-fixdate (RFC 9110
 * 5.6.7). Quotas are told by rates.c. */
#include "head.h"

#include <stdio.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "surface.h"

static void put_field(struct moot_emulator_connection *c, const char *name, const char *value)
{
    moot__emulator_put_str(c, name);
    moot__emulator_put_str(c, ": ");
    moot__emulator_put_str(c, value);
    moot__emulator_put_str(c, "\r\n");
}

static void put_number(struct moot_emulator_connection *c, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put_field(c, name, text);
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit != 0);
}

/* ---- status ---- */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {302, "Found"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {529, "Overloaded"},
    };
    for (size_t i = 0; i < moot__countof(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

static void put_status(struct moot_emulator_connection *c, int status)
{
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, reason(status));
    moot__emulator_put_str(c, line);
}

/* ---- hints ---- */

static void put_date(struct moot_emulator_connection *c, const char *name, uint64_t wall_s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t)wall_s;
    struct tm utc;
    char text[40];
    if (!gmtime_r(&when, &utc))
        return;
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday],
             utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
             utc.tm_sec);
    put_field(c, name, text);
}

static void put_float(struct moot_emulator_connection *c, const char *name, uint64_t ns)
{
    char text[40];
    uint64_t ms = round_up(ns, MOOT_NS_PER_MS);
    snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(ms / 1000),
             (unsigned)(ms % 1000));
    put_field(c, name, text);
}

static void put_hint(struct moot_emulator_connection *c, const struct moot_emulator_head *head)
{
    uint64_t wall_ns = moot__ns_add(c->now_ns, c->emulator->options.wall_offset_ns);
    uint64_t seconds = round_up(head->hint_ns, MOOT_NS_PER_S);
    switch (head->hint) {
    case MOOT_EMULATOR_HINT_RETRY:
        put_field(c, "x-should-retry", "true");
        put_number(c, "retry-after", seconds);
        break;
    case MOOT_EMULATOR_HINT_MS:
        put_number(c, "retry-after-ms", round_up(head->hint_ns, MOOT_NS_PER_MS));
        put_number(c, "retry-after", seconds);
        break;
    case MOOT_EMULATOR_HINT_SECONDS:
        put_number(c, "retry-after", seconds);
        break;
    case MOOT_EMULATOR_HINT_FLOAT:
        put_float(c, "retry-after", head->hint_ns);
        break;
    case MOOT_EMULATOR_HINT_DATE:
        put_date(c, "date", wall_ns / MOOT_NS_PER_S);
        put_date(c, "retry-after", round_up(moot__ns_add(wall_ns, head->hint_ns), MOOT_NS_PER_S));
        break;
    case MOOT_EMULATOR_HINT_NEGATIVE:
        put_field(c, "retry-after", "-1");
        break;
    case MOOT_EMULATOR_HINT_NAN:
        put_field(c, "retry-after", "nan");
        break;
    case MOOT_EMULATOR_HINT_HUGE:
        put_field(c, "retry-after", "1000000000");
        break;
    case MOOT_EMULATOR_HINT_PAST:
        put_field(c, "retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        break;
    case MOOT_EMULATOR_HINT_NO_RETRY:
        put_field(c, "x-should-retry", "false");
        break;
    case MOOT_EMULATOR_HINT_NONE:
    case MOOT_EMULATOR_HINTS:
        break;
    }
}

/* ---- the whole head ---- */

bool moot__emulator_request_id(const struct moot_emulator_connection *c,
                               char id[MOOT_EMULATOR_ID_BYTES])
{
    snprintf(id, MOOT_EMULATOR_ID_BYTES, "req-%llu", (unsigned long long)c->reply.number);
    return c->reply.number > 0;
}

static void put_id(struct moot_emulator_connection *c)
{
    char id[MOOT_EMULATOR_ID_BYTES];
    if (moot__emulator_request_id(c, id))
        put_field(c, moot__emulator_surface(c->request.surface)->id_header, id);
}

static void put_padding(struct moot_emulator_connection *c)
{
    enum { PADDING = 300 };
    char name[24];
    for (unsigned i = 0; i < PADDING; i++) {
        snprintf(name, sizeof name, "x-padding-%u", i);
        put_field(c, name, "nothing");
    }
}

static void put_framing(struct moot_emulator_connection *c, const struct moot_emulator_head *head)
{
    if (head->content_length >= 0)
        put_number(c, "content-length", (uint64_t)head->content_length);
    else if (head->content_length == MOOT_EMULATOR_CHUNKED)
        put_field(c, "transfer-encoding", "chunked");
    if (c->reply.fault == MOOT_EMULATOR_FAULT_TWO_LENGTHS) {
        put_field(c, "content-length", "7");
        if (head->content_length < 0)
            put_field(c, "content-length", "8");
    }
    if (!c->request.keep_alive)
        put_field(c, "connection", "close");
}

void moot__emulator_put_head(struct moot_emulator_connection *c,
                             const struct moot_emulator_head *head, bool half)
{
    enum { CONTINUES = 20 };
    enum moot_emulator_fault fault = c->reply.fault;
    for (int i = 0; fault == MOOT_EMULATOR_FAULT_CONTINUES && i < CONTINUES; i++)
        moot__emulator_put_str(c, "HTTP/1.1 100 Continue\r\n\r\n");
    assert(head->status >= 200 && head->status <= 599);
    size_t start = c->out.len;
    put_status(c, head->status);
    if (head->type)
        put_field(c, "content-type", head->type);
    if (head->gzip)
        put_field(c, "content-encoding", "gzip");
    if (head->error_type)
        put_field(c, "x-amzn-errortype", head->error_type);
    if (head->location)
        put_field(c, "location", head->location);
    if (head->content_length < 0)
        put_field(c, "cache-control", "no-cache, no-transform");
    put_framing(c, head);
    put_id(c);
    moot__emulator_put_rates(c);
    if (head->has_hint)
        put_hint(c, head);
    if (fault == MOOT_EMULATOR_FAULT_BIG_HEAD)
        put_padding(c);
    moot__emulator_put_str(c, "\r\n");
    if (half && c->error == MOOT_OK)
        moot__buf_truncate(&c->out, start + (c->out.len - start) / 2);
}
