# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand: frames, header compression, and a peer for either end of a connection.

Nothing here is clever on purpose: a test that wants a wrong frame writes it (Peer.frame). Sent fields
are literals without Huffman; what is received may use all of RFC 7541.
"""
import hashlib
import time

from .wire import SLICE_SECONDS, WAIT_SECONDS, StepTimeout

IDLE_SECONDS = 600  # of a script that serves as long as the other end likes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
NAMES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")
METADATA, END_METADATA = 0x4d, 4  # an extension of Envoy's
FRAME_BYTES = 16384
END_STREAM, END_HEADERS, PADDED, PRIORITIZED, ACK = 1, 4, 8, 32, 1
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
SETTING_NAMES = {1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS",
                 4: "INITIAL_WINDOW_SIZE", 5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE",
                 8: "ENABLE_CONNECT_PROTOCOL"}

# --- Header compression (RFC 7541) ---------------------------------------------------------------

# The lengths of the Huffman codes of the bytes 0 to 255 and of the end, in base 36: the code is
# canonical, so that they say it all.
_LENGTHS = (
    "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad6777777777777777777777787"
    "8djde6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllml"
    "nmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu")


def _make_codes():
    codes, code, last = {}, 0, 0
    for length, symbol in sorted((int(char, 36), symbol)
                                 for symbol, char in enumerate(_LENGTHS)):
        code <<= length - last
        codes[length, code] = symbol
        code, last = code + 1, length
    return codes


_CODES = _make_codes()

_STATIC = [tuple(line.split("|")) for line in """\
:authority|;:method|GET;:method|POST;:path|/;:path|/index.html;:scheme|http;:scheme|https;:status|200;\
:status|204;:status|206;:status|304;:status|400;:status|404;:status|500;accept-charset|;\
accept-encoding|gzip, deflate;accept-language|;accept-ranges|;accept|;access-control-allow-origin|;\
age|;allow|;authorization|;cache-control|;content-disposition|;content-encoding|;content-language|;\
content-length|;content-location|;content-range|;content-type|;cookie|;date|;etag|;expect|;expires|;\
from|;host|;if-match|;if-modified-since|;if-none-match|;if-range|;if-unmodified-since|;\
last-modified|;link|;location|;max-forwards|;proxy-authenticate|;proxy-authorization|;range|;\
referer|;refresh|;retry-after|;server|;set-cookie|;strict-transport-security|;transfer-encoding|;\
user-agent|;vary|;via|;www-authenticate|""".split(";")]


def _integer(value, bits, first=0):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _text(value):
    data = value if isinstance(value, bytes) else value.encode("latin-1")
    return _integer(len(data), 7) + data


def encode_fields(fields):
    """A header block of literals that are not indexed."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _unhuffman(data):
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, length = code << 1 | byte >> bit & 1, length + 1
            symbol = _CODES.get((length, code))
            if symbol is not None:
                out.append(symbol)
                code = length = 0
    return bytes(out)


class FieldDecoder:
    """The decoding end of one direction of a connection."""

    def __init__(self):
        self._table, self._limit = [], 4096

    def _entry(self, index):
        return _STATIC[index - 1] if index <= len(_STATIC) else self._table[index - 62]

    def _add(self, entry):
        self._table.insert(0, entry)
        self._cut()

    def _cut(self):
        while sum(len(name) + len(value) + 32 for name, value in self._table) > self._limit:
            self._table.pop()

    def decode(self, block):
        """The fields as texts (Latin-1)."""
        self._data, self._at, fields = block, 0, []
        while self._at < len(block):
            first = block[self._at]
            if first & 0x80:
                fields.append(self._entry(self._read_integer(7)))
            elif first & 0xe0 == 0x20:
                self._limit = self._read_integer(5)
                self._cut()
            else:
                index = self._read_integer(6 if first & 0x40 else 4)
                name = self._entry(index)[0] if index else self._read_text()
                fields.append((name, self._read_text()))
                if first & 0x40:
                    self._add(fields[-1])
        return fields

    def _read_integer(self, bits):
        most = (1 << bits) - 1
        value, shift = self._data[self._at] & most, 0
        self._at += 1
        while value >= most:
            byte = self._data[self._at]
            self._at += 1
            value, shift = value + ((byte & 127) << shift), shift + 7
            if not byte & 128:
                break
        return value

    def _read_text(self):
        is_huffman = self._data[self._at] & 128
        length = self._read_integer(7)
        data = bytes(self._data[self._at:self._at + length])
        self._at += length
        return (_unhuffman(data) if is_huffman else data).decode("latin-1")


# --- Frames ---------------------------------------------------------------------------------------


def frame_bytes(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Frame:
    """One frame that was received; a header block is whole, with its continuations, and decoded."""

    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload
        self.fields = None

    @property
    def ends_stream(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def code(self):
        """The error of RST_STREAM or GOAWAY, by name."""
        at = 4 if self.kind == GOAWAY else 0
        number = int.from_bytes(self.payload[at:at + 4], "big")
        return ERRORS[number] if number < len(ERRORS) else str(number)

    @property
    def settings(self):
        return {int.from_bytes(self.payload[at:at + 2], "big"):
                int.from_bytes(self.payload[at + 2:at + 6], "big")
                for at in range(0, len(self.payload), 6)}

    def content(self):
        """The payload without padding and priority."""
        data = self.payload
        if self.flags & PADDED and self.kind in (DATA, HEADERS):
            data = data[1:len(data) - data[0]]
        return data[5:] if self.kind == HEADERS and self.flags & PRIORITIZED else data

    def __repr__(self):
        name = NAMES[self.kind] if self.kind < len(NAMES) else str(self.kind)
        return f"{name} {self.stream} flags {self.flags} {self.fields or self.payload[:40]}"


class FrameReader:
    """Bytes in, frames out."""

    def __init__(self, skip_preface):
        self._data, self._skip = bytearray(), len(PREFACE) if skip_preface else 0
        self._decoder, self._block, self._metadata = FieldDecoder(), None, {}

    def feed(self, data):
        self._data += data
        if self._skip and len(self._data) >= self._skip:
            if bytes(self._data[:self._skip]) != PREFACE:
                raise ValueError(f"no preface: {bytes(self._data[:self._skip])!r}")
            del self._data[:self._skip]
            self._skip = 0
        frames = []
        while not self._skip and (frame := self._next()):
            frames.extend(self._join(frame))
        return frames

    def _next(self):
        if len(self._data) < 9:
            return None
        length = int.from_bytes(self._data[:3], "big")
        if len(self._data) < 9 + length:
            return None
        frame = Frame(self._data[3], self._data[4],
                      int.from_bytes(self._data[5:9], "big") & 0x7fffffff,
                      bytes(self._data[9:9 + length]))
        del self._data[:9 + length]
        return frame

    def _join(self, frame):
        if frame.kind == HEADERS:
            self._block, self._parts = frame, [frame.content()]
        elif frame.kind == CONTINUATION:
            self._parts.append(frame.payload)
        else:
            if frame.kind == METADATA:
                frame.fields = self._pairs(frame)
            return [frame]
        if not frame.flags & END_HEADERS:
            return []
        self._block.fields = self._decoder.decode(b"".join(self._parts))
        return [self._block]


    def _pairs(self, frame):
        """What a block of METADATA says, once it is whole; it has no table."""
        self._metadata[frame.stream] = self._metadata.get(frame.stream, b"") + frame.payload
        if not frame.flags & END_METADATA:
            return None
        return FieldDecoder().decode(self._metadata.pop(frame.stream))


# --- A peer ---------------------------------------------------------------------------------------


class Message:
    """A request or a response as far as it came."""

    def __init__(self):
        self.interim, self.headers, self.trailers = [], None, None
        self.body, self.complete, self.reset = bytearray(), False, None
        self.digest, self.size = hashlib.sha256(), 0

    @property
    def status(self):
        return int(dict(self.headers or [])[":status"])

    def get(self, name):
        return dict(self.headers or []).get(name)

    def take(self, frame, keeps_body=True):
        if frame.kind == HEADERS:
            self._take_fields(frame.fields)
        elif frame.kind == DATA:
            self.digest.update(frame.content())
            self.size += len(frame.content())
            if keeps_body:
                self.body += frame.content()
        elif frame.kind == RST_STREAM:
            self.reset = frame.code
        self.complete = self.complete or frame.ends_stream

    def _take_fields(self, fields):
        if dict(fields).get(":status", "").startswith("1"):
            self.interim.append(fields)
        elif self.headers is None:
            self.headers = fields
        else:
            self.trailers = fields


class Peer:
    """HTTP/2 on a connection (a wire.Peer, or TLS on one). It answers SETTINGS and PING and gives
    windows back by itself; gives_window=False leaves the latter to the script."""

    def __init__(self, peer, is_server, settings=None, gives_window=True, starts=True,
                 answers_pings=True):
        self.peer, self.is_server, self.gives_window = peer, is_server, gives_window
        self.answers_pings = answers_pings
        self.frames, self.messages, self.ids = [], {}, []
        self.window, self.windows, self.peer_window = 65535, {}, 65535
        self._table_update = b""  # what our next header block begins with
        self.keeps_bodies = True  # else messages have a digest alone
        self._reader, self._taken = FrameReader(is_server), 0
        self._next_id = 1
        peer.received.clear()
        if starts:
            self.start(settings)

    def start(self, settings=None):
        """Our preface."""
        self.peer.send(b"" if self.is_server else PREFACE)
        self.settings(settings or {})

    # Sending.

    def frame(self, kind, flags, stream, payload=b""):
        self.peer.send(frame_bytes(kind, flags, stream, payload))

    def settings(self, values):
        self.frame(SETTINGS, 0, 0, b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big")
                                            for key, value in values.items()))

    def headers(self, stream, fields, end=False):
        """A header block in as many frames as it needs."""
        block = self._table_update + encode_fields(fields)
        self._table_update = b""
        kind, flags = HEADERS, END_STREAM if end else 0
        while len(block) > FRAME_BYTES:
            self.frame(kind, flags, stream, block[:FRAME_BYTES])
            kind, flags, block = CONTINUATION, 0, block[FRAME_BYTES:]
        self.frame(kind, flags | END_HEADERS, stream, block)

    def data(self, stream, data=b"", end=False):
        """One frame, whatever the window says."""
        self.frame(DATA, END_STREAM if end else 0, stream, data)

    def body(self, stream, data, end=True):
        """A body in frames, within the peer's windows."""
        view = memoryview(data)
        while view:
            room = min(self.window, self.windows.get(stream, self.peer_window), FRAME_BYTES)
            if room <= 0:
                self.wait("window", lambda: self.window > 0 and
                          self.windows.get(stream, self.peer_window) > 0 or stream_is_reset(self, stream))
                if stream_is_reset(self, stream):
                    return
                continue
            part, view = view[:room], view[room:]
            self.window -= len(part)
            self.windows[stream] = self.windows.get(stream, self.peer_window) - len(part)
            self.data(stream, bytes(part), end and not view)
        if not data:
            self.data(stream, b"", end)

    def metadata(self, stream, fields):
        """Pairs of texts beside a message, in as many frames as they need."""
        block = encode_fields(fields)
        while len(block) > FRAME_BYTES:
            self.frame(METADATA, 0, stream, block[:FRAME_BYTES])
            block = block[FRAME_BYTES:]
        self.frame(METADATA, END_METADATA, stream, block)

    def rst(self, stream, code="CANCEL"):
        self.frame(RST_STREAM, 0, stream, ERRORS.index(code).to_bytes(4, "big"))

    def goaway(self, last, code="NO_ERROR", text=b""):
        self.frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + ERRORS.index(code).to_bytes(4, "big") + text)

    def give(self, stream, bytes_):
        self.frame(WINDOW_UPDATE, 0, stream, bytes_.to_bytes(4, "big"))

    def request(self, path="/", method="GET", fields=(), end=True, authority="a.test",
                scheme="http"):
        """Sends a request's head on a new stream; gives the stream's id."""
        return self.open([(":method", method), (":scheme", scheme), (":authority", authority),
                          (":path", path), *fields], end)

    def open(self, fields, end):
        """Sends these fields on a new stream; gives its id."""
        stream, self._next_id = self._next_id, self._next_id + 2
        self.messages[stream] = Message()
        self.headers(stream, fields, end)
        return stream

    # Receiving.

    def pump(self, seconds=0):
        """Takes what comes; true if something did."""
        came = self.peer.fill(seconds)
        data = bytes(self.peer.received)
        self.peer.received.clear()
        for frame in self._reader.feed(data):
            self._react(frame)
            if frame.kind == DATA and not self.keeps_bodies:
                frame.payload = b""
            self.frames.append(frame)
        return came

    def _react(self, frame):
        if frame.kind == SETTINGS and not frame.flags & ACK:
            self._take_settings(frame.settings)
            self.frame(SETTINGS, ACK, 0)
        elif frame.kind == PING and not frame.flags & ACK and self.answers_pings:
            self.frame(PING, ACK, 0, frame.payload)
        elif frame.kind == WINDOW_UPDATE:
            self._take_window(frame.stream, int.from_bytes(frame.payload, "big"))
        elif frame.stream:
            self._take(frame)

    def _take_settings(self, values):
        if values.get(1, 4096) < 4096:  # our table is empty anyway; RFC 7541 4.2 wants a word
            self._table_update = _integer(values[1], 5, 0x20)
        if 4 in values:
            change = values[4] - self.peer_window
            self.peer_window = values[4]
            self.windows = {stream: room + change for stream, room in self.windows.items()}

    def _take_window(self, stream, more):
        if stream:
            self.windows[stream] = self.windows.get(stream, self.peer_window) + more
        else:
            self.window += more

    def _take(self, frame):
        if frame.stream not in self.messages:
            self.messages[frame.stream] = Message()
            self.ids.append(frame.stream)
        self.messages[frame.stream].take(frame, self.keeps_bodies)
        if frame.kind == DATA and frame.payload and self.gives_window:
            self.give(0, len(frame.payload))
            if not frame.ends_stream:
                self.give(frame.stream, len(frame.payload))

    def wait(self, what, found, seconds=None):
        """Reads until found() gives something true; gives that."""
        deadline = time.monotonic() + (self.peer.patience if seconds is None else seconds)
        while not (got := found()):
            if not self.peer.goes_on(time.monotonic() > deadline) or (
                    not self.pump(SLICE_SECONDS) and self.peer.end != "open"):
                raise StepTimeout(f"no {what} (connection {self.peer.end}); frames: {self.frames[-8:]}")
        return got

    def wait_frame(self, kind, stream=None, seconds=None):
        """The next frame of a kind, behind the one that was waited for last."""
        def found():
            for at in range(self._taken, len(self.frames)):
                frame = self.frames[at]
                if frame.kind == kind and stream in (None, frame.stream):
                    self._taken = at + 1
                    return frame
            return None
        return self.wait(f"{NAMES[kind]} {stream or ''}", found, seconds)

    def wait_head(self, stream):
        self.wait(f"head of {stream}", lambda: stream in self.messages and
                  (self.messages[stream].headers or self.messages[stream].reset))
        return self.messages[stream]

    def wait_message(self, stream, seconds=None):
        """Until the stream's message is complete, or was reset."""
        self.wait(f"end of {stream}", lambda: stream in self.messages and
                  (self.messages[stream].complete or self.messages[stream].reset), seconds)
        return self.messages[stream]

    def wait_request(self, seconds=IDLE_SECONDS, head=False):
        """Server: the next request, complete, or its head; gives (stream, message)."""
        self.wait("request", lambda: self.ids, seconds)
        stream = self.ids.pop(0)
        return stream, (self.wait_head(stream) if head else self.wait_message(stream))

    def wait_end(self, seconds=None):
        """The end of the connection."""
        self.wait("end", lambda: self.peer.end != "open", seconds)

    def exchange(self, path="/", method="GET", fields=(), body=None, trailers=None):
        """Client: one request and its response."""
        stream = self.request(path, method, fields, end=body is None and trailers is None)
        if body is not None:
            self.body(stream, body, end=trailers is None)
        if trailers is not None:
            self.headers(stream, trailers, end=True)
        return self.wait_message(stream)

    def respond(self, stream, status=200, fields=(), body=b"", trailers=None):
        """Server: a whole response."""
        self.headers(stream, [(":status", str(status)), *fields], end=not body and trailers is None)
        if body:
            self.body(stream, body, end=trailers is None)
        if trailers is not None:
            self.headers(stream, trailers, end=True)


def stream_is_reset(peer, stream):
    message = peer.messages.get(stream)
    return bool(message and message.reset)
