#ifndef MOOT_BENCH_CONVERSATIONS_H
#define MOOT_BENCH_CONVERSATIONS_H

/* Whole conversations of an oracle and a judge through the public API, on one loop, against an
 * emulator. Prints, as one line of JSON, what the allocator saw: allocations a conversation, and
 * the most bytes held at once. */
#include <stdbool.h>
#include <stddef.h>

struct moot_bench_conversations {
    const char *url; /* of an emulator of Databricks */
    size_t count, at_once;
    bool stream;
};

/* 0, or 1 with a message on stderr: some conversation failed, or none could begin. */
int moot_bench_conversations(const struct moot_bench_conversations *options);

#endif
