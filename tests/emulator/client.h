#ifndef MOOT_TEST_EMULATOR_CLIENT_H
#define MOOT_TEST_EMULATOR_CLIENT_H

/* A client of the emulator in virtual time: it sends texts, and takes all output at the very time
 * that the emulator asked to be woken. */
#include "bench/emulator/emulator.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "tests/support/test.h"

struct client {
    struct moot_emulator *emulator;
    struct moot_emulator_connection *connection;
    uint64_t now_ns;
    struct moot_buf received;
    const char *headers;  /* of every post, in place of the Bearer token; NULL: that */
    bool is_byte_by_byte; /* feed and consume one byte at a time */
};

void client_open(struct client *client, const struct moot_emulator_options *options);
void client_reconnect(struct client *client); /* a new connection to the same emulator */
void client_close(struct client *client);

void client_send(struct client *client, const char *bytes);
/* A POST of `body` to `path` with a Content-Length. */
void client_post(struct client *client, const char *path, const char *body);
/* Take output until the emulator wants nothing more before `until_ns`. */
void client_run(struct client *client, uint64_t until_ns);
/* post and run to the end; what came is in `received`, with a NUL after it. */
const char *client_ask(struct client *client, const char *path, const char *body);

const char *client_text(struct client *client);
/* The body of the first message in `received`, dechunked; NUL-terminated, in *out. Returns the
 * parser's verdict: MOOT_OK, or MOOT_ETRUNCATED when the message is not whole, or MOOT_EPROTO. */
int client_body(struct client *client, struct moot_buf *out);

#define assert_has(text, part)   assert_non_null(strstr((text), (part)))
#define assert_lacks(text, part) assert_null(strstr((text), (part)))

#define CHAT   "/v1/chat/completions"
#define INVOKE "/serving-endpoints/oracle/invocations"
#define HELLO  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a bc def\"}]}"
#define HELLO_STREAM                                                                               \
    "{\"model\":\"m\",\"stream\":true,"                                                            \
    "\"messages\":[{\"role\":\"user\",\"content\":\"a bc def\"}]}"

#endif
