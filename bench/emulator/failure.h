#ifndef MOOT_EMULATOR_FAILURE_H
#define MOOT_EMULATOR_FAILURE_H

/* Failures in words. A surface that names them otherwise does so by the status. */
#include "faults.h"

struct moot_emulator_failure {
    int status;
    const char *type, *code, *databricks_code; /* NULL: null, or absent */
    const char *param;
    const char *message;
    const char *aws_type; /* NULL: by the status */
};

/* The words for a status, and for the faults that need others. Static storage; any thread. */
struct moot_emulator_failure moot__emulator_failure(int status, enum moot_emulator_fault fault);

#endif
