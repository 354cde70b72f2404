#include "words.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One word from *at on; false: it has no end. */
static bool take_word(struct moot_view text, size_t *at, char **out)
{
    char quote = '\0';
    for (; *at < text.len && (quote || !is_space(text.ptr[*at])); ++*at) {
        char c = text.ptr[*at];
        if (c == quote && quote) {
            quote = '\0';
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'') {
            if (++*at == text.len)
                return false;
            *(*out)++ = text.ptr[*at];
        } else {
            *(*out)++ = c;
        }
    }
    *(*out)++ = '\0';
    return !quote;
}

bool moot__words_split(struct moot_view text, char *storage, char **words, size_t max)
{
    size_t count = 0;
    if (text.len && memchr(text.ptr, '\0', text.len))
        return false;
    for (size_t at = 0;;) {
        while (at < text.len && is_space(text.ptr[at]))
            at++;
        if (at == text.len)
            break;
        if (count + 1 >= max)
            return false;
        words[count++] = storage;
        if (!take_word(text, &at, &storage))
            return false;
    }
    words[count] = NULL;
    return count > 0;
}
