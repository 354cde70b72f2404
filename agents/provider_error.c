/* Bodies are first searched for four things, wherever a shape keeps them: words that name the
 * error, a number that stands for a status, a text. The status then decides the class, with one
 * table of words for answers whose status says nothing (an error inside a 200) or too little. */
#include "provider_error.h"

#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "document.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

#define NESTING_MAX 6

struct findings {
    struct moot_view code;   /* the most telling word */
    struct moot_view type;   /* a broader word beside it */
    struct moot_view text;   /* for people */
    unsigned status;         /* a number that can only be an HTTP status, or 0 */
    struct moot_view number; /* the `code` as it was written, where it is a number */
};

/* Words, and the status that they amount to. 402 stands for an exhausted quota, which no waiting
 * cures. Sources: the providers' error references. */
static const struct {
    const char *word;
    unsigned status;
} words[] = {
    {"insufficient_quota", 402},
    {"credit_balance_exhausted", 402},
    {"organization_spend_limit_exceeded", 402},
    {"project_spend_limit_exceeded", 402},
    {"organization_usage_limit_exceeded", 402},
    {"enforced_spend_limit_reached", 402},
    {"contract_spend_limit_reached", 402},
    {"billing_hard_limit_reached", 402},
    {"billing_not_active", 402},
    {"billing_error", 402},
    {"rate_limit_exceeded", 429},
    {"rate_limit_error", 429},
    {"rate_limit", 429},
    {"slow_down", 429},
    {"too_many_requests", 429},
    {"request_limit_exceeded", 429},
    {"resource_exhausted", 429},
    {"throttlingexception", 429},
    {"modelnotreadyexception", 429},
    {"servicequotaexceededexception", 402},
    {"unrecognizedclientexception", 401},
    {"expiredtokenexception", 401},
    {"invalidsignatureexception", 401},
    {"signaturedoesnotmatch", 401},
    {"missingauthenticationtokenexception", 401},
    {"incompletesignatureexception", 401},
    {"accessdeniedexception", 403},
    {"validationexception", 400},
    {"conflictexception", 400},
    {"resourcenotfoundexception", 404},
    {"modeltimeoutexception", 408},
    {"modelerrorexception", 424},
    {"modelstreamerrorexception", 500},
    {"internalserverexception", 500},
    {"serviceunavailableexception", 503},
    {"invalid_api_key", 401},
    {"authentication_error", 401},
    {"unauthenticated", 401},
    {"unauthorized", 401},
    {"permission_error", 403},
    {"permission_denied", 403},
    {"forbidden", 403},
    {"invalid_request_error", 400},
    {"invalid_request", 400},
    {"invalid_argument", 400},
    {"invalid_parameter_value", 400},
    {"bad_request", 400},
    {"badrequesterror", 400},
    {"context_length_exceeded", 400},
    {"exceed_context_size_error", 400},
    {"content_policy_violation", 400},
    {"content_filter", 400},
    {"not_found", 404},
    {"not_found_error", 404},
    {"notfounderror", 404},
    {"model_not_found", 404},
    {"endpoint_not_found", 404},
    {"resource_does_not_exist", 404},
    {"aborted", 409},
    {"conflict_error", 409},
    {"request_too_large", 413},
    {"server_error", 500},
    {"internal_error", 500},
    {"internal_server_error", 500},
    {"internalservererror", 500},
    {"api_error", 500},
    {"not_implemented", 501},
    {"unavailable_error", 503},
    {"service_unavailable", 503},
    {"temporarily_unavailable", 503},
    {"deadline_exceeded", 504},
    {"timeout_error", 504},
    {"overloaded_error", 529},
};

static unsigned status_of_word(struct moot_view word)
{
    for (size_t i = 0; i < moot__countof(words); i++) {
        if (moot__view_eq_nocase(word, moot__view_str(words[i].word)))
            return words[i].status;
    }
    return 0;
}

static void keep_first(struct moot_view *kept, struct moot_view found)
{
    if (kept->len == 0)
        *kept = moot__view_trim(found);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void search(const struct moot_json *json, struct findings *found, int depth);

/* `com.amazon.coral#ThrottlingException:http://...` is a ThrottlingException. */
static struct moot_view error_name(struct moot_view type)
{
    type.len = moot__view_find(type, ':', 0);
    for (size_t hash; (hash = moot__view_find(type, '#', 0)) < type.len;)
        type = moot__view(type.ptr + hash + 1, type.len - hash - 1);
    return type;
}

/* Members that name the error, the most telling first. */
static void search_words(const struct moot_json *object, struct findings *found)
{
    static const char *const code_keys[] = {"error_code", "errorCode", "code", "__type"};
    for (size_t i = 0; i < moot__countof(code_keys); i++) {
        const struct moot_json *code = moot__json_get(object, code_keys[i]);
        struct moot_view text = error_name(moot__json_text(object, code_keys[i]));
        uint64_t number;
        if (moot__json_u64(code, &number) || moot__view_to_u64(text, &number)) {
            keep_first(&found->number, code->text); /* some write it as text */
            if (found->status == 0 && number >= 400 && number <= 599)
                found->status = (unsigned)number;
        } else {
            keep_first(&found->code, text);
        }
    }
    static const char *const type_keys[] = {"status", "error_type", "type", "provider_code"};
    for (size_t i = 0; i < moot__countof(type_keys); i++) {
        struct moot_view type = moot__json_text(object, type_keys[i]);
        if (!moot__view_is(type, "error"))
            keep_first(found->type.len ? &found->code : &found->type, type);
    }
}

static void search_texts(const struct moot_json *object, struct findings *found)
{
    static const char *const keys[] = {"message",      "Message", "error_description",
                                       "errorSummary", "msg",     "detail"};
    for (size_t i = 0; i < moot__countof(keys); i++)
        keep_first(&found->text, moot__json_text(object, keys[i]));
}

static void search_object(const struct moot_json *object, struct findings *found, int depth)
{
    const struct moot_json *error = moot__json_get(object, "error");
    if (moot__json_is_string(error)) {
        bool beside_text = moot__json_get(object, "error_description") != NULL ||
                           moot__json_get(object, "message") != NULL;
        keep_first(beside_text ? &found->code : &found->text, error->text);
    } else {
        search(error, found, depth);
    }
    search_words(object, found);
    search_texts(object, found);
    static const char *const nested[] = {"detail", "details", "metadata", "x_groq", "choices"};
    for (size_t i = 0; i < moot__countof(nested); i++) {
        const struct moot_json *inner = moot__json_get(object, nested[i]);
        if (!moot__json_is_string(inner))
            search(inner, found, depth);
    }
}

/* Errors nest in errors; whatever an outer level has not said, an inner one may. */
static void search(const struct moot_json *json, struct findings *found, int depth)
{
    if (!json || depth >= NESTING_MAX)
        return;
    if (moot__json_is_string(json))
        keep_first(&found->text, json->text);
    else if (moot__json_is_array(json))
        search(json->child, found, depth + 1);
    else if (moot__json_is_object(json))
        search_object(json, found, depth + 1);
}

/* An `error` member that says something: not null, false, "" or a number. */
static bool has_error_member(const struct moot_json *object)
{
    const struct moot_json *error = moot__json_get(object, "error");
    return moot__json_is_object(error) || moot__json_is_array(error) ||
           (moot__json_is_string(error) && error->text.len > 0);
}

bool moot__provider_error_in(const struct moot_json *root)
{
    if (moot__json_is_array(root))
        root = root->child;
    if (!moot__json_is_object(root))
        return false;
    if (has_error_member(root) || moot__json_text(root, "error_code").len > 0 ||
        moot__json_text(root, "errorCode").len > 0)
        return true;
    if (moot__view_is(moot__json_text(root, "object"), "error") ||
        moot__view_is(moot__json_text(root, "type"), "error"))
        return true;
    const struct moot_json *choices = moot__json_get(root, "choices");
    if (has_error_member(moot__json_get(root, "x_groq")) ||
        has_error_member(moot__json_at(choices, 0)))
        return true;
    return !choices && moot__json_get(root, "detail") != NULL;
}

/* ---- Text ---------------------------------------------------------------------------------- */

static size_t find_nocase(struct moot_view text, const char *what, size_t from)
{
    size_t len = strlen(what);
    for (size_t i = from; i + len <= text.len; i++) {
        if (moot__view_eq_nocase(moot__view(text.ptr + i, len), moot__view_str(what)))
            return i;
    }
    return text.len;
}

/* What a browser would show of an error page: its <pre>, or its title. */
static struct moot_view text_of_html(struct moot_view html)
{
    static const char *const elements[][2] = {{"<pre", "</pre"}, {"<title", "</title"}};
    for (size_t i = 0; i < moot__countof(elements); i++) {
        size_t open = find_nocase(html, elements[i][0], 0);
        size_t begin = moot__view_find(html, '>', open) + 1;
        if (open == html.len || begin > html.len)
            continue;
        size_t end = find_nocase(html, elements[i][1], begin);
        return moot__view(html.ptr + begin, end - begin);
    }
    return html;
}

/* `REQUEST_LIMIT_EXCEEDED: Too many requests`. */
static void split_code(struct moot_view text, struct findings *found)
{
    size_t colon = moot__view_find(text, ':', 0);
    bool is_code = colon > 2 && colon < text.len && colon < 64;
    for (size_t i = 0; is_code && i < colon; i++) {
        char c = text.ptr[i];
        is_code = (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9');
    }
    if (is_code) {
        keep_first(&found->code, moot__view(text.ptr, colon));
        text = moot__view(text.ptr + colon + 1, text.len - colon - 1);
    }
    keep_first(&found->text, text);
}

static void search_text(struct moot_view body, struct findings *found)
{
    struct moot_view text = moot__view_trim(body);
    if (text.len > 0 && text.ptr[0] == '<')
        text = moot__view_trim(text_of_html(text));
    split_code(text, found);
}

/* ---- The verdict --------------------------------------------------------------------------- */

/* Text for a terminal or a log line: whole characters, no line ends, no control characters. */
static void clean(struct moot_view text, char *out, size_t size)
{
    size_t n = 0;
    while (text.len > 0) {
        size_t bad = 0;
        size_t good = moot__utf8_scan(text, &bad);
        for (size_t i = 0; i < good && n + 1 < size; i++) {
            unsigned char c = (unsigned char)text.ptr[i];
            if (c == '\n' || c == '\r' || c == '\t')
                out[n++] = ' ';
            else if (c >= 0x20 && c != 0x7F)
                out[n++] = (char)c;
            else if (n + 6 < size)
                n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
        }
        if (bad > 0 && n + 1 < size)
            out[n++] = '?';
        if (n + 1 >= size)
            break;
        text = moot__view(text.ptr + good + bad, text.len - good - bad);
    }
    moot__view_copy(moot__view(out, n), out, size);
}

/* The status that the error amounts to: the real one if it is one, else what the body says. */
static unsigned effective_status(unsigned status, const struct findings *found)
{
    unsigned by_code = status_of_word(found->code);
    unsigned by_type = status_of_word(found->type);
    if (by_code == 402 || by_type == 402)
        return 402;
    if ((status < 400 || status >= 500) && (by_code == 429 || by_type == 429))
        return 429;
    if (status >= 400)
        return status;
    if (found->status != 0)
        return found->status;
    return by_code ? by_code : by_type ? by_type : 500;
}

static int code_of_status(unsigned status)
{
    switch (status) {
    case 402:
        return MOOT_EQUOTA;
    case 429:
        return MOOT_ETHROTTLED;
    case 401:
    case 403:
        return MOOT_EAUTH;
    default:
        return MOOT_EPROVIDER;
    }
}

static bool is_retriable(unsigned status)
{
    if (status == 408 || status == 409 || status == 424 || status == 425 || status == 429)
        return true;
    return status >= 500 && status != 501 && status != 505;
}

static int judge(unsigned status, const struct findings *found, struct moot_error_info *info)
{
    unsigned effective = effective_status(status, found);
    int code = code_of_status(effective);
    if (!info)
        return code;

    struct moot_view word = found->code.len   ? found->code
                            : found->type.len ? found->type
                                              : found->number;
    char provider_code[sizeof(info->provider_code)];
    char text[sizeof(info->message)];
    clean(word, provider_code, sizeof(provider_code));
    clean(found->text, text, sizeof(text));
    if (text[0] == '\0')
        moot__view_copy(MOOT_VIEW("no message"), text, sizeof(text));

    const char *gap = provider_code[0] ? " " : "";
    if (status >= 200 && status <= 299)
        moot__ignore(moot__fail(info, code, MOOT_PHASE_BODY, "error in the answer:%s%s: %s", gap,
                                provider_code, text));
    else
        moot__ignore(moot__fail(info, code, MOOT_PHASE_BODY, "HTTP %u%s%s: %s", status, gap,
                                provider_code, text));
    info->http_status = (int)status;
    info->retriable = is_retriable(effective);
    moot__view_copy(moot__view_str(provider_code), info->provider_code,
                    sizeof(info->provider_code));
    return code;
}

int moot__provider_error_read_json(unsigned status, const struct moot_json *root,
                                   struct moot_error_info *info)
{
    struct findings found = {0};
    search(root, &found, 0);
    return judge(status, &found, info);
}

int moot__provider_error_read(const struct moot_refusal *refusal,
                              const struct moot_allocator *allocator, struct moot_error_info *info)
{
    struct moot_view body = refusal->body;
    if (body.len > MOOT_LIMIT_HTTP_ERROR_BODY_BYTES)
        body.len = MOOT_LIMIT_HTTP_ERROR_BODY_BYTES;
    struct moot_arena arena;
    moot__arena_init(&arena, allocator, MOOT_LIMIT_JSON_TREE_BYTES);
    const struct moot_json *root = NULL;
    struct findings found = {0};
    if (moot__document_read(&arena, moot__view_trim(body), &root, NULL) == MOOT_OK)
        search(root, &found, 0);
    if (found.text.len == 0 && found.code.len == 0 && found.type.len == 0)
        search_text(body, &found);
    if (refusal->type.len)
        found.code = error_name(refusal->type);
    int code = judge(refusal->status, &found, info);
    moot__arena_deinit(&arena);
    return code;
}
