/* The text is taken apart once, left to right, and each part is judged where it is cut off. Nothing
 * is decoded or normalised: what was accepted is what goes on the wire, so no later reader can see
 * another host or path than this one did. */
#include "url.h"

#include <arpa/inet.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"

#define HOST_BYTES_MAX  253 /* RFC 1035 2.3.4, less the root and the first length */
#define LABEL_BYTES_MAX 63
#define ADDRESS_BYTES   46 /* INET6_ADDRSTRLEN: the longest spelling of an address, and a NUL */

static const char hex_digits[] = "0123456789ABCDEF";

static int invalid(struct moot_error_info *info, const char *what)
{
    return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE, "invalid URL: %s", what);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(char c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static struct moot_view head_of(struct moot_view text, size_t len)
{
    assert(len <= text.len);
    return moot__view(text.ptr, len);
}

static struct moot_view tail_of(struct moot_view text, size_t from)
{
    assert(from <= text.len);
    return moot__view(text.ptr + from, text.len - from);
}

/* Unreserved, sub-delims and `extra`, every '%' followed by two hex digits (RFC 3986 2). */
static bool is_encoded_text(struct moot_view text, const char *extra)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))
                return false;
            i += 2;
        } else if (!is_unreserved(c) && !is_one_of(c, "!$&'()*+,;=") && !is_one_of(c, extra)) {
            return false;
        }
    }
    return true;
}

/* "." and ".." in any encoding: some servers resolve them, some do not. */
static bool is_dot_segment(struct moot_view segment)
{
    size_t dots = 0;
    for (size_t i = 0; i < segment.len; dots++) {
        struct moot_view rest = tail_of(segment, i);
        if (rest.ptr[0] == '.')
            i += 1;
        else if (rest.len >= 3 && moot__view_eq_nocase(head_of(rest, 3), MOOT_VIEW("%2e")))
            i += 3;
        else
            return false;
    }
    return dots == 1 || dots == 2;
}

/* Four decimal numbers without leading zeros: the one spelling that every resolver reads alike. */
static bool parse_ipv4(struct moot_view host, uint8_t out[4])
{
    struct moot_view rest = host, part;
    size_t count = 0;
    while (moot__view_split(&rest, '.', &part)) {
        uint64_t value;
        if (count == 4 || part.len > 3 || !moot__view_to_u64(part, &value) || value > 255)
            return false;
        if (part.len > 1 && part.ptr[0] == '0')
            return false;
        out[count++] = (uint8_t)value;
    }
    return count == 4;
}

static bool parse_ipv6(struct moot_view host, struct in6_addr *out)
{
    char text[ADDRESS_BYTES];
    if (host.len >= sizeof text || moot__view_find(host, ':', 0) == host.len)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!is_hex(host.ptr[i]) && host.ptr[i] != ':' && host.ptr[i] != '.')
            return false;
    moot__view_copy(host, text, sizeof text);
    return inet_pton(AF_INET6, text, out) == 1;
}

/* A label that any resolver may take for a number: decimal, or 0x and hex digits. */
static bool is_number_like(struct moot_view label)
{
    size_t i = 0;
    bool hex = label.len >= 2 && label.ptr[0] == '0' && (label.ptr[1] | 0x20) == 'x';
    for (i = hex ? 2 : 0; i < label.len; i++)
        if (!(hex ? is_hex(label.ptr[i]) : is_digit(label.ptr[i])))
            return false;
    return true;
}

static bool is_label(struct moot_view label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX)
        return false;
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) /* '_' is no host name, but container networks use it */
        if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
            return false;
    return true;
}

static int check_name(struct moot_view host, struct moot_error_info *info)
{
    struct moot_view rest = host, label = {NULL, 0};
    uint8_t address[4];
    if (host.len == 0)
        return invalid(info, "the host is empty");
    if (host.len > HOST_BYTES_MAX)
        return invalid(info, "the host is longer than 253 bytes");
    while (moot__view_split(&rest, '.', &label))
        if (!is_label(label))
            return invalid(info, "the host is not a name or an address");
    /* A name ends in a name: 127.1, 0x7f000001 and 2130706433 are addresses to some readers. */
    if (is_number_like(label) && !parse_ipv4(host, address))
        return invalid(info, "the host is an address in an ambiguous spelling");
    return MOOT_OK;
}

/* Cuts "host" or "[v6]" off the front of an authority; what is left is "" or ":port". */
static int take_host(struct moot_view *rest, struct moot_url *out, struct moot_error_info *info)
{
    struct in6_addr address;
    if (rest->len && rest->ptr[0] == '[') {
        size_t end = moot__view_find(*rest, ']', 0);
        if (end == rest->len)
            return invalid(info, "'[' without ']' in the host");
        out->host = moot__view(rest->ptr + 1, end - 1);
        out->host_is_ipv6 = true;
        *rest = tail_of(*rest, end + 1);
        return parse_ipv6(out->host, &address) ? MOOT_OK : invalid(info, "not an IPv6 address");
    }
    size_t end = moot__view_find(*rest, ':', 0);
    out->host = head_of(*rest, end);
    *rest = tail_of(*rest, end);
    if (out->host.len > 1 && out->host.ptr[out->host.len - 1] == '.')
        out->host.len--;
    return check_name(out->host, info);
}

static int take_port(struct moot_view rest, struct moot_url *out, struct moot_error_info *info)
{
    uint64_t port;
    out->port = out->scheme == MOOT_URL_HTTPS ? 443 : 80;
    if (rest.len == 0)
        return MOOT_OK;
    if (rest.ptr[0] != ':')
        return invalid(info, "unexpected text after the host");
    rest = tail_of(rest, 1);
    if (rest.len == 0 || rest.ptr[0] == '0' || !moot__view_to_u64(rest, &port) || port > 65535)
        return invalid(info, "the port is not a number from 1 to 65535");
    out->port = (uint16_t)port;
    return MOOT_OK;
}

static int take_authority(struct moot_view authority, unsigned flags, struct moot_url *out,
                          struct moot_error_info *info)
{
    size_t at = moot__view_find(authority, '@', 0);
    if (at < authority.len) {
        if (!(flags & MOOT_URL_ALLOW_USERINFO))
            return invalid(info, "a user name or password is not allowed here");
        out->userinfo = head_of(authority, at);
        authority = tail_of(authority, at + 1);
        if (!is_encoded_text(out->userinfo, ":"))
            return invalid(info, "the user name or password is not percent-encoded");
    }
    int rc = take_host(&authority, out, info);
    return rc ? rc : take_port(authority, out, info);
}

static int take_path(struct moot_view rest, struct moot_url *out, struct moot_error_info *info)
{
    size_t mark = moot__view_find(rest, '?', 0);
    struct moot_view path = head_of(rest, mark), segment;
    out->path = path;
    if (mark < rest.len)
        out->query = tail_of(rest, mark + 1);
    if (!is_encoded_text(path, ":@/") || !is_encoded_text(out->query, ":@/?"))
        return invalid(info, "the path or query holds a character that must be percent-encoded");
    while (moot__view_split(&path, '/', &segment))
        if (is_dot_segment(segment))
            return invalid(info, "the path holds a '.' or '..' segment");
    return MOOT_OK;
}

static bool take_scheme(struct moot_view *rest, enum moot_url_scheme *out)
{
    static const struct {
        struct moot_view prefix;
        enum moot_url_scheme scheme;
    } schemes[] = {
        {{"http://", 7}, MOOT_URL_HTTP},
        {{"https://", 8}, MOOT_URL_HTTPS},
    };
    for (size_t i = 0; i < moot__countof(schemes); i++) {
        size_t len = schemes[i].prefix.len;
        if (rest->len >= len && moot__view_eq_nocase(head_of(*rest, len), schemes[i].prefix)) {
            *out = schemes[i].scheme;
            *rest = tail_of(*rest, len);
            return true;
        }
    }
    return false;
}

int moot__url_parse(struct moot_view text, unsigned flags, struct moot_url *out,
                    struct moot_error_info *info)
{
    struct moot_view rest = text;
    *out = (struct moot_url){0};
    if (text.len > MOOT_LIMIT_HTTP_URL_BYTES)
        return invalid(info, "it is too long");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c >= 0x7F)
            return invalid(info, "it holds a space, a control or a non-ASCII character");
        if (c == '#')
            return invalid(info, "a fragment is not allowed");
        if (c == '\\')
            return invalid(info, "a backslash is not allowed");
    }
    if (!take_scheme(&rest, &out->scheme))
        return invalid(info, "it must begin with http:// or https://");
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    int rc = take_authority(head_of(rest, end), flags, out, info);
    return rc ? rc : take_path(tail_of(rest, end), out, info);
}

bool moot__url_is_loopback(struct moot_view host)
{
    static const uint8_t one[16] = {[15] = 1};
    struct in6_addr v6;
    uint8_t v4[4];
    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    if (parse_ipv4(host, v4))
        return v4[0] == 127;
    if (parse_ipv6(host, &v6))
        return memcmp(v6.s6_addr, one, sizeof one) == 0;
    return moot__view_eq_nocase(host, MOOT_VIEW("localhost"));
}

bool moot__url_is_address(struct moot_view host)
{
    struct in6_addr v6;
    uint8_t v4[4];
    return parse_ipv4(host, v4) || parse_ipv6(host, &v6);
}

/* Everything was appended, or the buffer is cut back to what it held. */
static int settle(struct moot_buf *buf, size_t before, int rc)
{
    if (rc)
        moot__buf_truncate(buf, before);
    return rc;
}

int moot__url_append_authority(struct moot_buf *buf, const struct moot_url *url)
{
    size_t before = buf->len;
    uint16_t usual = url->scheme == MOOT_URL_HTTPS ? 443 : 80;
    int rc = url->host_is_ipv6 ? moot__buf_append_byte(buf, '[') : MOOT_OK;
    for (size_t i = 0; i < url->host.len && !rc; i++) {
        char c = url->host.ptr[i];
        rc = moot__buf_append_byte(buf, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    if (!rc && url->host_is_ipv6)
        rc = moot__buf_append_byte(buf, ']');
    if (!rc && url->port != usual) {
        rc = moot__buf_append_byte(buf, ':');
        if (!rc)
            rc = moot__buf_append_u64(buf, url->port);
    }
    return settle(buf, before, rc);
}

int moot__url_append_query_part(struct moot_buf *buf, struct moot_view part)
{
    size_t before = buf->len;
    int rc = MOOT_OK;
    for (size_t i = 0; i < part.len && !rc; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        char escaped[3] = {'%', hex_digits[c >> 4], hex_digits[c & 15]};
        rc = is_unreserved((char)c) ? moot__buf_append_byte(buf, (char)c)
                                    : moot__buf_append(buf, escaped, sizeof escaped);
    }
    return settle(buf, before, rc);
}

int moot__url_append_segment(struct moot_buf *buf, struct moot_view segment)
{
    if (segment.len == 0 || moot__view_is(segment, ".") || moot__view_is(segment, ".."))
        return MOOT_EINVAL;
    return moot__url_append_query_part(buf, segment);
}

int moot__url_append_path(struct moot_buf *buf, struct moot_view base, struct moot_view suffix)
{
    size_t before = buf->len;
    bool base_ends = base.len && base.ptr[base.len - 1] == '/';
    bool suffix_begins = suffix.len && suffix.ptr[0] == '/';
    int rc = MOOT_OK;
    if (base_ends && suffix_begins)
        suffix = tail_of(suffix, 1);
    if (base.len == 0 || base.ptr[0] != '/')
        rc = base.len || !suffix_begins ? moot__buf_append_byte(buf, '/') : MOOT_OK;
    if (!rc)
        rc = moot__buf_append_view(buf, base);
    if (!rc && base.len && suffix.len && !base_ends && !suffix_begins)
        rc = moot__buf_append_byte(buf, '/');
    if (!rc)
        rc = moot__buf_append_view(buf, suffix);
    return settle(buf, before, rc);
}
