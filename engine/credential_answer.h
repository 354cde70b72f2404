#ifndef MOOT_CREDENTIAL_ANSWER_H
#define MOOT_CREDENTIAL_ANSWER_H

/* What token servers and credential processes say, in the shapes that are known:
 *
 *   OAuth                {"access_token": T, "expires_in": S}    also of managed identities, where
 *                        numbers are texts and expires_on is Unix time; `expiry` as the Databricks
 *                        CLI writes it
 *   AWS                  {"Version": 1, "AccessKeyId", "SecretAccessKey", "SessionToken",
 *                        "Expiration"}; of containers and machines without Version, and Token
 *   Kubernetes           {"kind": "ExecCredential", "status": {"token", "expirationTimestamp"}}
 *   Azure CLI            {"accessToken": T, "expires_on": UNIX}; older ones say expiresOn alone, in
 *                        an unnamed time zone: believed for five minutes
 *   a token              one line, where that is allowed
 *
 * Pure, but for memory; any thread. */
#include <moot/error.h>

#include "access.h"
#include "engine/base/view.h"

struct moot_credential_answer {
    struct moot_access access; /* the caller's; moot__access_deinit */
    uint64_t lifetime_ns;      /* from now on; MOOT_NEVER_NS: it was not said, or does not end */
};

struct moot_credential_answer_options {
    const struct moot_allocator *allocator;
    int64_t wall_s;  /* Unix time, from which dates are counted */
    bool may_be_raw; /* a token on a line of its own is one */
    const char *who; /* for messages: "the credential process", "the token server" */
};

/* MOOT_ECREDENTIAL (nothing that is known, a part is missing, no header may carry it, too long, it
 * has expired already), MOOT_ENOMEM. No message quotes the answer. On failure the answer is zeroed.
 */
MOOT_NODISCARD int
moot__credential_answer_read(struct moot_view text,
                             const struct moot_credential_answer_options *options,
                             struct moot_credential_answer *answer, struct moot_error_info *info);

/* What a server says that refuses: {"error", "error_description"} of OAuth, {"errorCode",
 * "errorSummary"}, AWS's {"Code"|"code", "Message"|"message"}. Its words, cut and on one line, or
 * "" if there are none. It may quote what it was sent: mask it. */
void moot__credential_answer_refusal(struct moot_view text, const struct moot_allocator *allocator,
                                     char *out, size_t size);

#endif
