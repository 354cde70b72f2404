/* A race of connection attempts.
 *
 *   IDLE --> RESOLVING --> RACING --> IDLE    each arrow to IDLE: on_done, once, or cancel
 *     '----> FAILING ---------------> IDLE
 *
 *   RESOLVING  the query is under way
 *   RACING     `active` attempts have a stream that wants WRITABLE; attempts[next..count) wait for
 *              the stagger timer or for one to fail
 *   FAILING    start could not even ask; the task tells */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "socket.h"

#define STAGGER_NS (250 * MOOT_NS_PER_MS) /* RFC 8305, section 5: Connection Attempt Delay */

enum { IDLE, RESOLVING, RACING, FAILING, STATES };

static const struct moot_sm_state states[STATES] = {
    [IDLE] = {"idle", MOOT_SM_TO(RESOLVING) | MOOT_SM_TO(FAILING)},
    [RESOLVING] = {"resolving", MOOT_SM_TO(RACING) | MOOT_SM_TO(IDLE)},
    [RACING] = {"racing", MOOT_SM_TO(IDLE)},
    [FAILING] = {"failing", MOOT_SM_TO(IDLE)},
};

bool moot__address_is_link_local(const struct moot_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};
    static const uint8_t metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    const uint8_t *bytes = address->bytes;
    if (address->is_ipv6) {
        if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
            return true;
        if (memcmp(bytes, metadata, sizeof metadata) == 0)
            return true;
        if (memcmp(bytes, mapped, 12) != 0 && memcmp(bytes, nat64, 12) != 0 &&
            memcmp(bytes, compatible, 12) != 0)
            return false;
        bytes += 12;
    }
    return bytes[0] == 169 && bytes[1] == 254;
}

static void set_detail(struct moot_dial *dial, const struct moot_address *address, const char *why)
{
    char text[INET6_ADDRSTRLEN] = "?";
    moot__ignore(
        !inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof text));
    snprintf(dial->detail, sizeof dial->detail, "%s port %u: %s", text, (unsigned)address->port,
             why);
}

/* The end of every way: stop all that is under way. */
static void settle(struct moot_dial *dial)
{
    moot__dns_query_cancel(&dial->query);
    moot__task_cancel(dial->transport, &dial->finish);
    moot__timer_stop(dial->transport, &dial->stagger);
    for (unsigned i = 0; i < dial->next; i++) {
        struct moot_dial_attempt *attempt = &dial->attempts[i];
        if (attempt->stream)
            moot__stream_abort(attempt->stream);
        attempt->stream = NULL;
    }
    dial->active = dial->next = dial->count = 0;
    moot__sm_move(&dial->sm, IDLE);
}

static void fail(struct moot_dial *dial, int status, enum moot_phase phase)
{
    assert(status != MOOT_OK && dial->active == 0);
    uint64_t lasted_ns = moot__clock_ns(dial->transport) - dial->since_ns;
    if (phase == MOOT_PHASE_RESOLVE)
        dial->resolve_ns = lasted_ns;
    else
        dial->connect_ns = lasted_ns;
    settle(dial);
    dial->status = status;
    dial->phase = phase;
    dial->on_done(dial);
}

static void win(struct moot_dial_attempt *attempt)
{
    struct moot_dial *dial = attempt->dial;
    dial->stream = attempt->stream;
    dial->address = attempt->address;
    dial->connect_ns = moot__clock_ns(dial->transport) - dial->since_ns;
    attempt->stream = NULL;
    settle(dial);
    moot__stream_want(dial->stream, 0);
    dial->stream->on_ready = NULL;
    dial->stream->owner = NULL;
    moot__dns_prefer(dial->dns, moot__view_str(dial->host),
                     dial->address.is_ipv6 ? MOOT_DNS_IPV6 : MOOT_DNS_IPV4);
    dial->status = MOOT_OK;
    dial->phase = MOOT_PHASE_NONE;
    dial->detail[0] = '\0';
    dial->on_done(dial);
}

/* The race. */

static void race(struct moot_dial *dial);

static void on_ready(struct moot_stream *stream, unsigned ready)
{
    struct moot_dial_attempt *attempt = stream->owner;
    struct moot_dial *dial = attempt->dial;
    char why[128];
    assert(attempt->stream == stream && dial->sm.current == RACING);
    moot__ignore(ready == 0);
    int status = dial->transport->ops->connect_result(stream, why, sizeof why);
    if (status == MOOT_EAGAIN)
        return;
    if (status == MOOT_OK) {
        win(attempt);
        return;
    }
    set_detail(dial, &attempt->address, why);
    dial->status = status;
    attempt->stream = NULL;
    dial->active--;
    moot__stream_close(stream);
    race(dial);
}

static bool attempt_start(struct moot_dial_attempt *attempt)
{
    struct moot_dial *dial = attempt->dial;
    errno = 0;
    int status =
        dial->transport->ops->connect(dial->transport, &attempt->address, &attempt->stream);
    if (status != MOOT_OK) {
        char why[128];
        moot__socket_error(errno, why, sizeof why);
        set_detail(dial, &attempt->address,
                   status == MOOT_ECONNECT && errno ? why : moot_error_text(status));
        dial->status = status;
        attempt->stream = NULL;
        return false;
    }
    dial->active++;
    attempt->stream->owner = attempt;
    attempt->stream->on_ready = on_ready;
    moot__stream_want(attempt->stream, MOOT_WRITABLE);
    return true;
}

/* Start the next attempt, skipping those that fail at once, or give up when none is left. */
static void race(struct moot_dial *dial)
{
    while (dial->next < dial->count) {
        if (!attempt_start(&dial->attempts[dial->next++]))
            continue;
        if (dial->next < dial->count)
            moot__timer_start(dial->transport, &dial->stagger,
                              moot__ns_add(moot__now_ns(dial->transport), STAGGER_NS));
        else
            moot__timer_stop(dial->transport, &dial->stagger);
        return;
    }
    if (dial->active == 0)
        fail(dial, dial->status, MOOT_PHASE_CONNECT);
}

static void on_stagger(struct moot_timer *timer)
{
    race(moot__container_of(timer, struct moot_dial, stagger));
}

/* RFC 8305, section 4: the families take turns, the order within each is the resolver's. The
 * first is the one that won last time, else that of the resolver's first address. */
static void line_up(struct moot_dial *dial)
{
    const struct moot_dns_query *query = &dial->query;
    const struct moot_address *lanes[2][MOOT_LIMIT_DNS_ADDRESSES];
    unsigned counts[2] = {0, 0}, at[2] = {0, 0};
    bool has_first = query->preferred != MOOT_DNS_ANY;
    unsigned lane = query->preferred == MOOT_DNS_IPV6;
    for (unsigned i = 0; i < query->count; i++) {
        const struct moot_address *address = &query->addresses[i];
        if (!dial->allow_link_local && moot__address_is_link_local(address)) {
            set_detail(dial, address, "link-local and metadata addresses are refused");
            continue;
        }
        if (!has_first)
            lane = address->is_ipv6;
        has_first = true;
        lanes[address->is_ipv6][counts[address->is_ipv6]++] = address;
    }
    while (at[0] < counts[0] || at[1] < counts[1]) {
        if (at[lane] < counts[lane])
            dial->attempts[dial->count++] =
                (struct moot_dial_attempt){.dial = dial, .address = *lanes[lane][at[lane]++]};
        lane = !lane;
    }
}

static void on_resolved(struct moot_dns_query *query)
{
    struct moot_dial *dial = moot__container_of(query, struct moot_dial, query);
    assert(dial->sm.current == RESOLVING);
    if (query->status != MOOT_OK) {
        snprintf(dial->detail, sizeof dial->detail, "%.100s: %s", dial->host,
                 query->detail[0] ? query->detail : moot_error_text(query->status));
        fail(dial, query->status, MOOT_PHASE_RESOLVE);
        return;
    }
    uint64_t now_ns = moot__clock_ns(dial->transport);
    dial->resolve_ns = now_ns - dial->since_ns;
    dial->since_ns = now_ns;
    moot__sm_move(&dial->sm, RACING);
    dial->status = MOOT_ECONNECT; /* if every address is refused */
    line_up(dial);
    race(dial);
}

static void on_finish(struct moot_task *task)
{
    struct moot_dial *dial = moot__container_of(task, struct moot_dial, finish);
    assert(dial->sm.current == FAILING);
    fail(dial, dial->status, MOOT_PHASE_RESOLVE);
}

void moot__dial_start(struct moot_dial *dial, const struct moot_dial_options *options)
{
    assert(dial->on_done && (!dial->sm.states || dial->sm.current == IDLE));
    assert(options->transport && options->dns);
    *dial = (struct moot_dial){.on_done = dial->on_done,
                               .transport = options->transport,
                               .dns = options->dns,
                               .allow_link_local = options->allow_link_local};
    moot__sm_init(&dial->sm, states, STATES, IDLE);
    moot__task_init(&dial->finish, on_finish);
    dial->stagger.on_fire = on_stagger;
    dial->query.on_done = on_resolved;
    dial->since_ns = moot__clock_ns(dial->transport);
    moot__view_copy(options->host, dial->host, sizeof dial->host);
    dial->status = moot__dns_query_start(dial->dns, &dial->query, options->host, options->port);
    if (dial->status == MOOT_OK) {
        moot__sm_move(&dial->sm, RESOLVING);
        return;
    }
    snprintf(dial->detail, sizeof dial->detail, "%.100s: %s", dial->host,
             moot_error_text(dial->status));
    moot__sm_move(&dial->sm, FAILING);
    moot__task_post(dial->transport, &dial->finish);
}

void moot__dial_cancel(struct moot_dial *dial)
{
    if (dial->sm.states && dial->sm.current != IDLE)
        settle(dial);
}
