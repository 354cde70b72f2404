#include "speaker.h"

#include <string.h>

#include "cli.h"

static void begin(struct cli_speaker *speaker, const struct moot_event *event)
{
    bool is_last = event->agent + 1 == speaker->steps;
    bool has_terminal = cli_is_terminal(stderr);
    FILE *headings = speaker->headings ? speaker->headings : stderr;
    speaker->to = is_last || speaker->show_all ? stdout : has_terminal ? stderr : NULL;
    speaker->to_terminal = speaker->to && cli_is_terminal(speaker->to);
    speaker->has_spoken = false;
    speaker->last = '\n';
    if (!has_terminal && !speaker->show_all)
        return;
    fflush(stdout);
    fprintf(headings, "%s%s[", event->agent ? "\n" : "", cli_dim(headings));
    cli_print_text(headings, event->role, cli_is_terminal(headings));
    fprintf(headings, "]%s\n", cli_plain(headings));
}

static void speak(struct cli_speaker *speaker, struct moot_view text)
{
    if (!speaker->to || text.len == 0)
        return;
    bool is_aside = speaker->to == stderr;
    fputs(is_aside ? cli_dim(stderr) : "", speaker->to);
    cli_print_text(speaker->to, text, speaker->to_terminal);
    fputs(is_aside ? cli_plain(stderr) : "", speaker->to);
    fflush(speaker->to);
    speaker->has_spoken = true;
    speaker->last = text.ptr[text.len - 1];
}

void cli_speaker_finish(struct cli_speaker *speaker)
{
    if (speaker->to && speaker->has_spoken && speaker->last != '\n')
        fputc('\n', speaker->to);
    if (speaker->to)
        fflush(speaker->to);
    speaker->last = '\n';
}

static void tell_retry(const struct moot_event *event)
{
    char span[CLI_SHOWN_BYTES];
    const char *why =
        event->error->message[0] ? event->error->message : moot_error_text(event->error->code);
    cli_error("%.*s: %s; trying again in %s", (int)event->role.len, event->role.ptr, why,
              cli_show_span(event->until_ns, span));
}

void cli_speaker_event(struct cli_speaker *speaker, const struct moot_event *event)
{
    if (speaker->is_quiet)
        return;
    switch (event->type) {
    case MOOT_EVENT_AGENT_BEGAN:
        begin(speaker, event);
        break;
    case MOOT_EVENT_TOKENS:
        speak(speaker, event->text);
        break;
    case MOOT_EVENT_RETRY:
        tell_retry(event);
        break;
    case MOOT_EVENT_AGENT_FINISHED:
        if (!speaker->has_spoken)
            speak(speaker, event->reply->text); /* it came in one piece */
        cli_speaker_finish(speaker);
        break;
    case MOOT_EVENT_WAITING:
        break; /* a retry was told already; a slot and quota are short at one conversation */
    }
}

/* --- the outcome ----------------------------------------------------------------------------- */

static void write_usage(struct cli_json *json, const struct moot_usage *usage)
{
    if (!usage->known)
        return;
    cli_json_begin(json, "usage");
    cli_json_u64(json, "prompt_tokens", usage->input_tokens);
    cli_json_u64(json, "completion_tokens", usage->output_tokens);
    cli_json_u64(json, "total_tokens", usage->total_tokens);
    cli_json_end(json);
}

static void write_error(struct cli_json *json, const struct moot_error_info *error)
{
    cli_json_begin(json, "error");
    cli_json_string(
        json, "code",
        (struct moot_view){moot_error_name(error->code), strlen(moot_error_name(error->code))});
    const char *error_class = moot_error_class_name(moot_error_class(error->code));
    cli_json_string(json, "class", (struct moot_view){error_class, strlen(error_class)});
    cli_json_string(json, "message", (struct moot_view){error->message, strlen(error->message)});
    if (error->http_status)
        cli_json_u64(json, "http_status", (uint64_t)error->http_status);
    cli_json_bool(json, "retriable", error->retriable);
    cli_json_end(json);
}

void cli_outcome_json(const struct moot_outcome *outcome)
{
    struct cli_json json = {.out = stdout};
    cli_json_begin(&json, NULL);
    cli_json_string(&json, "text", outcome->text);
    cli_json_string(&json, "model", outcome->model);
    cli_json_string(&json, "finish_reason", outcome->finish_reason);
    write_usage(&json, &outcome->usage);
    if (outcome->cost > 0)
        cli_json_double(&json, "cost", outcome->cost);
    cli_json_u64(&json, "took_ms", (outcome->ended_wall_ns - outcome->began_wall_ns) / 1000000);
    cli_json_u64(&json, "waited_ms", outcome->waited_ns / 1000000);
    cli_json_bool(&json, "possible_duplicate", outcome->possible_duplicate);
    cli_json_list_begin(&json, "roles");
    for (size_t i = 0; i < outcome->reply_count; i++) {
        const struct moot_agent_reply *reply = &outcome->replies[i];
        cli_json_begin(&json, NULL);
        cli_json_string(&json, "role", reply->role);
        cli_json_string(&json, "endpoint", reply->endpoint);
        cli_json_string(&json, "text", reply->text);
        cli_json_string(&json, "finish_reason", reply->finish_reason);
        write_usage(&json, &reply->usage);
        cli_json_u64(&json, "attempts", reply->attempts);
        cli_json_end(&json);
    }
    cli_json_list_end(&json);
    if (outcome->error.code != MOOT_OK)
        write_error(&json, &outcome->error);
    cli_json_end(&json);
    cli_json_line(&json);
}

void cli_outcome_error(const struct moot_outcome *outcome)
{
    const struct moot_error_info *error = &outcome->error;
    const char *text = moot_error_text(error->code);
    if (error->message[0])
        cli_error("no answer: %s (%s)", error->message, text);
    else
        cli_error("no answer: %s", text);
    if (error->possible_duplicate || outcome->possible_duplicate)
        cli_error("a request went out and no answer came; it may have been billed");
}
