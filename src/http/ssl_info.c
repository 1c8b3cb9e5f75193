/* SPDX-License-Identifier: Apache-2.0 */
/* Holding what a transport knows for as long as a stream lives. */
#include "http/ssl_info.h"

static void drop(void *obj)
{
    nu_ssl_info_unref(obj);
}

struct nu_ssl_info *nu_ssl_info_hold(struct nu_ssl_info *info, struct nu_arena *arena)
{
    nu_arena_on_free(arena, drop, nu_ssl_info_ref(info));
    return info;
}
