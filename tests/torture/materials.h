#ifndef MOOT_TORTURE_MATERIALS_H
#define MOOT_TORTURE_MATERIALS_H

/* What scenarios need and never fails: a folder, a certificate, the file of its authority. Made
 * once by the driver, before it begins. */
#include <stdint.h>

#include "net/tls.h"

struct materials {
    char folder[64];
    char ca_file[96];
    uint64_t wall_ns; /* when the certificate was made */
    struct moot_tls_identity *identity;
};

const struct materials *materials(void);
void materials_make(void);
void materials_remove(void);

/* Write a file of the folder; its path, valid until the next call with the same name's length. */
void materials_write(const char *name, const void *bytes, size_t len);
void materials_path(const char *name, char path[128]);
/* Cut the last bytes off one, as a crash would. */
void materials_cut(const char *name, size_t bytes);
/* Remove all files of the folder but the authority's. */
void materials_clean(void);

/* provider.c: an emulated provider on loopback, in a process of its own. */
void provider_start(void);
void provider_stop(void);
unsigned provider_port(void);
unsigned provider_port_tls(void);

#endif
