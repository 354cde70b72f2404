/* Reading values. Numbers are decimal digits and one dot, never what a locale or strtod would also
 * take (hexadecimal, infinities, spaces). */
#include "values.h"

#include <math.h>
#include <string.h>

enum { DIGITS_MAX = 18 };

/* A plain decimal number at the front of `text`. Returns its length; 0 if there is none. */
static size_t read_decimal(const char *text, double *out)
{
    double value = 0, scale = 1;
    size_t at = 0, digits = 0;
    bool has_dot = false;
    for (;; at++) {
        if (text[at] == '.' && !has_dot) {
            has_dot = true;
            continue;
        }
        if (text[at] < '0' || text[at] > '9')
            break;
        if (++digits > DIGITS_MAX)
            return 0;
        value = value * 10 + (text[at] - '0');
        if (has_dot)
            scale *= 10;
    }
    if (digits == 0 || text[at - 1] == '.' || text[0] == '.')
        return 0;
    *out = value / scale;
    return at;
}

/* A whole number, maybe with k or M behind it, that ends at `end`. */
static bool read_count(const char *text, const char *end, uint64_t *out)
{
    double value;
    size_t length = read_decimal(text, &value);
    if (length == 0)
        return false;
    const char *rest = text + length;
    if (rest < end && (*rest == 'k' || *rest == 'K' || *rest == 'M')) {
        value *= *rest == 'M' ? 1e6 : 1e3;
        rest++;
    }
    /* 80.3k is 80300, though 80.3 has no exact double. */
    double whole = round(value);
    if (rest != end || fabs(value - whole) > 1e-6 || whole > 9e15)
        return false;
    *out = (uint64_t)whole;
    return true;
}

static const char *read_duration(const char *text, uint64_t *out_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double value;
    size_t length = read_decimal(text, &value);
    for (size_t i = 0; length > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + length, units[i].unit) != 0 || value * units[i].ns > 9e18)
            continue;
        *out_ns = (uint64_t)round(value * units[i].ns);
        return NULL;
    }
    return "a duration such as 250ms, 5s, 10m or 1h";
}

static const char *read_choice(const char *words, const char *text, uint64_t *out)
{
    size_t length = strlen(text);
    uint64_t index = 0;
    for (const char *word = words; word; index++) {
        const char *end = strchr(word, '|');
        size_t word_length = end ? (size_t)(end - word) : strlen(word);
        if (word_length == length && memcmp(word, text, length) == 0) {
            *out = index;
            return NULL;
        }
        word = end ? end + 1 : NULL;
    }
    return words;
}

static const char *read_flag(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (i < sizeof yes / sizeof yes[0] && strcmp(text, yes[i]) == 0) {
            *out = true;
            return NULL;
        }
        if (strcmp(text, no[i]) == 0) {
            *out = false;
            return NULL;
        }
    }
    return "1, true, yes or 0, false, no";
}

/* NAME:key=count,key=count. A provider's name may hold anything but a colon. */
static const char *read_rate(const char *text, struct cli_value *out)
{
    static const char want[] = "PROVIDER:rpm=600,itpm=80k,otpm=16k, with at least one of the three";
    const char *colon = strchr(text, ':');
    if (!colon || colon == text || colon[1] == '\0')
        return want;
    struct cli_value rate = {.text = text, .provider_bytes = (size_t)(colon - text)};
    struct {
        const char *key;
        uint64_t *value;
    } keys[] = {{"rpm=", &rate.rpm}, {"itpm=", &rate.itpm}, {"otpm=", &rate.otpm}};
    const char *part = colon + 1;
    while (part) {
        const char *comma = strchr(part, ',');
        const char *end = comma ? comma : part + strlen(part);
        bool is_known = false;
        for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !is_known; i++) {
            size_t length = strlen(keys[i].key);
            is_known = strncmp(part, keys[i].key, length) == 0 && *keys[i].value == 0 &&
                       read_count(part + length, end, keys[i].value) && *keys[i].value > 0;
        }
        if (!is_known)
            return want;
        part = comma ? comma + 1 : NULL;
    }
    *out = rate;
    return NULL;
}

static const char *read_shard(const char *text, struct cli_value *out)
{
    static const char want[] = "I/N with I from 0 to N - 1, such as 0/8";
    const char *slash = strchr(text, '/');
    uint64_t index, total;
    if (!slash || !read_count(text, slash, &index) ||
        !read_count(slash + 1, slash + 1 + strlen(slash + 1), &total) || index >= total ||
        total > UINT32_MAX)
        return want;
    out->number = index;
    out->total = total;
    return NULL;
}

static const char *read_count_or(const char *text, enum cli_kind kind, struct cli_value *value)
{
    size_t length = strlen(text);
    if (read_count(text, text + length, &value->number))
        return NULL;
    if (kind == CLI_KIND_COUNT_OR_AUTO) {
        value->truth = strcmp(text, "auto") == 0;
        return value->truth ? NULL : "a whole number such as 64, or auto";
    }
    if (kind == CLI_KIND_COUNT_OR_PERCENT) {
        value->truth = true;
        size_t digits = read_decimal(text, &value->amount);
        if (digits > 0 && strcmp(text + digits, "%") == 0 && value->amount <= 100)
            return NULL;
        return "a whole number such as 10, or a percentage such as 5%";
    }
    return "a whole number such as 600, 80k or 1.5M";
}

const char *cli_value_read(const struct cli_option *option, const char *text, struct cli_value *out)
{
    struct cli_value value = {.text = text};
    const char *want = NULL;
    switch (option->kind) {
    case CLI_KIND_FLAG:
        want = read_flag(text, &value.truth);
        break;
    case CLI_KIND_TEXT:
        want = text[0] ? NULL : "something that is not empty";
        break;
    case CLI_KIND_COUNT:
    case CLI_KIND_COUNT_OR_AUTO:
    case CLI_KIND_COUNT_OR_PERCENT:
        want = read_count_or(text, option->kind, &value);
        break;
    case CLI_KIND_AMOUNT: {
        size_t length = read_decimal(text, &value.amount);
        want = length > 0 && text[length] == '\0' ? NULL : "an amount such as 12.50";
        break;
    }
    case CLI_KIND_DURATION:
        want = read_duration(text, &value.number);
        break;
    case CLI_KIND_RATE:
        want = read_rate(text, &value);
        break;
    case CLI_KIND_SHARD:
        want = read_shard(text, &value);
        break;
    case CLI_KIND_CHOICE:
        want = read_choice(option->argument, text, &value.number);
        break;
    }
    if (!want)
        *out = value;
    return want;
}
