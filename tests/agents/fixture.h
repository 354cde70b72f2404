#ifndef MOOT_TEST_AGENTS_FIXTURE_H
#define MOOT_TEST_AGENTS_FIXTURE_H

/* What the tests of agents share: an arena, a JSON reader that cannot fail, small turns. */
#include "tests/support/test.h"

#include "agents/agent.h"
#include "agents/dialect.h"
#include "agents/document.h"
#include "agents/reply.h"
#include "agents/reply_stream.h"
#include "agents/transcript.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"

static inline const struct moot_json *read_json(struct moot_arena *arena, const char *text)
{
    const struct moot_json *root = NULL;
    assert_int_equal(moot__document_read(arena, moot__view_str(text), &root, NULL), MOOT_OK);
    return root;
}

static inline struct moot_params read_params(struct moot_arena *arena, const char *text)
{
    struct moot_params params;
    assert_int_equal(moot__params_read(read_json(arena, text), arena, &params), MOOT_OK);
    return params;
}

static inline struct moot_turn turn(const char *role, const char *content)
{
    return (struct moot_turn){.role = moot__view_str(role), .content = moot__view_str(content)};
}

static inline int write_body(const struct moot_dialect *dialect, const struct moot_request *request,
                             struct moot_arena *arena, struct moot_buf *out)
{
    struct moot_json_writer writer;
    moot__json_write_init(&writer, out);
    int rc = dialect->write_body(request, arena, &writer, NULL);
    int finish = moot__json_write_finish(&writer);
    return rc != MOOT_OK ? rc : finish;
}

#endif
