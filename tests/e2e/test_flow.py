# SPDX-License-Identifier: Apache-2.0
"""Flow control end to end: a side that does not read holds the other side back."""
import socket
import threading

from configs import PROXY
from process import eventually

FAR_TOO_MUCH = 256 << 20


class Flood:
    """Sends zeros until nobody takes them; `sent` says how many were taken."""

    def __init__(self):
        self.sent = 0
        self.stalled = threading.Event()

    def run(self, sock):
        sock.settimeout(1)
        try:
            while self.sent < FAR_TOO_MUCH:
                self.sent += sock.send(bytes(1 << 16))
        except OSError:
            pass  # nobody reads: what the tests are about
        self.stalled.set()


def test_a_client_that_does_not_read_holds_the_upstream_back(nuncio, origin):
    flood = Flood()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.sock.setblocking(True)
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % FAR_TOO_MUCH)
        flood.run(peer.sock)

    proxy = nuncio(PROXY, origin=origin(script).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert flood.stalled.wait(60)
        assert flood.sent < 64 << 20
        name = "cluster.origin.upstream_flow_control_paused_reading_total"
        assert eventually(lambda: proxy.stats()[name] > 0)


def test_an_upstream_that_does_not_read_holds_the_client_back(nuncio, origin):
    flood, done = Flood(), threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        done.wait(60)

    proxy = nuncio(PROXY, origin=origin(script).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % FAR_TOO_MUCH)
        flood.run(client)
        assert flood.sent < 64 << 20
        name = "cluster.origin.upstream_flow_control_backed_up_total"
        assert eventually(lambda: proxy.stats()[name] > 0)
        done.set()
