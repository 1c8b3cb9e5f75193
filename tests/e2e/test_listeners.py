# SPDX-License-Identifier: Apache-2.0
"""Listeners: kinds of addresses, how many sockets, the options that are set on them."""
import ctypes
import os
import re
import resource
import signal
import socket
import stat

import pytest

from configs import PROXY
from peers import connect

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
ADDRESS = "address: {socket_address: {address: 127.0.0.1, port_value: @main@}}"


def with_address(text):
    assert ADDRESS in PROXY
    return PROXY.replace(ADDRESS, text)


def answers(port, host="127.0.0.1"):
    client = connect(port, host)
    client.send(GET)
    client.wait_message(is_response=True)
    client.close()
    return client.received.startswith(b"HTTP/1.1 200 OK\r\n")


def sockets_of(pid):
    """Copies of the listening sockets of another process."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd_getfd = 438
    process = os.pidfd_open(pid)
    copies = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            continue
        copy = libc.syscall(pidfd_getfd, process, int(fd), 0)
        if copy < 0:
            pytest.skip("another process's descriptors may not be looked at here")
        sock = socket.socket(fileno=copy)
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            copies.append(sock)
        else:
            sock.close()
    os.close(process)
    return copies


def listeners_at(pid, address):
    return [sock for sock in sockets_of(pid) if sock.getsockname() == address]


@pytest.fixture
def ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.usefixtures("ipv6")
def test_ipv6(nuncio, origin):
    proxy = nuncio(with_address("address: {socket_address: {address: '::1', port_value: @main@}}"),
                   origin=origin().port)
    assert answers(proxy.port("main"), "::1")


@pytest.mark.usefixtures("ipv6")
def test_ipv6_takes_ipv4_only_when_asked(nuncio, origin):
    both = "address: {socket_address: {address: '::', port_value: @main@, ipv4_compat: true}}"
    proxy = nuncio(with_address(both), origin=origin().port)
    assert answers(proxy.port("main"))
    proxy = nuncio(with_address(both.replace(", ipv4_compat: true", "")), origin=origin().port)
    assert answers(proxy.port("main"), "::1")
    with pytest.raises(ConnectionRefusedError):
        connect(proxy.port("main"))


def test_one_listener_has_several_addresses(nuncio, origin, tmp_path):
    path = str(tmp_path / "more.sock")
    more = """
    additional_addresses:
    - address: {socket_address: {address: 127.0.0.2, port_value: @second@}}
    - address: {pipe: {path: @path@}}"""
    proxy = nuncio(with_address(ADDRESS + more), origin=origin().port, path=path)
    assert answers(proxy.port("main"))
    assert answers(proxy.port("second"), "127.0.0.2")
    assert answers(path)


def test_a_unix_socket_has_its_mode_and_goes_with_the_process(nuncio, origin, tmp_path):
    path = str(tmp_path / "web.sock")
    proxy = nuncio(with_address("address: {pipe: {path: @path@, mode: 0640}}"),
                   origin=origin().port, path=path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert answers(path)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert not os.path.exists(path)


def test_a_file_that_is_no_socket_is_left_alone(nuncio, tmp_path):
    path = tmp_path / "web.sock"
    path.write_text("mine")
    config = with_address("address: {pipe: {path: @path@}}")
    proxy = nuncio(config, origin=1, path=str(path), ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert f"cannot bind '{path}': Address already in use by a file that is no socket" \
        in proxy.stderr.text
    assert path.read_text() == "mine"


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(nuncio, origin, tmp_path):
    path = str(tmp_path / "web.sock")
    config = with_address("address: {pipe: {path: @path@}}")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    nuncio(config, origin=origin().port, path=path)
    assert answers(path)
    second = nuncio(config, origin=origin().port, path=path, ready=None, expect_exit=1)
    assert second.wait_exit() == 1
    assert f"cannot bind '{path}': Address already in use" in second.stderr.text
    assert answers(path)


def test_a_successors_unix_socket_is_left_in_place(nuncio, origin, tmp_path):
    path = str(tmp_path / "web.sock")
    config = with_address("address: {pipe: {path: @path@}}")
    first = nuncio(config, origin=origin().port, path=path)
    os.unlink(path)
    nuncio(config, origin=origin().port, path=path)
    first.signal(signal.SIGTERM)
    assert first.wait_exit() == 0
    assert answers(path)


def test_a_shared_port_is_said(nuncio, origin):
    first = nuncio(PROXY, origin=origin().port)
    assert "another process listens" not in first.stderr.text
    second = nuncio(PROXY, origin=origin().port, main=first.port("main"))
    assert f"another process listens on 127.0.0.1:{first.port('main')} as well" \
        in second.stderr.text
    config = with_address(ADDRESS + "\n    enable_reuse_port: false")
    third = nuncio(config, origin=origin().port, main=first.port("main"), ready=None,
                   expect_exit=1)
    assert third.wait_exit() == 1


def test_an_abstract_unix_socket(nuncio, origin):
    name = f"@nuncio-test-{os.getpid()}"
    nuncio(with_address(f"address: {{pipe: {{path: '{name}'}}}}"), origin=origin().port)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect("\0" + name[1:])
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("setting, count", [("", 3), ("\n    enable_reuse_port: true", 3),
                                            ("\n    enable_reuse_port: false", 1)],
                         ids=["default", "true", "false"])
def test_each_worker_has_a_socket_of_its_own_unless_told_otherwise(nuncio, origin, setting, count):
    proxy = nuncio(with_address(ADDRESS + setting), "--concurrency", "3", origin=origin().port)
    own = listeners_at(proxy.pid, ("127.0.0.1", proxy.port("main")))
    assert len(own) == count
    assert all(answers(proxy.port("main")) for _ in range(6))


def test_options_are_set_on_the_socket(nuncio, origin):
    options = """
    freebind: true
    tcp_fast_open_queue_length: 7
    tcp_backlog_size: 33
    tcp_keepalive: {keepalive_probes: 3, keepalive_time: 21, keepalive_interval: 5}
    socket_options:
    - {level: 1, name: 8, int_value: 65536, state: STATE_PREBIND}
    - {level: 6, name: 9, int_value: 4, state: STATE_LISTENING}
    - {level: 0, name: 1, buf_value: EAAAAA==, state: STATE_BOUND}"""
    proxy = nuncio(with_address(ADDRESS + options), "--concurrency", "1", origin=origin().port)
    sock, = listeners_at(proxy.pid, ("127.0.0.1", proxy.port("main")))
    ip_freebind, tcp_info, max_backlog_at = 15, 11, 28
    get = sock.getsockopt
    assert get(socket.IPPROTO_IP, ip_freebind) == 1
    assert get(socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 7
    info = get(socket.IPPROTO_TCP, tcp_info, 104)
    assert int.from_bytes(info[max_backlog_at:max_backlog_at + 4], "little") == 33
    assert get(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 21
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 5
    assert get(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 65536
    assert get(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
    assert get(socket.IPPROTO_IP, socket.IP_TOS) == 16


def test_a_transparent_socket(nuncio, origin):
    ip_transparent = 19
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_IP, ip_transparent, 1)
        except PermissionError:
            pytest.skip("IP_TRANSPARENT may not be set here")
    proxy = nuncio(with_address(ADDRESS + "\n    transparent: true"), "--concurrency", "1",
                   origin=origin().port)
    sock, = listeners_at(proxy.pid, ("127.0.0.1", proxy.port("main")))
    assert sock.getsockopt(socket.IPPROTO_IP, ip_transparent) == 1


def test_an_additional_address_has_options_of_its_own(nuncio, origin):
    more = """
    socket_options: [{level: 0, name: 1, int_value: 8, state: STATE_BOUND}]
    additional_addresses:
    - address: {socket_address: {address: 127.0.0.1, port_value: @second@}}
      socket_options: {socket_options: [{level: 0, name: 1, int_value: 16, state: STATE_BOUND}]}
    - address: {socket_address: {address: 127.0.0.1, port_value: @third@}}"""
    proxy = nuncio(with_address(ADDRESS + more), "--concurrency", "1", origin=origin().port)

    def type_of_service(name):
        sock, = listeners_at(proxy.pid, ("127.0.0.1", proxy.port(name)))
        return sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)

    assert [type_of_service(name) for name in ("main", "second", "third")] == [8, 16, 8]


def test_an_option_that_fails_ends_the_start(nuncio, origin):
    """And is named; what can be known of it is its numbers and how the configuration describes it."""
    config = with_address(ADDRESS + """
    socket_options:
    - {level: 6, name: 1, int_value: 1}
    - {level: 6, name: 9999, int_value: 1, description: "no such", state: @state@}""")
    for state in ("STATE_PREBIND", "STATE_BOUND", "STATE_LISTENING"):
        proxy = nuncio(config, origin=origin().port, state=state, ready=None, expect_exit=1)
        assert proxy.wait_exit() == 1
        port = proxy.port("main")
        assert f"cannot set a socket option on '127.0.0.1:{port}': Protocol not available " \
            '(socket_options: level 6, name 9999, "no such")' in proxy.stderr.text


def test_a_length_of_the_fast_open_queue_that_fails_is_named(nuncio, origin):
    config = with_address(ADDRESS + "\n    tcp_fast_open_queue_length: 4294967295")
    proxy = nuncio(config, origin=origin().port, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    port = proxy.port("main")
    assert f"cannot set tcp_fast_open_queue_length on '127.0.0.1:{port}': Invalid argument" \
        in proxy.stderr.text


def limit_files(soft, hard):
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))}


def test_the_limit_of_open_files_is_raised(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin().port, popen=limit_files(100, 5000))
    assert resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE) == (5000, 5000)
    assert "files may be open at once" not in proxy.stderr.text


@pytest.mark.parametrize("files", [7, 15, 19])
def test_a_start_without_enough_files_ends_with_a_word_of_ours(nuncio, origin, files):
    proxy = nuncio(PROXY, "--concurrency", "2", origin=origin().port, ready=None, expect_exit=1,
                   popen=limit_files(files, files))
    assert proxy.wait_exit() == 1
    assert re.search(r"^nuncio: cannot .*: Too many open files$", proxy.stderr.text, re.M)
    assert "[err]" not in proxy.stderr.text


def test_a_low_limit_of_open_files_is_said_and_survived(nuncio, origin):
    """Clients over the limit wait in the kernel's queue until others have gone."""
    proxy = nuncio(PROXY, "--concurrency", "1", origin=origin().port, popen=limit_files(40, 40))
    assert "only 40 files may be open at once" in proxy.stderr.text
    clients = [proxy.connect() for _ in range(60)]
    proxy.stderr.wait("out of file descriptors")
    for client in clients[:50]:
        client.close()
    last = clients[-1]
    last.send(GET)
    last.wait_message(is_response=True)
    assert last.received.startswith(b"HTTP/1.1 200 OK\r\n")
