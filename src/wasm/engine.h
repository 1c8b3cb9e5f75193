/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that runs WebAssembly, as the proxy-wasm host sees it: it compiles a module, makes
 * instances of it and calls their functions. It knows nothing of proxies.
 *
 * An engine is a shared object of its own (wasm/v8), which wasm/loader.h loads when a configuration
 * asks for wasm and not before. Two tables of function pointers cross the boundary: the engine's
 * (struct nu_wasm_engine), which is its only symbol, and the host's functions (struct
 * nu_wasm_import), which a guest imports. An engine uses no symbol of nuncio.
 *
 * Threads: compile, code_ref, code_unref and terminate may be called on any thread. An instance
 * belongs to the thread that made it; everything else about it happens there.
 *
 * Failure: what the guest does wrong, its bytes included, is an outcome with a text. An engine ends
 * the process only where memory has run out.
 */
#ifndef NU_WASM_ENGINE_H
#define NU_WASM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with any struct or meaning in this file: the module must be of the same build. */
#define NU_WASM_ENGINE_ABI 3u
/* The symbol of the module that holds its struct nu_wasm_engine. */
#define NU_WASM_ENGINE_SYMBOL "nuncio_wasm_engine"

enum {
    NU_WASM_ARGS_MAX = 16,   /* of a call in either direction */
    NU_WASM_FRAMES_MAX = 20, /* of a backtrace */
};

struct nu_wasm_code;     /* compiled code, shared by threads; counted */
struct nu_wasm_instance; /* a guest with its memory, of one thread */
struct nu_wasm_function; /* an exported function; lives as long as its instance */

/* A number as it crosses the boundary; which member counts says the function's type. */
union nu_wasm_value {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
};

/*
 * Types of functions as text: a letter for each parameter, then "=", then one for the result if
 * there is any: "iil=i". i: i32, l: i64, f: f32, d: f64.
 */

/* A host function, constant. */
struct nu_wasm_import {
    const char *module;
    const char *name;
    const char *type;
    /*
     * `host` is the instance's. Returns NULL, with `*result` set if there is a result; or a text,
     * valid until the guest's call has returned: the call ends then with a trap that says so, which
     * the guest cannot catch. It may call functions of the instance; where such a call fails it
     * must return a text as well. NULL: `refuse` of the instance's parameters is called instead.
     */
    const char *(*call)(void *host, const union nu_wasm_value *args, union nu_wasm_value *result);
};

/* A memory or a table that the code imports and the engine makes for each instance, constant. */
struct nu_wasm_storage {
    const char *module;
    const char *name;
    enum {
        NU_WASM_STORES_BYTES,     /* a memory, in pages of 64 KiB */
        NU_WASM_STORES_FUNCTIONS, /* a table */
        NU_WASM_STORES_REFERENCES /* a table of externref */
    } kind;
    uint32_t min;
    uint32_t max;
};

enum nu_wasm_outcome {
    NU_WASM_DONE,
    NU_WASM_TRAPPED,    /* nu_wasm_trap says why */
    NU_WASM_TERMINATED, /* `terminate` ended it */
};

/* Why the last call failed; valid until the instance's next call or end. */
struct nu_wasm_trap {
    const char *message;                    /* one line, such as "RuntimeError: unreachable" */
    const char *frames[NU_WASM_FRAMES_MAX]; /* names of functions, the innermost first */
    size_t frame_count;
};

struct nu_wasm_instance_params {
    /* All functions that the code imports, with NULL in between; they outlive it. */
    const struct nu_wasm_import *const *imports;
    size_t import_count;
    const struct nu_wasm_storage *storage; /* the rest that it imports: one memory at most */
    size_t storage_count;
    void *host; /* what host functions are given */
    /* Called for an import that has no code, and sets its result. Needed if there is such a one. */
    void (*refuse)(void *host, const struct nu_wasm_import *import, union nu_wasm_value *result);
    const char *memory; /* name of the exported memory; an imported one goes before it */
    size_t stack_bytes; /* how deep calls may go; cut to what the thread has */
};

struct nu_wasm_engine {
    uint32_t abi;        /* NU_WASM_ENGINE_ABI */
    const char *name;    /* as in Envoy's statistics: "v8" */
    const char *version; /* for people: "V8 10.2.154.26-node.36" */

    /* Makes the engine ready, once a process, before anything else; it stays so until the process
     * ends. `threads` compile behind the guests' backs. False with a text in `error`. */
    bool (*start)(unsigned threads, char *error, size_t error_size);

    /* Compiles a module, whose bytes are copied. NULL with a text in `error`. The caller owns the
     * one reference. */
    struct nu_wasm_code *(*compile)(const uint8_t *bytes, size_t size, char *error,
                                    size_t error_size);
    void (*code_ref)(struct nu_wasm_code *code);
    void (*code_unref)(struct nu_wasm_code *code);

    /* Makes an instance, which keeps a reference of `code`. Code with a start section runs it here;
     * host functions are then called before this returns. NULL with a text in `error`. */
    struct nu_wasm_instance *(*instantiate)(struct nu_wasm_code *code,
                                            const struct nu_wasm_instance_params *params,
                                            char *error, size_t error_size);
    /* Never while one of its functions runs. NULL is allowed. */
    void (*destroy)(struct nu_wasm_instance *instance);

    /* An exported function by name; NULL if there is none. `type` must be its type, and outlive the
     * instance. */
    struct nu_wasm_function *(*find)(struct nu_wasm_instance *instance, const char *name,
                                     const char *type);
    /* Calls it; `result` may be NULL. May be called by a host function, too. */
    enum nu_wasm_outcome (*call)(struct nu_wasm_instance *instance,
                                 struct nu_wasm_function *function, const union nu_wasm_value *args,
                                 union nu_wasm_value *result);
    const struct nu_wasm_trap *(*trap)(const struct nu_wasm_instance *instance);
    /* The guest's memory as it is now; every call of a guest's function may move it. */
    uint8_t *(*memory)(struct nu_wasm_instance *instance, size_t *size);

    /* Ends the call that runs, from another thread; if none runs, the next one ends at once. */
    void (*terminate)(struct nu_wasm_instance *instance);
    /* Takes a termination back that came too late. On the instance's thread. */
    void (*cancel_terminate)(struct nu_wasm_instance *instance);
};

#ifdef __cplusplus
}
#endif

#endif
