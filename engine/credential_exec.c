/* A credential process: a program that prints a credential.
 *
 * It runs without a shell, with our environment, with nothing to read and its complaints thrown
 * away (they may hold secrets, and the library prints nothing), in a process group of its own, so
 * that all of it ends when its time is over. One of the loop's work threads starts it, reads and
 * reaps it: libuv's way would install a handler for SIGCHLD, which is the host's. A host that reaps
 * every child, or ignores SIGCHLD, only takes the exit status away; then what was printed counts.
 *
 * A byte in the wake pipe is the loop's cancel. The thread touches nothing but the job. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "credential_source.h"
#include "engine/base/alloc.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "net/pool.h"
#include "secret_file.h"
#include "words.h"

#define TIMEOUT_NS (UINT64_C(60) * MOOT_NS_PER_S)

enum outcome {
    EXEC_ENDED,
    EXEC_NOT_STARTED,
    EXEC_FAILED,
    EXEC_TOO_LATE,
    EXEC_TOO_LONG,
    EXEC_CANCELED,
};

enum { READ_END, WRITE_END };

struct job {
    struct moot_fetch *fetch;
    struct moot_work work;
    char *words[MOOT_LIMIT_CREDENTIAL_COMMAND_WORDS + 1];
    int wake[2];
    /* The thread's, until the work is done. */
    struct moot_buf out; /* of full size from the beginning */
    enum outcome outcome;
    int status; /* exit status; or why it could not be started */
    char storage[];
};

/* ---- On the thread ---- */

static int set_up(int out, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes)
{
    sigset_t none, every;
    sigemptyset(&none);
    sigfillset(&every);
    int rc = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!rc)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF);
    if (!rc)
        rc = posix_spawnattr_setsigmask(attributes, &none); /* work threads block every signal */
    if (!rc)
        rc = posix_spawnattr_setsigdefault(attributes, &every);
    return rc;
}

/* 0, or an errno. */
static int start(struct job *job, int out, pid_t *pid)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = set_up(out, &actions, &attributes);
        if (rc == 0)
            rc = posix_spawnp(pid, job->words[0], &actions, &attributes, job->words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MOOT_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Until there is something to read. */
static enum outcome wait_for(struct job *job, int out, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = out, .events = POLLIN},
                               {.fd = job->wake[READ_END], .events = POLLIN}};
        uint64_t left_ns = moot__ns_until(clock_now_ns(), deadline_ns);
        if (left_ns == 0)
            return EXEC_TOO_LATE;
        int n = poll(fds, 2, (int)(left_ns / MOOT_NS_PER_MS) + 1);
        if (n < 0 && errno != EINTR)
            return EXEC_FAILED;
        if (n > 0 && fds[1].revents)
            return EXEC_CANCELED;
        if (n > 0)
            return EXEC_ENDED;
    }
}

static enum outcome read_all(struct job *job, int out, uint64_t deadline_ns)
{
    struct moot_buf *buf = &job->out;
    for (;;) {
        enum outcome outcome = wait_for(job, out, deadline_ns);
        if (outcome != EXEC_ENDED)
            return outcome;
        if (buf->len == buf->cap)
            return EXEC_TOO_LONG;
        ssize_t got = read(out, buf->data + buf->len, buf->cap - buf->len);
        if (got == 0)
            return EXEC_ENDED;
        if (got > 0)
            buf->len += (size_t)got;
        else if (errno != EINTR)
            return EXEC_FAILED;
    }
}

enum child { CHILD_RUNS, CHILD_ENDED, CHILD_TAKEN };

/* Without reaping it: until then nobody else gets its number, and its group can be ended. */
static enum child look_at(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    int rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (rc != 0)
        return errno == EINTR ? CHILD_RUNS : CHILD_TAKEN;
    return info.si_pid == pid ? CHILD_ENDED : CHILD_RUNS;
}

/* It has closed its output, or has to end; whatever still runs in its group ends with it. */
static void reap(struct job *job, pid_t pid, uint64_t deadline_ns)
{
    int status = 0;
    enum child child = look_at(pid);
    while (job->outcome == EXEC_ENDED && child == CHILD_RUNS) {
        struct pollfd wake = {.fd = job->wake[READ_END], .events = POLLIN};
        if (poll(&wake, 1, 5) > 0)
            job->outcome = EXEC_CANCELED;
        else if (moot__ns_until(clock_now_ns(), deadline_ns) == 0)
            job->outcome = EXEC_TOO_LATE;
        child = look_at(pid);
    }
    if (child == CHILD_TAKEN)
        return;
    kill(-pid, SIGKILL);
    pid_t reaped;
    while ((reaped = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
    }
    bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (job->outcome == EXEC_ENDED && child == CHILD_ENDED && reaped == pid && !is_well) {
        job->outcome = EXEC_FAILED;
        job->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

static void run(struct moot_work *work)
{
    struct job *job = moot__container_of(work, struct job, work);
    uint64_t deadline_ns = clock_now_ns() + TIMEOUT_NS;
    int out[2];
    pid_t pid;
    job->outcome = EXEC_NOT_STARTED;
    if (pipe(out) != 0) {
        job->status = errno;
        return;
    }
    moot__ignore(fcntl(out[READ_END], F_SETFD, FD_CLOEXEC));
    moot__ignore(fcntl(out[WRITE_END], F_SETFD, FD_CLOEXEC)); /* the copy made of it stays open */
    job->status = start(job, out[WRITE_END], &pid);
    close(out[WRITE_END]);
    if (job->status == 0) {
        job->outcome = read_all(job, out[READ_END], deadline_ns);
        reap(job, pid, deadline_ns);
    }
    close(out[READ_END]);
}

/* ---- On the loop ---- */

static void free_job(struct job *job)
{
    const struct moot_allocator *allocator = job->out.allocator;
    if (job->wake[READ_END] >= 0)
        close(job->wake[READ_END]);
    if (job->wake[WRITE_END] >= 0)
        close(job->wake[WRITE_END]);
    moot__secret_file_deinit(&job->out);
    moot__free(allocator, job);
}

static int fail(struct moot_fetch *fetch, const char *program, const char *what, int status)
{
    moot__fail(&fetch->error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
               "credential: the process %s %s (%d); run it by hand to see why", program, what,
               status);
    return MOOT_ECREDENTIAL;
}

static void understand(struct job *job)
{
    struct moot_fetch *fetch = job->fetch;
    const char *program = job->words[0];
    switch (job->outcome) {
    case EXEC_ENDED:
        moot__ignore(moot__fetch_take_answer(fetch, moot__buf_view(&job->out), true));
        return;
    case EXEC_NOT_STARTED:
        fail(fetch, program, "could not be started: does it exist?", job->status);
        return;
    case EXEC_FAILED:
        fail(fetch, program, "failed", job->status);
        return;
    case EXEC_TOO_LATE:
        fail(fetch, program, "did not end in time and was killed; seconds allowed",
             (int)(TIMEOUT_NS / MOOT_NS_PER_S));
        return;
    case EXEC_TOO_LONG:
        fail(fetch, program, "printed more than a credential; bytes allowed",
             MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES);
        return;
    case EXEC_CANCELED:
        moot__fail(&fetch->error, MOOT_ECANCELED, MOOT_PHASE_CREDENTIAL, "cancelled");
        return;
    }
    moot__unreachable();
}

static void on_run(struct moot_work *work)
{
    struct job *job = moot__container_of(work, struct job, work);
    struct moot_fetch *fetch = job->fetch;
    if (work->status != MOOT_OK)
        job->outcome = EXEC_CANCELED;
    moot__error_clear(&fetch->error);
    understand(job);
    fetch->job = NULL;
    free_job(job);
    fetch->on_done(fetch);
}

static struct job *new_job(struct moot_fetch *fetch)
{
    const struct moot_allocator *allocator = fetch->pool->transport->allocator;
    struct moot_view command = fetch->spec->command;
    struct job *job = moot__calloc(allocator, 1, sizeof *job + command.len + 1);
    if (!job)
        return NULL;
    job->fetch = fetch;
    job->wake[0] = job->wake[1] = -1;
    job->work.run = run;
    job->work.done = on_run;
    moot__buf_init(&job->out, allocator, MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES);
    if (moot__buf_reserve(&job->out, MOOT_LIMIT_CREDENTIAL_ANSWER_BYTES) == MOOT_OK &&
        moot__words_split(command, job->storage, job->words, moot__countof(job->words)) &&
        pipe(job->wake) == 0) {
        moot__ignore(fcntl(job->wake[0], F_SETFD, FD_CLOEXEC));
        moot__ignore(fcntl(job->wake[1], F_SETFD, FD_CLOEXEC));
        return job;
    }
    free_job(job);
    return NULL;
}

static int begin(struct moot_fetch *fetch)
{
    struct job *job = new_job(fetch);
    int rc = job ? moot__work_submit(fetch->pool->transport, &job->work) : MOOT_ENOMEM;
    if (rc == MOOT_OK) {
        fetch->job = job;
        return MOOT_OK;
    }
    if (job)
        free_job(job);
    return moot__fail(&fetch->error, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL,
                      "no memory or descriptors for the credential process");
}

static void cancel(struct moot_fetch *fetch)
{
    struct job *job = fetch->job;
    moot__ignore((int)write(job->wake[WRITE_END], "", 1));
}

const struct moot_credential_source_ops moot__credential_exec = {
    .name = "the credential process",
    .margins = {.stop_ns = 60 * MOOT_NS_PER_S,
                .fresh_ns = 300 * MOOT_NS_PER_S,
                .again_ns = 60 * MOOT_NS_PER_S},
    .begin = begin,
    .cancel = cancel,
};
