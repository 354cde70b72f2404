/* A target without libFuzzer: the files of the corpora, whole and then with seeded changes.
 *
 *     fuzz_X [--changes N] FILE_OR_FOLDER...
 *
 * Prints how many inputs it ran. In a build with sanitizers this is a small fuzzer of its own. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 256 << 10 };

struct replay {
    unsigned changes;
    unsigned long runs;
    struct moot_rng rng;
    uint8_t input[INPUT_MAX], changed[2 * INPUT_MAX];
};

/* One to four small accidents: a byte flipped, dropped, doubled or made special, a piece repeated.
 */
static size_t change(struct replay *replay, size_t size)
{
    static const uint8_t special[] = {0,    '\r', '\n', '"',  '{',  '}',
                                      '\\', ':',  ',',  0x7f, 0xff, 0x80};
    uint8_t *data = replay->changed;
    memcpy(data, replay->input, size);
    for (uint64_t left = 1 + moot__rng_below(&replay->rng, 4); left > 0 && size > 0; left--) {
        size_t at = (size_t)moot__rng_below(&replay->rng, size);
        size_t len = 1 + (size_t)moot__rng_below(&replay->rng, size - at);
        switch (moot__rng_below(&replay->rng, 5)) {
        case 0:
            data[at] ^= (uint8_t)(1u << moot__rng_below(&replay->rng, 8));
            break;
        case 1:
            memmove(data + at, data + at + 1, size - at - 1);
            size--;
            break;
        case 2:
            data[at] = special[moot__rng_below(&replay->rng, sizeof special)];
            break;
        case 3:
            if (size + len > sizeof replay->changed)
                break;
            memmove(data + at + len, data + at, size - at);
            size += len;
            break;
        default:
            size = at;
        }
    }
    return size;
}

static void run_one(struct replay *replay, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* exactly as long, so that an overrun shows */
    FUZZ_REQUIRE(copy);
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    replay->runs++;
}

static void replay_file(struct replay *replay, const char *path)
{
    FILE *file = fopen(path, "rbe");
    FUZZ_REQUIRE(file);
    size_t size = fread(replay->input, 1, sizeof replay->input, file);
    fclose(file);
    run_one(replay, replay->input, size);
    for (unsigned i = 0; i < replay->changes; i++) {
        size_t changed = change(replay, size);
        run_one(replay, replay->changed, changed);
    }
}

static void replay_path(struct replay *replay, const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        replay_file(replay, path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        replay_file(replay, name);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    static struct replay replay;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--changes") == 0) {
        replay.changes = (unsigned)strtoul(argv[2], NULL, 10);
        first = 3;
    }
    moot__rng_init(&replay.rng, 1);
    run_one(&replay, replay.input, 0);
    for (int i = first; i < argc; i++)
        replay_path(&replay, argv[i]);
    printf("%lu inputs\n", replay.runs);
    return 0;
}
