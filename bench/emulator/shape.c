/* Documents of any shape, and what the shapes share. */
#include "shape.h"

#include "engine/base/check.h"
#include "surface.h"

enum { GOLDEN_PROMPT_TOKENS = 11, GOLDEN_COMPLETION_TOKENS = 7 };

const struct moot_emulator_shape *moot__emulator_shape_of(const struct moot_emulator_connection *c)
{
    return moot__emulator_surface(c->request.surface)->shape;
}

int moot__emulator_shape_whole(const struct moot_emulator_connection *c, struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__emulator_shape_of(c)->write_whole(&w, c);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_shape_event(const struct moot_emulator_connection *c,
                               const struct moot_emulator_event *event, struct moot_view text,
                               struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    event->write(&w, c, text);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

static int write_failure(moot_emulator_write_failure_fn *write,
                         const struct moot_emulator_connection *c,
                         const struct moot_emulator_failure *failure, struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    write(&w, c, failure);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_shape_failure(const struct moot_emulator_connection *c,
                                 const struct moot_emulator_failure *failure, struct moot_buf *out)
{
    return write_failure(moot__emulator_shape_of(c)->write_failure, c, failure, out);
}

int moot__emulator_shape_broken(const struct moot_emulator_connection *c,
                                const struct moot_emulator_failure *failure, struct moot_buf *out)
{
    return write_failure(moot__emulator_shape_of(c)->write_broken, c, failure, out);
}

void moot__emulator_write_arguments(struct moot_json_writer *w, struct moot_view question,
                                    bool has_any)
{
    moot__json_write_object_begin(w);
    if (has_any)
        moot__json_write_member_string(w, "question", question);
    moot__json_write_object_end(w);
}

bool moot__emulator_is_call(const struct moot_emulator_connection *c)
{
    return c->reply.is_call;
}

void moot__emulator_member_or_null(struct moot_json_writer *w, const char *key, const char *text)
{
    if (text)
        moot__json_write_member_str(w, key, text);
    else
        moot__json_write_member_null(w, key);
}

int moot__emulator_shape_error_object(const struct moot_emulator_failure *failure,
                                      struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "object", "error");
    moot__json_write_member_str(&w, "message", failure->message);
    moot__json_write_member_str(&w, "type", failure->type);
    moot__emulator_member_or_null(&w, "param", failure->param);
    moot__json_write_member_i64(&w, "code", failure->status);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

static bool is_golden(const struct moot_emulator_connection *c)
{
    return c->emulator->options.answer == MOOT_EMULATOR_GOLDEN;
}

struct moot_emulator_usage moot__emulator_usage(const struct moot_emulator_connection *c,
                                                uint64_t completion)
{
    if (is_golden(c))
        return (struct moot_emulator_usage){GOLDEN_PROMPT_TOKENS, GOLDEN_COMPLETION_TOKENS};
    return (struct moot_emulator_usage){c->request.prompt_tokens, completion};
}

uint64_t moot__emulator_created(const struct moot_emulator_connection *c)
{
    return is_golden(c) ? MOOT_EMULATOR_GOLDEN_CREATED : c->reply.created;
}
