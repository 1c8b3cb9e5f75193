/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests get of WASI (preview 1): standard output and error as log lines, environment
 * variables of the configuration, clocks and random bytes. There are no files, sockets or
 * arguments, and the answers that say so are those which SDKs' runtimes take well. Numbers are
 * WASI's errno.
 */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/random.h"
#include "wasm/pairs.h"
#include "wasm/vm.h"

enum {
    SUCCESS = 0,
    BADF = 8,
    FAULT = 21,
    INVAL = 28,
    NOENT = 44,
    NOSYS = 52,
    NOTDIR = 20,
    NOTSUP = 58,
    RANDOM_MAX = 65536,
    LINE_MAX_BYTES = 64 * 1024,
    PIECES_MAX = 1024,
    STDOUT = 1,
    STDERR = 2,
    RIGHT_FD_WRITE = 64,
};

typedef const union nu_wasm_value *values;

#define WASI(function, when) \
    static const char *call_##function(void *host, values args, union nu_wasm_value *result) \
    { \
        struct nu_wasm_vm *vm = host; \
        const char *refusal = nu_wasm_vm_refuses(vm, #function, when); \
        if (refusal) \
            return refusal; \
        result->i32 = function(vm, args); \
        return NULL; \
    }

static bool is_output(int32_t fd)
{
    return fd == STDOUT || fd == STDERR;
}

/* --- Output ----------------------------------------------------------------------------------- */

/* All pieces are one line of the log; the guest hears that everything was written. */
static int32_t write_pieces(struct nu_wasm_vm *vm, values args, int32_t written_at)
{
    struct nu_strbuf line = {0};
    uint64_t written = 0;
    int32_t status = is_output(args[0].i32) ? SUCCESS : BADF;
    if (status == SUCCESS && (uint32_t)args[2].i32 > PIECES_MAX)
        status = INVAL;
    for (uint32_t i = 0; i < (uint32_t)args[2].i32 && status == SUCCESS; i++) {
        union nu_wasm_value piece[2];
        struct nu_str bytes;
        const uint8_t *entry = nu_wasm_guest_bytes(&vm->guest, (uint32_t)args[1].i32 + 8 * i, 8);
        if (!entry) {
            status = FAULT;
            break;
        }
        piece[0].i32 = (int32_t)nu_wasm_get_u32((const char *)entry);
        piece[1].i32 = (int32_t)nu_wasm_get_u32((const char *)entry + 4);
        if (!nu_wasm_vm_read(vm, piece, &bytes)) {
            status = FAULT;
            break;
        }
        written += bytes.len;
        nu_strbuf_add(&line,
                      nu_str_first(bytes, LINE_MAX_BYTES - nu_min_size(line.len, LINE_MAX_BYTES)));
        if (written > UINT32_MAX)
            status = INVAL;
    }
    struct nu_str text = nu_strbuf_str(&line);
    if (nu_str_ends_with(text, NU_STR("\n")))
        text.len--;
    if (status == SUCCESS && line.len)
        nu_wasm_log(vm, args[0].i32 == STDOUT ? NU_LOG_INFO : NU_LOG_ERROR, text);
    if (status == SUCCESS && !nu_wasm_vm_put_u32(vm, written_at, (uint32_t)written))
        status = FAULT;
    nu_strbuf_finish(&line);
    return status;
}

static int32_t fd_write(struct nu_wasm_vm *vm, values args)
{
    return write_pieces(vm, args, args[3].i32);
}
WASI(fd_write, NU_WASM_ALWAYS)

static int32_t fd_pwrite(struct nu_wasm_vm *vm, values args)
{
    return write_pieces(vm, args, args[4].i32);
}
WASI(fd_pwrite, NU_WASM_WHEN_STARTING)

static int32_t fd_fdstat_get(struct nu_wasm_vm *vm, values args)
{
    uint8_t *stat = nu_wasm_guest_bytes(&vm->guest, (uint32_t)args[1].i32, 24);
    if (!is_output(args[0].i32))
        return BADF;
    if (!stat)
        return FAULT;
    memset(stat, 0, 24);
    stat[8] = RIGHT_FD_WRITE;
    return SUCCESS;
}
WASI(fd_fdstat_get, NU_WASM_WHEN_STARTING)

/* --- Environment and arguments ---------------------------------------------------------------- */

static int32_t environ_sizes_get(struct nu_wasm_vm *vm, values args)
{
    size_t bytes = 0;
    for (size_t i = 0; i < vm->spec->environment_count; i++)
        bytes += vm->spec->environment[i].len + 1;
    bool ok = nu_wasm_vm_put_u32(vm, args[0].i32, (uint32_t)vm->spec->environment_count) &&
              nu_wasm_vm_put_u32(vm, args[1].i32, (uint32_t)bytes);
    return ok ? SUCCESS : FAULT;
}
WASI(environ_sizes_get, NU_WASM_WHEN_STARTING)

static int32_t environ_get(struct nu_wasm_vm *vm, values args)
{
    uint32_t pointer_at = (uint32_t)args[0].i32;
    uint32_t at = (uint32_t)args[1].i32;
    for (size_t i = 0; i < vm->spec->environment_count; i++) {
        struct nu_str variable = vm->spec->environment[i];
        uint8_t *bytes = nu_wasm_guest_bytes(&vm->guest, at, (uint32_t)variable.len + 1);
        if (!bytes || !nu_wasm_vm_put_u32(vm, (int32_t)pointer_at, at))
            return FAULT;
        memcpy(bytes, variable.ptr, variable.len);
        bytes[variable.len] = '\0';
        pointer_at += 4;
        at += (uint32_t)variable.len + 1;
    }
    return SUCCESS;
}
WASI(environ_get, NU_WASM_WHEN_STARTING)

static int32_t args_sizes_get(struct nu_wasm_vm *vm, values args)
{
    bool ok = nu_wasm_vm_put_u32(vm, args[0].i32, 0) && nu_wasm_vm_put_u32(vm, args[1].i32, 0);
    return ok ? SUCCESS : FAULT;
}
WASI(args_sizes_get, NU_WASM_WHEN_STARTING)

/* --- Clocks and random bytes ------------------------------------------------------------------ */

static int32_t clock_time_get(struct nu_wasm_vm *vm, values args)
{
    uint64_t ns = 0;
    if (args[0].i32 == CLOCK_REALTIME)
        ns = nu_clock_realtime_us() * 1000;
    else if (args[0].i32 == CLOCK_MONOTONIC)
        ns = nu_clock_monotonic_us() * 1000;
    else
        return NOTSUP;
    return nu_wasm_vm_put_u64(vm, args[2].i32, ns) ? SUCCESS : FAULT;
}
WASI(clock_time_get, NU_WASM_ALWAYS)

static int32_t clock_res_get(struct nu_wasm_vm *vm, values args)
{
    if (args[0].i32 != CLOCK_REALTIME && args[0].i32 != CLOCK_MONOTONIC)
        return NOTSUP;
    return nu_wasm_vm_put_u64(vm, args[1].i32, 1) ? SUCCESS : FAULT;
}
WASI(clock_res_get, NU_WASM_WHEN_STARTING)

static int32_t random_get(struct nu_wasm_vm *vm, values args)
{
    uint32_t size = (uint32_t)args[1].i32;
    if (size > RANDOM_MAX)
        return INVAL;
    uint8_t *bytes = nu_wasm_guest_bytes(&vm->guest, (uint32_t)args[0].i32, size);
    if (!bytes)
        return FAULT;
    if (size)
        nu_random_fill(bytes, size);
    return SUCCESS;
}
WASI(random_get, NU_WASM_WHEN_STARTING)

/* Go's runtime wants a success: no event happened. */
static int32_t poll_oneoff(struct nu_wasm_vm *vm, values args)
{
    return nu_wasm_vm_put_u32(vm, args[3].i32, 0) ? SUCCESS : FAULT;
}
WASI(poll_oneoff, NU_WASM_ALWAYS)

static const char *proc_exit(void *host, values args, union nu_wasm_value *result)
{
    struct nu_wasm_vm *vm = host;
    (void)result;
    bool has_ended = vm->starting && nu_wasm_abi_is_command(vm->spec->program.module);
    snprintf(vm->text, sizeof(vm->text), "the guest ended itself with proc_exit(%d)%s", args[0].i32,
             has_ended ? ": " NU_WASM_IS_COMMAND : "");
    return vm->text;
}

/* --- What there is not ------------------------------------------------------------------------ */

#define CONSTANT(name, status) \
    static const char *call_##name(void *host, values args, union nu_wasm_value *result) \
    { \
        (void)host, (void)args; \
        result->i32 = status; \
        return NULL; \
    }
CONSTANT(success, SUCCESS)
CONSTANT(badf, BADF)
CONSTANT(noent, NOENT)
CONSTANT(nosys, NOSYS)
CONSTANT(notsup, NOTSUP)

/* Of the two outputs, of nothing else. */
static const char *call_output_only(void *host, values args, union nu_wasm_value *result)
{
    (void)host;
    result->i32 = is_output(args[0].i32) ? SUCCESS : BADF;
    return NULL;
}

static const char *call_renumber(void *host, values args, union nu_wasm_value *result)
{
    (void)host;
    result->i32 = is_output(args[0].i32) ? NOTSUP : BADF;
    return NULL;
}

static const char *call_tell(void *host, values args, union nu_wasm_value *result)
{
    result->i32 = !is_output(args[0].i32)                    ? BADF
                  : nu_wasm_vm_put_u64(host, args[1].i32, 0) ? SUCCESS
                                                             : FAULT;
    return NULL;
}

static const char *call_readdir(void *host, values args, union nu_wasm_value *result)
{
    result->i32 = nu_wasm_vm_put_u32(host, args[4].i32, 0) ? NOTDIR : FAULT;
    return NULL;
}

#define W "wasi_snapshot_preview1"
const struct nu_wasm_import nu_wasm_host_wasi[] = {
    {W, "fd_write", "iiii=i", call_fd_write},
    {W, "fd_pwrite", "iiili=i", call_fd_pwrite},
    {W, "fd_fdstat_get", "ii=i", call_fd_fdstat_get},
    {W, "environ_sizes_get", "ii=i", call_environ_sizes_get},
    {W, "environ_get", "ii=i", call_environ_get},
    {W, "args_sizes_get", "ii=i", call_args_sizes_get},
    {W, "args_get", "ii=i", call_success},
    {W, "clock_time_get", "ili=i", call_clock_time_get},
    {W, "clock_res_get", "ii=i", call_clock_res_get},
    {W, "random_get", "ii=i", call_random_get},
    {W, "poll_oneoff", "iiii=i", call_poll_oneoff},
    {W, "sched_yield", "=i", call_success},
    {W, "proc_exit", "i=", proc_exit},
    {W, "proc_raise", "i=i", call_notsup},
    {W, "fd_read", "iiii=i", call_nosys},
    {W, "fd_pread", "iiili=i", call_nosys},
    {W, "fd_seek", "ilii=i", call_success},
    {W, "fd_tell", "ii=i", call_tell},
    {W, "fd_close", "i=i", call_success},
    {W, "fd_fdstat_set_flags", "ii=i", call_nosys},
    {W, "fd_fdstat_set_rights", "ill=i", call_output_only},
    {W, "fd_prestat_get", "ii=i", call_badf},
    {W, "fd_prestat_dir_name", "iii=i", call_nosys},
    {W, "fd_filestat_get", "ii=i", call_badf},
    {W, "fd_filestat_set_size", "il=i", call_output_only},
    {W, "fd_filestat_set_times", "illi=i", call_output_only},
    {W, "fd_advise", "illi=i", call_success},
    {W, "fd_allocate", "ill=i", call_output_only},
    {W, "fd_datasync", "i=i", call_output_only},
    {W, "fd_sync", "i=i", call_output_only},
    {W, "fd_readdir", "iiili=i", call_readdir},
    {W, "fd_renumber", "ii=i", call_renumber},
    {W, "path_open", "iiiiillii=i", call_noent},
    {W, "path_create_directory", "iii=i", call_notsup},
    {W, "path_filestat_get", "iiiii=i", call_notsup},
    {W, "path_filestat_set_times", "iiiilli=i", call_notsup},
    {W, "path_link", "iiiiiii=i", call_notsup},
    {W, "path_readlink", "iiiiii=i", call_notsup},
    {W, "path_remove_directory", "iii=i", call_notsup},
    {W, "path_rename", "iiiiii=i", call_notsup},
    {W, "path_symlink", "iiiii=i", call_notsup},
    {W, "path_unlink_file", "iii=i", call_notsup},
    {W, "sock_accept", "iii=i", call_notsup},
    {W, "sock_recv", "iiiiii=i", call_notsup},
    {W, "sock_send", "iiiii=i", call_notsup},
    {W, "sock_shutdown", "ii=i", call_notsup},
    {NULL, NULL, NULL, NULL},
};
