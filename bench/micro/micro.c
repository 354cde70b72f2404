/* moot_micro WORK COUNT [URL AT_ONCE]: the parts of a conversation, each alone; `run` counts what
 * they take. */
#include <stdio.h>
#include <string.h>

#include "agents/reply_stream.h"
#include "conversations.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/batch/calls.h"
#include "engine/batch/row.h"
#include "engine/limiter.h"
#include "net/sse.h"
#include "trace/encode_jsonl.h"
#include "trace/ring.h"

#define ANSWER_80                                                                                  \
    "Eighty bytes of an answer that goes on for a while, as the answers of models do. "

/* An event of a stream, as OpenAI's servers send them: a read of its lines, its JSON, its text. */
static int take_event(void *context, const struct moot_sse_event *event)
{
    struct moot_stream_event said = {.kind = MOOT_STREAM_DATA, .data = event->data};
    struct moot_view delta;
    return moot__reply_stream_event(context, &said, &delta);
}

static int work_event(size_t count)
{
    static const char text[] =
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},"
        "\"finish_reason\":null}]}\n\n";
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    struct moot_reply_stream stream;
    struct moot_sse_parser parser;
    moot__arena_init(&arena, NULL, MOOT_LIMIT_CONVERSATION_BYTES);
    moot__arena_init(&scratch, NULL, MOOT_LIMIT_JSON_TREE_BYTES);
    moot__reply_init(&reply, &arena, &scratch);
    moot__reply_stream_init(&stream, &moot__dialect_openai, &reply);
    moot__sse_init(&parser, NULL);
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && rc == MOOT_OK; i++)
        rc = moot__sse_feed(&parser, moot__view(text, sizeof text - 1), take_event, &stream);
    moot__sse_deinit(&parser);
    moot__reply_stream_deinit(&stream);
    moot__reply_deinit(&reply);
    moot__arena_deinit(&scratch);
    moot__arena_deinit(&arena);
    return rc;
}

/* The body of a whole answer of 400 characters. */
static int work_body(size_t count)
{
    static const char text[] =
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"
        "\"m\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" ANSWER_80
            ANSWER_80 ANSWER_80 ANSWER_80 ANSWER_80
        "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":"
        "100,\"total_tokens\":130}}";
    struct moot_arena arena, scratch;
    int rc = MOOT_OK;
    moot__arena_init(&scratch, NULL, MOOT_LIMIT_JSON_TREE_BYTES);
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        struct moot_reply reply;
        struct moot_error_info info;
        moot__arena_init(&arena, NULL, MOOT_LIMIT_CONVERSATION_BYTES);
        moot__reply_init(&reply, &arena, &scratch);
        rc = moot__dialect_openai.read_reply(moot__view(text, sizeof text - 1), &reply, &info);
        moot__reply_deinit(&reply);
        moot__arena_deinit(&arena);
    }
    moot__arena_deinit(&scratch);
    return rc;
}

static void describe(struct moot_span *span)
{
    static const struct moot_span_ids ids = {.trace_id = {1}, .span_id = {2}, .parent_id = {3}};
    moot__span_begin(span, MOOT_SPAN_RESPONSE, &ids, UINT64_C(1700000000000000000));
    moot__span_set_str(span, MOOT_ATTR_ROLE, "oracle");
    moot__span_set_str(span, MOOT_ATTR_PROVIDER, "databricks");
    moot__span_set_str(span, MOOT_ATTR_REQUEST_MODEL, "databricks-mixtral-8x7b-instruct");
    moot__span_set_str(span, MOOT_ATTR_RESPONSE_ID, "chatcmpl-1");
    moot__span_set_str(span, MOOT_ATTR_FINISH_REASON, "stop");
    moot__span_set_u64(span, MOOT_ATTR_INPUT_TOKENS, 30);
    moot__span_set_u64(span, MOOT_ATTR_OUTPUT_TOKENS, 100);
    moot__span_set_u64(span, MOOT_ATTR_HTTP_STATUS, 200);
    moot__span_set_u64(span, MOOT_ATTR_LIMITER_WAIT_NS, 0);
    moot__span_set_bool(span, MOOT_ATTR_CONNECTION_REUSED, true);
    moot__span_set_u64(span, MOOT_ATTR_FIRST_BYTE_NS, 350000000);
    moot__span_end(span, UINT64_C(1700000001000000000));
}

/* A span on the loop's side (into the ring), and with `is_encoded` on the exporter's side too. */
static int work_span(size_t count, bool is_encoded)
{
    struct moot_ring ring;
    struct moot_buf line;
    struct moot_span span;
    int rc = moot__ring_init(&ring, NULL, NULL);
    moot__buf_init(&line, NULL, MOOT_JSONL_LINE_BYTES);
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        describe(&span);
        moot__ring_write(&ring, &span);
        bool is_there = moot__ring_read(&ring, &span);
        rc = is_there ? MOOT_OK : MOOT_EIO;
        moot__buf_reset(&line);
        if (is_there && is_encoded)
            rc = moot__encode_jsonl(&span, &line);
        moot__ring_release(&ring);
    }
    moot__buf_deinit(&line);
    moot__ring_deinit(&ring);
    return rc;
}

static int work_ring(size_t count)
{
    return work_span(count, false);
}

static int work_jsonl(size_t count)
{
    return work_span(count, true);
}

/* A call's whole way through the limiter: three quotas and a slot, settled, a success. */
static int work_limiter(size_t count)
{
    static const uint64_t estimate[MOOT_METERS] = {1, 300, 500};
    struct moot_limiter *limiter = moot__calloc(NULL, 1, sizeof *limiter);
    struct moot_limiter_options options = {
        .per_minute = {600000000, UINT64_C(60000000000), UINT64_C(60000000000)}};
    if (!limiter)
        return MOOT_ENOMEM;
    uint64_t now_ns = MOOT_NS_PER_S, retry_at_ns;
    moot__limiter_init(limiter, &options, now_ns);
    int rc = MOOT_OK;
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        struct moot_grant grant;
        now_ns += MOOT_NS_PER_MS;
        rc = moot__limiter_reserve(limiter, now_ns, estimate, &grant, &retry_at_ns);
        if (rc == MOOT_OK) {
            moot__limiter_settle(limiter, &grant, 280, 100);
            moot__limiter_on_success(limiter, now_ns, now_ns);
        }
    }
    moot__free(NULL, limiter);
    return rc;
}

static const char input_line[] =
    "{\"id\": \"row-000001\", \"question\": \"Compose an engaging travel blog post about a recent "
    "trip to Hawaii, highlighting cultural experiences and must-see attractions.\"}";
static const struct moot_usage usage = {
    .known = true, .input_tokens = 30, .output_tokens = 100, .total_tokens = 130};

static int make_row(struct moot_row **out)
{
    struct moot_error_info info;
    struct moot_row_line line = {.text = moot__view(input_line, sizeof input_line - 1),
                                 .number = 1};
    line.dialect = moot__row_sniff(NULL, line.text, &info);
    return line.dialect ? moot__row_new(NULL, &line, out) : MOOT_EINPUT;
}

/* A line of the input, as a row; its file and its thread left out. */
static int work_row(size_t count)
{
    struct moot_error_info info;
    struct moot_row_line line = {.text = moot__view(input_line, sizeof input_line - 1)};
    int rc = MOOT_OK;
    line.dialect = moot__row_sniff(NULL, line.text, &info);
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        struct moot_row *row = NULL;
        line.number = (unsigned)i + 1;
        rc = moot__row_new(NULL, &line, &row);
        moot__row_free(row);
    }
    return rc;
}

/* A row's answer as a line of the results, of 400 characters. */
static int work_result(size_t count)
{
    struct moot_row *row = NULL;
    struct moot_buf line;
    struct moot_outcome outcome = {
        .text = MOOT_VIEW(ANSWER_80 ANSWER_80 ANSWER_80 ANSWER_80 ANSWER_80),
        .model = MOOT_VIEW("databricks-mixtral-8x7b-instruct"),
        .finish_reason = MOOT_VIEW("stop"),
        .usage = usage,
        .ended_wall_ns = MOOT_NS_PER_S,
    };
    int rc = make_row(&row);
    moot__buf_init(&line, NULL, MOOT_LIMIT_ROW_BYTES);
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        struct moot_row_facts facts;
        moot__buf_reset(&line);
        moot__row_facts(row, &outcome, &facts);
        rc = moot__row_write_result(row, &outcome, &facts, &line);
    }
    moot__buf_deinit(&line);
    moot__row_free(row);
    return rc;
}

/* A finished call as a line of the side file. */
static int work_call(size_t count)
{
    struct moot_row *row = NULL;
    struct moot_buf line;
    const struct moot_agent_reply reply = {
        .role = MOOT_VIEW("oracle"),
        .endpoint = MOOT_VIEW("databricks-mixtral-8x7b-instruct"),
        .model = MOOT_VIEW("databricks-mixtral-8x7b-instruct"),
        .text = MOOT_VIEW(ANSWER_80 ANSWER_80 ANSWER_80 ANSWER_80 ANSWER_80),
        .finish_reason = MOOT_VIEW("stop"),
        .usage = usage,
        .attempts = 1,
    };
    int rc = make_row(&row);
    moot__buf_init(&line, NULL, MOOT_LIMIT_ROW_BYTES);
    for (size_t i = 0; i < count && rc == MOOT_OK; i++) {
        moot__buf_reset(&line);
        rc = moot__call_write(row, 0, &reply, &line);
    }
    moot__buf_deinit(&line);
    moot__row_free(row);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(size_t count);
} works[] = {
    {"event", work_event},     {"body", work_body}, {"ring", work_ring},     {"jsonl", work_jsonl},
    {"limiter", work_limiter}, {"row", work_row},   {"result", work_result}, {"call", work_call},
};

static size_t number(const char *text)
{
    uint64_t value = 0;
    return text && moot__view_to_u64(moot__view_str(text), &value) ? (size_t)value : 0;
}

int main(int argc, char **argv)
{
    size_t count = argc > 2 ? number(argv[2]) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: moot_micro WORK COUNT [URL AT_ONCE]\n");
        return 1;
    }
    if (argc > 4) {
        struct moot_bench_conversations options = {
            .url = argv[3],
            .count = count,
            .at_once = number(argv[4]),
            .stream = strcmp(argv[1], "stream") == 0,
        };
        return moot_bench_conversations(&options);
    }
    for (size_t i = 0; i < moot__countof(works); i++)
        if (strcmp(works[i].name, argv[1]) == 0) {
            int rc = works[i].run(count);
            if (rc != MOOT_OK)
                fprintf(stderr, "moot_micro: %s: %s\n", argv[1], moot_error_text(rc));
            return rc == MOOT_OK ? 0 : 1;
        }
    fprintf(stderr, "moot_micro: no work %s\n", argv[1]);
    return 1;
}
