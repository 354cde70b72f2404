/* A span as bytes. Types come from the catalogue, so a value carries no tag; a record of numbers is
 * its head and 8 bytes for each. Planning is apart from writing because the size has to be known
 * before space is taken in the ring: a record is written once, in place, with no copy between. */
#include "record.h"

#include <string.h>

static size_t padded(size_t len)
{
    return (len + MOOT_RECORD_UNIT - 1) & ~(size_t)(MOOT_RECORD_UNIT - 1);
}

/* The length of the longest start of `text` that is at most `max` bytes and ends with a whole UTF-8
 * character. Text that is no UTF-8 is cut at `max`. */
static size_t cut(struct moot_view text, size_t max)
{
    if (text.len <= max)
        return text.len;
    for (size_t len = max; len > 0 && max - len < 4; len--)
        if (((unsigned char)text.ptr[len] & 0xC0) != 0x80)
            return len;
    return max;
}

/* The greatest text_max with which texts fit into `budget` bytes, knowing that they do not all fit
 * whole. Starts from equal shares and hands out what short texts leave over. */
static size_t fair_share(const struct moot_span *span, uint64_t texts, size_t budget)
{
    for (size_t share = 0;;) {
        size_t left = budget, longer = 0;
        for (uint64_t rest = texts; rest; rest &= rest - 1) {
            size_t len = span->values[moot__attr_first(rest)].text.len;
            if (len <= share)
                left -= padded(len);
            else
                longer++;
        }
        assert(longer > 0 && left <= budget);
        size_t next = left / longer & ~(size_t)(MOOT_RECORD_UNIT - 1);
        assert(next >= share);
        if (next == share)
            return share;
        share = next;
    }
}

struct moot_record_plan moot__record_plan(const struct moot_span *span, uint64_t allowed,
                                          size_t max)
{
    assert(max >= MOOT_RECORD_MAX_MIN && max <= UINT32_MAX && max % MOOT_RECORD_UNIT == 0);
    struct moot_record_plan plan = {.set = span->set & allowed, .text_max = SIZE_MAX};
    size_t fixed = sizeof(struct moot_record_head) + MOOT_RECORD_UNIT * moot__attr_count(plan.set);
    size_t texts = 0;
    for (uint64_t rest = plan.set & moot__attrs_text; rest; rest &= rest - 1)
        texts += padded(span->values[moot__attr_first(rest)].text.len);
    if (fixed + texts > max) {
        if (!(plan.set & MOOT_ATTR_BIT(MOOT_ATTR_TRUNCATED)))
            fixed += MOOT_RECORD_UNIT;
        plan.set |= MOOT_ATTR_BIT(MOOT_ATTR_TRUNCATED);
        plan.text_max = fair_share(span, plan.set & moot__attrs_text, max - fixed);
        texts = 0;
        for (uint64_t rest = plan.set & moot__attrs_text; rest; rest &= rest - 1)
            texts += padded(cut(span->values[moot__attr_first(rest)].text, plan.text_max));
    }
    plan.size = fixed + texts;
    assert(plan.size <= max);
    return plan;
}

static unsigned char *put_u64(unsigned char *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static unsigned char *put_text(unsigned char *at, struct moot_view text, size_t max)
{
    size_t len = cut(text, max);
    at = put_u64(at, len);
    if (len == 0)
        return at;
    put_u64(at + padded(len) - MOOT_RECORD_UNIT, 0); /* no stale bytes in the padding */
    memcpy(at, text.ptr, len);
    return at + padded(len);
}

void moot__record_encode(const struct moot_span *span, const struct moot_record_plan *plan,
                         void *out)
{
    const struct moot_record_head head = {
        .size = (uint32_t)plan->size,
        .name = (uint16_t)span->name,
        .status = (uint16_t)span->status,
        .set = plan->set,
        .ids = span->ids,
        .start_wall_ns = span->start_wall_ns,
        .end_wall_ns = span->end_wall_ns,
    };
    unsigned char *at = out;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (uint64_t rest = plan->set; rest; rest &= rest - 1) {
        unsigned attr = moot__attr_first(rest);
        if (moot__attrs_text & rest & -rest)
            at = put_text(at, span->values[attr].text, plan->text_max);
        else if (attr == MOOT_ATTR_TRUNCATED)
            at = put_u64(at, 1); /* the plan's word, not the builder's */
        else
            at = put_u64(at, span->values[attr].u64);
    }
    assert((size_t)(at - (unsigned char *)out) == plan->size);
}

void moot__record_decode(const void *record, struct moot_span *out)
{
    const unsigned char *at = record;
    struct moot_record_head head;
    memcpy(&head, at, sizeof head);
    assert(head.name < MOOT_SPAN_NAMES && head.size >= sizeof head);
    out->ids = head.ids;
    out->name = (enum moot_span_name)head.name;
    out->status = (enum moot_span_status)head.status;
    out->start_wall_ns = head.start_wall_ns;
    out->end_wall_ns = head.end_wall_ns;
    out->set = head.set;
    at += sizeof head;
    for (uint64_t rest = head.set; rest; rest &= rest - 1) {
        union moot_attr_value *value = &out->values[moot__attr_first(rest)];
        uint64_t word;
        memcpy(&word, at, sizeof word);
        at += sizeof word;
        if (moot__attrs_text & rest & -rest) {
            value->text = moot__view((const char *)at, (size_t)word);
            at += padded((size_t)word);
        } else {
            value->u64 = word;
        }
    }
    assert((size_t)(at - (const unsigned char *)record) == head.size);
}
