/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest: one instance of a module within its limits, and the calls of its functions. A guest that
 * failed once is dead: no call is made again, since nobody knows in what state it was left.
 *
 * It belongs to the thread that made it.
 */
#ifndef NU_WASM_GUEST_H
#define NU_WASM_GUEST_H

#include "wasm/binary.h"
#include "wasm/watchdog.h"

struct nu_wasm_limits {
    uint64_t memory_bytes; /* of the guest's memory; up to 4 GiB */
    size_t stack_bytes;
    uint64_t call_cpu_ns;  /* of one call from outside, with all that it calls */
    uint64_t start_cpu_ns; /* the same while the guest starts */
    uint32_t table_entries;
};

/* Envoy's limit of memory, and what serves everybody else. */
extern const struct nu_wasm_limits nu_wasm_default_limits;

/* A module, checked and compiled, for guests on all threads. Immutable but for its count. */
struct nu_wasm_program {
    const struct nu_wasm_engine *engine;
    const struct nu_wasm_module *module; /* borrowed */
    struct nu_wasm_code *code;           /* owned */
    const char *memory_name;             /* NULL: it exports none, but imports one */
    /* What it imports, in its order; in the arena. */
    const struct nu_wasm_import *const *imports;
    size_t import_count;
    const struct nu_wasm_storage *storage; /* in the arena */
    size_t storage_count;
    struct nu_wasm_limits limits;
};

/*
 * Compiles `module`, whose imports are `imports`, one for each. False, with a text in `error`.
 * `module` must outlive the program. nu_wasm_program_finish frees what is in it.
 */
NU_MUST_USE bool nu_wasm_program_init(struct nu_wasm_program *program,
                                      const struct nu_wasm_engine *engine,
                                      const struct nu_wasm_module *module,
                                      const struct nu_wasm_import *const *imports,
                                      const struct nu_wasm_limits *limits, struct nu_arena *arena,
                                      struct nu_strbuf *error);
void nu_wasm_program_finish(struct nu_wasm_program *program);

struct nu_wasm_guest {
    const struct nu_wasm_engine *engine;
    struct nu_wasm_instance *instance;   /* owned */
    const struct nu_wasm_limits *limits; /* the program's */
    struct nu_wasm_watch watch;
    unsigned depth;         /* of calls that run */
    unsigned calls_to_look; /* until its memory is looked at, if nobody does before */
    size_t memory_bytes;    /* what it was when it was looked at */
    bool is_starting;       /* the limit of such calls holds */
    bool dead;
    /* Why it died: a first line, then the backtrace, a line each. Empty while it lives. */
    struct nu_strbuf failure;
};

/* Makes the guest, which begins with no code of it run but what V8 needs. False with a text in
 * `error`; it is finished then. */
NU_MUST_USE bool nu_wasm_guest_init(struct nu_wasm_guest *guest,
                                    const struct nu_wasm_program *program, void *host,
                                    struct nu_strbuf *error);
/* Never under one of its calls. */
void nu_wasm_guest_finish(struct nu_wasm_guest *guest);

/* An exported function of this type, or NULL. Both texts outlive the guest. */
struct nu_wasm_function *nu_wasm_guest_find(struct nu_wasm_guest *guest, const char *name,
                                            const char *type);
/* Says which limit of CPU time holds from the next call on: that of a guest's start and of taking its
 * configuration, or the usual one, as at first. Never under one of its calls. */
void nu_wasm_guest_set_starting(struct nu_wasm_guest *guest, bool is_starting);
/*
 * Calls a function. False if the guest is dead, before or after; `guest->failure` says why then.
 * `name` is for that text. May be called by host functions.
 */
NU_MUST_USE bool nu_wasm_guest_call(struct nu_wasm_guest *guest, struct nu_wasm_function *function,
                                    const char *name, const union nu_wasm_value *args,
                                    union nu_wasm_value *result);

/* `n` bytes of the guest's memory, or NULL if it has not so many there. Valid until the guest runs
 * again. For no bytes any address is right. */
uint8_t *nu_wasm_guest_bytes(struct nu_wasm_guest *guest, uint32_t at, uint32_t n);
/* Bytes of its memory now. */
size_t nu_wasm_guest_memory_size(struct nu_wasm_guest *guest);

#endif
