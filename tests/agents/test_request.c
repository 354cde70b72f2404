/* Exact bytes of requests: targets, bodies, parameters. */
#include "fixture.h"

#include <stdio.h>

#include "engine/base/check.h"

struct bench {
    struct moot_arena arena;
    struct moot_turn said[1];
    struct moot_agent agent;
    struct moot_request request;
    struct moot_buf out;
};

static void begin(struct bench *bench, const char *endpoint, const char *params)
{
    moot__arena_init(&bench->arena, NULL, 1 << 20);
    moot__buf_init(&bench->out, NULL, 1 << 20);
    bench->said[0] = turn("user", "q");
    bench->agent = (struct moot_agent){.endpoint = moot__view_str(endpoint),
                                       .params = read_params(&bench->arena, params)};
    assert_int_equal(moot__agent_apply_defaults(&bench->agent, &bench->arena), MOOT_OK);
    bench->request = (struct moot_request){.agent = &bench->agent, .turns = {bench->said, 1}};
}

static void end(struct bench *bench)
{
    moot__buf_deinit(&bench->out);
    moot__arena_deinit(&bench->arena);
}

static void expect_body(struct bench *bench, const struct moot_dialect *dialect, const char *want)
{
    moot__buf_reset(&bench->out);
    assert_int_equal(write_body(dialect, &bench->request, &bench->arena, &bench->out), MOOT_OK);
    assert_view(moot__buf_view(&bench->out), want);
}

static void expect_target(struct bench *bench, const struct moot_dialect *dialect,
                          const char *base_path, const char *want)
{
    moot__buf_reset(&bench->out);
    assert_int_equal(dialect->write_target(&bench->request, moot__view_str(base_path), &bench->out),
                     MOOT_OK);
    assert_view(moot__buf_view(&bench->out), want);
}

#define Q "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]"

static void defaults_come_first_and_only_once(void **state)
{
    (void)state;
    struct bench b;
    const struct moot_dialect *databricks = &moot__dialect_databricks;
    begin(&b, "e", "{}");
    expect_body(&b, databricks, Q ",\"temperature\":0.5,\"max_tokens\":500}");
    assert_int_equal(moot__params_max_tokens(b.agent.params), 500);
    b.request.stream = true;
    expect_body(&b, databricks, Q ",\"temperature\":0.5,\"max_tokens\":500,\"stream\":true}");
    expect_body(&b, &moot__dialect_databricks_chat,
                Q ",\"model\":\"e\",\"temperature\":0.5,\"max_tokens\":500,\"stream\":true}");
    end(&b);

    begin(&b, "e", "{\"stop\":[\"\\n\"],\"max_tokens\":7,\"top_p\":0.90,\"temperature\":1}");
    expect_body(&b, databricks,
                Q ",\"temperature\":1,\"max_tokens\":7,\"stop\":[\"\\n\"],\"top_p\":0.90}");
    end(&b);

    begin(&b, "e", "{\"temperature\":null,\"max_completion_tokens\":9,\"stream\":true,\"n\":null}");
    expect_body(&b, databricks, Q ",\"max_completion_tokens\":9}");
    assert_int_equal(moot__params_max_tokens(b.agent.params), 9);
    end(&b);
}

static void openai_names_the_model_and_asks_for_usage(void **state)
{
    (void)state;
    struct bench b;
    const struct moot_dialect *openai = &moot__dialect_openai;
    begin(&b, "gpt-4o", "{\"stream_options\":{\"include_usage\":false}}");
    expect_body(&b, openai, Q ",\"model\":\"gpt-4o\",\"temperature\":0.5,\"max_tokens\":500}");
    b.request.stream = true;
    expect_body(&b, openai,
                Q ",\"model\":\"gpt-4o\",\"temperature\":0.5,\"max_tokens\":500,"
                  "\"stream_options\":{\"include_usage\":false},\"stream\":true}");
    end(&b);
    begin(&b, "gpt-oss-120b", "{}");
    b.request.stream = true;
    expect_body(&b, openai,
                Q ",\"model\":\"gpt-oss-120b\",\"temperature\":0.5,\"max_tokens\":500,"
                  "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    end(&b);
}

static void newer_models_get_the_newer_names(void **state)
{
    (void)state;
    static const char *const models[] = {"o3-mini", "gpt-5", "gpt-5.1", "gpt-10", "ft:gpt-5:me"};
    for (size_t i = 0; i < moot__countof(models); i++) {
        struct bench b;
        char want[200];
        begin(&b, models[i], "{\"max_tokens\":7}");
        snprintf(want, sizeof(want), Q ",\"model\":\"%s\",\"max_completion_tokens\":7}", models[i]);
        expect_body(&b, &moot__dialect_openai, want);
        end(&b);
        begin(&b, models[i], "{\"temperature\":1}");
        snprintf(want, sizeof(want),
                 Q ",\"model\":\"%s\",\"temperature\":1,\"max_completion_tokens\":500}", models[i]);
        expect_body(&b, &moot__dialect_openai, want);
        end(&b);
    }
}

static void callers_parameters_override_where_they_may(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, "e", "{\"top_p\":0.9}");
    struct moot_params caller =
        read_params(&b.arena, "{\"top_p\":null,\"seed\":3,\"temperature\":0,\"model\":\"x\","
                              "\"messages\":[],\"stream\":true,\"max_completion_tokens\":20}");
    b.request.overriding = moot__params_for_step(MOOT_CALLER_FINAL, caller, 0, 2);
    expect_body(&b, &moot__dialect_databricks,
                Q ",\"temperature\":0.5,\"max_tokens\":500,\"top_p\":0.9}");
    b.request.overriding = moot__params_for_step(MOOT_CALLER_NONE, caller, 1, 2);
    assert_int_equal(b.request.overriding.count, 0);
    b.request.overriding = moot__params_for_step(MOOT_CALLER_ALL, caller, 0, 2);
    assert_int_equal(b.request.overriding.count, caller.count);
    b.request.overriding = moot__params_for_step(MOOT_CALLER_FINAL, caller, 1, 2);
    expect_body(&b, &moot__dialect_databricks,
                Q ",\"temperature\":0,\"max_completion_tokens\":20,\"top_p\":0.9,\"seed\":3}");
    end(&b);
}

static void turns_are_passed_through(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, "e", "{\"temperature\":1,\"max_tokens\":1}");
    static const char *const messages =
        "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\u00e9\"}],\"name\":"
        "\"A\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\"}]},{"
        "\"role\":\"assistant\",\"tool_calls\":[]},{\"role\":\"tool\",\"content\":\"\",\"tool_"
        "call_id\":\"c\"}]";
    assert_int_equal(
        moot__turns_read(read_json(&b.arena, messages), &b.arena, &b.request.turns, NULL), MOOT_OK);
    expect_body(&b, &moot__dialect_databricks,
                "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                "\"\xC3\xA9\"}],\"name\":\"A\"},{\"role\":\"assistant\",\"content\":null,"
                "\"tool_calls\":[{\"id\":\"c\"}]},{\"role\":\"assistant\",\"tool_calls\":[]},{"
                "\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"c\"}],\"temperature\":1,"
                "\"max_tokens\":1}");
    end(&b);
}

static void targets_join_base_and_suffix(void **state)
{
    (void)state;
    struct bench b;
    const struct moot_dialect *databricks = &moot__dialect_databricks;
    begin(&b, "a b/c\xC3\xA9~1", "{}");
    const char *own = "/serving-endpoints/a%20b%2Fc%C3%A9~1/invocations";
    expect_target(&b, databricks, "", own);
    expect_target(&b, databricks, "/", own);
    expect_target(&b, databricks, "/serving-endpoints", own);
    expect_target(&b, databricks, "/serving-endpoints/", own);
    expect_target(&b, &moot__dialect_databricks_chat, "/x//",
                  "/x/serving-endpoints/chat/completions");
    expect_target(&b, &moot__dialect_openai, "/v1", "/v1/chat/completions");
    expect_target(&b, &moot__dialect_openai, "v1/", "/v1/chat/completions");
    expect_target(&b, &moot__dialect_openai, "", "/chat/completions");
    end(&b);
}

static void azure_has_a_target_for_each_surface(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, "my dep", "{}");
    const struct moot_dialect *v1 = &moot__dialect_azure,
                              *classic = &moot__dialect_azure_deployments;
    expect_target(&b, v1, "", "/openai/v1/chat/completions");
    expect_target(&b, v1, "/openai/v1/", "/openai/v1/chat/completions");
    expect_target(&b, classic, "/openai",
                  "/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21");
    expect_target(&b, &moot__dialect_azure_models, "/models",
                  "/models/chat/completions?api-version=2024-05-01-preview");
    expect_target(&b, &moot__dialect_azure_anthropic, "", "/anthropic/v1/messages");
    expect_target(&b, &moot__dialect_databricks_gateway, "/",
                  "/ai-gateway/mlflow/v1/chat/completions");
    b.request.version = MOOT_VIEW("preview");
    expect_target(&b, v1, "/", "/openai/v1/chat/completions?api-version=preview");
    expect_target(&b, classic, "",
                  "/openai/deployments/my%20dep/chat/completions?api-version=preview");
    expect_body(&b, classic, Q ",\"temperature\":0.5,\"max_tokens\":500}");
    expect_body(&b, v1, Q ",\"model\":\"my dep\",\"temperature\":0.5,\"max_tokens\":500}");
    end(&b);
}

static void strict_is_kept_from_who_refuses_it(void **state)
{
    (void)state;
    static const char tools[] =
        "{\"temperature\":null,\"max_tokens\":1,\"tools\":[{\"type\":\"function\",\"function\":{"
        "\"name\":\"f\",\"strict\":true,\"parameters\":{\"strict\":1}}}]}";
    struct bench b;
    begin(&b, "databricks-claude", tools);
    expect_body(&b, &moot__dialect_databricks,
                Q ",\"max_tokens\":1,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
                  "\"f\",\"parameters\":{\"strict\":1}}}]}");
    end(&b);
    begin(&b, "databricks-gpt-oss-120b", tools);
    expect_body(&b, &moot__dialect_databricks,
                Q ",\"max_tokens\":1,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
                  "\"f\",\"strict\":true,\"parameters\":{\"strict\":1}}}]}");
    end(&b);
}

static void dialects_are_found_by_name(void **state)
{
    (void)state;
    const struct moot_view none = {NULL, 0};
    assert_ptr_equal(moot__dialect_find(MOOT_VIEW("openai"), none), &moot__dialect_openai);
    assert_ptr_equal(moot__dialect_find(MOOT_VIEW("databricks"), none), &moot__dialect_databricks);
    assert_null(moot__dialect_find(MOOT_VIEW("nobody"), none));
    assert_null(moot__dialect_find(MOOT_VIEW("openai"), MOOT_VIEW("invocations")));
    for (size_t i = 0; moot__dialect_at(i); i++) {
        const struct moot_dialect *d = moot__dialect_at(i);
        assert_ptr_equal(moot__dialect_find(moot__view_str(d->type), moot__view_str(d->surface)),
                         d);
    }
}

/* The table of struct moot_counting, row by row. */
static void providers_count_tokens_in_their_ways(void **state)
{
    (void)state;
    for (size_t i = 0; moot__dialect_at(i); i++) {
        const struct moot_dialect *d = moot__dialect_at(i);
        bool is_anthropic =
            strcmp(d->type, "anthropic") == 0 || strcmp(d->surface, "anthropic") == 0;
        bool is_bedrock = strcmp(d->type, "bedrock") == 0;
        assert_int_equal(d->counting.only_used, is_anthropic);
        assert_int_equal(d->counting.cached_free, is_anthropic || is_bedrock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_first_and_only_once),
        cmocka_unit_test(openai_names_the_model_and_asks_for_usage),
        cmocka_unit_test(newer_models_get_the_newer_names),
        cmocka_unit_test(callers_parameters_override_where_they_may),
        cmocka_unit_test(turns_are_passed_through),
        cmocka_unit_test(targets_join_base_and_suffix),
        cmocka_unit_test(azure_has_a_target_for_each_surface),
        cmocka_unit_test(strict_is_kept_from_who_refuses_it),
        cmocka_unit_test(dialects_are_found_by_name),
        cmocka_unit_test(providers_count_tokens_in_their_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
