/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of script.h as one of the first version of the ABI. */
#define PROXY_WASM_ABI_0_1_0
#include "script.h"
