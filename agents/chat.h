#ifndef MOOT_AGENTS_CHAT_H
#define MOOT_AGENTS_CHAT_H

/* A request understood: turns and parameters in the OpenAI shape, taken apart for the dialects that
 * have another one. Turns of one side that follow each other are one; system messages stand apart,
 * whatever their place; tools, their calls and results, pictures and schemas are told from text.
 * What cannot be understood is refused by name, so that nothing is dropped in silence. Pure. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>

#include "dialect.h"
#include "engine/base/arena.h"
#include "engine/base/view.h"

struct moot_json;

enum moot_block_type {
    MOOT_BLOCK_TEXT,
    MOOT_BLOCK_IMAGE,
    MOOT_BLOCK_TOOL_USE,
    MOOT_BLOCK_TOOL_RESULT,
    MOOT_BLOCK_RAW, /* a part of no shape that is known here, perhaps the provider's own */
};

struct moot_block {
    enum moot_block_type type;
    struct moot_view text;        /* a text's, a result's; never blank */
    struct moot_view id, name;    /* of a tool's use: both; of its result: the use's id */
    struct moot_view media_type;  /* of a picture that is here; empty: `data` is its URL */
    struct moot_view data;        /* base64; or a URL */
    const struct moot_json *json; /* a use's input, always an object; a raw part */
    struct moot_block *next;      /* in the same turn */
};

struct moot_chat_turn {
    bool is_assistant;
    struct moot_block *blocks; /* never NULL */
    struct moot_chat_turn *next;
};

enum moot_tool_choice {
    MOOT_TOOL_UNSAID,
    MOOT_TOOL_AUTO,
    MOOT_TOOL_NONE,
    MOOT_TOOL_ANY,   /* one of them must be used */
    MOOT_TOOL_NAMED, /* this one must */
};

struct moot_chat_tool {
    struct moot_view name, description;
    const struct moot_json *parameters; /* a JSON Schema, or NULL */
    const struct moot_json *strict;     /* as it was said, or NULL */
    const struct moot_json *raw;        /* not a function: the provider's own; else NULL */
    struct moot_chat_tool *next;
};

/* Everything is borrowed from the request, or lives in the arena. */
struct moot_chat {
    struct moot_block *system;    /* texts; or NULL */
    struct moot_chat_turn *turns; /* at least one */
    struct moot_params params;    /* merged, with what is taken apart below still in it */
    struct moot_chat_tool *tools; /* or NULL */
    enum moot_tool_choice choice;
    struct moot_view choice_name;
    const struct moot_json *choice_raw; /* the provider's own form; or NULL */
    bool one_tool_only;                 /* parallel_tool_calls: false */
    const struct moot_json *schema;     /* what the answer must be like, or NULL */
    struct moot_view schema_name;
};

/* `who` names the provider in messages. MOOT_EINPUT (with `info`, which may be NULL), MOOT_ENOMEM.
 */
MOOT_NODISCARD int moot__chat_understand(const struct moot_request *request, const char *who,
                                         struct moot_arena *arena, struct moot_chat *chat,
                                         struct moot_error_info *info);

/* What becomes of a parameter that the OpenAI shape has. */
enum moot_param_fate {
    MOOT_PARAM_SENT,    /* as it is */
    MOOT_PARAM_TAKEN,   /* the dialect's own code says it in another way */
    MOOT_PARAM_IMPLIED, /* means nothing here, or what happens anyway */
    MOOT_PARAM_REFUSED, /* the provider has nothing like it */
};

struct moot_param_rule {
    const char *name;
    enum moot_param_fate fate;
};

/* The rule for a parameter; one that no rule names is the provider's own: SENT, and its rule has no
 * name. A REFUSED one that says nothing (n: 1, false, 0, []) is IMPLIED. Null values are never
 * sent.
 */
struct moot_param_rule moot__param_rule(const struct moot_param *param,
                                        const struct moot_param_rule *rules, size_t count);

/* A parameter that says something; or NULL. */
const struct moot_param *moot__chat_param(const struct moot_chat *chat, const char *name);

/* How many tokens at most, by either name; or NULL. */
const struct moot_param *moot__chat_max_tokens(const struct moot_chat *chat);

/* Write the member `temperature`, if there is one to say, where its range is 0 to 1. The shipped
 * default is not said to models that refuse it (`quirks`), nor beside a top_p where only one may
 * be; what the user set is sent, and the provider says what it thinks of it. MOOT_EINPUT above 1.
 */
MOOT_NODISCARD int moot__chat_write_temperature(const struct moot_chat *chat, unsigned quirks,
                                                const char *who, struct moot_json_writer *w,
                                                struct moot_error_info *info);

/* Write `stop` as a list, under this key; nothing where there is none. */
void moot__chat_write_stop(const struct moot_chat *chat, const char *key,
                           struct moot_json_writer *w);

/* Write a tool's parameters: a JSON Schema, of any object where none was given. */
void moot__chat_write_schema(const struct moot_chat_tool *tool, struct moot_json_writer *w);

/* "NAME cannot be told to WHO: WHY". MOOT_EINPUT. */
int moot__chat_refuse(struct moot_error_info *info, const char *who, struct moot_view what,
                      const char *why);

#endif
