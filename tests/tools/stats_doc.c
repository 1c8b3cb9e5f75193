/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the documentation page of all statistics, in Markdown, from their tables. */
#include <stdio.h>

#include "stats/table.h"

static const char custom[] =
    "## `wasmcustom`\n\nWhat proxy-wasm guests define: counters, gauges and histograms of their "
    "own "
    "names. Prometheus shows them without `wasmcustom` and without `envoy_`, unless what is left "
    "begins with a digit: then not at all.\n";

int main(void)
{
    struct nu_strbuf page = {0};
    nu_strbuf_add_cstr(&page, "# Statistics\n\n");
    for (size_t i = 0; i < nu_stat_table_count; i++)
        nu_stat_table_document(nu_stat_tables[i], &page);
    nu_strbuf_add_cstr(&page, custom);
    fwrite(page.data, 1, page.len, stdout);
    nu_strbuf_finish(&page);
    return 0;
}
