/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener filter contract: what looks at an accepted socket before its filter chain is chosen.
 * A filter has no state of its own: it is shown all bytes that came so far, again each time more
 * come, and notes what it learns in the struct nu_accepted. Bytes stay where they are for the
 * chain, but for those that a filter takes away (a PROXY header). The connection's worker.
 */
#ifndef NU_NET_LISTENER_FILTER_H
#define NU_NET_LISTENER_FILTER_H

#include "base/address.h"
#include "base/arena.h"
#include "config/factory.h"

struct nu_metadata;
struct nu_proxy_data;

enum nu_listener_filter_status {
    NU_LISTENER_FILTER_CONTINUE,
    NU_LISTENER_FILTER_WAIT,  /* for more bytes */
    NU_LISTENER_FILTER_CLOSE, /* the connection is not wanted */
};

/* What is known of an accepted socket; the filters add to it. */
struct nu_accepted {
    struct nu_arena *arena;   /* borrowed: lives as long as the connection */
    int fd;                   /* borrowed; not to be read from */
    struct nu_address remote; /* as a PROXY header says, or of the socket */
    struct nu_address direct_remote;
    struct nu_address local;   /* as a PROXY header or the original destination says, or of the
                                  socket */
    bool local_restored;       /* `local` is not the socket's */
    struct nu_str server_name; /* lower-case */
    struct nu_str transport_protocol; /* empty until a filter knows: plain bytes are "raw_buffer" */
    struct nu_str *application_protocols;
    size_t application_protocol_count;
    struct nu_metadata *metadata;      /* of the connection, in the arena; NULL while empty */
    const struct nu_proxy_data *proxy; /* what a PROXY header said, in the arena; NULL without */
};

struct nu_listener_filter_class {
    const char *name;
    size_t max_bytes; /* how much it may want to see; 0: it decides without bytes */
    /*
     * `bytes` came so far; more of them come as long as it waits and there are less than max_bytes.
     * With `*taken` (0 at first) the filter removes bytes from the front.
     */
    enum nu_listener_filter_status (*on_data)(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken);
};

struct nu_listener_filter_entry {
    const struct nu_listener_filter_class *cls;
    void *config; /* borrowed: the listener's configuration */
};

struct nu_listener_filter_factory {
    const char *name; /* canonical, such as "envoy.filters.listener.tls_inspector" */
    const char *type; /* full name of the configuration's message */
    const struct nu_listener_filter_class *cls;
    /* Makes the configuration, NULL after adding an error. Main thread. */
    void *(*create)(struct nu_factory *factory, const ProtobufCMessage *config);
};

#endif
