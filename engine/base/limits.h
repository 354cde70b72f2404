#ifndef MOOT_BASE_LIMITS_H
#define MOOT_BASE_LIMITS_H

/* Every ceiling of the engine, in one table: name, value, what happens there. A buffer, queue, loop
 * or wait that is not bounded by one of these is a defect. Units are in the names. */
#define MOOT_LIMIT_MAP(X)                                                                          \
    /* JSON */                                                                                     \
    X(JSON_DEPTH, 64, "nesting of a JSON document; ELIMIT")                                        \
    X(JSON_KEYS, 10000, "keys of one JSON object; ELIMIT")                                         \
    X(JSON_NUMBER_BYTES, 128, "length of a JSON number; ELIMIT")                                   \
    X(JSON_BYTES, 32 << 20, "a JSON document; ELIMIT")                                             \
    X(JSON_TREE_BYTES, 64 << 20, "memory of one parsed answer or event; ELIMIT")                   \
    /* HTTP */                                                                                     \
    X(HTTP_HEAD_BYTES, 64 << 10, "status line and headers of a response; ELIMIT")                  \
    X(HTTP_HEADERS, 256, "headers of a response; ELIMIT")                                          \
    X(HTTP_SERVER_HEAD_BYTES, 16 << 10, "head of a request to our server; 431")                    \
    X(HTTP_SERVER_HEADERS, 100, "headers of a request to our server; 431")                         \
    X(HTTP_URL_BYTES, 8 << 10, "request target; EINVAL, 414")                                      \
    X(HTTP_INFORMATIONAL, 8, "1xx responses before the final one; EPROTO")                         \
    X(HTTP_CHUNK_EXTENSION_BYTES, 256, "extensions of one chunk; EPROTO")                          \
    X(HTTP_BODY_BYTES, 32 << 20, "a response body after decoding; ELIMIT")                         \
    X(HTTP_SERVER_BODY_BYTES, 10 << 20, "a request body to our server; 413")                       \
    X(HTTP_ERROR_BODY_BYTES, 64 << 10, "how much of an error answer is kept")                      \
    X(GZIP_RATIO, 100, "inflated size over compressed size; EENCODING")                            \
    X(GZIP_FREE_BYTES, 1 << 20, "inflated size below which the ratio does not matter")             \
    X(SSE_LINE_BYTES, 1 << 20, "one line of an event stream; ELIMIT")                              \
    X(SSE_EVENT_BYTES, 8 << 20, "one event of an event stream; ELIMIT")                            \
    X(EVENTSTREAM_MESSAGE_BYTES, 24 << 20, "one message of an AWS event stream; ELIMIT")           \
    X(EVENTSTREAM_HEADER_BYTES, 128 << 10, "the headers of such a message; ELIMIT")                \
    X(EVENTSTREAM_HEADERS, 64, "how many headers it has; ELIMIT")                                  \
    /* Connections */                                                                              \
    X(READ_CHUNK_BYTES, 64 << 10, "one read from a socket")                                        \
    X(DESCRIPTORS_AHEAD, 16384, "descriptors the process's table has room for from the start")     \
    X(DNS_ADDRESSES, 16, "addresses kept of one lookup")                                           \
    X(DNS_CACHE_ENTRIES, 1024, "names in the DNS cache")                                           \
    X(DNS_PENDING, 1024, "lookups waiting for a thread; EDNS")                                     \
    X(DNS_THREADS, 4, "lookups at work at once")                                                   \
    X(DNS_THREADS_LOST, 28, "abandoned lookups that hang, beyond those; further ones wait")        \
    X(WORK_THREADS, 2, "computations at work at once")                                             \
    X(WORK_PENDING, 100000, "computations waiting for a thread; EBUSY")                            \
    X(ACCEPTS_PER_TURN, 64, "connections accepted before others get their turn")                   \
    X(DEPARTURES_PER_TURN, 16, "calls begun before sockets get their turn")                        \
    X(POOL_IDLE_PER_ORIGIN, 16384, "idle connections kept; the oldest is closed")                  \
    X(TLS_HANDSHAKES, 2, "full handshakes at work at once in one process-wide pool of an engine")  \
    X(TLS_SESSIONS, 256, "origins whose TLS session is kept; the oldest unused one is dropped")    \
    X(CALL_REQUEST_BYTES, 32 << 20, "a request body; ELIMIT")                                      \
    /* Conversations */                                                                            \
    X(CONVERSATION_BYTES, 256 << 20, "memory of one conversation; ENOMEM")                         \
    X(MESSAGES, 4096, "messages of one conversation; ELIMIT")                                      \
    X(REPLY_BYTES, 16 << 20, "text of one reply; ELIMIT")                                          \
    X(TOOL_CALLS, 128, "tool calls of one reply; ELIMIT")                                          \
    X(ROLES, 64, "roles of a configuration; ECONFIG")                                              \
    X(ENDPOINTS, 8, "endpoints of a role, fallbacks included; ECONFIG")                            \
    X(FLOW_STEPS, 64, "steps of a flow; ECONFIG")                                                  \
    X(PROVIDERS, 64, "providers of a configuration; ECONFIG")                                      \
    X(WARNINGS, 64, "doubts about a configuration; those after it are not told")                   \
    X(CONFIG_BYTES, 4 << 20, "a configuration file; ECONFIG")                                      \
    X(CONFIG_TREE_BYTES, 64 << 20, "memory of a configuration that was read; ECONFIG")             \
    X(SECRET_BYTES, 16 << 10, "one credential; ECREDENTIAL")                                       \
    X(SIGV4_BYTES, 256 << 10, "what a signature covers, the body apart; ELIMIT")                   \
    X(SIGV4_ITEMS, 128, "headers, or parameters of a query, that a signature covers; ELIMIT")      \
    X(SETTINGS_FILE_BYTES, 1 << 20, "a provider's tool's file of settings; ECREDENTIAL")           \
    X(CREDENTIAL_ANSWER_BYTES, 64 << 10, "what a token server or process says; ECREDENTIAL")       \
    X(CREDENTIAL_COMMAND_WORDS, 64, "words of a credential process's command; ECONFIG")            \
    X(CONVERSATIONS, 100000, "conversations of one engine; EBUSY")                                 \
    /* Batch */                                                                                    \
    X(ROW_BYTES, 32 << 20, "one row of an input or result file; EINPUT")                           \
    X(ROW_ID_BYTES, 512, "the id of a row; EINPUT")                                                \
    X(BATCH_QUEUE_ROWS, 1024, "rows read ahead of the engines")                                    \
    /* Tracing */                                                                                  \
    X(TRACE_RING_BYTES, 4 << 20, "spans not yet written, a loop; full means dropped and counted")  \
    X(SPAN_BYTES, 256 << 10, "one span; longer texts are cut")

enum moot_limit {
#define X(name, value, meaning) MOOT_LIMIT_##name = (value),
    MOOT_LIMIT_MAP(X)
#undef X
};

#endif
