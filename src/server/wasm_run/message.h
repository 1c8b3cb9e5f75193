/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1.1 message as it is to be shown: `nuncio wasm run` reads what nuncio sent to the
 * upstream and to the client. Whoever writes it is the proxy, so that nothing of this guards
 * against a peer; bytes that are no message are a message that has failed, and memory is bounded.
 */
#ifndef NU_SERVER_WASM_RUN_MESSAGE_H
#define NU_SERVER_WASM_RUN_MESSAGE_H

#include "base/list.h"
#include "base/str.h"

enum {
    NU_WASM_RUN_HEAD_MAX = 1 << 20,  /* bytes of a head, or of trailers */
    NU_WASM_RUN_BODY_KEPT = 1 << 20, /* bytes of a body that are kept to be shown */
};

enum nu_wasm_run_phase {
    NU_WASM_RUN_HEAD,
    NU_WASM_RUN_BODY,      /* `left` bytes of it */
    NU_WASM_RUN_BODY_REST, /* all that comes before the end of the connection */
    NU_WASM_RUN_CHUNK_SIZE,
    NU_WASM_RUN_CHUNK,
    NU_WASM_RUN_CHUNK_END,
    NU_WASM_RUN_TRAILERS,
    NU_WASM_RUN_COMPLETE,
    NU_WASM_RUN_FAILED,
};

struct nu_wasm_run_message {
    struct nu_list link; /* for its owner */
    enum nu_wasm_run_phase phase;
    bool is_response;
    bool answers_head;         /* a response without a body, whatever its head says */
    unsigned status;           /* of a response whose head is there */
    struct nu_strbuf head;     /* its lines, each with its '\n' */
    struct nu_strbuf trailers; /* the same */
    struct nu_strbuf body;     /* its first bytes */
    uint64_t body_bytes;       /* all of it */
    uint64_t left;
};

/* Of a request. */
void nu_wasm_run_message_init(struct nu_wasm_run_message *message);
/* Of the response to a request, by HEAD or another method. */
void nu_wasm_run_message_init_response(struct nu_wasm_run_message *message, bool answers_head);
void nu_wasm_run_message_finish(struct nu_wasm_run_message *message);

/* Takes what is the message's off the front of `in`; what is left there when it is complete belongs
 * to the next one. Interim responses are dropped. */
void nu_wasm_run_message_feed(struct nu_wasm_run_message *message, struct nu_strbuf *in);
/* The connection has ended: the message is complete by that, or will never be. */
void nu_wasm_run_message_end(struct nu_wasm_run_message *message);

/* The request's method, once its head is there. */
struct nu_str nu_wasm_run_message_method(const struct nu_wasm_run_message *message);

#endif
