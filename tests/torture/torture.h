#ifndef MOOT_TORTURE_H
#define MOOT_TORTURE_H

/* Scenarios, and what must hold however one of their calls fails. */
#include <moot/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites.h"

/* A scenario makes its world, arms, does what its name says, disarms, takes all apart and says how
 * it ended. It checks what it can with torture_check and never stops at a failure that it was told
 * to suffer. */
struct torture_scenario {
    const char *name;
    void (*run)(const struct torture_scenario *scenario);
    const void *options; /* the scenario's own */
    bool is_whole;       /* has threads or files: it cannot be forked in the middle */
};

/* Tables of scenarios, each ended by one without a name. */
extern const struct torture_scenario torture_conversations[]; /* simulated */
extern const struct torture_scenario torture_files[];
extern const struct torture_scenario torture_real[]; /* on sockets */

/* Not so: say why, and end this process. The driver goes on in another. */
#define torture_check(condition, ...)                                                              \
    ((condition) ? (void)0 : torture_wrong(__FILE__, __LINE__, __VA_ARGS__))
_Noreturn void torture_wrong(const char *file, int line, const char *format, ...) MOOT_PRINTF(3, 4);

/* How the subject ended: with what it should when nothing fails, or with an error that belongs to
 * what failed, or with what was done to it. */
void torture_ended(int code, int expected, const char *message);
/* The same of a conversation whose provider is the subject: of such failures it knows nothing. */
void torture_peer_ended(int code, int expected, const char *message);

/* No block of the subject's, or of a library's, is left. */
void torture_nothing_left(void);
unsigned torture_descriptors(void); /* open ones, of the first 256 */

/* Whether an error may come of the groups of calls that failed. */
bool torture_is_fit(int code, unsigned groups);

#endif
