/* SPDX-License-Identifier: Apache-2.0 */
/* Thread numbers and names. */
#include "base/thread.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/block.h"
#include "base/buf.h"

_Thread_local unsigned nu_thread_index_;

void nu_thread_enter(unsigned index, const char *name)
{
    nu_assert(index < NU_THREAD_MAX);
    nu_thread_index_ = index;
    pthread_setname_np(pthread_self(), name);
}

void nu_thread_leave(void)
{
    nu_buf_cache_clear();
    nu_block_cache_clear();
}
