#ifndef MOOT_TRACE_METRICS_H
#define MOOT_TRACE_METRICS_H

/* What an engine counts. A plain struct that its loop alone writes; whoever wants the numbers of
 * several engines copies each on its own loop and adds the copies. Units are in the names. */
#include <stddef.h>
#include <stdint.h>

/* field, kind, meaning. A COUNTER only grows; a GAUGE is the number of this instant. */
#define MOOT_METRIC_MAP(X)                                                                         \
    X(conversations_active, GAUGE, "Conversations begun and not done")                             \
    X(conversations_begun, COUNTER, "Conversations begun")                                         \
    X(conversations_answered, COUNTER, "Conversations that ended with an answer")                  \
    X(conversations_failed, COUNTER, "Conversations that ended with an error")                     \
    X(conversations_cancelled, COUNTER, "Conversations that were cancelled")                       \
    X(agent_calls, COUNTER, "Agent calls begun, retries not counted")                              \
    X(attempts, COUNTER, "Requests sent or tried, retries counted")                                \
    X(attempts_active, GAUGE, "Requests whose answer is not complete")                             \
    X(retries, COUNTER, "Attempts after the first of a call")                                      \
    X(throttled, COUNTER, "Answers by which a provider throttled a call")                          \
    X(timeouts, COUNTER, "Attempts that ended at a deadline")                                      \
    X(possible_duplicates, COUNTER, "Calls that may have been billed more than once")              \
    X(limiter_waiting, GAUGE, "Calls that wait for quota")                                         \
    X(limiter_waits, COUNTER, "Calls that had to wait for quota")                                  \
    X(limiter_wait_ns, COUNTER, "Time that calls waited for quota")                                \
    X(backoff_wait_ns, COUNTER, "Time that calls waited between attempts")                         \
    X(input_tokens, COUNTER, "Tokens of prompts, as providers counted them")                       \
    X(output_tokens, COUNTER, "Tokens of answers, as providers counted them")                      \
    X(connections_active, GAUGE, "Open connections, idle ones included")                           \
    X(connections_opened, COUNTER, "Connections made")                                             \
    X(connections_reused, COUNTER, "Attempts that took an idle connection")                        \
    X(connections_failed, COUNTER, "Connections that could not be made")                           \
    X(tls_handshakes, COUNTER, "TLS handshakes in full")                                           \
    X(tls_resumptions, COUNTER, "TLS handshakes that resumed a session")                           \
    X(dns_lookups, COUNTER, "Name lookups made, cached ones not counted")                          \
    X(sent_bytes, COUNTER, "Bytes written to sockets")                                             \
    X(received_bytes, COUNTER, "Bytes read from sockets")                                          \
    X(loop_lag_max_ns, MAXIMUM, "Longest time that the loop was late for a timer")                 \
    X(spans_written, COUNTER, "Spans recorded")                                                    \
    X(spans_dropped, COUNTER, "Spans dropped because the ring was full")

struct moot_metrics {
#define X(field, kind, meaning) uint64_t field;
    MOOT_METRIC_MAP(X)
#undef X
};

enum moot_metric_kind {
    MOOT_METRIC_COUNTER,
    MOOT_METRIC_GAUGE,
    MOOT_METRIC_MAXIMUM, /* added up by taking the greater; else a gauge */
};

struct moot_metric_info {
    const char *name; /* of the field */
    const char *meaning;
    enum moot_metric_kind kind;
    size_t offset; /* in struct moot_metrics */
};

#define MOOT_METRICS (sizeof(struct moot_metrics) / sizeof(uint64_t))

/* The list as a table, in the order of the fields. Static storage; any thread. */
extern const struct moot_metric_info moot__metric_infos[MOOT_METRICS];

uint64_t moot__metrics_get(const struct moot_metrics *metrics, const struct moot_metric_info *info);

/* Add the numbers of one engine to a total. */
void moot__metrics_add(struct moot_metrics *total, const struct moot_metrics *one);

#endif
