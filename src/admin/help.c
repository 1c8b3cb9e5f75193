/* SPDX-License-Identifier: Apache-2.0 */
/* /help: the table of paths for people who read text. */
#include "admin/admin_internal.h"

static void print_param(struct nu_strbuf *out, const struct nu_admin_path_param *param)
{
    nu_strbuf_addf(out, "      %s: %s", param->name, param->help);
    if (param->values && param->values[0])
        nu_strbuf_addf(out, "; One of (%s)", param->values);
    nu_strbuf_add_char(out, '\n');
}

void nu_admin_print_help(struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "admin commands are:\n");
    for (const struct nu_admin_path *row = nu_admin_paths; row->path; row++) {
        nu_strbuf_addf(out, "  %s%s: %s\n", row->path, row->mutates ? " (POST)" : "", row->help);
        for (const struct nu_admin_path_param *param = row->params; param && param->name; param++)
            print_param(out, param);
    }
}

void nu_admin_help(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    (void)request;
    nu_admin_print_help(&response->body);
}
