#ifndef MOOT_CONFIG_AUTH_H
#define MOOT_CONFIG_AUTH_H

/* From `api_key`, `auth` or the environment to a provider's credential: for the files
 * config_auth*.c, one a family of providers. The order in which the environment is asked is that of
 * the provider's own SDK. No message quotes a value. */
#include "config_read.h"

/* A tool's file of settings; an empty path: it is not asked. */
struct moot_settings {
    struct moot_view path;
    struct moot_view section;
    struct moot_view fallback; /* what the section does not say; or empty */
};

/* One setting as a text of the plan; empty if it is not there, or the file is not. */
MOOT_NODISCARD int moot__settings_get(struct moot_config_reader *reader,
                                      const struct moot_settings *settings, const char *key,
                                      struct moot_view *out);

/* Which section of it says this; empty: none. As moot__settings_get. */
MOOT_NODISCARD int moot__settings_find(struct moot_config_reader *reader,
                                       const struct moot_settings *settings, const char *key,
                                       struct moot_view *section);

/* A path below the home folder, unless the variable names another one. Empty: there is no home. */
MOOT_NODISCARD int moot__settings_path(struct moot_config_reader *reader, const char *variable,
                                       const char *below_home, struct moot_view *out);

/* A variable that is set to something; or NULL. Valid until the next look. */
const char *moot__config_variable(const struct moot_config_reader *reader, const char *name);

/* A text of the plan from the parts, the last of them NULL. */
MOOT_NODISCARD int moot__config_join(struct moot_config_reader *reader, const char *const *parts,
                                     struct moot_view *out);

/* Turn "env:NAME" into its value; other texts stay. */
MOOT_NODISCARD int moot__config_resolve(struct moot_config_reader *reader,
                                        const struct moot_tree *node, struct moot_view *text);

/* Load one of the provider's secrets: from a reference, a variable, a setting. */
MOOT_NODISCARD int moot__auth_load(struct moot_config_reader *reader, const struct moot_tree *place,
                                   struct moot_view reference, struct moot_credential *out);
MOOT_NODISCARD int moot__auth_load_variable(struct moot_config_reader *reader,
                                            const struct moot_tree *place, const char *name,
                                            struct moot_credential *out);
MOOT_NODISCARD int moot__auth_load_setting(struct moot_config_reader *reader,
                                           const struct moot_tree *place,
                                           const struct moot_settings *settings, const char *key,
                                           struct moot_credential *out);

/* The credential is the output of this command. */
MOOT_NODISCARD int moot__auth_use_command(struct moot_config_reader *reader,
                                          const struct moot_tree *place, struct moot_view command,
                                          struct moot_provider *provider);

/* Check spec->base and parse it: https, or http where nothing can listen in: this machine, and,
 * `may_be_machine`, the addresses of token_call.h; or where the provider says allow_http. */
MOOT_NODISCARD int moot__auth_set_url(struct moot_config_reader *reader,
                                      const struct moot_tree *place, struct moot_provider *provider,
                                      bool may_be_machine);

/* config_auth_azure.c. The scope of this surface and host; its resource is without "/.default". */
struct moot_view moot__azure_scope(const struct moot_provider *provider);
MOOT_NODISCARD int moot__auth_use_entra(struct moot_config_reader *reader,
                                        const struct moot_tree *place,
                                        struct moot_provider *provider, struct moot_view tenant,
                                        struct moot_view authority);

/* The chains: from the environment, `node` being the provider. MOOT_ENOTFOUND: it says nothing. */
MOOT_NODISCARD int moot__auth_chain_databricks(struct moot_config_reader *reader,
                                               const struct moot_tree *node,
                                               struct moot_provider *provider);
MOOT_NODISCARD int moot__auth_chain_azure(struct moot_config_reader *reader,
                                          const struct moot_tree *node,
                                          struct moot_provider *provider);
MOOT_NODISCARD int moot__auth_chain_aws(struct moot_config_reader *reader,
                                        const struct moot_tree *node,
                                        struct moot_provider *provider);

/* `auth: {type: aws}`; and which region a Bedrock provider has: empty if nobody says. */
MOOT_NODISCARD int moot__auth_use_aws(struct moot_config_reader *reader,
                                      const struct moot_tree *place, struct moot_view profile,
                                      struct moot_provider *provider);
MOOT_NODISCARD int moot__aws_region(struct moot_config_reader *reader, const struct moot_tree *auth,
                                    struct moot_view *out);

/* Databricks' file, if it is to be asked. */
MOOT_NODISCARD int moot__databricks_settings(struct moot_config_reader *reader,
                                             struct moot_settings *settings);

/* config_auth.c: `api_key`, `auth`, or the chain of the provider's type. `url_variable`: the
 * address came from there, or from nowhere, so that the environment's secrets belong to it. */
MOOT_NODISCARD int moot__config_read_auth(struct moot_config_reader *reader,
                                          const struct moot_tree *node,
                                          struct moot_provider *provider, bool is_of_environment);

#endif
