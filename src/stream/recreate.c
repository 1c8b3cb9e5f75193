/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a request over, with new filters (nu_filter_recreate_stream). */
#include "stream/stream_internal.h"

/* The request that is to start over at the end of this turn. */
struct nu_stream_restart {
    struct nu_turn_task task;
    struct nu_hcm_stream *stream;
    struct nu_buf body;
    uint8_t count; /* times so far */
};

void nu_hcm_drop_restart(struct nu_hcm_stream *stream)
{
    nu_list_remove(&stream->restart->task.link);
    nu_buf_clear(&stream->restart->body);
}

enum { RESTARTS_MAX = 10 };

bool nu_hcm_can_recreate(struct nu_filter_chain *chain)
{
    const struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    return !nu_stream_is_over(stream) && stream->info.tunnel == NU_TUNNEL_NONE &&
           (!stream->restart || stream->restart->count < RESTARTS_MAX);
}

/* The request starts over with its headers as they are; what was kept of it goes along. */
static void restart(struct nu_turn_task *task)
{
    struct nu_stream_restart *again = nu_container_of(task, struct nu_stream_restart, task);
    struct nu_hcm_stream *stream = again->stream;
    struct nu_filter_chain *chain = &stream->chain;
    struct nu_headers *trailers = chain->half[NU_DECODE].trailers;
    struct nu_buf body = again->body;
    nu_buf_init(&again->body);
    nu_chain_log(chain);
    nu_chain_close(chain);
    nu_hcm_find_route(stream);
    nu_hcm_apply_route_timeouts(stream);
    nu_hcm_open_chain(stream, &stream->config->filters);
    nu_chain_decode_headers(chain, &stream->request_headers, body.len == 0 && !trailers);
    if (body.len)
        nu_chain_decode_data(chain, &body, !trailers);
    if (trailers)
        nu_chain_decode_trailers(chain, trailers);
    nu_buf_clear(&body);
}

void nu_hcm_recreate(struct nu_filter_chain *chain, struct nu_buf *body)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->restart) {
        stream->restart = nu_arena_calloc(stream->arena, sizeof(*stream->restart));
        stream->restart->stream = stream;
        nu_turn_task_init(&stream->restart->task, restart);
    }
    stream->restart->count++;
    nu_buf_move_all(&stream->restart->body, body);
    nu_loop_at_turn_end(stream->loop, &stream->restart->task);
}
