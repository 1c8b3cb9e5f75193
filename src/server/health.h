/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nuncio health`: asks a running nuncio (or an Envoy) whether it is ready, for a container's
 * HEALTHCHECK, a script, a person. It is a small client of its own, which blocks.
 */
#ifndef NU_SERVER_HEALTH_H
#define NU_SERVER_HEALTH_H

#include "base/address.h"

/* Whom to ask, and what. */
struct nu_health_target {
    struct nu_address address; /* family NONE: `host` has to be resolved */
    char *host;                /* owned: of the URL, or the address as text */
    char *path;                /* owned */
    uint16_t port;
};

/* Reads "http://host[:port][/path]"; the path is /ready if there is none. False if it is no such
 * URL. */
NU_MUST_USE bool nu_health_target_from_url(struct nu_str url, struct nu_health_target *out);
/*
 * The admin address `bound`, as a client reaches it: an any-address becomes the loopback one.
 * The path is /ready.
 */
void nu_health_target_from_address(const struct nu_address *bound, struct nu_health_target *out);
void nu_health_target_finish(struct nu_health_target *target);

/* The status of a response's first line, or 0 if it is none. */
unsigned nu_health_read_status(struct nu_str response);

/* The command: argv[0] is the program's name, argv[1] "health". Prints the outcome; returns the
 * exit status, 0 for ready and 1 for all else. */
int nu_health_main(int argc, char **argv);

#endif
