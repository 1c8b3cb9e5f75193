/* SPDX-License-Identifier: Apache-2.0 */
/* Lines go through the log thread, like those of every log. */
#include "tls/key_log.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log_writer.h"
#include "tls/context.h"
#include "tls/transport.h"

struct nu_log_file *nu_tls_key_log_open(struct nu_log_writer *writer, const char *path,
                                        struct nu_strbuf *error)
{
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    struct nu_log_file *file = nu_log_writer_open(writer, path, error);
    umask(mask);
    return file;
}

typedef int (*name_fn)(int fd, struct sockaddr *address, socklen_t *len);

static bool is_chosen(const struct nu_cidr_list *list, int fd, name_fn get_name)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    struct sockaddr *sa = (struct sockaddr *)&storage;
    if (list->count == 0)
        return true;
    if (get_name(fd, sa, &len) != 0)
        return false;
    struct nu_address address = nu_address_from_sockaddr(sa, len);
    return nu_cidr_list_contains(list, &address);
}

void nu_tls_key_log_line(const SSL *ssl, const char *line)
{
    const struct nu_tls_context_local *local = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct nu_tls_key_log *log = &local->settings->key_log;
    int fd = nu_tls_socket_of(ssl);
    if (!is_chosen(&log->local, fd, getsockname) || !is_chosen(&log->remote, fd, getpeername))
        return;
    struct nu_strbuf text = {0};
    nu_strbuf_add_cstr(&text, line);
    nu_strbuf_add_char(&text, '\n');
    nu_log_file_write(log->file, nu_strbuf_str(&text));
    OPENSSL_cleanse(text.data, text.len);
    nu_strbuf_finish(&text);
}
