/* SPDX-License-Identifier: Apache-2.0 */
/* /runtime and /runtime_modify. */
#include "runtime/runtime.h"

#include "admin/admin_internal.h"

void nu_admin_runtime(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    const struct nu_admin_parts *parts = &request->admin->parts;
    nu_runtime_print(parts->ops->runtime(parts->owner), &response->body);
    response->content_type = NU_ADMIN_JSON;
}

void nu_admin_runtime_modify(const struct nu_admin_request *request,
                             struct nu_admin_response *response)
{
    const struct nu_admin_parts *parts = &request->admin->parts;
    if (request->param_count == 0) {
        nu_admin_answer(response, 400,
                        "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n"
                        "       or send the parameters as form values\n"
                        "use an empty value to remove a previously added override");
        return;
    }
    struct nu_runtime_change *changes =
        nu_arena_alloc(request->arena, request->param_count * sizeof(*changes));
    for (size_t i = 0; i < request->param_count; i++)
        changes[i] = (struct nu_runtime_change){request->params[i].name, request->params[i].value};
    if (parts->ops->modify_runtime(parts->owner, changes, request->param_count))
        nu_admin_answer(response, 200, "OK\n");
    else
        nu_admin_answer(response, 503, "No admin layer specified");
}
