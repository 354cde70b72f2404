/* moot-interrupts: whatever state any machine is in, everything that can happen to a conversation
 * happens then, once.
 *
 *     moot-interrupts            a few times in every state, in different scenarios
 *     moot-interrupts --all      in every scenario, and in every turn of each as well
 *
 * The scenarios of conversations.c are lived one after the other, undisturbed. Whenever a machine
 * enters a state, a task is posted; when it runs and the machine is there still, this is a moment
 * at which a user's callback could run, and for each interrupt that can happen a child process goes
 * the way where it does, to the end of the scenario: one completion, with the right error, and
 * nothing left. Want of memory strikes in the middle of the step that entered.
 *
 * The tables are those that the machines bring along: a state of any of them that was never rested
 * in, or an interrupt that never could happen in it, must be in `impossible` below, with the
 * reason; and what is there must not happen. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "interrupts.h"
#include "materials.h"
#include "states.h"

enum {
    TIMES_SOME = 1,
    TIMES_ALL = 3,
    CASES_SOME = 4,
    TURNS_MAX = 400,
    CASE_SECONDS_MAX = 30,
    SHOWN_MAX = 20
};

#define ANY INTERRUPTS

/* What cannot be, and why. */
static const struct impossible {
    enum machine machine;
    const char *state;
    enum interrupt interrupt; /* or ANY */
    const char *reason;
} impossible[] = {
    {MACHINE_CONVERSATION, "slot", INTERRUPT_WORK_LIMIT, "waiting for a place is not work"},
    {MACHINE_CONVERSATION, "slot", INTERRUPT_DEADLINE, "there is no call"},
    {MACHINE_CONVERSATION, "pick", ANY, "left within the step that entered it"},
    {MACHINE_CONVERSATION, "credential", INTERRUPT_WORK_LIMIT,
     "waiting for a credential is not work"},
    {MACHINE_CONVERSATION, "credential", INTERRUPT_DEADLINE, "there is no call of its own"},
    {MACHINE_CONVERSATION, "quota", INTERRUPT_WORK_LIMIT, "waiting for quota is not work"},
    {MACHINE_CONVERSATION, "quota", INTERRUPT_DEADLINE, "there is no call"},
    {MACHINE_CONVERSATION, "backoff", INTERRUPT_WORK_LIMIT,
     "one that would outlast the limit is not begun"},
    {MACHINE_CONVERSATION, "backoff", INTERRUPT_DEADLINE, "there is no call"},
    {MACHINE_CONVERSATION, "closing", INTERRUPT_WORK_LIMIT, "how it ends is decided"},
    {MACHINE_CONVERSATION, "closing", INTERRUPT_DEADLINE, "its call was cancelled"},
    {MACHINE_CONVERSATION, "done", ANY, "the last state: its memory goes in the same step"},
    {MACHINE_CONNECTION, "closed", ANY, "the last state: its memory goes in the same step"},
    {MACHINE_DIAL, "resolving", INTERRUPT_RESET, "nothing is connected"},
    {MACHINE_DIAL, "failing", INTERRUPT_RESET, "nothing is connected"},
    {MACHINE_HANDSHAKE, "done", ANY, "the last state: its memory goes in the same step"},
    {MACHINE_KEEPER, "pausing", INTERRUPT_WORK_LIMIT, "there is nothing to make a call with"},
    {MACHINE_KEEPER, "pausing", INTERRUPT_DEADLINE, "there is nothing to make a call with"},
    {MACHINE_PROVIDER, "ended", ANY, "the last state: the connection goes in the same step"},
};

/* ---- What the children tell ---- */

static struct report {
    struct {
        const struct moot_sm_state *states;
        unsigned count;
    } tables[MACHINES];
    size_t entered[MACHINES][STATES_MAX];
    size_t cases[MACHINES][STATES_MAX][INTERRUPTS];
    size_t turn_cases, wrong_count;
    char what[160]; /* the case under way */
    char wrong[512];
} * report;

static unsigned times = TIMES_SOME;   /* in one scenario */
static size_t cases_max = CASES_SOME; /* of one interrupt in one state */
static bool is_branch;
static const char *scenario_name;
static unsigned times_here[MACHINES][STATES_MAX][INTERRUPTS]; /* in this scenario */

void torture_wrong(const char *file, int line, const char *format, ...)
{
    torture_disarm();
    const char *name = strrchr(file, '/');
    int at = snprintf(report->wrong, sizeof report->wrong, "%s:%d: ", name ? name + 1 : file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(report->wrong + at, sizeof report->wrong - (size_t)at, format, args);
    va_end(args);
    fflush(stdout);
    _exit(3);
}

static bool is_well(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        snprintf(report->wrong, sizeof report->wrong, "%s",
                 WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    printf("  WRONG: %s: %s: %s\n", scenario_name, report->what, report->wrong);
    fflush(stdout);
    report->wrong_count++;
    return false;
}

/* True in the child, where the interrupt is to happen. */
static bool branch(void)
{
    if (report->wrong_count >= SHOWN_MAX)
        return false;
    report->wrong[0] = '\0';
    pid_t child = fork();
    if (child == 0) {
        is_branch = true;
        states_on_enter = NULL;
        alarm(CASE_SECONDS_MAX);
        return true;
    }
    moot__ignore(is_well(child));
    return false;
}

/* ---- In every state ---- */

/* A machine that entered a state, until a task tells whether it stayed. */
struct probe {
    const struct moot_sm *sm; /* compared only: it may be gone */
    enum machine machine;
    unsigned state;
    struct moot_task task;
};

enum { PROBES = 64 };
static struct probe probes[PROBES];

static bool is_memory(enum interrupt interrupt)
{
    return interrupt == INTERRUPT_NO_MEMORY || interrupt == INTERRUPT_NO_MEMORY_LEFT;
}

/* True in a child in which one of them happened. */
static bool strike(const struct moot_sm *sm, enum machine machine, unsigned state, bool memory)
{
    struct stage *stage = stage_now();
    for (int i = 0; i < INTERRUPTS; i++) {
        enum interrupt interrupt = (enum interrupt)i;
        if (is_memory(interrupt) != memory || times_here[machine][state][i] >= times ||
            report->cases[machine][state][i] >= cases_max ||
            !interrupt_can(stage, interrupt, machine == MACHINE_CONVERSATION ? sm : NULL))
            continue;
        times_here[machine][state][i]++;
        report->cases[machine][state][i]++;
        snprintf(report->what, sizeof report->what, "%s in %s %s", interrupt_name(interrupt),
                 machine_name(machine), report->tables[machine].states[state].name);
        if (branch()) {
            interrupt_now(stage, interrupt);
            return true;
        }
    }
    return false;
}

static void on_probe(struct moot_task *task)
{
    struct probe *probe = moot__container_of(task, struct probe, task);
    if (!probe->sm || is_branch || !stage_now())
        return;
    const struct moot_sm *sm = probe->sm;
    probe->sm = NULL;
    moot__ignore(strike(sm, probe->machine, probe->state, false));
}

static struct moot_transport *host_of(enum machine machine)
{
    struct stage *stage = stage_now();
    return machine == MACHINE_PROVIDER ? stage->there : stage->here;
}

static void on_enter(const struct moot_sm *sm, enum machine machine, unsigned state)
{
    torture_check(sm->count <= STATES_MAX, "too many states");
    report->tables[machine].states = machine_states(machine, &report->tables[machine].count);
    report->entered[machine][state]++;
    struct probe *free_one = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        if (probes[i].sm == sm)
            probes[i].sm = NULL; /* it has left */
        if (!probes[i].sm && !moot__list_is_linked(&probes[i].task.node))
            free_one = &probes[i];
    }
    if (!stage_now() || strike(sm, machine, state, true) || !sm->states[state].allowed)
        return;
    torture_check(free_one, "too many moves at once");
    free_one->sm = sm;
    free_one->machine = machine;
    free_one->state = state;
    moot__task_post(host_of(machine), &free_one->task);
}

/* ---- In every turn ---- */

static struct moot_task turn_task;
static unsigned turn;

static void on_turn_task(struct moot_task *task)
{
    struct stage *stage = stage_now();
    moot__ignore(task == NULL);
    if (!stage)
        return;
    turn++;
    for (int i = 0; i < INTERRUPTS; i++) {
        if (is_branch || turn > TURNS_MAX || !interrupt_can(stage, (enum interrupt)i, NULL))
            continue;
        report->turn_cases++;
        snprintf(report->what, sizeof report->what, "%s in turn %u",
                 interrupt_name((enum interrupt)i), turn);
        if (branch())
            interrupt_now(stage, (enum interrupt)i);
    }
}

static void on_turn(struct stage *stage, bool is_here)
{
    if (is_here && !moot__list_is_linked(&turn_task.node))
        moot__task_post(stage->here, &turn_task);
}

/* ---- A scenario ---- */

static void live(const struct torture_scenario *scenario, bool turns)
{
    unsigned fds = torture_descriptors();
    for (unsigned i = 0; i < PROBES; i++)
        moot__task_init(&probes[i].task, on_probe);
    moot__task_init(&turn_task, on_turn_task);
    states_on_enter = turns ? NULL : on_enter;
    stage_on_turn = turns ? on_turn : NULL;
    torture_plan(0, TORTURE_ONCE);
    for (int i = 0; i < TORTURE_KINDS; i++)
        torture_leave_out((enum torture_kind)i, i != TORTURE_ALLOC && i != TORTURE_WORK);
    torture_exempt(true);
    scenario->run(scenario);
    torture_check(torture_descriptors() == fds, "descriptors are left");
}

static void interrupt_all(const struct torture_scenario *scenario, bool turns)
{
    scenario_name = scenario->name;
    snprintf(report->what, sizeof report->what, "nothing");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        live(scenario, turns);
        fflush(stdout);
        _exit(0);
    }
    moot__ignore(is_well(child));
}

/* ---- The table ---- */

static const struct impossible *find_impossible(enum machine machine, const char *state,
                                                enum interrupt interrupt)
{
    for (size_t i = 0; i < moot__countof(impossible); i++)
        if (impossible[i].machine == machine && strcmp(impossible[i].state, state) == 0 &&
            (impossible[i].interrupt == interrupt ||
             (impossible[i].interrupt == ANY && !is_memory(interrupt))))
            return &impossible[i];
    return NULL;
}

static void judge(enum machine machine, unsigned state)
{
    const struct moot_sm_state *at = &report->tables[machine].states[state];
    const size_t *cases = report->cases[machine][state];
    printf("%-13s %-11s", machine_name(machine), at->name);
    for (int i = 0; i < INTERRUPTS; i++)
        printf(" %6zu", cases[i]);
    printf("\n");
    for (int i = 0; i < INTERRUPTS; i++) {
        bool is_listed = find_impossible(machine, at->name, (enum interrupt)i) != NULL;
        if (is_listed != (cases[i] == 0)) {
            printf("  WRONG: %s in %s %s: %s\n", interrupt_name((enum interrupt)i),
                   machine_name(machine), at->name,
                   is_listed ? "listed as impossible, and yet it happened"
                             : "no scenario gets there, and no reason says why");
            report->wrong_count++;
        }
    }
}

/* Whoever makes a machine must be in the map. */
static size_t count_makers(const char *folder)
{
    size_t makers = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[600], text[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file)
            continue;
        if (!strchr(entry->d_name, '.'))
            makers += strcmp(entry->d_name, "base") == 0 ? 0 : count_makers(path);
        bool is_maker = false;
        while (fgets(text, sizeof text, file))
            is_maker = is_maker || strstr(text, "moot__sm_init(");
        makers += is_maker;
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return makers;
}

static void check_makers(void)
{
    static const char *const folders[] = {"agents", "bench", "engine", "net", "trace"};
    size_t makers = 0;
    for (size_t i = 0; i < moot__countof(folders); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", MOOT_SOURCE_DIR, folders[i]);
        makers += count_makers(path);
    }
    if (makers != MACHINES) {
        printf("  WRONG: %zu files make a machine, %d are known\n", makers, (int)MACHINES);
        report->wrong_count++;
    }
}

static void tell(double took_s)
{
    size_t cases = 0, states = 0;
    printf("%-25s", "");
    for (int i = 0; i < INTERRUPTS; i++)
        printf(" %6.6s", interrupt_name((enum interrupt)i));
    printf("\n");
    for (int m = 0; m < MACHINES; m++)
        for (unsigned state = 0; state < report->tables[m].count; state++, states++) {
            judge((enum machine)m, state);
            for (int i = 0; i < INTERRUPTS; i++)
                cases += report->cases[m][state][i];
        }
    for (int m = 0; m < MACHINES; m++)
        if (!report->tables[m].count) {
            printf("  WRONG: the machine '%s' was never seen\n", machine_name((enum machine)m));
            report->wrong_count++;
        }
    check_makers();
    printf("%d machines, %zu states, %zu cases in states, %zu in turns, %zu wrong, %.1f s\n",
           (int)MACHINES, states, cases, report->turn_cases, report->wrong_count, took_s);
    for (size_t i = 0; i < moot__countof(impossible); i++)
        printf("impossible: %s in %s %s: %s\n",
               impossible[i].interrupt == ANY ? "anything but want of memory"
                                              : interrupt_name(impossible[i].interrupt),
               machine_name(impossible[i].machine), impossible[i].state, impossible[i].reason);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    bool is_all = argc == 2 && strcmp(argv[1], "--all") == 0;
    if (argc > 1 && !is_all) {
        fprintf(stderr, "moot-interrupts [--all]\n");
        return 2;
    }
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 2;
    torture_find_libraries();
    materials_make();
    double began_s = now_s();
    if (is_all) {
        times = TIMES_ALL;
        cases_max = SIZE_MAX;
    }
    for (const struct torture_scenario *scenario = torture_conversations; scenario->name;
         scenario++) {
        if (scenario->is_whole)
            continue;
        interrupt_all(scenario, false);
        if (is_all)
            interrupt_all(scenario, true);
    }
    tell(now_s() - began_s);
    size_t wrong = report->wrong_count;
    materials_remove();
    return wrong ? 1 : 0;
}
