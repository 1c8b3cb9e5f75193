/* SPDX-License-Identifier: Apache-2.0 */
/* The access logger envoy.access_loggers.wasm: a proxy-wasm plug-in that is told of each stream. */
#ifndef NU_ACCESS_LOG_WASM_WASM_LOGGER_H
#define NU_ACCESS_LOG_WASM_WASM_LOGGER_H

#include "access_log/access_log.h"

extern const struct nu_access_logger_class nu_wasm_access_logger;

#endif
