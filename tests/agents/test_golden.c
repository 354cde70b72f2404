/* The tutorial's own code, recorded: what it sent for 25 inputs, ours must send too. Bodies are
 * compared as parsed JSON, members in their order, numbers as they are written.
 *
 * With `history: first`, the tutorial's habit, all cases are equal. With our default, `all`, these
 * differ, and must, because the tutorial drops all but the first message:
 *     multi-s-u-a-u, multi-u-a-u */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/flow.h"
#include "agents/prompt.h"

#define CASES   25
#define FOLDER  MOOT_TEST_DATA "/golden/"
#define MEMORY  (64 << 20)
#define UNEQUAL 2

static bool load(const char *path, struct moot_buf *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        assert_int_equal(moot__buf_append(out, chunk, n), MOOT_OK);
    fclose(file);
    return true;
}

static bool is_equal(const struct moot_json *a, const struct moot_json *b)
{
    if (a->type != b->type || a->count != b->count || !moot__view_eq(a->key, b->key))
        return false;
    if (a->type == MOOT_JSON_STRING || a->type == MOOT_JSON_NUMBER)
        return moot__view_eq(a->text, b->text);
    if (a->type == MOOT_JSON_BOOL)
        return a->truth == b->truth;
    if (a->type == MOOT_JSON_NULL)
        return true;
    const struct moot_json *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        if (!is_equal(x, y))
            return false;
    }
    return !x && !y;
}

struct plan {
    struct moot_agent agents[2];
    struct moot_flow flow;
    struct moot_prompt_config prompt;
};

static void read_agent(const struct moot_json *role, struct moot_arena *arena,
                       struct moot_agent *agent)
{
    agent->role = role->key;
    agent->endpoint = moot__json_text(role, "endpoint");
    agent->instruction = moot__json_text(role, "instruction");
    struct moot_params all;
    assert_int_equal(moot__params_read(role, arena, &all), MOOT_OK);
    struct moot_param *kept = moot__arena_calloc(arena, all.count, sizeof(*kept));
    assert_non_null(kept);
    size_t count = 0;
    for (size_t i = 0; i < all.count; i++) {
        struct moot_view name = all.items[i].name;
        if (!moot__view_is(name, "endpoint") && !moot__view_is(name, "instruction"))
            kept[count++] = all.items[i];
    }
    agent->params = (struct moot_params){kept, count};
    assert_int_equal(moot__agent_apply_defaults(agent, arena), MOOT_OK);
}

static void read_plan(struct moot_view text, struct moot_arena *arena, struct plan *plan)
{
    const struct moot_json *root;
    assert_int_equal(moot__document_read(arena, text, &root, NULL), MOOT_OK);
    const struct moot_json *models = moot__json_get(root, "models");
    assert_int_equal(models->count, 2);
    read_agent(models->child, arena, &plan->agents[0]);
    read_agent(models->child->next, arena, &plan->agents[1]);
    struct moot_error_info info;
    assert_int_equal(moot__flow_resolve(&plan->flow, arena, (struct moot_flow_roles){NULL, 0},
                                        (struct moot_agents){plan->agents, 2}, &info),
                     MOOT_OK);
    plan->prompt.user_response_instruction =
        moot__json_text(moot__json_get(root, "configuration"), "user_response_instruction");
}

/* One step: compare what would be sent, then take the recorded answer. */
static bool step(const struct plan *plan, size_t number, const struct moot_json *upstream,
                 struct moot_transcript *transcript)
{
    const struct moot_dialect *dialect = moot__dialect_find(MOOT_VIEW("databricks"), MOOT_VIEW(""));
    struct moot_arena *arena = transcript->arena;
    unsigned index;
    assert_true(moot__flow_next(&plan->flow, number, &index));
    struct moot_request request = {.agent = &plan->agents[index]};
    assert_int_equal(
        moot__prompt_assemble(&plan->prompt, request.agent, transcript, arena, &request.turns),
        MOOT_OK);

    struct moot_buf target, body;
    moot__buf_init(&target, NULL, 4096);
    moot__buf_init(&body, NULL, MEMORY);
    assert_int_equal(dialect->write_target(&request, MOOT_VIEW(""), &target), MOOT_OK);
    assert_true(moot__view_eq(moot__buf_view(&target), moot__json_text(upstream, "path")));
    assert_int_equal(write_body(dialect, &request, arena, &body), MOOT_OK);
    const struct moot_json *sent, *want, *raw = moot__json_get(upstream, "raw");
    assert_int_equal(moot__document_read(arena, moot__buf_view(&body), &sent, NULL), MOOT_OK);
    assert_int_equal(moot__document_read(arena, raw->text, &want, NULL), MOOT_OK);
    bool equal = is_equal(sent, want);

    moot__buf_reset(&body);
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &body);
    moot__json_write_value(&writer, moot__json_get(upstream, "reply"));
    assert_int_equal(moot__json_write_finish(&writer), MOOT_OK);
    struct moot_arena scratch;
    struct moot_reply reply;
    moot__arena_init(&scratch, NULL, 1 << 20);
    moot__reply_init(&reply, arena, &scratch);
    assert_int_equal(dialect->read_reply(moot__buf_view(&body), &reply, NULL), MOOT_OK);
    assert_int_equal(reply.finish, MOOT_FINISH_STOP);
    assert_int_equal(reply.usage.total, 18);
    assert_int_equal(moot__transcript_add(transcript, moot__buf_view(&reply.text)), MOOT_OK);
    moot__reply_deinit(&reply);
    moot__arena_deinit(&scratch);
    moot__buf_deinit(&body);
    moot__buf_deinit(&target);
    return equal;
}

static bool run_case(const struct plan *plan, const struct moot_json *recorded,
                     struct moot_arena *arena)
{
    struct moot_turns caller;
    struct moot_error_info info;
    const struct moot_json *input = moot__json_get(recorded, "input");
    assert_int_equal(moot__turns_read(moot__json_get(input, "messages"), arena, &caller, &info),
                     MOOT_OK);
    struct moot_transcript transcript;
    assert_int_equal(moot__transcript_begin(&transcript, arena, caller, &info), MOOT_OK);
    const struct moot_json *upstream = moot__json_get(recorded, "upstream");
    bool equal = true;
    for (size_t i = 0; i < plan->flow.count; i++)
        equal = step(plan, i, moot__json_at(upstream, i), &transcript) && equal;

    const struct moot_json *output = moot__json_get(recorded, "output");
    const struct moot_json *choice = moot__json_at(moot__json_get(output, "choices"), 0);
    struct moot_view text = moot__json_text(moot__json_get(choice, "message"), "content");
    assert_true(moot__view_eq(transcript.replies[1], text));
    return equal;
}

static void run_all(enum moot_history history, unsigned unequal_want)
{
    struct moot_buf config, cases;
    moot__buf_init(&config, NULL, MEMORY);
    moot__buf_init(&cases, NULL, MEMORY);
    assert_true(load(FOLDER "model_config.json", &config));
    assert_true(load(FOLDER "cases.jsonl", &cases));
    struct moot_arena plan_arena, arena;
    moot__arena_init(&plan_arena, NULL, MEMORY);
    moot__arena_init(&arena, NULL, MEMORY);
    struct plan plan = {.prompt.history = history};
    read_plan(moot__buf_view(&config), &plan_arena, &plan);

    struct moot_view rest = moot__buf_view(&cases), line;
    unsigned count = 0, unequal = 0;
    while (moot__view_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        const struct moot_json *recorded;
        assert_int_equal(moot__document_read(&arena, line, &recorded, NULL), MOOT_OK);
        struct moot_view id = moot__json_text(recorded, "id");
        bool may_differ = unequal_want > 0 && moot__view_starts(id, MOOT_VIEW("multi-"));
        bool equal = run_case(&plan, recorded, &arena);
        if (equal == may_differ)
            print_error("case %.*s\n", (int)id.len, id.ptr);
        assert_int_equal(equal, !may_differ);
        unequal += !equal;
        count++;
        moot__arena_reset(&arena);
    }
    assert_int_equal(count, CASES);
    assert_int_equal(unequal, unequal_want);
    moot__arena_deinit(&arena);
    moot__arena_deinit(&plan_arena);
    moot__buf_deinit(&cases);
    moot__buf_deinit(&config);
}

static void first_message_is_the_tutorial(void **state)
{
    (void)state;
    run_all(MOOT_HISTORY_FIRST, 0);
}

static void whole_history_differs_only_where_it_must(void **state)
{
    (void)state;
    run_all(MOOT_HISTORY_ALL, UNEQUAL);
}

int main(void)
{
    FILE *file = fopen(FOLDER "cases.jsonl", "rb");
    if (!file) {
        fprintf(stderr, "skipped: %scases.jsonl is missing\n", FOLDER);
        return 77;
    }
    fclose(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_message_is_the_tutorial),
        cmocka_unit_test(whole_history_differs_only_where_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
