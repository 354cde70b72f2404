/* References to secrets, and the secrets. Nothing here puts a value, or what might be one, into a
 * message: a literal key in a configuration is described, not quoted. */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "ini.h"
#include "secret_file.h"

const char *moot__environment_get(const struct moot_environment *environment, const char *name)
{
    if (environment && environment->get)
        return environment->get(environment->context, name);
    return getenv(name);
}

/* --- references ------------------------------------------------------------------------------ */

static bool cut_prefix(struct moot_view text, const char *prefix, struct moot_view *rest)
{
    struct moot_view start = moot__view_str(prefix);
    if (!moot__view_starts(text, start))
        return false;
    *rest = moot__view(text.ptr + start.len, text.len - start.len);
    return true;
}

bool moot__credential_is_reference(struct moot_view text)
{
    struct moot_view rest;
    return cut_prefix(text, "env:", &rest) || cut_prefix(text, "file:", &rest) ||
           cut_prefix(text, "exec:", &rest);
}

static bool is_variable_name(struct moot_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0 && name.len <= 128;
}

static char *join_path(const struct moot_allocator *allocator, struct moot_view folder,
                       struct moot_view path)
{
    if (folder.len == 0 || path.ptr[0] == '/')
        return moot__strdup(allocator, path);
    char *joined = moot__alloc(allocator, folder.len + path.len + 2);
    if (!joined)
        return NULL;
    memcpy(joined, folder.ptr, folder.len);
    joined[folder.len] = '/';
    memcpy(joined + folder.len + 1, path.ptr, path.len);
    joined[folder.len + 1 + path.len] = '\0';
    return joined;
}

static int parse_reference(struct moot_credential *credential, struct moot_view reference,
                           struct moot_view folder, struct moot_error_info *info)
{
    struct moot_view rest;
    if (cut_prefix(reference, "env:", &rest)) {
        if (!is_variable_name(rest))
            return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_CREDENTIAL,
                              "env: must be followed by the name of a variable, "
                              "as in env:OPENAI_API_KEY");
        credential->source = MOOT_CREDENTIAL_ENV;
        credential->place = moot__strdup(credential->allocator, rest);
    } else if (cut_prefix(reference, "file:", &rest)) {
        if (rest.len == 0 || memchr(rest.ptr, '\0', rest.len))
            return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_CREDENTIAL,
                              "file: must be followed by a path, as in file:/run/secrets/openai");
        credential->source = MOOT_CREDENTIAL_FILE;
        credential->place = join_path(credential->allocator, folder, rest);
    } else if (cut_prefix(reference, "exec:", &rest)) {
        return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_CREDENTIAL,
                          "exec: is for a whole credential, and not possible here; use "
                          "env:NAME or file:PATH");
    } else {
        return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_CREDENTIAL,
                          "a literal secret is refused: put it into a variable or a file, "
                          "and write env:NAME or file:PATH here");
    }
    return credential->place
               ? MOOT_OK
               : moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
}

/* --- loading --------------------------------------------------------------------------------- */

/* A header's value: no control characters, or the secret could end the header and begin another. */
static bool is_header_safe(struct moot_view value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

static const char *source_name(const struct moot_credential *credential)
{
    return credential->source == MOOT_CREDENTIAL_ENV ? "variable" : "file";
}

static int accept(struct moot_credential *credential, struct moot_view value,
                  struct moot_secret **out, struct moot_error_info *info)
{
    value = moot__view_trim(value);
    const char *wrong = NULL;
    if (value.len == 0)
        wrong = "is empty";
    else if (value.len > MOOT_LIMIT_SECRET_BYTES)
        wrong = "is too long for a credential";
    else if (!is_header_safe(value))
        wrong = "holds control characters or several lines, which no credential has";
    if (wrong)
        return moot__fail(info, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL, "credential: %s %s %s",
                          source_name(credential), credential->place, wrong);
    *out = moot__secret_new(credential->allocator, value);
    if (!*out)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_CREDENTIAL, "out of memory");
    return MOOT_OK;
}

static int load_variable(struct moot_credential *credential, struct moot_secret **out,
                         struct moot_error_info *info)
{
    const char *value = moot__environment_get(&credential->environment, credential->place);
    if (!value)
        return moot__fail(info, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                          "credential: variable %s is not set; export it, or name another one",
                          credential->place);
    return accept(credential, moot__view_str(value), out, info);
}

static int fail_file(struct moot_credential *credential, int rc, const char *why,
                     struct moot_error_info *info)
{
    if (rc == MOOT_ENOMEM)
        return moot__fail(info, rc, MOOT_PHASE_CREDENTIAL, "out of memory");
    if (rc == MOOT_ELIMIT)
        why = "read: it is too long for a credential";
    return moot__fail(info, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                      "credential: file %s cannot be %s", credential->place, why);
}

static int load_file(struct moot_credential *credential, struct moot_secret **out,
                     struct moot_error_info *info)
{
    struct moot_buf buf;
    bool is_world_readable = false;
    const char *why = NULL;
    moot__buf_init(&buf, credential->allocator, MOOT_LIMIT_SECRET_BYTES + 1);
    int rc = moot__secret_file_read(credential->place, &buf, &is_world_readable, &why);
    rc = rc ? fail_file(credential, rc, why, info)
            : accept(credential, moot__buf_view(&buf), out, info);
    if (rc == MOOT_OK)
        credential->is_world_readable = is_world_readable;
    moot__secret_file_deinit(&buf);
    return rc;
}

/* Of a tool's own file nobody promised that it is for its owner alone; the tool warns. */
static int load_profile(struct moot_credential *credential, struct moot_secret **out,
                        struct moot_error_info *info)
{
    struct moot_buf buf;
    struct moot_view value;
    const char *why = NULL;
    moot__buf_init(&buf, credential->allocator, MOOT_LIMIT_SETTINGS_FILE_BYTES);
    int rc = moot__secret_file_read(credential->place, &buf, NULL, &why);
    if (rc)
        rc = fail_file(credential, rc, why, info);
    else if (moot__ini_get(moot__buf_view(&buf), moot__view_str(credential->section),
                           credential->key, &value))
        rc = accept(credential, value, out, info);
    else
        rc = moot__fail(info, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                        "credential: file %s has no %s in its section [%s]", credential->place,
                        credential->key, credential->section);
    moot__secret_file_deinit(&buf);
    return rc;
}

static int load(struct moot_credential *credential, struct moot_secret **out,
                struct moot_error_info *info)
{
    *out = NULL;
    switch (credential->source) {
    case MOOT_CREDENTIAL_ENV:
        return load_variable(credential, out, info);
    case MOOT_CREDENTIAL_FILE:
        return load_file(credential, out, info);
    case MOOT_CREDENTIAL_PROFILE:
        return load_profile(credential, out, info);
    }
    moot__unreachable();
    return MOOT_EINVAL;
}

int moot__credential_init(struct moot_credential *credential,
                          const struct moot_allocator *allocator, struct moot_view reference,
                          const struct moot_credential_options *options,
                          struct moot_error_info *info)
{
    *credential =
        (struct moot_credential){.allocator = allocator, .environment = options->environment};
    int rc = parse_reference(credential, reference, options->folder, info);
    if (rc == MOOT_OK)
        rc = load(credential, &credential->secret, info);
    if (rc)
        moot__credential_deinit(credential);
    return rc;
}

static char *copy_text(const struct moot_credential *credential, const char *text)
{
    return text ? moot__strdup(credential->allocator, moot__view_str(text)) : NULL;
}

int moot__credential_init_profile(struct moot_credential *credential,
                                  const struct moot_allocator *allocator,
                                  const struct moot_profile_setting *setting,
                                  struct moot_error_info *info)
{
    *credential =
        (struct moot_credential){.allocator = allocator, .source = MOOT_CREDENTIAL_PROFILE};
    credential->place = moot__strdup(allocator, setting->path);
    credential->section = moot__strdup(allocator, setting->section);
    credential->key = setting->key;
    int rc = MOOT_ENOMEM;
    if (credential->place && credential->section)
        rc = load(credential, &credential->secret, info);
    else
        moot__ignore(moot__fail(info, rc, MOOT_PHASE_CREDENTIAL, "out of memory"));
    if (rc)
        moot__credential_deinit(credential);
    return rc;
}

int moot__credential_copy(struct moot_credential *copy, const struct moot_credential *credential)
{
    *copy = *credential;
    copy->place = copy_text(credential, credential->place);
    copy->section = copy_text(credential, credential->section);
    copy->secret = moot__secret_new(credential->allocator, moot__secret_expose(credential->secret));
    if (copy->place && copy->secret && (copy->section || !credential->section))
        return MOOT_OK;
    moot__credential_deinit(copy);
    return MOOT_ENOMEM;
}

void moot__credential_deinit(struct moot_credential *credential)
{
    moot__secret_free(credential->secret);
    moot__free(credential->allocator, credential->place);
    moot__free(credential->allocator, credential->section);
    *credential = (struct moot_credential){0};
}

int moot__credential_refresh(struct moot_credential *credential, struct moot_error_info *info)
{
    struct moot_secret *fresh;
    int rc = load(credential, &fresh, info);
    if (rc)
        return rc;
    if (moot__secret_eq(fresh, credential->secret)) {
        moot__secret_free(fresh);
        return moot__fail(info, MOOT_ENOTFOUND, MOOT_PHASE_CREDENTIAL,
                          "credential: %s %s still holds the value that was refused",
                          source_name(credential), credential->place);
    }
    moot__secret_free(credential->secret);
    credential->secret = fresh;
    return MOOT_OK;
}
