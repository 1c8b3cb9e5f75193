# SPDX-License-Identifier: Apache-2.0
"""A gRPC server on lib.h2.Peer, so that its tests need no package: the method says how it answers.

    upstream = origin(grpc_peer.upstream())     # `upstream.calls` is a list of (fields, messages)

Every request's head is noted, and its messages with their flags when it has ended or is answered.
"""
import h2
from h2 import IDLE_SECONDS

HEAD = [("content-type", "application/grpc")]


def frame(message, flags=0):
    return bytes([flags]) + len(message).to_bytes(4, "big") + message


def split(body):
    """The messages of a body; what is no whole frame behind them is one as well."""
    messages, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at + 1:at + 5], "big")
        messages.append(bytes(body[at + 5:at + 5 + size]))
        at += 5 + size
    return messages


class Call:
    """One request, as its method's function sees it."""

    def __init__(self, peer, stream):
        self.peer, self.stream, self.message = peer, stream, peer.messages[stream]

    def messages(self, count):
        """The first messages, when so many are there."""
        def whole():
            body, at, found = self.message.body, 0, 0
            while len(body) - at >= 5:
                at += 5 + int.from_bytes(body[at + 1:at + 5], "big")
                found += at <= len(body)
            return found >= count
        self.peer.wait("messages", whole)
        return split(self.message.body)[:count]

    def whole(self):
        """All of them, when the client has ended its side."""
        self.peer.wait("end of request", lambda: self.message.complete or self.message.reset)
        return split(self.message.body)

    def head(self, fields=(), status=200, end=False):
        self.peer.headers(self.stream, [(":status", str(status)), *HEAD, *fields], end)

    def send(self, message, flags=0, end=False):
        self.peer.body(self.stream, frame(message, flags), end)

    def raw(self, data, end=False):
        self.peer.body(self.stream, data, end)

    def trailers(self, status, message=None, fields=()):
        text = [("grpc-message", message)] if message is not None else []
        self.peer.headers(self.stream, [("grpc-status", str(status)), *text, *fields], True)

    def reset(self, code="CANCEL"):
        self.peer.rst(self.stream, code)


def echo(call):
    messages = call.whole()
    call.head([("x-initial", "i")])
    call.send(b"re: " + b"+".join(messages))
    call.trailers(0, fields=[("x-trailing", "t")])


def talk(call):
    """Answers each message at once; ends when the client does."""
    call.head([("x-initial", "i")])
    done = 0
    while True:
        call.peer.wait("more", lambda: len(split(call.message.body)) > done or
                       call.message.complete or call.message.reset)
        for message in split(call.message.body)[done:]:
            call.send(b"re: " + message)
            done += 1
        if call.message.reset:
            return
        if call.message.complete:
            call.trailers(0, "bye", [("x-trailing", "t")])
            return


def fail(call):
    call.whole()
    call.head()
    call.trailers(5, "no such thing: 100 %25 gone")


def trailers_only(call):
    call.head([("grpc-status", "7"), ("grpc-message", "not%20you"), ("x-only", "o")], end=True)


def http_status(call):
    call.whole()
    code = int(call.message.get("x-code") or 503)
    call.peer.respond(call.stream, code, [("content-type", "text/plain")], b"sorry")


def http_status_end(call):
    call.whole()
    call.head(status=int(call.message.get("x-code") or 503), end=True)


def http_status_grpc(call):
    call.head([("grpc-status", "9"), ("grpc-message", "m")], status=503, end=True)


def no_status(call):
    call.head()
    call.send(b"m")
    call.peer.headers(call.stream, [("x-trailing", "t")], True)


def no_trailers(call):
    call.head()
    call.send(b"m", end=True)


def no_trailers_empty(call):
    call.head()
    call.peer.data(call.stream, b"", True)


def compressed(call):
    call.head()
    call.send(b"m", flags=1)
    call.trailers(0)


def compressed_empty(call):
    call.head()
    call.send(b"", flags=1)
    call.trailers(0)


def bad_flag(call):
    call.head()
    call.send(b"m", flags=2)
    call.trailers(0)


def two(call):
    call.whole()
    call.head()
    call.raw(frame(b"one") + frame(b"two"))
    call.trailers(0)


def no_message(call):
    call.whole()
    call.head()
    call.trailers(0)


def empty_message(call):
    call.whole()
    call.head()
    call.send(b"")
    call.trailers(0)


def half_frame(call):
    call.head()
    call.raw(b"\0\0\0\0\x0aabc")
    call.trailers(0)


def message_and_status(call):
    call.head()
    call.send(b"m")
    call.trailers(3, "late")


def break_off(call):
    call.head()
    call.send(b"m")
    call.reset("INTERNAL_ERROR")


def refuse(call):
    call.reset("REFUSED_STREAM")


def reset(call):
    call.reset("CANCEL")


def hang_up(call):
    call.peer.peer.close()


def silent(call):
    """Says nothing until the client gives up."""
    call.peer.wait("reset", lambda: call.message.reset, IDLE_SECONDS)


def silent_after_head(call):
    call.head()
    silent(call)


def big(call):
    call.whole()
    call.head()
    call.send(b"b" * int(call.message.get("x-size") or 3000000))
    call.trailers(0)


def odd_status(call):
    call.head()
    call.peer.headers(call.stream, [("grpc-status", call.message.get("x-status") or "x")], True)


def odd_message(call):
    call.head()
    call.trailers(2, call.message.get("x-message") or "a%2Gb%4")


def early(call):
    """Ends before the client does."""
    call.head()
    call.messages(1)
    call.trailers(0, "early")
    call.peer.wait("reset or end", lambda: call.message.reset or call.message.complete, IDLE_SECONDS)


def not_grpc(call):
    call.whole()
    call.peer.headers(call.stream, [(":status", "200"), ("content-type", "text/html")])
    call.raw(b"<html>")
    call.peer.data(call.stream, b"", True)


METHODS = {name: value for name, value in list(globals().items())
           if callable(value) and name not in ("frame", "split", "Call")}


def upstream(**options):
    """A script for the fixture `origin`; `upstream.calls` of what is returned are the requests' fields."""
    calls = []

    def serve(peer):
        while True:
            peer.wait("request or end", lambda: peer.ids or peer.peer.end != "open", IDLE_SECONDS)
            if not peer.ids:
                return
            stream = peer.ids.pop(0)
            message = peer.messages[stream]
            peer.wait_head(stream)
            calls.append(message)
            METHODS[message.get(":path").rpartition("/")[2]](Call(peer, stream))
            if peer.peer.end != "open":
                return
    script = h2.upstream(serve, **options)
    script.calls = calls
    return script
