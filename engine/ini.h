#ifndef MOOT_INI_H
#define MOOT_INI_H

/* The files in which the providers' own tools keep their settings: ~/.aws/config and credentials,
 * ~/.databrickscfg. Sections in brackets, `key = value` or `key: value`, comments on lines of their
 * own. Keys are compared without case, sections with it; of several equal keys the last counts. A
 * line that begins with a space belongs to the value before it, which nothing here needs.
 *
 * Pure; any thread. */
#include <stdbool.h>

#include "engine/base/view.h"

/* A setting of one section. False, and *value untouched, if there is none. */
bool moot__ini_get(struct moot_view text, struct moot_view section, const char *key,
                   struct moot_view *value);

bool moot__ini_has_section(struct moot_view text, struct moot_view section);

#endif
