#ifndef MOOT_WORDS_H
#define MOOT_WORDS_H

/* A command line as words, without a shell: words stand between spaces; '...' is taken as it is;
 * inside "..." and outside of quotes a backslash takes the next character as it is. Nothing is
 * expanded: no variables, no ~, no *, no pipes. Pure; any thread. */
#include <stdbool.h>

#include "engine/base/view.h"

/* `storage` holds text.len + 1 bytes; `words` get at most `max` - 1 pointers into it, then NULL.
 * False: a quote without its end, a NUL, no word, or too many. */
bool moot__words_split(struct moot_view text, char *storage, char **words, size_t max);

#endif
