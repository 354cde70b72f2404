#ifndef MOOT_TEST_CALL_BENCH_H
#define MOOT_TEST_CALL_BENCH_H

/* A pool and scripted servers on a transport in memory, for the tests of calls, pool and proxy: the
 * test says what a server sends, byte for byte, and when; time is virtual. */
#include "net/call.h"
#include "net/dns.h"
#include "tls_bench.h"

enum { CALL_PEERS_MAX = 8, CALL_TEXT_BYTES = 16 << 10 };

/* The server's end of one connection. */
struct call_peer {
    struct call_bench *bench;
    struct moot_stream *stream, *lower; /* of TLS, what is below it; gone with it */
    struct moot_tls_handshake shake;
    char got[CALL_TEXT_BYTES]; /* the beginning of what came, NUL-terminated */
    size_t got_bytes;          /* all of it */
    bool ended;                /* the client closed */
};

struct call_bench {
    struct memnet net;
    struct moot_dns dns;
    struct moot_pool pool;
    struct moot_acceptor acceptor;
    struct call_peer peers[CALL_PEERS_MAX];
    unsigned peer_count;
    bool deaf; /* new peers do not read */
    struct moot_tls_client *tls_client;
    struct moot_tls_server *tls_server; /* new peers shake hands */
};

/* One call and what came of it. */
struct call_probe {
    struct moot_call call;
    struct call_bench *bench;
    int heads, bodies, dones;
    char body[CALL_TEXT_BYTES];
    size_t body_bytes;
    int head_result, body_result;         /* what on_head and on_body return */
    void (*in_head)(struct call_probe *); /* called inside of them; or NULL */
    void (*in_body)(struct call_probe *);
    void (*in_done)(struct call_probe *);
};

/* `fixture` NULL: plain. False: no memory. */
bool call_bench_try_init(struct call_bench *bench, const struct moot_allocator *allocator,
                         const struct tls_fixture *fixture);
void call_bench_init(struct call_bench *bench, const struct tls_fixture *fixture);
void call_bench_deinit(struct call_bench *bench); /* fails the test when anything is left */

struct moot_origin *call_bench_origin(struct call_bench *bench, const char *url, const char *proxy);

/* A GET of /x without deadlines; its fields may be changed before start. */
struct moot_call_request call_request(struct moot_origin *origin);
int call_start(struct call_bench *bench, struct call_probe *probe,
               const struct moot_call_request *request);

/* Peer `index` sends; both until nothing is left to do but time. */
void call_say(struct call_bench *bench, unsigned index, const char *text);
void call_say_bytes(struct call_bench *bench, unsigned index, const void *bytes, size_t len);
void call_hang_up(struct call_bench *bench, unsigned index); /* its end is closed */

/* Start, let the request arrive, answer it, and expect one end with `code`. */
void call_expect(struct call_bench *bench, struct call_probe *probe, int code);
void call_expect_at(struct call_bench *bench, struct call_probe *probe, int code, uint64_t span_ns);

#endif
