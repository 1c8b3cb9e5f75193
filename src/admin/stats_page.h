/* SPDX-License-Identifier: Apache-2.0 */
/* The page of /stats for people. */
#ifndef NU_ADMIN_STATS_PAGE_H
#define NU_ADMIN_STATS_PAGE_H

#include "admin/admin_internal.h"
#include "stats/render.h"

/* Answers with the page; takes `options` over and leaves zeros behind. */
void nu_admin_answer_stats_page(const struct nu_admin_request *request,
                                struct nu_stats_options *options,
                                struct nu_admin_response *response);

#endif
