/* Put before a program with LD_PRELOAD: calls on chosen files fail as if the disk did.
 *
 *   FAILING_DISK=CALL:NAME:BYTES:HOW[,...]
 *
 * CALL is write, fdatasync, fsync, close or rename; NAME the end of the file's path (of a rename:
 * the new one); it fails once the file holds BYTES. HOW is a number of errno, or `short`: only half
 * is written, and every other time nothing, with EINTR. Each call on a file that is named is told
 * in FAILING_DISK_LOG: the call, the name, 0 or the errno. Keeps no state: how large the file is
 * says when. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SHORT = -1, NOT_NAMED = -2 };

/* The function that we stand before, as the linker would have found it. */
static void find_next(const char *name, void *function, size_t size)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    memcpy(function, &found, size);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void note(const char *call, const char *name, int error)
{
    char line[256];
    const char *path = getenv("FAILING_DISK_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    int len = snprintf(line, sizeof line, "%s %s %d\n", call, name, error);
    ssize_t (*write_next)(int, const void *, size_t);
    find_next("write", &write_next, sizeof write_next);
    if (write_next(fd, line, (size_t)len) != len)
        abort();
    int (*close_next)(int);
    find_next("close", &close_next, sizeof close_next);
    close_next(fd);
}

/* What is to happen: 0, an errno, SHORT or NOT_NAMED. */
static int verdict(const char *call, const char *path, long long bytes)
{
    const char *rules = getenv("FAILING_DISK");
    char rule[256], rule_call[32], name[128], how[16];
    long long from;
    int result = NOT_NAMED;
    while (rules && *rules) {
        size_t len = strcspn(rules, ",");
        snprintf(rule, sizeof rule, "%.*s", (int)len, rules);
        rules += len + (rules[len] == ',');
        if (sscanf(rule, "%31[^:]:%127[^:]:%lld:%15s", rule_call, name, &from, how) != 4)
            abort();
        if (strcmp(rule_call, call) != 0 || !ends_with(path, name))
            continue;
        result = bytes < from ? 0 : strcmp(how, "short") == 0 ? SHORT : (int)strtol(how, NULL, 10);
    }
    if (result != NOT_NAMED)
        note(call, strrchr(path, '/') ? strrchr(path, '/') + 1 : path, result);
    return result;
}

static int verdict_of_fd(const char *call, int fd)
{
    char link[64], path[4096];
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return NOT_NAMED;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return NOT_NAMED;
    path[len] = '\0';
    return verdict(call, path, (long long)st.st_size);
}

/* False: it has failed, and errno says how. */
static bool may_go(int result)
{
    if (result > 0)
        errno = result;
    return result <= 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t (*next)(int, const void *, size_t);
    find_next("write", &next, sizeof next);
    int result = verdict_of_fd("write", fd);
    if (result == SHORT) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_nsec / 64 % 2 == 0)
            result = EINTR;
        len = len / 2 + 1;
    }
    return may_go(result) ? next(fd, data, len) : -1;
}

int fdatasync(int fd)
{
    int (*next)(int);
    find_next("fdatasync", &next, sizeof next);
    return may_go(verdict_of_fd("fdatasync", fd)) ? next(fd) : -1;
}

int fsync(int fd)
{
    int (*next)(int);
    find_next("fsync", &next, sizeof next);
    return may_go(verdict_of_fd("fsync", fd)) ? next(fd) : -1;
}

/* As the system has it: closed also when it fails. */
int close(int fd)
{
    int (*next)(int);
    find_next("close", &next, sizeof next);
    int result = verdict_of_fd("close", fd);
    int rc = next(fd);
    return may_go(result) ? rc : -1;
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *);
    find_next("rename", &next, sizeof next);
    return may_go(verdict("rename", to, 0)) ? next(from, to) : -1;
}
