# SPDX-License-Identifier: Apache-2.0
"""Several hosts on one port, and clients that ask without a pause: for tests in which hosts come and
go under traffic."""
import socket
import threading

from lib.wire import Peer, head_bytes, message_end
from peers import IDLE_SECONDS, connect, hold_port, listen_on

ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


class Fleet:
    """One port on several addresses; every response says which one it came from."""

    def __init__(self):
        self.held = hold_port()  # until all that may still connect has ended, as Origin's
        self._listeners = [listen_on(self.held, address) for address in ADDRESSES]
        self.port = self.held.getsockname()[1]
        self._peers, self._threads = [], []
        for listener in self._listeners:
            self._start(self._accept, listener)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        address = listener.getsockname()[0]
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._peers.append(Peer(sock))
            self._start(self._serve, self._peers[-1], address)

    @staticmethod
    def _serve(peer, address):
        def request_or_end():
            if peer.end != "open":
                return len(peer.received)
            return message_end(peer.received, peer.used, is_response=False)

        while True:
            peer.wait("request or end", request_or_end, IDLE_SECONDS)
            if peer.end != "open":
                break
            peer.send(head_bytes(f"HTTP/1.1 200 OK\ncontent-length: {len(address)}", address))
        peer.close()

    def finish(self):
        """Nobody serves any more. Twice does no harm."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._listeners = []
        for peer in list(self._peers):
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in list(self._threads):
            thread.join(10)


class Load:
    """Clients that ask one request after the other, each over one connection."""

    def __init__(self, port, clients=4):
        self._port, self._over = port, threading.Event()
        self._results = [[] for _ in range(clients)]
        self._threads = [threading.Thread(target=self._ask, args=(seen,)) for seen in self._results]
        for thread in self._threads:
            thread.start()

    def _ask(self, seen):
        client = connect(self._port)
        while not self._over.is_set():
            begin = client.used
            client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            client.wait_message(is_response=True)
            seen.append(bytes(client.received[begin:client.used]))
        client.close()

    def latest(self):
        """The last body that each client has got; None for one without."""
        return [seen[-1].rpartition(b"\r\n\r\n")[2].decode() if seen else None
                for seen in self._results]

    def finish(self):
        """All responses, once the last one is there."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        return [one for seen in self._results for one in seen]
