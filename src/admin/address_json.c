/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as JSON; defaults are left out. */
#include "admin/address_json.h"

void nu_admin_print_address(struct nu_json *json, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    nu_json_object_begin(json);
    if (address->family == NU_ADDRESS_UNIX) {
        nu_json_key(json, NU_STR("pipe"));
        nu_json_object_begin(json);
        nu_json_key(json, NU_STR("path"));
        nu_json_string(json, nu_str_from(address->path));
    } else {
        nu_json_key(json, NU_STR("socket_address"));
        nu_json_object_begin(json);
        nu_json_key(json, NU_STR("address"));
        nu_json_string(json, nu_str_make(text, nu_address_format_ip(address, text)));
        nu_json_key(json, NU_STR("port_value"));
        nu_json_u64(json, address->port);
    }
    nu_json_object_end(json);
    nu_json_object_end(json);
}
