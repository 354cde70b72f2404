#include "json_read.h"

#include <math.h>

/* Looking into a tree that json_read.c has built. */

const struct moot_json *moot__json_at(const struct moot_json *array, size_t index)
{
    if (!moot__json_is_array(array) || index >= array->count)
        return NULL;
    const struct moot_json *element = array->child;
    while (index--)
        element = element->next;
    return element;
}

bool moot__json_string(const struct moot_json *node, struct moot_view *out)
{
    if (!moot__json_is_string(node))
        return false;
    *out = node->text;
    return true;
}

bool moot__json_bool(const struct moot_json *node, bool *out)
{
    if (!moot__json_is(node, MOOT_JSON_BOOL))
        return false;
    *out = node->truth;
    return true;
}

bool moot__json_double(const struct moot_json *node, double *out)
{
    return moot__json_is_number(node) && moot__view_to_double(node->text, out);
}

/* Whole numbers that are written with a point or an exponent, as far as a double is exact. */
static bool whole_double(const struct moot_json *node, double *out)
{
    double value;
    if (!moot__json_double(node, &value) || !(fabs(value) <= 0x1p53) || floor(value) != value)
        return false;
    *out = value;
    return true;
}

bool moot__json_u64(const struct moot_json *node, uint64_t *out)
{
    double value;
    if (!moot__json_is_number(node))
        return false;
    if (moot__view_to_u64(node->text, out))
        return true;
    if (!whole_double(node, &value) || value < 0)
        return false;
    *out = (uint64_t)value;
    return true;
}

bool moot__json_i64(const struct moot_json *node, int64_t *out)
{
    double value;
    uint64_t size;
    if (!moot__json_is_number(node))
        return false;
    struct moot_view digits = node->text;
    bool negative = moot__view_starts(digits, MOOT_VIEW("-"));
    if (negative)
        digits = moot__view(digits.ptr + 1, digits.len - 1);
    if (moot__view_to_u64(digits, &size)) {
        if (size > (uint64_t)INT64_MAX + negative)
            return false;
        *out = negative ? -(int64_t)(size - (size > 0)) - (size > 0) : (int64_t)size;
        return true;
    }
    if (!whole_double(node, &value))
        return false;
    *out = (int64_t)value;
    return true;
}
