/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to whichever of several addresses answers first ("happy eyeballs", RFC 8305): the next
 * one is tried when the last one has failed or has not answered for 300 ms, and the first that is
 * there wins. For nu_connection alone, which owns the race until it is over.
 */
#ifndef NU_NET_RACE_H
#define NU_NET_RACE_H

#include "base/address.h"
#include "event/loop.h"

struct nu_connection;
struct nu_race;

/*
 * Begins, with the first of the addresses, which are copied. Exactly one of nu_connection_win_race
 * and nu_connection_lose_race is called later, unless it is destroyed before. `setup` is
 * called for each socket as in nu_connection_connect; its argument is borrowed.
 */
struct nu_race *nu_race_create(struct nu_connection *conn, struct nu_loop *loop,
                               const struct nu_address *addresses, uint32_t count,
                               bool (*setup)(int fd, const void *arg), const void *setup_arg);
/* Closes what is being connected. NULL inside is allowed; from inside the race's own calls too. */
void nu_race_destroy(struct nu_race **race);

/* --- connection.c ----------------------------------------------------------------------------- */

/* Opens a socket and begins to connect it: the descriptor, or -1 with errno. */
int nu_connection_begin_connect(const struct nu_address *remote,
                                bool (*setup)(int fd, const void *arg), const void *setup_arg);
/* The connected socket is the connection's from here on; the race is over. */
void nu_connection_win_race(struct nu_connection *conn, int fd);
/* No address could be reached. */
void nu_connection_lose_race(struct nu_connection *conn, int error);

#endif
