#ifndef MOOT_NET_HTTP1_BYTES_H
#define MOOT_NET_HTTP1_BYTES_H

/* The classes of bytes that RFC 9110 section 5 and RFC 9112 section 3 distinguish, one look-up a
 * byte. Pure. */
#include <stdbool.h>

enum {
    MOOT_HTTP1_TOKEN = 1,  /* tchar: method, header name */
    MOOT_HTTP1_TARGET = 2, /* a visible ASCII character */
    MOOT_HTTP1_TEXT = 4,   /* HTAB, SP, visible, and bytes above 0x7F: header value, reason */
};

extern const unsigned char moot__http1_classes[256];

static inline bool moot__http1_byte_is(char byte, unsigned class)
{
    return (moot__http1_classes[(unsigned char)byte] & class) != 0;
}

#endif
