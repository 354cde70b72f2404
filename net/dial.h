#ifndef MOOT_NET_DIAL_H
#define MOOT_NET_DIAL_H

/* One connection to host:port by Happy Eyeballs version 2 (RFC 8305): the families take turns,
 * attempts start 250 ms apart or as soon as one fails, the first to connect wins, and the family
 * that won goes first next time. Addresses that no provider has, but a cloud's metadata service
 * does, are refused after the lookup, so that no name can lead there. */
#include "dns.h"
#include "engine/base/sm.h"

struct moot_dial;

struct moot_dial_options {
    struct moot_transport *transport;
    struct moot_dns *dns;
    struct moot_view host; /* a name, or an IP literal without brackets; copied */
    uint16_t port;
    bool allow_link_local; /* 169.254.0.0/16, fe80::/10 and the metadata address fd00:ec2::254 */
};

struct moot_dial_attempt {
    struct moot_dial *dial;
    struct moot_stream *stream; /* NULL when not under way */
    struct moot_address address;
};

/* Embedded in the caller's memory. Zero-initialise; set `on_done`, which runs once unless
 * cancelled, never from within start; inside it the dial may be started again or its memory freed.
 *
 * status: MOOT_OK: `stream` is connected, the caller's, wants nothing yet. MOOT_EDNS or MOOT_EINVAL
 * (phase RESOLVE), MOOT_ECONNECT (phase CONNECT: every address failed or was refused), MOOT_EBUSY
 * (the transport is closing), MOOT_ENOMEM; then `detail` says what, where and why. */
struct moot_dial {
    void (*on_done)(struct moot_dial *dial);
    int status;
    enum moot_phase phase; /* NONE on success */
    char detail[256];
    struct moot_stream *stream;
    struct moot_address address;     /* of the peer, on success */
    uint64_t resolve_ns, connect_ns; /* how long each took, or lasted until it failed */
    /* below: internal */
    struct moot_sm sm;
    struct moot_transport *transport;
    struct moot_dns *dns;
    struct moot_dns_query query;
    struct moot_task finish;
    struct moot_timer stagger;
    struct moot_dial_attempt attempts[MOOT_LIMIT_DNS_ADDRESSES]; /* in the order of trying */
    unsigned count, next, active;
    uint64_t since_ns; /* when the present phase began */
    char host[256];
    bool allow_link_local;
};

void moot__dial_start(struct moot_dial *dial, const struct moot_dial_options *options);

/* Close what is under way; no callback follows. Does nothing when nothing is. */
void moot__dial_cancel(struct moot_dial *dial);

/* Whether an address is link-local or a metadata service, also when written as IPv4 inside IPv6. */
bool moot__address_is_link_local(const struct moot_address *address);

#endif
