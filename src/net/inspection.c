/* SPDX-License-Identifier: Apache-2.0 */
/* Running listener filters. Bytes are read into one block, so that filters see them in one
 * piece. */
#include "net/inspection.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/socket_bytes.h"

struct inspection {
    struct nu_list link; /* in wl->inspections */
    struct nu_worker_listener *wl;
    struct nu_new_connection fresh;
    struct nu_io io;
    struct nu_timer timer;
    struct nu_block *block; /* owned: the bytes, from `at` to its fill */
    size_t at;              /* bytes before it were taken by a filter */
    uint8_t filter;         /* the one whose turn it is */
};

static void free_inspection(void *obj)
{
    nu_free(obj);
}

/* The inspection ends; the socket is not touched. */
static void leave(struct inspection *inspection)
{
    struct nu_worker_listener *wl = inspection->wl;
    nu_io_finish(&inspection->io);
    nu_timer_cancel(&inspection->timer);
    nu_list_remove(&inspection->link);
    nu_block_unref(inspection->block);
    inspection->block = NULL;
    nu_gauge_dec(&wl->stats->downstream_pre_cx_active);
    nu_loop_defer_free(wl->loop, free_inspection, inspection);
}

static struct nu_str bytes_of(const struct inspection *inspection)
{
    if (!inspection->block)
        return nu_str_make("", 0);
    return nu_str_make(inspection->block->data + inspection->at,
                       inspection->block->fill - inspection->at);
}

/* Whoever sent bytes that nobody took sees a reset, as from Envoy, which leaves them in the socket. */
static void refuse(struct inspection *inspection)
{
    if (bytes_of(inspection).len)
        nu_socket_reset_on_close(inspection->fresh.fd);
    leave(inspection);
    close(inspection->fresh.fd); /* not before: its number may be another thread's at once */
    nu_arena_destroy(&inspection->fresh.arena);
}

static void admit(struct inspection *inspection)
{
    struct nu_new_connection fresh = inspection->fresh;
    struct nu_str bytes = bytes_of(inspection);
    if (bytes.len)
        nu_buf_add_block(&fresh.bytes, inspection->block, bytes);
    struct nu_worker_listener *wl = inspection->wl;
    leave(inspection);
    nu_listener_admit(wl, &fresh);
}

/* Lets the filters look, from the one that waits on. False when the inspection is over. */
static bool run_filters(struct inspection *inspection)
{
    const struct nu_listener_config *config = inspection->wl->listener->config;
    while (inspection->filter < config->listener_filter_count) {
        const struct nu_listener_filter_entry *entry =
            &config->listener_filters[inspection->filter];
        size_t taken = 0;
        switch (entry->cls->on_data(entry->config, inspection->fresh.accepted, bytes_of(inspection),
                                    &taken)) {
        case NU_LISTENER_FILTER_CONTINUE:
            inspection->at += taken;
            inspection->filter++;
            break;
        case NU_LISTENER_FILTER_WAIT:
            return true;
        case NU_LISTENER_FILTER_CLOSE:
            refuse(inspection);
            return false;
        }
    }
    admit(inspection);
    return false;
}

/* Room for what the waiting filter may want to see, in one block. */
static void make_room(struct inspection *inspection)
{
    const struct nu_listener_config *config = inspection->wl->listener->config;
    size_t wanted = config->listener_filters[inspection->filter].cls->max_bytes;
    size_t have = bytes_of(inspection).len;
    if (inspection->block && nu_block_room(inspection->block) > 0)
        return;
    struct nu_block *block = nu_block_get_size(nu_max_size(have * 4, nu_min_size(wanted, 2048)));
    memcpy(block->data, bytes_of(inspection).ptr, have);
    block->fill = (uint32_t)have;
    nu_block_unref(inspection->block);
    inspection->block = block;
    inspection->at = 0;
}

static void on_readable(int fd, short what, void *arg)
{
    (void)what;
    struct inspection *inspection = arg;
    struct nu_listener_stats *stats = inspection->wl->stats;
    make_room(inspection);
    struct nu_block *block = inspection->block;
    ssize_t n = nu_socket_read(fd, block->data + block->fill, nu_block_room(block));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        nu_counter_inc(n == 0 ? &stats->downstream_listener_filter_remote_close
                              : &stats->downstream_listener_filter_error);
        refuse(inspection);
        return;
    }
    block->fill += (uint32_t)n;
    run_filters(inspection);
}

static void on_timeout(struct nu_timer *timer)
{
    struct inspection *inspection = nu_container_of(timer, struct inspection, timer);
    struct nu_worker_listener *wl = inspection->wl;
    nu_counter_inc(&wl->stats->downstream_pre_cx_timeout);
    if (wl->listener->config->continue_on_timeout)
        admit(inspection);
    else
        refuse(inspection);
}

static struct nu_accepted *make_accepted(struct inspection *inspection,
                                         const struct nu_address *remote)
{
    struct nu_new_connection *fresh = &inspection->fresh;
    struct nu_accepted *accepted = nu_arena_calloc(fresh->arena, sizeof(*accepted));
    const struct nu_address *bound = &inspection->wl->listener->bound[fresh->fd_index];
    accepted->arena = fresh->arena;
    accepted->fd = fresh->fd;
    accepted->remote = *remote;
    accepted->direct_remote = *remote;
    accepted->local = *bound;
    if (bound->family != NU_ADDRESS_UNIX && nu_address_is_any(bound))
        accepted->local = nu_socket_local_address(fresh->fd);
    return accepted;
}

void nu_inspection_begin(struct nu_worker_listener *wl, int fd, uint8_t fd_index,
                         const struct nu_address *remote)
{
    struct inspection *inspection = nu_calloc(1, sizeof(*inspection));
    inspection->wl = wl;
    inspection->fresh = (struct nu_new_connection){
        .fd = fd, .fd_index = fd_index, .remote = *remote, .arena = nu_arena_create()};
    inspection->fresh.accepted = make_accepted(inspection, remote);
    nu_io_init(&inspection->io, wl->loop, fd, on_readable, inspection);
    nu_timer_init(&inspection->timer, on_timeout);
    nu_list_add_last(&wl->inspections, &inspection->link);
    nu_gauge_inc(&wl->stats->downstream_pre_cx_active);
    if (!run_filters(inspection))
        return;
    nu_io_enable_read(&inspection->io);
    if (wl->listener->config->listener_filters_timeout_ms)
        nu_timer_arm(wl->loop, &inspection->timer,
                     wl->listener->config->listener_filters_timeout_ms);
}

void nu_inspections_end(struct nu_worker_listener *wl)
{
    while (!nu_list_is_empty(&wl->inspections))
        refuse(nu_list_entry(wl->inspections.next, struct inspection, link));
}
