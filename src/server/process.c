/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and process-wide settings. None of them is worth failing for: the log says what is
 * missing. */
#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Below this many descriptors a proxy under load runs dry: each request takes two. */
enum { FEW_FILES = 4096 };

/* What is closed of stdin, stdout and stderr would become a socket, and get our log. */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int opened = open("/dev/null", O_RDWR); /* the lowest free one, which is `fd` */
        (void)opened;
    }
}

/* Whoever started us may have blocked some, which we would inherit. */
static void unblock_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    if (limit.rlim_cur < FEW_FILES)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN,
               "only %llu files may be open at once: connections over that will wait "
               "(raise it with ulimit -Hn or LimitNOFILE=)",
               (unsigned long long)limit.rlim_cur);
}

static void allow_core_dump(void)
{
    struct rlimit limit;
    bool ok = getrlimit(RLIMIT_CORE, &limit) == 0;
    limit.rlim_cur = limit.rlim_max;
    ok = ok && setrlimit(RLIMIT_CORE, &limit) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
    if (ok && limit.rlim_max > 0)
        nu_log(NU_LOG_MISC, NU_LOG_INFO, "core dump enabled");
    else
        nu_log(NU_LOG_MISC, NU_LOG_WARN, "core dump not enabled: the system's limit forbids it");
}

void nu_process_prepare(const struct nu_options *options)
{
    open_standard_files();
    unblock_signals();
    signal(SIGPIPE, SIG_IGN);
    /* PID 1 inherits orphans. We start no processes, so that nobody waits for an exit status. */
    if (getpid() == 1)
        signal(SIGCHLD, SIG_IGN);
    raise_file_limit();
    if (options->enable_core_dump)
        allow_core_dump();
}

bool nu_process_write_file(const char *path, struct nu_str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
    if (!ok)
        nu_log(NU_LOG_MAIN, NU_LOG_ERROR, "cannot write '%s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}
