# SPDX-License-Identifier: Apache-2.0
"""The other ends of the wire: raw clients and scripted upstreams, on the Peer of tests/compat."""
import socket
import threading
import traceback

from lib import h2
from lib.wire import Peer, has_ipv6, head_bytes, message_end

IDLE_SECONDS = h2.IDLE_SECONDS
Peer.patience = 60  # a machine may be busy with other tests: nothing is told from how long it took


def connect(port, host="127.0.0.1"):
    """A client's connection; `port` is a number, or a path of a unix socket."""
    if isinstance(port, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(port)
        return UnixPeer(sock)
    return Peer(socket.create_connection((host, port)))


def hold_port():
    """A port of the kernel's choice, on every address, kept free for a listener: bound, not listening,
    with SO_REUSEADDR. Linux gives it to nobody else, and lets a socket listen on it that sets the same
    option. Keep the socket meanwhile."""
    family = socket.AF_INET6 if has_ipv6() else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("", 0))
    return sock


def listen_on(held, host="127.0.0.1", backlog=128):
    """A listener on a port that is held, which nobody else gets once this one is closed."""
    return socket.create_server((host, held.getsockname()[1]), backlog=backlog)


class UnixPeer(Peer):
    """Peer for a socket without TCP's options."""

    def __init__(self, sock):  # pylint: disable=super-init-not-called
        sock.setblocking(False)
        self.sock, self.received, self.used, self.end = sock, bytearray(), 0, "open"


def serve(peer):
    """The usual script: answers every request with 200 and "ok"."""
    while True:
        peer.wait("request or end", lambda: _next(peer), IDLE_SECONDS)
        if peer.end != "open":
            return
        peer.send(head_bytes("HTTP/1.1 200 OK\ncontent-length: 2", "ok"))


def _next(peer):
    if peer.end != "open":
        return len(peer.received)
    return message_end(peer.received, peer.used, is_response=False)


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed already


class Origin:
    """An upstream. `script(peer)` runs in a thread for each connection and may raise; what it raised
    fails the test. `received` has the bytes of each connection, in the order of the accepts. `held`
    keeps its port: who closes it has ended all that may still connect."""

    def __init__(self, script=None):
        self._script = script or serve
        self.held = hold_port()
        self._listener = listen_on(self.held)
        self.port = self._listener.getsockname()[1]
        self.peers, self._threads, self._problems = [], [], []
        self._finishing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def received(self):
        return [bytes(peer.received) for peer in self.peers]

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock)
            self.peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer):
        try:
            self._script(peer)
        except Exception:  # pylint: disable=broad-except
            if not self._finishing:
                self._problems.append("upstream: " + traceback.format_exc())
        finally:
            peer.close()

    def finish(self):
        """Ends what still runs; gives what went wrong before as a list of texts."""
        self._finishing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(10)
        for peer in self.peers:
            _shut(peer.sock)
        for thread in self._threads:
            thread.join(10)
        return self._problems
