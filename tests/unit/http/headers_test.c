/* SPDX-License-Identifier: Apache-2.0 */
/* The header map: order, duplicates, the index of known names, holes, and very large maps. */
#include "harness/test.h"

#include <stdio.h>

#include "http/headers.h"
#include "http/joined.h"

static struct nu_arena arena;
static struct nu_headers headers;

static void start(void)
{
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 4);
}

static void end(void)
{
    nu_arena_finish(&arena);
}

/* All entries as "name=value;". */
static struct nu_str dump(void)
{
    static struct nu_strbuf out;
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    nu_strbuf_finish(&out);
    while (nu_headers_next(&headers, &cursor, &name, &value))
        nu_strbuf_addf(&out, "%.*s=%.*s;", NU_STR_ARG(name), NU_STR_ARG(value));
    return nu_strbuf_str(&out);
}

static void add(const char *name, const char *value)
{
    nu_headers_add(&headers, nu_str_from(name), nu_str_from(value));
}

TEST(entries_keep_their_order_and_duplicates)
{
    start();
    add("b", "1");
    add("Host", "h");
    add("a", "2");
    add("B", "3");
    add("x-request-id", "4");
    assert_str(dump(), "b=1;host=h;a=2;b=3;x-request-id=4;");
    assert_int_equal(nu_headers_count(&headers), 5);
    assert_int_equal(nu_headers_count_of(&headers, NU_STR("b")), 2);
    end();
}

TEST(a_known_name_is_found_by_name_and_by_id)
{
    start();
    add("Content-Type", "text/plain");
    assert_str(nu_headers_get(&headers, NU_STR("content-type")), "text/plain");
    assert_str(nu_headers_get_id(&headers, NU_HEADER_CONTENT_TYPE), "text/plain");
    assert_true(nu_headers_has_id(&headers, NU_HEADER_CONTENT_TYPE));
    assert_null(nu_headers_get_id(&headers, NU_HEADER_CONTENT_LENGTH).ptr);
    assert_null(nu_headers_get(&headers, NU_STR("content-typ")).ptr);
    end();
}

TEST(add_copies_name_and_value)
{
    char name[] = "X-Custom";
    char value[] = "one";
    start();
    nu_headers_add(&headers, nu_str_from(name), nu_str_from(value));
    name[0] = 'Q';
    value[0] = 'Q';
    assert_str(dump(), "x-custom=one;");
    end();
}

TEST(no_name_or_value_becomes_two_headers)
{
    start();
    add("a", "1\r\nb: 2");
    nu_headers_set(&headers, NU_STR("c"), nu_str_make("\0x\n\t\x7f", 5));
    nu_headers_set(&headers, NU_STR("C"), nu_str_make("y\r", 2));
    add("d: e", "1");
    add("", "1");
    add(":", "1");
    nu_headers_set(&headers, NU_STR("f\r\ng"), NU_STR("1"));
    add(":path", "/");
    assert_str(dump(), "a=1  b: 2;c=y ;:path=/;");
    nu_headers_set(&headers, NU_STR("c"), nu_str_make("\0x\n\t\x7f\xff", 6));
    assert_str(nu_headers_get(&headers, NU_STR("c")), " x \t \xff");
    end();
}

TEST(set_replaces_the_first_and_drops_the_others)
{
    start();
    add("x", "1");
    add("host", "a");
    add("x", "2");
    add("host", "b");
    nu_headers_set(&headers, NU_STR("X"), NU_STR("n"));
    nu_headers_set(&headers, NU_STR("host"), NU_STR("c"));
    nu_headers_set(&headers, NU_STR("new"), NU_STR("v"));
    assert_str(dump(), "x=n;host=c;new=v;");
    nu_headers_set_id(&headers, NU_HEADER_HOST, NU_STR("d"));
    nu_headers_set_id(&headers, NU_HEADER_VIA, NU_STR("e"));
    assert_str(dump(), "x=n;host=d;new=v;via=e;");
    assert_int_equal(nu_headers_count(&headers), 4);
    end();
}

TEST(removal_by_name_takes_every_entry)
{
    start();
    add("via", "1");
    add("x", "2");
    add("via", "3");
    assert_int_equal(nu_headers_remove(&headers, NU_STR("via")), 2);
    assert_int_equal(nu_headers_remove(&headers, NU_STR("via")), 0);
    assert_false(nu_headers_has_id(&headers, NU_HEADER_VIA));
    assert_str(dump(), "x=2;");
    end();
}

TEST(removing_the_first_entry_leaves_the_next_one_findable)
{
    start();
    add("via", "1");
    add("x", "2");
    add("via", "3");
    nu_headers_remove_entry(&headers, nu_headers_find_id(&headers, NU_HEADER_VIA));
    assert_str(nu_headers_get_id(&headers, NU_HEADER_VIA), "3");
    nu_headers_remove_entry(&headers, nu_headers_find_id(&headers, NU_HEADER_VIA));
    assert_null(nu_headers_find_id(&headers, NU_HEADER_VIA));
    assert_int_equal(nu_headers_count(&headers), 1);
    end();
}

TEST(a_set_of_names_is_removed_at_once)
{
    struct nu_header_set set = {0};
    start();
    add("via", "1");
    add("x", "2");
    add("te", "3");
    add("via", "4");
    nu_header_set_add(&set, NU_HEADER_VIA);
    nu_header_set_add(&set, NU_HEADER_X_XSS_PROTECTION);
    assert_true(nu_headers_has_any(&headers, &set));
    nu_headers_remove_set(&headers, &set);
    assert_false(nu_headers_has_any(&headers, &set));
    assert_str(dump(), "x=2;te=3;");
    end();
}

TEST(values_are_joined_in_order)
{
    start();
    add("x-forwarded-for", "1");
    add("q", "a");
    assert_str(nu_headers_get_all(&headers, NU_STR("x-forwarded-for")), "1");
    add("x-forwarded-for", "2");
    add("q", "b");
    add("x-forwarded-for", "");
    assert_str(nu_headers_get_all(&headers, NU_STR("x-forwarded-for")), "1,2,");
    assert_str(nu_headers_join_id(&headers, NU_HEADER_X_FORWARDED_FOR, NU_STR(", ")), "1, 2, ");
    assert_str(nu_headers_get_all(&headers, NU_STR("q")), "a,b");
    assert_null(nu_headers_get_all(&headers, NU_STR("none")).ptr);
    assert_null(nu_headers_join_id(&headers, NU_HEADER_VIA, NU_STR(",")).ptr);
    end();
}

TEST(joining_many_values_takes_memory_in_proportion)
{
    start();
    char value[100];
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 2000; i++)
        nu_headers_add(&headers, NU_STR("q"), nu_str_make(value, sizeof(value)));
    size_t before = 0;
    for (const struct nu_block *block = arena.blocks; block; block = block->next_free)
        before++;
    assert_int_equal(nu_headers_get_all(&headers, NU_STR("q")).len, 2000 * 101 - 1);
    size_t after = 0;
    for (const struct nu_block *block = arena.blocks; block; block = block->next_free)
        after++;
    assert_true(after - before <= 2);
    end();
}

TEST(an_empty_value_is_not_an_absent_one)
{
    start();
    add("via", "");
    assert_true(nu_headers_has(&headers, NU_STR("via")));
    assert_non_null(nu_headers_get(&headers, NU_STR("via")).ptr);
    end();
}

TEST(clear_empties_and_keeps_old_views)
{
    start();
    add("via", "1");
    struct nu_str view = nu_headers_get_id(&headers, NU_HEADER_VIA);
    nu_headers_clear(&headers);
    assert_int_equal(nu_headers_count(&headers), 0);
    assert_null(nu_headers_find_id(&headers, NU_HEADER_VIA));
    add("te", "2");
    assert_str(view, "1");
    assert_str(dump(), "te=2;");
    end();
}

TEST(a_walk_allows_removal_of_the_current_entry_and_sees_additions)
{
    start();
    add("a", "1");
    add("b", "2");
    add("c", "3");
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    size_t seen = 0;
    while (nu_headers_next(&headers, &cursor, &name, &value)) {
        seen++;
        if (nu_str_eq(name, NU_STR("b"))) {
            nu_headers_remove(&headers, name);
            add("d", "4");
        }
    }
    assert_int_equal(seen, 4);
    assert_str(dump(), "a=1;c=3;d=4;");
    end();
}

TEST(a_map_without_room_grows)
{
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 0);
    for (int i = 0; i < 40; i++) {
        add("via", "x");
        add("q", "y");
    }
    assert_int_equal(nu_headers_count_of(&headers, NU_STR("via")), 40);
    assert_int_equal(nu_headers_byte_size(&headers), 40 * (4 + 2));
    end();
}

static void add_unknown(int count)
{
    char name[16];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        add(name, "v");
    }
}

/* The connection manager strips names that only a trusted peer may send; their place in the request
 * must not matter. */
TEST(a_known_name_behind_hundreds_of_others_is_known)
{
    start();
    add_unknown(400);
    add("x-envoy-internal", "true");
    assert_str(nu_headers_get_id(&headers, NU_HEADER_X_ENVOY_INTERNAL), "true");
    nu_headers_set_id(&headers, NU_HEADER_X_ENVOY_INTERNAL, NU_STR("false"));
    assert_int_equal(nu_headers_count_of(&headers, NU_STR("x-envoy-internal")), 1);
    nu_headers_remove_id(&headers, NU_HEADER_X_ENVOY_INTERNAL);
    assert_false(nu_headers_has(&headers, NU_STR("x-envoy-internal")));
    add("via", "1");
    struct nu_header_set set = {0};
    nu_header_set_add(&set, NU_HEADER_VIA);
    nu_headers_remove_set(&headers, &set);
    assert_false(nu_headers_has(&headers, NU_STR("via")));
    end();
}

TEST(duplicates_far_apart_are_all_removed)
{
    start();
    add("via", "1");
    add_unknown(400);
    add("via", "2");
    nu_headers_remove_entry(&headers, nu_headers_find_id(&headers, NU_HEADER_VIA));
    assert_str(nu_headers_get_id(&headers, NU_HEADER_VIA), "2");
    nu_headers_remove_id(&headers, NU_HEADER_VIA);
    assert_false(nu_headers_has(&headers, NU_STR("via")));
    end();
}

TEST(joined_names_append_to_the_value)
{
    start();
    struct nu_str accept = NU_STR("accept");
    const struct nu_header_set *joined = &nu_joined_request_headers;
    nu_headers_append_ref(&headers, joined, NU_HEADER_ACCEPT, accept, NU_STR("a"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_ACCEPT, accept, NU_STR("b"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_ACCEPT, accept, NU_STR(""));
    nu_headers_append_ref(&headers, joined, NU_HEADER_COOKIE, NU_STR("cookie"), NU_STR("a"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_COOKIE, NU_STR("cookie"), NU_STR("b"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_OTHER, NU_STR("q"), NU_STR("a"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_OTHER, NU_STR("q"), NU_STR("b"));
    nu_headers_append_ref(&headers, joined, NU_HEADER_VIA, NU_STR("via"), NU_STR(""));
    nu_headers_append_ref(&headers, joined, NU_HEADER_VIA, NU_STR("via"), NU_STR("x"));
    assert_str(dump(), "accept=a,b;cookie=a;cookie=b;q=a;q=b;via=x;");
    assert_false(nu_header_set_has(&nu_joined_response_headers, NU_HEADER_ACCEPT));
    assert_true(nu_header_set_has(&nu_joined_response_headers, NU_HEADER_VARY));
    assert_false(nu_header_set_has(&nu_joined_response_headers, NU_HEADER_SET_COOKIE));
    end();
}

TEST(a_length_is_that_of_the_present_value)
{
    uint64_t length = 0;
    char text[4] = "123";
    start();
    nu_headers_set_id(&headers, NU_HEADER_CONTENT_LENGTH, nu_str_make(text, 3));
    assert_true(nu_headers_read_length(&headers, &length));
    assert_true(nu_headers_read_length(&headers, &length));
    assert_int_equal(length, 123);
    nu_headers_set_id(&headers, NU_HEADER_CONTENT_LENGTH, nu_str_make(text, 2));
    assert_true(nu_headers_read_length(&headers, &length));
    assert_int_equal(length, 12);
    nu_headers_set_id(&headers, NU_HEADER_CONTENT_LENGTH, NU_STR("x"));
    assert_false(nu_headers_read_length(&headers, &length));
    nu_headers_clear(&headers);
    nu_headers_set_id(&headers, NU_HEADER_CONTENT_LENGTH, NU_STR("4"));
    assert_true(nu_headers_read_length(&headers, &length));
    assert_int_equal(length, 4);
    end();
}

TEST(a_status_is_that_of_the_present_value)
{
    start();
    assert_int_equal(nu_headers_status(&headers), 0);
    nu_headers_reserve_first(&headers, 1);
    nu_headers_fill_status(&headers, NU_STR("200"), 200);
    assert_int_equal(nu_headers_status(&headers), 200);
    nu_headers_set(&headers, NU_STR(":status"), NU_STR("503"));
    assert_int_equal(nu_headers_status(&headers), 503);
    struct nu_str text = nu_headers_get_id(&headers, NU_HEADER_STATUS);
    nu_headers_set_id(&headers, NU_HEADER_STATUS, nu_str_make(text.ptr, 2));
    assert_int_equal(nu_headers_status(&headers), 0);
    nu_headers_remove_id(&headers, NU_HEADER_STATUS);
    assert_int_equal(nu_headers_status(&headers), 0);
    nu_headers_clear(&headers);
    nu_headers_add_id(&headers, NU_HEADER_STATUS, text);
    assert_int_equal(nu_headers_status(&headers), 503);
    end();
}

TEST(of_pseudo_headers_only_known_ones_are_added)
{
    start();
    nu_headers_add(&headers, NU_STR(":status"), NU_STR("200"));
    nu_headers_add(&headers, NU_STR(":foo"), NU_STR("x"));
    nu_headers_set(&headers, NU_STR(":statu"), NU_STR("x"));
    nu_headers_set(&headers, NU_STR(":"), NU_STR("x"));
    assert_str(dump(), ":status=200;");
    end();
}

TEST_MAIN()
