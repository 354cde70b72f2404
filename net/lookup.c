/* getaddrinfo: blocking, and not to be stopped once it began; it sees what the host's own programs
 * see (hosts file, search list, nsswitch), which an own resolver would not. Both families are asked
 * for without AI_ADDRCONFIG, which looks at interfaces and not at routes: trying addresses in turn
 * (dial.h) finds out better what can be reached. */
#include "lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "socket.h"

static void set_failure(struct moot_resolve *answer, int code, int system_error)
{
    answer->status = code == EAI_MEMORY ? MOOT_ENOMEM : MOOT_EDNS;
    if (code == EAI_SYSTEM)
        moot__socket_error(system_error, answer->detail, sizeof answer->detail);
    else
        snprintf(answer->detail, sizeof answer->detail, "%s", gai_strerror(code));
}

static void lookup_run(struct moot_work *work)
{
    struct moot_lookup *lookup = moot__container_of(work, struct moot_lookup, work);
    struct moot_resolve *answer = &lookup->answer;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(answer->host, NULL, &hints, &list);
    if (code != 0) {
        set_failure(answer, code, errno);
        return;
    }
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        if (answer->count == MOOT_LIMIT_DNS_ADDRESSES)
            break;
        struct moot_address *address = &answer->addresses[answer->count];
        if (!moot__socket_address(info->ai_addr, address))
            continue;
        address->port = answer->port;
        answer->count++;
    }
    freeaddrinfo(list);
    if (answer->count == 0)
        set_failure(answer, EAI_NONAME, 0);
}

struct moot_lookup *moot__lookup_new(struct moot_resolve *resolve)
{
    struct moot_lookup *lookup = moot__calloc(NULL, 1, sizeof *lookup);
    if (!lookup)
        return NULL;
    lookup->work.run = lookup_run;
    moot__list_init(&lookup->node);
    lookup->resolve = resolve;
    memcpy(lookup->answer.host, resolve->host, sizeof resolve->host);
    lookup->answer.port = resolve->port;
    return lookup;
}

void moot__lookup_drop(struct moot_work *work)
{
    moot__free(NULL, moot__container_of(work, struct moot_lookup, work));
}
