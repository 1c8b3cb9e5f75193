/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes: reason phrases as Envoy writes them. */
#ifndef NU_HTTP_STATUS_H
#define NU_HTTP_STATUS_H

#include "base/str.h"

/* The reason phrase of a status, "Unknown" for one that has none. */
struct nu_str nu_status_reason(uint32_t status);

#endif
