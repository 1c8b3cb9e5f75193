/* SPDX-License-Identifier: Apache-2.0 */
/* What `nuncio wasm run` is asked: the filter, one request, and what the upstream answers. */
#ifndef NU_SERVER_WASM_RUN_OPTIONS_H
#define NU_SERVER_WASM_RUN_OPTIONS_H

#include "base/log.h"
#include "base/str.h"
#include "server/options.h"

/* What was given to an option that may be repeated, in its order. */
struct nu_wasm_run_list {
    const char **items; /* owned */
    size_t count;
};

/* Bytes that were given as such or, as @FILE, are a file's. */
struct nu_wasm_run_content {
    struct nu_strbuf bytes;
    bool is_given;
};

struct nu_wasm_run_options {
    const char *file;
    const char *path;
    const char *method;
    struct nu_wasm_run_list headers; /* "name: value" */
    struct nu_wasm_run_content data;
    const char *name; /* NULL: the file's */
    const char *root_id;
    const char *vm_id;
    struct nu_wasm_run_content configuration;
    struct nu_wasm_run_content vm_configuration;
    struct nu_wasm_run_list environment; /* "NAME=VALUE" */
    uint32_t response_status;
    struct nu_wasm_run_list response_headers;
    struct nu_wasm_run_content response_body;
    struct nu_wasm_run_list clusters;      /* "NAME=HOST:PORT" */
    struct nu_wasm_run_list grpc_clusters; /* the same */
    enum nu_log_level log_level;
    uint32_t timeout_ms;
    uint64_t given; /* private: which were given */
};

/* Reads the command line, of which argv[1] and argv[2] are "wasm" and "run". Texts point into argv.
 * To be finished whatever the outcome is. */
enum nu_options_outcome nu_wasm_run_options_parse(int argc, char **argv,
                                                  struct nu_wasm_run_options *options);
void nu_wasm_run_options_finish(struct nu_wasm_run_options *options);

/* Cuts at the first `separator`: "a=b" into "a" and "b". False if there is none. */
bool nu_wasm_run_cut(const char *text, char separator, struct nu_str *left, struct nu_str *right);

#endif
