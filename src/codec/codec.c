/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the reset reasons. */
#include "codec/codec.h"

struct nu_str nu_reset_reason_text(enum nu_reset_reason reason)
{
    switch (reason) {
#define X(id, text) \
    case id: \
        return NU_STR(text);
        NU_RESET_REASONS(X)
#undef X
    }
    return NU_STR("unknown");
}
