#ifndef MOOT_BATCH_ROW_CSV_H
#define MOOT_BATCH_ROW_CSV_H

/* CSV (RFC 4180) as rows: a header, then records whose fields may be quoted and hold commas,
 * doubled quotes and newlines. A record becomes the object that its columns spell, so that the
 * plain dialect reads it. A column `messages` holds JSON; all other fields are text. */
#include "row.h"

/* Is this a header with a column that can be asked? */
bool moot__csv_is_header(struct moot_view line);

/* Fill `input` of the row. MOOT_EINPUT with `info` (a quote that is not closed, more or fewer
 * fields than columns, a messages field that is not JSON), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__csv_read(struct moot_row *row, struct moot_view header,
                                  struct moot_view record, struct moot_error_info *info);

#endif
