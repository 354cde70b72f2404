#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

const char *moot_version(void)
{
    return MOOT_VERSION_STRING;
}

const char *moot_error_name(int code)
{
    switch (code) {
    case MOOT_OK:
        return "OK";
#define X(name, value, class, text)                                                                \
    case value:                                                                                    \
        return #name;
        MOOT_ERROR_MAP(X)
#undef X
    default:
        return "EUNKNOWN";
    }
}

const char *moot_error_text(int code)
{
    switch (code) {
    case MOOT_OK:
        return "success";
#define X(name, value, class, text)                                                                \
    case value:                                                                                    \
        return text;
        MOOT_ERROR_MAP(X)
#undef X
    default:
        return "unknown error";
    }
}

enum moot_error_class moot_error_class(int code)
{
    switch (code) {
#define X(name, value, class, text)                                                                \
    case value:                                                                                    \
        return MOOT_CLASS_##class;
        MOOT_ERROR_MAP(X)
#undef X
    default:
        return MOOT_CLASS_NONE;
    }
}

const char *moot_error_class_name(enum moot_error_class error_class)
{
    static const char *const names[] = {
#define X(name, text) text,
        MOOT_ERROR_CLASS_MAP(X)
#undef X
    };
    return (size_t)error_class < moot__countof(names) ? names[error_class] : "none";
}

const char *moot_phase_name(enum moot_phase phase)
{
    static const char *const names[] = {
#define X(name, text) text,
        MOOT_PHASE_MAP(X)
#undef X
    };
    return (size_t)phase < moot__countof(names) ? names[phase] : "none";
}

/* vsnprintf cuts at bytes; step back so that the text stays whole characters. */
static void cut_at_character(char *text, size_t size)
{
    size_t len = strlen(text);
    if (len + 1 < size)
        return;
    moot__view_copy(moot__view(text, len), text, size);
}

static void MOOT_PRINTF(2, 0)
    set_message(struct moot_error_info *info, const char *format, va_list args)
{
    int n = vsnprintf(info->message, sizeof info->message, format, args);
    if (n < 0)
        info->message[0] = '\0';
    cut_at_character(info->message, sizeof info->message);
}

int moot__fail(struct moot_error_info *info, int code, enum moot_phase phase, const char *format,
               ...)
{
    if (!info)
        return code;
    memset(info, 0, sizeof *info);
    info->code = code;
    info->phase = phase;
    va_list args;
    va_start(args, format);
    set_message(info, format, args);
    va_end(args);
    return code;
}

int moot__fail_at(struct moot_error_info *info, int code, unsigned line, unsigned column,
                  const char *format, ...)
{
    if (!info)
        return code;
    memset(info, 0, sizeof *info);
    info->code = code;
    info->line = line;
    info->column = column;
    va_list args;
    va_start(args, format);
    set_message(info, format, args);
    va_end(args);
    return code;
}
