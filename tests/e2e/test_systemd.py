# SPDX-License-Identifier: Apache-2.0
"""The service manager's side: readiness, watchdog, handed-over sockets. A socket of ours plays
systemd; no real one runs here."""
import os
import signal
import socket

import pytest

from configs import PROXY
from process import Nuncio

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Manager:
    """A $NOTIFY_SOCKET with an abstract name of the kernel's choice."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("")
        self.sock.settimeout(30)
        self.env = {"NOTIFY_SOCKET": "@" + self.sock.getsockname()[1:].decode()}

    def message(self):
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().splitlines())

    def count_waiting(self):
        """How many messages wait; takes them away."""
        self.sock.setblocking(False)
        count = 0
        try:
            while self.message():
                count += 1
        except BlockingIOError:
            self.sock.settimeout(30)
        return count

    def wait(self, name):
        """The next message that sets `name`."""
        while name not in (message := self.message()):
            pass
        return message


@pytest.fixture
def manager():
    with (made := Manager()).sock:
        yield made


def test_readiness_and_the_end_are_told(nuncio, origin, manager):
    proxy = nuncio(PROXY, origin=origin().port, env=manager.env)
    ready = manager.message()
    assert ready == {"READY": "1", "MAINPID": str(proxy.pid),
                     "STATUS": "Serving: 1 listeners, 2 workers"}
    assert proxy.get("main").status == 200
    proxy.signal(signal.SIGTERM)
    assert manager.message() == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "13000000",
                                 "STATUS": "Draining"}
    assert proxy.wait_exit() == 0


def test_a_socket_may_be_a_path(nuncio, origin, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(30)
        nuncio(PROXY, origin=origin().port, env={"NOTIFY_SOCKET": path})
        assert sock.recv(100).startswith(b"READY=1\n")


def test_the_watchdog_is_fed_while_every_worker_turns(nuncio, origin, manager):
    nuncio(PROXY, origin=origin().port, env={**manager.env, "WATCHDOG_USEC": "40000"})
    for _ in range(3):
        assert manager.wait("WATCHDOG") == {"WATCHDOG": "1"}


def test_the_watchdog_of_another_process_is_not_fed(nuncio, origin, manager):
    proxy = nuncio(PROXY, origin=origin().port,
                   env={**manager.env, "WATCHDOG_USEC": "4000", "WATCHDOG_PID": "1"})
    assert "READY" in manager.message()
    proxy.signal(signal.SIGTERM)
    assert "STOPPING" in manager.message()


def test_a_stuck_worker_starves_the_watchdog(nuncio, origin, manager):
    """The worker's thread is stopped by a tracer, which is this test."""
    proxy = nuncio(PROXY, "--concurrency", "1", origin=origin().port,
                   env={**manager.env, "WATCHDOG_USEC": "400000"})
    manager.wait("WATCHDOG")
    with Stopped(proxy.pid, "wrk:0"):
        manager.count_waiting()
        proxy.stderr.wait("worker_0 has not come round for")
        assert manager.count_waiting() <= 2  # of ten rounds or more
    manager.wait("WATCHDOG")
    stats = proxy.stats()
    assert stats["server.worker_0.watchdog_miss"] >= 1
    assert stats["server.worker_0.watchdog_mega_miss"] >= 1
    assert stats["workers.watchdog_miss"] >= 1
    assert stats["server.main_thread.watchdog_miss"] == 0


class Stopped:
    """Holds one thread of a process by ptrace."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        import ctypes
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long] * 4
        self._libc.ptrace.restype = ctypes.c_long
        self._tid = next(int(tid) for tid in os.listdir(f"/proc/{pid}/task")
                         if open(f"/proc/{pid}/task/{tid}/comm").read().strip() == name)

    def _ptrace(self, request):
        return self._libc.ptrace(request, self._tid, 0, 0)

    def __enter__(self):
        if self._ptrace(self.SEIZE) != 0:
            pytest.skip("ptrace is not allowed here")
        self._ptrace(self.INTERRUPT)
        os.waitpid(self._tid, self.WALL)
        return self

    def __exit__(self, *_):
        self._ptrace(self.DETACH)


# Becomes the program as systemd would have it: descriptors from 3 on, LISTEN_PID its own.
LAUNCHER = """#!/usr/bin/python3
import os, sys
high = [os.dup2(int(fd), 100 + i) for i, fd in enumerate(os.environ.pop("PASS_FDS").split())]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
os.execv("BINARY", sys.argv)
"""


@pytest.fixture
def activate(nuncio_binary, tmp_path):
    """activate(sockets, names, config...): a nuncio that gets the sockets handed over."""
    launcher = tmp_path / "launcher"
    launcher.write_text(LAUNCHER.replace("BINARY", nuncio_binary))
    launcher.chmod(0o755)
    started = []

    def start(sockets, names, config, *arguments, **values):
        folder = tmp_path / f"activated{len(started)}"
        folder.mkdir()
        fds = [sock.fileno() for sock in sockets]
        env = {"PASS_FDS": " ".join(map(str, fds)), "LISTEN_FDNAMES": ":".join(names)}
        process = Nuncio(str(launcher), folder, config, arguments, env=env,
                         popen={"pass_fds": fds}, **values)
        started.append(process)
        process.wait_ready()
        return process

    yield start
    problems = [problem for process in started for problem in process.finish()]
    assert not problems, "\n".join(problems)


def listener(address="127.0.0.1"):
    return socket.create_server((address, 0))


def test_a_listener_takes_the_socket_of_its_address(activate, origin):
    with listener() as sock:
        proxy = activate([sock], ["web"], PROXY, main=sock.getsockname()[1], origin=origin().port)
        assert proxy.get("main").status == 200
        assert "service manager's socket" not in proxy.stderr.text


def test_clients_that_wait_in_a_handed_over_socket_outlive_a_restart(activate, origin):
    """What nobody accepts stays in the manager's socket for the next process."""
    with listener() as sock:
        port = sock.getsockname()[1]
        first = activate([sock], ["web"], PROXY, main=port, origin=origin().port)
        first.signal(signal.SIGTERM)
        assert first.wait_exit() == 0
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(GET)
            activate([sock], ["web"], PROXY, main=port, origin=origin().port)
            client.settimeout(30)
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_unix_socket_is_taken_and_left_in_place(activate, origin, tmp_path):
    path = str(tmp_path / "web.sock")
    config = PROXY.replace("socket_address: {address: 127.0.0.1, port_value: @main@}",
                           "pipe: {path: @path@}")
    assert "@path@" in config
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        proxy = activate([sock], ["web"], config, path=path, origin=origin().port)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(path)
            client.sendall(GET)
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        assert os.path.exists(path)


def test_sockets_of_no_listener_are_named(activate, origin):
    with listener() as other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        proxy = activate([other, datagram], ["stray", "odd"], PROXY, origin=origin().port)
        address = f"127.0.0.1:{other.getsockname()[1]}"
        proxy.stderr.wait(f"socket 3 'stray' ({address}) is the address of no listener")
        proxy.stderr.wait("socket 4 'odd' (no listening stream socket)")
        assert proxy.get("main").status == 200
