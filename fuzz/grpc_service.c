/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GrpcService as a guest of proxy-wasm may give it. Checked: what is taken has a target and no metadata
 * that would lead requests elsewhere, its pauses add up, and what is refused says why.
 */
#include "base/assert.h"
#include "client/grpc_service.h"
#include "route/retry_policy.h"
#include "target.h"

static void check(const struct nu_grpc_service *service)
{
    for (size_t i = 0; i < service->metadata_count; i++) {
        const struct nu_grpc_metadata *metadata = &service->metadata[i];
        nu_assert(!nu_str_starts_with(metadata->name, NU_STR(":")));
        nu_assert(!nu_str_eq_nocase(metadata->name, NU_STR("host")) && metadata->value.len);
    }
    if (!service->retry)
        return;
    nu_assert(service->retry->conditions && service->retry->base_interval_ms);
    nu_assert(service->retry->max_interval_ms == service->retry->per_try_timeout_ms);
    nu_assert(service->retry->max_interval_ms >= service->retry->base_interval_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_grpc_service service;
    struct nu_strbuf error = {0};
    struct nu_arena arena;
    nu_arena_init(&arena);
    switch (nu_grpc_service_read(&arena, nu_str_make((const char *)data, size), &service, &error)) {
    case NU_GRPC_SERVICE_OK:
        check(&service);
        nu_assert(error.len == 0);
        break;
    case NU_GRPC_SERVICE_NONE:
        nu_assert(error.len == 0);
        break;
    case NU_GRPC_SERVICE_REFUSED:
        nu_assert(error.len);
        break;
    }
    nu_strbuf_finish(&error);
    nu_arena_finish(&arena);
    return 0;
}
