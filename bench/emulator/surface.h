#ifndef MOOT_EMULATOR_SURFACE_H
#define MOOT_EMULATOR_SURFACE_H

/* What one surface has of its own: how its questions are read, what its answers look like, and the
 * headers that go with them. The machines that read, time and write are the same for all. */
#include "emulator.h"
#include "question.h"

struct moot_emulator_shape;

struct moot_emulator_surface_info {
    const struct moot_emulator_shape *shape;
    int (*read)(const struct moot_json *root, struct moot_arena *arena,
                struct moot_emulator_request *out, struct moot_emulator_complaint *complaint);
    const char *key_header; /* of the API key, beside Authorization: Bearer; NULL: none */
    const char *id_header;
    bool is_signed;                 /* by Signature Version 4, where the emulator was given a key */
    enum moot_emulator_rates rates; /* what RATES_SURFACE stands for */
};

/* Static storage; any thread. */
const struct moot_emulator_surface_info *moot__emulator_surface(enum moot_emulator_surface surface);

#endif
