# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client and server (RFC 6455) on plain or TLS sockets, as far as tests need them."""
import base64
import hashlib
import os
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WAIT_SECONDS = 60


class Ended(Exception):
    """The peer ended its side, or reset the connection."""


class Stream:
    """Exact reads on a blocking socket."""

    def __init__(self, sock):
        self.sock, self._kept = sock, bytearray()
        sock.settimeout(WAIT_SECONDS)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionError as error:
            raise Ended(repr(error)) from error
        if not data:
            raise Ended("end")
        self._kept += data

    def read(self, count):
        while len(self._kept) < count:
            self._more()
        data, self._kept = bytes(self._kept[:count]), self._kept[count:]
        return data

    def read_head(self):
        """A head up to and with its empty line."""
        while b"\r\n\r\n" not in self._kept:
            self._more()
        return self.read(self._kept.index(b"\r\n\r\n") + 4)

    def is_empty(self):
        """Whether nothing came behind what was read."""
        return not self._kept

    def read_end(self):
        """What comes before the peer's end."""
        try:
            while True:
                self._more()
        except Ended:
            data, self._kept = bytes(self._kept), bytearray()
            return data

    def send(self, data):
        self.sock.sendall(data)


class H2Stream:
    """The same on a stream of an h2.Peer."""

    def __init__(self, peer, stream):
        self.peer, self.id, self._used = peer, stream, 0

    @property
    def _message(self):
        return self.peer.messages[self.id]

    def _wait(self, found):
        message = self._message
        self.peer.wait("more of the stream", lambda: found() or message.complete
                       or message.reset is not None or self.peer.peer.end != "open")

    def read(self, count):
        self._wait(lambda: len(self._message.body) >= self._used + count)
        if len(self._message.body) < self._used + count:
            raise Ended("end")
        data = bytes(self._message.body[self._used:self._used + count])
        self._used += count
        return data

    def read_end(self):
        self._wait(lambda: False)
        data, self._used = bytes(self._message.body[self._used:]), len(self._message.body)
        return data

    def send(self, data):
        self.peer.body(self.id, data, end=False)

    def end(self):
        self.peer.data(self.id, b"", True)


def mask_bytes(data, key):
    repeated = int.from_bytes((key * (len(data) // 4 + 1))[:len(data)], "big")
    return (int.from_bytes(data, "big") ^ repeated).to_bytes(len(data), "big")


class WebSocket:
    """One end after the handshake; a client's frames are masked."""

    def __init__(self, stream, is_client):
        self.stream, self._is_client = stream, is_client

    def frame(self, opcode, data=b"", fin=True):
        """A frame's bytes."""
        head = bytes([opcode | (128 if fin else 0)])
        masked = 128 if self._is_client else 0
        if len(data) < 126:
            head += bytes([masked | len(data)])
        elif len(data) < 65536:
            head += struct.pack("!BH", masked | 126, len(data))
        else:
            head += struct.pack("!BQ", masked | 127, len(data))
        if not self._is_client:
            return head + data
        key = os.urandom(4)
        return head + key + mask_bytes(data, key)

    def send(self, opcode, data=b"", fin=True):
        self.stream.send(self.frame(opcode, data, fin))

    def receive_frame(self):
        """(opcode, fin, payload); a frame that is masked on the wrong side is an error."""
        first, second = self.stream.read(2)
        length = second & 127
        if length == 126:
            length, = struct.unpack("!H", self.stream.read(2))
        elif length == 127:
            length, = struct.unpack("!Q", self.stream.read(8))
        assert bool(second & 128) != self._is_client, "masking"
        key = self.stream.read(4) if second & 128 else b"\0\0\0\0"
        return first & 15, bool(first & 128), mask_bytes(self.stream.read(length), key)

    def receive(self):
        """A whole message: (opcode, payload). Pings are answered on the way."""
        opcode, parts = None, []
        while True:
            kind, fin, data = self.receive_frame()
            if kind == PING:
                self.send(PONG, data)
                continue
            if kind in (CLOSE, PONG):
                return kind, data
            opcode = kind or opcode
            parts.append(data)
            if fin:
                return opcode, b"".join(parts)


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def request_bytes(path="/", fields="", key=b"dGhlIHNhbXBsZSBub25jZQ=="):
    return (f"GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n").encode()


def fields_of(head):
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def connect(sock, path="/", fields="", accepts=True):
    """A client's handshake; gives the open end. Through HTTP/2 no key is accepted by anybody."""
    stream, key = Stream(sock), base64.b64encode(os.urandom(16))
    stream.send(request_bytes(path, fields, key))
    head = stream.read_head()
    assert head.startswith(b"HTTP/1.1 101 "), head
    got = fields_of(head)
    assert got["upgrade"].lower() == "websocket" and got["connection"].lower() == "upgrade", head
    assert not accepts or got["sec-websocket-accept"].encode() == accept_key(key), head
    return WebSocket(stream, True)


def accept(sock):
    """A server's handshake; gives the open end and the request's fields."""
    stream = Stream(sock)
    got = fields_of(stream.read_head())
    assert got["upgrade"].lower() == "websocket" and got["connection"].lower() == "upgrade", got
    answer = accept_key(got.get("sec-websocket-key", "").encode()).decode()
    stream.send(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 f"Sec-WebSocket-Accept: {answer}\r\n\r\n").encode())
    return WebSocket(stream, False), got


def connect_h2(peer, path="/"):
    """A client's extended CONNECT (RFC 8441) on an h2.Peer; gives the open end."""
    peer.wait("SETTINGS", lambda: any(frame.kind == 4 for frame in peer.frames))
    stream = peer.open([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                        (":authority", "a.test"), (":path", path),
                        ("sec-websocket-version", "13")], False)
    peer.wait("answer", lambda: peer.messages[stream].headers)
    assert peer.messages[stream].status == 200, peer.messages[stream].headers
    return WebSocket(H2Stream(peer, stream), True)


def accept_h2(peer):
    """A server's part of that; gives the open end."""
    peer.wait("request", lambda: peer.ids)
    stream = peer.ids.pop(0)
    fields = dict(peer.messages[stream].headers)
    assert fields[":method"] == "CONNECT" and fields[":protocol"] == "websocket", fields
    assert "upgrade" not in fields and "connection" not in fields, fields
    peer.headers(stream, [(":status", "200")])
    return WebSocket(H2Stream(peer, stream), False)


def echo(sock):
    """Serves one connection: every message comes back, and a close is answered."""
    echo_on(accept(sock)[0])


def echo_on(end):
    while True:
        opcode, data = end.receive()
        end.send(opcode, data)
        if opcode == CLOSE:
            return
