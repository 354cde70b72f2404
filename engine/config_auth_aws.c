/* AWS, in botocore's order: a key for Bedrock alone; keys in the environment, unless a profile was
 * named; the profile's keys or process; the role of a container; that of the machine. What is known
 * and not supported is refused by name, with the way around it.
 * Source: botocore, credentials.py and configprovider.py. */
#include <string.h>

#include "config_auth.h"
#include "token_call.h"

#define EXPORT                                                                                     \
    "is not supported; use api_key: 'exec:aws configure export-credentials --profile NAME "        \
    "--format process'"

/* The profile in its two files. */
struct profile {
    struct moot_settings credentials, config;
};

static int find_profile(struct moot_config_reader *reader, struct moot_view name,
                        struct profile *profile)
{
    *profile = (struct profile){.config = {.path = {"", 0}}};
    const char *said = moot__config_variable(reader, "AWS_PROFILE");
    if (!name.len)
        name = moot__view_str(said ? said : "default");
    if (!moot__arena_copy(&reader->plan->arena, name, &profile->credentials.section))
        return moot__config_out_of_memory(reader);
    const char *const parts[] = {"profile ", profile->credentials.section.ptr, NULL};
    bool is_default = moot__view_is(profile->credentials.section, "default");
    int rc = moot__config_join(reader, parts, &profile->config.section);
    if (is_default) {
        profile->config.fallback = profile->config.section;
        profile->config.section = profile->credentials.section;
    }
    if (rc == MOOT_OK)
        rc = moot__settings_path(reader, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials",
                                 &profile->credentials.path);
    return rc ? rc
              : moot__settings_path(reader, "AWS_CONFIG_FILE", "/.aws/config",
                                    &profile->config.path);
}

int moot__aws_region(struct moot_config_reader *reader, const struct moot_tree *auth,
                     struct moot_view *out)
{
    const struct moot_tree *said = moot__tree_get(auth, "region");
    struct moot_view name = {"", 0};
    struct profile profile;
    *out = (struct moot_view){"", 0};
    int rc = moot__config_text(reader, said, out);
    if (rc == MOOT_OK && out->len)
        return moot__config_resolve(reader, said, out);
    const char *value = moot__config_variable(reader, "AWS_REGION");
    if (!value)
        value = moot__config_variable(reader, "AWS_DEFAULT_REGION");
    if (rc == MOOT_OK && value)
        return moot__arena_copy(&reader->plan->arena, moot__view_str(value), out)
                   ? MOOT_OK
                   : moot__config_out_of_memory(reader);
    if (rc == MOOT_OK)
        rc = moot__config_text(reader, moot__tree_get(auth, "profile"), &name);
    if (rc == MOOT_OK)
        rc = find_profile(reader, name, &profile);
    return rc ? rc : moot__settings_get(reader, &profile.config, "region", out);
}

/* ---- The ways ---- */

static int use_environment_keys(struct moot_config_reader *reader, const struct moot_tree *place,
                                struct moot_provider *provider)
{
    struct moot_credential *secrets = provider->credential.secrets;
    provider->credential.source = &moot__credential_fixed;
    int rc =
        moot__auth_load_variable(reader, place, "AWS_ACCESS_KEY_ID", &secrets[MOOT_ACCESS_KEY_ID]);
    if (rc == MOOT_OK)
        rc = moot__auth_load_variable(reader, place, "AWS_SECRET_ACCESS_KEY",
                                      &secrets[MOOT_ACCESS_SECRET_KEY]);
    if (rc == MOOT_OK && moot__config_variable(reader, "AWS_SESSION_TOKEN"))
        rc = moot__auth_load_variable(reader, place, "AWS_SESSION_TOKEN",
                                      &secrets[MOOT_ACCESS_SESSION_TOKEN]);
    return rc;
}

/* *found: this file has them. */
static int use_profile_keys(struct moot_config_reader *reader, const struct moot_tree *place,
                            const struct moot_settings *file, struct moot_provider *provider,
                            bool *found)
{
    struct moot_credential *secrets = provider->credential.secrets;
    struct moot_view section;
    int rc = moot__settings_find(reader, file, "aws_access_key_id", &section);
    *found = rc == MOOT_OK && section.len;
    if (!*found)
        return rc;
    provider->credential.source = &moot__credential_fixed;
    rc = moot__auth_load_setting(reader, place, file, "aws_access_key_id",
                                 &secrets[MOOT_ACCESS_KEY_ID]);
    if (rc == MOOT_OK)
        rc = moot__auth_load_setting(reader, place, file, "aws_secret_access_key",
                                     &secrets[MOOT_ACCESS_SECRET_KEY]);
    if (rc == MOOT_OK)
        rc = moot__settings_find(reader, file, "aws_session_token", &section);
    if (rc == MOOT_OK && section.len)
        rc = moot__auth_load_setting(reader, place, file, "aws_session_token",
                                     &secrets[MOOT_ACCESS_SESSION_TOKEN]);
    return rc;
}

static int refuse_roles(struct moot_config_reader *reader, const struct moot_tree *place,
                        const struct profile *profile)
{
    struct moot_view role, sso, session;
    int rc = moot__settings_get(reader, &profile->config, "role_arn", &role);
    if (rc == MOOT_OK && !role.len)
        rc = moot__settings_get(reader, &profile->credentials, "role_arn", &role);
    if (rc == MOOT_OK)
        rc = moot__settings_get(reader, &profile->config, "sso_account_id", &sso);
    if (rc == MOOT_OK)
        rc = moot__settings_get(reader, &profile->config, "sso_session", &session);
    if (rc)
        return rc;
    if (role.len)
        return moot__config_fail(reader, MOOT_ECONFIG, place,
                                 "the AWS profile assumes a role, which " EXPORT);
    if (sso.len || session.len)
        return moot__config_fail(reader, MOOT_ECONFIG, place,
                                 "the AWS profile signs in by SSO, which " EXPORT);
    return MOOT_OK;
}

static int use_profile(struct moot_config_reader *reader, const struct moot_tree *place,
                       const struct profile *profile, struct moot_provider *provider, bool *found)
{
    struct moot_view command = {"", 0};
    int rc = refuse_roles(reader, place, profile);
    if (rc == MOOT_OK)
        rc = use_profile_keys(reader, place, &profile->credentials, provider, found);
    if (rc || *found)
        return rc;
    rc = moot__settings_get(reader, &profile->config, "credential_process", &command);
    if (rc == MOOT_OK && !command.len)
        rc = moot__settings_get(reader, &profile->credentials, "credential_process", &command);
    if (rc == MOOT_OK && command.len) {
        *found = true;
        return moot__auth_use_command(reader, place, command, provider);
    }
    return rc ? rc : use_profile_keys(reader, place, &profile->config, provider, found);
}

/* The full address may be that of this machine, of the container services, or https. */
static int use_container(struct moot_config_reader *reader, const struct moot_tree *place,
                         struct moot_provider *provider, const char *relative)
{
    struct moot_credential_spec *spec = &provider->credential;
    const char *full = relative
                           ? "http://169.254.170.2"
                           : moot__config_variable(reader, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *const parts[] = {full, relative ? relative : "", NULL};
    spec->source = &moot__credential_aws_container;
    int rc = moot__config_join(reader, parts, &spec->base);
    if (rc == MOOT_OK)
        rc = moot__auth_set_url(reader, place, provider, true);
    if (rc)
        return rc;
    const char *file = moot__config_variable(reader, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (file) {
        const char *const reference_parts[] = {"file:", file, NULL};
        struct moot_view reference;
        rc = moot__config_join(reader, reference_parts, &reference);
        return rc ? rc : moot__auth_load(reader, place, reference, &spec->secrets[0]);
    }
    if (moot__config_variable(reader, "AWS_CONTAINER_AUTHORIZATION_TOKEN"))
        rc = moot__auth_load_variable(reader, place, "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                      &spec->secrets[0]);
    return rc;
}

static int use_machine(struct moot_config_reader *reader, const struct moot_tree *place,
                       struct moot_provider *provider)
{
    const char *endpoint = moot__config_variable(reader, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *const parts[] = {endpoint ? endpoint : "http://169.254.169.254", NULL};
    const char *disabled = moot__config_variable(reader, "AWS_EC2_METADATA_DISABLED");
    if (disabled && moot__view_eq_nocase(moot__view_str(disabled), MOOT_VIEW("true")))
        return moot__config_fail(reader, MOOT_ECREDENTIAL, place,
                                 "no AWS credentials: set AWS_BEARER_TOKEN_BEDROCK, or "
                                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
    provider->credential.source = &moot__credential_aws_machine;
    int rc = moot__config_join(reader, parts, &provider->credential.base);
    return rc ? rc : moot__auth_set_url(reader, place, provider, true);
}

/* ---- The order ---- */

int moot__auth_use_aws(struct moot_config_reader *reader, const struct moot_tree *place,
                       struct moot_view name, struct moot_provider *provider)
{
    struct profile profile;
    bool found = false;
    provider->auth = MOOT_AUTH_SIGV4;
    if (!name.len && moot__config_variable(reader, "AWS_ACCESS_KEY_ID"))
        return use_environment_keys(reader, place, provider);
    if (!name.len && moot__config_variable(reader, "AWS_WEB_IDENTITY_TOKEN_FILE"))
        return moot__config_fail(reader, MOOT_ECONFIG, place,
                                 "AWS_WEB_IDENTITY_TOKEN_FILE: a web identity " EXPORT);
    int rc = find_profile(reader, name, &profile);
    if (rc == MOOT_OK)
        rc = use_profile(reader, place, &profile, provider, &found);
    if (rc || found)
        return rc;
    if (name.len)
        return moot__config_fail(reader, MOOT_ECREDENTIAL, place,
                                 "the AWS profile has neither keys nor a credential_process, or "
                                 "there is none of that name in ~/.aws");
    const char *relative = moot__config_variable(reader, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    if (relative || moot__config_variable(reader, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return use_container(reader, place, provider, relative);
    return use_machine(reader, place, provider);
}

int moot__auth_chain_aws(struct moot_config_reader *reader, const struct moot_tree *node,
                         struct moot_provider *provider)
{
    static const char variable[] = "AWS_BEARER_TOKEN_BEDROCK";
    if (!moot__config_variable(reader, variable))
        return moot__auth_use_aws(reader, node, (struct moot_view){"", 0}, provider);
    provider->auth = MOOT_AUTH_BEARER;
    provider->credential.source = &moot__credential_fixed;
    return moot__auth_load_variable(reader, node, variable,
                                    &provider->credential.secrets[MOOT_ACCESS_TOKEN]);
}
