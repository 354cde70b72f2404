#include "materials.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "net/tls_mint.h"
#include "torture.h"

/* mbedTLS looks at the true clock. Within a day every run has the same certificate. */
enum { DAY_S = 24 * 3600 };

static struct materials made;

const struct materials *materials(void)
{
    return &made;
}

void materials_path(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", made.folder, name);
}

void materials_write(const char *name, const void *bytes, size_t len)
{
    char path[128];
    materials_path(name, path);
    FILE *file = fopen(path, "w");
    torture_check(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, "no %s", path);
}

void materials_cut(const char *name, size_t bytes)
{
    char path[128];
    struct stat status;
    materials_path(name, path);
    torture_check(stat(path, &status) == 0 && truncate(path, status.st_size - (off_t)bytes) == 0,
                  "cannot cut %s", path);
}

void materials_make(void)
{
    const struct moot_view names[] = {MOOT_VIEW("api.test"), MOOT_VIEW("localhost"),
                                      MOOT_VIEW("127.0.0.1")};
    struct moot_tls_minted minted;
    snprintf(made.folder, sizeof made.folder, "torture-XXXXXX");
    torture_check(mkdtemp(made.folder), "no folder");
    snprintf(made.ca_file, sizeof made.ca_file, "%s/ca.pem", made.folder);
    made.wall_ns = (uint64_t)(time(NULL) / DAY_S * DAY_S) * MOOT_NS_PER_S;
    const struct moot_tls_mint_options options = {
        .names = names, .name_count = moot__countof(names), .wall_ns = made.wall_ns};
    int rc = moot__tls_mint(NULL, &options, &minted);
    if (!rc)
        rc = moot__tls_identity_parse(NULL, moot__view_str(minted.certificate_pem),
                                      moot__view_str(minted.key_pem), &made.identity, NULL);
    torture_check(rc == MOOT_OK, "no certificate");
    materials_write("ca.pem", minted.ca_pem, strlen(minted.ca_pem));
    materials_write("certificate.pem", minted.certificate_pem, strlen(minted.certificate_pem));
    materials_write("key.pem", minted.key_pem, strlen(minted.key_pem));
    moot__tls_minted_deinit(&minted);
}

static void remove_files(bool all)
{
    DIR *folder = opendir(made.folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[400];
        if (entry->d_name[0] == '.' || (!all && strstr(entry->d_name, ".pem")))
            continue;
        snprintf(path, sizeof path, "%s/%s", made.folder, entry->d_name);
        unlink(path);
    }
    if (folder)
        closedir(folder);
}

void materials_clean(void)
{
    remove_files(false);
}

void materials_remove(void)
{
    moot__tls_identity_unref(made.identity);
    remove_files(true);
    rmdir(made.folder);
}
