#ifndef MOOT_TORTURE_SEAM_H
#define MOOT_TORTURE_SEAM_H

/* The seam of net/transport.h with every fallible entry counted: the table of a transport is
 * replaced by one that asks torture_fails and passes on what may go well; so are the tables of the
 * streams that it makes. For hosts of a simulation. */
#include "net/transport.h"

void seam_wrap(struct moot_transport *transport);

/* The next lookups are refused at once, whatever is counted. */
void seam_refuse_lookups(unsigned count);

#endif
