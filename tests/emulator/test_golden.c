/* The recorded wire cases: asked with the recorded bodies, the emulator gives the recorded replies,
 * but for their ids. Cases whose upstream was scripted otherwise are passed over. */
#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "engine/base/json_read.h"

static const char cases_path[] = MOOT_TEST_DATA "/golden/cases.jsonl";

static struct moot_view content_of(const struct moot_json *reply)
{
    const struct moot_json *choice = moot__json_at(moot__json_get(reply, "choices"), 0);
    return moot__json_text(moot__json_get(choice, "message"), "content");
}

static void assert_same_u64(const struct moot_json *a, const struct moot_json *b, const char *key)
{
    uint64_t x = 0, y = 1;
    assert_true(moot__json_u64(moot__json_get(a, key), &x));
    assert_true(moot__json_u64(moot__json_get(b, key), &y));
    assert_int_equal(x, y);
}

static void ask_again(struct client *c, struct moot_arena *arena, const struct moot_json *call)
{
    const struct moot_json *wanted = moot__json_get(call, "reply"), *reply;
    struct moot_view text = content_of(wanted), path, raw;
    struct moot_buf body;
    char *path_text, *raw_text;
    path = moot__json_text(call, "path");
    raw = moot__json_text(call, "raw");
    assert_non_null(path_text = moot__strdup(NULL, path));
    assert_non_null(raw_text = moot__strdup(NULL, raw));
    moot__buf_init(&body, NULL, 1 << 20);
    client_ask(c, path_text, raw_text);
    assert_int_equal(client_body(c, &body), MOOT_OK);
    assert_int_equal(moot__json_read(arena, moot__buf_view(&body), NULL, &reply, NULL), MOOT_OK);
    struct moot_view got = content_of(reply);
    assert_int_equal(got.len, text.len);
    assert_memory_equal(got.ptr, text.ptr, text.len);
    assert_same_u64(reply, wanted, "created");
    const struct moot_json *usage = moot__json_get(reply, "usage");
    const struct moot_json *wanted_usage = moot__json_get(wanted, "usage");
    assert_same_u64(usage, wanted_usage, "prompt_tokens");
    assert_same_u64(usage, wanted_usage, "completion_tokens");
    assert_same_u64(usage, wanted_usage, "total_tokens");
    moot__buf_deinit(&body);
    moot__free(NULL, path_text);
    moot__free(NULL, raw_text);
}

static unsigned ask_case(struct client *c, struct moot_view line)
{
    struct moot_arena arena;
    const struct moot_json *root;
    unsigned asked = 0;
    moot__arena_init(&arena, NULL, 16 << 20);
    assert_int_equal(moot__json_read(&arena, line, NULL, &root, NULL), MOOT_OK);
    const struct moot_json *upstream = moot__json_get(root, "upstream");
    struct moot_view id = moot__json_text(root, "id");
    if (moot__view_is(id, "nasty-reply") || moot__view_is(id, "nasty-both"))
        upstream = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct moot_json *call = moot__json_at(upstream, i);
        if (!moot__view_starts(content_of(moot__json_get(call, "reply")),
                               MOOT_VIEW("Answer from ")))
            continue;
        ask_again(c, &arena, call);
        asked++;
    }
    moot__arena_deinit(&arena);
    return asked;
}

static void recorded_replies_come_again(void **state)
{
    (void)state;
    static char line[1 << 20];
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    unsigned asked = 0;
    options.answer = MOOT_EMULATOR_GOLDEN;
    client_open(&c, &options);
    FILE *file = fopen(cases_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        asked += ask_case(&c, moot__view_trim(moot__view_str(line)));
    fclose(file);
    assert_true(asked >= 40);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recorded_replies_come_again)};
    FILE *file = fopen(cases_path, "r");
    if (!file) {
        printf("skipped: %s is absent\n", cases_path);
        return 77;
    }
    fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
