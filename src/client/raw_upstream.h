/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain connection to a host in the guise of an HTTP stream: what ends a CONNECT, or a POST that
 * is taken for one. The body of the request goes out as it is, a 200 of ours stands for the
 * answer's head once the connection is there, and what the server sends is its body.
 *
 *     encoder: headers -> (a PROXY header)   data -> bytes   end -> FIN
 *     decoder: 200 <- connected              data <- bytes   end <- FIN
 *
 * Its user embeds it. Everything happens on the worker's thread.
 */
#ifndef NU_CLIENT_RAW_UPSTREAM_H
#define NU_CLIENT_RAW_UPSTREAM_H

#include "route/route.h"
#include "upstream/pool/tcp_client.h"

struct nu_raw_upstream;

struct nu_raw_upstream_ops {
    /* It is there: the request goes through `raw->encoder`; the 200 follows. */
    void (*on_ready)(struct nu_raw_upstream *raw);
    /* It did not come up; the last call. `text` lives as long as the call. */
    void (*on_failure)(struct nu_raw_upstream *raw, enum nu_reset_reason reason,
                       struct nu_str text);
};

struct nu_raw_upstream {
    const struct nu_raw_upstream_ops *ops;
    const struct nu_route_connect *config; /* borrowed */
    struct nu_stream_decoder *decoder;     /* borrowed: hears the answer */
    struct nu_stream_encoder encoder;
    struct nu_tcp_client *client; /* NULL when it is gone, or not ours any more */
};

/* Begins to connect to a host of the cluster, for `whom` (nu_tcp_client_open); `ops`, `config` and
 * `decoder` are set. The ops follow, never from inside. False where there is no host, or where too
 * many wait (*overflow). */
bool nu_raw_upstream_open(struct nu_raw_upstream *raw, struct nu_cluster_local *cluster,
                          const struct nu_lb_context *context, const struct nu_proxy_data *whom,
                          bool *overflow);
/* Gives it up while it connects; afterwards the encoder's reset does that. */
void nu_raw_upstream_cancel(struct nu_raw_upstream *raw);

#endif
