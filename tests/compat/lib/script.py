# SPDX-License-Identifier: Apache-2.0
"""Runs the scripts of a case: the client's steps and those of each upstream connection.

The client is one list of steps, in one thread, over as many connections as it names, so the order
of what it does is the order of the file. Each accepted upstream connection runs its own list in
its own thread. `signal` and `await` tie the two sides together. The steps are in README.md.
"""

import socket
import threading
import time

from . import tls
from .h2script import Scripted
from .wire import (SLICE_SECONDS, WAIT_SECONDS, Peer, StepTimeout, fill_backlog, head_bytes,
                   message_end, reserve_port, to_bytes, within_limit)

OK_REPLY = "HTTP/1.1 200 OK\ncontent-length: 2"
OK_REPLY_2 = ":status: 200\ncontent-length: 2"
GRACE_SECONDS = 0.06
CLIENT = "127.0.0.2"  # Envoy writes the machine's own address for 127.0.0.1: see README.md


class Signals:
    """Named events that both sides of a case set and await."""

    def __init__(self):
        self._lock, self._events = threading.Lock(), {}

    def __getitem__(self, name):
        with self._lock:
            return self._events.setdefault(name, threading.Event())


def split_step(step):
    """A step is a word, or a mapping whose first key is the word and the rest its options."""
    if isinstance(step, str):
        return step, None, {}
    (word, value), *rest = step.items()
    return word, value, dict(rest)


def run_free(word, value, signals, goes_on=within_limit):
    """The steps that touch no connection; false when the word is none of them."""
    if word == "pause":
        time.sleep(value)
    elif word == "signal":
        signals[value].set()
    elif word == "await":
        deadline = time.monotonic() + WAIT_SECONDS
        while not signals[value].wait(SLICE_SECONDS):
            if not goes_on(time.monotonic() > deadline):
                raise StepTimeout(f"no signal {value}")
    else:
        return False
    return True


def run_common(peer, word, value, options):
    """The steps on one connection that both sides know; false when the word is none of them."""
    if word == "send":
        peer.send(to_bytes(value))
    elif word == "head":
        peer.send(head_bytes(value, options.get("body", "")))
    elif word == "wait":
        peer.wait_text(to_bytes(value))
    elif word == "eof":
        peer.wait_end()
    elif word in ("shut", "close", "reset"):
        getattr(peer, word)()
    else:
        return False
    return True


class Upstream:
    """A scripted server on a port of its own, or a port that refuses or swallows connections.

    Its waits last as long as the client goes on, then up to their limit or until finish().
    """

    def __init__(self, name, spec, signals):
        spec = spec or {}
        self.name, self.signals = name, signals
        self.mode = spec.get("mode", "serve")
        self.scripts = spec.get("connections")
        self.tls, self.is_http2, self.h2 = spec.get("tls"), "h2" in spec, spec.get("h2")
        ok = OK_REPLY_2 if self.is_http2 else OK_REPLY
        self.script = spec.get("each", [{"serve": ok, "body": "ok"}])
        self.listener = reserve_port()
        self.port = self.listener.getsockname()[1]
        self.peers, self.ports, self.troubles = [], [], []
        self._threads, self._held = [], []
        self._over, self._finished = threading.Event(), threading.Event()

    def start(self):
        if self.mode == "refuse":
            return
        if self.mode == "blackhole":
            self.listener.listen(0)
            self._held = fill_backlog(self.port)
            return
        self.listener.listen(128)
        self.listener.settimeout(0.02)
        self._spawn(self._accept)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._over.is_set():
            try:
                sock, address = self.listener.accept()
            except TimeoutError:
                continue
            index, peer = len(self.peers), Peer(sock, self._goes_on)
            self.peers.append(peer)
            self.ports.append(address[1])
            script = self.script
            if self.scripts and index < len(self.scripts):
                script = self.scripts[index]
            self._spawn(self._serve, index, script)

    def _serve(self, index, script):
        peer = self.peers[index]
        try:
            if self.tls is not None:
                peer = self.peers[index] = tls.accept(peer, self.tls)
            if self.is_http2:
                peer = self.peers[index] = Scripted(peer, True, self.h2)
            for step in script:
                self._step(peer, *split_step(step))
        except StepTimeout as trouble:
            if not self._over.is_set():
                self.troubles.append(f"upstream {self.name}: {trouble}")
        except Exception as mistake:  # in the case: a thread of ours has nobody else to tell
            self.troubles.append(f"upstream {self.name}: {mistake!r}")
        while not self._over.is_set() and peer.end == "open":
            peer.fill(0.02)

    def _step(self, peer, word, value, options):
        if run_free(word, value, self.signals, self._goes_on):
            return
        if isinstance(peer, Scripted):
            if not peer.step(word, value, {**options, "is_over": self._over.is_set}):
                raise ValueError(f"no such step of an HTTP/2 upstream: {word}")
        elif word == "request":
            peer.wait_message(False)
        elif word == "reply":
            peer.wait_message(False)
            peer.send(head_bytes(value, options.get("body", "")))
        elif word == "serve":
            self._serve_all(peer, head_bytes(value, options.get("body", "")))
        elif not run_common(peer, word, value, options):
            raise ValueError(f"no such upstream step: {word}")

    def _serve_all(self, peer, answer):
        while not self._over.is_set():
            try:
                peer.wait("complete request", lambda: self._next_request(peer), 0.05)
            except StepTimeout:
                if peer.end != "open":
                    return
                continue
            peer.send(answer)

    @staticmethod
    def _next_request(peer):
        return message_end(peer.received, peer.used, False)

    def _goes_on(self, is_late):
        return not self._over.is_set() or not (is_late or self._finished.is_set())

    def client_is_done(self):
        """From here on waits have their limits."""
        self._over.set()

    def is_busy(self):
        return any(thread.is_alive() for thread in self._threads)

    def seen(self):
        return [peer.ended() for peer in self.peers]

    def finish(self):
        """What each connection received and how it stands; the sockets stay open."""
        self._over.set()
        self._finished.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS + 2)
        for peer in self.peers:
            if peer.end == "open":
                peer.drain()
        return self.seen()

    def close(self):
        self._over.set()
        for sock in [self.listener, *self._held, *(peer.sock for peer in self.peers)]:
            sock.close()


class Client:
    """The client side of a case: named connections to the proxy or to its admin port."""

    def __init__(self, ports, signals, read_stats, send_signal, write_file, answers=None):
        self.ports, self.signals = ports, signals
        self.read_stats, self.send_signal, self.write_file = read_stats, send_signal, write_file
        self.answers = answers  # of the DNS server, if there is one
        self.peers, self.local_ports = {}, {}
        self.views = {}        # connection name -> [(from, to, view)]: see view.py

    def run(self, script):
        """Runs all steps; gives what went wrong, None when nothing did."""
        for number, step in enumerate(script or []):
            word, value, options = split_step(step)
            try:
                self._step(word, value, options)
            except (StepTimeout, OSError) as trouble:
                return f"client step {number} ({word}): {trouble}"
        return None

    def _peer(self, options):
        name = options.get("conn", "a")
        if name not in self.peers:
            sock = socket.create_connection(("127.0.0.1", self.ports[options.get("to", "proxy")]),
                                            source_address=(options.get("from", CLIENT), 0))
            self.peers[name] = Peer(sock)
            self.local_ports[f"client.{name}"] = sock.getsockname()[1]
        return self.peers[name]

    def _step(self, word, value, options):
        if word == "stat":
            self._wait_stat(value)
        elif word == "process":
            self.send_signal(value)
        elif word == "answer":
            self.answers.update(value)
        elif word == "write":
            self.write_file(value, options["text"])
        elif not run_free(word, value, self.signals):
            self._on_connection(self._peer(options), word, value, options)

    def _on_connection(self, peer, word, value, options):
        if word == "connect":
            return
        if word == "tls":
            self.peers[options.get("conn", "a")] = tls.connect(peer, value or {}, self.peers)
            return
        if word == "h2":
            self.peers[options.get("conn", "a")] = Scripted(peer, False, value)
            return
        if isinstance(peer, Scripted):
            if not peer.step(word, value, options):
                raise ValueError(f"no such step of an HTTP/2 client: {word}")
            return
        begin = peer.used
        if word == "get":
            peer.send(head_bytes(f"GET {value} HTTP/1.1\nhost: example.com"))
            peer.wait_message(True)
        elif word == "response":
            peer.wait_message(True, head_only=value == "head", interim=value == "interim")
        elif not run_common(peer, word, value, options):
            raise ValueError(f"no such client step: {word}")
        if "view" in options:
            views = self.views.setdefault(options.get("conn", "a"), [])
            views.append((begin, peer.used, options["view"]))

    def _wait_stat(self, wanted):
        name, value = wanted.rsplit(": ", 1)
        deadline = time.monotonic() + WAIT_SECONDS
        while self.read_stats().get(name, 0) != int(value):
            if time.monotonic() > deadline:
                raise StepTimeout(f"{name} is {self.read_stats().get(name, 0)}, not {value}")
            time.sleep(0.01)

    def linger(self):
        """Gives the proxy a moment to add something, then says how each connection stands."""
        deadline = time.monotonic() + GRACE_SECONDS
        for peer in self.peers.values():
            while peer.end == "open" and peer.fill(deadline - time.monotonic()):
                pass
        return {name: peer.ended() for name, peer in self.peers.items()}

    def close(self):
        for peer in self.peers.values():
            peer.close()
