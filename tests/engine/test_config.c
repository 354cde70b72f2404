/* Good configurations: the tutorial's in all its wrappings, and everything that may be said. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/config.h"
#include "tests/support/failing_alloc.h"

#define GOLDEN MOOT_TEST_DATA "/golden/model_config.json"
#define S      MOOT_NS_PER_S

static const char *get_variable(void *context, const char *name)
{
    const char *const *pairs = context; /* name, value, ..., NULL */
    for (; pairs && *pairs; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static const char *databricks[] = {"DATABRICKS_HOST", "example.cloud.databricks.com:443/",
                                   "DATABRICKS_TOKEN", "dapi-canary", NULL};
static const char *openai[] = {"OPENAI_API_KEY", "sk-canary", NULL};
static const char *openai_url[] = {"OPENAI_API_KEY", "sk-canary", "OPENAI_BASE_URL",
                                   "http://127.0.0.1:8080/v1/", NULL};

static struct moot_plan *load(struct moot_plan_options options, const char **variables)
{
    struct moot_plan *plan;
    struct moot_error_info info = {0};
    options.size = sizeof options;
    options.environment = get_variable;
    options.environment_context = variables;
    int rc = moot_plan_load(&options, &plan, &info);
    if (rc)
        print_message("%s\n", info.message);
    assert_int_equal(rc, MOOT_OK);
    return plan;
}

static struct moot_plan *load_text(const char *text, const char **variables)
{
    return load((struct moot_plan_options){.text = moot__view_str(text)}, variables);
}

static const struct moot_agent *agent_at(const struct moot_plan *plan, size_t step)
{
    assert_true(step < plan->flow.count);
    return &plan->agents.items[plan->flow.steps[step].agent];
}

static const char *param_text(const struct moot_agent *agent, const char *name)
{
    static char text[32];
    const struct moot_param *param = moot__params_find(agent->params, name);
    assert_non_null(param);
    assert_true(moot__json_is_number(param->value));
    moot__view_copy(param->value->text, text, sizeof text);
    return text;
}

static void assert_is_tutorial(const struct moot_plan *plan)
{
    assert_int_equal(plan->agents.count, 2);
    assert_int_equal(plan->flow.count, 2);
    const struct moot_agent *oracle = agent_at(plan, 0), *judge = agent_at(plan, 1);
    assert_view(oracle->role, "oracle");
    assert_view(oracle->endpoint, "databricks-mixtral-8x7b-instruct");
    assert_string_equal(param_text(oracle, "temperature"), "0.9");
    assert_string_equal(param_text(oracle, "max_tokens"), "5000");
    assert_view(judge->role, "judge");
    assert_view(judge->endpoint, "databricks-meta-llama-3-1-405b-instruct");
    assert_string_equal(param_text(judge, "temperature"), "0.5");
    assert_string_equal(param_text(judge, "max_tokens"), "2000");
    assert_true(moot__view_starts(judge->instruction,
                                  MOOT_VIEW("You are an evaluator of answers provided by")));
    assert_view(plan->user_response_instruction, "Can you evaluate and enhance this answer with "
                                                 "the provided contextual history?");
    assert_false(plan->history_first_only);
    assert_int_equal(plan->caller_params, MOOT_CALLER_NONE);
}

static const char tutorial_yaml[] =
    "# The tutorial's, as YAML\n"
    "models:\n"
    "  oracle:\n"
    "    endpoint: databricks-mixtral-8x7b-instruct\n"
    "    instruction: >-\n"
    "      You are a knowledgeable source of information that excels at providing detailed, but\n"
    "      brief answers to questions. Provide an answer to the question based on the information\n"
    "      provided.\n"
    "    temperature: 0.9\n"
    "    max_tokens: 5000\n"
    "  judge:\n"
    "    max_tokens: 2000\n"
    "    temperature: 0.5\n"
    "    endpoint: databricks-meta-llama-3-1-405b-instruct\n"
    "    instruction: 'You are an evaluator of answers provided by others. Based on the context "
    "of\n"
    "      both the question and the answer, provide a corrected answer if it is incorrect;\n"
    "      otherwise, enhance the answer with additional context and explanation.'\n"
    "configuration:\n"
    "  user_response_instruction: \"Can you evaluate and enhance this answer with the provided\n"
    "    contextual history?\"\n";

static char *indented_in_mlmodel(void)
{
    static char text[4096];
    size_t len = (size_t)snprintf(text, sizeof text,
                                  "artifact_path: model\nflavors:\n  python_function:\n"
                                  "    loader_module: mlflow.pyfunc.model\n    config:\n      ");
    for (const char *c = tutorial_yaml; *c && len + 8 < sizeof text; c++) {
        text[len++] = *c;
        if (*c == '\n' && c[1]) {
            memcpy(text + len, "      ", 6);
            len += 6;
        }
    }
    assert_true(len + 64 < sizeof text);
    snprintf(text + len, sizeof text - len, "run_id: 0123\nutc_time_created: '2024'\n");
    return text;
}

static void the_tutorial_runs_in_every_wrapping(void **state)
{
    (void)state;
    struct moot_plan *plans[3];
    plans[0] = load((struct moot_plan_options){.path = GOLDEN}, databricks);
    plans[1] = load_text(tutorial_yaml, databricks);
    plans[2] = load_text(indented_in_mlmodel(), databricks);
    for (size_t i = 0; i < moot__countof(plans); i++) {
        char one[33], other[33];
        assert_is_tutorial(plans[i]);
        moot_plan_fingerprint(plans[0], one);
        moot_plan_fingerprint(plans[i], other);
        assert_int_equal(strlen(one), 32);
        assert_string_equal(one, other);
    }
    for (size_t i = 0; i < moot__countof(plans); i++)
        moot_plan_unref(plans[i]);
}

static void a_model_directory_is_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/moot-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/MLmodel", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(indented_in_mlmodel(), file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct moot_plan *plan = load((struct moot_plan_options){.path = folder}, databricks);
    assert_is_tutorial(plan);
    moot_plan_unref(plan);
    plan = load((struct moot_plan_options){.path = path}, databricks);
    moot_plan_unref(moot_plan_ref(plan));
    assert_is_tutorial(plan);
    moot_plan_unref(plan);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

#define ROLES "models: {oracle: {endpoint: a}, judge: {endpoint: b}}\n"

static void providers_are_derived_from_the_environment(void **state)
{
    (void)state;
    struct moot_plan *plan = load_text(ROLES, databricks);
    const struct moot_provider *provider = &plan->providers[0];
    assert_int_equal(plan->provider_count, 1);
    assert_view(provider->name, "default");
    assert_string_equal(provider->dialect->type, "databricks");
    assert_view(provider->base_url, "https://example.cloud.databricks.com");
    assert_view(moot__secret_expose(provider->credential.secrets[0].secret), "dapi-canary");
    assert_int_equal(provider->url.port, 443);
    assert_true(provider->timeouts.total_ns == MOOT_TIMEOUT_TOTAL_NS);
    moot_plan_unref(plan);

    plan = load_text(ROLES, openai);
    assert_string_equal(plan->providers[0].dialect->type, "openai");
    assert_view(plan->providers[0].base_url, "https://api.openai.com/v1");
    moot_plan_unref(plan);

    plan = load_text(ROLES, openai_url);
    assert_view(plan->providers[0].base_url, "http://127.0.0.1:8080/v1");
    assert_view(plan->user_response_instruction, "Can you make the answer better?");
    assert_string_equal(param_text(agent_at(plan, 0), "temperature"), "0.5");
    assert_string_equal(param_text(agent_at(plan, 0), "max_tokens"), "500");
    moot_plan_unref(plan);
}

static const char everything[] =
    "models:\n"
    "  critic: {endpoint: c, provider: local, stop: [no, \"yes\"], seed: 0x10, top_p: .5,\n"
    "           response_format: {type: json_object}, logprobs: true, n: ~}\n"
    "  author: {endpoint: a}\n"
    "configuration: {user_response_instruction: Better?, history: first, caller_params: final}\n"
    "providers:\n"
    "  default:\n"
    "    type: databricks\n"
    "    base_url: env:DATABRICKS_HOST\n"
    "    requests_per_minute: 600\n"
    "    input_tokens_per_minute: 80k\n"
    "    output_tokens_per_minute: 1.5M\n"
    "    requests_per_day: 14400\n"
    "    tokens_per_day: 500k\n"
    "    share: quotas/databricks\n"
    "    concurrency: auto\n"
    "    concurrency_max: 512\n"
    "    surface: chat\n"
    "    timeouts: {connect: 250ms, first_byte: 5s, idle: 1m, total: 1h}\n"
    "    retry: {unknown: fail, max_attempts: 4}\n"
    "    prices: {c: {input: 0.5, cached_input: 0.1, cache_write: 0.6, output: 1.5},\n"
    "             '*': {input: 1, output: 2}}\n"
    "    headers: {X-Team: eval}\n"
    "  local: {type: openai, base_url: 'http://localhost:1234/v1', concurrency: 8}\n"
    "  far: {type: openai, base_url: http://10.0.0.1/v1, allow_http: true, api_key: null}\n"
    "flow: [author, critic, author]\n"
    "batch: {row_timeout: 10m, max_errors: 5%, max_cost: 12.5, stream: true, loops: 2}\n";

static void everything_that_may_be_said(void **state)
{
    (void)state;
    struct moot_plan *plan = load_text(everything, databricks);
    assert_int_equal(plan->flow.count, 3);
    assert_view(agent_at(plan, 0)->role, "author");
    assert_view(agent_at(plan, 2)->role, "author");
    const struct moot_agent *critic = agent_at(plan, 1);
    assert_view(plan->providers[critic->provider].name, "local");
    assert_string_equal(param_text(critic, "seed"), "16");
    assert_string_equal(param_text(critic, "top_p"), "0.5");
    const struct moot_param *stop = moot__params_find(critic->params, "stop");
    assert_view(moot__json_at(stop->value, 0)->text, "no"); /* not a boolean */
    assert_true(moot__json_is_null(moot__params_find(critic->params, "n")->value));
    assert_true(plan->history_first_only);
    assert_int_equal(plan->caller_params, MOOT_CALLER_FINAL);

    const struct moot_provider *provider = moot__plan_provider(plan, MOOT_VIEW("default"));
    assert_non_null(provider);
    assert_non_null(provider->credential.source);
    assert_ptr_equal(provider->dialect, &moot__dialect_databricks_chat);
    assert_int_equal(provider->quota.per_minute[MOOT_METER_REQUESTS], 600);
    assert_int_equal(provider->quota.per_minute[MOOT_METER_INPUT], 80000);
    assert_int_equal(provider->quota.per_minute[MOOT_METER_OUTPUT], 1500000);
    assert_view(provider->share, "quotas/databricks"); /* of a text without a folder */
    assert_int_equal(provider->quota.per_day[MOOT_DAY_REQUESTS], 14400);
    assert_int_equal(provider->quota.per_day[MOOT_DAY_TOKENS], 500000);
    assert_int_equal(provider->quota.concurrency, 0);
    assert_int_equal(provider->quota.concurrency_max, 512);
    assert_true(provider->timeouts.connect_ns == S / 4);
    assert_true(provider->timeouts.total_ns == 3600 * S);
    assert_true(provider->retry.unknown_fails);
    assert_int_equal(provider->retry.attempts_max, 4);
    assert_true(moot__provider_price(provider, MOOT_VIEW("c"))->output == 1.5);
    assert_true(moot__provider_price(provider, MOOT_VIEW("c"))->cached_input == 0.1);
    assert_true(moot__provider_price(provider, MOOT_VIEW("c"))->cache_write == 0.6);
    assert_true(moot__provider_price(provider, MOOT_VIEW("x"))->output == 2.0);
    assert_true(moot__provider_price(provider, MOOT_VIEW("x"))->cached_input == 1.0);
    assert_true(moot__provider_price(provider, MOOT_VIEW("x"))->cache_write == 1.0);
    assert_view(provider->headers[0].value, "eval");

    const struct moot_provider *local = moot__plan_provider(plan, MOOT_VIEW("local"));
    assert_null(local->credential.source); /* not whatever key the environment has */
    assert_int_equal(local->quota.concurrency, 8);
    const struct moot_quota_override over = {MOOT_VIEW("local"), {60, 0, 0}};
    const struct moot_plan_overrides overrides = {.quotas = &over, .quota_count = 1};
    assert_int_equal(moot__provider_quota(local, &overrides).per_minute[0], 60);
    assert_int_equal(moot__provider_quota(provider, &overrides).per_minute[0], 600);

    assert_true(plan->batch.row_timeout_ns == 600 * S);
    assert_true(plan->batch.errors_percent == 5.0);
    assert_true(plan->batch.cost_max == 12.5);
    assert_true(plan->batch.stream);
    assert_int_equal(plan->batch.loops, 2);
    moot_plan_unref(plan);
}

static void the_fingerprint_follows_the_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_same;
    } cases[] = {
        {"models: {judge: {endpoint: b}, oracle: {endpoint: a}}\n", true},
        {"{\"models\": {\"oracle\": {\"endpoint\": \"a\"}, \"judge\": {\"endpoint\": \"b\"}}}",
         true},
        {ROLES "flow: [oracle, judge]\n", true},
        {ROLES "providers: {default: {type: databricks, requests_per_minute: 5}}\n", true},
        {ROLES "batch: {loops: 3}\n", true},
        {"models: {oracle: {endpoint: a, temperature: 0.5}, judge: {endpoint: b}}\n", true},
        {"models: {oracle: {endpoint: a, temperature: 0.6}, judge: {endpoint: b}}\n", false},
        {"models: {oracle: {endpoint: a, instruction: x}, judge: {endpoint: b}}\n", false},
        {"models: {oracle: {endpoint: b}, judge: {endpoint: a}}\n", false},
        {ROLES "flow: [judge, oracle]\n", false},
        {ROLES "configuration: {history: first}\n", false},
        {ROLES "configuration: {caller_params: all}\n", false},
        {ROLES "configuration: {user_response_instruction: x}\n", false},
    };
    char base[33], other[33];
    struct moot_plan *plan = load_text(ROLES, databricks);
    moot_plan_fingerprint(plan, base);
    moot_plan_unref(plan);
    for (size_t i = 0; i < moot__countof(cases); i++) {
        plan = load_text(cases[i].text, databricks);
        moot_plan_fingerprint(plan, other);
        moot_plan_unref(plan);
        assert_int_equal(strcmp(base, other) == 0, cases[i].is_same);
    }
}

static void a_readable_key_file_is_warned_about(void **state)
{
    (void)state;
    char folder[] = "/tmp/moot-test-XXXXXX", key[64], config[64];
    assert_non_null(mkdtemp(folder));
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(config, sizeof config, "%s/agent.yaml", folder);
    FILE *file = fopen(key, "w");
    assert_non_null(file);
    assert_true(fputs("sk-canary\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(key, 0644), 0);
    file = fopen(config, "w");
    assert_non_null(file);
    assert_true(fputs(ROLES "providers: {p: {type: openai, api_key: 'file:key'}}\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct moot_plan *plan = load((struct moot_plan_options){.path = config}, NULL);
    assert_view(moot__secret_expose(plan->providers[0].credential.secrets[0].secret), "sk-canary");
    assert_int_equal(plan->warning_count, 1);
    assert_non_null(strstr(plan->warnings[0].text.ptr, "chmod 600"));
    assert_null(strstr(plan->warnings[0].text.ptr, "canary"));
    moot_plan_unref(plan);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(unlink(config), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void memory_may_fail_anywhere(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    static const char *const texts[] = {
        everything, "{\"models\": {\"oracle\": {\"endpoint\": \"a\", \"stop\": [\"x\"]}, "
                    "\"judge\": {\"endpoint\": \"b\"}}}"};
    for (size_t t = 0; t < moot__countof(texts); t++) {
        for (size_t nth = 1;; nth++) {
            assert_true(nth < 10000);
            moot__failing_alloc_init(&memory, nth);
            const struct moot_plan_options options = {.size = sizeof options,
                                                      .allocator = &memory.allocator,
                                                      .text = moot__view_str(texts[t]),
                                                      .environment = get_variable,
                                                      .environment_context = databricks};
            struct moot_plan *plan;
            struct moot_error_info info;
            int rc = moot_plan_load(&options, &plan, &info);
            moot_plan_unref(plan);
            assert_int_equal(moot__failing_alloc_live(&memory), 0);
            if (!moot__failing_alloc_failed(&memory))
                break;
            assert_int_equal(rc, MOOT_ENOMEM);
        }
    }
}

static const char elsewhere[] = "models:\n"
                                "  oracle:\n"
                                "    instruction: I\n"
                                "    endpoint: [a, {endpoint: a, provider: far}, {endpoint: b}]\n"
                                "    seed: 7\n"
                                "flow: [oracle]\n"
                                "providers:\n"
                                "  default: {type: databricks, base_url: env:DATABRICKS_HOST}\n"
                                "  far: {type: openai, base_url: 'http://localhost:1/v1'}\n";

static void endpoints_are_asked_in_their_order(void **state)
{
    (void)state;
    struct moot_plan *plan = load_text(elsewhere, databricks);
    const struct moot_agent *agent = agent_at(plan, 0);
    static const struct {
        const char *endpoint, *provider;
    } order[] = {{"a", "default"}, {"a", "far"}, {"b", "default"}};
    for (size_t i = 0; i < moot__countof(order); i++, agent = agent->fallback) {
        assert_non_null(agent);
        assert_view(agent->role, "oracle");
        assert_view(agent->instruction, "I");
        assert_view(agent->endpoint, order[i].endpoint);
        assert_view(plan->providers[agent->provider].name, order[i].provider);
        assert_string_equal(param_text(agent, "seed"), "7");
    }
    assert_null(agent);
    assert_int_equal(plan->agents.count, 1);

    char before[33], after[33], text[sizeof elsewhere];
    moot_plan_fingerprint(plan, before);
    moot_plan_unref(plan);
    memcpy(text, elsewhere, sizeof text);
    *strstr(text, "b}]") = 'c';
    plan = load_text(text, databricks);
    moot_plan_fingerprint(plan, after);
    assert_string_not_equal(before, after);
    moot_plan_unref(plan);
}

int main(void)
{
    if (access(GOLDEN, R_OK) != 0) {
        print_message("skipped: %s is missing\n", GOLDEN);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tutorial_runs_in_every_wrapping),
        cmocka_unit_test(a_model_directory_is_read),
        cmocka_unit_test(providers_are_derived_from_the_environment),
        cmocka_unit_test(everything_that_may_be_said),
        cmocka_unit_test(endpoints_are_asked_in_their_order),
        cmocka_unit_test(the_fingerprint_follows_the_answers),
        cmocka_unit_test(a_readable_key_file_is_warned_about),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
