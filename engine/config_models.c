/* Who speaks and in which order: `models`, `flow`, `configuration`. Below a role, what is not ours
 * is a parameter of the model's API and is kept as it is. */
#include "config_read.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"

static moot_words own_keys = {"endpoint", "instruction", "provider", NULL};

/* Keys that people put here and that would otherwise be sent to the model's API. */
static moot_words misplaced_keys = {"api_key",       "api-key", "apikey",
                                    "authorization", "token",   "base_url",
                                    "access_token",  "secret",  NULL};

/* Those of the chat APIs that we know. Another is no fault: a provider may have its own. */
static const char *const known_params[] = {"audio",
                                           "best_of",
                                           "chat_template_kwargs",
                                           "echo",
                                           "extra_body",
                                           "frequency_penalty",
                                           "function_call",
                                           "functions",
                                           "guided_choice",
                                           "guided_grammar",
                                           "guided_json",
                                           "guided_regex",
                                           "ignore_eos",
                                           "length_penalty",
                                           "logit_bias",
                                           "logprobs",
                                           "max_completion_tokens",
                                           "max_tokens",
                                           "metadata",
                                           "min_p",
                                           "min_tokens",
                                           "modalities",
                                           "n",
                                           "parallel_tool_calls",
                                           "prediction",
                                           "presence_penalty",
                                           "prompt_cache_key",
                                           "reasoning",
                                           "reasoning_effort",
                                           "repetition_penalty",
                                           "response_format",
                                           "safety_identifier",
                                           "seed",
                                           "service_tier",
                                           "skip_special_tokens",
                                           "stop",
                                           "stop_token_ids",
                                           "store",
                                           "stream_options",
                                           "temperature",
                                           "thinking",
                                           "tool_choice",
                                           "tools",
                                           "top_k",
                                           "top_logprobs",
                                           "top_p",
                                           "typical_p",
                                           "use_beam_search",
                                           "user",
                                           "verbosity",
                                           "web_search_options",
                                           NULL};

/* Shorter words are all like one another. */
enum { GUESSED_MIN = 5 };

static int name_of_unknown_provider(struct moot_config_reader *reader, const struct moot_tree *node)
{
    const char *names[MOOT_LIMIT_PROVIDERS + 1];
    size_t count = 0;
    for (size_t i = 0; i < reader->plan->provider_count; i++)
        names[count++] = reader->plan->providers[i].name.ptr; /* NUL-terminated copies */
    names[count] = NULL;
    const char *guess = moot__config_guess(node->text, names);
    if (guess)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "no provider of this name below 'providers'; did you mean '%s'?",
                                 guess);
    return moot__config_fail(reader, MOOT_ECONFIG, node,
                             "no provider of this name below 'providers'; add it there");
}

static int read_provider_name(struct moot_config_reader *reader, const struct moot_tree *role,
                              unsigned *out)
{
    const struct moot_plan *plan = reader->plan;
    const struct moot_tree *node = moot__tree_get(role, "provider");
    struct moot_view name = MOOT_VIEW("default");
    if (node) {
        int rc = moot__config_expect(reader, node, MOOT_JSON_STRING);
        if (rc)
            return rc;
        name = node->text;
    }
    for (unsigned i = 0; i < plan->provider_count; i++) {
        if (moot__view_eq(plan->providers[i].name, name)) {
            *out = i;
            return MOOT_OK;
        }
    }
    if (node)
        return name_of_unknown_provider(reader, node);
    if (plan->provider_count == 1) {
        *out = 0;
        return MOOT_OK;
    }
    return moot__config_fail_key(reader, MOOT_ECONFIG, role,
                                 "there are several providers and none is called 'default'; "
                                 "say which one with provider: NAME");
}

static bool is_own(struct moot_view key)
{
    for (size_t i = 0; own_keys[i]; i++) {
        if (moot__view_is(key, own_keys[i]))
            return true;
    }
    return false;
}

static bool is_misplaced(struct moot_view key)
{
    for (size_t i = 0; misplaced_keys[i]; i++) {
        if (moot__view_eq_nocase(key, moot__view_str(misplaced_keys[i])))
            return true;
    }
    return false;
}

static int warn_of_param(struct moot_config_reader *reader, const struct moot_tree *node)
{
    const char *guess =
        node->key.len < GUESSED_MIN ? NULL : moot__config_guess(node->key, known_params);
    if (!guess || moot__view_is(node->key, guess))
        return MOOT_OK;
    return moot__config_warn(reader, node,
                             "unknown parameter '%.*s'; it is sent as it is; did you mean '%s'?",
                             (int)node->key.len, node->key.ptr, guess);
}

static int check_param(struct moot_config_reader *reader, const struct moot_tree *node)
{
    if (is_misplaced(node->key))
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "addresses and secrets belong to a provider: move it below "
                                     "'providers', as api_key: env:NAME or api_key: file:PATH");
    if (moot__param_is_reserved(node->key))
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "'%.*s' is written by the engine and cannot be set here; "
                                     "remove it",
                                     (int)node->key.len, node->key.ptr);
    const char *guess = moot__config_guess(node->key, own_keys);
    if (guess)
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "unknown key '%.*s' in a role; did you mean '%s'?",
                                     (int)node->key.len, node->key.ptr, guess);
    return warn_of_param(reader, node);
}

static int read_params(struct moot_config_reader *reader, const struct moot_tree *role,
                       struct moot_agent *agent)
{
    struct moot_arena *arena = &reader->plan->arena;
    struct moot_param *items = moot__arena_calloc(arena, role->count + 1, sizeof *items);
    if (!items)
        return moot__config_out_of_memory(reader);
    size_t count = 0;
    for (const struct moot_tree *member = role->child; member; member = member->next) {
        if (is_own(member->key))
            continue;
        int rc = check_param(reader, member);
        if (rc)
            return rc;
        const struct moot_json *value = moot__tree_to_json(member, arena);
        if (!value)
            return moot__config_out_of_memory(reader);
        items[count++] = (struct moot_param){.name = value->key, .value = value};
    }
    agent->params = (struct moot_params){items, count};
    return moot__agent_apply_defaults(agent, arena) ? moot__config_out_of_memory(reader) : MOOT_OK;
}

/* Where in the role it says what the message begins with; else the role. */
static const struct moot_tree *place_of(const struct moot_tree *role, const char *message)
{
    for (const struct moot_tree *member = role->child; member; member = member->next) {
        size_t len = member->key.len;
        if (len > 0 && strncmp(message, member->key.ptr, len) == 0 && message[len] == ' ')
            return member;
    }
    return role;
}

/* What its provider cannot be told is better known now than at the first question. */
static int check_dialect(struct moot_config_reader *reader, const struct moot_tree *role,
                         const struct moot_agent *agent)
{
    const struct moot_provider *provider = &reader->plan->providers[agent->provider];
    const struct moot_turn turn = {.role = MOOT_VIEW("user"), .content = MOOT_VIEW("?")};
    const struct moot_request request = {
        .agent = agent, .turns = {&turn, 1}, .version = provider->version};
    struct moot_error_info why = {0};
    struct moot_arena scratch;
    struct moot_buf body;
    struct moot_json_writer writer;
    moot__arena_init(&scratch, reader->plan->allocator, MOOT_LIMIT_CONFIG_TREE_BYTES);
    moot__buf_init(&body, reader->plan->allocator, MOOT_LIMIT_JSON_BYTES);
    moot__json_write_init(&writer, &body);
    int rc = provider->dialect->write_body(&request, &scratch, &writer, &why);
    int finish = moot__json_write_finish(&writer);
    moot__buf_deinit(&body);
    moot__arena_deinit(&scratch);
    if (rc == MOOT_EINPUT)
        return moot__config_fail_key(reader, MOOT_ECONFIG, place_of(role, why.message), "%s",
                                     why.message);
    return rc || finish ? moot__config_out_of_memory(reader) : MOOT_OK;
}

/* One of the endpoints of a role: a name, or a map with the provider beside it. */
static int read_choice(struct moot_config_reader *reader, const struct moot_tree *role,
                       const struct moot_tree *entry, struct moot_agent *agent)
{
    static moot_words keys = {"endpoint", "provider", NULL};
    const struct moot_tree *name = entry, *provider = role;
    int rc = MOOT_OK;
    if (entry->type == MOOT_JSON_OBJECT) {
        rc = moot__config_check_keys(reader, entry, "an endpoint", keys);
        name = moot__tree_get(entry, "endpoint");
        provider = moot__tree_get(entry, "provider") ? entry : role;
    }
    if (rc == MOOT_OK && name)
        rc = moot__config_text(reader, name, &agent->endpoint);
    if (rc == MOOT_OK && agent->endpoint.len == 0)
        rc = moot__config_fail(reader, MOOT_ECONFIG, entry,
                               "an endpoint is the model's name at its provider, or a map "
                               "{endpoint: NAME, provider: NAME}");
    if (rc == MOOT_OK)
        rc = read_provider_name(reader, provider, &agent->provider);
    return rc ? rc : check_dialect(reader, role, agent);
}

/* Whether the last of a chain is in it twice. */
static bool is_twice(const struct moot_agent *first, const struct moot_agent *last)
{
    for (const struct moot_agent *agent = first; agent != last; agent = agent->fallback)
        if (agent->provider == last->provider && moot__view_eq(agent->endpoint, last->endpoint))
            return true;
    return false;
}

/* `endpoint: [first, next, ...]`: a chain of agents that differ in where they are asked. */
static int read_choices(struct moot_config_reader *reader, const struct moot_tree *role,
                        const struct moot_tree *list, struct moot_agent *first)
{
    if (list->count == 0 || list->count > MOOT_LIMIT_ENDPOINTS)
        return moot__config_fail(reader, MOOT_ECONFIG, list,
                                 "'endpoint' is one name, or a list of 1 to %d in the order in "
                                 "which they are asked",
                                 MOOT_LIMIT_ENDPOINTS);
    struct moot_agent *agents =
        moot__arena_calloc(&reader->plan->arena, list->count, sizeof *agents);
    if (!agents)
        return moot__config_out_of_memory(reader);
    const struct moot_agent role_alone = *first;
    struct moot_agent *agent = first;
    for (const struct moot_tree *entry = list->child; entry; entry = entry->next) {
        if (entry != list->child) {
            struct moot_agent *next = agents++;
            *next = role_alone;
            agent->fallback = next;
            agent = next;
        }
        int rc = read_choice(reader, role, entry, agent);
        if (rc)
            return rc;
        if (is_twice(first, agent))
            return moot__config_fail(reader, MOOT_ECONFIG, entry,
                                     "this endpoint is in the list already; remove one of them");
    }
    return MOOT_OK;
}

static int read_role(struct moot_config_reader *reader, const struct moot_tree *role,
                     struct moot_agent *agent)
{
    int rc = moot__config_expect(reader, role, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    if (role->key.len == 0)
        return moot__config_fail_key(reader, MOOT_ECONFIG, role, "a role needs a name");
    if (!moot__arena_copy(&reader->plan->arena, role->key, &agent->role))
        return moot__config_out_of_memory(reader);
    const struct moot_tree *endpoint = moot__tree_get(role, "endpoint");
    rc = read_params(reader, role, agent);
    if (rc == MOOT_OK)
        rc = moot__config_text(reader, moot__tree_get(role, "instruction"), &agent->instruction);
    if (rc == MOOT_OK && endpoint && endpoint->type == MOOT_JSON_ARRAY)
        return read_choices(reader, role, endpoint, agent);
    if (rc == MOOT_OK)
        rc = moot__config_text(reader, endpoint, &agent->endpoint);
    if (rc)
        return rc;
    if (agent->endpoint.len == 0)
        return moot__config_fail_key(reader, MOOT_ECONFIG, role,
                                     "role '%.*s' has no endpoint; add endpoint: NAME, "
                                     "the model's name at its provider",
                                     (int)role->key.len, role->key.ptr);
    rc = read_provider_name(reader, role, &agent->provider);
    return rc ? rc : check_dialect(reader, role, agent);
}

static int read_roles(struct moot_config_reader *reader, const struct moot_tree *root)
{
    const struct moot_tree *models = moot__tree_get(root, "models");
    if (!models)
        return moot__config_fail(reader, MOOT_ECONFIG, root,
                                 "'models' is missing: a map from each role (oracle, judge) to "
                                 "its endpoint and instruction");
    int rc = moot__config_expect(reader, models, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    if (models->count == 0 || models->count > MOOT_LIMIT_ROLES)
        return moot__config_fail(reader, MOOT_ECONFIG, models, "'models' must have 1 to %d roles",
                                 MOOT_LIMIT_ROLES);
    struct moot_agent *items =
        moot__arena_calloc(&reader->plan->arena, models->count, sizeof *items);
    if (!items)
        return moot__config_out_of_memory(reader);
    size_t i = 0;
    for (const struct moot_tree *role = models->child; role; role = role->next) {
        rc = read_role(reader, role, &items[i++]);
        if (rc)
            return rc;
    }
    reader->plan->agents = (struct moot_agents){items, i};
    return MOOT_OK;
}

static int find_role(struct moot_config_reader *reader, const struct moot_tree *node,
                     struct moot_view name, unsigned *out)
{
    const struct moot_agents agents = reader->plan->agents;
    const char *names[MOOT_LIMIT_ROLES + 1];
    for (unsigned i = 0; i < agents.count; i++) {
        names[i] = agents.items[i].role.ptr; /* NUL-terminated copies */
        if (moot__view_eq(agents.items[i].role, name)) {
            *out = i;
            return MOOT_OK;
        }
    }
    names[agents.count] = NULL;
    const char *guess = moot__config_guess(name, names);
    int len = (int)(name.len < 64 ? name.len : 64);
    if (guess)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "the flow names the role '%.*s', which is not below 'models'; "
                                 "did you mean '%s'?",
                                 len, name.ptr, guess);
    return moot__config_fail(reader, MOOT_ECONFIG, node,
                             "the flow names the role '%.*s', which is not below 'models'; "
                             "add it there, or write the flow that you want as flow: [ROLE, ...]",
                             len, name.ptr);
}

static int read_flow(struct moot_config_reader *reader, const struct moot_tree *root)
{
    const struct moot_tree *list = moot__tree_get(root, "flow");
    size_t count = 2;
    if (list) {
        int rc = moot__config_expect(reader, list, MOOT_JSON_ARRAY);
        if (rc)
            return rc;
        count = list->count;
        if (count == 0 || count > MOOT_LIMIT_FLOW_STEPS)
            return moot__config_fail(reader, MOOT_ECONFIG, list,
                                     "a flow has 1 to %d steps, each the name of a role",
                                     MOOT_LIMIT_FLOW_STEPS);
    }
    struct moot_flow_step *steps = moot__arena_calloc(&reader->plan->arena, count, sizeof *steps);
    if (!steps)
        return moot__config_out_of_memory(reader);
    const struct moot_tree *item = list ? list->child : NULL;
    const struct moot_tree *models = moot__tree_get(root, "models");
    for (size_t i = 0; i < count; i++, item = item ? item->next : NULL) {
        if (item && item->type == MOOT_JSON_OBJECT)
            return moot__config_fail(reader, MOOT_ECONFIG, item,
                                     "verbs in a flow are not available in this version; "
                                     "a step is the name of a role");
        int rc = item ? moot__config_expect(reader, item, MOOT_JSON_STRING) : MOOT_OK;
        struct moot_view name = item     ? item->text
                                : i == 0 ? MOOT_VIEW("oracle")
                                         : MOOT_VIEW("judge");
        if (rc == MOOT_OK)
            rc = find_role(reader, item ? item : models, name, &steps[i].agent);
        if (rc)
            return rc;
    }
    reader->plan->flow = (struct moot_flow){steps, count};
    return MOOT_OK;
}

static int read_configuration(struct moot_config_reader *reader, const struct moot_tree *node)
{
    static moot_words keys = {"user_response_instruction", "history", "caller_params", NULL};
    static moot_words histories = {"all", "first", NULL};
    static moot_words modes = {"none", "final", "all", NULL};
    struct moot_plan *plan = reader->plan;
    plan->user_response_instruction = MOOT_VIEW(MOOT_DEFAULT_USER_RESPONSE);
    if (!node || node->type == MOOT_JSON_NULL)
        return MOOT_OK;
    int rc = moot__config_check_keys(reader, node, "'configuration'", keys);
    if (rc == MOOT_OK)
        rc = moot__config_text(reader, moot__tree_get(node, keys[0]),
                               &plan->user_response_instruction);
    unsigned history = 0, mode = 0;
    if (rc == MOOT_OK)
        rc = moot__config_choice(reader, moot__tree_get(node, "history"), histories, &history);
    if (rc == MOOT_OK)
        rc = moot__config_choice(reader, moot__tree_get(node, "caller_params"), modes, &mode);
    plan->history_first_only = history == 1;
    plan->caller_params = mode == 0   ? MOOT_CALLER_NONE
                          : mode == 1 ? MOOT_CALLER_FINAL
                                      : MOOT_CALLER_ALL;
    return rc;
}

int moot__config_read_models(struct moot_config_reader *reader, const struct moot_tree *root)
{
    int rc = read_roles(reader, root);
    if (rc == MOOT_OK)
        rc = read_flow(reader, root);
    if (rc == MOOT_OK)
        rc = read_configuration(reader, moot__tree_get(root, "configuration"));
    return rc;
}
