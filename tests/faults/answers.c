#include "answers.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "tests/support/test.h"

/* The body as it grows, and where in it the byte is that ends the answer. */
struct draft {
    struct answer *answer;
    struct moot_rng *rng;
    const char *end_of_line;
    size_t needed; /* bytes of the body; 0: not yet known */
    bool in_pair;  /* the first half of a surrogate pair was written, the second is due */
    uint32_t second_half;
};

static void put(struct moot_buf *buf, const char *text)
{
    assert_int_equal(moot__buf_append_str(buf, text), MOOT_OK);
}

static size_t below(struct draft *draft, size_t bound)
{
    return (size_t)moot__rng_below(draft->rng, bound);
}

/* --- text ------------------------------------------------------------------------------------ */

static void put_utf8(struct moot_buf *buf, uint32_t c)
{
    char bytes[5] = {0};
    if (c < 0x80) {
        bytes[0] = (char)c;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xC0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xE0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (c & 0x3F));
    } else {
        bytes[0] = (char)(0xF0 | c >> 18);
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (c & 0x3F));
    }
    put(buf, bytes);
}

static void put_escape(struct moot_buf *buf, uint32_t unit)
{
    char text[16];
    snprintf(text, sizeof text, "\\u%04x", (unsigned)unit);
    put(buf, text);
}

static uint32_t draw_character(struct draft *draft)
{
    static const uint32_t some[] = {
        'a',    'Z',    ' ',    '"',     '\\',    '/',      '\n',    '\t',   0x7F,   0xE9,
        0x7FF,  0x800,  0x20AC, 0x4E2D,  0xD7FF,  0xE000,   0xFEFF,  0xFFFD, 0xFFFF, 0x10000,
        0x2028, 0x0301, 0x200D, 0x1F600, 0x1F468, 0x10FFFF, 0x1D11E, 0x5D0,
    };
    return some[below(draft, moot__countof(some))];
}

/* One character into a JSON string, in one of the ways in which JSON can spell it. Of a pair, the
 * first half only, when `may_split`. */
static void put_character(struct draft *draft, uint32_t c, bool may_split)
{
    struct moot_buf *body = &draft->answer->body;
    put_utf8(&draft->answer->text, c);
    bool must_escape = c < 0x20 || c == '"' || c == '\\';
    if (!must_escape && below(draft, 2)) {
        put_utf8(body, c);
    } else if (c < 0x10000) {
        put_escape(body, c);
    } else {
        put_escape(body, 0xD800 + ((c - 0x10000) >> 10));
        draft->second_half = 0xDC00 + ((c - 0x10000) & 0x3FF);
        draft->in_pair = may_split && below(draft, 2);
        if (!draft->in_pair)
            put_escape(body, draft->second_half);
    }
}

/* A piece of the answer; a pair that began in the piece before goes on in this one. */
static void put_piece(struct draft *draft, bool may_split)
{
    if (draft->in_pair)
        put_escape(&draft->answer->body, draft->second_half);
    draft->in_pair = false;
    for (size_t i = below(draft, 6); i > 0 && !draft->in_pair; i--)
        put_character(draft, draw_character(draft), may_split);
}

/* --- bodies ---------------------------------------------------------------------------------- */

static void put_whole(struct draft *draft)
{
    struct moot_buf *body = &draft->answer->body;
    put(body,
        "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":"
        "0,\"message\":{\"role\":\"assistant\",\"content\":\"x");
    put(&draft->answer->text, "x");
    for (size_t i = 1 + below(draft, 8); i > 0; i--)
        put_piece(draft, false);
    put(body, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
              "\"completion_tokens\":2,\"total_tokens\":3}}");
    draft->needed = body->len;
}

static void end_event(struct draft *draft)
{
    put(&draft->answer->body, draft->end_of_line);
    put(&draft->answer->body, draft->end_of_line);
    if (below(draft, 8) == 0) {
        put(&draft->answer->body, ": ping");
        put(&draft->answer->body, draft->end_of_line);
        put(&draft->answer->body, draft->end_of_line);
    }
}

static void begin_event(struct draft *draft)
{
    put(&draft->answer->body, below(draft, 2) ? "data: " : "data:");
}

static void put_delta(struct draft *draft, bool is_last)
{
    struct moot_buf *body = &draft->answer->body;
    begin_event(draft);
    put(body, "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{"
              "\"index\":0,\"delta\":{\"content\":\"");
    put_piece(draft, !is_last);
    put(body, "\"},\"finish_reason\":null}]}");
    end_event(draft);
}

static void put_stream(struct draft *draft)
{
    struct moot_buf *body = &draft->answer->body;
    put(&draft->answer->text, "x");
    begin_event(draft);
    put(body, "{\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
              "\"assistant\",\"content\":\"x\"},\"finish_reason\":null}]}");
    end_event(draft);
    for (size_t i = 1 + below(draft, 8); i > 0; i--)
        put_delta(draft, i == 1);
    begin_event(draft);
    put(body, "{\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},"
              "\"finish_reason\":\"stop\"}]}");
    draft->needed = body->len + 2 * strlen(draft->end_of_line);
    if (strcmp(draft->end_of_line, "\r\n") == 0)
        draft->needed--; /* the CR of an empty line ends the event */
    end_event(draft);
    begin_event(draft);
    put(body, "[DONE]");
    end_event(draft);
}

/* --- the wire -------------------------------------------------------------------------------- */

static void put_chunks(struct draft *draft)
{
    struct answer *answer = draft->answer;
    char size[24];
    for (size_t at = 0, len; at < answer->body.len; at += len) {
        size_t left = answer->body.len - at;
        len = 1 + below(draft, left < 200 ? left : 200);
        snprintf(size, sizeof size, "%zx\r\n", len);
        put(&answer->wire, size);
        if (at < draft->needed && at + len >= draft->needed)
            answer->needed = answer->wire.len + draft->needed - at;
        assert_int_equal(moot__buf_append(&answer->wire, answer->body.data + at, len), MOOT_OK);
        put(&answer->wire, "\r\n");
    }
    put(&answer->wire, "0\r\n\r\n");
    if (!answer->is_stream)
        answer->needed = answer->wire.len; /* a whole answer wants the end of its framing too */
}

static void put_wire(struct draft *draft)
{
    static const char *const framings[] = {"", "Transfer-Encoding: chunked\r\n", ""};
    struct answer *answer = draft->answer;
    char head[256], length[48];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", answer->body.len);
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n%s\r\n",
             answer->is_stream ? "text/event-stream" : "application/json",
             answer->framing == ANSWER_LENGTH ? length : framings[answer->framing]);
    put(&answer->wire, head);
    if (answer->framing == ANSWER_CHUNKED) {
        put_chunks(draft);
        return;
    }
    answer->needed = answer->wire.len + draft->needed;
    assert_int_equal(moot__buf_append_view(&answer->wire, moot__buf_view(&answer->body)), MOOT_OK);
}

void answer_draw(struct answer *answer, struct moot_rng *rng, bool is_stream,
                 enum answer_framing framing)
{
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    *answer = (struct answer){.is_stream = is_stream, .framing = framing};
    moot__buf_init(&answer->text, NULL, 1 << 16);
    moot__buf_init(&answer->body, NULL, 1 << 18);
    moot__buf_init(&answer->wire, NULL, 1 << 19);
    struct draft draft = {.answer = answer, .rng = rng};
    draft.end_of_line = ends[below(&draft, moot__countof(ends))];
    if (is_stream)
        put_stream(&draft);
    else
        put_whole(&draft);
    put_wire(&draft);
    assert_true(answer->needed > 0 && answer->needed <= answer->wire.len);
}

void answer_deinit(struct answer *answer)
{
    moot__buf_deinit(&answer->text);
    moot__buf_deinit(&answer->body);
    moot__buf_deinit(&answer->wire);
}
