/* A result file that somebody else wrote, cut or edited: a run either goes on from it, with every
 * row that it then holds counted once, or refuses it by name. What it goes on from can be gone on
 * from again, with the same rows. The first byte says which of the files it is. */
#include <string.h>

#include "engine/batch/journal.h"
#include "fuzz.h"
#include "tests/sim/disk_sim.h"

static int resume(const struct moot_disk *disk, uint64_t *rows, struct moot_error_info *info)
{
    struct moot_journal_options options = {.disk = disk,
                                           .input_path = "in.jsonl",
                                           .output_path = "out.jsonl",
                                           .config = "00000000000000000000000000000000",
                                           .allow_changes = true};
    struct moot_journal journal;
    struct moot_resume resumed;
    int rc = moot__journal_open(&journal, &options, &resumed, info);
    if (rc == MOOT_OK)
        *rows = journal.totals.succeeded + journal.totals.failed;
    moot__resume_deinit(&resumed);
    moot__journal_close(&journal);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"out.jsonl", "out.errors.jsonl", "out.calls.jsonl",
                                        "out.moot.json"};
    struct moot_disk_sim_options options = {.seed = 1};
    struct moot_disk_sim *disk;
    struct moot_error_info info = {0};
    uint64_t rows = 0, rows_again = 0;
    FUZZ_REQUIRE(moot__disk_sim_new(&options, &disk) == MOOT_OK);
    FUZZ_REQUIRE(moot__disk_sim_put(disk, "in.jsonl", MOOT_VIEW("{\"question\":\"?\"}\n")) == 0);
    FUZZ_REQUIRE(moot__disk_sim_put(disk, names[size ? data[0] & 3 : 0], fuzz_rest(data, size)) ==
                 MOOT_OK);
    moot__disk_sim_start(disk);
    int rc = resume(moot__disk_sim_face(disk), &rows, &info);
    if (rc == MOOT_OK) {
        FUZZ_REQUIRE(resume(moot__disk_sim_face(disk), &rows_again, &info) == MOOT_OK);
        FUZZ_REQUIRE(rows == rows_again);
    } else {
        FUZZ_REQUIRE(info.code == rc && info.message[0]);
    }
    FUZZ_REQUIRE(moot__disk_sim_handles(disk) == 0);
    moot__disk_sim_free(disk);
    return 0;
}
