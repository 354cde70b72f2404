#ifndef MOOT_MASK_H
#define MOOT_MASK_H

/* Taking a credential out of a text that somebody else wrote. */
#include <moot/view.h>
#include <stddef.h>

/* Replace every occurrence of `secret` in the NUL-terminated `text` by "[secret]": as it is,
 * percent-encoded, escaped as in JSON, and in base64 at any alignment; also its first 16 characters
 * alone, and its first 8 where the text ends, since texts are cut. Secrets of less than 4 bytes are
 * left: they would be found everywhere. `size` is that of the array; the result is cut to it. At
 * most 512 bytes. Any thread. */
void moot__mask_secret(char *text, size_t size, struct moot_view secret);

#endif
