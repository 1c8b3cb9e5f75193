/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in the words of envoy.config.core.v3.Address. */
#ifndef NU_ADMIN_ADDRESS_JSON_H
#define NU_ADMIN_ADDRESS_JSON_H

#include "base/address.h"
#include "base/json.h"

/* Writes {"socket_address": ...} or {"pipe": ...}. */
void nu_admin_print_address(struct nu_json *json, const struct nu_address *address);

#endif
