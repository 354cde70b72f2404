#ifndef MOOT_ERROR_H
#define MOOT_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include <moot/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every error of the library, in one list: name, value, class, text.
 *
 * The class is the terminal outcome that a user sees in a result file and counts in a summary:
 *   none       not a failure of a conversation (programming, files, configuration)
 *   config     the configuration or the input is wrong; nothing was sent
 *   provider   the provider answered with an error
 *   protocol   the peer broke HTTP, SSE, JSON or the dialect
 *   incomplete the answer was cut before its end: never a success
 *   timeout    a deadline passed; the phase tells which
 *   transport  name lookup, connection, TLS or proxy failed
 *   cancelled  the caller or a shutdown ended it
 *   budget     a limit that the user set was reached
 *   memory     no memory */
#define MOOT_ERROR_MAP(X)                                                                          \
    X(EINVAL, -1, NONE, "invalid argument")                                                        \
    X(ENOMEM, -2, MEMORY, "out of memory")                                                         \
    X(ELIMIT, -3, PROTOCOL, "a size or count limit was exceeded")                                  \
    X(EAGAIN, -4, NONE, "not ready yet")                                                           \
    X(EBUSY, -5, NONE, "busy or closing")                                                          \
    X(ECANCELED, -6, CANCELLED, "cancelled")                                                       \
    X(EIO, -7, NONE, "input or output failed")                                                     \
    X(ENOSPC, -8, NONE, "no space left on the device")                                             \
    X(ENOTFOUND, -9, NONE, "not found")                                                            \
    X(ETIMEDOUT, -10, TIMEOUT, "timed out")                                                        \
    X(EDNS, -11, TRANSPORT, "the host name could not be resolved")                                 \
    X(ECONNECT, -12, TRANSPORT, "the connection could not be made")                                \
    X(ERESET, -13, TRANSPORT, "the connection was reset by the peer")                              \
    X(ETLS, -14, TRANSPORT, "TLS failed")                                                          \
    X(ECERT, -15, TRANSPORT, "the peer's certificate was not accepted")                            \
    X(EPROXY, -16, TRANSPORT, "the proxy refused")                                                 \
    X(EPROTO, -17, PROTOCOL, "the peer broke the HTTP protocol")                                   \
    X(ETRUNCATED, -18, INCOMPLETE, "the answer ended before it was complete")                      \
    X(EJSON, -19, PROTOCOL, "malformed JSON")                                                      \
    X(EUTF8, -20, PROTOCOL, "invalid UTF-8")                                                       \
    X(ECONTENT, -21, PROTOCOL, "the answer is not what the dialect allows")                        \
    X(EENCODING, -22, PROTOCOL, "the content encoding is corrupt or refused")                      \
    X(EREDIRECT, -23, PROVIDER, "a redirect was refused")                                          \
    X(EPROVIDER, -24, PROVIDER, "the provider answered with an error")                             \
    X(ETHROTTLED, -25, PROVIDER, "the provider throttled the call")                                \
    X(EQUOTA, -26, PROVIDER, "the provider's quota is exhausted")                                  \
    X(EAUTH, -27, PROVIDER, "the provider refused the credential")                                 \
    X(ECONFIG, -28, CONFIG, "the configuration is wrong")                                          \
    X(EINPUT, -29, CONFIG, "the input is wrong")                                                   \
    X(ECREDENTIAL, -30, CONFIG, "the credential could not be obtained")                            \
    X(EPLAINTEXT, -31, CONFIG, "plain HTTP to a host that is not loopback")                        \
    X(ECHANGED, -32, CONFIG, "the input or configuration changed since the run began")             \
    X(EBUDGET, -33, BUDGET, "a limit set for the run was reached")                                 \
    X(EOUTAGE, -34, TRANSPORT, "the provider has failed for too long")

#define MOOT_ERROR_CLASS_MAP(X)                                                                    \
    X(NONE, "none")                                                                                \
    X(CONFIG, "config")                                                                            \
    X(PROVIDER, "provider")                                                                        \
    X(PROTOCOL, "protocol")                                                                        \
    X(INCOMPLETE, "incomplete")                                                                    \
    X(TIMEOUT, "timeout")                                                                          \
    X(TRANSPORT, "transport")                                                                      \
    X(CANCELLED, "cancelled")                                                                      \
    X(BUDGET, "budget")                                                                            \
    X(MEMORY, "memory")

enum moot_error {
    MOOT_OK = 0,
#define X(name, value, class, text) MOOT_##name = (value),
    MOOT_ERROR_MAP(X)
#undef X
};

enum moot_error_class {
#define X(name, text) MOOT_CLASS_##name,
    MOOT_ERROR_CLASS_MAP(X)
#undef X
};

/* Where in a conversation or call something happened. */
#define MOOT_PHASE_MAP(X)                                                                          \
    X(NONE, "none")                                                                                \
    X(PREPARE, "prepare")                                                                          \
    X(LIMITER, "limiter")                                                                          \
    X(CREDENTIAL, "credential")                                                                    \
    X(RESOLVE, "resolve")                                                                          \
    X(CONNECT, "connect")                                                                          \
    X(TLS, "tls")                                                                                  \
    X(SEND, "send")                                                                                \
    X(FIRST_BYTE, "first_byte")                                                                    \
    X(BODY, "body")                                                                                \
    X(BACKOFF, "backoff")

enum moot_phase {
#define X(name, text) MOOT_PHASE_##name,
    MOOT_PHASE_MAP(X)
#undef X
};

/* What went wrong, in a form that a program can act on and a person can read. Holds no secret and
 * owns no memory; may be copied. Texts are NUL-terminated, cut if too long, valid UTF-8. */
struct moot_error_info {
    int code;                /* enum moot_error */
    enum moot_phase phase;   /* where */
    int http_status;         /* the provider's status, or 0 */
    bool retriable;          /* a later attempt may succeed */
    bool possible_duplicate; /* bytes went out and no answer came: the call may have been billed */
    uint64_t retry_after_ns; /* what the provider asked for, or 0 */
    unsigned line, column;   /* in a configuration or input file, from 1; or 0 */
    char provider_code[64];  /* the provider's own error code or type, or "" */
    char message[512];       /* what, where and what to do */
};

/* The name ("ETIMEDOUT"), the text and the class of an error; static storage; any thread. Unknown
 * codes give "EUNKNOWN", "unknown error" and MOOT_CLASS_NONE. */
MOOT_API const char *moot_error_name(int code);
MOOT_API const char *moot_error_text(int code);
MOOT_API enum moot_error_class moot_error_class(int code);
MOOT_API const char *moot_error_class_name(enum moot_error_class error_class);
MOOT_API const char *moot_phase_name(enum moot_phase phase);

#ifdef __cplusplus
}
#endif
#endif
