# SPDX-License-Identifier: Apache-2.0
"""A guest that harms itself harms nobody else, and however many requests pass a guest, memory stays.

NUNCIO_WASM_REQUESTS makes the last test longer: a million takes some minutes."""
import os
import socket
import threading

import pytest

from configs import PROXY
from process import eventually, has_sanitizer
from test_wasm import BUILD, GUEST, behind, plugin, tools  # pylint: disable=unused-import

HARM = BUILD / "tests/guests/harm.wasm"
# Beside the listener `main` there are `other`, with a plug-in of another VM, and `plain`, without one.
LISTENER = PROXY[PROXY.index("  - name: main"):PROXY.index("  clusters:")]


def renamed(listener, name):
    """The listener `main` by another name; paths in it, which may have such words, stay."""
    return listener.replace("name: main", f"name: {name}").replace(
        "port_value: @main@", f"port_value: @{name}@")


def three_listeners():
    main = behind(plugin("", code=HARM, vm_id="harm"))
    other = behind(plugin("", vm_id="other"))
    other = other[other.index("  - name: main"):other.index("  clusters:")]
    more = renamed(other, "other") + renamed(LISTENER, "plain")
    # A second of CPU time takes many on a busy machine: none of the requests that wait for it is too late.
    return main.replace("  clusters:", more + "  clusters:").replace(
        "route: {cluster: origin}", "route: {cluster: origin, timeout: 0s}")


class Traffic(threading.Thread):
    """Requests on a listener, one after the other, until it is told to end; keeps their statuses."""

    def __init__(self, running, listener):
        super().__init__()
        self.running, self.listener, self.statuses = running, listener, []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            self.statuses.append(self.running.get(self.listener, "/").status)

    def finish(self):
        self.is_over.set()
        self.join()
        return set(self.statuses)


@pytest.mark.parametrize("path,status,why", [
    ("/trap", 503, "proxy_on_request_headers failed: RuntimeError: unreachable"),
    ("/spin", 503, "proxy_on_request_headers took longer than 1000 ms of CPU time"),
    ("/dig", 503, "proxy_on_request_headers failed: RuntimeError: memory access out of bounds"),
    ("/eat", 503, "proxy_on_request_headers failed: RuntimeError: unreachable"), ("/lie", 200, ""),
    ("/call", 503, "proxy_on_http_call_response failed: RuntimeError: unreachable")])
def test_others_are_unharmed(nuncio, origin, path, status, why):  # pylint: disable=too-many-arguments
    """One worker does it all: what stands it still would be seen by all."""
    running = nuncio(three_listeners(), "--concurrency", "1", origin=origin().port)
    others = [Traffic(running, "other"), Traffic(running, "plain")]
    for traffic in others:
        traffic.start()
    try:
        assert running.get("main", path).status == status
        running.stderr.wait(why)
        for traffic in others:
            seen = len(traffic.statuses)
            assert eventually(lambda t=traffic, n=seen: len(t.statuses) > n + 3)
    finally:
        assert [traffic.finish() for traffic in others] == [{200}, {200}]
    assert running.get("main", "/").status in (200, 503)  # dead, until there is a new one
    assert eventually(lambda: running.get("main", "/").status == 200)


def test_requests_of_others_that_wait_are_unharmed(nuncio, origin):
    running = nuncio(three_listeners(), "--concurrency", "1", origin=origin().port)
    client = running.connect("other")
    client.send(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")  # a tick lets it go on
    assert running.get("main", "/trap").status == 503
    client.wait_message(is_response=True)
    assert client.received.startswith(b"HTTP/1.1 200 ")


# --- Memory ---------------------------------------------------------------------------------------

def with_own_upstream():
    """The upstream is a listener of the same process, which answers at once."""
    main = behind(plugin(""))
    upstream = renamed(LISTENER, "origin").replace(
        "route: {cluster: origin}", "direct_response: {status: 200, body: {inline_string: ok}}")
    return main.replace("  clusters:", upstream + "  clusters:")


PATHS = ["GET /", "GET /deny", "GET /twice", "GET /status", "GET /late-deny", "GET /count",
         "GET /now", "GET /elsewhere", "GET /pointers", "GET /property/request/path",
         "GET /property/xds/route_name", "GET /shout", "POST /whole"]
BATCH = 26


def send_batches(port, count):
    """So many requests over one connection, a batch of all kinds at a time."""
    batch = "".join(PATHS[i % len(PATHS)] + " HTTP/1.1\r\nhost: a\r\nx-many: a\r\n" +
                    ("content-length: 4\r\n\r\nbody" if "POST" in PATHS[i % len(PATHS)] else "\r\n")
                    for i in range(BATCH)).encode()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        for _ in range(count // BATCH):
            sock.sendall(batch)
            text = b""
            while text.count(b"HTTP/1.1 ") < BATCH:
                piece = sock.recv(65536)
                assert piece, text[-300:]
                text += piece


def kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def guest_memory(running):
    return running.stats()["wasm.envoy.wasm.runtime.v8.active"]


def test_memory_stays_however_many_requests_pass(nuncio, nuncio_binary):
    count = int(os.environ.get("NUNCIO_WASM_REQUESTS", "2000" if has_sanitizer(nuncio_binary) else
                               "20000"))
    running = nuncio(with_own_upstream(), "--concurrency", "1", "--component-log-level", "wasm:error")
    port = running.port("main")
    send_batches(port, max(count // 4, 1000))
    before, vms = kib(running.pid), guest_memory(running)
    send_batches(port, count)
    grown = kib(running.pid) - before
    assert guest_memory(running) == vms
    print(f"{count} requests, {grown} KiB more")
    if not has_sanitizer(nuncio_binary):
        assert grown < 4096
