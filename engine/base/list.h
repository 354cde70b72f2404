#ifndef MOOT_BASE_LIST_H
#define MOOT_BASE_LIST_H

/* An intrusive doubly linked list. A node knows whether it is linked; membership of a list is often
 * the state of its owner. A head is a node; an unlinked node points at itself. */
#include <stdbool.h>
#include <stddef.h>

#include "check.h"

struct moot_list {
    struct moot_list *next, *prev;
};

static inline void moot__list_init(struct moot_list *node)
{
    node->next = node->prev = node;
}

static inline bool moot__list_is_linked(const struct moot_list *node)
{
    return node->next != node;
}

static inline bool moot__list_is_empty(const struct moot_list *head)
{
    return head->next == head;
}

static inline void moot__list_insert_before(struct moot_list *position, struct moot_list *node)
{
    assert(!moot__list_is_linked(node));
    node->next = position;
    node->prev = position->prev;
    position->prev->next = node;
    position->prev = node;
}

static inline void moot__list_push_back(struct moot_list *head, struct moot_list *node)
{
    moot__list_insert_before(head, node);
}

static inline void moot__list_push_front(struct moot_list *head, struct moot_list *node)
{
    moot__list_insert_before(head->next, node);
}

/* Unlinking an unlinked node does nothing. */
static inline void moot__list_remove(struct moot_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    moot__list_init(node);
}

static inline struct moot_list *moot__list_pop_front(struct moot_list *head)
{
    struct moot_list *node = head->next;
    if (node == head)
        return NULL;
    moot__list_remove(node);
    return node;
}

/* Move every node of `from` to the end of `to`; `from` is left empty. */
static inline void moot__list_splice(struct moot_list *to, struct moot_list *from)
{
    if (moot__list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    moot__list_init(from);
}

#define moot__list_entry(node, type, member) moot__container_of(node, type, member)

/* The body may not unlink any node but, with _SAFE, the current one. */
#define MOOT_LIST_FOREACH(node, head)                                                              \
    for (struct moot_list *node = (head)->next; node != (head); node = node->next)
#define MOOT_LIST_FOREACH_SAFE(node, after, head)                                                  \
    for (struct moot_list *node = (head)->next, *after = node->next; node != (head);               \
         node = after, after = node->next)

#endif
