/* SPDX-License-Identifier: Apache-2.0 */
/* Other code for a plug-in whose threads are at work, and how long a root may take to end. */
#include "harness/wasm_filter.h"

#include "wasm/plugin_internal.h"
#include "wasm/wasm_stats.h"

enum { THREADS = 4, CHANGES = 100, ROOT = 1, PATIENCE_MS = 60 * 1000 };

static atomic_uint made;    /* roots */
static atomic_uint deleted; /* of those */
static atomic_uint others;  /* contexts of streams in a VM of the second code */
static atomic_bool is_slow; /* on_done returns false */

static bool on_create(struct fake_instance *in, const union nu_wasm_value *args,
                      union nu_wasm_value *result)
{
    (void)in, (void)result;
    if (args[1].i32 == 0)
        atomic_fetch_add(&made, 1);
    return true;
}

static bool on_create_other(struct fake_instance *in, const union nu_wasm_value *args,
                            union nu_wasm_value *result)
{
    if (args[1].i32 != 0)
        atomic_fetch_add(&others, 1);
    return on_create(in, args, result);
}

static bool on_done(struct fake_instance *in, const union nu_wasm_value *args,
                    union nu_wasm_value *result)
{
    (void)in, (void)args;
    result->i32 = !atomic_load(&is_slow);
    return true;
}

static bool on_delete(struct fake_instance *in, const union nu_wasm_value *args,
                      union nu_wasm_value *result)
{
    (void)in, (void)result;
    if (args[0].i32 == ROOT)
        atomic_fetch_add(&deleted, 1);
    return true;
}

static bool on_configure(struct fake_instance *in, const union nu_wasm_value *args,
                         union nu_wasm_value *result)
{
    (void)in, (void)args;
    result->i32 = 0;
    return true;
}

static const struct fake_export exports[] = {
    {"proxy_on_context_create", "ii=", on_create},
    {"proxy_on_done", "i=i", on_done},
    {"proxy_on_delete", "i=", on_delete},
    {NULL, NULL, NULL},
};
static const struct fake_export other_exports[] = {
    {"proxy_on_context_create", "ii=", on_create_other},
    {"proxy_on_done", "i=i", on_done},
    {"proxy_on_delete", "i=", on_delete},
    {NULL, NULL, NULL},
};
static const struct fake_export bad_exports[] = {
    {"proxy_on_configure", "ii=i", on_configure},
    {NULL, NULL, NULL},
};
static const struct fake_guest guests[] = {
    {.name = "one", .exports = exports},
    {.name = "other", .exports = other_exports},
    {.name = "bad", .exports = bad_exports},
};

static struct wasm_filter w;

static struct nu_wasm_plugin *plugin(void)
{
    return nu_unconst(w.entry.config);
}

static void load(void)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(guests); i++)
        fake_add(&guests[i]);
    made = deleted = others = 0;
    is_slow = false;
    assert_true(wasm_filter_load(&w, &guests[0], "", ""));
    assert_int_equal(made, 1); /* tried out, and told nothing of its end */
    made = 0;
}

/* What VMs of another code are made of. */
static struct nu_wasm_vm_spec *renew(const struct fake_guest *guest)
{
    struct nu_strbuf module = {0};
    fake_module(guest, &module);
    struct nu_str code;
    struct nu_strbuf error = {0};
    const char *what;
    unsigned char room[NU_WASM_KEY_BYTES];
    struct nu_str key = nu_wasm_vm_spec_key(plugin()->spec, nu_strbuf_str(&module), room);
    struct nu_wasm_vm_spec *spec =
        nu_wasm_vm_spec_renew(plugin()->spec, key, nu_strbuf_str(&module), &code);
    assert_true(nu_wasm_vm_spec_compile(spec, code, &what, &error));
    nu_strbuf_finish(&error);
    nu_strbuf_finish(&module);
    return spec;
}

/* VMs that there are. */
static uint64_t active(void)
{
    return nu_stat_set_gauge(plugin()->spec->stats, offsetof(struct nu_wasm_runtime_stats, active));
}

/* --- Threads at work ---------------------------------------------------------------------------- */

static atomic_bool is_over;

/* Contexts that are open while the code changes, and new ones. */
static void *work(void *arg)
{
    struct nu_loop *loop = wasm_worker_enter(&w, arg);
    while (!atomic_load(&is_over)) {
        struct nu_wasm_context contexts[2];
        for (size_t i = 0; i < NU_ARRAY_LEN(contexts); i++) {
            nu_wasm_context_open(&contexts[i], nu_wasm_plugin_root(plugin()), NULL);
            nu_loop_run_once(loop);
        }
        for (size_t i = 0; i < NU_ARRAY_LEN(contexts); i++)
            nu_wasm_context_close(&contexts[i]);
    }
    wasm_worker_leave(&w, &loop);
    return NULL;
}

TEST(threads_take_other_code_and_let_go_of_what_they_had)
{
    struct wasm_worker workers[THREADS];
    is_over = false;
    load();
    wasm_workers_start(workers, THREADS, work);
    for (unsigned i = 0; i < CHANGES || !atomic_load(&others); i++) {
        nu_wasm_plugin_set_spec(plugin(), renew(&guests[(i + 1) % 2]));
        sched_yield();
    }
    atomic_store(&is_over, true);
    wasm_workers_join(workers, THREADS);
    assert_true(atomic_load(&made) >= THREADS);
    assert_int_equal(atomic_load(&made), atomic_load(&deleted));
    assert_int_equal(active(), 0);
    wasm_filter_drop(&w);
}

/* --- One thread --------------------------------------------------------------------------------- */

TEST(other_code_has_the_same_settings)
{
    load();
    struct nu_wasm_vm_spec *spec = renew(&guests[1]);
    const struct nu_wasm_vm_spec *old = plugin()->spec;
    assert_ptr_not_equal(spec, old);
    assert_true(nu_str_eq(spec->vm_id, old->vm_id));
    assert_ptr_equal(spec->shared, old->shared);
    assert_ptr_equal(spec->stats, old->stats);
    assert_ptr_equal(spec->metrics, old->metrics);
    assert_ptr_equal(spec->main_loop, old->main_loop);
    assert_int_equal(spec->program.limits.memory_bytes, old->program.limits.memory_bytes);
    nu_wasm_vm_spec_unref(&spec);
    wasm_filter_drop(&w);
}

TEST(a_root_stays_where_the_new_one_does_not_start)
{
    load();
    wasm_filter_start(&w, w.loop);
    struct nu_wasm_context *root = nu_wasm_plugin_root(plugin());
    nu_wasm_plugin_set_spec(plugin(), renew(&guests[2]));
    nu_loop_run_once(w.loop);
    assert_ptr_equal(nu_wasm_plugin_root(plugin()), root);
    assert_int_equal(deleted, 0);
    nu_wasm_plugin_set_spec(plugin(), renew(&guests[1]));
    nu_loop_run_once(w.loop);
    assert_ptr_not_equal(nu_wasm_plugin_root(plugin()), root);
    assert_int_equal(deleted, 1);
    wasm_filter_end(&w, w.loop);
    wasm_filter_drop(&w);
}

TEST(a_root_that_is_never_done_has_a_minute)
{
    load();
    is_slow = true;
    wasm_filter_start(&w, w.loop);
    nu_wasm_plugin_set_spec(plugin(), renew(&guests[1]));
    nu_loop_run_once(w.loop);
    assert_int_equal(active(), 2);
    nu_clock_fake_advance((PATIENCE_MS - 100) * 1000);
    nu_loop_run_once(w.loop);
    assert_int_equal(deleted, 0);
    nu_clock_fake_advance(200 * 1000);
    nu_loop_run_once(w.loop);
    assert_int_equal(deleted, 1);
    assert_int_equal(active(), 1);
    wasm_filter_end(&w, w.loop);
    assert_int_equal(deleted, 2);
    wasm_filter_drop(&w);
}

TEST_MAIN()
