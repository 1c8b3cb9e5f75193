# SPDX-License-Identifier: Apache-2.0
"""The life of the process: signals, draining, logs."""
import ctypes
import json
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from configs import PROXY
from lib.wire import StepTimeout
from peers import connect
from process import Nuncio, eventually, send_surely

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Slow:
    """An upstream's script that answers when it is told to."""

    def __init__(self):
        self.asked = threading.Event()
        self.answer = threading.Event()

    def __call__(self, peer):
        peer.wait_message(is_response=False)
        self.asked.set()
        self.answer.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        peer.wait_end()


def busy_proxy(nuncio, origin, *arguments, **options):
    """A proxy with a request under way: itself, the client, and what lets the answer come."""
    slow = Slow()
    proxy = nuncio(PROXY, *arguments, origin=origin(slow).port, **options)
    client = proxy.connect()
    client.send(GET)
    assert slow.asked.wait(30)
    return proxy, client, slow


def test_sigterm_lets_a_running_request_finish(nuncio, origin):
    proxy, client, slow = busy_proxy(nuncio, origin)
    proxy.signal(signal.SIGTERM)
    proxy.stderr.wait("caught SIGTERM: draining")
    slow.answer.set()
    client.wait_end()
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in client.received
    assert proxy.wait_exit() == 0
    assert "drained" in proxy.stderr.text


def test_a_drain_ends_after_its_bound(nuncio, origin):
    proxy, client, slow = busy_proxy(nuncio, origin, "--sigterm-drain-ms", "300")
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert "the drain is over after 300 ms: closing 1 connections" in proxy.stderr.text
    client.wait_end()
    assert client.received == b""
    slow.answer.set()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_drain(nuncio, origin, second):
    proxy, _, slow = busy_proxy(nuncio, origin, "--sigterm-drain-ms", "60000")
    proxy.signal(signal.SIGTERM)
    proxy.stderr.wait("draining")
    proxy.signal(second)
    assert proxy.wait_exit() == 0
    slow.answer.set()


def test_sigint_ends_at_once(nuncio, origin):
    proxy, _, slow = busy_proxy(nuncio, origin, "--sigterm-drain-ms", "60000")
    proxy.signal(signal.SIGINT)
    assert proxy.wait_exit() == 0
    assert "caught SIGINT: ending now" in proxy.stderr.text
    slow.answer.set()


def test_without_a_drain_time_sigterm_ends_at_once_as_in_envoy(nuncio, origin):
    proxy, _, slow = busy_proxy(nuncio, origin, "--sigterm-drain-ms", "0")
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert "caught SIGTERM: ending now" in proxy.stderr.text
    slow.answer.set()


def test_a_drain_closes_idle_connections(nuncio, origin):
    proxy = nuncio(PROXY, "--sigterm-drain-ms", "60000", origin=origin().port)
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        client.send(GET)
        client.wait_message(is_response=True)
    proxy.signal(signal.SIGTERM)
    for client in clients:
        client.wait_end()
    assert proxy.wait_exit() == 0


def test_nobody_can_connect_while_the_process_drains(nuncio, origin):
    proxy, _, slow = busy_proxy(nuncio, origin)
    proxy.signal(signal.SIGTERM)
    proxy.stderr.wait("draining")
    with pytest.raises(OSError):
        while True:  # handshakes that have begun still succeed for a moment
            socket.create_connection(("127.0.0.1", proxy.port("main")), timeout=5).close()
    slow.answer.set()
    assert proxy.wait_exit() == 0


def test_connections_in_the_queue_are_served_by_a_drain(nuncio, origin):
    """The workers are stopped while clients connect: the signal is there before any accept."""
    proxy = nuncio(PROXY, "--concurrency", "2", origin=origin().port)
    proxy.get("main")
    proxy.process.send_signal(signal.SIGSTOP)
    clients = [proxy.connect() for _ in range(20)]
    for client in clients:
        client.send(GET)
    send_surely(lambda: [os.kill(proxy.pid, number) for number in (signal.SIGTERM, signal.SIGCONT)],
                proxy.binary, lambda: "caught SIGTERM" in proxy.stderr.text)
    for client in clients:
        client.wait_end()
        assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert proxy.wait_exit() == 0


SO_ATTACH_FILTER = 26


def may_filter():
    """Whether a socket may be told which packets it takes: that is how a listener lets nobody new in
    while it serves those who are. Most kernels leave that to everybody."""
    code = struct.pack("HBBI", 0x06, 0, 0, 0xffffffff)  # all of it
    program = ctypes.create_string_buffer(code, len(code))
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                            struct.pack("HP", 1, ctypes.addressof(program)))
        except PermissionError:
            return False
    return True


SYN_AGAIN_SECONDS = 0.9  # a handshake that was not let in is tried again a second later


def connect_until_refused(port, results):
    """One request for each connection; notes what came back, and the time of all that. When a handshake
    had to be tried again, the port may be another process's by now: that is the end as well."""
    while True:
        began = time.monotonic()
        try:
            client = connect(port)
        except OSError:
            return
        client.send(GET)
        try:
            client.wait_message(is_response=True)
        except StepTimeout:
            pass  # `received` tells
        client.close()
        seconds = time.monotonic() - began
        results.append((bytes(client.received), seconds))
        if seconds >= SYN_AGAIN_SECONDS:
            return


def drain_under_load(nuncio, origin):
    """Clients connect all the time while the listeners go: gives what came back, and the times."""
    proxy = nuncio(PROXY, origin=origin().port)
    port, results = proxy.port("main"), []
    clients = [threading.Thread(target=connect_until_refused, args=(port, results))
               for _ in range(8)]
    for client in clients:
        client.start()
    assert eventually(lambda: len(results) >= 100)
    proxy.signal(signal.SIGTERM)
    for client in clients:
        client.join()
    assert proxy.wait_exit() == 0
    return zip(*results)


SLOW_SECONDS = 0.05  # half of what a handshake has once the listeners go


@pytest.mark.skipif(not may_filter(), reason="needs leave to filter what a socket takes")
def test_no_connection_is_lost_by_a_drain(nuncio, origin):
    """Who got in is served. On a machine that is too busy a handshake may take longer than a drain
    waits for it: only of one that took so long is a loss no fault, and then it is tried again."""
    for _ in range(8):
        received, seconds = drain_under_load(nuncio, origin)
        lost = [(time, got) for got, time in zip(received, seconds)
                if not got.endswith(b"\r\n\r\nok")]
        assert not [loss for loss in lost if loss[0] < SLOW_SECONDS]
        if not lost:
            return
    assert not lost


FRESH_SECONDS = 1  # for so long a connection without a request is a new one


def test_a_connection_without_a_request_has_a_moment_for_its_first(nuncio, origin):
    for _ in range(8):
        proxy = nuncio(PROXY, origin=origin().port)
        began = time.monotonic()
        client = proxy.connect()
        proxy.signal(signal.SIGTERM)
        proxy.stderr.wait("draining")
        client.send(GET)
        client.wait_end()
        seconds = time.monotonic() - began
        assert proxy.wait_exit() == 0
        if client.received or seconds < FRESH_SECONDS:  # else the machine took it all
            break
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_sighup_changes_nothing(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin().port)
    proxy.signal(signal.SIGHUP)
    proxy.stderr.wait("caught SIGHUP: nothing to do")
    assert proxy.get("main").status == 200


def holds(path, text):
    return lambda: path.exists() and text in path.read_text()


def test_sigusr1_opens_the_log_again(nuncio, origin, tmp_path):
    log, old = tmp_path / "app.log", tmp_path / "old.log"
    proxy = nuncio(PROXY, "--log-path", log, origin=origin().port, ready=None)
    assert eventually(holds(log, "main dispatch loop"))
    log.rename(old)
    proxy.signal(signal.SIGUSR1, log.exists)
    assert eventually(log.exists)
    proxy.signal(signal.SIGHUP, holds(log, "caught SIGHUP"))
    assert eventually(holds(log, "caught SIGHUP"))
    assert "caught SIGHUP" not in old.read_text()
    assert proxy.stderr.text == ""


def test_a_log_that_cannot_be_opened_ends_the_start(nuncio, origin):
    proxy = nuncio(PROXY, "--log-path", "/nosuch/app.log", origin=origin().port, ready=None,
                   expect_exit=1)
    assert proxy.wait_exit() == 1
    assert "--log-path: unable to open file '/nosuch/app.log': No such file" in proxy.stderr.text


def test_log_options_are_obeyed(nuncio, origin):
    proxy = nuncio(PROXY, "--log-format", "<%l|%n|%v>", "--log-format-escaped", "-l", "error",
                   "--component-log-level", "main:info", origin=origin().port,
                   ready="<info|main|all clusters initialized. starting main dispatch loop>\n")
    assert re.fullmatch(r"(<info\|main\|.*>\n)+", proxy.stderr.text)


def test_the_configuration_may_say_what_a_log_line_is(nuncio, origin):
    config = PROXY + 'application_log_config: {log_format: {text_format: "%l, %n, %v"}}\n'
    nuncio(config, origin=origin().port, ready="info, main, all clusters initialized")
    config = PROXY + ("application_log_config: "
                      '{log_format: {json_format: {level: "%l", message: "%j", pid: {is: "%P"}}}}\n')
    proxy = nuncio(config, origin=origin().port)
    lines = [json.loads(line) for line in proxy.stderr.text.splitlines()]
    assert lines[-1] == {"level": "info", "message": "all clusters initialized. starting main "
                         "dispatch loop", "pid": {"is": str(proxy.pid)}}


@pytest.mark.parametrize("log_format, arguments, message", [
    ('{text_format: "%v"}', ["--log-format", "%v"], "Only one of ApplicationLogConfig.log_format"),
    ('{json_format: {m: "%v"}}', [], "Usage of %v is unavailable for JSON log formats"),
    ('{json_format: {m: "%_"}}', [], "Usage of %_ is unavailable for JSON log formats"),
    ("{}", [], "log_format"),
], ids=["twice", "message", "line", "nothing"])
def test_log_formats_that_cannot_be(nuncio, origin, log_format, arguments, message):
    config = PROXY + f"application_log_config: {{log_format: {log_format}}}\n"
    proxy = nuncio(config, *arguments, origin=origin().port, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert message in proxy.stderr.text


def test_a_cluster_that_is_wrong_is_not_called_unknown_too(nuncio):
    config = PROXY.replace("address: 127.0.0.1, port_value: @origin@",
                           "address: web.example, port_value: 80")
    assert config != PROXY
    proxy = nuncio(config, "--mode", "validate", ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert "malformed IP address: web.example" in proxy.stderr.text
    assert "unknown cluster" not in proxy.stderr.text


def test_init_only_starts_and_exits(nuncio, origin):
    proxy = nuncio(PROXY, "--mode", "init_only", origin=origin().port)
    assert proxy.wait_exit() == 0


def test_an_address_in_use_ends_the_start(nuncio, origin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = nuncio(PROXY, origin=origin().port, main=port, ready=None, expect_exit=1)
        assert proxy.wait_exit() == 1
    assert f"listener 'main': cannot bind '127.0.0.1:{port}': Address already in use" \
        in proxy.stderr.text
    assert "gets a share of the connections" not in proxy.stderr.text


def test_signals_that_were_blocked_are_taken(nuncio, origin):
    block = {"preexec_fn": lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1})}
    proxy = nuncio(PROXY, origin=origin().port, popen=block)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0


def test_closed_standard_files_are_opened(nuncio_binary, tmp_path):
    """Else a connection would be stderr, and get the log."""
    address, config = tmp_path / "address", tmp_path / "c.yaml"
    config.write_text("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n")
    command = 'exec "$0" "$@" <&- >&- 2>&-'
    with subprocess.Popen(["sh", "-c", command, nuncio_binary, "-c", config, "--admin-address-path",
                           address]) as process:
        while not address.exists():
            assert process.poll() is None
        files = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 1, 2)]
        send_surely(lambda: process.send_signal(signal.SIGINT), nuncio_binary,
                    lambda: process.poll() is not None)
        assert process.wait(30) == 0
    assert files == ["/dev/null"] * 3


def test_access_logs_are_opened_again(nuncio, origin, tmp_path):
    log, old = tmp_path / "access.log", tmp_path / "old.log"
    config = PROXY.replace("          stat_prefix: main\n", """          stat_prefix: main
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @log@
              log_format: {text_format_source: {inline_string: "%REQ(:PATH)%\\n"}}
""")
    proxy = nuncio(config, "--file-flush-interval-msec", "1", origin=origin().port, log=log)
    proxy.get("main", "/before")
    assert eventually(holds(log, "/before"))
    log.rename(old)
    proxy.signal(signal.SIGUSR1, log.exists)
    assert eventually(log.exists)
    proxy.get("main", "/after")
    assert eventually(holds(log, "/after"))
    assert old.read_text() == "/before\n"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


@pytest.fixture
def as_init(nuncio_binary, tmp_path, origin):
    """A nuncio that is PID 1 of a namespace of its own; its `pid` is what it is called out here."""
    may = subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, capture_output=True)
    if may.returncode != 0:
        pytest.skip("no PID namespace may be made here")
    wrapper = tmp_path / "as-init"
    wrapper.write_text(f'#!/bin/sh\nexec unshare --pid --fork --kill-child {shlex.quote(nuncio_binary)} "$@"\n')
    wrapper.chmod(0o755)
    process = Nuncio(str(wrapper), tmp_path, PROXY, [], origin=origin().port)
    process.wait_ready()
    process.pid, process.binary = children(process.pid)[0], nuncio_binary
    yield process
    assert not process.finish()


def test_pid_1_drains_on_sigterm(as_init):
    assert as_init.get("main").status == 200
    as_init.signal(signal.SIGTERM)
    assert as_init.wait_exit() == 0
    assert "drained" in as_init.stderr.text


def test_pid_1_reaps_orphans(as_init):
    """A process whose parent went away becomes PID 1's, and must not stay a zombie."""
    for _ in range(5):
        subprocess.run(["nsenter", "-t", str(as_init.pid), "-p", "sh", "-c", "(read x <&0 &) <&0"],
                       check=True, stdin=subprocess.DEVNULL)
    assert eventually(lambda: not children(as_init.pid))
