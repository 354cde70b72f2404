/* The catalogue as tables, and the parts of a span that are more than a store. */
#include "span.h"

#include <string.h>

const struct moot_attr_info moot__attr_infos[MOOT_ATTRS] = {
#define X(id, name, type, privacy, meaning)                                                        \
    [MOOT_ATTR_##id] = {name, MOOT_ATTR_TYPE_##type, MOOT_ATTR_##privacy},
    MOOT_ATTR_MAP(X)
#undef X
};

const struct moot_span_name_info moot__span_name_infos[MOOT_SPAN_NAMES] = {
#define X(id, name, operation, type, kind) [MOOT_SPAN_##id] = {name, operation, type, kind},
    MOOT_SPAN_NAME_MAP(X)
#undef X
};

#define X(id, name, type, privacy, meaning)                                                        \
    | (MOOT_ATTR_TYPE_##type >= MOOT_ATTR_TYPE_STR ? MOOT_ATTR_BIT(MOOT_ATTR_##id) : 0)
const uint64_t moot__attrs_text = 0 MOOT_ATTR_MAP(X);
#undef X

#define X(id, name, type, privacy, meaning)                                                        \
    | (MOOT_ATTR_##privacy == MOOT_ATTR_CONTENT ? MOOT_ATTR_BIT(MOOT_ATTR_##id) : 0)
const uint64_t moot__attrs_content = 0 MOOT_ATTR_MAP(X);
#undef X

static uint64_t id_word(struct moot_rng *rng)
{
    uint64_t word;
    do
        word = moot__rng_next(rng);
    while (word == 0);
    return word;
}

void moot__span_ids_root(struct moot_span_ids *ids, struct moot_rng *rng)
{
    uint64_t words[4] = {id_word(rng), id_word(rng), id_word(rng), 0};
    static_assert(sizeof words == sizeof *ids, "trace id, span id, parent id");
    memcpy(ids, words, sizeof words);
}

void moot__span_ids_child(struct moot_span_ids *ids, const struct moot_span_ids *parent,
                          struct moot_rng *rng)
{
    struct moot_span_ids child = *parent;
    uint64_t word = id_word(rng);
    memcpy(child.parent_id, parent->span_id, sizeof child.parent_id);
    memcpy(child.span_id, &word, sizeof child.span_id);
    *ids = child; /* `parent` may be `ids` */
}

bool moot__span_is_root(const struct moot_span_ids *ids)
{
    static const uint8_t none[sizeof ids->parent_id];
    return memcmp(ids->parent_id, none, sizeof none) == 0;
}

void moot__span_begin(struct moot_span *span, enum moot_span_name name,
                      const struct moot_span_ids *ids, uint64_t start_wall_ns)
{
    assert(name < MOOT_SPAN_NAMES);
    span->ids = *ids;
    span->name = name;
    span->status = MOOT_SPAN_OK;
    span->start_wall_ns = span->end_wall_ns = start_wall_ns;
    span->set = 0;
}

void moot__span_end(struct moot_span *span, uint64_t end_wall_ns)
{
    span->end_wall_ns = end_wall_ns > span->start_wall_ns ? end_wall_ns : span->start_wall_ns;
}

void moot__span_fail(struct moot_span *span, const struct moot_error_info *info)
{
    assert(info->code != MOOT_OK);
    span->status = MOOT_SPAN_ERROR;
    moot__span_set_str(span, MOOT_ATTR_ERROR_NAME, moot_error_name(info->code));
    if (info->phase != MOOT_PHASE_NONE)
        moot__span_set_str(span, MOOT_ATTR_ERROR_PHASE, moot_phase_name(info->phase));
    if (info->http_status > 0)
        moot__span_set_u64(span, MOOT_ATTR_HTTP_STATUS, (uint64_t)info->http_status);
    if (info->possible_duplicate)
        moot__span_set_bool(span, MOOT_ATTR_POSSIBLE_DUPLICATE, true);
    moot__span_set_str(span, MOOT_ATTR_PROVIDER_CODE, info->provider_code);
    moot__span_set_str(span, MOOT_ATTR_STATUS_MESSAGE,
                       info->message[0] ? info->message : moot_error_text(info->code));
}
