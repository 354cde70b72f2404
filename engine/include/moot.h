#ifndef MOOT_H
#define MOOT_H

/* moot: conversations between LLM agents, thousands at a time, on one event loop.
 *
 * A plan (what is said, by whom, where) is read once and shared. A budget (what the providers'
 * quotas allow) is shared by the engines that should share it. An engine is one loop on one thread.
 * A conversation is begun on an engine and ends in exactly one `on_done`.
 *
 * The library never exits, aborts, prints, installs signal handlers or touches process-wide state.
 * No callback is ever called synchronously from the function that registered it, and every function
 * may be called from inside every callback, cancel and free included. */
#include <moot/alloc.h>
#include <moot/batch.h>
#include <moot/budget.h>
#include <moot/conversation.h>
#include <moot/engine.h>
#include <moot/error.h>
#include <moot/plan.h>
#include <moot/trace.h>
#include <moot/version.h>
#include <moot/view.h>

#endif
