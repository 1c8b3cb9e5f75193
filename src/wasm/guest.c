/* SPDX-License-Identifier: Apache-2.0 */
/* Instances within their limits, and how a guest dies. */
#include "wasm/guest.h"

#include "wasm/restriction.h"

enum {
    PAGE_BYTES = 64 * 1024,
    ERROR_BYTES = 1024,
    CALLS_TO_LOOK = 15,
};

const struct nu_wasm_limits nu_wasm_default_limits = {
    .memory_bytes = (uint64_t)1024 * 1024 * 1024,
    .stack_bytes = 512 * 1024,
    .call_cpu_ns = (uint64_t)1000 * 1000 * 1000,
    .start_cpu_ns = (uint64_t)60 * 1000 * 1000 * 1000,
    .table_entries = 1000 * 1000,
};

/* --- Programs --------------------------------------------------------------------------------- */

static struct nu_wasm_code *compile(const struct nu_wasm_program *program, struct nu_strbuf *error)
{
    const struct nu_wasm_limits *limits = &program->limits;
    char text[ERROR_BYTES] = "";
    struct nu_strbuf bytes = {0};
    struct nu_wasm_code *code = NULL;
    if (nu_wasm_module_prepare(program->module, (uint32_t)(limits->memory_bytes / PAGE_BYTES),
                               limits->table_entries, &bytes, error)) {
        code = program->engine->compile((const uint8_t *)bytes.data, bytes.len, text, sizeof(text));
        if (!code)
            nu_strbuf_add_cstr(error, text);
    }
    nu_strbuf_finish(&bytes);
    return code;
}

bool nu_wasm_program_init(struct nu_wasm_program *program, const struct nu_wasm_engine *engine,
                          const struct nu_wasm_module *module,
                          const struct nu_wasm_import *const *imports,
                          const struct nu_wasm_limits *limits, struct nu_arena *arena,
                          struct nu_strbuf *error)
{
    *program = (struct nu_wasm_program){
        .engine = engine,
        .module = module,
        .memory_name = nu_wasm_module_memory_name(module, arena),
        .imports = imports,
        .import_count = module->import_count,
        .limits = *limits,
    };
    if (!program->memory_name && !module->is_memory_imported) {
        nu_strbuf_add_cstr(error, "it exports no memory");
        return false;
    }
    program->storage =
        nu_wasm_module_storage(module, (uint32_t)(limits->memory_bytes / PAGE_BYTES),
                               limits->table_entries, arena, &program->storage_count, error);
    if (!program->storage)
        return false;
    program->code = compile(program, error);
    return program->code != NULL;
}

void nu_wasm_program_finish(struct nu_wasm_program *program)
{
    if (program->code)
        program->engine->code_unref(program->code);
    program->code = NULL;
}

/* --- Guests ----------------------------------------------------------------------------------- */

bool nu_wasm_guest_init(struct nu_wasm_guest *guest, const struct nu_wasm_program *program,
                        void *host, struct nu_strbuf *error)
{
    char text[ERROR_BYTES] = "";
    struct nu_wasm_instance_params params = {
        .imports = program->imports,
        .import_count = program->import_count,
        .storage = program->storage,
        .storage_count = program->storage_count,
        .host = host,
        .refuse = nu_wasm_restriction_refuse,
        .memory = program->memory_name,
        .stack_bytes = program->limits.stack_bytes,
    };
    *guest = (struct nu_wasm_guest){.engine = program->engine};
    guest->instance = guest->engine->instantiate(program->code, &params, text, sizeof(text));
    if (!guest->instance) {
        nu_strbuf_add_cstr(error, text);
        return false;
    }
    guest->limits = &program->limits;
    nu_wasm_watch_start(&guest->watch, guest->engine, guest->instance, program->limits.call_cpu_ns);
    return true;
}

void nu_wasm_guest_set_starting(struct nu_wasm_guest *guest, bool is_starting)
{
    const struct nu_wasm_limits *limits = guest->limits;
    guest->is_starting = is_starting;
    nu_wasm_watch_limit(&guest->watch, is_starting ? limits->start_cpu_ns : limits->call_cpu_ns);
}

void nu_wasm_guest_finish(struct nu_wasm_guest *guest)
{
    if (guest->instance) {
        nu_wasm_watch_stop(&guest->watch);
        guest->engine->destroy(guest->instance);
    }
    guest->instance = NULL;
    nu_strbuf_finish(&guest->failure);
}

struct nu_wasm_function *nu_wasm_guest_find(struct nu_wasm_guest *guest, const char *name,
                                            const char *type)
{
    return guest->engine->find(guest->instance, name, type);
}

static void tell_time(struct nu_wasm_guest *guest, const char *name)
{
    const struct nu_wasm_limits *limits = guest->limits;
    bool is_starting = guest->is_starting;
    uint64_t limit_ns = is_starting ? limits->start_cpu_ns : limits->call_cpu_ns;
    nu_strbuf_addf(&guest->failure,
                   "%s took longer than %llu ms of CPU time (%s of nuncio.bootstrap.wasm_limits)",
                   name, (unsigned long long)(limit_ns / 1000000),
                   is_starting ? "start_cpu_time" : "callback_cpu_time");
}

static void die(struct nu_wasm_guest *guest, const char *name, bool is_terminated)
{
    const struct nu_wasm_trap *trap = guest->engine->trap(guest->instance);
    struct nu_strbuf *failure = &guest->failure;
    guest->dead = true;
    if (is_terminated) {
        tell_time(guest, name);
        return;
    }
    nu_strbuf_addf(failure, "%s failed: %s", name, trap->message);
    for (size_t i = 0; i < trap->frame_count; i++)
        nu_strbuf_addf(failure, "\n  %zu: %s", i, trap->frames[i]);
}

/* Host functions look at nearly every call; a guest that calls none may still grow. */
static void look(struct nu_wasm_guest *guest)
{
    guest->calls_to_look = CALLS_TO_LOOK;
    nu_wasm_guest_memory_size(guest);
}

bool nu_wasm_guest_call(struct nu_wasm_guest *guest, struct nu_wasm_function *function,
                        const char *name, const union nu_wasm_value *args,
                        union nu_wasm_value *result)
{
    if (guest->dead)
        return false;
    bool is_outermost = guest->depth++ == 0;
    if (is_outermost)
        nu_wasm_watch_enter(&guest->watch);
    enum nu_wasm_outcome outcome = guest->engine->call(guest->instance, function, args, result);
    guest->depth--;
    if (is_outermost && !nu_wasm_watch_leave(&guest->watch))
        outcome = NU_WASM_TERMINATED;
    if (is_outermost && guest->calls_to_look-- == 0)
        look(guest);
    if (outcome != NU_WASM_DONE && !guest->dead)
        die(guest, name, outcome == NU_WASM_TERMINATED);
    return !guest->dead;
}

uint8_t *nu_wasm_guest_bytes(struct nu_wasm_guest *guest, uint32_t at, uint32_t n)
{
    size_t size = 0;
    uint8_t *base = guest->engine->memory(guest->instance, &size);
    guest->memory_bytes = size;
    if (n == 0)
        return base ? base : (uint8_t *)nu_unconst("");
    return n <= size && at <= size - n ? base + at : NULL;
}

size_t nu_wasm_guest_memory_size(struct nu_wasm_guest *guest)
{
    size_t size = 0;
    guest->engine->memory(guest->instance, &size);
    guest->memory_bytes = size;
    return size;
}
