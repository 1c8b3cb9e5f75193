/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's own threads by number: 0 is main, 1 to N are the workers. What is kept per thread
 * (stat shards, log rings) is indexed by this number. Threads outside (the log thread, libraries')
 * have no number of their own and may not use such things.
 */
#ifndef NU_BASE_THREAD_H
#define NU_BASE_THREAD_H

#include <pthread.h>

#include "base/compiler.h"

enum {
    NU_THREAD_MAIN = 0,
    NU_THREAD_MAX = 257, /* main and up to 256 workers */
};

extern _Thread_local unsigned nu_thread_index_;

/* The calling thread's number; 0 until it is set. */
static inline unsigned nu_thread_index(void)
{
    return nu_thread_index_;
}

/* Starts a thread that gets no signals: they are the main thread's. Returns 0, or an errno value. */
int nu_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);

/* Gives the calling thread its number and its name (of which the kernel keeps 15 bytes). */
void nu_thread_enter(unsigned index, const char *name);
/* Frees what the calling thread cached (blocks, slice nodes); the last thing a thread does. */
void nu_thread_leave(void);

#endif
