#ifndef MOOT_EMULATOR_FAULTS_H
#define MOOT_EMULATOR_FAULTS_H

/* Everything that the emulator can do wrong, in one list: enumerator, name, act, place, status,
 * what the client sees. The names are those of `moot mock --fault NAME:RATE` and of the ledger.
 *
 * The act says who carries a fault out:
 *   status   another status and error body instead of the answer; nothing is billed
 *   close    the connection ends at the place with a FIN
 *   reset    the connection ends at the place with an RST
 *   stall    nothing more is read or written from the place on; the client must give up
 *   body     the answer is well framed, but its content is wrong
 *   stream   the same, of an event stream only; a whole answer is left as it is
 *   wire     the content is right, but its framing or timing is not
 *
 * Places: accept (before a byte was read; drawn once a connection), request (its head was read, its
 * body was not), status (before the status line), in_head (half of the response head), head (after
 * it), body (half of the whole body, or of the tokens), end (before the last event or byte). */
#define MOOT_EMULATOR_FAULT_MAP(X)                                                                 \
    X(400, "400", STATUS, NONE, 400, "400 with the surface's own error body")                      \
    X(401, "401", STATUS, NONE, 401, "401, the key is refused")                                    \
    X(403, "403", STATUS, NONE, 403, "403, the key may not use the model")                         \
    X(404, "404", STATUS, NONE, 404, "404, there is no such model")                                \
    X(408, "408", STATUS, NONE, 408, "408, the request took too long")                             \
    X(409, "409", STATUS, NONE, 409, "409, a conflict")                                            \
    X(413, "413", STATUS, NONE, 413, "413, the request is too large")                              \
    X(422, "422", STATUS, NONE, 422, "422, the request cannot be processed")                       \
    X(429, "429", STATUS, NONE, 429, "429 with the rule's hint")                                   \
    X(QUOTA, "quota-exhausted", STATUS, NONE, 429, "429 that no wait will heal")                   \
    X(SLOW_DOWN, "slow-down", STATUS, NONE, 429, "429 asking for a slower ramp")                   \
    X(500, "500", STATUS, NONE, 500, "500 with the surface's own error body")                      \
    X(502, "502", STATUS, NONE, 502, "502 with a proxy's HTML page")                               \
    X(503, "503", STATUS, NONE, 503, "503 with the rule's hint")                                   \
    X(504, "504", STATUS, NONE, 504, "504 with a proxy's HTML page")                               \
    X(529, "529", STATUS, NONE, 529, "529, overloaded, with the rule's hint")                      \
    X(REDIRECT, "redirect", STATUS, NONE, 302, "302 to another origin")                            \
    X(ERROR_TEXT, "error-text", STATUS, NONE, 500, "500 with a line of plain text")                \
    X(ERROR_EMPTY, "error-empty", STATUS, NONE, 500, "500 with an empty body")                     \
    X(CLOSE_ACCEPT, "close-accept", CLOSE, ACCEPT, 0, "FIN before a byte was read")                \
    X(CLOSE_REQUEST, "close-request", CLOSE, REQUEST, 0, "FIN after the request's head")           \
    X(CLOSE_STATUS, "close-before-status", CLOSE, STATUS, 0, "FIN after the whole request")        \
    X(CLOSE_IN_HEAD, "close-mid-head", CLOSE, IN_HEAD, 0, "FIN inside the response head")          \
    X(CLOSE_HEAD, "close-after-head", CLOSE, HEAD, 0, "FIN after the response head")               \
    X(CLOSE_BODY, "close-mid-body", CLOSE, BODY, 0, "FIN inside the body or stream")               \
    X(CLOSE_END, "close-before-end", CLOSE, END, 0, "FIN before the last event or byte")           \
    X(RESET_ACCEPT, "reset-accept", RESET, ACCEPT, 0, "RST before a byte was read")                \
    X(RESET_REQUEST, "reset-request", RESET, REQUEST, 0, "RST after the request's head")           \
    X(RESET_STATUS, "reset-before-status", RESET, STATUS, 0, "RST after the whole request")        \
    X(RESET_IN_HEAD, "reset-mid-head", RESET, IN_HEAD, 0, "RST inside the response head")          \
    X(RESET_HEAD, "reset-after-head", RESET, HEAD, 0, "RST after the response head")               \
    X(RESET_BODY, "reset-mid-body", RESET, BODY, 0, "RST inside the body or stream")               \
    X(RESET_END, "reset-before-end", RESET, END, 0, "RST before the last event or byte")           \
    X(STALL_ACCEPT, "stall-accept", STALL, ACCEPT, 0, "silence from the first byte on")            \
    X(STALL_REQUEST, "stall-request", STALL, REQUEST, 0, "silence after the request's head")       \
    X(STALL_STATUS, "stall-before-status", STALL, STATUS, 0, "silence after the request")          \
    X(STALL_IN_HEAD, "stall-mid-head", STALL, IN_HEAD, 0, "silence inside the response head")      \
    X(STALL_HEAD, "stall-after-head", STALL, HEAD, 0, "silence after the response head")           \
    X(STALL_BODY, "stall-mid-body", STALL, BODY, 0, "silence inside the body or stream")           \
    X(STALL_END, "stall-before-end", STALL, END, 0, "silence before the last event or byte")       \
    X(BAD_JSON, "bad-json", BODY, NONE, 0, "a body, or one chunk, cut inside its JSON")            \
    X(ERROR_200, "error-200", BODY, NONE, 0, "200 whose body, or first event, is an error")        \
    X(HTML, "html", BODY, NONE, 0, "200 with a portal's HTML page")                                \
    X(EMPTY_BODY, "empty-body", BODY, NONE, 0, "200 with no body at all")                          \
    X(NULL_BODY, "null-body", BODY, NONE, 0, "200 whose JSON is null")                             \
    X(NO_CHOICES, "no-choices", BODY, NONE, 0, "200 whose choices are empty")                      \
    X(NULL_CONTENT, "null-content", BODY, NONE, 0, "200 whose content is null")                    \
    X(CONTENT_LIST, "content-list", BODY, NONE, 0, "content as a list of parts, as Claude's")      \
    X(NO_USAGE, "no-usage", BODY, NONE, 0, "an answer without usage")                              \
    X(NO_TYPE, "no-content-type", BODY, NONE, 0, "an answer without a content type")               \
    X(ERROR_CHUNK, "error-chunk", STREAM, NONE, 0, "mid-stream data: {\"error\":...}")             \
    X(ERROR_EVENT, "error-event", STREAM, NONE, 0, "mid-stream event: error")                      \
    X(ERROR_OBJECT, "error-object", STREAM, NONE, 0, "mid-stream data: {\"object\":\"error\"}")    \
    X(ERROR_FIELD, "error-field", STREAM, NONE, 0, "mid-stream error: field, as llama.cpp's")      \
    X(ERROR_BARE, "error-bare", STREAM, NONE, 0, "mid-stream JSON without a field, as Ollama's")   \
    X(ERROR_FINISH, "error-finish", STREAM, NONE, 0, "mid-stream finish_reason error")             \
    X(ERROR_DONE, "error-then-done", STREAM, NONE, 0, "an error chunk, then [DONE] as if well")    \
    X(NO_FINISH, "no-finish", STREAM, NONE, 0, "the stream ends whole, with nothing that ends it") \
    X(NO_DONE, "no-done", STREAM, NONE, 0, "finish_reason, but no [DONE]")                         \
    X(TWO_FINISHES, "double-finish", STREAM, NONE, 0, "two chunks with a finish_reason")           \
    X(TWO_DONES, "double-done", STREAM, NONE, 0, "[DONE] twice, a chunk between them")             \
    X(EMPTY_DATA, "empty-data", STREAM, NONE, 0, "empty data: events between the chunks")          \
    X(COMMENTS, "comments", STREAM, NONE, 0, ": ping comments between the chunks")                 \
    X(CRLF, "crlf", STREAM, NONE, 0, "lines of the stream end in CRLF")                            \
    X(CR, "cr", STREAM, NONE, 0, "lines of the stream end in CR")                                  \
    X(BOM, "bom", STREAM, NONE, 0, "the stream begins with a byte order mark")                     \
    X(SURROGATES, "split-surrogates", STREAM, NONE, 0, "an emoji's two halves in two deltas")      \
    X(SHORT_BODY, "short-body", WIRE, NONE, 0, "content-length beyond the bytes sent, then FIN")   \
    X(LONG_BODY, "long-body", WIRE, NONE, 0, "bytes after the end of the body")                    \
    X(NO_LAST_CHUNK, "no-last-chunk", WIRE, NONE, 0, "chunked, FIN without the last chunk")        \
    X(BAD_CHUNK, "bad-chunk", WIRE, NONE, 0, "a chunk size that is no number")                     \
    X(TWO_LENGTHS, "two-lengths", WIRE, NONE, 0, "two content-lengths that disagree")              \
    X(BIG_HEAD, "big-head", WIRE, NONE, 0, "a head of 300 headers")                                \
    X(CONTINUES, "many-100", WIRE, NONE, 0, "twenty 100 Continue before the answer")               \
    X(GZIP, "gzip", WIRE, NONE, 0, "a whole answer in gzip, whether asked for or not")             \
    X(SLOW, "slow-bytes", WIRE, NONE, 0, "one byte an interval")                                   \
    X(SPLIT, "split-utf8", WIRE, NONE, 0, "a chunk and a write for every byte")                    \
    X(TWO_ANSWERS, "double-answer", WIRE, NONE, 0, "a whole answer, and the same again")           \
    X(IDLE_408, "idle-408", WIRE, NONE, 0, "after the answer a 408 that nobody asked for, FIN")

enum moot_emulator_fault {
    MOOT_EMULATOR_FAULT_NONE = 0,
#define X(id, name, act, place, status, what) MOOT_EMULATOR_FAULT_##id,
    MOOT_EMULATOR_FAULT_MAP(X)
#undef X
        MOOT_EMULATOR_FAULTS
};

enum moot_emulator_act {
    MOOT_EMULATOR_ACT_NONE,
    MOOT_EMULATOR_ACT_STATUS,
    MOOT_EMULATOR_ACT_CLOSE,
    MOOT_EMULATOR_ACT_RESET,
    MOOT_EMULATOR_ACT_STALL,
    MOOT_EMULATOR_ACT_BODY,
    MOOT_EMULATOR_ACT_STREAM,
    MOOT_EMULATOR_ACT_WIRE,
};

enum moot_emulator_place {
    MOOT_EMULATOR_AT_NONE,
    MOOT_EMULATOR_AT_ACCEPT,
    MOOT_EMULATOR_AT_REQUEST,
    MOOT_EMULATOR_AT_STATUS,
    MOOT_EMULATOR_AT_IN_HEAD,
    MOOT_EMULATOR_AT_HEAD,
    MOOT_EMULATOR_AT_BODY,
    MOOT_EMULATOR_AT_END,
};

struct moot_emulator_fault_info {
    const char *name;
    enum moot_emulator_act act;
    enum moot_emulator_place place;
    int status; /* of the answer, for the act `status`; else 0 */
    const char *what;
};

/* Static storage; any thread. `fault` in [NONE, FAULTS); NONE is named "none". */
const struct moot_emulator_fault_info *moot_emulator_fault_info(enum moot_emulator_fault fault);

#endif
