// SPDX-License-Identifier: Apache-2.0
// C has no shortest round-trip conversion and C++17 does; this file lends it to the C code.
#include "base/number.h"

#include <charconv>

size_t nu_double_to_chars(double value, char *out)
{
    std::to_chars_result end = std::to_chars(out, out + NU_DOUBLE_TEXT_MAX, value);
    return static_cast<size_t>(end.ptr - out);
}
