/* What providers say about waiting: seconds, fractions, milliseconds and dates. All of it comes
 * from outside: whatever is not understood is as if it were absent. */
#include "retry.h"

#include "engine/base/calendar.h"
#include "engine/base/check.h"
#include "engine/base/view.h"

static uint64_t to_ns(double value, double ns_per_unit)
{
    if (!(value > 0))
        return 0;
    double ns = value * ns_per_unit;
    return ns < 9e18 ? (uint64_t)ns : MOOT_NEVER_NS;
}

static bool digits(struct moot_view text, size_t at, size_t count, int *out)
{
    uint64_t value;
    if (!moot__view_to_u64(moot__view(text.ptr + at, count), &value))
        return false;
    *out = (int)value;
    return true;
}

/* The place of a three-letter name in a list of them, or -1. */
static int name_index(struct moot_view text, size_t at, const char *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (memcmp(text.ptr + at, names + (ptrdiff_t)3 * i, 3) == 0)
            return i;
    }
    return -1;
}

bool moot__retry_parse_date(struct moot_view text, int64_t *unix_s)
{
    static const char shape[] = "???, ## ??? #### ##:##:## GMT";
    if (text.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (shape[i] == '#' ? !is_digit : shape[i] != '?' && shape[i] != text.ptr[i])
            return false;
    }
    int day = 0, year = 0, hour = 0, minute = 0, second = 0;
    int weekday = name_index(text, 0, "SunMonTueWedThuFriSat", 7);
    int month = 1 + name_index(text, 8, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
    bool is_read = digits(text, 5, 2, &day) && digits(text, 12, 4, &year) &&
                   digits(text, 17, 2, &hour) && digits(text, 20, 2, &minute) &&
                   digits(text, 23, 2, &second);
    if (!is_read || weekday < 0 || month < 1 || day < 1 || day > 31 || year < 1970)
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *unix_s = moot__days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

enum moot_hint moot__retry_hint(const struct moot_retry_headers *headers, int64_t wall_s,
                                uint64_t *wait_ns)
{
    double number;
    int64_t date_s;
    if (moot__view_to_double(moot__view_trim(headers->retry_after_ms), &number) ||
        moot__view_to_double(moot__view_trim(headers->x_ms_retry_after_ms), &number)) {
        *wait_ns = to_ns(number, (double)MOOT_NS_PER_MS);
        return MOOT_HINT_PRESENT;
    }
    struct moot_view text = moot__view_trim(headers->retry_after);
    if (moot__view_to_double(text, &number)) {
        *wait_ns = to_ns(number, (double)MOOT_NS_PER_S);
        return MOOT_HINT_PRESENT;
    }
    if (moot__retry_parse_date(text, &date_s)) {
        *wait_ns = date_s > wall_s ? to_ns((double)(date_s - wall_s), (double)MOOT_NS_PER_S) : 0;
        return MOOT_HINT_PRESENT;
    }
    *wait_ns = 0;
    return MOOT_HINT_NONE;
}

bool moot__retry_is_exhausted(struct moot_view provider_code)
{
    static const char *const codes[] = {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "billing_hard_limit_reached",
    };
    for (size_t i = 0; i < moot__countof(codes); i++) {
        if (moot__view_eq_nocase(provider_code, moot__view_str(codes[i])))
            return true;
    }
    return false;
}
