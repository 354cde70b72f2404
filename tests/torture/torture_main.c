/* moot-torture: every scenario once to count its fallible calls, then once for each of them with
 * that one failing, then with it and all after it failing.
 *
 *     moot-torture                      some of the calls of each scenario: a ctest's worth
 *     moot-torture --all [--part I/N]   every one; or one in N of them, for N at once
 *     moot-torture --scenario NAME      every one of this scenario
 *     moot-torture --scenario NAME --nth N --mode once|group|all     this case, in this process
 *     moot-torture --list
 *
 * Cases run in a child process, one after the other, so that a crash, a hang or a wrong end costs
 * one case: it is reported with the command that repeats it, and the rest goes on in the next
 * child. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "materials.h"
#include "torture.h"

enum { SOME = 8, SOME_WHOLE = 4, SHOWN_MAX = 12, CASE_SECONDS_MAX = 20 };

static const char *const mode_names[TORTURE_MODES] = {"once", "group", "all"};

static const struct torture_scenario *const tables[] = {torture_conversations, torture_files,
                                                        torture_real};

/* What a child tells its parent. */
static struct report {
    size_t nth; /* of the case under way */
    struct torture_counts counts;
    size_t cases, wrong_count;
    char first[32]; /* the kind that failed */
    char wrong[512];
} * report;

static bool is_branch; /* this process is one case of a walk */

struct driver {
    bool is_all, is_list;
    unsigned part, parts; /* from 0 */
    const char *scenario;
    size_t nth;
    enum torture_mode mode;
    /* sums */
    size_t scenarios, sites, cases, wrong;
    size_t of_kind[TORTURE_KINDS];
};

/* ---- One case ---- */

void torture_wrong(const char *file, int line, const char *format, ...)
{
    torture_disarm();
    torture_exempt(true);
    const char *name = strrchr(file, '/');
    int at = snprintf(report->wrong, sizeof report->wrong, "%s:%d: ", name ? name + 1 : file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(report->wrong + at, sizeof report->wrong - (size_t)at, format, args);
    va_end(args);
    snprintf(report->first, sizeof report->first, "%s", torture_first_failed());
    fflush(stdout);
    _exit(3);
}

static void run_case(const struct torture_scenario *scenario, size_t nth, enum torture_mode mode)
{
    unsigned fds = torture_descriptors();
    report->nth = nth;
    report->wrong[0] = '\0';
    torture_plan(nth, mode);
    if (nth)
        alarm(CASE_SECONDS_MAX);
    torture_exempt(true);
    scenario->run(scenario);
    torture_disarm();
    torture_exempt(true);
    materials_clean();
    torture_check(torture_descriptors() == fds, "%u descriptors, %u before", torture_descriptors(),
                  fds);
    alarm(0);
    if (is_branch)
        _exit(0);
    report->counts = torture_counts();
    snprintf(report->first, sizeof report->first, "%s", torture_first_failed());
}

void torture_ended(int code, int expected, const char *message)
{
    bool is_fit =
        code == expected || (torture_has_failed() && torture_is_fit(code, torture_groups_failed()));
    torture_check(is_fit, "ended with %s (%s), not %s", code ? moot_error_name(code) : "OK",
                  message, expected ? moot_error_name(expected) : "OK");
}

void torture_peer_ended(int code, int expected, const char *message)
{
    torture_check(torture_has_failed() || code == expected, "ended with %s: %s",
                  moot_error_name(code), message);
}

/* ---- Many cases, in children ---- */

struct run {
    const struct torture_scenario *scenario;
    size_t first, last, stride;
};

static bool tell_wrong(const struct run *run, enum torture_mode mode, int status)
{
    if (WIFSIGNALED(status))
        snprintf(report->wrong, sizeof report->wrong, "%s",
                 WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    else if (!report->wrong[0])
        snprintf(report->wrong, sizeof report->wrong, "exit code %d", WEXITSTATUS(status));
    printf("  WRONG: %s (failed: %s)\n    moot-torture --scenario '%s' --mode %s --nth %zu\n",
           report->wrong, report->first, run->scenario->name, mode_names[mode], report->nth);
    report->wrong_count++;
    if (report->wrong_count == SHOWN_MAX)
        printf("  and so on\n");
    fflush(stdout);
    return report->wrong_count < SHOWN_MAX;
}

static int wait_for(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static bool is_well(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* With threads or files: each case from its beginning; a child goes on until one goes wrong. */
static void run_again_and_again(struct run run, enum torture_mode mode)
{
    while (run.first <= run.last) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            for (size_t nth = run.first; nth <= run.last; nth += run.stride)
                run_case(run.scenario, nth, mode);
            _exit(0);
        }
        int status = wait_for(child);
        if (is_well(status) || !tell_wrong(&run, mode, status))
            break;
        run.first = report->nth + run.stride;
    }
}

/* Without: the scenario is lived once, and at each site a child goes the way where that one fails.
 */
static struct run walk;

static void at_site(size_t site)
{
    if (site < walk.first || (site - walk.first) % walk.stride != 0)
        return;
    for (int mode = 0; mode < TORTURE_MODES; mode++) {
        pid_t child = fork();
        if (child == 0) {
            is_branch = true;
            torture_plan_here(site, (enum torture_mode)mode);
            report->nth = site;
            alarm(CASE_SECONDS_MAX);
            return;
        }
        int status = wait_for(child);
        report->cases++;
        if (!is_well(status) && !tell_wrong(&walk, (enum torture_mode)mode, status))
            _exit(0);
    }
}

static void run_in_walk(const struct run *run)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        walk = *run;
        torture_walk(at_site);
        run_case(run->scenario, 0, TORTURE_ONCE);
        _exit(0);
    }
    int status = wait_for(child);
    if (!is_well(status))
        tell_wrong(run, TORTURE_ONCE, status);
}

/* What it is when nothing fails; false: wrong already. */
static bool count(const struct run *run, struct torture_counts *counts)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run_case(run->scenario, 0, TORTURE_ONCE);
        _exit(0);
    }
    int status = wait_for(child);
    *counts = report->counts;
    if (!is_well(status))
        tell_wrong(run, TORTURE_ONCE, status);
    return is_well(status);
}

/* ---- The driver ---- */

static void tell_scenario(const char *name, const struct torture_counts *counts, size_t cases,
                          double took_s)
{
    printf("%-34s %6zu sites %7zu cases %6.1f s  ", name, counts->sites, cases, took_s);
    for (int i = 0; i < TORTURE_KINDS; i++)
        if (counts->of_kind[i])
            printf(" %s %zu,", torture_kind_name((enum torture_kind)i), counts->of_kind[i]);
    printf("\n");
    fflush(stdout);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void torture(struct driver *driver, const struct torture_scenario *scenario)
{
    double began_s = now_s();
    struct run run = {.scenario = scenario, .stride = 1};
    struct torture_counts counts = {0};
    size_t some = scenario->is_whole ? SOME_WHOLE : SOME;
    driver->scenarios++;
    report->cases = report->wrong_count = 0;
    if (count(&run, &counts)) {
        run.stride = driver->is_all || driver->scenario ? 1 : 1 + counts.sites / some;
        run.first = 1 + driver->scenarios * 7 % run.stride; /* each looks at others */
        if (run.stride == 1) {
            run.stride = driver->parts;
            run.first = 1 + driver->part;
        }
        run.last = counts.sites;
        if (!scenario->is_whole)
            run_in_walk(&run);
        for (int mode = 0; mode < TORTURE_MODES && scenario->is_whole; mode++) {
            run_again_and_again(run, (enum torture_mode)mode);
            report->cases += run.first > run.last ? 0 : (run.last - run.first) / run.stride + 1;
        }
    }
    for (int i = 0; i < TORTURE_KINDS; i++)
        driver->of_kind[i] += counts.of_kind[i];
    driver->sites += counts.sites;
    driver->cases += report->cases;
    driver->wrong += report->wrong_count;
    tell_scenario(scenario->name, &counts, report->cases, now_s() - began_s);
}

static void for_each(struct driver *driver)
{
    for (size_t i = 0; i < moot__countof(tables); i++)
        for (const struct torture_scenario *scenario = tables[i]; scenario->name; scenario++) {
            if (driver->is_list)
                printf("%s\n", scenario->name);
            else if (driver->scenario && strcmp(driver->scenario, scenario->name) != 0)
                continue;
            else if (driver->nth) {
                run_case(scenario, driver->nth, driver->mode);
                printf("%s: %s failed, nothing is wrong\n", scenario->name, report->first);
            } else
                torture(driver, scenario);
        }
}

static bool parse(struct driver *driver, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--all") == 0)
            driver->is_all = true;
        else if (strcmp(argv[i], "--part") == 0 && value) {
            if (sscanf(argv[++i], "%u/%u", &driver->part, &driver->parts) != 2 ||
                driver->part < 1 || driver->part > driver->parts)
                return false;
            driver->part--;
        } else if (strcmp(argv[i], "--list") == 0)
            driver->is_list = true;
        else if (strcmp(argv[i], "--scenario") == 0 && value)
            driver->scenario = argv[++i];
        else if (strcmp(argv[i], "--nth") == 0 && value)
            driver->nth = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--mode") == 0 && value) {
            for (int mode = 0; mode < TORTURE_MODES; mode++)
                if (strcmp(value, mode_names[mode]) == 0)
                    driver->mode = (enum torture_mode)mode;
            i++;
        } else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct driver driver = {.parts = 1};
    if (!parse(&driver, argc, argv)) {
        fprintf(stderr, "moot-torture [--all [--part I/N] | --list]"
                        " [--scenario NAME [--nth N] [--mode MODE]]\n");
        return 2;
    }
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 2;
    torture_find_libraries();
    materials_make();
    provider_start();
    double began_s = now_s();
    for_each(&driver);
    if (!driver.is_list && !driver.nth) {
        struct torture_counts sums = {.sites = driver.sites};
        memcpy(sums.of_kind, driver.of_kind, sizeof sums.of_kind);
        printf("%zu scenarios, %zu wrong\n", driver.scenarios, driver.wrong);
        tell_scenario("all", &sums, driver.cases, now_s() - began_s);
    }
    provider_stop();
    materials_remove();
    return driver.wrong ? 1 : 0;
}
