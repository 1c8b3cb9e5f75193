/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of the one request of `nuncio wasm run`: the client that sends it, and the upstream
 * that answers whatever comes there. Both are on loopback, on the loop of the server's main thread,
 * and know nothing of what is between them.
 */
#ifndef NU_SERVER_WASM_RUN_EXCHANGE_H
#define NU_SERVER_WASM_RUN_EXCHANGE_H

#include "event/io.h"
#include "server/wasm_run/message.h"
#include "server/wasm_run/options.h"

enum { NU_WASM_RUN_REQUESTS_KEPT = 64 }; /* that reached the upstream */

/* One connection of either end. */
struct nu_wasm_run_peer {
    struct nu_list link; /* of the upstream's */
    struct nu_wasm_run_exchange *exchange;
    struct nu_io io;
    int fd; /* -1: none */
    struct nu_strbuf in;
    struct nu_strbuf out;
    size_t sent;                         /* of `out` */
    struct nu_wasm_run_message *message; /* what is being read; of the upstream, NULL between two */
};

struct nu_wasm_run_exchange {
    const struct nu_wasm_run_options *options; /* borrowed */
    struct nu_loop *loop;                      /* borrowed; NULL before it is attached */
    void (*on_done)(struct nu_wasm_run_exchange *exchange);
    int listen_fd; /* the upstream's; -1: none */
    struct nu_io listen_io;
    struct nu_list upstream_peers;
    struct nu_list requests; /* struct nu_wasm_run_message, in the order of their coming */
    size_t request_count;    /* all, also those that were not kept */
    struct nu_wasm_run_peer client;
    struct nu_wasm_run_message response;
    bool is_done; /* the response is there, or its connection has ended */
};

/* on_done is called once, when there will be no more of an answer. */
void nu_wasm_run_exchange_init(struct nu_wasm_run_exchange *exchange,
                               const struct nu_wasm_run_options *options,
                               void (*on_done)(struct nu_wasm_run_exchange *exchange));
/* Opens the upstream's socket. False after printing why not. */
NU_MUST_USE bool nu_wasm_run_exchange_open(struct nu_wasm_run_exchange *exchange, uint16_t *port);
/* Begins to answer as the upstream, on this loop. */
void nu_wasm_run_exchange_attach(struct nu_wasm_run_exchange *exchange, struct nu_loop *loop);
/* Sends the request there. */
void nu_wasm_run_exchange_send(struct nu_wasm_run_exchange *exchange, uint16_t port);
/* Closes the client's connection; on_done is not called. */
void nu_wasm_run_exchange_leave(struct nu_wasm_run_exchange *exchange);
/* Closes everything; what was read stays. The loop may go then. */
void nu_wasm_run_exchange_close(struct nu_wasm_run_exchange *exchange);
void nu_wasm_run_exchange_finish(struct nu_wasm_run_exchange *exchange);

#endif
