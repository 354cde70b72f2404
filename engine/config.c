/* From a path or a text to a plan.
 *
 *   file, MLmodel, folder --read--> text --YAML or JSON--> tree --checked--> plan
 *
 * The tree lives in its own arena and goes when the plan is made; the plan keeps copies. A plan
 * that failed half-way is released like a whole one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_read.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"

enum { PATH_BYTES = 4096 };

/* Where a configuration comes from. */
struct source {
    char path[PATH_BYTES];   /* of the file; "" for a text without a name */
    struct moot_view folder; /* of that file, a view into `path`; empty: the current one */
    struct moot_buf text;
};

/* --- reading files --------------------------------------------------------------------------- */

static int io_failed(const char *path, int error, struct moot_error_info *info)
{
    if (error == ENOENT || error == ENOTDIR)
        return moot__fail(info, MOOT_ENOTFOUND, MOOT_PHASE_PREPARE,
                          "%s: there is no such file; name a configuration with -c FILE", path);
    return moot__fail(info, MOOT_EIO, MOOT_PHASE_PREPARE, "%s: cannot be read: %s", path,
                      error == EACCES ? "permission denied" : "input or output failed");
}

static int read_descriptor(int fd, const char *path, struct moot_buf *text,
                           struct moot_error_info *info)
{
    for (;;) {
        size_t room = text->max - text->len;
        size_t step = room < 16384 ? room : 16384;
        if (step == 0)
            return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                              "%s: larger than a configuration may be (%d bytes)", path,
                              MOOT_LIMIT_CONFIG_BYTES);
        if (moot__buf_reserve(text, step))
            return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
        ssize_t got = read(fd, text->data + text->len, step);
        if (got == 0)
            return MOOT_OK;
        if (got > 0)
            text->len += (size_t)got;
        else if (errno != EINTR)
            return io_failed(path, errno, info);
    }
}

static bool append_name(char *path, const char *name)
{
    size_t len = strlen(path), more = strlen(name);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len + more + 2 > PATH_BYTES)
        return false;
    path[len] = '/';
    memcpy(path + len + 1, name, more + 1);
    return true;
}

static void find_folder(struct source *source)
{
    struct moot_view path = moot__view_str(source->path);
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    source->folder = moot__view(path.ptr, slash > 1 ? slash - 1 : slash);
}

static int read_source(struct source *source, struct moot_error_info *info)
{
    struct stat st;
    if (stat(source->path, &st))
        return io_failed(source->path, errno, info);
    if (S_ISDIR(st.st_mode) && !append_name(source->path, "MLmodel"))
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE, "the path is too long");
    find_folder(source);
    int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return io_failed(source->path, errno, info);
    int rc = read_descriptor(fd, source->path, &source->text, info);
    close(fd);
    return rc;
}

/* --- the tree -------------------------------------------------------------------------------- */

/* JSON is recognised by its first character. Flow style YAML begins the same way: what is called
 * .yaml and is no JSON gets its second chance, and its own messages. */
static int read_tree(struct moot_arena *arena, struct moot_view text, const char *file,
                     const struct moot_tree **out, struct moot_error_info *info)
{
    struct moot_view name = moot__view_str(file);
    struct moot_view trimmed = moot__view_trim(text);
    bool is_yaml =
        moot__view_ends(name, MOOT_VIEW(".yaml")) || moot__view_ends(name, MOOT_VIEW(".yml"));
    bool may_be_json = trimmed.len > 0 && (trimmed.ptr[0] == '{' || trimmed.ptr[0] == '[');
    if (moot__view_ends(name, MOOT_VIEW(".json")) || (may_be_json && !is_yaml))
        return moot__tree_read_json(arena, text, file, out, info);
    if (may_be_json) {
        int rc = moot__tree_read_json(arena, text, file, out, info);
        if (rc == MOOT_OK || rc == MOOT_ENOMEM)
            return rc;
    }
    return moot__tree_read_yaml(arena, text, file, out, info);
}

/* An MLmodel file holds the configuration three levels down; its other keys are MLflow's. */
static int find_config(struct moot_config_reader *reader, const struct moot_tree **root)
{
    const struct moot_tree *flavors = moot__tree_get(*root, "flavors");
    if (!flavors || moot__tree_get(*root, "models"))
        return MOOT_OK;
    const struct moot_tree *flavor = moot__tree_get(flavors, "python_function");
    const struct moot_tree *config = moot__tree_get(flavor, "config");
    if (!config || config->type != MOOT_JSON_OBJECT)
        return moot__config_fail_key(reader, MOOT_ECONFIG, flavors,
                                     "this MLmodel holds no flavors.python_function.config; log "
                                     "the model with model_config=..., or name a configuration");
    *root = config;
    return MOOT_OK;
}

static int read_max_errors(struct moot_config_reader *reader, const struct moot_tree *node,
                           struct moot_batch_settings *batch)
{
    if (node && node->type == MOOT_JSON_STRING && moot__view_ends(node->text, MOOT_VIEW("%"))) {
        struct moot_view number = moot__view(node->text.ptr, node->text.len - 1);
        if (!moot__view_to_double(number, &batch->errors_percent) ||
            !(batch->errors_percent > 0 && batch->errors_percent <= 100))
            return moot__config_fail(reader, MOOT_ECONFIG, node,
                                     "'max_errors' must be a number of rows or a share, as 5%%");
        return MOOT_OK;
    }
    return moot__config_quantity(reader, node, &batch->errors_max);
}

static int read_batch(struct moot_config_reader *reader, const struct moot_tree *node)
{
    static moot_words keys = {"row_timeout", "concurrency", "loops", "max_errors",
                              "max_cost",    "stream",      NULL};
    struct moot_batch_settings *batch = &reader->plan->batch;
    if (!node)
        return MOOT_OK;
    int rc = moot__config_check_keys(reader, node, "'batch'", keys);
    if (rc == MOOT_OK)
        rc = moot__config_duration(reader, moot__tree_get(node, "row_timeout"),
                                   &batch->row_timeout_ns);
    if (rc == MOOT_OK)
        rc =
            moot__config_quantity(reader, moot__tree_get(node, "concurrency"), &batch->concurrency);
    if (rc == MOOT_OK)
        rc = moot__config_quantity(reader, moot__tree_get(node, "loops"), &batch->loops);
    if (rc == MOOT_OK)
        rc = read_max_errors(reader, moot__tree_get(node, "max_errors"), batch);
    if (rc == MOOT_OK)
        rc = moot__config_amount(reader, moot__tree_get(node, "max_cost"), &batch->cost_max);
    return rc ? rc : moot__config_bool(reader, moot__tree_get(node, "stream"), &batch->stream);
}

/* --- the plan -------------------------------------------------------------------------------- */

static int warn_of_open_files(struct moot_config_reader *reader)
{
    const struct moot_plan *plan = reader->plan;
    size_t secrets = plan->provider_count * MOOT_ACCESS_PARTS;
    int rc = MOOT_OK;
    for (size_t i = 0; i < secrets && rc == MOOT_OK; i++) {
        const struct moot_credential_spec *spec =
            &plan->providers[i / MOOT_ACCESS_PARTS].credential;
        const struct moot_credential *credential = &spec->secrets[i % MOOT_ACCESS_PARTS];
        if (credential->is_world_readable)
            rc = moot__config_warn(reader, NULL,
                                   "%s: this credential's file can be read by everyone on the "
                                   "machine; run chmod 600 on it",
                                   credential->place);
    }
    return rc;
}

static int read_root(struct moot_config_reader *reader, const struct moot_tree *root)
{
    static moot_words keys = {"models", "configuration", "providers", "flow", "batch", NULL};
    int rc = moot__config_expect(reader, root, MOOT_JSON_OBJECT);
    if (rc == MOOT_OK)
        rc = find_config(reader, &root);
    if (rc == MOOT_OK)
        rc = moot__config_check_keys(reader, root, "the configuration", keys);
    if (rc == MOOT_OK)
        rc = moot__config_read_providers(reader, moot__tree_get(root, "providers"));
    if (rc == MOOT_OK)
        rc = moot__config_read_models(reader, root);
    if (rc == MOOT_OK)
        rc = read_batch(reader, moot__tree_get(root, "batch"));
    if (rc == MOOT_OK)
        rc = warn_of_open_files(reader);
    if (rc == MOOT_OK && moot__plan_compute_fingerprint(reader->plan))
        rc = moot__config_out_of_memory(reader);
    return rc;
}

static int make_plan(const struct moot_plan_options *options, const struct source *source,
                     struct moot_plan **out, struct moot_error_info *info)
{
    const struct moot_tree *tree = NULL;
    struct moot_arena scratch;
    struct moot_plan *plan = moot__calloc(options->allocator, 1, sizeof *plan);
    if (!plan)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
    atomic_init(&plan->refs, 1);
    plan->allocator = options->allocator;
    moot__arena_init(&plan->arena, options->allocator, MOOT_LIMIT_CONFIG_TREE_BYTES);
    moot__arena_init(&scratch, options->allocator, MOOT_LIMIT_CONFIG_TREE_BYTES);
    struct moot_config_reader reader = {
        .plan = plan,
        .file = source->path[0] ? source->path : "configuration",
        .folder = source->folder,
        .environment = {options->environment, options->environment_context},
        .info = info,
    };
    struct moot_view text = options->text.ptr ? options->text : moot__buf_view(&source->text);
    int rc = read_tree(&scratch, text, reader.file, &tree, info);
    if (rc == MOOT_OK)
        rc = read_root(&reader, tree);
    moot__arena_deinit(&scratch);
    if (rc)
        moot_plan_unref(plan);
    else
        *out = plan;
    return rc;
}

int moot_plan_load(const struct moot_plan_options *options, struct moot_plan **out,
                   struct moot_error_info *info)
{
    struct source source = {.path = ""};
    *out = NULL;
    if (options->size < sizeof *options || (!options->path && !options->text.ptr))
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE,
                          "the options need their size, and a path or a text");
    if (options->path && strlen(options->path) >= sizeof source.path)
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE, "the path is too long");
    if (options->path)
        moot__view_copy(moot__view_str(options->path), source.path, sizeof source.path);
    find_folder(&source);
    moot__buf_init(&source.text, options->allocator, MOOT_LIMIT_CONFIG_BYTES + 1);
    int rc = options->text.ptr ? MOOT_OK : read_source(&source, info);
    if (rc == MOOT_OK && options->text.len > MOOT_LIMIT_CONFIG_BYTES)
        rc = moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                        "larger than a configuration may be (%d bytes)", MOOT_LIMIT_CONFIG_BYTES);
    if (rc == MOOT_OK)
        rc = make_plan(options, &source, out, info);
    moot__buf_deinit(&source.text);
    assert((rc == MOOT_OK) == (*out != NULL));
    return rc;
}

struct moot_plan *moot_plan_ref(struct moot_plan *plan)
{
    unsigned before = atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
    assert(before > 0);
    moot__ignore(before);
    return plan;
}

void moot_plan_unref(struct moot_plan *plan)
{
    if (!plan || atomic_fetch_sub_explicit(&plan->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < plan->provider_count; i++)
        moot__credential_spec_deinit(&plan->providers[i].credential);
    moot__arena_deinit(&plan->arena);
    moot__free(plan->allocator, plan);
}

void moot_plan_fingerprint(const struct moot_plan *plan, char out[33])
{
    memcpy(out, plan->fingerprint, sizeof plan->fingerprint);
}

const struct moot_provider *moot__plan_provider(const struct moot_plan *plan, struct moot_view name)
{
    for (size_t i = 0; i < plan->provider_count; i++) {
        if (moot__view_eq(plan->providers[i].name, name))
            return &plan->providers[i];
    }
    return NULL;
}

const struct moot_price *moot__provider_price(const struct moot_provider *provider,
                                              struct moot_view endpoint)
{
    const struct moot_price *any = NULL;
    for (size_t i = 0; i < provider->price_count; i++) {
        if (moot__view_eq(provider->prices[i].endpoint, endpoint))
            return &provider->prices[i];
        if (moot__view_is(provider->prices[i].endpoint, "*"))
            any = &provider->prices[i];
    }
    return any;
}

struct moot_limiter_options moot__provider_quota(const struct moot_provider *provider,
                                                 const struct moot_plan_overrides *overrides)
{
    struct moot_limiter_options quota = provider->quota;
    quota.only_used = provider->dialect->counting.only_used;
    for (size_t i = 0; overrides && i < overrides->quota_count; i++) {
        const struct moot_quota_override *over = &overrides->quotas[i];
        for (unsigned m = 0; moot__view_eq(over->provider, provider->name) && m < MOOT_METERS; m++)
            quota.per_minute[m] = over->per_minute[m] ? over->per_minute[m] : quota.per_minute[m];
    }
    if (overrides && overrides->concurrency)
        quota.concurrency = overrides->concurrency;
    return quota;
}
