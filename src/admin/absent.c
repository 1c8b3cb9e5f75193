/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of Envoy's about things that nuncio does not have. They answer what is true: an empty list
 * where there is nothing to list, 501 where there is nothing to do it with.
 */
#include "admin/admin_internal.h"

void nu_admin_contention(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 200,
                    "Mutex contention tracing is not enabled: requests are served without "
                    "mutexes.\n");
}

/* Profilers that Envoy has built in; perf and heaptrack do it from outside. */
static void answer_profiler(const struct nu_admin_request *request,
                            struct nu_admin_response *response, const char *refusal)
{
    struct nu_str enable = nu_admin_param(request, "enable");
    if (nu_str_eq(enable, NU_STR("y")))
        nu_admin_answer(response, 501, refusal);
    else if (nu_str_eq(enable, NU_STR("n")))
        nu_admin_answer(response, 200, "OK\n");
    else
        nu_admin_answer(response, 400, "?enable=<y|n>\n");
}

void nu_admin_cpuprofiler(const struct nu_admin_request *request,
                          struct nu_admin_response *response)
{
    answer_profiler(request, response, "The current build does not support cpu profiler");
}

void nu_admin_heapprofiler(const struct nu_admin_request *request,
                           struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 501, "The current build does not support heap profiler");
}

void nu_admin_allocprofiler(const struct nu_admin_request *request,
                            struct nu_admin_response *response)
{
    answer_profiler(request, response, "The current build does not support alloc profiler");
}

void nu_admin_heap_dump(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 501, "Heap dump not supported in current build");
}

void nu_admin_recent_lookups(const struct nu_admin_request *request,
                             struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 200,
                    "Lookup tracking is not enabled. Use /stats/recentlookups/enable to "
                    "enable.\n\ntotal: 0\n");
}

void nu_admin_recent_lookups_enable(const struct nu_admin_request *request,
                                    struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 501,
                    "Statistics are not looked up by name while requests are served: there is "
                    "nothing to track.\n");
}

void nu_admin_recent_lookups_stop(const struct nu_admin_request *request,
                                  struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 200, "OK\n");
}

void nu_admin_init_dump(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    const struct nu_admin_parts *parts = &request->admin->parts;
    struct nu_json json;
    const char *target;
    response->content_type = NU_ADMIN_JSON;
    nu_json_init(&json, &response->body, true);
    nu_json_object_begin(&json);
    /* A mask asks for the targets of listeners and the like, which have none of their own. */
    if (!nu_admin_has_param(request, "mask") && parts->ops->unready_target(parts->owner, 0)) {
        nu_json_key(&json, NU_STR("unready_targets_dumps"));
        nu_json_array_begin(&json);
        nu_json_object_begin(&json);
        nu_json_key(&json, NU_STR("name"));
        nu_json_string(&json, NU_STR("init manager Server"));
        nu_json_key(&json, NU_STR("target_names"));
        nu_json_array_begin(&json);
        for (size_t i = 0; (target = parts->ops->unready_target(parts->owner, i)); i++)
            nu_json_string(&json, nu_str_from(target));
        nu_json_array_end(&json);
        nu_json_object_end(&json);
        nu_json_array_end(&json);
    }
    nu_json_object_end(&json);
    nu_strbuf_add_char(&response->body, '\n');
}
