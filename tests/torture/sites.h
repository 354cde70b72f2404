#ifndef MOOT_TORTURE_SITES_H
#define MOOT_TORTURE_SITES_H

/* Every call that may fail, counted, and failed when its turn comes. A scenario is run once to
 * count and then once for each call, with that one failing; see torture.h.
 *
 * Whoever stands before a fallible call asks torture_fails(kind): our allocator, the seam of
 * net/transport.h (seam.c), and the functions of libraries and system, which the linker leads
 * through us (wrap_*.c). Only what the subject of a scenario asks for is counted: while armed, and
 * on threads, or hosts of the simulation, that are not exempt.
 *
 * Thread: any; the counts are atomic. */
#include <moot/alloc.h>
#include <stdbool.h>
#include <stddef.h>

/* X(id, name, group): the group says which errors its failure may end in. */
#define TORTURE_KIND_MAP(X)                                                                        \
    X(ALLOC, "allocator", MEMORY)                                                                  \
    X(MBEDTLS, "allocation of mbedTLS", MEMORY)                                                    \
    X(LIBYAML, "allocation of libyaml", MEMORY)                                                    \
    X(LIBUV, "allocation of libuv", MEMORY)                                                        \
    X(LIBZ, "allocation of zlib", MEMORY)                                                          \
    X(LIBC, "allocation without hook", MEMORY)                                                     \
    X(RESOLVE, "resolve", NETWORK)                                                                 \
    X(LOOKUP, "lookup's answer", NETWORK)                                                          \
    X(CONNECT, "connect", NETWORK)                                                                 \
    X(CONNECTED, "connection", NETWORK)                                                            \
    X(LISTEN, "listen", NETWORK)                                                                   \
    X(READ, "read", NETWORK)                                                                       \
    X(END, "read, ended", NETWORK)                                                                 \
    X(WRITE, "write", NETWORK)                                                                     \
    X(WORK, "work", MEMORY)                                                                        \
    X(TLS, "mbedTLS", TLS)                                                                         \
    X(RANDOM, "randomness", TLS)                                                                   \
    X(ZLIB, "zlib", MEMORY)                                                                        \
    X(YAML, "libyaml", MEMORY)                                                                     \
    X(FILE, "file", FILE)                                                                          \
    X(CLOSE, "close", FILE)                                                                        \
    X(SHORT, "short read or write", HARMLESS)                                                      \
    X(INTERRUPTED, "interrupted call", HARMLESS)                                                   \
    X(SOCKET, "socket", NETWORK)                                                                   \
    X(SYSTEM, "system", SYSTEM)                                                                    \
    X(UV, "libuv", SYSTEM)

enum torture_kind {
#define X(id, name, group) TORTURE_##id,
    TORTURE_KIND_MAP(X)
#undef X
        TORTURE_KINDS
};

enum torture_group {
    TORTURE_GROUP_MEMORY = 1,
    TORTURE_GROUP_NETWORK = 2,
    TORTURE_GROUP_TLS = 4,
    TORTURE_GROUP_FILE = 8,
    TORTURE_GROUP_SYSTEM = 16,
    TORTURE_GROUP_HARMLESS = 32, /* what must be made good; never again and again */
};

/* What fails from the nth call on. */
enum torture_mode {
    TORTURE_ONCE,  /* that one */
    TORTURE_GROUP, /* it, and all after it of its group */
    TORTURE_ALL,   /* it, and all after it */
    TORTURE_MODES
};

struct torture_counts {
    size_t sites; /* of all kinds */
    size_t of_kind[TORTURE_KINDS];
};

/* Fail the nth call from 1; 0: none. Counts and blocks left from before are forgotten. */
void torture_plan(size_t nth, enum torture_mode mode);

/* A walk: at every site that is counted, `at_site` is called, before it is decided whether it
 * fails. It may fork, and torture_plan_here in the child: that site is then the nth. NULL ends it.
 */
typedef void torture_walk_fn(size_t site);
void torture_walk(torture_walk_fn *at_site);
void torture_plan_here(size_t nth, enum torture_mode mode);

/* The next call that counts fails; of kinds that were not left out. */
void torture_fail_next(enum torture_mode mode);

/* Until it is taken back or planned anew, calls of this kind are not counted. */
void torture_leave_out(enum torture_kind kind, bool is_out);
bool torture_is_left_out(enum torture_kind kind);

/* Count and fail between these two; the thread that arms is not exempt, nor are those started by
 * one that is not. */
void torture_arm(void);
void torture_disarm(void);

/* This thread's calls are another's, from now on: of the peer, or of the test itself. Returns what
 * it was before. */
bool torture_exempt(bool is_exempt);
bool torture_is_counting(void); /* armed, and not exempt */

/* In front of a fallible call. True: it must fail, and is not made. */
bool torture_fails(enum torture_kind kind);

bool torture_has_failed(void);
unsigned torture_groups_failed(void);   /* of TORTURE_GROUP_* */
const char *torture_first_failed(void); /* the name of its kind, or "none" */
size_t torture_failures_of(enum torture_kind kind);
struct torture_counts torture_counts(void);

const char *torture_kind_name(enum torture_kind kind);

/* The allocator of a scenario's subject. Blocks it has given out and not got back. */
const struct moot_allocator *torture_allocator(void);
size_t torture_blocks(void);

/* Blocks that the library of this kind took while counting and did not give back. */
size_t torture_library_blocks(enum torture_kind kind);

/* wrap_tls.c: mbedTLS gives back the memory that it keeps for the next key, and begins anew. No key
 * is in use. Not while counting. */
void torture_renew_psa(void);

/* wrap_tls.c: of mbedTLS's blocks, how many it lost itself when it had no memory. */
size_t torture_tls_lost(void);
void torture_tls_forget_lost(void);

/* wrap_memory.c: find the libraries' code, once, before anything is counted. */
void torture_find_libraries(void);
void torture_forget_library_blocks(void);

#endif
