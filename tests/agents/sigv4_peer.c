/* Our side of tests/interop/sigv4.py: a request a line, its fields in hex with blanks between:
 * access key, secret key, session token, region, service, Unix seconds, method, path, query, body,
 * then name and value of each header. "-" is an empty field. Prints the authorization of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/sigv4.h"
#include "engine/base/check.h"

#define LINE_BYTES (1 << 20)
#define FIELDS_MAX 128

enum {
    ACCESS_KEY,
    SECRET_KEY,
    TOKEN,
    REGION,
    SERVICE,
    UNIX_S,
    METHOD,
    PATH,
    QUERY,
    BODY,
    FIRST_HEADER,
};

/* Decode in place. */
static struct moot_view decode(char *hex)
{
    size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        hex[i] = (char)strtoul(pair, NULL, 16);
    }
    return moot__view(hex, len);
}

static int sign(const struct moot_view *field, size_t count)
{
    struct moot_sigv4_header headers[FIELDS_MAX / 2];
    struct moot_sigv4_signed made;
    struct moot_buf text;
    uint64_t unix_s;
    struct moot_sigv4_key key = {field[ACCESS_KEY], field[SECRET_KEY], field[TOKEN], field[REGION],
                                 field[SERVICE]};
    struct moot_sigv4_request request = {field[METHOD], field[PATH], field[QUERY],
                                         headers,       0,           field[BODY]};
    for (size_t i = FIRST_HEADER; i + 1 < count; i += 2)
        headers[request.header_count++] = (struct moot_sigv4_header){field[i], field[i + 1]};
    if (!moot__view_to_u64(field[UNIX_S], &unix_s))
        return MOOT_EINVAL;
    moot__buf_init(&text, NULL, 64 << 10);
    int rc = moot__sigv4_sign(&request, &key, unix_s, &text, &made);
    struct moot_view said =
        rc ? moot__view_str(moot_error_name(rc)) : made.headers[made.count - 1].value;
    printf("%.*s\n", (int)said.len, said.ptr);
    moot__buf_deinit(&text);
    return MOOT_OK;
}

int main(void)
{
    static char line[LINE_BYTES];
    int rc = MOOT_OK;
    while (!rc && fgets(line, sizeof line, stdin)) {
        struct moot_view field[FIELDS_MAX];
        size_t count = 0;
        char *rest = NULL;
        for (char *word = strtok_r(line, " \n", &rest); word && count < FIELDS_MAX;
             word = strtok_r(NULL, " \n", &rest))
            field[count++] = decode(word);
        rc = count < FIRST_HEADER ? MOOT_EINVAL : sign(field, count);
    }
    return rc != MOOT_OK;
}
