/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the result codes. */
#include "base/result.h"

const char *nu_result_text(enum nu_result result)
{
    switch (result) {
#define X(name, value, text) \
    case name: \
        return text;
        NU_RESULTS(X)
#undef X
    }
    return "unknown result";
}
