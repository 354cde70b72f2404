/* What every end must be fit for, whoever made it so. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "torture.h"

enum { LAST_STEPS_MS = 2000 };

bool torture_is_fit(int code, unsigned groups)
{
    static const struct {
        unsigned groups;
        int code;
    } fits[] = {
        {TORTURE_GROUP_MEMORY, MOOT_ENOMEM},    {TORTURE_GROUP_NETWORK, MOOT_EDNS},
        {TORTURE_GROUP_NETWORK, MOOT_ECONNECT}, {TORTURE_GROUP_NETWORK, MOOT_EOUTAGE},
        {TORTURE_GROUP_NETWORK, MOOT_ERESET},   {TORTURE_GROUP_NETWORK, MOOT_ETRUNCATED},
        {TORTURE_GROUP_TLS, MOOT_ETLS},         {TORTURE_GROUP_TLS, MOOT_ENOMEM},
        {TORTURE_GROUP_TLS, MOOT_ECONFIG},      {TORTURE_GROUP_FILE, MOOT_EIO},
        {TORTURE_GROUP_FILE, MOOT_ENOSPC},      {TORTURE_GROUP_FILE, MOOT_ENOTFOUND},
        {TORTURE_GROUP_FILE, MOOT_ECREDENTIAL}, {TORTURE_GROUP_SYSTEM, MOOT_EIO},
        {TORTURE_GROUP_SYSTEM, MOOT_ENOMEM},    {TORTURE_GROUP_NETWORK, MOOT_ECREDENTIAL},
    };
    for (size_t i = 0; i < moot__countof(fits); i++)
        if (fits[i].code == code && fits[i].groups & groups)
            return true;
    if (code == MOOT_EIO && torture_failures_of(TORTURE_LIBUV))
        return true; /* there is no loop, whyever */
    /* mbedTLS often keeps to itself that it had no memory: of a signature that it could not check
     * it says that it does not fit. It never takes that for a success. */
    return (code == MOOT_ECERT || code == MOOT_ETLS) && torture_failures_of(TORTURE_MBEDTLS);
}

void torture_nothing_left(void)
{
    /* Threads that nobody joins may be on their way out. */
    for (int i = 0; i < LAST_STEPS_MS && (torture_blocks() || torture_library_blocks(TORTURE_LIBC));
         i++)
        poll(NULL, 0, 1);
    torture_check(torture_blocks() == 0, "%zu blocks left", torture_blocks());
    torture_renew_psa();
    static const enum torture_kind libraries[] = {TORTURE_LIBC, TORTURE_MBEDTLS, TORTURE_LIBYAML,
                                                  TORTURE_LIBUV, TORTURE_LIBZ};
    for (size_t i = 0; i < moot__countof(libraries); i++) {
        enum torture_kind kind = libraries[i];
        size_t lost = kind == TORTURE_MBEDTLS ? torture_tls_lost() : 0;
        /* libyaml 0.2.5 loses the pairs or items of a node that finds no room in its document. */
        if (kind == TORTURE_LIBYAML && torture_failures_of(kind))
            lost = 1;
        torture_check(torture_library_blocks(kind) <= lost, "%zu blocks: %s",
                      torture_library_blocks(kind), torture_kind_name(kind));
    }
}

unsigned torture_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF;
    return count;
}
