/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list: the link is a member of the object that is listed, so that adding
 * and removing never allocates and an object can leave its list knowing nothing but itself.
 *
 *     head <-> a.link <-> b.link <-> head
 *
 * An unlinked link points at itself. Not thread safe.
 */
#ifndef NU_BASE_LIST_H
#define NU_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct nu_list {
    struct nu_list *prev;
    struct nu_list *next;
};

/* Makes a head empty, or a link unlinked. */
static inline void nu_list_init(struct nu_list *list)
{
    list->prev = list;
    list->next = list;
}

static inline bool nu_list_is_empty(const struct nu_list *head)
{
    return head->next == head;
}

/* Whether a link is in some list; it must have been initialised. */
static inline bool nu_list_is_linked(const struct nu_list *link)
{
    return link->next != link;
}

static inline void nu_list_insert_after(struct nu_list *where, struct nu_list *link)
{
    link->prev = where;
    link->next = where->next;
    where->next->prev = link;
    where->next = link;
}

static inline void nu_list_add_first(struct nu_list *head, struct nu_list *link)
{
    nu_list_insert_after(head, link);
}

static inline void nu_list_add_last(struct nu_list *head, struct nu_list *link)
{
    nu_list_insert_after(head->prev, link);
}

/* Takes the link out of its list, if it is in one, and leaves it unlinked. */
static inline void nu_list_remove(struct nu_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    nu_list_init(link);
}

/* Moves every item of `from` to the end of `to`; `from` becomes empty. */
static inline void nu_list_move_all(struct nu_list *to, struct nu_list *from)
{
    if (nu_list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    nu_list_init(from);
}

#define nu_list_entry(link, type, member) nu_container_of(link, type, member)

#define nu_list_first(head, type, member) \
    (nu_list_is_empty(head) ? NULL : nu_list_entry((head)->next, type, member))

/* Walks the items; the current one may be removed, its successor may not. `item` is a variable. */
#define nu_list_for_each(item, head, type, member) \
    for (struct nu_list *item##_link_ = (head)->next, *item##_next_ = item##_link_->next; \
         item##_link_ != (head) && ((item) = nu_list_entry(item##_link_, type, member), 1); \
         item##_link_ = item##_next_, item##_next_ = item##_link_->next)

#endif
