/* SPDX-License-Identifier: Apache-2.0 */
/* What `nuncio wasm run` tells in the end. */
#ifndef NU_SERVER_WASM_RUN_REPORT_H
#define NU_SERVER_WASM_RUN_REPORT_H

#include "server/wasm_run/exchange.h"

enum { NU_WASM_RUN_START_MS = 10000 }; /* what a start may take */

struct nu_wasm_run_outcome {
    bool opened; /* the listener took connections */
    bool timed_out;
    bool guest_failed;
    bool end_timed_out; /* after the answer, the guest's roots had not ended when the time was up */
    struct nu_str logged; /* lines of the access log */
};

/* Writes the report, lines of text that are safe for a terminal; returns whether the request was
 * answered without a failure of the guest. The exchange is over. */
bool nu_wasm_run_report(const struct nu_wasm_run_exchange *exchange,
                        const struct nu_wasm_run_outcome *outcome, struct nu_strbuf *out);

#endif
