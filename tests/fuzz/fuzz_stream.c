/* A streamed answer of any dialect, from the bytes of the body: never a success unless the model
 * said why it stopped or the end marker came; valid UTF-8; the deltas are the text. */
#include <string.h>

#include "agents/dialect.h"
#include "agents/reply_stream.h"
#include "engine/base/check.h"
#include "engine/base/utf8.h"
#include "fuzz.h"
#include "net/sse.h"

struct answer {
    struct moot_reply_stream stream;
    struct moot_reply reply;
    struct moot_arena arena, scratch;
    struct moot_buf shown;
};

static int on_event(void *context, const struct moot_sse_event *event)
{
    struct answer *answer = context;
    struct moot_stream_event taken = {
        .kind = event->kind == MOOT_SSE_EVENT ? MOOT_STREAM_DATA : MOOT_STREAM_STRAY,
        .name = event->name,
        .data = event->data,
    };
    struct moot_view delta;
    int rc = moot__reply_stream_event(&answer->stream, &taken, &delta);
    if (rc == MOOT_OK)
        FUZZ_REQUIRE(moot__buf_append_view(&answer->shown, delta) == MOOT_OK);
    else
        FUZZ_REQUIRE(answer->stream.error.code == rc);
    return rc;
}

static int read_answer(const struct moot_dialect *dialect, struct moot_view bytes,
                       struct answer *answer)
{
    struct moot_sse_parser parser;
    struct moot_view delta;
    moot__arena_init(&answer->arena, NULL, 64 << 20);
    moot__arena_init(&answer->scratch, NULL, 64 << 20);
    moot__reply_init(&answer->reply, &answer->arena, &answer->scratch);
    moot__buf_init(&answer->shown, NULL, 64 << 20);
    moot__reply_stream_init(&answer->stream, dialect, &answer->reply);
    moot__sse_init(&parser, NULL);
    int rc = moot__sse_feed(&parser, bytes, on_event, answer);
    moot__sse_deinit(&parser);
    if (rc)
        return rc;
    rc = moot__reply_stream_finish(&answer->stream, &delta);
    if (rc == MOOT_OK)
        FUZZ_REQUIRE(moot__buf_append_view(&answer->shown, delta) == MOOT_OK);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answer;
    const struct moot_dialect *dialect = moot__dialect_at((size ? data[0] : 0u) & 15u);
    if (!dialect)
        return 0;
    int rc = read_answer(dialect, fuzz_rest(data, size), &answer);
    const struct moot_reply *reply = &answer.reply;
    if (rc == MOOT_OK) {
        FUZZ_REQUIRE(answer.stream.ended || reply->finish_raw[0]);
        FUZZ_REQUIRE(reply->finish != MOOT_FINISH_ERROR);
        FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(&reply->text)));
        FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(&reply->refusal)));
        FUZZ_REQUIRE(answer.shown.len == reply->text.len);
        FUZZ_REQUIRE(reply->text.len == 0 ||
                     memcmp(answer.shown.data, reply->text.data, reply->text.len) == 0);
    }
    moot__reply_stream_deinit(&answer.stream);
    moot__reply_deinit(&answer.reply);
    moot__buf_deinit(&answer.shown);
    moot__arena_deinit(&answer.arena);
    moot__arena_deinit(&answer.scratch);
    return 0;
}
