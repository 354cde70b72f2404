/* Why a thread: a disk may stall for seconds, and a loop may not. The loops fill their rings
 * (trace/ring.h) and never notice this file; the thread looks every POLL_MS what is there, encodes
 * it and writes in large pieces. Producers wake nobody: a signal would cost each of them a system
 * call, and a ring is large enough for what comes between two looks.
 *
 * Model: one buffer of whole lines. Rings are emptied into it only while it has room, so whatever
 * blocks the file (a reader that does not read) backs up into the rings, which drop and count.
 *
 * Invariants: outside of write_out the buffer holds whole lines, but for the rest of one line whose
 * beginning is in the file already (`line_bytes` > 0), and that rest is never dropped while the
 * thread runs: the next write that succeeds completes the line. So a disk that was full for a while
 * leaves a gap, never a torn line in the middle. */
#include "trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "trace/encode_jsonl.h"

enum {
    WRITE_BYTES = 256 << 10, /* lines are gathered up to this */
    POLL_MS = 20,
    CLOSE_WAIT_MS = 2000,
};

/* One engine's ring. Never unlinked before the trace is closed, so that the thread may walk the
 * list without the lock. */
struct outlet {
    struct moot_ring ring;
    struct outlet *next;
    bool is_taken; /* guarded by the lock */
};

struct moot_trace {
    /* Constant after open. */
    const struct moot_allocator *allocator;
    struct moot_ring_options ring_options;
    int fd;
    pthread_t thread;

    struct {
        struct moot_buf lines;
        uint64_t line_count; /* ends of lines in it */
        size_t line_bytes;   /* of an incomplete last line in the file */
        bool is_blocked;     /* the last write had to stop: the reader does not read */
    } thread_only;

    struct {
        pthread_mutex_t lock;
        pthread_cond_t closing_changed;
        struct outlet *outlets; /* the newest first */
        bool is_closing;
        uint64_t written, lost, write_errors;
        int error;
    } synced;
};

/* ---- The thread ---- */

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t count = 0;
    for (const char *end = data + len; data < end; count++) {
        data = memchr(data, '\n', (size_t)(end - data));
        if (!data)
            break;
        data++;
    }
    return count;
}

static void note_error(struct moot_trace *trace, int code, uint64_t lost, bool is_write)
{
    pthread_mutex_lock(&trace->synced.lock);
    trace->synced.lost += lost;
    trace->synced.write_errors += is_write;
    if (trace->synced.error == MOOT_OK)
        trace->synced.error = code;
    pthread_mutex_unlock(&trace->synced.lock);
}

static int code_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return MOOT_ENOSPC;
    case ENOENT:
    case ENOTDIR:
        return MOOT_ENOTFOUND;
    default:
        return MOOT_EIO;
    }
}

/* The first `len` bytes of the buffer are in the file. */
static void lines_written(struct moot_trace *trace, size_t len)
{
    struct moot_buf *lines = &trace->thread_only.lines;
    if (len == 0)
        return;
    size_t tail = len;
    while (tail > 0 && lines->data[tail - 1] != '\n')
        tail--;
    size_t before = tail == 0 ? trace->thread_only.line_bytes : 0;
    trace->thread_only.line_bytes = before + (len - tail);
    uint64_t count =
        len == lines->len ? trace->thread_only.line_count : count_lines(lines->data, len);
    moot__buf_consume(lines, len);
    trace->thread_only.line_count -= count;
    pthread_mutex_lock(&trace->synced.lock);
    trace->synced.written += count;
    pthread_mutex_unlock(&trace->synced.lock);
}

/* The file takes nothing: drop every line of which nothing is in it yet. */
static void lines_lost(struct moot_trace *trace, int error)
{
    struct moot_buf *lines = &trace->thread_only.lines;
    size_t keep = 0;
    if (trace->thread_only.line_bytes > 0) {
        keep = moot__view_find(moot__buf_view(lines), '\n', 0) + 1;
        assert(keep <= lines->len);
    }
    uint64_t kept = keep > 0, lost = trace->thread_only.line_count - kept;
    moot__buf_truncate(lines, keep);
    trace->thread_only.line_count = kept;
    note_error(trace, code_of(error), lost, true);
}

static bool is_writable_soon(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, POLL_MS) > 0;
}

static void write_out(struct moot_trace *trace)
{
    struct moot_buf *lines = &trace->thread_only.lines;
    size_t done = 0;
    int error = 0;
    while (done < lines->len && !error && !trace->thread_only.is_blocked) {
        ssize_t n = write(trace->fd, lines->data + done, lines->len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            trace->thread_only.is_blocked = !is_writable_soon(trace->fd);
        else if (n == 0 || errno != EINTR)
            error = n == 0 ? EIO : errno;
    }
    lines_written(trace, done);
    if (error)
        lines_lost(trace, error);
}

/* Empty a ring as far as the buffer goes. Returns whether something may be left. */
static bool take_spans(struct moot_trace *trace, struct moot_ring *ring)
{
    struct moot_buf *lines = &trace->thread_only.lines;
    struct moot_span span;
    bool is_left = true;
    while (lines->len < WRITE_BYTES && (is_left = moot__ring_read(ring, &span))) {
        int rc = moot__encode_jsonl(&span, lines);
        if (rc == MOOT_OK)
            trace->thread_only.line_count++;
        else
            note_error(trace, rc, 1, false);
    }
    moot__ring_release(ring);
    return is_left;
}

/* One look at every ring; at most one buffer of each, so that none keeps the others waiting.
 * Returns whether there was more than that. */
static bool turn(struct moot_trace *trace)
{
    pthread_mutex_lock(&trace->synced.lock);
    struct outlet *outlet = trace->synced.outlets;
    pthread_mutex_unlock(&trace->synced.lock);
    bool is_more = false;
    trace->thread_only.is_blocked = false;
    for (; outlet && !trace->thread_only.is_blocked; outlet = outlet->next) {
        is_more |= take_spans(trace, &outlet->ring);
        if (trace->thread_only.lines.len >= WRITE_BYTES)
            write_out(trace);
    }
    if (!trace->thread_only.is_blocked)
        write_out(trace);
    return is_more && !trace->thread_only.is_blocked;
}

/* Wait for the next look; true once the trace is being closed. */
static bool wait_for_next(struct moot_trace *trace)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + POLL_MS * MOOT_NS_PER_MS;
    until.tv_sec += (time_t)(ns / MOOT_NS_PER_S);
    until.tv_nsec = (long)(ns % MOOT_NS_PER_S);
    int rc = 0;
    pthread_mutex_lock(&trace->synced.lock);
    while (!trace->synced.is_closing && rc == 0)
        rc = pthread_cond_timedwait(&trace->synced.closing_changed, &trace->synced.lock, &until);
    bool is_closing = trace->synced.is_closing;
    pthread_mutex_unlock(&trace->synced.lock);
    return is_closing;
}

/* A line that could not be completed is taken back, if it still is the end of the file. */
static void cut_incomplete_line(struct moot_trace *trace)
{
    off_t cut = (off_t)trace->thread_only.line_bytes;
    off_t at = lseek(trace->fd, 0, SEEK_CUR);
    struct stat status;
    if (cut > 0 && at >= cut && fstat(trace->fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size == at && ftruncate(trace->fd, at - cut) != 0)
        note_error(trace, code_of(errno), 0, true);
}

/* Of all that the rings took, what is not in the file by now is lost. */
static void settle(struct moot_trace *trace)
{
    pthread_mutex_lock(&trace->synced.lock);
    uint64_t taken = 0;
    for (struct outlet *outlet = trace->synced.outlets; outlet; outlet = outlet->next)
        taken += moot__ring_written(&outlet->ring);
    assert(taken >= trace->synced.written + trace->synced.lost);
    uint64_t lost = taken - trace->synced.written;
    bool is_news = lost > trace->synced.lost && trace->synced.error == MOOT_OK;
    trace->synced.lost = lost;
    if (is_news)
        trace->synced.error = MOOT_EIO;
    pthread_mutex_unlock(&trace->synced.lock);
}

/* No engine writes any more: everything that is left goes out, or is counted. */
static void finish(struct moot_trace *trace)
{
    for (int waits = 0; waits < CLOSE_WAIT_MS / POLL_MS; waits += trace->thread_only.is_blocked) {
        if (!turn(trace) && !trace->thread_only.is_blocked)
            break;
    }
    cut_incomplete_line(trace);
    if (fdatasync(trace->fd) != 0 && errno != EINVAL && errno != EROFS)
        note_error(trace, code_of(errno), 0, true);
    settle(trace);
}

static void *thread_main(void *data)
{
    struct moot_trace *trace = data;
    while (!wait_for_next(trace)) {
        while (turn(trace))
            ;
    }
    finish(trace);
    return NULL;
}

/* ---- Opening and closing ---- */

static int fail_file(struct moot_error_info *info, const char *path, int error)
{
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    return moot__fail(info, code_of(error), MOOT_PHASE_NONE, "cannot write the trace to %s: %s",
                      path, reason);
}

/* Where the last line begins that has no end; `size` if there is none. -1 with errno: the file
 * could not be read, or the line is longer than any of ours. */
static off_t find_torn_line(int fd, off_t size)
{
    char chunk[4096];
    off_t at = size;
    while (at > 0 && size - at <= (off_t)MOOT_JSONL_LINE_BYTES) {
        size_t wanted = at < (off_t)sizeof chunk ? (size_t)at : sizeof chunk;
        ssize_t n = pread(fd, chunk, wanted, at - (off_t)wanted);
        if (n != (ssize_t)wanted) {
            errno = n < 0 ? errno : EIO;
            return -1;
        }
        for (; wanted > 0; wanted--, at--)
            if (chunk[wanted - 1] == '\n')
                return at;
    }
    errno = EFBIG;
    return at == 0 ? 0 : -1;
}

/* A process that was killed may have left half a line; the file of somebody else is not touched. */
static int cut_torn_line(int reader, int writer, const char *path, struct moot_error_info *info)
{
    static const char beginning[] = "{\"trace_id\":\"";
    char found[sizeof beginning - 1];
    struct stat status;
    if (fstat(reader, &status) != 0)
        return fail_file(info, path, errno);
    off_t line = find_torn_line(reader, status.st_size);
    if (line == status.st_size)
        return MOOT_OK;
    ssize_t n = line < 0 ? -1 : pread(reader, found, sizeof found, line);
    if (n < 0 && errno != EFBIG)
        return fail_file(info, path, errno);
    if (n < 0 || memcmp(found, beginning, (size_t)n) != 0)
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE,
                          "%s ends in something that is no trace; give another file", path);
    if (ftruncate(writer, line) != 0)
        return fail_file(info, path, errno);
    return MOOT_OK;
}

static int open_file(struct moot_trace *trace, const struct moot_trace_options *options,
                     struct moot_error_info *info)
{
    /* A device or FIFO must not block us, not even here. */
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (options->mode == MOOT_TRACE_REPLACE)
        flags |= O_TRUNC;
    trace->fd = open(options->path, flags, 0600);
    if (trace->fd < 0)
        return fail_file(info, options->path, errno);
    struct stat status;
    if (fstat(trace->fd, &status) != 0)
        return fail_file(info, options->path, errno);
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return MOOT_OK;
    int reader = open(options->path, O_RDONLY | O_CLOEXEC);
    if (reader < 0)
        return fail_file(info, options->path, errno);
    int rc = cut_torn_line(reader, trace->fd, options->path, info);
    close(reader);
    return rc;
}

/* The host's signals are the host's: this thread takes none, so a reader that went away is EPIPE
 * here and never the end of the process. */
static int start_thread(struct moot_trace *trace)
{
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    int failed = pthread_create(&trace->thread, NULL, thread_main, trace);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? MOOT_ENOMEM : MOOT_OK;
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return MOOT_ENOMEM;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return failed ? MOOT_ENOMEM : MOOT_OK;
}

static int start(struct moot_trace *trace)
{
    if (pthread_mutex_init(&trace->synced.lock, NULL) != 0)
        return MOOT_ENOMEM;
    if (init_condition(&trace->synced.closing_changed) != MOOT_OK)
        goto destroy_lock;
    if (start_thread(trace) == MOOT_OK)
        return MOOT_OK;
    pthread_cond_destroy(&trace->synced.closing_changed);
destroy_lock:
    pthread_mutex_destroy(&trace->synced.lock);
    return MOOT_ENOMEM;
}

int moot_trace_open(const struct moot_trace_options *options, struct moot_trace **out,
                    struct moot_error_info *info)
{
    *out = NULL;
    if (options->size != sizeof *options || !options->path)
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE, "incomplete trace options");
    struct moot_trace *trace = moot__calloc(options->allocator, 1, sizeof *trace);
    if (!trace)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "out of memory");
    trace->allocator = options->allocator;
    trace->ring_options.content = options->content;
    moot__buf_init(&trace->thread_only.lines, options->allocator,
                   WRITE_BYTES + MOOT_JSONL_LINE_BYTES);
    int rc = open_file(trace, options, info);
    if (rc)
        goto close_file;
    rc = moot__buf_reserve(&trace->thread_only.lines, WRITE_BYTES);
    if (rc == MOOT_OK)
        rc = start(trace);
    if (rc == MOOT_OK) {
        *out = trace;
        return MOOT_OK;
    }
    moot__fail(info, rc, MOOT_PHASE_NONE, "cannot start the trace: %s", moot_error_text(rc));
close_file:
    if (trace->fd >= 0)
        close(trace->fd);
    moot__buf_deinit(&trace->thread_only.lines);
    moot__free(trace->allocator, trace);
    return rc;
}

void moot_trace_stats(struct moot_trace *trace, struct moot_trace_stats *stats)
{
    assert(stats->size == sizeof *stats);
    pthread_mutex_lock(&trace->synced.lock);
    stats->written = trace->synced.written;
    stats->dropped = trace->synced.lost;
    stats->write_errors = trace->synced.write_errors;
    stats->error = trace->synced.error;
    for (struct outlet *outlet = trace->synced.outlets; outlet; outlet = outlet->next)
        stats->dropped += moot__ring_dropped(&outlet->ring);
    pthread_mutex_unlock(&trace->synced.lock);
}

void moot_trace_close(struct moot_trace *trace, struct moot_trace_stats *stats)
{
    if (!trace)
        return;
    pthread_mutex_lock(&trace->synced.lock);
    trace->synced.is_closing = true;
    pthread_cond_signal(&trace->synced.closing_changed);
    pthread_mutex_unlock(&trace->synced.lock);
    int failed = pthread_join(trace->thread, NULL);
    assert(!failed);
    moot__ignore(failed);
    if (stats)
        moot_trace_stats(trace, stats);
    for (struct outlet *outlet = trace->synced.outlets, *next; outlet; outlet = next) {
        next = outlet->next;
        moot__ring_deinit(&outlet->ring);
        moot__free(trace->allocator, outlet);
    }
    pthread_cond_destroy(&trace->synced.closing_changed);
    pthread_mutex_destroy(&trace->synced.lock);
    close(trace->fd);
    moot__buf_deinit(&trace->thread_only.lines);
    moot__free(trace->allocator, trace);
}

/* ---- The engines ---- */

/* Under the lock, so that the last producer's marks are seen by the next. */
static struct outlet *take_idle(struct moot_trace *trace)
{
    pthread_mutex_lock(&trace->synced.lock);
    struct outlet *outlet = trace->synced.outlets;
    while (outlet && outlet->is_taken)
        outlet = outlet->next;
    if (outlet)
        outlet->is_taken = true;
    pthread_mutex_unlock(&trace->synced.lock);
    return outlet;
}

struct moot_ring *moot__trace_attach(struct moot_trace *trace)
{
    struct outlet *outlet = take_idle(trace);
    if (outlet)
        return &outlet->ring;
    outlet = moot__alloc(trace->allocator, sizeof *outlet);
    if (!outlet)
        return NULL;
    if (moot__ring_init(&outlet->ring, trace->allocator, &trace->ring_options) != MOOT_OK) {
        moot__free(trace->allocator, outlet);
        return NULL;
    }
    outlet->is_taken = true;
    pthread_mutex_lock(&trace->synced.lock);
    outlet->next = trace->synced.outlets;
    trace->synced.outlets = outlet;
    pthread_mutex_unlock(&trace->synced.lock);
    return &outlet->ring;
}

void moot__trace_detach(struct moot_trace *trace, struct moot_ring *ring)
{
    if (!ring)
        return;
    struct outlet *outlet = moot__container_of(ring, struct outlet, ring);
    pthread_mutex_lock(&trace->synced.lock);
    assert(outlet->is_taken);
    outlet->is_taken = false;
    pthread_mutex_unlock(&trace->synced.lock);
}
