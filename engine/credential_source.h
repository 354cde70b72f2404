#ifndef MOOT_CREDENTIAL_SOURCE_H
#define MOOT_CREDENTIAL_SOURCE_H

/* The ways to a credential. A spec is what the configuration says of it, in the plan; a source is
 * the way, a table of two functions; a fetch is one walk along it, with the loop's own means. */
#include "credential_answer.h"
#include "credentials.h"
#include "net/url.h"

struct moot_fetch;
struct moot_pool;

/* When a credential is fetched anew. Of one that lives shortly they are cut: it is used for three
 * quarters of its life at least, and fetched anew in the second half. */
struct moot_credential_margins {
    uint64_t stop_ns;  /* so long before its end it is used no more */
    uint64_t fresh_ns; /* so long before its end it is fetched again, while it is used */
    uint64_t again_ns; /* from one such fetch that failed to the next */
};

struct moot_credential_source_ops {
    const char *name; /* for messages: "the credential process" */
    struct moot_credential_margins margins;
    /* Begin. MOOT_OK, and fetch->on_done will come, once, from the loop; or an error with
     * fetch->error, and it will not. NULL: the secrets are the credential, and read at once. */
    int (*begin)(struct moot_fetch *fetch);
    /* on_done comes with MOOT_ECANCELED, or with what had been reached; soon. */
    void (*cancel)(struct moot_fetch *fetch);
};

enum moot_oauth_style {
    MOOT_OAUTH_BASIC,     /* client and secret in an Authorization header */
    MOOT_OAUTH_FORM,      /* in the form */
    MOOT_OAUTH_ASSERTION, /* the secret is a signed statement */
};

/* Texts live in the plan's arena. */
struct moot_credential_spec {
    const struct moot_credential_source_ops *source; /* NULL: the provider wants no credential */

    /* Of source FIXED the credential itself, by part. Else the first is what is shown to get it: a
     * client's secret, an assertion, an authorization; read again for every fetch. */
    struct moot_credential secrets[MOOT_ACCESS_PARTS];

    struct moot_view command; /* EXEC */
    struct moot_view base;    /* the rest: whom to ask, as text, and parsed into `url` */
    struct moot_url url;
    bool discovers; /* OAUTH: the URL names a document that says where tokens are given */
    enum moot_oauth_style style;
    struct moot_view client_id, scope, resource; /* or empty */
};

/* Copy the secrets for another thread; the texts stay the plan's. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__credential_spec_copy(struct moot_credential_spec *copy,
                                              const struct moot_credential_spec *spec);
void moot__credential_spec_deinit(struct moot_credential_spec *spec); /* safe on a zeroed struct */

/* FIXED: what the secrets hold now. */
struct moot_access moot__credential_spec_access(const struct moot_credential_spec *spec);

struct moot_fetch {
    /* Set by the owner. */
    struct moot_credential_spec *spec; /* the owner's thread's own */
    struct moot_pool *pool;
    struct moot_view proxy; /* for https; or empty */
    uint64_t identity;      /* of the pool's origins, like no provider's */
    void (*on_done)(struct moot_fetch *fetch);

    /* In on_done: MOOT_OK and an answer, which is the owner's then; or an error: MOOT_ECREDENTIAL,
     * `retriable` if it may pass, MOOT_ECANCELED, MOOT_ENOMEM. */
    struct moot_error_info error;
    struct moot_credential_answer answer;

    void *job; /* the source's, while under way */
};

/* For sources. Read what is shown to get a credential anew; a source that cannot be read fails. */
MOOT_NODISCARD int moot__fetch_read_secret(struct moot_fetch *fetch);

/* Take a text for the answer. Returns fetch->error's code. */
int moot__fetch_take_answer(struct moot_fetch *fetch, struct moot_view text, bool may_be_raw);

extern const struct moot_credential_source_ops moot__credential_fixed; /* env:, file:, a profile */
extern const struct moot_credential_source_ops moot__credential_exec;
extern const struct moot_credential_source_ops moot__credential_oauth;         /* Databricks */
extern const struct moot_credential_source_ops moot__credential_entra;         /* OAuth as well */
extern const struct moot_credential_source_ops moot__credential_azure_machine; /* managed */
extern const struct moot_credential_source_ops moot__credential_aws_container;
extern const struct moot_credential_source_ops moot__credential_aws_machine;

#endif
