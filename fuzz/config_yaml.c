/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML reader and the converter behind it. */
#include "fuzz/config_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text(nu_str_make((const char *)data, size), NU_CONFIG_YAML);
    return 0;
}
