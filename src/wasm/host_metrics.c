/* SPDX-License-Identifier: Apache-2.0 */
/* Host functions about metrics. */
#include "base/log.h"
#include "wasm/metrics.h"
#include "wasm/vm.h"

/* Told once for a VM, whatever it goes on to ask for. */
static void tell_full(struct nu_wasm_vm *vm)
{
    if (!vm->is_metrics_full_told)
        nu_wasm_log(vm, NU_LOG_WARN,
                    NU_STR("a metric was refused: its name is too long, or there are too many"));
    vm->is_metrics_full_told = true;
}

static enum nu_wasm_status define_metric(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str name;
    uint32_t id = 0;
    if (!nu_wasm_vm_read(vm, &args[1], &name))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    enum nu_wasm_status status =
        nu_wasm_metrics_define(&vm->metrics, vm->spec->metrics, (uint32_t)args[0].i32, name, &id);
    if (status == NU_WASM_INTERNAL_FAILURE)
        tell_full(vm);
    if (status == NU_WASM_OK && !nu_wasm_vm_put_u32(vm, args[3].i32, id))
        status = NU_WASM_INVALID_MEMORY_ACCESS;
    return status;
}

static enum nu_wasm_status increment_metric(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    uint32_t id = (uint32_t)args[0].i32;
    int64_t delta = args[1].i64;
    if ((id & 3) > NU_CUSTOM_GAUGE)
        return NU_WASM_BAD_ARGUMENT;
    const struct nu_wasm_metric *metric = nu_wasm_metrics_find(&vm->metrics, id);
    if (!metric)
        return NU_WASM_NOT_FOUND;
    if ((id & 3) == NU_CUSTOM_GAUGE)
        nu_custom_gauge_add(metric->gauge, delta);
    else if (delta > 0)
        nu_counter_add(metric->counter, (uint64_t)delta);
    else
        return NU_WASM_BAD_ARGUMENT;
    return NU_WASM_OK;
}

/* To add 0 changes nothing, but makes it a counter that is used. */
static void add_to_counter(const struct nu_wasm_metric *metric, uint64_t value)
{
    if (value == 0)
        nu_custom_stat_mark(metric->stat);
    else
        nu_counter_add(metric->counter, value);
}

static enum nu_wasm_status record_metric(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    uint32_t id = (uint32_t)args[0].i32;
    uint64_t value = (uint64_t)args[1].i64;
    const struct nu_wasm_metric *metric = nu_wasm_metrics_find(&vm->metrics, id);
    if (!metric)
        return NU_WASM_NOT_FOUND;
    if ((id & 3) == NU_CUSTOM_COUNTER)
        add_to_counter(metric, value);
    else if ((id & 3) == NU_CUSTOM_GAUGE)
        nu_custom_gauge_set(metric->gauge, (int64_t)value);
    else
        nu_histogram_record(metric->histogram, value);
    return NU_WASM_OK;
}

static enum nu_wasm_status get_metric(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    uint32_t id = (uint32_t)args[0].i32;
    if ((id & 3) > NU_CUSTOM_GAUGE)
        return NU_WASM_BAD_ARGUMENT;
    const struct nu_wasm_metric *metric = nu_wasm_metrics_find(&vm->metrics, id);
    if (!metric)
        return NU_WASM_NOT_FOUND;
    uint64_t value = (id & 3) == NU_CUSTOM_GAUGE ? (uint64_t)nu_gauge_get(metric->gauge)
                                                 : nu_custom_stat_sum(metric->stat);
    return nu_wasm_vm_put_u64(vm, args[1].i32, value) ? NU_WASM_OK : NU_WASM_INVALID_MEMORY_ACCESS;
}

NU_WASM_HOST(define_metric, "proxy_define_metric", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(increment_metric, "proxy_increment_metric", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(record_metric, "proxy_record_metric", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_metric, "proxy_get_metric", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_metrics[] = {
    {"env", "proxy_define_metric", "iiii=i", call_define_metric},
    {"env", "proxy_increment_metric", "il=i", call_increment_metric},
    {"env", "proxy_record_metric", "il=i", call_record_metric},
    {"env", "proxy_get_metric", "ii=i", call_get_metric},
    {NULL, NULL, NULL, NULL},
};
