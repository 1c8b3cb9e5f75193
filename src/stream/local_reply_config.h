/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_reply_config: what a configuration changes about the responses that nuncio makes itself.
 * The first mapper whose filter accepts the stream may give another status, body, headers and
 * format; a format of the whole configuration writes the bodies that no mapper has one for.
 *
 * Immutable, in the arena of the connection manager's configuration, shared by all workers.
 */
#ifndef NU_STREAM_LOCAL_REPLY_CONFIG_H
#define NU_STREAM_LOCAL_REPLY_CONFIG_H

#include "access_log/filter.h"
#include "format/format_from_proto.h"
#include "route/header_edits.h"

struct Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__LocalReplyConfig;
struct nu_factory;
struct nu_headers;

struct nu_reply_mapper {
    const struct nu_log_filter *filter;
    uint32_t status; /* 0: as it is */
    bool has_body;
    struct nu_str body;
    const struct nu_header_edits *edits; /* NULL: none */
    struct nu_format_string format;      /* formatter NULL: the configuration's */
};

struct nu_local_reply_config {
    const struct nu_reply_mapper *mappers;
    size_t mapper_count;
    struct nu_format_string format; /* formatter NULL: bodies stay as they are */
};

/* What a reply is made of, before and after it was mapped. */
struct nu_reply_parts {
    uint32_t status;
    struct nu_str body;
    struct nu_str content_type; /* of the body, where no header says otherwise */
};

/* NULL after adding errors. Main thread, while loading. */
const struct nu_local_reply_config *nu_local_reply_config_from_proto(
    const struct nu_factory *factory,
    const struct Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__LocalReplyConfig
        *proto);

/*
 * Changes a reply. `headers` are the reply's, which `context` has as well; `info` is the context's,
 * and its response code follows the reply's status. New texts are in the arena of `headers`.
 */
void nu_local_reply_config_apply(const struct nu_local_reply_config *config,
                                 const struct nu_format_context *context,
                                 const struct nu_runtime *runtime, struct nu_headers *headers,
                                 struct nu_stream_info *info, struct nu_reply_parts *parts);

#endif
