/* SPDX-License-Identifier: Apache-2.0 */
/* What the VMs of several threads share: data, queues. For the thread sanitizer above all. */
#include "harness/wasm_filter.h"

#include "wasm/plugin.h"
#include "wasm/report.h"
#include "wasm/shared_data.h"

enum { THREADS = 4, ROUNDS = 200, POINTER = 8, SIZE = 16, CAS = 24 };

/* Whatever the others do: one more. */
static void count_up(struct fake_instance *in)
{
    int32_t status;
    do {
        uint32_t value = 0;
        uint32_t key = fake_text(in, "n");
        if (FAKE_CALL(in, "proxy_get_shared_data", key, 1, POINTER, SIZE, CAS) == NU_WASM_OK)
            value = fake_u32(in, fake_u32(in, POINTER));
        value++;
        uint32_t cas = value == 1 ? 0xffffffff : fake_u32(in, CAS);
        status = FAKE_CALL(in, "proxy_set_shared_data", key, 1, fake_bytes(in, &value, 4), 4, cas);
    } while (status == NU_WASM_CAS_MISMATCH);
    assert_int_equal(status, NU_WASM_OK);
}

static atomic_uint taken;

static void pass_on(struct fake_instance *in)
{
    assert_int_equal(FAKE_CALL(in, "proxy_register_shared_queue", FAKE_TEXT(in, "q"), POINTER),
                     NU_WASM_OK);
    uint32_t token = fake_u32(in, POINTER);
    assert_int_equal(FAKE_CALL(in, "proxy_enqueue_shared_queue", token, FAKE_TEXT(in, "x")),
                     NU_WASM_OK);
    int32_t status = FAKE_CALL(in, "proxy_dequeue_shared_queue", token, POINTER, SIZE);
    if (status == NU_WASM_OK)
        atomic_fetch_add(&taken, 1);
}

static bool on_create(struct fake_instance *in, const union nu_wasm_value *args,
                      union nu_wasm_value *result)
{
    (void)result;
    if (args[1].i32 == 0)
        return true; /* a root */
    count_up(in);
    pass_on(in);
    return true;
}

static atomic_uint told;

static bool on_queue_ready(struct fake_instance *in, const union nu_wasm_value *args,
                           union nu_wasm_value *result)
{
    (void)in, (void)args, (void)result;
    atomic_fetch_add(&told, 1);
    return true;
}

static const struct fake_export exports[] = {
    {"proxy_on_context_create", "ii=", on_create},
    {"proxy_on_queue_ready", "ii=", on_queue_ready},
    {NULL, NULL, NULL},
};
static const struct fake_guest guest = {.name = "threads", .exports = exports};

static struct wasm_filter w;
static pthread_barrier_t together;

static void *work(void *arg)
{
    struct nu_loop *loop = wasm_worker_enter(&w, arg);
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        struct nu_wasm_context *root = nu_wasm_plugin_root(w.entry.config);
        struct nu_wasm_context context;
        nu_wasm_context_open(&context, root, NULL);
        nu_wasm_context_close(&context);
        nu_loop_run_once(loop);
    }
    pthread_barrier_wait(&together);
    wasm_worker_leave(&w, &loop);
    return NULL;
}

TEST(threads_count_and_pass_on_together)
{
    struct wasm_worker workers[THREADS];
    assert_true(wasm_filter_load(&w, &guest, "", ""));
    pthread_barrier_init(&together, NULL, THREADS);
    wasm_workers_start(workers, THREADS, work);
    wasm_workers_join(workers, THREADS);
    pthread_barrier_destroy(&together);

    const struct nu_wasm_plugin *plugin = w.entry.config;
    struct nu_strbuf value = {0};
    uint32_t cas;
    uint32_t count = 0;
    assert_int_equal(nu_wasm_shared_data_read(plugin->spec->shared, NU_STR("n"), &value, &cas),
                     NU_WASM_OK);
    memcpy(&count, value.data, sizeof(count));
    assert_int_equal(count, THREADS * ROUNDS);
    assert_int_equal(atomic_load(&taken), THREADS * ROUNDS);
    assert_true(atomic_load(&told) > 0);
    nu_strbuf_finish(&value);
    wasm_filter_drop(&w);
}

/* --- What is told of VMs while they come and go -------------------------------------------------- */

static void *come_and_go(void *arg)
{
    struct wasm_worker *worker = arg;
    struct nu_strbuf error = {0};
    nu_thread_enter(worker->index, "worker");
    struct nu_loop *loop = nu_loop_create();
    const struct nu_wasm_plugin *plugin = w.entry.config;
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        struct nu_wasm_vm *vm = nu_wasm_vm_create(plugin->spec, loop, NULL, &error);
        assert_non_null(vm);
        nu_wasm_vm_destroy(&vm);
    }
    nu_loop_destroy(&loop);
    nu_thread_leave();
    return NULL;
}

TEST(vms_are_told_while_they_come_and_go)
{
    struct wasm_worker worker;
    size_t count;
    assert_true(wasm_filter_load(&w, &guest, "", ""));
    pthread_barrier_init(&together, NULL, 2);
    wasm_workers_start(&worker, 1, come_and_go);
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        struct nu_arena arena;
        nu_arena_init(&arena);
        const struct nu_wasm_vm_row *rows = nu_wasm_report_list(&arena, &count);
        assert_true(count <= 1);
        if (count)
            assert_int_equal(rows[0].thread, 1);
        nu_arena_finish(&arena);
    }
    wasm_workers_join(&worker, 1);
    pthread_barrier_destroy(&together);
    wasm_filter_drop(&w);
}

TEST_MAIN()
