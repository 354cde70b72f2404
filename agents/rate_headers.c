#include "rate_headers.h"

#include "engine/base/calendar.h"
#include "engine/base/check.h"

#define TIME_MAX_NS  (UINT64_C(10) * 366 * 86400 * MOOT_NS_PER_S)
#define COUNT_MAX    1e15
#define EPOCH_MIN_S  1e9  /* a number of seconds above it is a date: no quota waits for 30 years */
#define EPOCH_MIN_MS 1e12 /* and above this one it is in milliseconds */

enum tells { LIMIT, REMAINING, RESET };

static const struct {
    struct moot_view name;
    enum moot_rate_meter meter;
    enum tells tells;
    unsigned window_s;
} rows[] = {
#define X(name, meter, tells, window_s)                                                            \
    {{name, sizeof(name) - 1}, MOOT_RATE_##meter, tells, window_s},
    MOOT_RATE_HEADER_MAP(X)
#undef X
};

/* ---- Values ---- */

static uint64_t clamp_ns(double ns)
{
    if (!(ns > 0))
        return 0;
    return ns < (double)TIME_MAX_NS ? (uint64_t)ns : TIME_MAX_NS;
}

/* A count of something: not negative, whole after rounding down. */
static bool to_count(struct moot_view text, uint64_t *out)
{
    double value;
    if (!moot__view_to_double(text, &value) || !(value >= 0))
        return false;
    *out = value < COUNT_MAX ? (uint64_t)value : (uint64_t)COUNT_MAX;
    return true;
}

/* 1h30m0s: at least one number with its unit, nothing else. */
static bool to_go_duration(struct moot_view text, double *ns)
{
    static const struct {
        struct moot_view unit;
        double ns;
    } units[] = {{{"ms", 2}, 1e6},        {{"us", 2}, 1e3}, {{"\xc2\xb5s", 3}, 1e3},
                 {{"\xce\xbcs", 3}, 1e3}, {{"ns", 2}, 1},   {{"h", 1}, 3600e9},
                 {{"m", 1}, 60e9},        {{"s", 1}, 1e9}};
    *ns = 0;
    while (text.len > 0) {
        size_t digits = 0, unit = 0;
        while (digits < text.len &&
               ((text.ptr[digits] >= '0' && text.ptr[digits] <= '9') || text.ptr[digits] == '.'))
            digits++;
        double number;
        if (!moot__view_to_double(moot__view(text.ptr, digits), &number))
            return false;
        text = moot__view(text.ptr + digits, text.len - digits);
        while (unit < moot__countof(units) && !moot__view_starts(text, units[unit].unit))
            unit++;
        if (unit == moot__countof(units))
            return false;
        *ns += number * units[unit].ns;
        text = moot__view(text.ptr + units[unit].unit.len, text.len - units[unit].unit.len);
    }
    return true;
}

static bool digits_at(struct moot_view text, size_t at, size_t count, int *out)
{
    uint64_t value;
    if (at + count > text.len || !moot__view_to_u64(moot__view(text.ptr + at, count), &value))
        return false;
    *out = (int)value;
    return true;
}

/* Z, or +hh:mm; as seconds east of it. */
static bool to_zone(struct moot_view text, int *east_s)
{
    int hours, minutes;
    if (moot__view_eq_nocase(text, MOOT_VIEW("z"))) {
        *east_s = 0;
        return true;
    }
    if (text.len != 6 || text.ptr[3] != ':' || (text.ptr[0] != '+' && text.ptr[0] != '-') ||
        !digits_at(text, 1, 2, &hours) || !digits_at(text, 4, 2, &minutes))
        return false;
    *east_s = (hours * 60 + minutes) * (text.ptr[0] == '-' ? -60 : 60);
    return true;
}

/* RFC 3339, 5.6: 2026-11-22T12:40:59.5Z. */
static bool to_time(struct moot_view text, double *unix_s)
{
    static const char shape[] = "####-##-##?##:##:##";
    size_t at = sizeof shape - 1;
    if (text.len <= at)
        return false;
    for (size_t i = 0; i < at; i++)
        if ((shape[i] == '-' || shape[i] == ':') && text.ptr[i] != shape[i])
            return false;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, east_s;
    bool is_read = digits_at(text, 0, 4, &year) && digits_at(text, 5, 2, &month) &&
                   digits_at(text, 8, 2, &day) && digits_at(text, 11, 2, &hour) &&
                   digits_at(text, 14, 2, &minute) && digits_at(text, 17, 2, &second);
    if (!is_read || month < 1 || month > 12 || day < 1 || day > 31 || year < 1970 || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    if (text.ptr[10] != 'T' && text.ptr[10] != 't' && text.ptr[10] != ' ')
        return false;
    double fraction = 0;
    size_t end = at;
    if (text.ptr[end] == '.') {
        char zero_point[16] = "0";
        for (end++; end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9';)
            end++;
        size_t len = end - at < sizeof zero_point - 1 ? end - at : sizeof zero_point - 2;
        memcpy(zero_point + 1, text.ptr + at, len);
        if (!moot__view_to_double(moot__view(zero_point, len + 1), &fraction))
            return false;
    }
    if (!to_zone(moot__view(text.ptr + end, text.len - end), &east_s))
        return false;
    int64_t days = moot__days_from_civil(year, month, day);
    *unix_s = (double)(days * 86400 + hour * 3600 + minute * 60 + second - east_s) + fraction;
    return true;
}

bool moot__rate_time(struct moot_view text, int64_t wall_s, uint64_t *out_ns)
{
    double number;
    text = moot__view_trim(text);
    if (moot__view_to_double(text, &number)) {
        if (number >= EPOCH_MIN_MS)
            number /= 1000;
        if (number >= EPOCH_MIN_S)
            number -= (double)wall_s;
        *out_ns = clamp_ns(number * 1e9);
        return true;
    }
    if (to_time(text, &number)) {
        *out_ns = clamp_ns((number - (double)wall_s) * 1e9);
        return true;
    }
    if (text.len == 0 || !to_go_duration(text, &number))
        return false;
    *out_ns = clamp_ns(number);
    return true;
}

/* ---- Keeping ---- */

static struct moot_rate *rate_of(struct moot_rates *rates, enum moot_rate_meter meter)
{
    if (!(rates->said & (1u << meter)))
        rates->meters[meter] = (struct moot_rate){MOOT_RATE_UNSAID, MOOT_RATE_UNSAID,
                                                  MOOT_RATE_UNSAID, MOOT_RATE_UNSAID};
    rates->said |= 1u << meter;
    return &rates->meters[meter];
}

static void keep_least(uint64_t *kept, uint64_t value)
{
    if (value < *kept) /* unsaid is the greatest */
        *kept = value;
}

static void keep_window(struct moot_rate *rate, double seconds)
{
    if (seconds > 0)
        keep_least(&rate->window_ns, clamp_ns(seconds * 1e9));
}

/* The number before any list or parameters: draft 06 lets `RateLimit-Limit: 100, 100;w=60` be. */
static struct moot_view first_item(struct moot_view value)
{
    size_t comma = moot__view_find(value, ',', 0), semicolon = moot__view_find(value, ';', 0);
    return moot__view_trim(moot__view(value.ptr, comma < semicolon ? comma : semicolon));
}

/* ---- The IETF's fields ---- */

struct item {
    double limit, remaining, reset_s, window_s; /* below 0: unsaid */
    bool is_of_requests;
};

/* One parameter or dictionary member, by its name in any of the drafts. */
static void take_member(struct item *item, struct moot_view member)
{
    size_t equals = moot__view_find(member, '=', 0);
    struct moot_view key = moot__view_trim(moot__view(member.ptr, equals));
    double value;
    if (equals == member.len) { /* draft 03's policy: a bare quota */
        if (moot__view_to_double(key, &value))
            item->limit = value;
        return;
    }
    struct moot_view text =
        moot__view_trim(moot__view(member.ptr + equals + 1, member.len - equals - 1));
    if (moot__view_is(key, "qu"))
        item->is_of_requests = moot__view_is(text, "\"requests\"");
    if (!moot__view_to_double(text, &value))
        return;
    if (moot__view_is(key, "q") || moot__view_is(key, "limit"))
        item->limit = value;
    else if (moot__view_is(key, "r") || moot__view_is(key, "remaining"))
        item->remaining = value;
    else if (moot__view_is(key, "t") || moot__view_is(key, "reset"))
        item->reset_s = value;
    else if (moot__view_is(key, "w"))
        item->window_s = value;
}

static void keep_item(struct moot_rates *rates, const struct item *item)
{
    if (!item->is_of_requests)
        return;
    struct moot_rate *rate = rate_of(rates, MOOT_RATE_REQUESTS);
    if (item->limit >= 0) {
        keep_least(&rate->limit,
                   item->limit < COUNT_MAX ? (uint64_t)item->limit : (uint64_t)COUNT_MAX);
        keep_window(rate, item->window_s);
    }
    if (item->remaining >= 0 && item->remaining < COUNT_MAX)
        keep_least(&rate->remaining, (uint64_t)item->remaining);
    if (item->reset_s >= 0)
        keep_least(&rate->reset_ns, clamp_ns(item->reset_s * 1e9));
}

/* `RateLimit: "name";r=50;t=30`, `RateLimit-Policy: "name";q=100;w=60` (draft 08 on), and draft
 * 07's `RateLimit: limit=100, remaining=50, reset=30`, of which the members are one item. Of
 * several policies the one with the shortest window counts. */
static void take_fields(struct moot_rates *rates, struct moot_view value)
{
    const struct item nothing = {-1, -1, -1, -1, true};
    struct item best = nothing, item;
    struct moot_view list = value, part, member;
    while (moot__view_split(&list, ',', &part)) {
        item = nothing;
        while (moot__view_split(&part, ';', &member))
            take_member(&item, moot__view_trim(member));
        if (!item.is_of_requests)
            continue;
        bool is_shorter =
            item.window_s >= 0 && (best.window_s < 0 || item.window_s < best.window_s);
        if (item.limit >= 0 && (best.limit < 0 || is_shorter)) {
            best.limit = item.limit;
            best.window_s = item.window_s;
        }
        if (item.remaining >= 0 && (best.remaining < 0 || item.remaining < best.remaining))
            best.remaining = item.remaining;
        if (item.reset_s >= 0 && best.reset_s < 0)
            best.reset_s = item.reset_s;
    }
    keep_item(rates, &best);
}

/* ---- The face ---- */

static void take_row(struct moot_rates *rates, size_t row, struct moot_view value, int64_t wall_s)
{
    uint64_t number;
    bool is_time = rows[row].tells == RESET;
    bool is_read =
        is_time ? moot__rate_time(value, wall_s, &number) : to_count(first_item(value), &number);
    if (!is_read)
        return;
    struct moot_rate *rate = rate_of(rates, rows[row].meter);
    keep_window(rate, rows[row].window_s);
    uint64_t *const places[] = {&rate->limit, &rate->remaining, &rate->reset_ns};
    keep_least(places[rows[row].tells], number);
}

bool moot__rate_header(struct moot_rates *rates, struct moot_view name, struct moot_view value,
                       int64_t wall_s)
{
    enum { SHORTEST = 9 }; /* ratelimit */
    if (name.len < SHORTEST)
        return false;
    char first = (char)(name.ptr[0] | 0x20);
    if (first != 'x' && first != 'a' && first != 'r')
        return false;
    if (moot__view_eq_nocase(name, MOOT_VIEW("ratelimit")) ||
        moot__view_eq_nocase(name, MOOT_VIEW("ratelimit-policy"))) {
        take_fields(rates, value);
        return true;
    }
    for (size_t i = 0; i < moot__countof(rows); i++) {
        if (rows[i].name.len == name.len && moot__view_eq_nocase(name, rows[i].name)) {
            take_row(rates, i, value, wall_s);
            return true;
        }
    }
    return false;
}
