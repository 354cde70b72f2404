/* Scenarios of files: configurations, credentials, journals, previews, traces, certificates. */
#include <moot.h>
#include <moot/preview.h>
#include <moot/trace.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/batch/journal.h"
#include "materials.h"
#include "net/tls_mint.h"
#include "torture.h"

/* ---- Configurations ---- */

struct config {
    const char *name, *text;
    int expected;
};

static int load(const char *name, struct moot_plan **out, struct moot_error_info *info)
{
    char path[128];
    materials_path(name, path);
    const struct moot_plan_options options = {
        .size = sizeof options, .allocator = torture_allocator(), .path = path};
    int rc = moot_plan_load(&options, out, info);
    torture_check((rc == MOOT_OK) == (*out != NULL) && rc == info->code, "code %d, %d told", rc,
                  info->code);
    torture_check(rc == MOOT_OK || info->message[0], "no message");
    return rc;
}

static void run_config(const struct torture_scenario *scenario)
{
    const struct config *config = scenario->options;
    struct moot_plan *plan = NULL;
    struct moot_budget *budget = NULL;
    struct moot_error_info info = {0};
    materials_write("key.txt", "a-key-of-16-characters\n", 23);
    materials_write(config->name, config->text, strlen(config->text));
    torture_arm();
    int rc = load(config->name, &plan, &info);
    if (!rc)
        rc = moot_budget_new(torture_allocator(), plan, &budget);
    moot_budget_unref(budget);
    moot_plan_unref(plan);
    torture_disarm();
    torture_ended(rc, config->expected, info.message);
    torture_nothing_left();
}

#define MODELS                                                                                     \
    "models:\n  oracle: {endpoint: a, instruction: Know., temperature: 0.5, max_tokens: 9}\n"      \
    "  judge: {endpoint: b, instruction: Judge.}\n"
#define PROVIDER                                                                                   \
    "providers:\n  default: {type: openai, base_url: 'http://127.0.0.1:9', api_key: file:key.txt," \
    " prices: {'*': {input: 1, output: 2}}}\n"

/* ---- Previews of every kind of row ---- */

struct rows {
    const char *text;
    size_t len; /* 0: up to its end */
};

static void run_preview(const struct torture_scenario *scenario)
{
    const struct rows *rows = scenario->options;
    char path[128];
    struct moot_plan *plan = NULL;
    struct moot_preview preview = {0};
    struct moot_error_info info = {0};
    materials_write("key.txt", "a-key-of-16-characters\n", 23);
    materials_write("c.yaml", MODELS PROVIDER, strlen(MODELS PROVIDER));
    materials_write("rows", rows->text, rows->len ? rows->len : strlen(rows->text));
    torture_check(load("c.yaml", &plan, &info) == MOOT_OK, "no plan");
    materials_path("rows", path);
    const struct moot_preview_options options = {
        .size = sizeof options, .allocator = torture_allocator(), .plan = plan, .path = path};
    torture_arm();
    int rc = moot_preview(&options, &preview, &info);
    torture_disarm();
    torture_ended(rc, MOOT_OK, info.message);
    torture_check(rc || preview.rows == 2 || torture_has_failed(), "%llu rows",
                  (unsigned long long)preview.rows);
    moot_plan_unref(plan);
    torture_nothing_left();
}

/* ---- Journals ---- */

static int append(struct moot_journal *journal, enum moot_journal_log log, const char *id)
{
    char line[128];
    snprintf(line, sizeof line, "{\"id\":\"%s\",\"step\":0,\"text\":\"t\"}\n", id);
    struct moot_journal_entry entry = {
        .log = log, .line = moot__view_str(line), .key = moot__row_key(moot__view_str(id))};
    int rc = moot__journal_append(journal, &entry);
    return rc ? rc : moot__journal_flush(journal);
}

/* Open, rows and calls, sync, finish, close: as the writer does. */
static int keep_journal(const char *first, struct moot_error_info *info, bool *has_first)
{
    char input[128], output[128];
    struct moot_journal journal;
    struct moot_resume resume;
    materials_path("in.jsonl", input);
    materials_path("out.jsonl", output);
    const struct moot_journal_options options = {.allocator = torture_allocator(),
                                                 .input_path = input,
                                                 .output_path = output,
                                                 .config = "c0ffee",
                                                 .wall_s = 1700000000};
    int rc = moot__journal_open(&journal, &options, &resume, info);
    *has_first = rc == MOOT_OK &&
                 moot__id_set_find(&resume.done, moot__row_key(moot__view_str(first))) != NULL;
    if (!rc)
        rc = append(&journal, MOOT_JOURNAL_CALLS, "b");
    if (!rc && !*has_first)
        rc = append(&journal, MOOT_JOURNAL_RESULTS, first);
    if (!rc)
        rc = moot__journal_sync(&journal);
    if (!rc)
        rc = moot__journal_compact_calls(&journal);
    const struct moot_journal_ending ending = {.status = "completed",
                                               .endpoint = "/v1/chat/completions",
                                               .input_path = input,
                                               .input_hash = "",
                                               .wall_s = 1700000001};
    if (!rc)
        rc = moot__journal_finish(&journal, &ending);
    if (rc && journal.error)
        *info = journal.info;
    moot__journal_close(&journal);
    moot__resume_deinit(&resume);
    return rc;
}

/* Whatever failed, the next run goes on, and has each row once. */
static void run_journal(const struct torture_scenario *scenario)
{
    const char *torn = scenario->options;
    struct moot_error_info info = {0};
    bool has_a;
    materials_write("in.jsonl", "{}\n", 3);
    if (torn)
        torture_check(keep_journal("z", &info, &has_a) == MOOT_OK, "no journal: %s", info.message);
    if (torn) { /* a line that a crash cut */
        char path[128];
        materials_path("out.jsonl", path);
        FILE *file = fopen(path, "a");
        torture_check(file && fputs(torn, file) >= 0 && fclose(file) == 0, "not torn");
    }
    torture_arm();
    int rc = keep_journal("a", &info, &has_a);
    torture_disarm();
    torture_ended(rc, MOOT_OK, info.message);
    torture_nothing_left();
    int again = keep_journal("a", &info, &has_a);
    torture_check(again == MOOT_OK, "cannot go on: %s", info.message);
    torture_check(rc || has_a, "the row is not there");
    again = keep_journal("a", &info, &has_a);
    torture_check(again == MOOT_OK && has_a, "the row is lost");
}

/* ---- Traces ---- */

static void run_trace(const struct torture_scenario *scenario)
{
    const char *before = scenario->options;
    char path[128];
    struct moot_trace *trace = NULL;
    struct moot_error_info info = {0};
    materials_path("trace.jsonl", path);
    if (before)
        materials_write("trace.jsonl", before, strlen(before));
    const struct moot_trace_options options = {.size = sizeof options,
                                               .allocator = torture_allocator(),
                                               .path = path,
                                               .mode = MOOT_TRACE_APPEND};
    torture_arm();
    int rc = moot_trace_open(&options, &trace, &info);
    torture_check((rc == MOOT_OK) == (trace != NULL), "code %d", rc);
    moot_trace_close(trace, NULL);
    torture_disarm();
    torture_ended(rc, MOOT_OK, info.message);
    torture_nothing_left();
}

/* ---- Certificates ---- */

static void run_mint(const struct torture_scenario *scenario)
{
    const struct moot_view name = MOOT_VIEW("api.test");
    const struct moot_tls_mint_options options = {
        .names = &name, .name_count = 1, .wall_ns = materials()->wall_ns};
    struct moot_tls_minted minted = {0};
    moot__ignore(scenario == NULL);
    torture_arm();
    int rc = moot__tls_mint(torture_allocator(), &options, &minted);
    torture_check(!rc || !minted.ca_pem, "half a certificate");
    moot__tls_minted_deinit(&minted);
    torture_disarm();
    torture_ended(rc, MOOT_OK, "");
    torture_nothing_left();
}

static size_t slurp(const char *name, char *text, size_t room)
{
    char path[128];
    materials_path(name, path);
    FILE *file = fopen(path, "r");
    torture_check(file, "no %s", path);
    size_t len = fread(text, 1, room - 1, file);
    fclose(file);
    text[len] = '\0';
    return len;
}

static void run_identity(const struct torture_scenario *scenario)
{
    static char certificate[16 << 10], key[16 << 10], ca[16 << 10];
    struct moot_tls_identity *identity = NULL;
    struct moot_tls_trust *trust = NULL;
    struct moot_error_info info = {0};
    moot__ignore(scenario == NULL);
    slurp("certificate.pem", certificate, sizeof certificate);
    slurp("key.pem", key, sizeof key);
    slurp("ca.pem", ca, sizeof ca);
    torture_arm();
    int rc = moot__tls_identity_parse(torture_allocator(), moot__view_str(certificate),
                                      moot__view_str(key), &identity, &info);
    if (!rc)
        rc = moot__tls_trust_parse(torture_allocator(), moot__view_str(ca), &trust, &info);
    torture_check((rc == MOOT_OK) == (trust != NULL), "code %d", rc);
    moot__tls_identity_unref(identity);
    moot__tls_trust_unref(trust);
    torture_disarm();
    /* mbedTLS tries a key in several forms, and forgets why it gave one up. */
    bool is_forgotten = rc == MOOT_ECONFIG && torture_failures_of(TORTURE_MBEDTLS);
    torture_ended(rc, is_forgotten ? rc : MOOT_OK, info.message);
    torture_nothing_left();
}

#define CONFIG(...) run_config, &(const struct config){__VA_ARGS__}, true
#define ROWS(...)   run_preview, &(const struct rows){__VA_ARGS__}, true
#define BODY        "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"

const struct torture_scenario torture_files[] = {
    {"configuration, YAML", CONFIG("c.yaml", MODELS PROVIDER, MOOT_OK)},
    {"configuration, JSON",
     CONFIG("c.json",
            "{\"models\":{\"oracle\":{\"endpoint\":\"a\",\"instruction\":\"I\"}},"
            "\"flow\":[\"oracle\"],\"providers\":{\"default\":{\"type\":\"openai\","
            "\"base_url\":\"http://127.0.0.1:9\",\"api_key\":\"file:key.txt\"}}}",
            MOOT_OK)},
    {"configuration, wrong", CONFIG("c.yaml", MODELS "providers: {default: {}}\n", MOOT_ECONFIG)},
    {"configuration, no key",
     CONFIG("c.yaml",
            MODELS "providers:\n  default: {type: openai, base_url: 'http://127.0.0.1:9',"
                   " api_key: file:nowhere.txt}\n",
            MOOT_ECREDENTIAL)},
    {"rows, OpenAI",
     ROWS("{\"custom_id\":\"a\",\"body\":" BODY "}\n{\"custom_id\":\"b\",\"body\":" BODY "}\n")},
    {"rows, Anthropic", ROWS("{\"custom_id\":\"a\",\"params\":" BODY
                             "}\n{\"custom_id\":\"b\",\"params\":" BODY "}\n")},
    {"rows, Bedrock", ROWS("{\"recordId\":\"A\",\"modelInput\":" BODY
                           "}\n{\"recordId\":\"B\",\"modelInput\":" BODY "}\n")},
    {"rows, MLflow", ROWS("{\"inputs\":{\"question\":\"q\"},\"expectations\":{\"a\":\"4\"}}\n"
                          "{\"inputs\":{\"question\":\"r\"},\"expectations\":{\"a\":\"5\"}}\n")},
    {"rows, plain", ROWS("{\"id\":\"a\",\"question\":\"q\"}\n{\"id\":\"b\",\"question\":\"r\"}\n")},
    {"rows, CSV", ROWS("id,question\n1,\"a \"\"q\"\"\"\n2,r\n")},
    /* {"question":"q"} twice, packed */
    {"rows, gzip",
     ROWS("\037\213\010\000\000\000\000\000\002\377\253\126\052\054\115\055\056\311\314\317"
          "\123\262\122\052\124\252\345\252\106\026\050\002\012\000\000\220\100\325\361\042"
          "\000\000\000",
          43)},
    {"journal", run_journal, NULL, true},
    {"journal, gone on", run_journal, "{\"id\":\"c\",\"ste", true},
    {"trace file", run_trace, NULL, true},
    {"trace file, torn", run_trace, "{\"trace_id\":\"a\"}\n{\"trace_id\":\"b", true},
    {"certificate made", run_mint, NULL, false},
    {"certificate read", run_identity, NULL, false},
    {NULL, NULL, NULL, false},
};
