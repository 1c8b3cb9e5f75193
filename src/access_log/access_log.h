/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access logs: what is written about each stream, and to where. A configuration names loggers (a
 * file, standard output, later a gRPC service), each with an optional filter; a list of them is
 * compiled once, and whoever ends a stream hands it a line's worth of values.
 *
 *     stream ends -> nu_access_log_write -> filter -> logger -> bounded ring -> log thread -> file
 *
 * Lists, filters and loggers are immutable and shared by the workers; they live in the arena that
 * they were compiled into, which frees what a logger holds outside of it. No worker ever waits for
 * a log.
 */
#ifndef NU_ACCESS_LOG_ACCESS_LOG_H
#define NU_ACCESS_LOG_ACCESS_LOG_H

#include <protobuf-c/protobuf-c.h>

#include "format/format.h"

struct Envoy__Config__Accesslog__V3__AccessLog;
struct nu_config_ctx;
struct nu_factory;
struct nu_log_filter;
struct nu_log_writer;
struct nu_runtime;

struct nu_access_logger;
struct nu_access_log_factory;

/* A kind of logger; static const. */
struct nu_access_logger_class {
    const char *name;                              /* Envoy's, "envoy.access_loggers.file" */
    const ProtobufCMessageDescriptor *config_type; /* of its typed_config */
    /* Main thread, while loading: makes a logger in factory->arena, with nu_arena_on_free for
     * what it holds elsewhere. NULL after adding an error. Mandatory. */
    const struct nu_access_logger *(*create)(const struct nu_access_log_factory *factory,
                                             const ProtobufCMessage *config);
    /* Any worker, for each stream that passes the filter: may not block, and may not keep anything
     * of the context. Mandatory. */
    void (*log)(const struct nu_access_logger *logger, const struct nu_format_context *context);
};

/* What every logger begins with. */
struct nu_access_logger {
    const struct nu_access_logger_class *logger_class;
    unsigned needs; /* enum nu_format_needs */
};

/* What compiling access logs takes. Everything is borrowed. */
struct nu_access_log_factory {
    struct nu_config_ctx *ctx; /* takes the errors */
    struct nu_arena *arena;
    const struct nu_runtime *runtime; /* bounds regexes in filters; may be NULL */
    struct nu_log_writer *writer;     /* opens the files */
    const struct nu_access_logger_class *const *classes; /* every kind there is, ending in NULL */
    struct nu_factory *outer; /* of what logs, for loggers that are more than a file */
    bool is_on_main_thread;   /* what logs is, and not on the workers */
};

/* What `outer` has, for what logs on the workers. */
struct nu_access_log_factory nu_access_log_factory_of(struct nu_factory *outer);

struct nu_access_log {
    const struct nu_log_filter *filter; /* NULL: everything passes */
    const struct nu_access_logger *logger;
};

struct nu_access_log_list {
    struct nu_access_log *items;
    size_t count;
    unsigned needs; /* of all loggers */
};

/* Compiles a configuration's access logs. False after adding errors; all of the logs are looked
 * at. */
NU_MUST_USE bool
nu_access_log_list_from_protos(const struct nu_access_log_factory *factory,
                               struct Envoy__Config__Accesslog__V3__AccessLog *const *protos,
                               size_t count, struct nu_access_log_list *out);

/* Logs a stream everywhere in the list where the filter lets it pass. `runtime` is the worker's
 * snapshot and may be NULL. Any numbered thread (base/thread.h). */
void nu_access_log_write(const struct nu_access_log_list *list,
                         const struct nu_format_context *context, const struct nu_runtime *runtime);

/* Frees the calling thread's line buffer; call it before a thread ends. */
void nu_access_log_thread_finish(void);

/* The loggers of this module: file, standard output, standard error. */
extern const struct nu_access_logger_class nu_file_access_logger;
extern const struct nu_access_logger_class nu_stdout_access_logger;
extern const struct nu_access_logger_class nu_stderr_access_logger;

#endif
