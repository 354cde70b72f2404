#ifndef MOOT_BENCH_SCENARIOS_ARRIVALS_H
#define MOOT_BENCH_SCENARIOS_ARRIVALS_H

/* When the kernel had the bytes that a program's sockets read.
 *
 * The linker leads `connect`, `recv` and `close` of the program through here (--wrap), so that the
 * engine is measured as it is. Sockets to one port have their segments stamped by the kernel
 * (SO_TIMESTAMPNS) on their way in, before anybody is woken for them. Thread: the loop's. */
#include <stdint.h>

/* Stamp what comes from this port of the loopback, on connections made from now on. */
void arrivals_watch(uint16_t port);

/* CLOCK_REALTIME, in nanoseconds, of the latest segment of the latest read from such a connection;
 * 0: of none yet. */
uint64_t arrivals_latest_ns(void);

#endif
