# SPDX-License-Identifier: Apache-2.0
"""An upstream that takes nothing which could be read in two ways, and clients that cut what they send.

The grammar here is written on its own, from RFC 9112's strict reading, so that it does not share a
mistake with the proxy's codec.
"""
import re
import selectors
import socket
import threading

HEAD = re.compile(rb"([A-Z]+) ([!-~\x80-\xff]+) HTTP/1\.1\r\n"
                  rb"((?:[!#$%&'*+.^_`|~0-9a-z-]+: (?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*"
                  rb"[!-~\x80-\xff])?)?\r\n)*)\r\n")
CHUNK = re.compile(rb"([0-9a-f]{1,16})\r\n")


class Ambiguous(Exception):
    """Bytes that are not exactly one way to write requests."""


class Request:
    def __init__(self, method, target, fields, body, trailers):
        self.method, self.target, self.fields = method, target, fields
        self.body, self.trailers = body, trailers

    def all(self, name):
        return [value for key, value in self.fields if key == name]


def _fields(block):
    return [tuple(line.split(b": ", 1)) for line in block.split(b"\r\n") if line]


def _chunked(data, at):
    """Body, trailers and the offset behind; None while incomplete."""
    body = b""
    while True:
        line = CHUNK.match(data, at)
        if not line:
            if b"\r\n" in data[at:] or len(data) - at > 20:
                raise Ambiguous(data[at:at + 60])
            return None
        size, at = int(line.group(1), 16), line.end()
        if size == 0:
            end = data.find(b"\r\n", at) if data[at:at + 2] == b"\r\n" else data.find(b"\r\n\r\n", at)
            return None if end < 0 else (body, data[at:end], end + (2 if end == at else 4))
        if len(data) < at + size + 2:
            return None
        body, at = body + data[at:at + size], at + size + 2
        if data[at - 2:at] != b"\r\n":
            raise Ambiguous(data[at - 20:at + 20])


def take_request(data):
    """The first request and the number of its bytes; None while it is incomplete."""
    if b"\r\n\r\n" not in data:
        return None
    head = HEAD.match(data)
    if not head:
        raise Ambiguous(data[:200])
    fields = _fields(head.group(3))
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
        raise Ambiguous(data[:200])
    body, trailers, end = b"", b"", head.end()
    if codings:
        found = _chunked(data, end)
        if not found:
            return None
        body, trailers, end = found
    elif lengths:
        if not lengths[0].isdigit():
            raise Ambiguous(data[:200])
        end += int(lengths[0])
        if len(data) < end:
            return None
        body = data[head.end():end]
    return Request(head.group(1), head.group(2), fields, body, trailers), end


def answer(request, extra=b""):
    """A 200 whose body is the target, so that a client sees whose answer it got."""
    return (b"HTTP/1.1 200 OK\r\n" + extra + b"content-length: %d\r\n\r\n" % len(request.target) +
            (b"" if request.method == b"HEAD" else request.target))


class StrictOrigin:
    """Answers by `script(request)`: bytes, or a list of pieces sent one by one when the socket has
    room; None for nothing. One thread; `requests` has every request in the order of arrival."""

    def __init__(self, script=answer):
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.requests, self.problems, self.connections = [], [], 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._listener:
                    sock, _ = self._listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connections += 1
                    self._selector.register(sock, selectors.EVENT_READ, bytearray())
                elif not self._serve(key.fileobj, key.data):
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()

    def _serve(self, sock, data):
        try:
            piece = sock.recv(1 << 16)
            data += piece
            while found := take_request(bytes(data)):
                request, used = found
                del data[:used]
                self.requests.append(request)
                replies = self._script(request)
                for reply in [replies] if isinstance(replies, bytes) else replies or []:
                    sock.sendall(reply)
            return bool(piece)
        except Ambiguous as problem:
            self.problems.append(f"ambiguous: {problem}")
        except OSError:
            pass  # the proxy gave the connection up
        return False

    def finish(self):
        self._waker.send(b"x")
        self._thread.join(10)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._waker.close()
        return self.problems


def statuses(data):
    """The statuses of the final responses in `data`, each read by its framing, and what is left."""
    found = []
    while True:
        head = re.match(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", data)
        if not head:
            return found, data
        status, end = int(head.group(1)), head.end()
        length = re.search(rb"(?m)^content-length: (\d+)\r$", head.group(2))
        if b"transfer-encoding: chunked" in head.group(2):
            chunked = _chunked(data, end)
            if not chunked:
                return found, data
            end = chunked[2]
        elif length and status not in (204, 304):
            end += int(length.group(1))
        if len(data) < end:
            return found, data
        if status >= 200:
            found.append(status)
        data = data[end:]


class Cut:
    """A client connection that sends `data` in two pieces, cut at `at` (0: whole)."""

    def __init__(self, port, data, at):
        self.data, self.at, self.received = data, at, b""
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(20)

    def send_first(self):
        self.sock.sendall(self.data[:self.at])

    def send_rest(self):
        try:
            self.sock.sendall(self.data[self.at:])
        except OSError:
            pass  # refused already

    def read(self, count):
        """Reads until `count` final responses, or the end."""
        while len(statuses(self.received)[0]) < count:
            try:
                piece = self.sock.recv(1 << 16)
            except ConnectionError:
                break
            if not piece:
                break
            self.received += piece
        return statuses(self.received)[0]

    def close(self):
        self.sock.close()


def every_cut(port, make_data, count, cuts=None):
    """Sends make_data(i) whole and cut at every byte, all connections side by side, and yields each
    connection with the statuses it got."""
    length = len(make_data(0))
    clients = [Cut(port, make_data(at), at) for at in (cuts or range(length))]
    try:
        for client in clients:
            client.send_first()
        for client in clients:
            client.send_rest()
        for client in clients:
            yield client, client.read(count)
    finally:
        for client in clients:
            client.close()
