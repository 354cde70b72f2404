/* Whole batches: files, threads, engines and the emulated provider. */
#include "tests/support/test.h"

#include <moot.h>
#include <moot/preview.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/emulator/thread.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"

struct fixture {
    char folder[64], input[96], output[96];
    struct moot_emulator_options emulator;
    struct moot_emulator_thread *provider;
    struct moot_plan *plan;
    struct moot_batch_options options;
    struct moot_error_info info;
    struct moot_batch_progress last;
    struct moot_batch *running;
    uint64_t interrupt_at_rows; /* 0: never */
    bool interrupt_twice;
    const char *role_extra, *provider_extra; /* more members, as ", key: value" */
};

static const char *const names[] = {
    "in.jsonl",           "out.jsonl",         "out.errors.jsonl",
    "out.calls.jsonl",    "out.moot.json",     "out.summary.json",
    "out.batch.json",     "out.moot.json.tmp", "out.summary.json.tmp",
    "out.batch.json.tmp",
};

static char *path_of(struct fixture *f, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

/* The whole file, to be freed; "" if there is none. */
static char *slurp(struct fixture *f, const char *name)
{
    enum { ROOM = 4 << 20 };
    char *text = calloc(1, ROOM);
    FILE *file = fopen(path_of(f, name), "r");
    assert_non_null(text);
    if (file) {
        assert_true(fread(text, 1, ROOM - 1, file) < ROOM - 1);
        fclose(file);
    }
    return text;
}

static unsigned count_of(struct fixture *f, const char *name, const char *needle)
{
    char *text = slurp(f, name);
    unsigned count = 0;
    for (char *at = text; (at = strstr(at, needle)); at++)
        count++;
    free(text);
    return count;
}

static void write_rows(struct fixture *f, unsigned count)
{
    FILE *file = fopen(f->input, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "{\"id\":\"row%u\",\"question\":\"What is %u?\",\"level\":%u}\n", i, i,
                i % 3);
    assert_int_equal(fclose(file), 0);
}

static void on_progress(void *context, const struct moot_batch_progress *progress)
{
    struct fixture *f = context;
    f->last = *progress;
    if (f->interrupt_at_rows == 0 || progress->rows_succeeded < f->interrupt_at_rows)
        return;
    f->interrupt_at_rows = 0;
    moot_batch_interrupt(f->running);
    if (f->interrupt_twice)
        moot_batch_interrupt(f->running);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){
        .emulator = moot_emulator_options_default(), .role_extra = "", .provider_extra = ""};
    snprintf(f.folder, sizeof f.folder, "batch-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.input, sizeof f.input, "%s/in.jsonl", f.folder);
    snprintf(f.output, sizeof f.output, "%s/out.jsonl", f.folder);
    f.options = (struct moot_batch_options){
        .size = sizeof f.options,
        .input_path = f.input,
        .output_path = f.output,
        .on_progress = on_progress,
        .progress_context = &f,
        .progress_interval_ns = 10 * MOOT_NS_PER_MS,
    };
    *state = &f;
    return 0;
}

static void load_plan(struct fixture *f, const char *url)
{
    char text[1024];
    snprintf(text, sizeof text,
             "models:\n"
             "  oracle: {endpoint: model-a, instruction: Answer.%s}\n"
             "  judge: {endpoint: model-b, instruction: Judge.%s}\n"
             "configuration: {user_response_instruction: Better please.}\n"
             "providers: {default: {type: openai, base_url: \"%s/v1\", api_key: env:KEY%s}}\n",
             f->role_extra, f->role_extra, url, f->provider_extra);
    struct moot_plan_options plan = {
        .size = sizeof plan, .path = "test.yaml", .text = moot__view_str(text)};
    assert_int_equal(setenv("KEY", "secret", 1), 0);
    int rc = moot_plan_load(&plan, &f->plan, &f->info);
    assert_string_equal(f->info.message, "");
    assert_int_equal(rc, MOOT_OK);
    f->options.plan = f->plan;
}

static const char *start_provider(struct fixture *f)
{
    struct moot_emulator_thread_options provider = {.size = sizeof provider,
                                                    .emulator = &f->emulator};
    assert_int_equal(moot_emulator_thread_start(&provider, &f->provider, NULL), MOOT_OK);
    return moot_emulator_thread_url(f->provider);
}

static void start(struct fixture *f)
{
    load_plan(f, start_provider(f));
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    moot_plan_unref(f->plan);
    moot_emulator_thread_stop(f->provider);
    for (size_t i = 0; i < moot__countof(names); i++)
        unlink(path_of(f, names[i]));
    return rmdir(f->folder);
}

static enum moot_batch_status run(struct fixture *f)
{
    assert_int_equal(moot_batch_new(&f->options, &f->running, &f->info), MOOT_OK);
    enum moot_batch_status status = moot_batch_run(f->running, &f->info);
    moot_batch_progress(f->running, &f->last);
    moot_batch_free(f->running);
    f->running = NULL;
    return status;
}

static uint64_t requests(struct fixture *f)
{
    struct moot_emulator_ledger ledger;
    moot_emulator_thread_ledger(f->provider, &ledger);
    return ledger.requests;
}

/* Every row has exactly one line. */
static void assert_each_once(struct fixture *f, unsigned rows)
{
    for (unsigned i = 0; i < rows; i++) {
        char id[32];
        snprintf(id, sizeof id, "{\"id\":\"row%u\"", i);
        assert_int_equal(count_of(f, "out.jsonl", id) + count_of(f, "out.errors.jsonl", id), 1);
    }
}

static void every_row_is_answered(void **state)
{
    struct fixture *f = *state;
    write_rows(f, 100);
    start(f);
    f->options.loops = 2;
    f->options.concurrency = 20;
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    assert_int_equal(f->last.rows_succeeded, 100);
    assert_int_equal(f->last.rows_total, 100);
    assert_int_equal(f->last.rows_in_flight, 0);
    assert_int_equal(f->last.calls, 200);
    assert_int_equal(requests(f), 200);
    assert_each_once(f, 100);
    assert_int_equal(count_of(f, "out.jsonl", "\"answer\":\"model-b heard: Better please.\""), 100);
    assert_int_equal(count_of(f, "out.jsonl", "\"metadata\":{\"level\":"), 100);
    assert_int_equal(access(path_of(f, "out.calls.jsonl"), F_OK), -1);
    assert_int_equal(count_of(f, "out.batch.json", "\"status\":\"completed\""), 1);
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE); /* nothing is left to do */
    assert_int_equal(requests(f), 200);
    assert_int_equal(f->last.rows_known, 100);
}

static void an_interrupted_run_goes_on(void **state)
{
    struct fixture *f = *state;
    write_rows(f, 60);
    f->emulator.whole_ns = 20 * MOOT_NS_PER_MS;
    start(f);
    f->options.concurrency = 4;
    for (unsigned times = 0; times < 2; times++) {
        f->interrupt_at_rows = 8;
        f->interrupt_twice = times == 1;
        assert_int_equal(run(f), MOOT_BATCH_INTERRUPTED);
    }
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    assert_each_once(f, 60);
    /* Only the calls that the second interrupt ended were made again. */
    assert_in_range(requests(f), 120, 124);
    assert_int_equal(count_of(f, "out.summary.json", "\"succeeded\":60"), 1);
}

/* Told by the child whenever rows have ended: so that it is killed at work, without a clock. */
static void tell_parent(void *context, const struct moot_batch_progress *progress)
{
    const int *fd = context;
    if (progress->rows_succeeded > 0 && write(*fd, "", 1) != 1)
        _exit(1);
}

/* A process of its own that runs the batch with the provider whose URL comes through `url_fd`. */
static void be_child(struct fixture *f, int url_fd, int told_fd)
{
    char url[128];
    alarm(60); /* should the parent fail */
    ssize_t len = read(url_fd, url, sizeof url - 1);
    if (len <= 0)
        _exit(1);
    url[len] = '\0';
    load_plan(f, url);
    f->options.on_progress = tell_parent;
    f->options.progress_context = &told_fd;
    f->options.progress_interval_ns = MOOT_NS_PER_MS;
    if (moot_batch_new(&f->options, &f->running, NULL) == MOOT_OK)
        moot_batch_run(f->running, NULL);
    _exit(0);
}

/* The child is forked before this process has threads, and may be killed at any instant. */
static void a_killed_run_loses_and_repeats_nothing(void **state)
{
    enum { KILLS = 4, ROWS = 120, AT_ONCE = 4 };
    struct fixture *f = *state;
    int url[KILLS][2], told[KILLS][2];
    pid_t children[KILLS];
    write_rows(f, ROWS);
    f->emulator.whole_ns = 5 * MOOT_NS_PER_MS;
    f->options.concurrency = AT_ONCE;
    for (unsigned i = 0; i < KILLS; i++) {
        assert_int_equal(pipe(url[i]), 0);
        assert_int_equal(pipe(told[i]), 0);
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            be_child(f, url[i][0], told[i][1]);
        close(told[i][1]);
    }
    const char *address = start_provider(f);
    for (unsigned i = 0; i < KILLS; i++) {
        char byte;
        assert_int_equal(write(url[i][1], address, strlen(address)), strlen(address));
        for (unsigned told_count = 0; told_count <= 3 * i; told_count++)
            if (read(told[i][0], &byte, 1) != 1)
                break; /* it was faster */
        kill(children[i], SIGKILL);
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
        close(url[i][0]);
        close(url[i][1]);
        close(told[i][0]);
    }
    load_plan(f, address);
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    assert_each_once(f, ROWS);
    assert_in_range(requests(f), 2 * ROWS, 2 * ROWS + KILLS * AT_ONCE);
}

static void bad_and_duplicate_rows_fail_alone(void **state)
{
    struct fixture *f = *state;
    static const char rows[] = "\xef\xbb\xbf{\"id\":\"row0\",\"question\":\"q\"}\r\n"
                               "\r\n"
                               "{\"id\":\"row1\"}\n"
                               "{\"id\":\"row0\",\"question\":\"again\"}\n"
                               "{\"id\":\n"
                               "{\"id\":\"row2\",\"question\":\"q\"}";
    FILE *file = fopen(f->input, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(rows, 1, sizeof rows - 1, file), sizeof rows - 1);
    fclose(file);
    start(f);
    assert_int_equal(run(f), MOOT_BATCH_SOME_FAILED);
    assert_int_equal(f->last.rows_succeeded, 2);
    assert_int_equal(f->last.rows_failed, 3);
    assert_int_equal(count_of(f, "out.errors.jsonl", "line 4 has the id of line 1"), 1);
    assert_int_equal(run(f), MOOT_BATCH_SOME_FAILED); /* and they are not failed twice */
    assert_int_equal(f->last.rows_failed, 0);
    assert_int_equal(count_of(f, "out.errors.jsonl", "\n"), 3);
    f->options.retry_failed = true;
    assert_int_equal(run(f), MOOT_BATCH_SOME_FAILED);
    assert_int_equal(f->last.rows_failed, 3);
    assert_int_equal(count_of(f, "out.errors.jsonl", "\n"), 3);
    assert_int_equal(requests(f), 4);
}

static void too_many_errors_stop_the_run(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->input, "w");
    assert_non_null(file);
    fputs("{\"question\":\"q\"}\n", file);
    for (unsigned i = 0; i < 100; i++)
        fputs("{}\n", file);
    fclose(file);
    start(f);
    f->options.has_errors_max = true;
    f->options.errors_max = 10;
    assert_int_equal(run(f), MOOT_BATCH_THRESHOLD);
    assert_int_equal(f->info.code, MOOT_EBUDGET);
    assert_int_equal(f->last.rows_failed, 11);
    assert_int_equal(count_of(f, "out.batch.json", "\"status\":\"cancelled\""), 1);
}

/* The provider's own books: whatever was in flight had its price set aside. */
static void the_cost_limit_holds_with_many_at_once(void **state)
{
    enum { ROWS = 100, FIT = 10 };
    struct fixture *f = *state;
    struct moot_emulator_ledger ledger;
    struct moot_preview sums;
    write_rows(f, ROWS);
    f->role_extra = ", max_tokens: 4";
    f->provider_extra =
        ", prices: {'*': {input: 1, output: 3000}}"; /* nearly all that they may cost */
    start(f);
    const struct moot_preview_options preview = {
        .size = sizeof preview, .plan = f->plan, .path = f->input, .limit = FIT};
    assert_int_equal(moot_preview(&preview, &sums, &f->info), MOOT_OK);
    f->options.cost_max = sums.cost;
    f->options.concurrency = 64;
    f->options.loops = 2;
    assert_int_equal(run(f), MOOT_BATCH_THRESHOLD);
    assert_int_equal(f->info.code, MOOT_EBUDGET);
    moot_emulator_thread_ledger(f->provider, &ledger);
    double cost = ((double)ledger.tokens_in + (double)ledger.tokens_out * 3000) / 1e6;
    assert_true(cost <= f->options.cost_max);
    assert_true(f->last.cost > cost - 1e-9 && f->last.cost < cost + 1e-9);
    assert_in_range(f->last.rows_succeeded, FIT - 1, ROWS - 1);
    assert_int_equal(f->last.rows_failed, 0);
}

static void a_refused_credential_stops_the_run(void **state)
{
    struct fixture *f = *state;
    write_rows(f, 50);
    f->emulator.api_key = "another";
    start(f);
    f->options.concurrency = 5;
    assert_int_equal(run(f), MOOT_BATCH_ERROR);
    assert_int_equal(f->info.code, MOOT_EAUTH);
    assert_int_equal(f->info.http_status, 401);
    assert_non_null(strstr(f->info.message, "no row was answered: check the provider's api_key"));
    assert_int_equal(f->last.rows_failed, 0);
    assert_int_equal(count_of(f, "out.errors.jsonl", "\n"), 0);
    assert_true(requests(f) <= 20);
}

static void shards_share_the_rows(void **state)
{
    struct fixture *f = *state;
    write_rows(f, 10);
    start(f);
    f->options.shards = 3;
    f->options.shard = 1;
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    assert_int_equal(f->last.rows_succeeded, 3); /* 1, 4, 7 */
    assert_int_equal(count_of(f, "out.jsonl", "{\"id\":\"row4\""), 1);
    f->options.rows_max = 2;
    f->options.shard = 0;
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    assert_int_equal(f->last.rows_succeeded, 2); /* 0, 3 */
}

static void wrong_options_and_files_are_told(void **state)
{
    struct fixture *f = *state;
    struct moot_batch *batch;
    start(f);
    f->options.output_path = "-";
    assert_int_equal(moot_batch_new(&f->options, &batch, &f->info), MOOT_EINVAL);
    f->options.output_path = f->output;
    assert_int_equal(run(f), MOOT_BATCH_ERROR);
    assert_int_equal(f->info.code, MOOT_ENOTFOUND);
    assert_int_equal(access(f->output, F_OK), -1);
    write_rows(f, 0);
    assert_int_equal(run(f), MOOT_BATCH_COMPLETE);
    f->options.shard = 1;
    assert_int_equal(moot_batch_new(&f->options, &batch, &f->info), MOOT_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_run_loses_and_repeats_nothing), /* first: it forks before there are threads */
        TEST(every_row_is_answered),
        TEST(an_interrupted_run_goes_on),
        TEST(bad_and_duplicate_rows_fail_alone),
        TEST(too_many_errors_stop_the_run),
        TEST(the_cost_limit_holds_with_many_at_once),
        TEST(a_refused_credential_stops_the_run),
        TEST(shards_share_the_rows),
        TEST(wrong_options_and_files_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
