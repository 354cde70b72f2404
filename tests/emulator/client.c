#include "client.h"

#include <stdio.h>

#include "net/http1.h"

void client_open(struct client *client, const struct moot_emulator_options *options)
{
    *client = (struct client){.now_ns = 1000};
    moot__buf_init(&client->received, NULL, 64 << 20);
    assert_int_equal(moot_emulator_new(options, NULL, &client->emulator), MOOT_OK);
    assert_int_equal(
        moot_emulator_connection_new(client->emulator, client->now_ns, &client->connection),
        MOOT_OK);
}

void client_reconnect(struct client *client)
{
    moot_emulator_connection_free(client->connection);
    moot__buf_reset(&client->received);
    assert_int_equal(
        moot_emulator_connection_new(client->emulator, client->now_ns, &client->connection),
        MOOT_OK);
}

void client_close(struct client *client)
{
    moot_emulator_connection_free(client->connection);
    moot_emulator_free(client->emulator);
    moot__buf_deinit(&client->received);
}

static void take_output(struct client *client)
{
    for (;;) {
        struct moot_view out = moot_emulator_connection_output(client->connection);
        if (out.len == 0)
            return;
        if (client->is_byte_by_byte)
            out.len = 1;
        assert_int_equal(moot__buf_append_view(&client->received, out), MOOT_OK);
        moot_emulator_connection_consume(client->connection, out.len, client->now_ns);
    }
}

void client_send(struct client *client, const char *bytes)
{
    size_t len = strlen(bytes);
    while (len) {
        size_t room = moot_emulator_connection_room(client->connection);
        size_t part = client->is_byte_by_byte ? 1 : len;
        if (part > room)
            part = room;
        if (part == 0)
            return; /* it does not listen any more */
        moot_emulator_connection_feed(client->connection, moot__view(bytes, part), client->now_ns);
        bytes += part;
        len -= part;
    }
}

void client_post(struct client *client, const char *path, const char *body)
{
    char head[1024];
    const char *headers = client->headers ? client->headers : "Authorization: Bearer secret\r\n";
    int len = snprintf(head, sizeof head,
                       "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                       "%sContent-Length: %zu\r\n\r\n",
                       path, headers, strlen(body));
    assert_in_range(len, 1, sizeof head - 1);
    client_send(client, head);
    client_send(client, body);
}

void client_run(struct client *client, uint64_t until_ns)
{
    for (unsigned turns = 0; turns < 1000000; turns++) {
        take_output(client);
        uint64_t next = moot_emulator_connection_next_ns(client->connection);
        if (next == MOOT_NEVER_NS || next > until_ns)
            return;
        if (next > client->now_ns)
            client->now_ns = next;
        moot_emulator_connection_tick(client->connection, client->now_ns);
    }
    fail_msg("the emulator never comes to rest");
}

const char *client_text(struct client *client)
{
    assert_int_equal(moot__buf_append_byte(&client->received, '\0'), MOOT_OK);
    client->received.len--;
    return client->received.data;
}

const char *client_ask(struct client *client, const char *path, const char *body)
{
    moot__buf_reset(&client->received);
    client_post(client, path, body);
    client_run(client, MOOT_NEVER_NS - 1);
    return client_text(client);
}

static int on_body(void *context, struct moot_view bytes)
{
    return moot__buf_append_view(context, bytes);
}

int client_body(struct client *client, struct moot_buf *out)
{
    static const struct moot_http1_callbacks callbacks = {.on_body = on_body};
    struct moot_http1_limits limits = moot__http1_default_limits(MOOT_HTTP1_RESPONSE);
    limits.headers = 1000;
    struct moot_http1_parser *parser =
        moot__http1_new(NULL, MOOT_HTTP1_RESPONSE, &limits, &callbacks, out);
    size_t consumed;
    assert_non_null(parser);
    moot__buf_reset(out);
    int rc = moot__http1_feed(parser, client->received.data, client->received.len, &consumed);
    if (rc == MOOT_OK)
        rc = moot__http1_finish(parser);
    moot__http1_free(parser);
    assert_int_equal(moot__buf_append_byte(out, '\0'), MOOT_OK);
    out->len--;
    return rc;
}
