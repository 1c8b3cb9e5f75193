/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the documentation page of all statistics, in Markdown, from their tables. */
#include <stdio.h>

#include "stats/table.h"

int main(void)
{
    struct nu_strbuf page = {0};
    nu_strbuf_add_cstr(&page, "# Statistics\n\n");
    for (size_t i = 0; i < nu_stat_table_count; i++)
        nu_stat_table_document(nu_stat_tables[i], &page);
    fwrite(page.data, 1, page.len, stdout);
    nu_strbuf_finish(&page);
    return 0;
}
