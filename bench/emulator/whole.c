/* A whole answer: one body with its length, unless the fault says otherwise. */
#include "connection.h"
#include "engine/base/check.h"
#include "head.h"
#include "net/gzip.h"
#include "shape.h"

enum { MISSING_BYTES = 16 }; /* short-body: announced, but never sent */

static const char portal[] = "<!DOCTYPE html><html><head><title>Sign in</title></head>"
                             "<body>Please sign in to the network.</body></html>\n";

/* Render the body into `json`. */
static void make_body(struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    moot__buf_reset(&c->json);
    if (c->error)
        return;
    if (fault == MOOT_EMULATOR_FAULT_HTML) {
        c->error = moot__buf_append_str(&c->json, portal);
    } else if (fault == MOOT_EMULATOR_FAULT_NULL_BODY) {
        c->error = moot__buf_append_str(&c->json, "null");
    } else if (fault == MOOT_EMULATOR_FAULT_ERROR_200) {
        struct moot_emulator_failure failure =
            moot__emulator_failure(500, MOOT_EMULATOR_FAULT_NONE);
        c->error = moot__emulator_shape_failure(c, &failure, &c->json);
    } else if (fault != MOOT_EMULATOR_FAULT_EMPTY_BODY) {
        c->error = moot__emulator_shape_whole(c, &c->json);
    }
    if (fault == MOOT_EMULATOR_FAULT_BAD_JSON && c->error == MOOT_OK)
        moot__buf_truncate(&c->json, c->json.len / 2);
    if (fault == MOOT_EMULATOR_FAULT_GZIP && c->error == MOOT_OK) {
        moot__buf_reset(&c->event);
        c->error = moot__gzip_compress(&c->event, moot__buf_view(&c->json));
        moot__buf_reset(&c->json);
        if (c->error == MOOT_OK)
            c->error = moot__buf_append_view(&c->json, moot__buf_view(&c->event));
    }
}

static void put_body_chunked(struct moot_emulator_connection *c, struct moot_view body)
{
    if (body.len)
        moot__emulator_put_chunk(c, body);
    if (c->reply.fault == MOOT_EMULATOR_FAULT_BAD_CHUNK)
        moot__emulator_put_str(c, "xyz\r\n");
    if (c->reply.fault == MOOT_EMULATOR_FAULT_SPLIT)
        moot__emulator_put_str(c, "0\r\n\r\n");
}

/* Write the body, or the part of it that the fault lets through; then end as it says. */
static void put_body(struct moot_emulator_connection *c, struct moot_emulator_head *head,
                     bool is_chunked)
{
    enum moot_emulator_fault fault = c->reply.fault;
    enum moot_emulator_place place = moot__emulator_fault_of(c)->place;
    struct moot_view body = moot__buf_view(&c->json);
    if (place == MOOT_EMULATOR_AT_BODY)
        body.len /= 2;
    else if (place == MOOT_EMULATOR_AT_END && body.len)
        body.len--;
    if (is_chunked)
        put_body_chunked(c, body);
    else
        moot__emulator_put(c, body);
    bool is_short = fault == MOOT_EMULATOR_FAULT_SHORT_BODY ||
                    fault == MOOT_EMULATOR_FAULT_NO_LAST_CHUNK ||
                    fault == MOOT_EMULATOR_FAULT_BAD_CHUNK;
    if (is_short || place != MOOT_EMULATOR_AT_NONE) {
        moot__emulator_cut(c);
        return;
    }
    if (fault == MOOT_EMULATOR_FAULT_LONG_BODY)
        moot__emulator_put_str(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    if (fault == MOOT_EMULATOR_FAULT_TWO_ANSWERS) {
        moot__emulator_put_head(c, head, false);
        moot__emulator_put(c, body);
    }
    moot__emulator_put_unasked(c);
    moot__emulator_complete(c);
}

void moot__emulator_whole(struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    enum moot_emulator_place place = moot__emulator_fault_of(c)->place;
    assert(c->reply.is_open);
    make_body(c);
    bool is_chunked = fault == MOOT_EMULATOR_FAULT_NO_LAST_CHUNK ||
                      fault == MOOT_EMULATOR_FAULT_BAD_CHUNK ||
                      (fault == MOOT_EMULATOR_FAULT_SPLIT && c->request.is_chunkable);
    struct moot_emulator_head head = {
        .status = 200,
        .type = "application/json",
        .content_length = is_chunked ? MOOT_EMULATOR_CHUNKED : (int64_t)c->json.len,
        .gzip = fault == MOOT_EMULATOR_FAULT_GZIP,
    };
    if (fault == MOOT_EMULATOR_FAULT_SHORT_BODY)
        head.content_length += MISSING_BYTES;
    if (fault == MOOT_EMULATOR_FAULT_NO_TYPE)
        head.type = NULL;
    if (fault == MOOT_EMULATOR_FAULT_HTML)
        head.type = "text/html";
    moot__emulator_put_head(c, &head, place == MOOT_EMULATOR_AT_IN_HEAD);
    if (place == MOOT_EMULATOR_AT_IN_HEAD || place == MOOT_EMULATOR_AT_HEAD)
        moot__emulator_cut(c);
    else
        put_body(c, &head, is_chunked);
}
