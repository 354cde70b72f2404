/* Scenarios in simulation: conversations of every kind, and the provider that answers them. */
#include "stage.h"

#define ANSWER_B "model-b heard: Better please."

#define PLAIN .text = ANSWER_B
#define ONCE(F)                                                                                    \
    {                                                                                              \
        .fault = MOOT_EMULATOR_FAULT_##F, .first = 1, .last = 1                                    \
    }
#define EACH(F)                                                                                    \
    {                                                                                              \
        .fault = MOOT_EMULATOR_FAULT_##F, .rate = 1                                                \
    }
#define TOKENS(status, lifetime_s)                                                                 \
    .proxy = true, .gives_tokens = true,                                                           \
    .proxy_answer = "HTTP/1.1 " status "\r\nContent-Length: 41\r\n\r\n"                            \
                    "{\"access_token\":\"abcd\",\"expires_in\":" lifetime_s "}"
#define NO_RETRY  ", retry: {max_attempts: 1}"
#define ONE_RETRY ", retry: {max_attempts: 2}"

static void cancel_at_tokens(struct stage *stage, const struct moot_event *event)
{
    if (event->type == MOOT_EVENT_TOKENS)
        moot_conversation_cancel(stage->talks[0].conversation);
}

static void cancel_at_wait(struct stage *stage, const struct moot_event *event)
{
    if (event->type == MOOT_EVENT_WAITING)
        moot_conversation_cancel(stage->talks[0].conversation);
}

static void close_at_tokens(struct stage *stage, const struct moot_event *event)
{
    if (event->type == MOOT_EVENT_TOKENS && stage->engine)
        stage_close_engine(stage);
}

static void on_resume(struct moot_timer *timer)
{
    struct stage *stage = moot__container_of(timer, struct stage, timer);
    if (!stage->talks[0].done)
        moot_conversation_resume(stage->talks[0].conversation);
}

static void pause_at_tokens(struct stage *stage, const struct moot_event *event)
{
    if (event->type != MOOT_EVENT_TOKENS || stage->acted)
        return;
    stage->acted = true;
    moot_conversation_pause(stage->talks[0].conversation);
    stage->timer.on_fire = on_resume;
    moot__timer_start(stage->here, &stage->timer, moot__now_ns(stage->here) + MOOT_NS_PER_S);
}

static void pause_at_begin(struct stage *stage, const struct moot_event *event)
{
    if (event->type != MOOT_EVENT_AGENT_BEGAN || stage->acted)
        return;
    stage->acted = true;
    moot_conversation_pause(stage->talks[0].conversation);
    stage->timer.on_fire = on_resume;
    moot__timer_start(stage->here, &stage->timer, moot__now_ns(stage->here) + MOOT_NS_PER_S);
}

#define STAGE(...)                                                                                 \
    stage_run, &(const struct stage_options)                                                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

const struct torture_scenario torture_conversations[] = {
    {"conversation, whole", STAGE(PLAIN), false},
    {"conversation, streamed", STAGE(PLAIN, .stream = true), false},
    {"conversation, OpenAI", STAGE(PLAIN, .type = "openai"), false},
    {"parameters", STAGE(PLAIN, .params = "{\"temperature\":0.5,\"stop\":[\"x\",\"y\"]}"), false},
    {"conversation, gzip", STAGE(PLAIN, .rules = {EACH(GZIP)}), false},
    {"conversation, TLS",
     STAGE(PLAIN, .tls = true, .mbedtls_never = true, .provider_extra = ONE_RETRY), false},
    {"conversation, TLS, streamed",
     STAGE(PLAIN, .tls = true, .stream = true, .provider_extra = NO_RETRY), false},
    {"session resumed",
     STAGE(PLAIN, .tls = true, .mbedtls_later = true, .talks = 2, .in_turn = true, .rest_s = 120,
           .provider_extra = NO_RETRY),
     false},
    {"burst of TLS",
     STAGE(PLAIN, .tls = true, .mbedtls_never = true, .talks = 3, .provider_extra = NO_RETRY),
     false},
    {"proxy",
     STAGE(PLAIN, .tls = true, .mbedtls_never = true, .proxy = true, .provider_extra = ONE_RETRY),
     false},
    {"proxy refuses",
     STAGE(.tls = true, .proxy = true, .provider_extra = NO_RETRY, .expected = MOOT_EPROXY,
           .proxy_answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
     false},
    {"pool reuse", STAGE(PLAIN, .talks = 3, .in_turn = true), false},
    {"four at once, two slots", STAGE(PLAIN, .talks = 4, .concurrency = 2, .stream = true), false},
    {"connection idle too long", STAGE(PLAIN, .talks = 2, .in_turn = true, .rest_s = 120), false},
    {"several addresses", STAGE(PLAIN, .host = "localhost", .addresses = "::1 127.0.0.2 127.0.0.1"),
     false},
    {"429, then an answer", STAGE(PLAIN, .rules = {ONCE(429)}), false},
    {"500, then an answer", STAGE(PLAIN, .rules = {ONCE(500)}, .stream = true), false},
    {"reset, then an answer", STAGE(PLAIN, .rules = {ONCE(RESET_STATUS)}), false},
    {"500, always",
     STAGE(.rules = {EACH(500)}, .expected = MOOT_EPROVIDER, .provider_extra = ONE_RETRY), false},
    {"400", STAGE(.rules = {EACH(400)}, .expected = MOOT_EPROVIDER), false},
    {"401", STAGE(.rules = {EACH(401)}, .expected = MOOT_EAUTH), false},
    {"quota exhausted", STAGE(.type = "openai", .rules = {EACH(QUOTA)}, .expected = MOOT_EQUOTA),
     false},
    {"redirect", STAGE(.rules = {EACH(REDIRECT)}, .expected = MOOT_EREDIRECT), false},
    {"truncated body",
     STAGE(.rules = {EACH(SHORT_BODY)}, .expected = MOOT_ETRUNCATED, .provider_extra = NO_RETRY),
     false},
    {"truncated stream",
     STAGE(.rules = {EACH(NO_FINISH)}, .expected = MOOT_ETRUNCATED, .stream = true), false},
    {"error inside a stream",
     STAGE(.rules = {EACH(ERROR_CHUNK)}, .expected = MOOT_EPROVIDER, .stream = true,
           .provider_extra = NO_RETRY),
     false},
    {"malformed JSON",
     STAGE(.rules = {EACH(BAD_JSON)}, .expected = MOOT_EJSON, .provider_extra = NO_RETRY), false},
    {"web page",
     STAGE(.rules = {EACH(HTML)}, .expected = MOOT_ECONTENT, .provider_extra = NO_RETRY), false},
    {"surrogates split", STAGE(.rules = {EACH(SURROGATES)}, .stream = true), false},
    {"one byte a write", STAGE(PLAIN, .rules = {EACH(SPLIT)}, .stream = true), false},
    {"silence",
     STAGE(.rules = {EACH(STALL_STATUS)}, .expected = MOOT_ETIMEDOUT,
           .provider_extra = NO_RETRY ", timeouts: {first_byte: 5s}"),
     false},
    {"work limit",
     STAGE(.rules = {EACH(STALL_BODY)}, .stream = true, .expected = MOOT_ETIMEDOUT,
           .work_limit_ns = MOOT_NS_PER_S),
     false},
    {"quota waited for", STAGE(PLAIN, .talks = 3, .provider_extra = ", requests_per_minute: 2"),
     false},
    {"cancel at tokens",
     STAGE(.stream = true, .expected = MOOT_ECANCELED, .on_event = cancel_at_tokens), false},
    {"cancel in back-off",
     STAGE(.rules = {EACH(500)}, .expected = MOOT_ECANCELED, .on_event = cancel_at_wait), false},
    {"close at tokens",
     STAGE(.stream = true, .expected = MOOT_ECANCELED, .on_event = close_at_tokens), false},
    {"pause and resume",
     STAGE(PLAIN, .stream = true, .inter_token_ns = 100 * MOOT_NS_PER_MS,
           .on_event = pause_at_tokens),
     false},
    {"trace", STAGE(PLAIN, .stream = true, .trace = true), true},
    {"provider, whole", STAGE(.provider_is_subject = true, .provider_extra = NO_RETRY), false},
    {"provider, streams",
     STAGE(.provider_is_subject = true, .stream = true, .inter_token_ns = 1000,
           .provider_extra = NO_RETRY),
     false},
    {"provider, TLS", STAGE(.provider_is_subject = true, .tls = true, .provider_extra = NO_RETRY),
     false},
    {"provider, faults",
     STAGE(.provider_is_subject = true, .rules = {ONCE(GZIP), ONCE(429)}, .stream = true), false},
    {"token", STAGE(PLAIN, TOKENS("200 OK", "3600"), .talks = 3), false},
    {"token renewed while it is good",
     STAGE(PLAIN, TOKENS("200 OK", " 100"), .whole_ns = MOOT_NS_PER_S,
           .provider_extra = ", requests_per_minute: 1"),
     false},
    {"token refused", STAGE(TOKENS("400 Bad Request", "3600"), .expected = MOOT_ECREDENTIAL),
     false},
    {"token server fails",
     STAGE(TOKENS("503 Service Unavailable", "3600"), .talks = 2, .expected = MOOT_ECREDENTIAL),
     false},
    {"token refused by the provider",
     STAGE(TOKENS("200 OK", "3600"), .rules = {EACH(401)}, .expected = MOOT_EAUTH), false},
    {"slow answer", STAGE(PLAIN, .whole_ns = MOOT_NS_PER_S), false},
    {"long answer, paused", STAGE(.answer_bytes = 512 << 10, .on_event = pause_at_begin), false},
    {"request not read",
     STAGE(.question_bytes = 1 << 20, .rules = {EACH(STALL_ACCEPT)}, .expected = MOOT_ETIMEDOUT,
           .provider_extra = NO_RETRY ", timeouts: {first_byte: 5s}"),
     false},
    {"lookup refused",
     STAGE(.host = "localhost", .lookups_refused = 1, .expected = MOOT_EDNS,
           .provider_extra = NO_RETRY),
     false},
    {"provider, slow",
     STAGE(.provider_is_subject = true, .whole_ns = MOOT_NS_PER_S, .provider_extra = NO_RETRY),
     false},
    {"provider, long answer",
     STAGE(.provider_is_subject = true, .answer_bytes = 512 << 10, .on_event = pause_at_begin),
     false},
    {"provider, cut",
     STAGE(.provider_is_subject = true, .rules = {EACH(CLOSE_BODY)}, .expected = MOOT_ETRUNCATED,
           .provider_extra = NO_RETRY),
     false},
    {NULL, NULL, NULL, false},
};
