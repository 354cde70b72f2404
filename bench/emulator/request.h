#ifndef MOOT_EMULATOR_REQUEST_H
#define MOOT_EMULATOR_REQUEST_H

/* What a client asks for: the route from the target; question.h reads the rest from the body.
 * Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/view.h"

enum moot_emulator_surface {
    MOOT_EMULATOR_OPENAI,
    MOOT_EMULATOR_DATABRICKS,
    MOOT_EMULATOR_ANTHROPIC,
    MOOT_EMULATOR_CONVERSE,
    MOOT_EMULATOR_INVOKE,
    MOOT_EMULATOR_BEDROCK_OPENAI,
    MOOT_EMULATOR_AZURE,
    MOOT_EMULATOR_AZURE_DATED, /* those that ask for an api-version */
    MOOT_EMULATOR_SURFACES
};

enum moot_emulator_route {
    MOOT_EMULATOR_NOWHERE,
    MOOT_EMULATOR_CHAT,
    MOOT_EMULATOR_MODELS,
    MOOT_EMULATOR_GRANT,     /* an access token */
    MOOT_EMULATOR_DISCOVERY, /* where those are given */
    MOOT_EMULATOR_LEDGER,
    MOOT_EMULATOR_LOG,
};

struct moot_emulator_request {
    enum moot_emulator_route route;
    enum moot_emulator_surface surface;
    bool is_post, is_get;
    bool keep_alive;
    bool is_chunkable;         /* HTTP/1.1: the answer may be chunked */
    struct moot_view endpoint; /* from the path, else the body's `model` */
    bool stream;               /* by the path, or by the body */
    /* From the body: */
    bool include_usage;
    struct moot_view version; /* api-version of the query, or anthropic-version; "": none */
    uint64_t max_tokens;      /* UINT64_MAX: none given */
    uint64_t prompt_tokens;
    struct moot_view last; /* content of the last user message */
    struct moot_view tool; /* the first of those offered, by name; "": none */
    bool has_result;       /* the last message brings a tool's result */
};

/* The bytes that a percent-encoded text stands for. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__emulator_decode(struct moot_view text, struct moot_arena *arena,
                                         struct moot_view *out);

/* Fill route, surface, version and endpoint (decoded into the arena; empty when it is in the body).
 * MOOT_ENOMEM. */
MOOT_NODISCARD int moot__emulator_route(struct moot_view target, struct moot_arena *arena,
                                        struct moot_emulator_request *out);

#endif
