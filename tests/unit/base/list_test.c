/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive lists: order, unlinking, walking while items go away. */
#include "harness/test.h"

#include "base/list.h"

struct item {
    char name;
    struct nu_list link;
};

static struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};

static void init_items(void)
{
    nu_list_init(&a.link);
    nu_list_init(&b.link);
    nu_list_init(&c.link);
    nu_list_init(&d.link);
}

/* The names forwards, after checking that they are the same backwards. */
static const char *names(const struct nu_list *head)
{
    static char text[8];
    size_t len = 0;
    for (const struct nu_list *link = head->next; link != head; link = link->next)
        text[len++] = nu_list_entry(link, struct item, link)->name;
    text[len] = '\0';
    const struct nu_list *link = head->prev;
    for (size_t i = len; i > 0; i--, link = link->prev)
        assert_int_equal(nu_list_entry(link, struct item, link)->name, text[i - 1]);
    assert_ptr_equal(link, head);
    return text;
}

TEST(items_stand_where_they_were_added)
{
    struct nu_list head;
    nu_list_init(&head);
    init_items();
    assert_true(nu_list_is_empty(&head));
    nu_list_add_last(&head, &b.link);
    nu_list_add_last(&head, &d.link);
    nu_list_add_first(&head, &a.link);
    nu_list_insert_after(&b.link, &c.link);
    assert_string_equal(names(&head), "abcd");
    assert_false(nu_list_is_empty(&head));
}

TEST(a_removed_item_is_unlinked_and_may_be_removed_again)
{
    struct nu_list head;
    nu_list_init(&head);
    init_items();
    assert_false(nu_list_is_linked(&a.link));
    nu_list_add_last(&head, &a.link);
    nu_list_add_last(&head, &b.link);
    assert_true(nu_list_is_linked(&a.link));
    nu_list_remove(&a.link);
    nu_list_remove(&a.link);
    assert_false(nu_list_is_linked(&a.link));
    assert_string_equal(names(&head), "b");
    nu_list_remove(&b.link);
    assert_true(nu_list_is_empty(&head));
}

TEST(the_first_item_of_an_empty_list_is_null)
{
    struct nu_list head;
    nu_list_init(&head);
    init_items();
    assert_null(nu_list_first(&head, struct item, link));
    nu_list_add_last(&head, &c.link);
    assert_ptr_equal(nu_list_first(&head, struct item, link), &c);
}

TEST(all_items_move_to_the_end_of_another_list)
{
    struct nu_list from;
    struct nu_list to;
    nu_list_init(&from);
    nu_list_init(&to);
    init_items();
    nu_list_move_all(&to, &from);
    assert_string_equal(names(&to), "");
    nu_list_add_last(&from, &a.link);
    nu_list_add_last(&from, &b.link);
    nu_list_move_all(&to, &from);
    assert_string_equal(names(&to), "ab");
    assert_true(nu_list_is_empty(&from));
    nu_list_add_last(&from, &c.link);
    nu_list_move_all(&to, &from);
    assert_string_equal(names(&to), "abc");
    assert_string_equal(names(&from), "");
}

TEST(walking_allows_the_current_item_to_leave)
{
    struct nu_list head;
    nu_list_init(&head);
    init_items();
    nu_list_add_last(&head, &a.link);
    nu_list_add_last(&head, &b.link);
    nu_list_add_last(&head, &c.link);
    size_t count = 0;
    struct item *item;
    nu_list_for_each(item, &head, struct item, link)
    {
        count++;
        nu_list_remove(&item->link);
    }
    assert_int_equal(count, 3);
    assert_true(nu_list_is_empty(&head));
    nu_list_for_each(item, &head, struct item, link) count++;
    assert_int_equal(count, 3);
}

TEST(walks_can_be_nested_and_left)
{
    struct nu_list outer_head;
    struct nu_list inner_head;
    nu_list_init(&outer_head);
    nu_list_init(&inner_head);
    init_items();
    nu_list_add_last(&outer_head, &a.link);
    nu_list_add_last(&outer_head, &b.link);
    nu_list_add_last(&inner_head, &c.link);
    nu_list_add_last(&inner_head, &d.link);
    size_t pairs = 0;
    struct item *outer;
    struct item *inner;
    nu_list_for_each(outer, &outer_head, struct item, link)
    {
        nu_list_for_each(inner, &inner_head, struct item, link)
        {
            pairs++;
            if (outer == &b && inner == &c)
                break;
        }
    }
    assert_int_equal(pairs, 3);
}

TEST_MAIN()
