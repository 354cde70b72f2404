/* What the environment and the files of the providers' tools say. */
#include <string.h>

#include "config_auth.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "ini.h"
#include "secret_file.h"

const char *moot__config_variable(const struct moot_config_reader *reader, const char *name)
{
    const char *value = moot__environment_get(&reader->environment, name);
    return value && *value ? value : NULL;
}

int moot__config_join(struct moot_config_reader *reader, const char *const *parts,
                      struct moot_view *out)
{
    size_t len = 0;
    for (size_t i = 0; parts[i]; i++)
        len += strlen(parts[i]);
    char *text = moot__arena_alloc(&reader->plan->arena, len + 1);
    if (!text)
        return moot__config_out_of_memory(reader);
    *out = moot__view(text, len);
    for (size_t i = 0; parts[i]; i++) {
        size_t part = strlen(parts[i]);
        memcpy(text, parts[i], part);
        text += part;
    }
    *text = '\0';
    return MOOT_OK;
}

int moot__settings_path(struct moot_config_reader *reader, const char *variable,
                        const char *below_home, struct moot_view *out)
{
    *out = (struct moot_view){"", 0};
    const char *value = moot__config_variable(reader, variable);
    const char *home = value ? NULL : moot__config_variable(reader, "HOME");
    const char *whole[] = {value, NULL}, *below[] = {home, below_home, NULL};
    if (!value && !home)
        return MOOT_OK;
    return moot__config_join(reader, value ? whole : below, out);
}

/* `section` may be NULL; the value is copied only where it is wanted. */
static int look(struct moot_config_reader *reader, const struct moot_settings *settings,
                const char *key, struct moot_view *value, struct moot_view *section)
{
    struct moot_buf buf;
    const char *why;
    struct moot_view found = {"", 0}, where = settings->section;
    if (settings->path.len == 0)
        return MOOT_OK;
    moot__buf_init(&buf, reader->plan->allocator, MOOT_LIMIT_SETTINGS_FILE_BYTES);
    int rc = moot__secret_file_read(settings->path.ptr, &buf, NULL, &why);
    if (rc == MOOT_OK && !moot__ini_get(moot__buf_view(&buf), where, key, &found)) {
        where = settings->fallback;
        if (where.len)
            (void)moot__ini_get(moot__buf_view(&buf), where, key, &found);
    }
    if (rc != MOOT_ENOMEM)
        rc = MOOT_OK; /* a file that cannot be read says nothing */
    if (rc == MOOT_OK && found.len && value &&
        !moot__arena_copy(&reader->plan->arena, found, value))
        rc = MOOT_ENOMEM;
    if (rc == MOOT_OK && found.len && section)
        *section = where;
    moot__secret_file_deinit(&buf);
    return rc ? moot__config_out_of_memory(reader) : MOOT_OK;
}

int moot__settings_get(struct moot_config_reader *reader, const struct moot_settings *settings,
                       const char *key, struct moot_view *out)
{
    *out = (struct moot_view){"", 0};
    return look(reader, settings, key, out, NULL);
}

int moot__settings_find(struct moot_config_reader *reader, const struct moot_settings *settings,
                        const char *key, struct moot_view *section)
{
    *section = (struct moot_view){"", 0};
    return look(reader, settings, key, NULL, section);
}
