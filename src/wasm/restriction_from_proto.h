/* SPDX-License-Identifier: Apache-2.0 */
/* From a CapabilityRestrictionConfig to a restriction. Main thread, while loading. */
#ifndef NU_WASM_RESTRICTION_FROM_PROTO_H
#define NU_WASM_RESTRICTION_FROM_PROTO_H

#include "wasm/restriction.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"

/* In `arena`. NULL where nothing is restricted, which an empty list means as well. */
const struct nu_wasm_restriction *nu_wasm_restriction_from_proto(
    struct nu_arena *arena, const Envoy__Extensions__Wasm__V3__CapabilityRestrictionConfig *proto);

#endif
