# SPDX-License-Identifier: Apache-2.0
"""Raw TCP peers: what a script does to one connection, and what it saw on it.

A Peer never reads on its own: a step that waits reads, everything else leaves the bytes in the
kernel, so a script that stalls really exerts back-pressure. The text of a case stands for bytes
one to one (Latin-1), so that any byte can be written in YAML and in a recording.
"""

import functools
import re
import select
import socket
import struct
import time

WAIT_SECONDS = 15.0
SLICE_SECONDS = 0.05


class StepTimeout(Exception):
    """A step waited for something that never came."""


def to_bytes(text):
    """The bytes of a script text; {{a*500}} stands for 500 times the text before the star."""
    repeated = re.sub(r"\{\{(.+?)\*(\d+)\}\}", lambda m: m.group(1) * int(m.group(2)), text,
                      flags=re.S)
    return repeated.encode("latin-1")


def head_bytes(lines, body=""):
    """A message head written as plain lines: CRLF line ends and the empty line are added."""
    return to_bytes(lines.rstrip("\n").replace("\n", "\r\n") + "\r\n\r\n") + to_bytes(body)


def _field(head, name):
    found = re.search(rb"(?im)^" + name + rb":[ \t]*(.*?)[ \t]*\r?$", head)
    return found.group(1).lower() if found else None


def _chunked_end(data, at):
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(data[at:line_end].split(b";")[0] or b"0", 16)
        at = line_end + 2
        if size == 0:
            break
        at += size + 2
    while True:  # trailers up to the empty line
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        if line_end == at:
            return at + 2
        at = line_end + 2


def message_end(data, start, is_response, head_only=False, ended=False):
    """Offset after the HTTP/1 message that begins at start; None while it is incomplete."""
    blank = data.find(b"\r\n\r\n", start)
    if blank < 0:
        return None
    head, body = data[start:blank + 2], blank + 4
    status = head.split(b" ")[1][:3] if is_response and b" " in head else b""
    if head_only or status[:1] == b"1" or status in (b"204", b"304"):
        return body
    coding, length = _field(head, rb"transfer-encoding"), _field(head, rb"content-length")
    if coding and b"chunked" in coding:
        return _chunked_end(data, body)
    if length and length.isdigit():
        end = body + int(length)
        return end if len(data) >= end else None
    if is_response:
        return len(data) if ended else None
    return body


def within_limit(is_late):
    """Whether a wait goes on, where nobody else says when it ends."""
    return not is_late


class Peer:
    """One connection under the control of a script. Belongs to one thread at a time.

    goes_on(is_late) says whether a wait goes on that is, or is not, longer than its limit.
    """
    goes_on = staticmethod(within_limit)
    patience = WAIT_SECONDS    # of a wait or a send that is not told another limit

    def __init__(self, sock, goes_on=within_limit):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.goes_on = sock, goes_on
        self.received = bytearray()
        self.used = 0          # bytes that waiting steps have consumed
        self.end = "open"      # then fin | reset (the proxy's doing) or we closed | we reset

    def _poll(self, event, seconds):
        poll = select.poll()
        poll.register(self.sock, event)
        return bool(poll.poll(max(0, seconds) * 1000))

    def _poll_in(self, seconds):
        return self._poll(select.POLLIN, seconds)

    def _poll_out(self, seconds):
        return self._poll(select.POLLOUT, seconds)

    def fill(self, seconds):
        """Reads what comes within the time; true if there was anything new, also an end."""
        if self.end != "open":
            return False
        if not self._poll_in(seconds):
            return False
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            self.end = "reset"
            return True
        if data:
            self.received += data
        else:
            self.end = "fin"
        return True

    def drain(self):
        """Reads what is already there."""
        while self.fill(0):
            pass

    def wait(self, what, complete, seconds=None):
        """Reads until complete() gives an offset; the bytes before it count as consumed."""
        deadline = time.monotonic() + (self.patience if seconds is None else seconds)
        while True:
            at = complete()
            if at is not None:
                self.used = at
                return
            if not self.goes_on(time.monotonic() > deadline) or (
                    not self.fill(SLICE_SECONDS) and self.end != "open"):
                raise StepTimeout(f"no {what} (connection {self.end})")

    def wait_message(self, is_response, head_only=False, interim=False):
        """One complete message; a response waits past 1xx unless interim is asked for."""
        what = "complete response" if is_response else "complete request"

        def complete():
            end = message_end(self.received, self.used, is_response, head_only,
                              self.end != "open")
            first = bytes(self.received[self.used:self.used + 13])
            passing = re.match(rb"HTTP/1\.[01] 1(?!01)", first) and not interim
            if end is not None and is_response and passing:
                self.used = end
                return complete()
            return end
        self.wait(what, complete)

    def wait_text(self, text):
        def complete():
            at = self.received.find(text, self.used)
            return None if at < 0 else at + len(text)
        self.wait(f"{text!r}", complete)

    def wait_end(self):
        self.wait("end", lambda: len(self.received) if self.end != "open" else None)

    def send(self, data):
        """Sends all of it; a peer that has gone is no error here, its end tells."""
        view, deadline = memoryview(data), time.monotonic() + self.patience
        while view:
            try:
                view = view[self.sock.send(view):]
            except BlockingIOError:
                if not self._poll_out(deadline - time.monotonic()):
                    raise StepTimeout("the proxy does not read") from None
            except OSError:
                return

    def shut(self):
        """Half-close: our FIN, while we keep reading."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """Reads what is there first: closing over unread bytes would send a reset."""
        self.drain()
        if self.end == "open":
            self.end = "we closed"
        self.sock.close()

    def reset(self):
        self.drain()
        if self.end == "open":
            self.end = "we reset"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ended(self):
        return {"received": bytes(self.received), "end": self.end}


def reserve_port():
    """A port of the kernel's, kept for the proxy: bound and not listening, with SO_REUSEADDR.

    Linux then refuses it to every other automatic bind, and lets a socket that sets SO_REUSEADDR
    listen on it. A connect while nobody listens is refused. Keep the socket until the case ends.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


@functools.lru_cache
def has_ipv6():
    """Whether this machine has the address ::1."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


def fill_backlog(port):
    """Connects until the kernel stops answering: what comes later sees a black hole."""
    held = []
    for _ in range(16):
        sock = socket.socket()
        sock.settimeout(0.1)
        held.append(sock)
        try:
            sock.connect(("127.0.0.1", port))
        except TimeoutError:
            return held
    raise StepTimeout("the backlog never filled")
