/* SPDX-License-Identifier: Apache-2.0 */
/* An admin interface without sockets: requests go straight to the handlers. */
#ifndef NU_TESTS_ADMIN_FIXTURE_H
#define NU_TESTS_ADMIN_FIXTURE_H

#include "harness/cluster.h"
#include "harness/test.h"

#include "admin/admin_internal.h"

struct admin_fixture {
    struct cluster_fixture clusters;
    struct nu_admin admin;
    struct nu_arena arena;
    struct nu_local_info local;
    struct nu_list tls_contexts;
    enum nu_server_state state;
    unsigned quits;
    struct nu_admin_drain drain; /* as it was last asked for */
    unsigned drains;
};

static inline enum nu_server_state fixture_state(void *owner)
{
    return ((struct admin_fixture *)owner)->state;
}

static inline void fixture_quit(void *owner)
{
    ((struct admin_fixture *)owner)->quits++;
}

static inline void fixture_drain(void *owner, const struct nu_admin_drain *how)
{
    struct admin_fixture *f = owner;
    f->drain = *how;
    f->drains++;
}

static inline void fixture_refresh(void *owner)
{
    (void)owner;
}

static inline const struct nu_listener *fixture_listener(void *owner, size_t index)
{
    (void)owner;
    (void)index;
    return NULL;
}

static const struct nu_admin_ops fixture_ops = {
    .state = fixture_state,
    .quit = fixture_quit,
    .drain_listeners = fixture_drain,
    .refresh_stats = fixture_refresh,
    .listener = fixture_listener,
};

static inline void admin_open(struct admin_fixture *f)
{
    *f = (struct admin_fixture){0};
    cluster_fixture_init(&f->clusters);
    nu_arena_init(&f->arena);
    nu_list_init(&f->tls_contexts);
    f->admin.parts = (struct nu_admin_parts){
        .clusters = f->clusters.manager,
        .tls_contexts = &f->tls_contexts,
        .ops = &fixture_ops,
        .owner = f,
    };
    f->admin.stats = f->clusters.stats;
    f->admin.loop = f->clusters.loop;
    f->admin.local = &f->local;
}

static inline void admin_close(struct admin_fixture *f)
{
    if (!f->clusters.cluster->hosts) /* it was not handed to the manager */
        nu_cluster_destroy(&f->clusters.cluster);
    nu_arena_finish(&f->arena);
    cluster_fixture_finish(&f->clusters);
}

/* What the request is answered with: the status and, in `body`, all slices of so many bytes. */
static inline uint32_t admin_ask(struct admin_fixture *f, const char *method, const char *target,
                                 size_t slice_bytes, struct nu_strbuf *body)
{
    struct nu_str path = nu_str_from(target);
    size_t mark = nu_str_find_char(path, '?');
    struct nu_admin_request request = {
        .admin = &f->admin,
        .arena = &f->arena,
        .method = nu_str_from(method),
        .path = nu_str_first(path, mark),
    };
    struct nu_admin_response response = {0};
    nu_admin_parse_params(&request,
                          mark == NU_NPOS ? nu_str_make(NULL, 0) : nu_str_skip(path, mark + 1));
    nu_admin_handle(&request, &response);
    nu_strbuf_clear(body);
    nu_strbuf_add(body, nu_strbuf_str(&response.body));
    for (bool more = response.source != NULL; more;) {
        size_t before = body->len;
        more = response.source->next(response.state, body, slice_bytes);
        /* a slice is a slice, whatever there is to say */
        assert_true(body->len - before < slice_bytes + 8192);
    }
    if (response.source && response.source->finish)
        response.source->finish(response.state);
    nu_strbuf_finish(&response.body);
    return response.status ? response.status : 200;
}

#define assert_answer(f, method, target, status, text) \
    do { \
        struct nu_strbuf answer_ = {0}; \
        assert_int_equal(admin_ask(f, method, target, 4096, &answer_), status); \
        assert_str(nu_strbuf_str(&answer_), text); \
        nu_strbuf_finish(&answer_); \
    } while (0)

#endif
