#include "target.h"

#include <stdbool.h>

int moot__target_base(struct moot_buf *out, struct moot_view base_path)
{
    while (base_path.len > 0 && base_path.ptr[base_path.len - 1] == '/')
        base_path.len--;
    if (base_path.len > 0 && base_path.ptr[0] != '/') {
        int rc = moot__buf_append_byte(out, '/');
        if (rc != MOOT_OK)
            return rc;
    }
    return moot__buf_append_view(out, base_path);
}

struct moot_view moot__target_without(struct moot_view base_path, struct moot_view end)
{
    while (moot__view_ends(base_path, MOOT_VIEW("/")))
        base_path.len--;
    if (moot__view_ends(base_path, end))
        base_path.len -= end.len;
    return base_path;
}

int moot__target_part(struct moot_buf *out, const char *part)
{
    int rc = moot__buf_append_byte(out, '/');
    return rc != MOOT_OK ? rc : moot__buf_append_str(out, part);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int moot__target_name(struct moot_buf *out, struct moot_view name)
{
    int rc = moot__buf_append_byte(out, '/');
    return rc != MOOT_OK ? rc : moot__target_escape(out, name);
}

int moot__target_escape(struct moot_buf *out, struct moot_view name)
{
    static const char hex[] = "0123456789ABCDEF";
    int rc = MOOT_OK;
    for (size_t i = 0; rc == MOOT_OK && i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        rc = is_unreserved(c) ? moot__buf_append_byte(out, (char)c)
                              : moot__buf_append(out, escape, sizeof(escape));
    }
    return rc;
}
