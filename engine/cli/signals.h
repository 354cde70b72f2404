#ifndef MOOT_CLI_SIGNALS_H
#define MOOT_CLI_SIGNALS_H

/* Ctrl-C and SIGTERM as bytes of a descriptor that a loop can poll: no handler, so nothing runs in
 * the middle of something else. The library touches no signal; this is the program's business. */

/* Before anything else: descriptors 0 to 2 are open (on /dev/null if they were closed), so that no
 * file of ours can take their place; a reader that went away and a file that may not grow are
 * errors of a write, not the end. */
void cli_process_prepare(void);

/* From here on SIGINT and SIGTERM arrive at the returned descriptor. To be called before the first
 * thread is made (a trace and an emulator have one), so that all inherit the mask: a signal goes to
 * any thread that does not block it, and ends the program there. -1, and it was said, if the system
 * has no descriptor left. */
int cli_signals_open(void);

/* How many arrived since the last call. Does not wait. */
unsigned cli_signals_take(int fd);

/* Wait for the next. */
void cli_signals_wait(int fd);

/* Back to how it was: Ctrl-C ends the program. */
void cli_signals_close(int fd);

#endif
