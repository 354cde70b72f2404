#ifndef MOOT_TEST_AGENTS_SHAPE_H
#define MOOT_TEST_AGENTS_SHAPE_H

/* What the tests of shapes other than OpenAI's share: a request to write, an answer to read. */
#include "fixture.h"

#include <stdio.h>

#include "engine/base/check.h"

struct bench {
    struct moot_arena arena, scratch;
    struct moot_agent agent;
    struct moot_request request;
    struct moot_buf out;
};

static inline void begin(struct bench *b, const char *endpoint, const char *params,
                         const char *messages)
{
    moot__arena_init(&b->arena, NULL, 1 << 20);
    moot__arena_init(&b->scratch, NULL, 1 << 20);
    moot__buf_init(&b->out, NULL, 1 << 20);
    b->agent = (struct moot_agent){.endpoint = moot__view_str(endpoint),
                                   .params = read_params(&b->arena, params)};
    assert_int_equal(moot__agent_apply_defaults(&b->agent, &b->arena), MOOT_OK);
    b->request = (struct moot_request){.agent = &b->agent};
    assert_int_equal(
        moot__turns_read(read_json(&b->arena, messages), &b->arena, &b->request.turns, NULL),
        MOOT_OK);
}

static inline void end(struct bench *b)
{
    moot__buf_deinit(&b->out);
    moot__arena_deinit(&b->scratch);
    moot__arena_deinit(&b->arena);
}

static inline int write(struct bench *b, const struct moot_dialect *dialect,
                        struct moot_error_info *info)
{
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &b->out);
    int rc = dialect->write_body(&b->request, &b->scratch, &writer, info);
    int finish = moot__json_write_finish(&writer);
    return rc ? rc : finish;
}

/* In params, messages and want, quotes are written as ' to be read. */
static inline void expect_request(const struct moot_dialect *dialect, const char *endpoint,
                                  const char *params, const char *messages, const char *want)
{
    struct bench b;
    char texts[3][2048];
    const char *sources[3] = {params, messages, want};
    for (size_t i = 0; i < 3; i++) {
        snprintf(texts[i], sizeof texts[i], "%s", sources[i]);
        for (char *c = texts[i]; *c; c++)
            *c = *c == '\'' ? '"' : *c;
    }
    begin(&b, endpoint, texts[0], texts[1]);
    struct moot_error_info info = {0};
    if (write(&b, dialect, &info))
        print_error("%s\n", info.message);
    assert_view(moot__buf_view(&b.out), texts[2]);
    end(&b);
}

struct run {
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    struct moot_reply_stream stream;
};

static inline void begin_run(struct run *run, const struct moot_dialect *dialect)
{
    moot__arena_init(&run->arena, NULL, 1 << 20);
    moot__arena_init(&run->scratch, NULL, 1 << 20);
    moot__reply_init(&run->reply, &run->arena, &run->scratch);
    moot__reply_stream_init(&run->stream, dialect, &run->reply);
}

static inline void end_run(struct run *run)
{
    moot__reply_stream_deinit(&run->stream);
    moot__reply_deinit(&run->reply);
    moot__arena_deinit(&run->scratch);
    moot__arena_deinit(&run->arena);
}

#endif
