# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 in scripts: the steps of a peer that speaks it, and how what it received is written down.

What was received is written as lines, a frame after the other, so that a recording can be read: see
README.md. Acknowledgements and windows are left out, since when they are sent is a matter of buffers,
and the pieces of a body are joined, as chunks are.
"""

from . import h2
from .wire import WAIT_SECONDS, StepTimeout, to_bytes

STANDARD_REQUEST = (":scheme: http", ":authority: example.com")
OPTIONS = {"settings", "gives_window", "answers_pings"}


def fields_of(lines):
    """Fields from `name: value` lines; a name may begin with a colon."""
    fields = []
    for line in to_bytes(lines).decode("latin-1").rstrip("\n").split("\n"):
        name, _, value = line.partition(":") if line[:1] != ":" else _pseudo(line)
        fields.append((name, value[1:] if value[:1] == " " else value))
    return fields


def _pseudo(line):
    name, colon, value = line[1:].partition(":")
    return ":" + name, colon, value


def _settings(values):
    numbers = {name: number for number, name in h2.SETTING_NAMES.items()}
    return {numbers.get(name, name): value for name, value in (values or {}).items()}


def _line(frame):
    """A frame as its line, without a body."""
    name = "METADATA" if frame.kind == h2.METADATA else \
        h2.NAMES[frame.kind] if frame.kind < len(h2.NAMES) else f"FRAME {frame.kind}"
    words = [name, *([str(frame.stream)] if frame.stream else [])]
    if frame.kind == h2.SETTINGS:
        words += [f"{h2.SETTING_NAMES.get(key, key)}={value}"
                  for key, value in frame.settings.items()]
    elif frame.kind in (h2.RST_STREAM, h2.GOAWAY):
        words.append(frame.code)
    if frame.kind == h2.GOAWAY:
        words.append(f"last {int.from_bytes(frame.payload[:4], 'big')}")
    return " ".join(words) + (" end" if frame.ends_stream else "")


def render(frames):
    """What was received, as text."""
    lines, body_of = [], None
    for frame in frames:
        if frame.kind in (h2.WINDOW_UPDATE, h2.PING) or \
                frame.kind == h2.SETTINGS and frame.flags & h2.ACK:
            continue
        if frame.kind == h2.DATA:
            text = frame.content().decode("latin-1")
            if body_of == frame.stream:  # behind what came of it before
                lines[-2] = _line(frame)
                lines[-1] += text
            else:
                lines += [_line(frame), text]
            body_of = None if frame.ends_stream else frame.stream
            continue
        body_of = None
        lines.append(_line(frame))
        lines += [f"{name}: {value}" for name, value in frame.fields or ()]
    return "".join(line + "\r\n" for line in lines)


class Scripted(h2.Peer):
    """An HTTP/2 peer under the control of a script; `current` is the stream that steps are about
    unless they say `on: 3`."""

    def __init__(self, peer, is_server, spec=None):
        spec = dict(spec or {})
        if set(spec) - OPTIONS:
            raise ValueError(f"no such key of h2: {', '.join(sorted(set(spec) - OPTIONS))}")
        super().__init__(peer, is_server, _settings(spec.pop("settings", None)), **spec)
        self.current = 1

    # What the runner asks of a peer.

    @property
    def end(self):
        return self.peer.end

    @property
    def sock(self):
        return self.peer.sock

    def fill(self, seconds):
        return self.pump(seconds)

    def drain(self):
        while self.pump(0):
            pass

    def ended(self):
        return {**self.peer.ended(), "received": render(self.frames).encode("latin-1")}

    def shut(self):
        self.peer.shut()

    def close(self):
        self.drain()
        self.peer.close()

    def reset(self):
        self.drain()
        self.peer.reset()

    def wait_text(self, text):
        self.wait(f"{text!r}", lambda: text in render(self.frames).encode("latin-1"))

    # Steps.

    def step(self, word, value, options):
        """Runs a step; false when the word is none of HTTP/2's."""
        self.current = options.get("on", self.current)
        steps = {"headers": self._send_headers, "data": self._send_data, "metadata": self._send_metadata, "rst": self._send_rst,
                 "goaway": self._send_goaway, "settings": self._send_settings,
                 "frame": self._send_frame, "frames": self._send_frames, "give": self._give, "wait_rst": self._wait_rst,
                 "wait": lambda text, _: self.wait_text(to_bytes(text)),
                 "eof": lambda *_: self.wait_end(), "shut": lambda *_: self.shut(),
                 "close": lambda *_: self.close(), "reset": lambda *_: self.reset(),
                 **(self._server_steps() if self.is_server else self._client_steps())}
        if word not in steps:
            return False
        steps[word](value, options)
        return True

    def _send_headers(self, lines, options):
        self.headers(self.current, fields_of(lines), options.get("end", False))

    def _send_data(self, text, options):
        self.body(self.current, to_bytes(text), options.get("end", False))

    def _send_metadata(self, lines, _):
        self.metadata(self.current, fields_of(lines))

    def _send_rst(self, code, _):
        self.rst(self.current, code)

    def _send_goaway(self, code, options):
        self.goaway(options.get("last", 0x7fffffff), code)

    def _send_settings(self, values, _):
        self.settings(_settings(values))

    def _send_frame(self, value, _):
        """[kind, flags, stream, payload]: any frame at all."""
        self._send_frames([value], _)

    def _send_frames(self, values, _):
        """Several of them in one write."""
        self.peer.send(b"".join(
            h2.frame_bytes(h2.NAMES.index(kind) if isinstance(kind, str) else kind, flags, stream,
                           to_bytes(payload))
            for kind, flags, stream, payload in values))

    def _give(self, count, options):
        self.frame(h2.WINDOW_UPDATE, 0, options.get("on", 0), count.to_bytes(4, "big"))

    def _wait_rst(self, _, __):
        self.wait("RST_STREAM", lambda: h2.stream_is_reset(self, self.current))

    def _server_steps(self):
        return {"request": self._take_request, "reply": self._reply, "respond": self._respond,
                "serve": self._serve}

    def _take_request(self, value, _):
        self.current, _ = self.wait_request(WAIT_SECONDS, head=value == "head")

    def _respond(self, lines, options):
        """A response to the current request."""
        body, trailers = to_bytes(options.get("body", "")), options.get("trailers")
        self.headers(self.current, fields_of(lines), not body and not trailers)
        if body:
            self.body(self.current, body, not trailers)
        if trailers:
            self.headers(self.current, fields_of(trailers), True)

    def _reply(self, lines, options):
        self._take_request(None, None)
        self._respond(lines, options)

    def _serve(self, lines, options):
        while True:
            try:
                self.current, _ = self.wait_request(0.05)
            except StepTimeout:
                if self.end != "open" or options["is_over"]():
                    return
                continue
            self._respond(lines, options)

    def _client_steps(self):
        return {"request": self._request, "get": self._get, "response": self._response}

    def _request(self, lines, options):
        """Begins a request, complete unless `end: false` or a body says else."""
        fields = fields_of(lines)
        body, trailers = to_bytes(options.get("body", "")), options.get("trailers")
        more = body or trailers or not options.get("end", True)
        self.current = self.open(fields, not more)
        if body:
            self.body(self.current, body, options.get("end", True) and not trailers)
        if trailers:
            self.headers(self.current, fields_of(trailers), True)

    def _get(self, path, _):
        self._request("\n".join([":method: GET", *STANDARD_REQUEST, f":path: {path}"]), {})
        self._response(None, None)

    def _response(self, value, _):
        if value == "head":
            self.wait_head(self.current)
        else:
            self.wait_message(self.current)
