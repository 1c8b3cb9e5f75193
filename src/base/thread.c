/* SPDX-License-Identifier: Apache-2.0 */
/* Thread numbers and names. */
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/block.h"
#include "base/buf.h"

_Thread_local unsigned nu_thread_index_;

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
}
