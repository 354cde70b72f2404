#ifndef MOOT_EMULATOR_THREAD_H
#define MOOT_EMULATOR_THREAD_H

/* A provider for the tests of an embedder: the emulator on loopback, on a thread and loop of its
 * own. Point a client at the URL, let it run, read the ledger, stop.
 *
 *     struct moot_emulator_thread_options options = {.size = sizeof options};
 *     struct moot_emulator_thread *provider;
 *     moot_emulator_thread_start(&options, &provider, NULL);
 *     ... base_url: moot_emulator_thread_url(provider) ...
 *     moot_emulator_thread_stop(provider);
 *
 * Thread: all functions from the thread that started it, or one at a time. */
#include "emulator.h"

#ifdef __cplusplus
extern "C" {
#endif

struct moot_emulator_thread_options {
    size_t size;                                  /* sizeof(struct moot_emulator_thread_options) */
    const struct moot_emulator_options *emulator; /* NULL: the default; what it points at is
                                                     borrowed until stop */
    const struct moot_allocator *allocator;       /* thread-safe; NULL: the process's own */
    uint16_t port;                                /* 0: the system's choice */
    bool tls;                                     /* with a certificate made for the occasion */
};

struct moot_emulator_thread;

/* Returns once it listens. MOOT_EINVAL, MOOT_ENOMEM, MOOT_ECONNECT (the port is taken), MOOT_ETLS,
 * MOOT_EIO (no loop, no thread); then *out is NULL. `info` may be NULL. */
MOOT_NODISCARD int moot_emulator_thread_start(const struct moot_emulator_thread_options *options,
                                              struct moot_emulator_thread **out,
                                              struct moot_error_info *info);

/* "http://127.0.0.1:PORT" or "https://localhost:PORT", valid until stop. */
const char *moot_emulator_thread_url(const struct moot_emulator_thread *thread);

/* The authority to trust, as PEM; valid until stop. NULL without TLS. */
const char *moot_emulator_thread_ca_pem(const struct moot_emulator_thread *thread);

/* A copy of the ledger, taken between two events of the emulator's loop. Waits for it. */
void moot_emulator_thread_ledger(struct moot_emulator_thread *thread,
                                 struct moot_emulator_ledger *out);

/* Abort all connections, end the thread, free. NULL does nothing. */
void moot_emulator_thread_stop(struct moot_emulator_thread *thread);

#ifdef __cplusplus
}
#endif
#endif
