/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy-wasm VM: a guest with its contexts, on one thread. Context 0 is the VM itself, a root
 * context stands for a plug-in's configuration, a stream context for a request.
 *
 *     nu_wasm_vm_spec    what VMs are made of: code, its configuration; immutable, all threads, counted
 *     nu_wasm_plugin     a plug-in's configuration (wasm/plugin.h); immutable, all threads
 *     nu_wasm_vm         one thread's VM; counted: its roots hold it
 *     nu_wasm_context    a root (counted: the plug-in's hold, its streams) or a stream (embedded in
 *                        its owner)
 *
 * A root that nobody holds any more ends: on_done, and on_delete at once or when the guest has
 * called proxy_done, for which it has a minute. A VM goes with its last root. Both happen at the
 * end of a turn, never below a call.
 *
 * Host functions (host_*.c) run below a guest's call and change nothing that could call the guest
 * again: what a guest asks for that may (going on, a reply, a reset) is noted in its stream, and
 * done by who called the guest (wasm/http_stream.h).
 */
#ifndef NU_WASM_VM_H
#define NU_WASM_VM_H

#include "event/loop.h"
#include "event/timer.h"
#include "base/thread.h"
#include "wasm/abi.h"
#include "wasm/callout.h"
#include "wasm/guest.h"
#include "wasm/metrics.h"
#include "wasm/report.h"

struct nu_custom_scope;
struct nu_dns_resolver;
struct nu_format_context;
struct nu_stat_set;
struct nu_stream_info;
struct nu_wasm_asker;
struct nu_wasm_context;
struct nu_wasm_declared;
struct nu_wasm_expressions;
struct nu_wasm_http_stream;
struct nu_wasm_plugin;
struct nu_wasm_queue_listener;
struct nu_wasm_restriction;
struct nu_wasm_shared_data;
struct nu_wasm_tcp_stream;
struct nu_wasm_vm;

struct nu_wasm_vm_spec {
    _Atomic uint32_t references;
    _Atomic uint32_t failures; /* of its guests, on all threads */
    struct nu_arena arena;     /* all that it is made of */
    struct nu_str key;         /* the same for VMs that are one */
    struct nu_wasm_program program;
    enum nu_wasm_abi abi;
    struct nu_wasm_shared_data *shared;    /* a reference */
    struct nu_wasm_vm *vms[NU_THREAD_MAX]; /* each its thread's, which made it last; borrowed */
    /* From here to the end are settings: borrowed from the configuration, and copied as a whole
     * where the code alone has changed. */
    struct nu_str vm_id;
    struct nu_str configuration;
    const struct nu_str *environment; /* "NAME=value" */
    size_t environment_count;
    const struct nu_wasm_restriction *restriction; /* what it may do; NULL: everything */
    struct nu_dns_resolver *dns;                   /* of `main_loop`; NULL: none */
    struct nu_loop *main_loop;
    struct nu_stat_set *stats;       /* of its runtime; NULL: not counted */
    struct nu_custom_scope *metrics; /* its guests'; NULL: there can be none */
};

/* What a VM knows of clusters that is no thread's, but tries a configuration out: their names. Its
 * calls are accepted as a thread's would be, and nothing comes of them. */
struct nu_wasm_trial {
    bool (*has_cluster)(const void *owner, struct nu_str name); /* NULL: there are none */
    const void *owner;
};

static inline bool nu_wasm_trial_has_cluster(const struct nu_wasm_trial *trial, struct nu_str name)
{
    return trial->has_cluster && trial->has_cluster(trial->owner, name);
}

struct nu_wasm_context {
    struct nu_list link; /* of the VM's contexts with ids like this one */
    uint32_t id;
    struct nu_wasm_vm *vm;
    struct nu_wasm_context *root;        /* itself for a root context */
    const struct nu_wasm_plugin *plugin; /* NULL for the VM's own context */
    struct nu_wasm_http_stream *stream;  /* NULL unless it is a request's */
    struct nu_wasm_tcp_stream *tcp;      /* NULL unless it is a connection's */
    /* A root's, while it is told of a stream for the log (wasm/logger.h); else NULL. */
    const struct nu_format_context *logged;
    struct nu_wasm_declared *declared; /* properties; a root's are owned: property.h */
    /* Of a root: */
    bool is_reported; /* it is in the VM's report */
    uint32_t references;
    struct nu_timer tick;
    uint32_t tick_ms;
    struct nu_wasm_queue_listener *queues;   /* of one that registered some; owned */
    struct nu_wasm_expressions *expressions; /* of one that made some; owned */
    struct nu_wasm_asker *asker;             /* of one that asked for addresses; owned */
    struct nu_turn_task end;
    struct nu_timer patience; /* bounds the waiting for proxy_done */
    bool is_ending;           /* on_done was called */
    bool waits_for_done;      /* and returned false, and proxy_done has not come */
    uint32_t call_status;     /* of the last callout that told one */
};

enum {
    NU_WASM_CONTEXT_BUCKETS = 256,
};

struct nu_wasm_vm {
    struct nu_wasm_report report;
    struct nu_list link; /* of its thread's VMs */
    struct nu_wasm_guest guest;
    struct nu_wasm_vm_spec *spec; /* a reference */
    struct nu_loop *loop;
    const struct nu_wasm_trial *trial; /* borrowed; NULL: it is a thread's */
    uint32_t references;
    uint64_t died_us; /* when its end was noticed; 0: it lives */
    uint32_t last_id;
    struct nu_list contexts[NU_WASM_CONTEXT_BUCKETS];
    struct nu_wasm_context own; /* id 0 */
    struct nu_wasm_context *current;
    struct nu_wasm_context *effective; /* on whose behalf host functions act */
    struct nu_wasm_function *allocate;
    struct nu_wasm_function *callbacks[NU_WASM_CALLBACK_COUNT]; /* NULL: not exported */
    bool starting;   /* code runs that may ask for little */
    bool allocating; /* the guest's allocator runs */
    bool is_metrics_full_told;
    struct nu_wasm_metrics metrics;
    struct nu_str configured; /* what the plug-in configuration's buffer shows now */
    bool shows_configuration;
    struct nu_str call_data; /* what the buffer of that name shows now */
    uint32_t last_lookup;    /* of a name's address */
    struct nu_wasm_callouts callouts;
    char text[192]; /* of a host function that fails */
};

/* --- VMs -------------------------------------------------------------------------------------- */

/* An empty one with one reference, to be filled by who made it. */
struct nu_wasm_vm_spec *nu_wasm_vm_spec_create(void);
struct nu_wasm_vm_spec *nu_wasm_vm_spec_ref(struct nu_wasm_vm_spec *spec);
/* Whether VMs can be made of it: its code may still have to be fetched. */
static inline bool nu_wasm_vm_spec_has_code(const struct nu_wasm_vm_spec *spec)
{
    return spec->program.code != NULL;
}
/* Gives a reference back and clears the pointer; NULL inside is allowed. Any thread. */
void nu_wasm_vm_spec_unref(struct nu_wasm_vm_spec **spec);

/*
 * The thread's VM of `spec`, made and started if there is none that lives, and added to `vms` then;
 * a reference for the caller. NULL, with a text in `error`, if it does not start.
 */
struct nu_wasm_vm *nu_wasm_vm_get(struct nu_wasm_vm_spec *spec, struct nu_loop *loop,
                                  struct nu_list *vms, struct nu_strbuf *error);
/* A VM that is no thread's, which outlives no turn: to try a configuration out, if `trial` is not
 * NULL. */
struct nu_wasm_vm *nu_wasm_vm_create(struct nu_wasm_vm_spec *spec, struct nu_loop *loop,
                                     const struct nu_wasm_trial *trial, struct nu_strbuf *error);
/* Gives a reference back and clears the pointer; NULL inside is allowed. Never below a call. */
void nu_wasm_vm_unref(struct nu_wasm_vm **vm);
/* Frees it with its roots, and tells the guest nothing; nobody else may hold them. NULL inside is
 * allowed. */
void nu_wasm_vm_destroy(struct nu_wasm_vm **vm);
/* Ends its roots that nobody holds, now and whether their guest is ready or not; it is gone
 * afterwards unless somebody holds one. The thread's last call of it. */
void nu_wasm_vm_finish(struct nu_wasm_vm *vm);
/* Whether it takes no more calls. Logs why, once. */
bool nu_wasm_vm_is_dead(struct nu_wasm_vm *vm);

/* --- Contexts --------------------------------------------------------------------------------- */

/* The plug-in's root context, made, started and configured if it is not there; a reference for the
 * caller. Plug-ins with the same key share one. NULL, with a text in `error`, if the guest refuses
 * or fails. */
struct nu_wasm_context *nu_wasm_vm_root(struct nu_wasm_vm *vm, const struct nu_wasm_plugin *plugin,
                                        struct nu_strbuf *error);
/* Gives a reference of a root back and clears the pointer; NULL inside is allowed. */
void nu_wasm_root_unref(struct nu_wasm_context **root);
/* A stream's context below a root, which it holds; its id is told to the guest. */
void nu_wasm_context_open(struct nu_wasm_context *context, struct nu_wasm_context *root,
                          struct nu_wasm_http_stream *stream);
/* Ends it: on_done and on_delete, if the guest lives. */
void nu_wasm_context_close(struct nu_wasm_context *context);
struct nu_wasm_context *nu_wasm_vm_find(struct nu_wasm_vm *vm, uint32_t id);
/* The guest's proxy_done; false if the root does not wait for it. */
bool nu_wasm_root_done(struct nu_wasm_context *root);
/* Sets the period of a root's ticks; 0 ends them. */
void nu_wasm_context_set_tick(struct nu_wasm_context *root, uint32_t ms);

/* What is known of the request or connection for which host functions act; NULL outside of such. */
struct nu_stream_info *nu_wasm_vm_info(const struct nu_wasm_vm *vm);
/*
 * Counts bytes that the guest is about to have copied into the memory of that stream, in so many
 * entries. False, which is told once, if it has had its share: a guest's own memory is bounded, and
 * a stream must not be the way around that.
 */
NU_MUST_USE bool nu_wasm_vm_take(struct nu_wasm_vm *vm, size_t bytes, size_t entries);

/* --- Calls ------------------------------------------------------------------------------------ */

/*
 * Calls a callback on behalf of `context`, whose id comes first among `args`. A guest that does not
 * export it returns `otherwise`. A dead one, too: ask nu_wasm_vm_is_dead.
 */
int32_t nu_wasm_vm_call(struct nu_wasm_context *context, enum nu_wasm_callback callback,
                        const union nu_wasm_value *args, int32_t otherwise);

/* --- The guest's memory, for host functions --------------------------------------------------- */

/* A view of `n` bytes; false if the guest has not so many there. Valid until the guest runs. */
bool nu_wasm_vm_read(struct nu_wasm_vm *vm, const union nu_wasm_value *at, struct nu_str *out);
/* Writes a number; false where there is no room. */
bool nu_wasm_vm_put_u32(struct nu_wasm_vm *vm, int32_t at, uint32_t value);
bool nu_wasm_vm_put_u64(struct nu_wasm_vm *vm, int32_t at, uint64_t value);
/*
 * Asks the guest for `size` bytes, more than none, and writes where they are and how many to the
 * two places. NULL if it has none to give or the places are not in its memory. Calls the guest.
 */
uint8_t *nu_wasm_vm_allocate(struct nu_wasm_vm *vm, size_t size, int32_t pointer_at,
                             int32_t size_at);
/* Gives the guest a copy of `bytes`, which must not lie in its memory. */
enum nu_wasm_status nu_wasm_vm_give(struct nu_wasm_vm *vm, struct nu_str bytes, int32_t pointer_at,
                                    int32_t size_at);

/* Writes a line as the context that runs, at a level of base/log.h. */
void nu_wasm_log(struct nu_wasm_vm *vm, int level, struct nu_str message);

/* --- For host functions' tables --------------------------------------------------------------- */

enum nu_wasm_when {
    NU_WASM_ONLY_RUNNING,
    NU_WASM_WHEN_STARTING, /* also while the guest starts */
    NU_WASM_ALWAYS,        /* also from its allocator */
};

/* Why a host function may not run now, or NULL. */
const char *nu_wasm_vm_refuses(struct nu_wasm_vm *vm, const char *name, enum nu_wasm_when when);

/* A host function of the table, from `static enum nu_wasm_status NAME(vm, args)`. */
#define NU_WASM_HOST(function, name, when) \
    static const char *call_##function(void *host, const union nu_wasm_value *args, \
                                       union nu_wasm_value *result) \
    { \
        struct nu_wasm_vm *vm = host; \
        const char *refusal = nu_wasm_vm_refuses(vm, name, when); \
        if (refusal) \
            return refusal; \
        result->i32 = (int32_t)function(vm, args); \
        return vm->guest.dead ? "the guest has failed" : NULL; \
    }

#endif
