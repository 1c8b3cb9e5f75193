# SPDX-License-Identifier: Apache-2.0
"""Blocking sockets at both ends of a tunnel, and what its tests ask of a proxy."""
import socket
import struct
import threading

import pytest

from process import eventually
from websocket import WAIT_SECONDS


def limited(config, limit=65536):
    """With buffers of this size on both sides."""
    return (config.replace("  - name: main\n", f"  - name: main\n    per_connection_buffer_limit_bytes: {limit}\n")
            .replace("    type: STATIC\n", f"    type: STATIC\n    per_connection_buffer_limit_bytes: {limit}\n"))


class Server:
    """An upstream with blocking sockets: `script(sock)` for each connection, whose troubles fail
    the test. Its ends are told by `over`."""

    def __init__(self, script):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._script, self.problems, self.results = script, [], []
        self.over = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        sock.settimeout(WAIT_SECONDS)
        try:
            self.results.append(self._script(sock))
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))
        sock.close()
        self.over.release()

    def wait(self):
        """Waits for the end of one connection's script; gives its result."""
        assert self.over.acquire(timeout=WAIT_SECONDS), "the upstream's script did not end"
        assert not self.problems, self.problems
        return self.results[-1]

    def finish(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_SECONDS)


@pytest.fixture
def server():
    started = []

    def start(script):
        started.append(Server(script))
        return started[-1]

    yield start
    for one in started:
        one.finish()


def client_of(proxy, name="main"):
    return socket.create_connection(("127.0.0.1", proxy.port(name)), WAIT_SECONDS)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def gone(proxy, stat="http.main.downstream_cx_upgrades_active"):
    """Waits until no upgrade is open."""
    assert eventually(lambda: proxy.stats()[stat] == 0), proxy.stats()[stat]
