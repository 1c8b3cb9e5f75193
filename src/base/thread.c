/* SPDX-License-Identifier: Apache-2.0 */
/* Thread numbers and names. */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/block.h"
#include "base/buf.h"
#include "base/small.h"

_Thread_local unsigned nu_thread_index_;

/* What a fault of the thread itself raises must reach it, or the process dies without a word. */
static const int synchronous[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

int nu_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    for (size_t i = 0; i < NU_ARRAY_LEN(synchronous); i++)
        sigdelset(&blocked, synchronous[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int code = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

void nu_thread_enter(unsigned index, const char *name)
{
    nu_assert(index < NU_THREAD_MAX);
    nu_thread_index_ = index;
    char cut[16]; /* a longer name would be refused, not cut */
    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

void nu_thread_leave(void)
{
    nu_buf_cache_clear();
    nu_block_cache_clear();
    nu_small_cache_clear();
}
