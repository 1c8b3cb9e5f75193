/* SPDX-License-Identifier: Apache-2.0 */
/* Shared queues: who is told of what is put in, and what becomes of it when somebody goes. */
#include "harness/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "wasm/shared_queue.h"

enum { THREADS = 3, ROUNDS = 500 };

/* A root that counts what it was told, and takes it. */
struct taker {
    struct nu_wasm_queue_listener *listener;
    struct nu_strbuf seen;
    uint32_t token;
    size_t told;
    bool leaves; /* when it is told */
};

static void on_ready(void *root, uint32_t token)
{
    struct taker *taker = root;
    struct nu_strbuf bytes = {0};
    assert_int_equal(token, taker->token);
    taker->told++;
    if (nu_wasm_queue_take(token, &bytes) == NU_WASM_OK) {
        nu_strbuf_add(&taker->seen, nu_strbuf_str(&bytes));
        nu_strbuf_add_char(&taker->seen, ';');
    }
    nu_strbuf_finish(&bytes);
    if (taker->leaves)
        nu_wasm_queue_leave(&taker->listener);
}

static struct nu_loop *loop;
static struct nu_wasm_shared_data *space;

static void open_space(void)
{
    loop = nu_loop_create();
    space = nu_wasm_shared_data_get(NU_STR("a"));
}

static void close_space(void)
{
    nu_wasm_shared_data_unref(&space);
    nu_loop_destroy(&loop);
}

static void begin(struct taker *taker)
{
    *taker = (struct taker){.listener = nu_wasm_queue_listen(loop, taker, on_ready)};
    taker->token = nu_wasm_queue_register(space, NU_STR("q"), taker->listener);
    assert_int_not_equal(taker->token, 0);
}

static void end(struct taker *taker)
{
    nu_wasm_queue_leave(&taker->listener);
    nu_strbuf_finish(&taker->seen);
}

static void add(uint32_t token, const char *text)
{
    assert_int_equal(nu_wasm_queue_add(token, nu_str_from(text)), NU_WASM_OK);
}

TEST(things_are_told_one_by_one_and_later)
{
    struct taker taker;
    open_space();
    begin(&taker);
    assert_int_equal(nu_wasm_queue_resolve(NU_STR("a"), NU_STR("q")), taker.token);
    assert_int_equal(nu_wasm_queue_resolve(NU_STR("b"), NU_STR("q")), 0);
    assert_int_equal(nu_wasm_queue_resolve(NU_STR("a"), NU_STR("r")), 0);
    add(taker.token, "one");
    add(taker.token, "two");
    assert_int_equal(taker.told, 0);
    nu_loop_run_once(loop);
    assert_int_equal(taker.told, 2);
    assert_str(nu_strbuf_str(&taker.seen), "one;two;");
    for (int i = 0; i < 200; i++)
        add(taker.token, "");
    for (int i = 0; i < 10; i++)
        nu_loop_run_once(loop);
    assert_int_equal(taker.told, 202);
    end(&taker);
    close_space();
}

TEST(the_last_that_registered_is_told)
{
    struct taker first;
    struct taker second;
    open_space();
    begin(&first);
    begin(&second);
    assert_int_equal(first.token, second.token);
    add(first.token, "to second");
    nu_loop_run_once(loop);
    nu_wasm_queue_register(space, NU_STR("q"), first.listener);
    add(first.token, "to first");
    nu_loop_run_once(loop);
    assert_str(nu_strbuf_str(&second.seen), "to second;");
    assert_str(nu_strbuf_str(&first.seen), "to first;");
    end(&first);
    end(&second);
    close_space();
}

TEST(what_one_that_left_was_to_be_told_is_told_to_the_one_before)
{
    struct taker first;
    struct taker second;
    open_space();
    begin(&first);
    begin(&second);
    add(first.token, "a");
    add(first.token, "b");
    end(&second);
    add(first.token, "c");
    nu_loop_run_once(loop);
    assert_int_equal(second.told, 0);
    assert_str(nu_strbuf_str(&first.seen), "a;b;c;");
    end(&first);
    close_space();
}

TEST(one_may_leave_when_it_is_told)
{
    struct taker taker;
    open_space();
    begin(&taker);
    taker.leaves = true;
    add(taker.token, "a");
    add(taker.token, "b");
    nu_loop_run_once(loop);
    assert_int_equal(taker.told, 1);
    assert_null(taker.listener);
    add(taker.token, "c"); /* nobody is there */
    nu_loop_run_once(loop);
    uint32_t token = taker.token;
    end(&taker);
    begin(&taker); /* what is in the queue has stayed */
    assert_int_equal(taker.token, token);
    nu_loop_run_once(loop);
    assert_int_equal(taker.told, 0);
    on_ready(&taker, token);
    on_ready(&taker, token);
    assert_str(nu_strbuf_str(&taker.seen), "b;c;");
    end(&taker);
    close_space();
}

TEST(a_loop_may_end_with_something_to_tell)
{
    struct taker taker;
    open_space();
    begin(&taker);
    add(taker.token, "a");
    end(&taker);
    nu_loop_destroy(&loop);
    nu_wasm_shared_data_unref(&space);
}

TEST(queues_end_with_their_space)
{
    struct nu_strbuf bytes = {0};
    struct taker taker;
    open_space();
    begin(&taker);
    add(taker.token, "a");
    nu_wasm_shared_data_unref(&space);
    nu_loop_run_once(loop);
    assert_int_equal(taker.told, 0);
    assert_int_equal(nu_wasm_queue_add(taker.token, NU_STR("b")), NU_WASM_NOT_FOUND);
    assert_int_equal(nu_wasm_queue_take(taker.token, &bytes), NU_WASM_NOT_FOUND);
    assert_int_equal(nu_wasm_queue_resolve(NU_STR("a"), NU_STR("q")), 0);
    end(&taker);
    nu_loop_destroy(&loop);
}

TEST(queues_have_a_bound_together)
{
    struct nu_str half = {test_calloc(1, NU_WASM_QUEUE_BYTES_MAX / 2), NU_WASM_QUEUE_BYTES_MAX / 2};
    struct nu_strbuf bytes = {0};
    struct taker taker;
    open_space();
    begin(&taker);
    assert_int_equal(nu_wasm_queue_add(taker.token, half), NU_WASM_OK);
    assert_int_equal(nu_wasm_queue_add(taker.token, half), NU_WASM_INTERNAL_FAILURE);
    assert_int_equal(nu_wasm_queue_register(space, half, taker.listener), 0);
    assert_int_equal(nu_wasm_queue_take(taker.token, &bytes), NU_WASM_OK);
    assert_int_equal(nu_wasm_queue_add(taker.token, half), NU_WASM_OK);
    size_t count = 0;
    while (nu_wasm_queue_add(taker.token, NU_STR("")) == NU_WASM_OK)
        count++;
    assert_in_range(count, 1, NU_WASM_QUEUE_BYTES_MAX / 2 / 128);
    test_free(nu_unconst(half.ptr));
    nu_strbuf_finish(&bytes);
    end(&taker);
    close_space();
}

static _Atomic int live;

/* Puts things in while others' listeners come and go. */
static void *add_many(void *arg)
{
    const uint32_t *token = arg;
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(nu_wasm_queue_add(*token, NU_STR("x")), NU_WASM_OK);
    atomic_fetch_sub(&live, 1);
    return NULL;
}

/* All that have room: who looked through them would look some forty thousand million times. */
TEST(very_many_queues_are_found_by_name)
{
    struct taker taker;
    char name[16] = "";
    uint32_t count = 0;
    uint32_t first = 0;
    open_space();
    begin(&taker);
    for (uint32_t token; (token = nu_wasm_queue_register(space, nu_str_from(name), taker.listener));
         snprintf(name, sizeof(name), "%u", ++count)) {
        first = count ? first : token;
        assert_int_equal(nu_wasm_queue_register(space, nu_str_from(name), taker.listener), token);
    }
    assert_true(count > 200 * 1000);
    for (uint32_t i = 1; i < count; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(nu_wasm_queue_resolve(NU_STR("a"), nu_str_from(name)), first + i);
    }
    assert_int_equal(nu_wasm_queue_resolve(NU_STR("a"), NU_STR("")), first);
    end(&taker);
    close_space();
}

TEST(threads_put_in_while_listeners_come_and_go)
{
    pthread_t threads[THREADS];
    struct taker taker;
    struct taker passing;
    open_space();
    begin(&taker);
    atomic_store(&live, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &taker.token), 0);
    size_t told = 0;
    while (atomic_load(&live) || taker.told + told < THREADS * ROUNDS) {
        begin(&passing);
        nu_loop_run_once(loop);
        told += passing.told;
        end(&passing);
        nu_loop_run_once(loop);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taker.told + told, THREADS * ROUNDS);
    end(&taker);
    close_space();
}

TEST_MAIN()
