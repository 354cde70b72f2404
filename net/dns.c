/* The cache of names.
 *
 * An entry lives in a bucket of a hash table and in a list by last use. It is PENDING while
 * `resolve` is under way for its `waiters`; after that `resolve` holds the answer until
 * `expires_ns`. Entries that are pending are never evicted, so that they are bounded too: when all
 * are pending, one more name is refused.
 *
 * Every answer, cached or fresh, reaches its asker through a task of its own, so that an asker may
 * cancel, ask again or tear all down without anybody standing on a list. */
#include "dns.h"

#include <arpa/inet.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

#define POSITIVE_TTL_NS (60 * MOOT_NS_PER_S)
#define NEGATIVE_TTL_NS (1 * MOOT_NS_PER_S)

enum { NAME_BYTES_MAX = 253 };

struct moot_dns_entry {
    struct moot_dns *dns;
    struct moot_dns_entry *next; /* of the bucket */
    struct moot_list node;       /* of dns->entries */
    struct moot_list waiters;
    struct moot_resolve resolve; /* its host, in lower case, is the key */
    uint64_t expires_ns;
    enum moot_dns_family preferred;
    bool is_pending;
};

void moot__dns_init(struct moot_dns *dns, struct moot_transport *transport)
{
    *dns = (struct moot_dns){.transport = transport, .answer_ttl_ns = POSITIVE_TTL_NS};
    moot__list_init(&dns->entries);
    moot__list_init(&dns->ready);
}

/* The key: a NUL-terminated copy in lower case. False if it cannot be a name. */
static bool fold(struct moot_view host, char key[NAME_BYTES_MAX + 1])
{
    if (host.len == 0 || host.len > NAME_BYTES_MAX || memchr(host.ptr, '\0', host.len))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        key[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    key[host.len] = '\0';
    return true;
}

/* FNV-1a. */
static struct moot_dns_entry **bucket_of(struct moot_dns *dns, const char *key)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT32_C(16777619);
    return &dns->buckets[hash % MOOT_DNS_BUCKETS];
}

static struct moot_dns_entry *find(struct moot_dns *dns, const char *key)
{
    struct moot_dns_entry *entry = *bucket_of(dns, key);
    while (entry && strcmp(entry->resolve.host, key) != 0)
        entry = entry->next;
    return entry;
}

static void entry_free(struct moot_dns_entry *entry)
{
    struct moot_dns *dns = entry->dns;
    assert(moot__list_is_empty(&entry->waiters) && !entry->is_pending);
    struct moot_dns_entry **link = bucket_of(dns, entry->resolve.host);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    moot__list_remove(&entry->node);
    dns->count--;
    moot__free(dns->transport->allocator, entry);
}

/* Make room for one more by forgetting the one that was not asked for the longest. */
static bool evict(struct moot_dns *dns)
{
    for (struct moot_list *node = dns->entries.prev; node != &dns->entries; node = node->prev) {
        struct moot_dns_entry *entry = moot__list_entry(node, struct moot_dns_entry, node);
        if (entry->is_pending)
            continue;
        entry_free(entry);
        return true;
    }
    return false;
}

static int entry_new(struct moot_dns *dns, const char *key, struct moot_dns_entry **out)
{
    if (dns->count >= MOOT_LIMIT_DNS_CACHE_ENTRIES && !evict(dns))
        return MOOT_EDNS;
    struct moot_dns_entry *entry = moot__calloc(dns->transport->allocator, 1, sizeof *entry);
    if (!entry)
        return MOOT_ENOMEM;
    entry->dns = dns;
    moot__list_init(&entry->node);
    moot__list_init(&entry->waiters);
    moot__view_copy(moot__view_str(key), entry->resolve.host, sizeof entry->resolve.host);
    struct moot_dns_entry **bucket = bucket_of(dns, key);
    entry->next = *bucket;
    *bucket = entry;
    moot__list_push_front(&dns->entries, &entry->node);
    dns->count++;
    *out = entry;
    return MOOT_OK;
}

/* Answers. */

static void on_task(struct moot_task *task)
{
    struct moot_dns_query *query = moot__container_of(task, struct moot_dns_query, task);
    moot__list_remove(&query->node);
    query->dns = NULL;
    query->on_done(query);
}

static void make_ready(struct moot_dns *dns, struct moot_dns_query *query)
{
    query->entry = NULL;
    moot__list_push_back(&dns->ready, &query->node);
    moot__task_post(dns->transport, &query->task);
}

static void answer(struct moot_dns_query *query, const struct moot_dns_entry *entry)
{
    const struct moot_resolve *resolve = &entry->resolve;
    query->status = resolve->status;
    query->count = resolve->status == MOOT_OK ? resolve->count : 0;
    query->preferred = entry->preferred;
    memcpy(query->detail, resolve->detail, sizeof query->detail);
    memcpy(query->addresses, resolve->addresses, query->count * sizeof query->addresses[0]);
    for (unsigned i = 0; i < query->count; i++)
        query->addresses[i].port = query->port;
    make_ready(entry->dns, query);
}

static void on_resolved(struct moot_resolve *resolve)
{
    struct moot_dns_entry *entry = moot__container_of(resolve, struct moot_dns_entry, resolve);
    struct moot_dns *dns = entry->dns;
    uint64_t now_ns = moot__now_ns(dns->transport);
    assert(entry->is_pending && !moot__list_is_empty(&entry->waiters));
    entry->is_pending = false;
    if (resolve->status == MOOT_OK)
        entry->expires_ns = now_ns + dns->answer_ttl_ns;
    else if (resolve->status == MOOT_EDNS)
        entry->expires_ns = now_ns + NEGATIVE_TTL_NS;
    else
        entry->expires_ns = now_ns; /* our own trouble says nothing about the name */
    struct moot_list *node;
    while ((node = moot__list_pop_front(&entry->waiters)))
        answer(moot__list_entry(node, struct moot_dns_query, node), entry);
}

static int entry_look_up(struct moot_dns_entry *entry)
{
    struct moot_transport *transport = entry->dns->transport;
    struct moot_resolve *resolve = &entry->resolve;
    resolve->on_done = on_resolved;
    resolve->status = MOOT_OK;
    resolve->detail[0] = '\0';
    resolve->count = 0;
    resolve->internal = NULL;
    int status = transport->ops->resolve(transport, resolve);
    entry->is_pending = status == MOOT_OK;
    return status;
}

static void entry_cancel(struct moot_dns_entry *entry)
{
    struct moot_transport *transport = entry->dns->transport;
    assert(entry->is_pending && moot__list_is_empty(&entry->waiters));
    transport->ops->resolve_cancel(transport, &entry->resolve);
    entry->is_pending = false;
    entry_free(entry);
}

/* Questions. */

static bool is_literal(const char *key, struct moot_address *out)
{
    *out = (struct moot_address){0};
    if (inet_pton(AF_INET, key, out->bytes) == 1)
        return true;
    out->is_ipv6 = inet_pton(AF_INET6, key, out->bytes) == 1;
    return out->is_ipv6;
}

static int ask(struct moot_dns *dns, struct moot_dns_query *query, const char *key)
{
    struct moot_dns_entry *entry = find(dns, key);
    if (entry) {
        moot__list_remove(&entry->node);
        moot__list_push_front(&dns->entries, &entry->node);
        if (!entry->is_pending && moot__now_ns(dns->transport) < entry->expires_ns) {
            answer(query, entry);
            return MOOT_OK;
        }
    } else {
        int status = entry_new(dns, key, &entry);
        if (status != MOOT_OK)
            return status;
    }
    if (!entry->is_pending) {
        int status = entry_look_up(entry);
        if (status != MOOT_OK) {
            entry_free(entry);
            return status;
        }
    }
    query->entry = entry;
    moot__list_push_back(&entry->waiters, &query->node);
    return MOOT_OK;
}

int moot__dns_query_start(struct moot_dns *dns, struct moot_dns_query *query, struct moot_view host,
                          uint16_t port)
{
    char key[NAME_BYTES_MAX + 1];
    assert(query->on_done && !query->dns);
    if (!fold(host, key))
        return MOOT_EINVAL;
    query->status = MOOT_OK;
    query->detail[0] = '\0';
    query->preferred = MOOT_DNS_ANY;
    query->port = port;
    query->entry = NULL;
    moot__list_init(&query->node);
    moot__task_init(&query->task, on_task);
    int status = MOOT_OK;
    if (is_literal(key, &query->addresses[0])) {
        query->addresses[0].port = port;
        query->count = 1;
        make_ready(dns, query);
    } else {
        status = ask(dns, query, key);
    }
    if (status == MOOT_OK)
        query->dns = dns;
    return status;
}

void moot__dns_query_cancel(struct moot_dns_query *query)
{
    if (!query->dns)
        return;
    moot__list_remove(&query->node);
    moot__task_cancel(query->dns->transport, &query->task);
    struct moot_dns_entry *entry = query->entry;
    query->dns = NULL;
    query->entry = NULL;
    if (entry && moot__list_is_empty(&entry->waiters))
        entry_cancel(entry);
}

void moot__dns_prefer(struct moot_dns *dns, struct moot_view host, enum moot_dns_family family)
{
    char key[NAME_BYTES_MAX + 1];
    struct moot_dns_entry *entry = fold(host, key) ? find(dns, key) : NULL;
    if (entry)
        entry->preferred = family;
}

void moot__dns_deinit(struct moot_dns *dns)
{
    if (!dns->transport)
        return;
    while (!moot__list_is_empty(&dns->ready))
        moot__dns_query_cancel(moot__list_entry(dns->ready.next, struct moot_dns_query, node));
    while (!moot__list_is_empty(&dns->entries)) {
        struct moot_dns_entry *entry =
            moot__list_entry(dns->entries.next, struct moot_dns_entry, node);
        if (entry->is_pending) /* the last of its waiters to go frees it */
            moot__dns_query_cancel(
                moot__list_entry(entry->waiters.next, struct moot_dns_query, node));
        else
            entry_free(entry);
    }
    assert(dns->count == 0);
    dns->transport = NULL;
}
