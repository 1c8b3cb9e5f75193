/* SPDX-License-Identifier: Apache-2.0 */
/* Other code, compiled on a thread of its own while the main thread goes on. */
#include "harness/wasm_filter.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "wasm/renewal.h"

enum { RENEWALS = 3 };

static bool refuse(struct fake_instance *in, const union nu_wasm_value *args,
                   union nu_wasm_value *result)
{
    (void)in, (void)args;
    result->i32 = 0;
    return true;
}

static const struct fake_export no_exports[] = {{NULL, NULL, NULL}};
static const struct fake_export bad_exports[] = {
    {"proxy_on_configure", "ii=i", refuse},
    {NULL, NULL, NULL},
};
static const struct fake_guest one = {.name = "one", .exports = no_exports};
static const struct fake_guest other = {.name = "other", .exports = no_exports};
static const struct fake_guest bad = {.name = "bad", .exports = bad_exports};
static const struct fake_guest unknown = {.name = "nobody's", .exports = no_exports};

static struct wasm_filter w;

/* What was told. */
static struct {
    struct nu_wasm_renewal renewals[RENEWALS];
    size_t done[RENEWALS]; /* which one was told, in this order */
    size_t count;
    size_t errors[RENEWALS];
    bool is_renewed;
    char error[256];
} told;

/* --- The compiler held ------------------------------------------------------------------------ */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint compiled;
static atomic_bool is_other_thread;
static pthread_t main_thread;

static void pass_gate(void)
{
    atomic_fetch_add(&compiled, 1);
    atomic_store(&is_other_thread, !pthread_equal(pthread_self(), main_thread));
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

/* --- Renewals --------------------------------------------------------------------------------- */

static struct nu_wasm_plugin *plugin(void)
{
    return nu_unconst(w.entry.config);
}

static void on_done(struct nu_wasm_renewal *renewal, bool is_renewed,
                    const struct nu_error_list *errors)
{
    assert_true(pthread_equal(pthread_self(), main_thread));
    assert_false(nu_wasm_renewal_is_on_its_way(renewal));
    told.done[told.count++] = (size_t)(renewal - told.renewals);
    told.errors[renewal - told.renewals] = errors->count;
    told.is_renewed = is_renewed;
    if (errors->count)
        snprintf(told.error, sizeof(told.error), "%s", errors->items[0].message);
}

static void load(void)
{
    main_thread = pthread_self();
    memset(&told, 0, sizeof(told));
    fake_add(&other);
    fake_add(&bad);
    fake_on_compile = NULL;
    assert_true(wasm_filter_load(&w, &one, "", ""));
    compiled = 0;
    fake_on_compile = pass_gate;
    for (size_t i = 0; i < RENEWALS; i++) {
        told.renewals[i] =
            (struct nu_wasm_renewal){.plugin = plugin(), .ctx = &w.config.ctx, .on_done = on_done};
        nu_list_init(&told.renewals[i].link);
    }
}

static void renew(size_t i, const struct fake_guest *guest)
{
    struct nu_strbuf module = {0};
    fake_module(guest, &module);
    nu_wasm_renew(&told.renewals[i], nu_strbuf_str(&module));
    nu_strbuf_finish(&module);
}

/* With the gate closed, until the compiler stands before it. */
static void wait_for_compiler(void)
{
    while (!atomic_load(&compiled))
        nu_loop_run_turn(w.loop, 1);
}

static void wait_for(size_t count)
{
    while (told.count < count)
        nu_loop_run_turn(w.loop, 100);
}

/* All are on their way, and none is over: the gate is closed until let_all_go. */
static void renew_all(const struct fake_guest *a, const struct fake_guest *b,
                      const struct fake_guest *c)
{
    pthread_mutex_lock(&gate);
    renew(0, a);
    renew(1, b);
    renew(2, c);
}

static void let_all_go(void)
{
    pthread_mutex_unlock(&gate);
    wait_for(RENEWALS);
}

/* However long the compiler's thread has to wait for its turn. */
static void finish(void)
{
    enum { LONG_SECONDS = 60 }; /* of the real clock: the fixture's stands still */
    time_t end = time(NULL) + LONG_SECONDS;
    while (!nu_thread_services_finish(&w.services, NU_THREADS_MAIN)) {
        assert_true(time(NULL) < end);
        sched_yield();
    }
}

static void end(void)
{
    while (!nu_thread_services_end(&w.services, NU_THREADS_MAIN))
        nu_loop_run_turn(w.loop, 100);
    finish();
    wasm_filter_drop(&w);
}

/* --- Tests ------------------------------------------------------------------------------------ */

TEST(other_code_is_compiled_while_the_main_thread_goes_on)
{
    load();
    const struct nu_wasm_vm_spec *old = plugin()->spec;
    pthread_mutex_lock(&gate);
    renew(0, &other);
    assert_true(nu_wasm_renewal_is_on_its_way(&told.renewals[0]));
    wait_for_compiler();
    assert_int_equal(told.count, 0);
    assert_ptr_equal(plugin()->spec, old);
    pthread_mutex_unlock(&gate);
    wait_for(1);
    assert_true(told.is_renewed);
    assert_int_equal(told.errors[0], 0);
    assert_true(atomic_load(&is_other_thread));
    assert_ptr_not_equal(plugin()->spec, old);
    end();
}

TEST(the_same_code_is_neither_compiled_nor_an_error)
{
    load();
    const struct nu_wasm_vm_spec *old = plugin()->spec;
    renew(0, &one);
    assert_int_equal(told.count, 1);
    assert_false(told.is_renewed);
    assert_int_equal(told.errors[0], 0);
    assert_int_equal(compiled, 0);
    assert_ptr_equal(plugin()->spec, old);
    end();
}

TEST(code_that_cannot_be_compiled_is_an_error)
{
    load();
    renew(0, &unknown);
    wait_for(1);
    assert_false(told.is_renewed);
    assert_int_equal(told.errors[0], 1);
    assert_string_equal(told.error, "the module cannot be compiled: no fake guest has this name");
    end();
}

TEST(code_that_does_not_start_is_an_error)
{
    load();
    renew(0, &bad);
    wait_for(1);
    assert_false(told.is_renewed);
    assert_int_equal(told.errors[0], 1);
    assert_non_null(strstr(told.error, "the plug-in does not start: "));
    end();
}

TEST(one_code_is_compiled_after_the_other_and_each_once)
{
    load();
    renew_all(&other, &other, &unknown);
    let_all_go();
    for (size_t i = 0; i < RENEWALS; i++)
        assert_int_equal(told.done[i], i);
    assert_int_equal(compiled, 2);
    end();
}

/* However many wait for it, there is one copy of the code. */
TEST(those_that_want_the_same_share_it)
{
    load();
    renew_all(&unknown, &other, &other);
    assert_ptr_equal(told.renewals[1].spec, told.renewals[2].spec);
    assert_ptr_not_equal(told.renewals[0].spec, told.renewals[2].spec);
    let_all_go();
    assert_int_equal(compiled, 2);
    end();
}

TEST(those_that_want_what_is_being_compiled_share_it_good_or_bad)
{
    static const struct fake_guest *const guests[] = {&other, &bad, &unknown};
    static const size_t errors[] = {0, 1, 1};
    for (size_t i = 0; i < NU_ARRAY_LEN(guests); i++) {
        load();
        pthread_mutex_lock(&gate);
        renew(0, guests[i]);
        wait_for_compiler();
        renew(1, guests[i]);
        renew(2, guests[i]);
        assert_ptr_equal(told.renewals[0].spec, told.renewals[1].spec);
        assert_ptr_equal(told.renewals[0].spec, told.renewals[2].spec);
        let_all_go();
        assert_int_equal(compiled, 1);
        for (size_t k = 0; k < RENEWALS; k++)
            assert_int_equal(told.errors[k], errors[i]);
        end();
    }
}

TEST(the_end_in_the_middle_waits_and_tells_nobody)
{
    load();
    pthread_mutex_lock(&gate);
    renew(0, &other);
    renew(1, &unknown);
    wait_for_compiler();
    assert_false(nu_thread_services_end(&w.services, NU_THREADS_MAIN));
    renew(2, &other);
    pthread_mutex_unlock(&gate);
    end();
    assert_int_equal(told.count, 0);
    assert_int_equal(compiled, 1);
}

static bool is_over;

static const char *finish_and_read_log(void)
{
    static char text[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    is_over = nu_thread_services_finish(&w.services, NU_THREADS_MAIN);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t size = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* As at a second signal: the loop does not run any more. */
TEST(the_end_at_once_waits_for_the_thread)
{
    load();
    renew(0, &other);
    renew(1, &unknown);
    nu_thread_services_end(&w.services, NU_THREADS_MAIN);
    assert_non_null(strstr(finish_and_read_log(), "waiting for code that is being compiled"));
    finish();
    assert_false(nu_wasm_renewal_is_on_its_way(&told.renewals[0]));
    assert_int_equal(told.count, 0);
    wasm_filter_drop(&w);
}

TEST(the_end_at_once_does_not_wait_for_ever)
{
    load();
    pthread_mutex_lock(&gate);
    renew(0, &other);
    wait_for_compiler();
    assert_non_null(strstr(finish_and_read_log(), "the process ends without it"));
    assert_false(is_over);
    pthread_mutex_unlock(&gate);
    finish();
    assert_int_equal(told.count, 0);
    wasm_filter_drop(&w);
}

TEST_MAIN()
