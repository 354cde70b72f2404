/* The smallest host: read a configuration, make an engine, turn it until it is closed. */
#include <moot.h>
#include <stdio.h>
#include <string.h>

static void on_closed(void *data)
{
    *(bool *)data = true;
}

int main(void)
{
    static const char config[] =
        "models: {oracle: {endpoint: m, instruction: a}, judge: {endpoint: m, instruction: b}}\n"
        "providers: {default: {type: openai, base_url: 'http://127.0.0.1:9'}}\n";
    const struct moot_plan_options what = {
        .size = sizeof what, .path = "host.yaml", .text = {config, strlen(config)}};
    struct moot_error_info why = {0};
    struct moot_plan *plan;
    struct moot_engine *engine;
    if (moot_plan_load(&what, &plan, &why) != 0) {
        fprintf(stderr, "%s\n", why.message);
        return 1;
    }
    const struct moot_engine_options how = {
        .size = sizeof how, .plan = plan, .mode = MOOT_ENGINE_EMBEDDED};
    if (moot_engine_new(&how, &engine, &why) != 0) {
        fprintf(stderr, "%s\n", why.message);
        return 1;
    }
    bool is_closed = false;
    moot_engine_close(engine, on_closed, &is_closed);
    while (!is_closed)
        moot_engine_turn(engine);
    moot_plan_unref(plan);
    printf("moot %s: closed\n", moot_version());
    return 0;
}
