/* Spans from rings to a file: nothing lost that the file takes, everything counted that it does
 * not, and no line torn. */
#include "engine/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test.h"

#include "engine/base/buf.h"
#include "tests/support/failing_alloc.h"
#include "trace/encode_jsonl.h"

struct fixture {
    char folder[64], path[96];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/moot_trace_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/spans.jsonl", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

/* ---- Helpers ---- */

static int open_with(const char *path, enum moot_trace_mode mode, bool content,
                     const struct moot_allocator *allocator, struct moot_trace **out)
{
    struct moot_error_info info = {0};
    const struct moot_trace_options options = {.size = sizeof options,
                                               .allocator = allocator,
                                               .path = path,
                                               .mode = mode,
                                               .content = content};
    int rc = moot_trace_open(&options, out, &info);
    assert_int_equal(info.code, rc);
    assert_int_equal(rc != MOOT_OK, info.message[0] != '\0');
    assert_int_equal(rc == MOOT_OK, *out != NULL);
    return rc;
}

static struct moot_trace *open_append(const char *path)
{
    struct moot_trace *trace;
    assert_int_equal(open_with(path, MOOT_TRACE_APPEND, false, NULL, &trace), MOOT_OK);
    return trace;
}

static struct moot_trace_stats close_trace(struct moot_trace *trace)
{
    struct moot_trace_stats stats = {.size = sizeof stats};
    moot_trace_close(trace, &stats);
    return stats;
}

static struct moot_trace_stats read_stats(struct moot_trace *trace)
{
    struct moot_trace_stats stats = {.size = sizeof stats};
    moot_trace_stats(trace, &stats);
    return stats;
}

/* The span `number` of the producer `producer`: both can be told from the line. */
static void make_span(struct moot_span *span, unsigned producer, uint64_t number)
{
    static const char text[] = "what a person wrote, \"quoted\"\n";
    struct moot_span_ids ids;
    memset(&ids, (int)producer + 1, sizeof ids);
    moot__span_begin(span, MOOT_SPAN_RESPONSE, &ids, number);
    moot__span_set_u64(span, MOOT_ATTR_INPUT_TOKENS, number);
    moot__span_set_str(span, MOOT_ATTR_ROLE, "oracle");
    moot__span_set_view(span, MOOT_ATTR_INPUTS, moot__view(text, sizeof text - 1));
    moot__span_end(span, number + 1);
}

static uint64_t write_spans(struct moot_ring *ring, unsigned producer, uint64_t from, uint64_t to)
{
    uint64_t refused = 0;
    for (uint64_t number = from; number <= to; number++) {
        struct moot_span span;
        make_span(&span, producer, number);
        refused += !moot__ring_write(ring, &span);
    }
    return refused;
}

static size_t read_file(const char *path, char **out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat status;
    assert_int_equal(fstat(fileno(file), &status), 0);
    size_t len = (size_t)status.st_size;
    *out = calloc(1, len + 1);
    assert_non_null(*out);
    assert_int_equal(fread(*out, 1, len, file), len);
    fclose(file);
    return len;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* The file is exactly `head` and then the spans `from` to `to` of producer 0. */
static void assert_file(const char *path, const char *head, uint64_t from, uint64_t to)
{
    struct moot_buf expected;
    moot__buf_init(&expected, NULL, 64 << 20);
    assert_int_equal(moot__buf_append_str(&expected, head), MOOT_OK);
    for (uint64_t number = from; number <= to; number++) {
        struct moot_span span;
        make_span(&span, 0, number);
        span.set &= ~moot__attrs_content;
        assert_int_equal(moot__encode_jsonl(&span, &expected), MOOT_OK);
    }
    char *text;
    size_t len = read_file(path, &text);
    assert_int_equal(len, expected.len);
    if (len)
        assert_memory_equal(text, expected.data, len);
    free(text);
    moot__buf_deinit(&expected);
}

/* Until `condition` holds of the counts, for at most 10 s. */
static struct moot_trace_stats wait_for(struct moot_trace *trace,
                                        bool (*condition)(const struct moot_trace_stats *stats))
{
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (;;) {
        struct moot_trace_stats stats = read_stats(trace);
        if (condition(&stats))
            return stats;
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec - began.tv_sec < 10);
        sched_yield();
    }
}

static bool has_failed_often(const struct moot_trace_stats *stats)
{
    return stats->write_errors >= 2;
}

static bool has_failed(const struct moot_trace_stats *stats)
{
    return stats->write_errors >= 1;
}

static bool has_written(const struct moot_trace_stats *stats)
{
    return stats->written >= 1;
}

/* ---- What a file gets ---- */

static void spans_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace = open_append(f->path);
    struct moot_ring *ring = moot__trace_attach(trace);
    assert_non_null(ring);
    assert_int_equal(write_spans(ring, 0, 1, 2000), 0);
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(stats.written, 2000);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.write_errors, 0);
    assert_int_equal(stats.error, MOOT_OK);
    assert_file(f->path, "", 1, 2000);
    struct stat status;
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_trace_without_spans_is_an_empty_file(void **state)
{
    struct fixture *f = *state;
    struct moot_trace_stats stats = close_trace(open_append(f->path));
    assert_int_equal(stats.written + stats.dropped + stats.write_errors, 0);
    assert_file(f->path, "", 1, 0);
    moot_trace_close(NULL, NULL);
}

static void spans_are_written_while_the_run_goes_on(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace = open_append(f->path);
    assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 1), 0);
    assert_int_equal(wait_for(trace, has_written).written, 1);
    assert_file(f->path, "", 1, 1);
    moot_trace_close(trace, NULL);
}

static void content_is_recorded_only_when_asked_for(void **state)
{
    struct fixture *f = *state;
    for (int content = 0; content <= 1; content++) {
        struct moot_trace *trace;
        assert_int_equal(open_with(f->path, MOOT_TRACE_REPLACE, content, NULL, &trace), MOOT_OK);
        assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 1), 0);
        assert_int_equal(close_trace(trace).written, 1);
        char *text;
        read_file(f->path, &text);
        assert_int_equal(strstr(text, "what a person wrote") != NULL, content);
        free(text);
    }
}

/* ---- What was there before ---- */

static void append_goes_on_and_replace_starts_over(void **state)
{
    struct fixture *f = *state;
    for (uint64_t from = 1; from <= 21; from += 10) {
        struct moot_trace *trace = open_append(f->path);
        assert_int_equal(write_spans(moot__trace_attach(trace), 0, from, from + 9), 0);
        assert_int_equal(close_trace(trace).written, 10);
    }
    assert_file(f->path, "", 1, 30);
    struct moot_trace *trace;
    assert_int_equal(open_with(f->path, MOOT_TRACE_REPLACE, false, NULL, &trace), MOOT_OK);
    moot_trace_close(trace, NULL);
    assert_file(f->path, "", 1, 0);
}

static void a_torn_line_is_cut(void **state)
{
    static const char *const torn[] = {"{", "{\"trace_id\":\"", "{\"trace_id\":\"0123"};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2 * moot__countof(torn); i++) {
        const char *head = i % 2 ? "{\"a\":1}\n" : "";
        char text[64];
        snprintf(text, sizeof text, "%s%s", head, torn[i / 2]);
        write_file(f->path, text);
        struct moot_trace *trace = open_append(f->path);
        assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 3), 0);
        assert_int_equal(close_trace(trace).written, 3);
        assert_file(f->path, head, 1, 3);
    }
}

static void a_long_torn_line_is_cut(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 4080; len <= 4112; len++) {
        char text[4200] = "\n{\"trace_id\":\"";
        memset(text + 14, 'x', len - 14);
        write_file(f->path, text);
        moot_trace_close(open_append(f->path), NULL);
        assert_file(f->path, "\n", 1, 0);
    }
}

static void a_file_that_is_no_trace_is_left_alone(void **state)
{
    static const char *const texts[] = {"precious", "{\"answers\":[]}", "\n\nlast line",
                                        "{\"trace_id\":1}"};
    struct fixture *f = *state;
    for (size_t i = 0; i < moot__countof(texts); i++) {
        write_file(f->path, texts[i]);
        struct moot_trace *trace;
        assert_int_equal(open_with(f->path, MOOT_TRACE_APPEND, false, NULL, &trace), MOOT_EINVAL);
        assert_file(f->path, texts[i], 1, 0);
    }
}

/* ---- Many engines ---- */

enum { PRODUCERS = 4, SPANS = 20000 };

struct producer {
    struct moot_trace *trace;
    unsigned number;
    uint64_t refused;
};

static void *produce(void *data)
{
    struct producer *producer = data;
    /* Two engines' lives, so that rings are handed on between threads. */
    for (uint64_t half = 0; half < 2; half++) {
        struct moot_ring *ring = moot__trace_attach(producer->trace);
        if (!ring)
            return NULL;
        uint64_t from = 1 + half * (SPANS / 2);
        producer->refused += write_spans(ring, producer->number, from, from + SPANS / 2 - 1);
        moot__trace_detach(producer->trace, ring);
    }
    return producer;
}

/* Which producer a line is of, and the number of its span. */
static uint64_t parse_line(const char *line, unsigned *producer)
{
    static const char id[] = "{\"trace_id\":\"", start[] = "\"start_time_unix_nano\":\"";
    assert_memory_equal(line, id, sizeof id - 1);
    const char *digits = strstr(line, start);
    assert_non_null(digits);
    *producer = (unsigned)(line[sizeof id] - '1');
    assert_true(*producer < PRODUCERS);
    return strtoull(digits + sizeof start - 1, NULL, 10);
}

static void many_threads_share_one_file(void **state)
{
    struct fixture *f = *state;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    struct moot_trace *trace = open_append(f->path);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.trace = trace, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint64_t refused = 0;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
        refused += producers[i].refused;
    }
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(stats.dropped, refused);
    assert_int_equal(stats.written + stats.dropped, PRODUCERS * SPANS);
    assert_int_equal(stats.error, MOOT_OK);

    char *text;
    uint64_t lines = 0, seen[PRODUCERS] = {0};
    size_t len = read_file(f->path, &text);
    assert_true(len > 0 && text[len - 1] == '\n');
    for (char *line = text, *end; *line; line = end + 1, lines++) {
        end = strchr(line, '\n');
        *end = '\0';
        unsigned producer;
        uint64_t number = parse_line(line, &producer);
        assert_true(number > 0 && number <= SPANS);
        seen[producer]++;
    }
    assert_int_equal(lines, stats.written);
    for (unsigned i = 0; i < PRODUCERS; i++)
        assert_int_equal(seen[i], SPANS - producers[i].refused);
    free(text);
}

static void a_ring_that_was_given_back_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace = open_append(f->path);
    struct moot_ring *first = moot__trace_attach(trace);
    struct moot_ring *second = moot__trace_attach(trace);
    assert_ptr_not_equal(first, second);
    moot__trace_detach(trace, first);
    assert_ptr_equal(moot__trace_attach(trace), first);
    assert_ptr_not_equal(moot__trace_attach(trace), second);
    moot__trace_detach(trace, NULL);
    moot_trace_close(trace, NULL);
}

/* ---- Files that fail ---- */

static void a_full_disk_drops_and_counts(void **state)
{
    (void)state;
    struct moot_trace *trace = open_append("/dev/full");
    struct moot_ring *ring = moot__trace_attach(trace);
    assert_int_equal(write_spans(ring, 0, 1, 100), 0);
    wait_for(trace, has_failed);
    assert_int_equal(write_spans(ring, 0, 101, 200), 0);
    wait_for(trace, has_failed_often);
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(stats.written, 0);
    assert_int_equal(stats.dropped, 200);
    assert_int_equal(stats.error, MOOT_ENOSPC);
}

/* A file may grow to `bytes` only: a write is then cut short, and the next one fails. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void no_line_is_torn_by_a_full_disk(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace = open_append(f->path);
    limit_files(5000);
    assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 1000), 0);
    wait_for(trace, has_failed);
    struct moot_trace_stats stats = close_trace(trace);
    limit_files(RLIM_INFINITY);
    assert_true(stats.written > 0 && stats.written < 1000);
    assert_int_equal(stats.written + stats.dropped, 1000);
    assert_int_equal(stats.error, MOOT_EIO);
    assert_file(f->path, "", 1, stats.written);
}

static void a_disk_that_was_full_goes_on_with_whole_lines(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace = open_append(f->path);
    struct moot_ring *ring = moot__trace_attach(trace);
    limit_files(5000);
    assert_int_equal(write_spans(ring, 0, 1, 1000), 0);
    wait_for(trace, has_failed);
    limit_files(RLIM_INFINITY);
    assert_int_equal(write_spans(ring, 0, 1001, 2000), 0);
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(stats.written + stats.dropped, 2000);
    assert_true(stats.written > 1000);
    char *text;
    uint64_t lines = 0, last = 0;
    read_file(f->path, &text);
    for (char *line = text, *end; *line; line = end + 1, lines++) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_true(end > line && end[-1] == '}');
        unsigned producer;
        uint64_t number = parse_line(line, &producer);
        assert_true(number > last);
        last = number;
    }
    free(text);
    assert_int_equal(lines, stats.written);
    assert_int_equal(last, 2000);
}

static void paths_that_cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    struct moot_trace *trace;
    assert_int_equal(open_with("/nowhere/spans", MOOT_TRACE_APPEND, false, NULL, &trace),
                     MOOT_ENOTFOUND);
    assert_int_equal(open_with(f->folder, MOOT_TRACE_APPEND, false, NULL, &trace), MOOT_EIO);
    assert_int_equal(open_with(NULL, MOOT_TRACE_APPEND, false, NULL, &trace), MOOT_EINVAL);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(open_with(f->path, MOOT_TRACE_APPEND, false, NULL, &trace), MOOT_EIO);
}

/* ---- Readers of a FIFO ---- */

static int open_fifo(const struct fixture *f)
{
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    return reader;
}

static void a_reader_that_went_away_is_an_error(void **state)
{
    struct fixture *f = *state;
    int reader = open_fifo(f);
    struct moot_trace *trace = open_append(f->path);
    close(reader);
    assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 10), 0);
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(stats.written, 0);
    assert_int_equal(stats.dropped, 10);
    assert_int_equal(stats.error, MOOT_EIO);
}

struct fifo_reader {
    int fd;
    uint64_t lines;
};

static void *read_fifo(void *data)
{
    struct fifo_reader *reader = data;
    static const int wait_ms = 10000;
    char chunk[4096];
    struct pollfd poller = {.fd = reader->fd, .events = POLLIN};
    while (poll(&poller, 1, wait_ms) > 0) {
        ssize_t n = read(reader->fd, chunk, sizeof chunk);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        for (ssize_t i = 0; i < n; i++)
            reader->lines += chunk[i] == '\n';
    }
    return NULL;
}

static void a_slow_reader_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    struct fifo_reader reader = {.fd = open_fifo(f)};
    struct moot_trace *trace = open_append(f->path);
    struct moot_ring *ring = moot__trace_attach(trace);
    /* More than pipe, buffer and ring together take. */
    uint64_t refused = write_spans(ring, 0, 1, 60000);
    assert_true(refused > 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_fifo, &reader), 0);
    struct moot_trace_stats stats = close_trace(trace);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(reader.fd);
    assert_int_equal(stats.written + stats.dropped, 60000);
    assert_int_equal(stats.dropped, refused);
    assert_int_equal(reader.lines, stats.written);
    assert_int_equal(stats.error, MOOT_OK);
}

static void a_reader_that_never_reads_is_not_waited_for_long(void **state)
{
    struct fixture *f = *state;
    int reader = open_fifo(f);
    struct moot_trace *trace = open_append(f->path);
    assert_int_equal(write_spans(moot__trace_attach(trace), 0, 1, 5000), 0);
    struct moot_trace_stats stats = close_trace(trace);
    close(reader);
    assert_true(stats.written > 0 && stats.dropped > 0);
    assert_int_equal(stats.written + stats.dropped, 5000);
    assert_int_equal(stats.error, MOOT_EIO);
}

/* ---- Memory ---- */

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    struct moot_failing_alloc memory;
    for (size_t nth = 1;; nth++) {
        moot__failing_alloc_init(&memory, nth);
        struct moot_trace *trace;
        int rc = open_with(f->path, MOOT_TRACE_APPEND, false, &memory.allocator, &trace);
        struct moot_ring *ring = rc ? NULL : moot__trace_attach(trace);
        uint64_t spans = ring ? 10 : 0;
        struct moot_trace_stats stats = {.size = sizeof stats};
        if (ring)
            assert_int_equal(write_spans(ring, 0, 1, spans), 0);
        moot_trace_close(trace, &stats);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        assert_int_equal(stats.written + stats.dropped, spans);
        if (!moot__failing_alloc_failed(&memory))
            break;
        assert_true(rc == MOOT_ENOMEM || !ring || stats.error == MOOT_ENOMEM);
    }
}

#define TRACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(spans_arrive_in_order),
        TRACE_TEST(a_trace_without_spans_is_an_empty_file),
        TRACE_TEST(spans_are_written_while_the_run_goes_on),
        TRACE_TEST(content_is_recorded_only_when_asked_for),
        TRACE_TEST(append_goes_on_and_replace_starts_over),
        TRACE_TEST(a_torn_line_is_cut),
        TRACE_TEST(a_long_torn_line_is_cut),
        TRACE_TEST(a_file_that_is_no_trace_is_left_alone),
        TRACE_TEST(many_threads_share_one_file),
        TRACE_TEST(a_ring_that_was_given_back_is_used_again),
        TRACE_TEST(a_full_disk_drops_and_counts),
        TRACE_TEST(no_line_is_torn_by_a_full_disk),
        TRACE_TEST(a_disk_that_was_full_goes_on_with_whole_lines),
        TRACE_TEST(paths_that_cannot_be_opened),
        TRACE_TEST(a_reader_that_went_away_is_an_error),
        TRACE_TEST(a_slow_reader_holds_nobody_up),
        TRACE_TEST(a_reader_that_never_reads_is_not_waited_for_long),
        TRACE_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
