/* The one place where an mbedTLS configuration is made. Verification is required, and nothing here
 * or in the interface can lower that; the suites are ECDHE with an AEAD; renegotiation is refused.
 *
 * The gate: handshakes that could compute queue for one of MOOT_LIMIT_TLS_HANDSHAKES places; the
 * queue is served by a task, so that nothing here calls back synchronously. */
#include "tls_endpoint.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "tls_trust.h"

static const int suites[] = {
#if MOOT_TLS_HAS_1_3
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static void pump(struct moot_task *task)
{
    struct moot_tls_endpoint *endpoint = moot__container_of(task, struct moot_tls_endpoint, pump);
    endpoint->refs++; /* a turn may end in a callback that lets the last one go */
    struct moot_list *node;
    while (endpoint->working < MOOT_LIMIT_TLS_HANDSHAKES &&
           (node = moot__list_pop_front(&endpoint->queue))) {
        struct moot_tls_turn *turn = moot__list_entry(node, struct moot_tls_turn, node);
        turn->on_turn(turn);
    }
    moot__tls_endpoint_unref(endpoint);
}

void moot__tls_gate_queue(struct moot_tls_endpoint *endpoint, struct moot_tls_turn *turn)
{
    moot__list_push_back(&endpoint->queue, &turn->node);
    moot__task_post(endpoint->transport, &endpoint->pump);
}

void moot__tls_gate_enter(struct moot_tls_endpoint *endpoint)
{
    assert(endpoint->working < MOOT_LIMIT_TLS_HANDSHAKES);
    endpoint->working++;
}

void moot__tls_gate_exit(struct moot_tls_endpoint *endpoint)
{
    assert(endpoint->working > 0);
    endpoint->working--;
    if (!moot__list_is_empty(&endpoint->queue))
        moot__task_post(endpoint->transport, &endpoint->pump);
}

char *moot__tls_buffer_take(struct moot_tls_endpoint *endpoint)
{
    char *buffer = endpoint->spare;
    endpoint->spare = NULL;
    if (!buffer)
        buffer = moot__alloc(endpoint->transport->allocator, MOOT_LIMIT_READ_CHUNK_BYTES);
    return buffer;
}

void moot__tls_buffer_give(struct moot_tls_endpoint *endpoint, char *buffer)
{
    if (endpoint->spare)
        moot__free(endpoint->transport->allocator, buffer);
    else
        endpoint->spare = buffer;
}

static int endpoint_init(struct moot_tls_endpoint *endpoint, struct moot_transport *transport,
                         int side, enum moot_tls_version version_max)
{
    endpoint->transport = transport;
    endpoint->refs = 1;
    moot__list_init(&endpoint->queue);
    moot__task_init(&endpoint->pump, pump);
    moot__tls_sessions_init(&endpoint->sessions, transport);
    mbedtls_ssl_config *config = &endpoint->config;
    mbedtls_ssl_config_init(config);
    int rc = moot__tls_rng_init(&endpoint->rng);
    if (rc)
        return rc;
    if (mbedtls_ssl_config_defaults(config, side, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return MOOT_ENOMEM;
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &endpoint->rng.drbg);
    moot__compat_versions(config, version_max != MOOT_TLS_1_2);
    moot__compat_groups(config);
    mbedtls_ssl_conf_ciphersuites(config, suites);
    moot__compat_signatures(config);
    mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_next);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    return MOOT_OK;
}

int moot__tls_client_new(struct moot_transport *transport, struct moot_tls_trust *trust,
                         enum moot_tls_version version_max, struct moot_tls_client **out)
{
    assert(transport && trust && out);
    *out = NULL;
    struct moot_tls_client *client = moot__calloc(transport->allocator, 1, sizeof(*client));
    if (!client)
        return MOOT_ENOMEM;
    struct moot_tls_endpoint *endpoint = &client->endpoint;
    endpoint->trust = moot__tls_trust_ref(trust);
    int rc = endpoint_init(endpoint, transport, MBEDTLS_SSL_IS_CLIENT, version_max);
    if (rc) {
        moot__tls_client_free(client);
        return rc;
    }
    mbedtls_ssl_conf_authmode(&endpoint->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&endpoint->config, &trust->roots, NULL);
    mbedtls_ssl_conf_session_tickets(&endpoint->config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    moot__compat_signal_tickets(&endpoint->config);
    *out = client;
    return MOOT_OK;
}

int moot__tls_server_new(struct moot_transport *transport, struct moot_tls_identity *identity,
                         enum moot_tls_version version_max, struct moot_tls_server **out)
{
    assert(transport && identity && out);
    *out = NULL;
    struct moot_tls_server *server = moot__calloc(transport->allocator, 1, sizeof(*server));
    if (!server)
        return MOOT_ENOMEM;
    struct moot_tls_endpoint *endpoint = &server->endpoint;
    endpoint->identity = moot__tls_identity_ref(identity);
    int rc = endpoint_init(endpoint, transport, MBEDTLS_SSL_IS_SERVER, version_max);
    if (!rc && mbedtls_ssl_conf_own_cert(&endpoint->config, &identity->chain, &identity->key) != 0)
        rc = MOOT_ENOMEM;
    if (rc) {
        moot__tls_server_free(server);
        return rc;
    }
    mbedtls_ssl_conf_authmode(&endpoint->config, MBEDTLS_SSL_VERIFY_NONE); /* of clients */
    mbedtls_ssl_conf_session_tickets_cb(&endpoint->config, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &identity->tickets);
    *out = server;
    return MOOT_OK;
}

void moot__tls_client_free(struct moot_tls_client *client)
{
    if (client)
        moot__tls_endpoint_unref(&client->endpoint);
}

void moot__tls_server_free(struct moot_tls_server *server)
{
    if (server)
        moot__tls_endpoint_unref(&server->endpoint);
}

void moot__tls_endpoint_unref(struct moot_tls_endpoint *endpoint)
{
    assert(endpoint->refs > 0);
    if (--endpoint->refs > 0)
        return;
    assert(endpoint->working == 0 && moot__list_is_empty(&endpoint->queue));
    static_assert(offsetof(struct moot_tls_client, endpoint) == 0 &&
                      offsetof(struct moot_tls_server, endpoint) == 0,
                  "freed by the address of the endpoint");
    const struct moot_allocator *allocator = endpoint->transport->allocator;
    moot__task_cancel(endpoint->transport, &endpoint->pump);
    moot__tls_sessions_deinit(&endpoint->sessions);
    mbedtls_ssl_config_free(&endpoint->config);
    moot__tls_rng_deinit(&endpoint->rng);
    moot__tls_trust_unref(endpoint->trust);
    moot__tls_identity_unref(endpoint->identity);
    moot__free(allocator, endpoint->spare);
    moot__free(allocator, endpoint);
}
