/* SPDX-License-Identifier: Apache-2.0 */
/* Services of threads: which thread starts them, what it asks of them, and when they end. */
#include "harness/test.h"

#include "event/thread_service.h"

struct service {
    struct nu_thread_service base;
    unsigned started;
    unsigned asked;
    unsigned asks_needed; /* before it has ended */
    unsigned finished;
    bool goes_on;
};

static struct service *service_of(struct nu_thread_service *base)
{
    return nu_container_of(base, struct service, base);
}

static void on_start(struct nu_thread_service *base, struct nu_loop *loop)
{
    (void)loop;
    service_of(base)->started++;
}

static bool on_end(struct nu_thread_service *base)
{
    return ++service_of(base)->asked >= service_of(base)->asks_needed;
}

static bool on_finish(struct nu_thread_service *base)
{
    service_of(base)->finished++;
    return !service_of(base)->goes_on;
}

static void add(struct nu_list *list, struct service *service, enum nu_thread_place place,
                unsigned asks_needed)
{
    *service = (struct service){
        .base = {.place = place, .start = on_start, .end = on_end, .finish = on_finish},
        .asks_needed = asks_needed,
    };
    nu_list_init(&service->base.link);
    nu_list_add_last(list, &service->base.link);
}

TEST(a_thread_calls_the_services_of_its_place)
{
    struct nu_list list;
    struct service main_one;
    struct service worker_one;
    nu_list_init(&list);
    add(&list, &main_one, NU_THREADS_MAIN, 1);
    add(&list, &worker_one, NU_THREADS_WORKERS, 1);
    nu_thread_services_start(&list, NU_THREADS_WORKERS, NULL);
    assert_true(nu_thread_services_end(&list, NU_THREADS_WORKERS));
    nu_thread_services_finish(&list, NU_THREADS_WORKERS);
    assert_int_equal(main_one.started + main_one.asked + main_one.finished, 0);
    assert_int_equal(worker_one.started, 1);
    assert_int_equal(worker_one.asked, 1);
    assert_int_equal(worker_one.finished, 1);
}

TEST(a_thread_that_goes_on_is_told_of_and_the_others_are_finished)
{
    struct nu_list list;
    struct service first;
    struct service second;
    nu_list_init(&list);
    add(&list, &first, NU_THREADS_MAIN, 1);
    add(&list, &second, NU_THREADS_MAIN, 1);
    first.goes_on = true;
    assert_false(nu_thread_services_finish(&list, NU_THREADS_MAIN));
    assert_int_equal(first.finished + second.finished, 2);
}

TEST(an_end_is_over_when_all_say_so_and_each_is_asked)
{
    struct nu_list list;
    struct service slow;
    struct service quick;
    nu_list_init(&list);
    add(&list, &slow, NU_THREADS_MAIN, 3);
    add(&list, &quick, NU_THREADS_MAIN, 1);
    assert_false(nu_thread_services_end(&list, NU_THREADS_MAIN));
    assert_false(nu_thread_services_end(&list, NU_THREADS_MAIN));
    assert_true(nu_thread_services_end(&list, NU_THREADS_MAIN));
    assert_int_equal(quick.asked, 3);
}

TEST(a_list_without_services_has_ended)
{
    struct nu_list list;
    nu_list_init(&list);
    assert_true(nu_thread_services_end(&list, NU_THREADS_MAIN));
}

TEST_MAIN()
