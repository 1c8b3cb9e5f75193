/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a function ends the process: it runs in a child whose stderr is closed. */
#ifndef NU_TESTS_HARNESS_ABORT_H
#define NU_TESTS_HARNESS_ABORT_H

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool nu_test_aborts(void (*fn)(void))
{
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        continue;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
