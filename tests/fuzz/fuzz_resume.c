/* A result file that somebody else wrote, cut or edited: a run either goes on from it, with every
 * row that it then holds counted once, or refuses it by name. What it goes on from can be gone on
 * from again, with the same rows; known calls of the row r3 are written as they were read. The
 * first byte says which of the files it is. */
#include <string.h>

#include "engine/base/json_read.h"
#include "engine/batch/journal.h"
#include "fuzz.h"
#include "tests/sim/disk_sim.h"

static void give(struct moot_known_calls *known, struct moot_view id, struct moot_row *row)
{
    *row = (struct moot_row){.id = id, .key = moot__row_key(id)};
    moot__arena_init(&row->arena, NULL, SIZE_MAX / 2);
    FUZZ_REQUIRE(moot__known_calls_give(known, row) == MOOT_OK);
}

/* Written again, the known calls of a row are known again. */
static void write_and_read(struct moot_known_calls *known, struct moot_view id)
{
    struct moot_known_calls again;
    struct moot_arena arena;
    struct moot_buf line;
    struct moot_row row, row_again;
    moot__known_calls_init(&again, NULL);
    moot__arena_init(&arena, NULL, SIZE_MAX / 2);
    moot__buf_init(&line, NULL, SIZE_MAX / 2);
    give(known, id, &row);
    for (size_t i = 0; i < row.reply_count; i++) {
        const struct moot_json *root;
        struct moot_json_error error;
        int rc = MOOT_OK;
        moot__buf_reset(&line);
        FUZZ_REQUIRE(moot__call_write(&row, (unsigned)i, &row.replies[i], &line) == MOOT_OK);
        FUZZ_REQUIRE(moot__json_read(&arena, moot__buf_view(&line), NULL, &root, &error) ==
                     MOOT_OK);
        FUZZ_REQUIRE(moot__known_calls_add(&again, root, &rc) && rc == MOOT_OK);
    }
    give(&again, id, &row_again);
    FUZZ_REQUIRE(row.reply_count == row_again.reply_count);
    for (size_t i = 0; i < row.reply_count; i++)
        FUZZ_REQUIRE(moot__view_eq(row.replies[i].text, row_again.replies[i].text) &&
                     row.replies[i].usage.known == row_again.replies[i].usage.known);
    moot__arena_deinit(&row.arena);
    moot__arena_deinit(&row_again.arena);
    moot__arena_deinit(&arena);
    moot__buf_deinit(&line);
    moot__known_calls_deinit(&again);
}

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
    if (rc == MOOT_OK) {
        *rows = journal.totals.succeeded + journal.totals.failed;
        write_and_read(&resumed.calls, MOOT_VIEW("r3"));
    }
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
