#ifndef MOOT_NET_DNS_H
#define MOOT_NET_DNS_H

/* Host names to addresses: a bounded cache above the transport's lookups, one lookup per name
 * however many ask, answers kept for 60 s, failures for 1 s (the system's resolver tells no TTL).
 *
 * Thread: the transport's. Deadlines are the callers', who cancel. */
#include <moot/version.h>

#include "transport.h"

enum { MOOT_DNS_BUCKETS = 256 };

struct moot_dns_entry;

struct moot_dns {
    struct moot_transport *transport;
    struct moot_dns_entry *buckets[MOOT_DNS_BUCKETS];
    struct moot_list entries; /* the most recently asked for first */
    struct moot_list ready;   /* queries whose on_done is due */
    size_t count;
    uint64_t answer_ttl_ns; /* how long an answer is kept; may be changed after init */
};

/* What is remembered of a name: which family won the last race to it (RFC 8305, section 4). */
enum moot_dns_family { MOOT_DNS_ANY, MOOT_DNS_IPV4, MOOT_DNS_IPV6 };

/* One question, embedded in the asker's memory. `on_done` runs once unless cancelled; `status` is
 * MOOT_OK with at least one address, or MOOT_EDNS with a text, or MOOT_ENOMEM. */
struct moot_dns_query {
    void (*on_done)(struct moot_dns_query *query); /* set by the asker */
    int status;
    char detail[128];
    unsigned count;
    struct moot_address addresses[MOOT_LIMIT_DNS_ADDRESSES];
    enum moot_dns_family preferred;
    /* below: internal */
    struct moot_dns *dns; /* NULL when not under way */
    struct moot_dns_entry *entry;
    uint16_t port;
    struct moot_list node;
    struct moot_task task;
};

void moot__dns_init(struct moot_dns *dns, struct moot_transport *transport);

/* Forget everything; queries under way end without a callback. Before the transport is closed. Safe
 * on a zeroed struct. */
void moot__dns_deinit(struct moot_dns *dns);

/* Ask for `host`: a name, or an IP literal without brackets, which needs no lookup. `host` is
 * copied. MOOT_EINVAL: empty, longer than 253 bytes or with a NUL; MOOT_EDNS: too many lookups
 * wait; MOOT_EBUSY: the transport is closing; MOOT_ENOMEM. Then `on_done` does not come. */
MOOT_NODISCARD int moot__dns_query_start(struct moot_dns *dns, struct moot_dns_query *query,
                                         struct moot_view host, uint16_t port);

/* Does nothing when not under way. The last asker of a lookup that goes cancels it. */
void moot__dns_query_cancel(struct moot_dns_query *query);

/* Remember which family reached `host`, as long as its entry lives. */
void moot__dns_prefer(struct moot_dns *dns, struct moot_view host, enum moot_dns_family family);

#endif
