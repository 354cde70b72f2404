#ifndef MOOT_NET_TLS_H
#define MOOT_NET_TLS_H

/* TLS as a filter over moot_stream, both sides. mbedTLS stays behind this header.
 *
 *     trust (CA roots)     shared by loops  --.
 *     client               one a loop  -------+--> connect: lower stream in, TLS stream out
 *     identity (cert, key) shared by loops  --.
 *     server               one a loop  -------+--> accept:  lower stream in, TLS stream out
 *
 * A client verifies always: chain, name or address, dates, key sizes, at least TLS 1.2; there is no
 * option against it. Certificates without a subjectAltName are refused (RFC 9525).
 *
 * A handshake is computed by moot_work, off the loop; the loop only moves ciphertext. At most
 * MOOT_LIMIT_TLS_HANDSHAKES of one client or server are at work at once, the others queue. Of a
 * burst of connects with one session key, one shakes hands in full and the others wait for its
 * session and resume.
 *
 * Thread: trusts and identities are immutable and shared by threads, their reference counts atomic.
 * All else belongs to its loop's thread. */
#include "transport.h"

enum moot_tls_version { MOOT_TLS_DEFAULT, MOOT_TLS_1_2, MOOT_TLS_1_3 };

/* --- CA roots ------------------------------------------------------------------------------- */

struct moot_tls_trust;

/* Read CA roots: those of `ca_file`, or with NULL those of the system. On success *out has one
 * reference, and `info` (may be NULL) is MOOT_OK with an empty message, or with a message that
 * tells how many certificates of the bundle were unreadable and skipped. Nothing usable is an
 * error, never an empty trust: MOOT_ECONFIG with the paths tried, MOOT_ENOMEM. Blocks for some 10
 * ms; call it before the loops start. */
MOOT_NODISCARD int moot__tls_trust_load(const struct moot_allocator *allocator, const char *ca_file,
                                        struct moot_tls_trust **out, struct moot_error_info *info);

/* The same from PEM text. */
MOOT_NODISCARD int moot__tls_trust_parse(const struct moot_allocator *allocator,
                                         struct moot_view pem, struct moot_tls_trust **out,
                                         struct moot_error_info *info);

struct moot_tls_trust *moot__tls_trust_ref(struct moot_tls_trust *trust);
void moot__tls_trust_unref(struct moot_tls_trust *trust); /* NULL does nothing */

/* --- A server's certificate and key --------------------------------------------------------- */

struct moot_tls_identity;

/* Take a certificate (chain, leaf first) and its private key, PEM both; also makes the keys of the
 * session tickets, so that all servers of one identity resume each other's sessions. The texts are
 * not kept. MOOT_ECONFIG (unreadable, or the key is not the certificate's), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tls_identity_parse(const struct moot_allocator *allocator,
                                            struct moot_view certificate_pem,
                                            struct moot_view key_pem,
                                            struct moot_tls_identity **out,
                                            struct moot_error_info *info);

struct moot_tls_identity *moot__tls_identity_ref(struct moot_tls_identity *identity);
void moot__tls_identity_unref(struct moot_tls_identity *identity); /* NULL does nothing */

/* --- Client and server of a loop ------------------------------------------------------------ */

struct moot_tls_client;
struct moot_tls_server;

/* Both keep a reference to what they are given. `version_max` is a ceiling for tests and broken
 * middle boxes; MOOT_TLS_1_3 where the library cannot do it means its best. MOOT_ENOMEM, MOOT_ETLS
 * (no randomness). */
MOOT_NODISCARD int moot__tls_client_new(struct moot_transport *transport,
                                        struct moot_tls_trust *trust,
                                        enum moot_tls_version version_max,
                                        struct moot_tls_client **out);
MOOT_NODISCARD int moot__tls_server_new(struct moot_transport *transport,
                                        struct moot_tls_identity *identity,
                                        enum moot_tls_version version_max,
                                        struct moot_tls_server **out);

/* Legal at any time; handshakes under way and open streams go on and keep what they need. */
void moot__tls_client_free(struct moot_tls_client *client); /* NULL does nothing */
void moot__tls_server_free(struct moot_tls_server *server); /* NULL does nothing */

/* --- Handshakes ----------------------------------------------------------------------------- */

/* One handshake, embedded in its owner's memory. Zero-initialise and set `on_done`, which runs once
 * unless cancelled, never before connect or accept returned; the struct is then the owner's again
 * and may be freed or reused in the callback. */
struct moot_tls_handshake {
    void (*on_done)(struct moot_tls_handshake *handshake);
    void *owner; /* the owner's, never read here */

    /* The result, valid in on_done. `status` is
     *   MOOT_OK         `stream` is the owner's, who sets its on_ready and closes it;
     *   MOOT_ECERT      the peer's certificate was not accepted; `detail` says which and why;
     *   MOOT_ETLS       the handshake failed; `detail` says how;
     *   MOOT_ERESET     the peer closed or reset the connection during the handshake;
     *   MOOT_ECONNECT   the lower stream was never connected;
     *   MOOT_ETIMEDOUT  `deadline_ns` passed;
     *   MOOT_ENOMEM.
     * With any error the lower stream is closed and `stream` is NULL. */
    int status;
    char detail[256];
    struct moot_stream *stream;
    bool resumed;          /* by a session of the cache (client only) */
    const char *version;   /* "TLSv1.2", "TLSv1.3", or "" */
    uint64_t handshake_ns; /* from connect or accept to on_done, waiting included */

    void *internal; /* NULL when not under way */
};

struct moot_tls_connect_options {
    struct moot_tls_client *client;
    struct moot_stream *lower;    /* connected; taken when moot__tls_connect returns MOOT_OK */
    struct moot_view host;        /* the name or IP literal to verify; names are sent as SNI */
    struct moot_view session_key; /* what a session may be reused for: the pool's whole key (scheme,
                                     host, port, trust, proxy, credential); empty: never resume */
    uint64_t deadline_ns;         /* 0: none */
};

/* Begin the client's side. Errors, after which nothing was taken and no callback comes: MOOT_EINVAL
 * (host empty or too long), MOOT_ENOMEM. The options are copied. */
MOOT_NODISCARD int moot__tls_connect(struct moot_tls_handshake *handshake,
                                     const struct moot_tls_connect_options *options);

/* Begin the server's side; `lower` is taken when it returns MOOT_OK. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tls_accept(struct moot_tls_handshake *handshake,
                                    struct moot_tls_server *server, struct moot_stream *lower,
                                    uint64_t deadline_ns);

/* Give up: the lower stream is aborted, on_done does not come, the struct is free on return (what
 * a worker thread still holds is let go later). Does nothing when not under way. */
void moot__tls_handshake_cancel(struct moot_tls_handshake *handshake);

#endif
