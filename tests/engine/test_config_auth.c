/* Which credential a configuration and an environment mean, in the order of the official SDKs. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/config.h"
#include "tests/support/failing_alloc.h"

#define CANARY "canary-4f1d"
#define ROLES  "models: {oracle: {endpoint: a}, judge: {endpoint: b}}\n"

static char folder[] = "/tmp/moot-test-XXXXXX";

/* "NAME=value NAME=value"; in values, @ is the folder. */
static const char *get_variable(void *context, const char *name)
{
    static char value[256];
    size_t len = strlen(name);
    for (const char *at = context; at && *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        if (strncmp(at, name, len) != 0 || at[len] != '=')
            continue;
        size_t used = 0;
        for (at += len + 1; *at && *at != ' ' && used + sizeof folder < sizeof value; at++)
            used += (size_t)snprintf(value + used, sizeof value - used, *at == '@' ? "%s" : "%.1s",
                                     *at == '@' ? folder : at);
        value[used] = '\0';
        return value;
    }
    return strcmp(name, "HOME") == 0 ? folder : NULL;
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const struct moot_allocator *allocator;

static int load(const char *provider, const char *variables, struct moot_plan **plan,
                struct moot_error_info *info)
{
    char text[1024];
    snprintf(text, sizeof text, provider ? ROLES "providers: {p: {%s}}\n" : ROLES, provider);
    const struct moot_plan_options options = {.size = sizeof options,
                                              .allocator = allocator,
                                              .path = "agent.yaml",
                                              .text = moot__view_str(text),
                                              .environment = get_variable,
                                              .environment_context = (void *)(uintptr_t)variables};
    *info = (struct moot_error_info){0};
    return moot_plan_load(&options, plan, info);
}

static const struct moot_credential_source_ops
    *const fixed = &moot__credential_fixed,
           *const exec = &moot__credential_exec, *const oauth = &moot__credential_oauth,
           *const entra = &moot__credential_entra, *const managed = &moot__credential_azure_machine,
           *const container = &moot__credential_aws_container,
           *const machine = &moot__credential_aws_machine;

#define DBX   "DATABRICKS_HOST=w.example "
#define AZ    "AZURE_OPENAI_ENDPOINT=https://r.openai.azure.com "
#define APP   "AZURE_TENANT_ID=ten AZURE_CLIENT_ID=app "
#define AWS   "AWS_REGION=eu-west-1 "
#define KEYS  "AWS_ACCESS_KEY_ID=AKID AWS_SECRET_ACCESS_KEY=env-secret "
#define OIDC  "/oidc/.well-known/oauth-authorization-server"
#define ENTRA "https://login.microsoftonline.com/ten/oauth2/v2.0/token"

static const struct {
    const char *provider, *variables;
    const struct moot_credential_source_ops *const *source;
    enum moot_auth auth;
    const char *secret; /* the first; or the secret key */
    const char *base;   /* where it is given; or the command */
    const char *url;    /* the provider's */
} cases[] = {
    /* Keys in variables */
    {NULL, "OPENAI_API_KEY=k", &fixed, MOOT_AUTH_BEARER, "k", NULL, "https://api.openai.com/v1"},
    {NULL, "ANTHROPIC_API_KEY=k ANTHROPIC_AUTH_TOKEN=t", &fixed, MOOT_AUTH_X_API_KEY, "k", NULL,
     "https://api.anthropic.com"},
    {NULL, "ANTHROPIC_AUTH_TOKEN=t", &fixed, MOOT_AUTH_BEARER, "t", NULL,
     "https://api.anthropic.com"},
    {"type: anthropic, auth: {type: bearer}", "ANTHROPIC_API_KEY=k", &fixed, MOOT_AUTH_BEARER, "k",
     NULL, NULL},
    {"type: openai, api_key: env:K, auth: {type: api_key}", "K=k", &fixed, MOOT_AUTH_API_KEY, "k",
     NULL, NULL},
    {"type: openai, api_key: 'exec:get --for me'", "", &exec, MOOT_AUTH_BEARER, NULL,
     "get --for me", NULL},
    /* Databricks */
    {NULL, DBX "DATABRICKS_TOKEN=t", &fixed, MOOT_AUTH_BEARER, "t", NULL, "https://w.example"},
    {NULL, DBX "DATABRICKS_TOKEN=t DATABRICKS_CLIENT_ID=c DATABRICKS_CLIENT_SECRET=s", &fixed,
     MOOT_AUTH_BEARER, "t", NULL, NULL},
    {NULL, DBX "DATABRICKS_CLIENT_ID=c DATABRICKS_CLIENT_SECRET=s", &oauth, MOOT_AUTH_BEARER, "s",
     "https://w.example" OIDC, NULL},
    {NULL,
     DBX "DATABRICKS_TOKEN=t DATABRICKS_CLIENT_ID=c DATABRICKS_CLIENT_SECRET=s "
         "DATABRICKS_AUTH_TYPE=oauth-m2m",
     &oauth, MOOT_AUTH_BEARER, "s", "https://w.example" OIDC, NULL},
    {NULL, DBX "ARM_CLIENT_ID=c ARM_CLIENT_SECRET=s ARM_TENANT_ID=ten", &entra, MOOT_AUTH_BEARER,
     "s", ENTRA, NULL},
    {NULL, "DATABRICKS_CONFIG_PROFILE=dev", &fixed, MOOT_AUTH_BEARER, "dev-token", NULL,
     "https://dev.example"},
    {"type: databricks", "", &oauth, MOOT_AUTH_BEARER, "file-secret", "https://file.example" OIDC,
     "https://file.example"},
    {"type: databricks", "DATABRICKS_TOKEN=env-token", &fixed, MOOT_AUTH_BEARER, "env-token", NULL,
     "https://file.example"},
    {"type: databricks, base_url: 'https://x.example', auth: {type: oauth_m2m, client_id: c, "
     "client_secret: env:S}",
     "S=s", &oauth, MOOT_AUTH_BEARER, "s", "https://x.example" OIDC, NULL},
    /* Azure */
    {NULL, AZ "AZURE_OPENAI_API_KEY=k", &fixed, MOOT_AUTH_API_KEY, "k", NULL,
     "https://r.openai.azure.com"},
    {NULL, AZ "AZURE_OPENAI_API_KEY=k AZURE_OPENAI_AD_TOKEN=t", &fixed, MOOT_AUTH_BEARER, "t", NULL,
     NULL},
    {NULL, AZ APP "AZURE_CLIENT_SECRET=s", &entra, MOOT_AUTH_BEARER, "s", ENTRA, NULL},
    {NULL, AZ APP "AZURE_FEDERATED_TOKEN_FILE=@/assertion", &entra, MOOT_AUTH_BEARER, "assertion-1",
     ENTRA, NULL},
    {NULL, AZ APP "AZURE_CLIENT_SECRET=s AZURE_AUTHORITY_HOST=login.example/", &entra,
     MOOT_AUTH_BEARER, "s", "https://login.example/ten/oauth2/v2.0/token", NULL},
    {"type: azure, auth: {type: managed_identity}", AZ, &managed, MOOT_AUTH_BEARER, NULL,
     "http://169.254.169.254", NULL},
    {"type: azure, auth: {type: workload_identity, tenant_id: ten, client_id: app, token_file: "
     "env:A}",
     AZ "A=a", &entra, MOOT_AUTH_BEARER, "a", ENTRA, NULL},
    /* AWS */
    {NULL, AWS "AWS_BEARER_TOKEN_BEDROCK=b", &fixed, MOOT_AUTH_BEARER, "b", NULL,
     "https://bedrock-runtime.eu-west-1.amazonaws.com"},
    {"type: bedrock", AWS KEYS "AWS_BEARER_TOKEN_BEDROCK=b", &fixed, MOOT_AUTH_BEARER, "b", NULL,
     NULL},
    {"type: bedrock", AWS KEYS, &fixed, MOOT_AUTH_SIGV4, "env-secret", NULL, NULL},
    {"type: bedrock", AWS KEYS "AWS_PROFILE=keys", &fixed, MOOT_AUTH_SIGV4, "env-secret", NULL,
     NULL},
    {"type: bedrock, auth: {type: aws, profile: keys}", AWS KEYS, &fixed, MOOT_AUTH_SIGV4,
     "file-key", NULL, NULL},
    {"type: bedrock", "AWS_PROFILE=keys", &fixed, MOOT_AUTH_SIGV4, "file-key", NULL,
     "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"},
    {"type: bedrock", AWS "AWS_PROFILE=process", &exec, MOOT_AUTH_SIGV4, NULL, "get-keys 'a b'",
     NULL},
    {"type: bedrock", AWS "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", &container,
     MOOT_AUTH_SIGV4, NULL, "http://169.254.170.2/v2/x", NULL},
    {"type: bedrock",
     AWS "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/x "
         "AWS_CONTAINER_AUTHORIZATION_TOKEN=a",
     &container, MOOT_AUTH_SIGV4, NULL, "http://127.0.0.1:9/x", NULL},
    {"type: bedrock", AWS, &machine, MOOT_AUTH_SIGV4, NULL, "http://169.254.169.254", NULL},
    {"type: bedrock, base_url: 'http://127.0.0.1:9', auth: {type: aws, region: us-east-2}", KEYS,
     &fixed, MOOT_AUTH_SIGV4, "env-secret", NULL, "http://127.0.0.1:9"},
};

static void each_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_plan *plan;
        struct moot_error_info info;
        if (load(cases[i].provider, cases[i].variables, &plan, &info))
            fail_msg("case %zu: %s", i, info.message);
        const struct moot_provider *provider = &plan->providers[0];
        const struct moot_credential_spec *spec = &provider->credential;
        if (spec->source != *cases[i].source)
            fail_msg("case %zu: %s", i, spec->source ? spec->source->name : "none");
        assert_int_equal(provider->auth, cases[i].auth);
        struct moot_secret *secret = spec->secrets[MOOT_ACCESS_SECRET_KEY].secret
                                         ? spec->secrets[MOOT_ACCESS_SECRET_KEY].secret
                                         : spec->secrets[0].secret;
        if (cases[i].secret)
            assert_view(moot__secret_expose(secret), cases[i].secret);
        if (cases[i].base)
            assert_view(spec->command.len ? spec->command : spec->base, cases[i].base);
        if (cases[i].url)
            assert_view(provider->base_url, cases[i].url);
        assert_true(provider->auth != MOOT_AUTH_SIGV4 || provider->region.len > 0);
        moot_plan_unref(plan);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        for (size_t nth = 1;; nth++) {
            struct moot_failing_alloc memory;
            struct moot_plan *plan;
            struct moot_error_info info;
            moot__failing_alloc_init(&memory, nth);
            allocator = &memory.allocator;
            int rc = load(cases[i].provider, cases[i].variables, &plan, &info);
            allocator = NULL;
            moot_plan_unref(plan);
            assert_int_equal(moot__failing_alloc_live(&memory), 0);
            if (!moot__failing_alloc_failed(&memory))
                break;
            if (rc != MOOT_ENOMEM)
                fail_msg("case %zu, allocation %zu: %d %s", i, nth, rc, info.message);
        }
    }
}

static void each_is_refused_with_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *variables;
        int code;
        const char *says;
    } bad[] = {
        {NULL, DBX, MOOT_ECREDENTIAL, "DATABRICKS_TOKEN is not set"},
        {NULL, DBX "DATABRICKS_USERNAME=u DATABRICKS_PASSWORD=" CANARY, MOOT_ECONFIG, "basic"},
        {NULL, DBX "DATABRICKS_AUTH_TYPE=" CANARY, MOOT_ECONFIG, "supported are pat"},
        {NULL, DBX "DATABRICKS_TOKEN=t DATABRICKS_AUTH_TYPE=oauth-m2m", MOOT_ECREDENTIAL,
         "not everything is set"},
        {NULL, "ANTHROPIC_X=k", MOOT_ECONFIG, "no provider"},
        {"type: azure", AZ, MOOT_ECREDENTIAL, "AZURE_OPENAI_API_KEY is not set"},
        {"type: bedrock", KEYS, MOOT_ECONFIG, "AWS_REGION"},
        {"type: bedrock", AWS "AWS_PROFILE=role", MOOT_ECONFIG, "export-credentials"},
        {"type: bedrock", AWS "AWS_PROFILE=sso", MOOT_ECONFIG, "SSO"},
        {"type: bedrock", AWS "AWS_WEB_IDENTITY_TOKEN_FILE=x", MOOT_ECONFIG, "web identity"},
        {"type: bedrock", AWS "AWS_EC2_METADATA_DISABLED=true", MOOT_ECREDENTIAL, "AWS_PROFILE"},
        {"type: bedrock, auth: {type: aws, profile: none}", AWS KEYS, MOOT_ECREDENTIAL, "~/.aws"},
        {"type: bedrock", AWS "AWS_ACCESS_KEY_ID=a", MOOT_ECREDENTIAL, "AWS_SECRET_ACCESS_KEY"},
        {"type: bedrock", AWS "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.1/x",
         MOOT_EPLAINTEXT, "plain http"},
        {"type: openai, auth: {type: oauth_m2m, client_id: c, client_secret: env:S}", "S=s",
         MOOT_ECONFIG, "'token_url' is missing"},
        {"type: openai, auth: {type: oauth_m2m, client_id: c, token_url: 'http://t.example/', "
         "client_secret: env:S}",
         "S=s", MOOT_EPLAINTEXT, "plain http"},
        {"type: openai, auth: {type: oauth_m2m, client_id: c, token_url: 'https://t.example/', "
         "client_secret: " CANARY "}",
         "", MOOT_ECONFIG, "a literal secret is refused"},
        {"type: openai, auth: {type: oauth_m2m, client_idd: c}", "", MOOT_ECONFIG,
         "did you mean 'client_id'?"},
        {"type: openai, auth: {type: oauth_m2n}", "", MOOT_ECONFIG, "must be bearer, api_key"},
        {"type: openai, auth: {client_id: x}", "", MOOT_ECONFIG, "has no type"},
        {"type: openai, auth: " CANARY, "", MOOT_ECONFIG, "must be a map"},
        {"type: azure, api_key: env:S, auth: {type: managed_identity}", AZ "S=s", MOOT_ECONFIG,
         "two things"},
        {"type: azure, auth: {type: managed_identity, endpoint: 'http://10.0.0.1'}", AZ,
         MOOT_EPLAINTEXT, "plain http"},
        {"type: azure, auth: {type: entra, client_id: c, client_secret: env:S}", AZ "S=s",
         MOOT_ECONFIG, "'tenant_id' is missing"},
    };
    for (size_t i = 0; i < moot__countof(bad); i++) {
        struct moot_plan *plan;
        struct moot_error_info info;
        int rc = load(bad[i].provider, bad[i].variables, &plan, &info);
        if (rc != bad[i].code || !strstr(info.message, bad[i].says))
            fail_msg("case %zu: %d %s", i, rc, info.message);
        assert_null(strstr(info.message, CANARY));
        assert_true(info.line > 0);
    }
}

static void an_account_is_named_in_headers(void **state)
{
    (void)state;
    struct moot_plan *plan;
    struct moot_error_info info;
    assert_int_equal(load("type: openai, headers: {openai-project: mine}",
                          "OPENAI_API_KEY=k OPENAI_ORG_ID=o OPENAI_PROJECT_ID=p", &plan, &info),
                     MOOT_OK);
    const struct moot_provider *provider = &plan->providers[0];
    assert_int_equal(provider->header_count, 2);
    assert_view(provider->headers[0].value, "mine");
    assert_view(provider->headers[1].name, "OpenAI-Organization");
    assert_view(provider->headers[1].value, "o");
    moot_plan_unref(plan);
}

static int set_up(void **state)
{
    (void)state;
    char path[64];
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/.aws", folder);
    if (mkdir(path, 0700) != 0)
        return -1;
    write_file(".databrickscfg", "[DEFAULT]\nhost = https://file.example/\nclient_id = c\n"
                                 "client_secret = file-secret\n"
                                 "[dev]\nhost = https://dev.example\ntoken = dev-token\n");
    write_file(".aws/credentials", "[keys]\naws_access_key_id = AKFILE\n"
                                   "aws_secret_access_key = file-key\n"
                                   "aws_session_token = file-session\n");
    write_file(".aws/config", "[profile keys]\nregion = cn-north-1\n"
                              "[profile process]\ncredential_process = get-keys 'a b'\n"
                              "[profile role]\nrole_arn = arn\nsource_profile = keys\n"
                              "[profile sso]\nsso_session = s\n");
    write_file("assertion", "assertion-1\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {
        ".databrickscfg", ".aws/credentials", ".aws/config", "assertion", ".aws", ""};
    for (size_t i = 0; i < moot__countof(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (remove(path) != 0)
            return -1;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(each_is_refused_with_the_way_out),
        cmocka_unit_test(an_account_is_named_in_headers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
