/* An input file: plain or gzip, lines or CSV records. No line is lost, none is longer than it may
 * be, and of plain text without quotes the lines are what memchr finds. */
#include <string.h>

#include "engine/batch/lines.h"
#include "fuzz.h"
#include "tests/sim/disk_sim.h"

enum { LINE_MAX_BYTES = 4096 };

static size_t count_lines(struct moot_view text)
{
    size_t count = 0;
    if (moot__view_starts(text, MOOT_VIEW("\xef\xbb\xbf")))
        text = moot__view(text.ptr + 3, text.len - 3);
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count + (text.len > 0 && text.ptr[text.len - 1] != '\n');
}

static int read_all(const struct moot_disk *disk, int file, bool quoted, size_t *count)
{
    struct moot_lines lines;
    struct moot_line line;
    int rc;
    moot__lines_init(&lines, NULL, disk, file, LINE_MAX_BYTES);
    lines.quoted = quoted;
    unsigned last = 0;
    *count = 0;
    while ((rc = moot__lines_next(&lines, &line)) == MOOT_OK || rc == MOOT_ELIMIT) {
        FUZZ_REQUIRE(line.text.len <= LINE_MAX_BYTES && line.number > last);
        FUZZ_REQUIRE(quoted || !line.text.len || !memchr(line.text.ptr, '\n', line.text.len));
        last = line.number;
        (*count)++;
    }
    moot__lines_deinit(&lines);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_disk_sim_options options = {.seed = 1};
    struct moot_disk_sim *sim;
    struct moot_view text = fuzz_rest(data, size);
    bool quoted = size && data[0] & 1;
    size_t count;
    int file;
    FUZZ_REQUIRE(moot__disk_sim_new(&options, &sim) == MOOT_OK);
    FUZZ_REQUIRE(moot__disk_sim_put(sim, "in", text) == MOOT_OK);
    moot__disk_sim_start(sim);
    const struct moot_disk *disk = moot__disk_sim_face(sim);
    FUZZ_REQUIRE(disk->ops->open(disk, "in", MOOT_DISK_READ, &file) == 0);
    int rc = read_all(disk, file, quoted, &count);
    bool is_gzip = text.len >= 2 && memcmp(text.ptr, "\x1f\x8b", 2) == 0;
    if (!is_gzip && !quoted)
        FUZZ_REQUIRE(rc == MOOT_ENOTFOUND && count == count_lines(text));
    disk->ops->close(disk, file);
    moot__disk_sim_free(sim);
    return 0;
}
