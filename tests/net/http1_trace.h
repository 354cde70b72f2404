#ifndef MOOT_TEST_HTTP1_TRACE_H
#define MOOT_TEST_HTTP1_TRACE_H

/* Runs an HTTP/1 parser over bytes that are cut in any way and writes down what it reported. */
#include <stdio.h>

#include "tests/support/test.h"

#include "engine/base/check.h"

#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "net/http1.h"

struct run {
    struct moot_buf trace; /* "[head]body." */
    int verdict;           /* of feed, or of finish */
    size_t consumed;
    int answer_status;
    struct moot_http1_head head; /* numbers only; views are gone */
};

enum cut {
    CUT_WHOLE,
    CUT_BYTE,
    CUT_RANDOM,
};

struct run_options {
    enum moot_http1_kind kind;
    unsigned flags;
    const struct moot_http1_limits *limits;
    const struct moot_allocator *allocator;
    enum cut cut;
    struct moot_rng *rng;
};

static int run_on_head(void *context, const struct moot_http1_head *head)
{
    struct run *run = context;
    run->head = *head;
    moot__ignore(moot__buf_append_byte(&run->trace, '['));
    if (head->status)
        moot__ignore(moot__buf_append_u64(&run->trace, (uint64_t)head->status));
    moot__ignore(moot__buf_append_view(&run->trace, head->method));
    moot__ignore(moot__buf_append_view(&run->trace, head->target));
    for (size_t i = 0; i < head->header_count; i++) {
        moot__ignore(moot__buf_append_byte(&run->trace, ';'));
        moot__ignore(moot__buf_append_view(&run->trace, head->headers[i].name));
        moot__ignore(moot__buf_append_byte(&run->trace, '='));
        moot__ignore(moot__buf_append_view(&run->trace, head->headers[i].value));
    }
    return moot__buf_append_byte(&run->trace, ']');
}

static int run_on_body(void *context, struct moot_view bytes)
{
    struct run *run = context;
    assert_true(bytes.len > 0);
    return moot__buf_append_view(&run->trace, bytes);
}

static int run_on_complete(void *context)
{
    struct run *run = context;
    return moot__buf_append_byte(&run->trace, '.');
}

/* Each piece is a copy of its own, so that the sanitizer sees a view that outlives it. */
static int run_feed(struct moot_http1_parser *parser, struct moot_view bytes,
                    const struct run_options *options, struct run *run)
{
    int rc = MOOT_OK;
    size_t at = 0;
    while (!rc && at < bytes.len && !moot__http1_is_complete(parser)) {
        size_t left = bytes.len - at, len = left, consumed;
        if (options->cut == CUT_BYTE)
            len = 1;
        else if (options->cut == CUT_RANDOM)
            len = 1 + (size_t)moot__rng_below(options->rng, left);
        char *piece = moot__strdup(NULL, moot__view(bytes.ptr + at, len));
        assert_non_null(piece);
        rc = moot__http1_feed(parser, piece, len, &consumed);
        moot__free(NULL, piece);
        at += consumed;
        assert_true(rc || consumed == len || moot__http1_is_complete(parser));
    }
    run->consumed = at;
    return rc;
}

static void run_message(struct moot_view bytes, const struct run_options *options, struct run *run)
{
    static const struct moot_http1_callbacks callbacks = {run_on_head, run_on_body,
                                                          run_on_complete};
    *run = (struct run){0};
    moot__buf_init(&run->trace, NULL, 4 << 20);
    struct moot_http1_parser *parser =
        moot__http1_new(options->allocator, options->kind, options->limits, &callbacks, run);
    if (!parser) {
        run->verdict = MOOT_ENOMEM;
        return;
    }
    moot__http1_reset(parser, options->flags);
    run->verdict = run_feed(parser, bytes, options, run);
    if (!run->verdict)
        run->verdict = moot__http1_finish(parser);
    assert_int_equal(moot__http1_finish(parser), run->verdict);
    assert_int_equal(moot__http1_reason(parser) != NULL, run->verdict != 0);
    run->answer_status = moot__http1_answer_status(parser);
    moot__http1_free(parser);
}

/* Whole, byte by byte and at random places: the same verdict, trace and place. */
static void run_every_way(struct moot_view bytes, struct run_options options, struct run *whole)
{
    struct moot_rng rng;
    moot__rng_init(&rng, 7);
    options.cut = CUT_WHOLE;
    run_message(bytes, &options, whole);
    for (int round = 0; round < 12; round++) {
        struct run other;
        options.cut = round == 0 ? CUT_BYTE : CUT_RANDOM;
        options.rng = &rng;
        run_message(bytes, &options, &other);
        assert_int_equal(other.verdict, whole->verdict);
        assert_int_equal(other.consumed, whole->consumed);
        assert_int_equal(other.answer_status, whole->answer_status);
        assert_int_equal(other.trace.len, whole->trace.len);
        if (whole->trace.len)
            assert_memory_equal(other.trace.data, whole->trace.data, whole->trace.len);
        moot__buf_deinit(&other.trace);
    }
}

#endif
