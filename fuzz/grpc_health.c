/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a gRPC health check's response, as far as they came. Checked: once they are broken
 * they stay so, one message gives one verdict, and what is still to come changes no verdict but by
 * breaking it; and reading on from where the last call came comes to the same.
 */
#include "base/assert.h"
#include "target.h"
#include "upstream/health/grpc_wire.h"

static bool may_follow(enum nu_health_grpc_result before, enum nu_health_grpc_result after)
{
    return before == after || before == NU_HEALTH_GRPC_MORE || after == NU_HEALTH_GRPC_BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LONGEST = 512 }; /* each prefix is read */
    size_t len = size < LONGEST ? size : LONGEST;
    enum nu_health_grpc_result before = NU_HEALTH_GRPC_MORE;
    struct nu_health_grpc_reader reader = {0};
    for (size_t i = 0; i <= len; i++) {
        struct nu_str bytes = nu_str_make((const char *)data, i);
        enum nu_health_grpc_result now = nu_health_grpc_read(bytes);
        nu_assert(may_follow(before, now));
        nu_assert(nu_health_grpc_read_on(&reader, bytes) == now);
        before = now;
    }
    return 0;
}
