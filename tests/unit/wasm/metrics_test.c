/* SPDX-License-Identifier: Apache-2.0 */
/* A VM's ids of metrics. */
#include "harness/test.h"

#include "wasm/metrics.h"

struct fixture {
    struct nu_stats *stats;
    struct nu_custom_scope *scope;
    struct nu_wasm_metrics metrics;
};

static struct fixture begin(void)
{
    struct fixture fixture = {.stats = nu_stats_create()};
    fixture.scope = nu_custom_scope_create(fixture.stats);
    return fixture;
}

static void end(struct fixture *fixture)
{
    nu_wasm_metrics_finish(&fixture->metrics);
    nu_custom_scope_destroy(&fixture->scope);
    nu_stats_destroy(&fixture->stats);
}

static uint32_t define(struct fixture *fixture, uint32_t type, const char *name)
{
    uint32_t id = 0;
    assert_int_equal(
        nu_wasm_metrics_define(&fixture->metrics, fixture->scope, type, nu_str_from(name), &id),
        NU_WASM_OK);
    return id;
}

TEST(metric_ids_hold_the_type)
{
    struct fixture fixture = begin();
    assert_int_equal(define(&fixture, 0, "a"), 4);
    assert_int_equal(define(&fixture, 1, "a"), 5);
    assert_int_equal(define(&fixture, 2, "a"), 6);
    assert_int_equal(define(&fixture, 0, "b"), 8);
    assert_int_equal(define(&fixture, 2, "b"), 10);
    for (uint32_t id = 0; id < 20; id++) {
        bool is_there = id == 4 || id == 5 || id == 6 || id == 8 || id == 10;
        assert_int_equal(nu_wasm_metrics_find(&fixture.metrics, id) != NULL, is_there);
    }
    assert_null(nu_wasm_metrics_find(&fixture.metrics, UINT32_MAX));
    assert_null(nu_wasm_metrics_find(&fixture.metrics, UINT32_MAX - 3));
    end(&fixture);
}

TEST(metric_type_that_there_is_not)
{
    struct fixture fixture = begin();
    uint32_t id = 7;
    assert_int_equal(nu_wasm_metrics_define(&fixture.metrics, fixture.scope, 3, NU_STR("a"), &id),
                     NU_WASM_BAD_ARGUMENT);
    assert_int_equal(
        nu_wasm_metrics_define(&fixture.metrics, fixture.scope, UINT32_MAX, NU_STR("a"), &id),
        NU_WASM_BAD_ARGUMENT);
    assert_int_equal(id, 7);
    end(&fixture);
}

TEST(metric_defined_for_every_request_neither_grows_nor_fails)
{
    struct fixture fixture = begin();
    assert_int_equal(define(&fixture, 0, "other"), 4);
    for (uint32_t i = 1; i < NU_WASM_METRIC_IDS_MAX; i++)
        assert_int_equal(define(&fixture, 0, "again"), (i + 1) * 4);
    uint32_t last = NU_WASM_METRIC_IDS_MAX * 4;
    assert_int_equal(define(&fixture, 0, "again"), last);
    assert_int_equal(define(&fixture, 0, "other"), 4);
    assert_int_equal(define(&fixture, 1, "again"), 5);
    assert_null(nu_wasm_metrics_find(&fixture.metrics, last + 4));
    assert_ptr_equal(nu_wasm_metrics_find(&fixture.metrics, last)->counter,
                     nu_wasm_metrics_find(&fixture.metrics, 8)->counter);
    uint32_t id = 0;
    assert_int_equal(nu_wasm_metrics_define(&fixture.metrics, fixture.scope, 0, NU_STR("new"), &id),
                     NU_WASM_INTERNAL_FAILURE);
    end(&fixture);
}

TEST(metric_without_statistics_is_refused)
{
    struct nu_wasm_metrics metrics = {0};
    uint32_t id = 0;
    assert_int_equal(nu_wasm_metrics_define(&metrics, NULL, 0, NU_STR("a"), &id),
                     NU_WASM_INTERNAL_FAILURE);
    nu_wasm_metrics_finish(&metrics);
}

TEST_MAIN()
