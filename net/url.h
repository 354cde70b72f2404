#ifndef MOOT_NET_URL_H
#define MOOT_NET_URL_H

/* URLs of providers and proxies, read strictly: RFC 3986 for http and https, less everything that
 * two programs are known to read differently (backslashes, other spellings of IPv4 addresses,
 * encoded dots, user names). All functions are pure; any thread. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

enum moot_url_scheme {
    MOOT_URL_HTTP,
    MOOT_URL_HTTPS,
};

enum moot_url_flags {
    MOOT_URL_ALLOW_USERINFO = 1, /* for proxies; elsewhere a user name is an error */
};

/* Views into the text that was parsed, which must outlive this. */
struct moot_url {
    enum moot_url_scheme scheme;
    struct moot_view userinfo; /* as written, still percent-encoded; a secret */
    struct moot_view host;     /* without brackets and trailing dot, case as written */
    bool host_is_ipv6;
    uint16_t port;          /* the scheme's own if none was written */
    struct moot_view path;  /* as written: "" or beginning with '/', valid percent-encoding */
    struct moot_view query; /* without the '?' */
};

/* MOOT_EINVAL with a message that never quotes the URL (it may hold a password). */
MOOT_NODISCARD int moot__url_parse(struct moot_view text, unsigned flags, struct moot_url *out,
                                   struct moot_error_info *info);

/* Whether a host is this machine by its spelling alone: 127.0.0.0/8, ::1 (any spelling), localhost.
 * The host is as in moot_url: no brackets. */
bool moot__url_is_loopback(struct moot_view host);

/* Whether a host is an IPv4 or IPv6 literal, as in moot_url. */
bool moot__url_is_address(struct moot_view host);

/* What goes into a Host header, SNI and keys of the pool: lower case, brackets around IPv6, the
 * port only if it is not the scheme's own. Nothing is added on failure; MOOT_ELIMIT, MOOT_ENOMEM.
 */
MOOT_NODISCARD int moot__url_append_authority(struct moot_buf *buf, const struct moot_url *url);

/* Percent-encode one path segment: everything but A-Z a-z 0-9 - . _ ~ is escaped, '/' included.
 * MOOT_EINVAL for "", "." and "..", which no encoding makes safe. Nothing is added on failure. */
MOOT_NODISCARD int moot__url_append_segment(struct moot_buf *buf, struct moot_view segment);

/* The same for the name or value of a query parameter; may be empty. */
MOOT_NODISCARD int moot__url_append_query_part(struct moot_buf *buf, struct moot_view part);

/* A base path and a suffix with exactly one '/' between them; begins with '/'. An empty suffix
 * leaves the base as it is. Neither is encoded or checked. Nothing is added on failure. */
MOOT_NODISCARD int moot__url_append_path(struct moot_buf *buf, struct moot_view base,
                                         struct moot_view suffix);

#endif
