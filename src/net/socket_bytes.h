/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from and to a connected socket, as cheap as the kernel has it: recv and send pass by the
 * checks that read and write make of any file, which is 80 ns less for a call on the loopback, a
 * thirtieth of it.
 *
 * The library's functions are points at which a thread may be cancelled, which costs as much as all
 * the rest of the call in user mode. No thread of ours is ever cancelled. Sanitizers know only the
 * library's.
 *
 * All return what the system calls do: bytes, or -1 with errno. Any thread.
 */
#ifndef NU_NET_SOCKET_BYTES_H
#define NU_NET_SOCKET_BYTES_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"

static inline ssize_t nu_socket_read(int fd, void *data, size_t size)
{
#ifdef NU_DEBUG
    return recv(fd, data, size, 0);
#else
    return syscall(SYS_recvfrom, fd, data, size, 0, NULL, NULL);
#endif
}

static inline ssize_t nu_socket_write(int fd, const void *data, size_t size)
{
#ifdef NU_DEBUG
    return send(fd, data, size, MSG_NOSIGNAL);
#else
    return syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, NULL, 0);
#endif
}

static inline ssize_t nu_socket_write_pieces(int fd, const struct iovec *iov, int count)
{
    if (nu_likely(count == 1))
        return nu_socket_write(fd, iov->iov_base, iov->iov_len);
    struct msghdr message = {
        .msg_iov = nu_unconst(iov),
        .msg_iovlen = (size_t)count,
    };
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

#endif
