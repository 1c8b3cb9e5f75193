# SPDX-License-Identifier: Apache-2.0
"""What a request on warm connections costs, counted and not timed: system calls, allocations."""
import collections
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest

import h2
from configs import GATED, PROXY, ROUTER
from pki import Authority
from tls_common import Client, serving

TOOLS = pathlib.Path(__file__).resolve().parent.parent / "tools"
REQUESTS = 50
GET = b"GET / HTTP/1.1\r\nhost: a\r\nuser-agent: test\r\naccept: */*\r\ntoken: 7\r\n\r\n"
DENIED = GET.replace(b"token: 7", b"token: 8")


def ask(client, request, count):
    for _ in range(count):
        client.send(request)
        client.wait_message(is_response=True)


def threads_of(pid):
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


def is_traced(thread, pid):
    status = pathlib.Path(f"/proc/{pid}/task/{thread}/status").read_text()
    return not re.search(r"TracerPid:\s+0\n", status)


class Trace:
    """System calls of each thread of a process while the block runs, by strace. A wake-up is what the main
    thread tells a worker each second, however many requests that takes."""

    def __init__(self, pid, file):
        self.pid, self.file = pid, file
        self.calls = collections.defaultdict(collections.Counter)

    def __enter__(self):
        self.process = subprocess.Popen(["strace", "-f", "-y", "-qq", "-o", str(self.file), "-p",
                                         str(self.pid)], stderr=subprocess.DEVNULL)
        while not all(is_traced(thread, self.pid) for thread in threads_of(self.pid)):
            if self.process.poll() is not None:
                pytest.skip("needs strace and leave to attach it")
            time.sleep(0.001)
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        for line in self.file.read_text().splitlines():
            found = re.match(r"(\d+) +(\w+)\((\d+<[^>]*eventfd[^>]*>)?", line)
            if found:
                self.calls[int(found[1])]["wake-up" if found[3] else found[2]] += 1

    def busiest(self):
        """What the thread that served did, without the wake-ups and their waits."""
        calls = max(self.calls.values(), key=lambda calls: sum(calls.values()))
        calls["epoll_wait"] -= calls.pop("wake-up", 0)
        return calls


@pytest.fixture(scope="session")
def plain_binary(nuncio_binary):
    """Sanitizers have an allocator of their own, and make system calls."""
    code = pathlib.Path(nuncio_binary).read_bytes()
    if b"__asan_init" in code or b"__tsan_init" in code:
        pytest.skip("counts what a build without sanitizers does")
    return nuncio_binary


@pytest.fixture
def trace(plain_binary, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("needs strace and leave to attach it")
    return lambda proxy: Trace(proxy.pid, tmp_path / "strace")


def test_a_forwarded_request_is_two_reads_two_writes_and_the_waits(nuncio, origin, trace):
    proxy = nuncio(PROXY, "--concurrency", "1", origin=origin().port)
    client = proxy.connect()
    ask(client, GET, 5)
    with trace(proxy) as traced:
        ask(client, GET, REQUESTS)
    calls = traced.busiest()
    assert calls.pop("epoll_wait") <= 2 * REQUESTS + 2
    assert calls["recvfrom"] == 2 * REQUESTS
    assert calls["sendto"] == 2 * REQUESTS   # a head and a small body are one piece
    assert set(calls) <= {"recvfrom", "sendto", "restart_syscall"}


def test_a_denied_request_is_one_read_one_write_and_a_wait(nuncio, origin, trace):
    proxy = nuncio(GATED, "--concurrency", "1", origin=origin().port)
    client = proxy.connect()
    ask(client, DENIED, 5)
    with trace(proxy) as traced:
        ask(client, DENIED, REQUESTS)
    calls = traced.busiest()
    assert calls.pop("epoll_wait") <= REQUESTS + 2
    assert calls["recvfrom"] == REQUESTS
    assert calls["sendto"] == REQUESTS
    assert set(calls) <= {"recvfrom", "sendto", "restart_syscall"}


def test_a_connection_of_one_request_asks_for_nothing_in_vain(nuncio, origin, trace):
    proxy = nuncio(PROXY, "--concurrency", "1", origin=origin().port)

    def connect():
        client = proxy.connect()
        client.send(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        client.wait_end()
        client.close()

    for _ in range(5):
        connect()
    with trace(proxy) as traced:
        for _ in range(REQUESTS):
            connect()
    calls = traced.busiest()
    # Now and then it looks for a second connection, the less often the more of them were single.
    assert REQUESTS <= calls.pop("accept4") <= REQUESTS + 6
    assert calls.pop("epoll_wait") <= 3 * REQUESTS + 2
    calls.pop("restart_syscall", None)
    assert calls == {"epoll_ctl": 2 * REQUESTS, "recvfrom": 2 * REQUESTS, "sendto": 2 * REQUESTS,
                     "close": REQUESTS}


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    folder = tmp_path_factory.mktemp("pki")
    Authority(folder).issue("server", "DNS:a.test")
    return folder


def test_a_request_over_tls_reads_and_writes_no_more_often(nuncio, origin, trace, pki):
    proxy = nuncio(serving(pki), "--concurrency", "1", origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()
    with trace(proxy) as traced:
        for _ in range(REQUESTS):
            assert client.get().startswith("HTTP/1.1 200")
    calls = traced.busiest()
    calls.pop("epoll_wait")
    assert calls["recvfrom"] == 2 * REQUESTS
    assert calls["sendto"] + calls["sendmsg"] == 2 * REQUESTS
    assert set(calls) <= {"recvfrom", "sendto", "sendmsg", "restart_syscall"}


def test_a_tls_connection_of_one_request_asks_for_nothing_in_vain(nuncio, origin, trace, pki):
    """Reads: Hello, Finished, request, end. Writes: flight, ticket, answer with close_notify."""
    proxy = nuncio(serving(pki, config=GATED), "--concurrency", "1", origin=origin().port)
    Client(pki, proxy.port("main")).close()
    with trace(proxy) as traced:
        for _ in range(REQUESTS):
            client = Client(pki, proxy.port("main"))
            client.sock.sendall(DENIED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            while client.sock.recv(65536):
                pass
            client.sock.close()
    calls = traced.busiest()
    assert calls["recvfrom"] <= 4 * REQUESTS
    assert calls["sendto"] + calls["sendmsg"] <= 3 * REQUESTS


def counter_of(name, folder):
    """What counts something of a nuncio, as tests/tools/NAME.c says: its environment, and a function for
    the count."""
    library, counter = folder / f"{name}.so", folder / "count"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, TOOLS / f"{name}.c"],
                   check=True)
    counter.write_bytes(bytes(8))

    def count():
        return struct.unpack("=Q", counter.read_bytes())[0]

    return {"LD_PRELOAD": str(library), name.upper(): str(counter)}, count


def test_openssl_is_called_only_with_something_to_go_on_with(nuncio, origin, plain_binary, pki,
                                                             tmp_path):
    environment, count = counter_of("count_tls_reads", tmp_path)
    proxy = nuncio(serving(pki), "--concurrency", "1", env=environment, origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()
    before = count()
    assert 0 < before <= 4   # Hello, which it answers and asks for more; Finished; the request
    for _ in range(REQUESTS):
        client.get()
    assert count() == before + REQUESTS


@pytest.fixture(scope="session")
def count_allocs(plain_binary, tmp_path_factory):
    return counter_of("count_allocs", tmp_path_factory.mktemp("allocs"))


def fewest_allocations(count, work):
    """The fewest in some runs of the same work: what the process does by itself now and then, the longer
    the run the more of it, is in few of them."""
    runs = []
    while len(runs) < 5 and 0 not in runs:
        before = count()
        work()
        runs.append(count() - before)
    return min(runs)


@pytest.mark.parametrize("request_bytes", [GET, DENIED], ids=["allowed", "denied"])
def test_a_request_allocates_nothing(nuncio, origin, count_allocs, request_bytes):
    environment, count = count_allocs
    proxy = nuncio(GATED, "--concurrency", "1", env=environment, origin=origin().port)
    client = proxy.connect()
    ask(client, request_bytes, 5)
    assert count() > 0
    assert fewest_allocations(count, lambda: ask(client, request_bytes, REQUESTS)) == 0


def test_a_request_over_http2_allocates_next_to_nothing(nuncio, origin, count_allocs):
    environment, count = count_allocs
    # A header that says how long it took would be longer on a slow machine than its entry's predecessor.
    config = GATED.replace(ROUTER, ROUTER + ", suppress_envoy_headers: true")
    proxy = nuncio(config, "--concurrency", "1", env=environment, origin=origin().port)
    client = h2.client(proxy)
    fields = [("token", "7"), ("user-agent", "test"), ("accept", "*/*")]
    for _ in range(150):  # until the table of the header compression is full
        assert client.exchange("/", fields=fields).status == 200

    def work():
        for _ in range(REQUESTS):
            client.exchange("/", fields=fields)

    # An entry of that table may be of another size than the one that made room for it.
    assert fewest_allocations(count, work) <= REQUESTS // 10


def test_a_request_over_http2_is_two_reads_two_writes_and_the_waits(nuncio, origin, trace):
    proxy = nuncio(PROXY, "--concurrency", "1", origin=origin().port)
    client = h2.client(proxy)
    for _ in range(5):
        client.exchange("/")
    with trace(proxy) as traced:
        for _ in range(REQUESTS):
            client.exchange("/")
    calls = traced.busiest()
    calls.pop("epoll_wait")
    # The client gives its windows back in frames of their own, which are read when they come.
    assert calls["recvfrom"] <= 4 * REQUESTS
    assert calls["sendto"] == 2 * REQUESTS   # heads and small bodies are one piece
    assert set(calls) <= {"recvfrom", "sendto", "restart_syscall"}


def test_bodies_allocate_nothing_once_the_blocks_are_there(nuncio, origin, count_allocs):
    environment, count = count_allocs
    proxy = nuncio(PROXY, "--concurrency", "1", env=environment, origin=origin().port)
    client = proxy.connect()
    post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20000\r\n\r\n" + b"x" * 20000
    ask(client, post, 20)
    assert fewest_allocations(count, lambda: ask(client, post, REQUESTS)) == 0
