/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time between the accept and the choice of a filter chain, for listeners with listener
 * filters: bytes are read and shown to the filters until all of them are content, or one refuses,
 * or the time is up. What was read is handed on with the socket. The listener's worker.
 */
#ifndef NU_NET_INSPECTION_H
#define NU_NET_INSPECTION_H

#include "net/listener.h"

/* An accepted socket on its way to a chain. */
struct nu_new_connection {
    int fd;
    uint8_t fd_index; /* of the listener's addresses */
    struct nu_address remote;
    struct nu_accepted *accepted; /* what the filters found; NULL without filters */
    struct nu_arena *arena;       /* owns `accepted`; goes along with the connection; may be NULL */
    struct nu_buf bytes;          /* read already */
};

/* Takes over a socket; nu_listener_admit follows when the filters are content. */
void nu_inspection_begin(struct nu_worker_listener *wl, int fd, uint8_t fd_index,
                         const struct nu_address *remote);
/* Closes every socket of the listener that is still looked at. */
void nu_inspections_end(struct nu_worker_listener *wl);

/* Chooses a chain for a connection and opens it; without a chain the socket is closed. listener.c
 * has it. */
void nu_listener_admit(struct nu_worker_listener *wl, struct nu_new_connection *fresh);

#endif
