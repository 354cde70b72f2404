/* Reading input: lines, gzip, limits; and what tells rows apart. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/alloc.h"
#include "engine/base/rng.h"
#include "engine/batch/hash.h"
#include "engine/batch/id_set.h"
#include "engine/batch/lines.h"

/* A descriptor to read `bytes` from. */
static int file_of(const void *bytes, size_t len)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fflush(file), 0);
    int fd = dup(fileno(file));
    fclose(file);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static size_t gzip(const void *bytes, size_t len, unsigned char *out, size_t room)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    union {
        const void *in;
        unsigned char *out;
    } input = {.in = bytes};
    stream.next_in = input.out;
    stream.avail_in = (unsigned)len;
    stream.next_out = out;
    stream.avail_out = (unsigned)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

/* All lines of `bytes`, each as "number:text|"; "number:!|" for one that is too long. */
static int read_all(const void *bytes, size_t len, bool quoted, char *out, size_t room)
{
    struct moot_lines lines;
    struct moot_line line;
    int fd = file_of(bytes, len);
    moot__lines_init(&lines, NULL, &moot__disk_posix, fd, 64);
    lines.quoted = quoted;
    int rc;
    size_t at = 0;
    out[0] = '\0';
    while ((rc = moot__lines_next(&lines, &line)) == MOOT_OK || rc == MOOT_ELIMIT)
        at += (size_t)snprintf(out + at, room - at, "%u:%.*s|", line.number,
                               rc == MOOT_ELIMIT ? 1 : (int)line.text.len,
                               rc == MOOT_ELIMIT ? "!" : line.text.ptr);
    moot__lines_deinit(&lines);
    close(fd);
    return rc;
}

static void lines_of_every_ending(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool quoted;
    } cases[] = {
        {"", "", false},
        {"a", "1:a|", false},
        {"a\n", "1:a|", false},
        {"a\r\nb\r\n", "1:a|2:b|", false},
        {"\xef\xbb\xbf{}\n\n{}", "1:{}|2:|3:{}|", false},
        {"\xef\xbb\xbf", "", false},
        {"\n\n", "1:|2:|", false},
        {"a,\"x\ny\"\"\n\"\nb,c\n", "1:a,\"x\ny\"\"\n\"|4:b,c|", true},
        {"a,\"x\ny", "1:a,\"x\ny|", true},
        {"a,\"x\ny", "1:a,\"x|2:y|", false},
    };
    char out[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = read_all(cases[i].in, strlen(cases[i].in), cases[i].quoted, out, sizeof out);
        assert_int_equal(rc, MOOT_ENOTFOUND);
        assert_string_equal(out, cases[i].out);
    }
}

static void a_line_at_its_limit_and_above(void **state)
{
    (void)state;
    char in[512], out[512];
    for (unsigned len = 63; len <= 65; len++) {
        int n = snprintf(in, sizeof in, "first\n%0*d\nlast\n", (int)len, 0);
        assert_int_equal(read_all(in, (size_t)n, false, out, sizeof out), MOOT_ENOTFOUND);
        assert_int_equal(strstr(out, "2:!|3:last|") != NULL, len == 65);
    }
}

static void a_line_larger_than_the_buffer_is_skipped(void **state)
{
    (void)state;
    size_t len = 3u << 20;
    char *in = moot__alloc(NULL, len);
    char out[64];
    assert_non_null(in);
    memset(in, 'x', len);
    in[1] = '\n';
    in[len - 4] = '\n';
    assert_int_equal(read_all(in, len, false, out, sizeof out), MOOT_ENOTFOUND);
    assert_string_equal(out, "1:x|2:!|3:xxx|");
    in[len - 4] = 'x';
    assert_int_equal(read_all(in, len, false, out, sizeof out), MOOT_ENOTFOUND);
    assert_string_equal(out, "1:x|2:!|");
    moot__free(NULL, in);
}

static void gzip_of_many_members_and_cut(void **state)
{
    (void)state;
    unsigned char packed[512];
    char out[128];
    size_t first = gzip("one\ntw", 6, packed, sizeof packed);
    size_t both = first + gzip("o\nthree\n", 8, packed + first, sizeof packed - first);
    assert_int_equal(read_all(packed, both, false, out, sizeof out), MOOT_ENOTFOUND);
    assert_string_equal(out, "1:one|2:two|3:three|");
    for (size_t cut = 2; cut < both; cut++) {
        int rc = read_all(packed, cut, false, out, sizeof out);
        assert_int_equal(rc, cut == first ? MOOT_ENOTFOUND : MOOT_EENCODING);
    }
    packed[first / 2] ^= 0x55;
    assert_int_equal(read_all(packed, both, false, out, sizeof out), MOOT_EENCODING);
}

static void a_gzip_bomb_streams(void **state)
{
    (void)state;
    size_t len = 8u << 20;
    char *in = moot__calloc(NULL, 1, len);
    unsigned char packed[64 << 10];
    char out[64];
    assert_non_null(in);
    size_t packed_len = gzip(in, len, packed, sizeof packed);
    assert_int_equal(read_all(packed, packed_len, false, out, sizeof out), MOOT_ENOTFOUND);
    assert_string_equal(out, "1:!|");
    moot__free(NULL, in);
}

static void hashes_as_published(void **state)
{
    (void)state;
    char text[33];
    moot__hash_text(moot__hash(MOOT_VIEW("")), text);
    assert_string_equal(text, "00000000000000000000000000000000");
    moot__hash_text(moot__hash(MOOT_VIEW("The quick brown fox jumps over the lazy dog")), text);
    assert_string_equal(text, "6c1b07bc7bbc4be347939ac4a93c437a");
    struct moot_view all = MOOT_VIEW("0123456789abcdef0123456789abcdef0123456789");
    struct moot_hash whole = moot__hash(all);
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct moot_hasher hasher = {0};
        moot__hasher_add(&hasher, moot__view(all.ptr, cut));
        moot__hasher_add(&hasher, moot__view(all.ptr + cut, all.len - cut));
        struct moot_hash parts = moot__hasher_result(&hasher);
        assert_true(parts.h1 == whole.h1 && parts.h2 == whole.h2);
    }
}

static struct moot_hash nth(uint64_t n)
{
    return moot__hash(moot__view((const char *)&n, sizeof n));
}

static void a_million_ids_in_24_megabytes(void **state)
{
    (void)state;
    struct moot_id_set set = {0};
    for (uint64_t i = 0; i < 1000000; i++) {
        assert_int_equal(moot__id_set_add(&set, nth(i), (uint32_t)i), MOOT_OK);
        if (set.count >= 100000 && set.count % 10000 == 0)
            assert_true(moot__id_set_bytes(&set) <= 24 * set.count);
    }
    assert_int_equal(set.count, 1000000);
    for (uint64_t i = 0; i < 1000000; i += 7)
        assert_int_equal(*moot__id_set_find(&set, nth(i)), i);
    for (uint64_t i = 1000000; i < 1001000; i++)
        assert_null(moot__id_set_find(&set, nth(i)));
    moot__id_set_deinit(&set);
}

static void ids_are_removed_without_losing_others(void **state)
{
    (void)state;
    struct moot_id_set set = {0};
    struct moot_rng rng;
    bool is_in[4000] = {false};
    size_t count = 0;
    moot__rng_init(&rng, 7);
    for (unsigned step = 0; step < 100000; step++) {
        uint64_t i = moot__rng_below(&rng, sizeof is_in);
        if (moot__rng_below(&rng, 2)) {
            assert_int_equal(moot__id_set_add(&set, nth(i), (uint32_t)i), MOOT_OK);
            count += !is_in[i];
            is_in[i] = true;
        } else {
            assert_int_equal(moot__id_set_remove(&set, nth(i)), is_in[i]);
            count -= is_in[i];
            is_in[i] = false;
        }
        assert_int_equal(set.count, count);
    }
    for (uint64_t i = 0; i < sizeof is_in; i++)
        assert_int_equal(moot__id_set_find(&set, nth(i)) != NULL, is_in[i]);
    moot__id_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_every_ending),
        cmocka_unit_test(a_line_at_its_limit_and_above),
        cmocka_unit_test(a_line_larger_than_the_buffer_is_skipped),
        cmocka_unit_test(gzip_of_many_members_and_cut),
        cmocka_unit_test(a_gzip_bomb_streams),
        cmocka_unit_test(hashes_as_published),
        cmocka_unit_test(a_million_ids_in_24_megabytes),
        cmocka_unit_test(ids_are_removed_without_losing_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
