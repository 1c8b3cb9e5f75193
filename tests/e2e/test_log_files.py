# SPDX-License-Identifier: Apache-2.0
"""Files of access logs that keep up lose no line, however fast the requests come; what others lose is counted."""
import os
import socket

from configs import PROXY
from process import eventually

PATH_BYTES = 3000
TIMES = 8  # that a line repeats the path
LINE_BYTES = TIMES * PATH_BYTES + 1
BATCH = 20
LOGGED = PROXY.replace("          stat_prefix: main\n", f"""          stat_prefix: main
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @log@
              log_format: {{text_format_source: {{inline_string: "{'%REQ(:PATH)%' * TIMES}\\n"}}}}
""").replace("route: {cluster: origin}", "direct_response: {status: 200}")


def burst(proxy, count, pause=lambda: None):
    """Pipelined requests on one connection; returns when all are answered and logged."""
    request = b"GET /" + b"a" * (PATH_BYTES - 1) + b" HTTP/1.1\r\nhost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        client.settimeout(60)
        for _ in range(count // BATCH):
            client.sendall(request * BATCH)
            received = b""
            while received.count(b"HTTP/1.1 200 OK\r\n") < BATCH:
                data = client.recv(1 << 16)
                assert data
                received += data
            pause()
    # Each has its line by the time that its connection is gone.
    assert eventually(lambda: proxy.stats()["http.main.downstream_cx_active"] == 0)


def start(nuncio, log):
    """With an interval that is no help."""
    return nuncio(LOGGED, "--concurrency", "1", "--file-flush-interval-msec", "600000", log=log)


def assert_whole_lines(text, count):
    assert len(text) == count * LINE_BYTES
    assert set(text.splitlines()) == {(b"/" + b"a" * (PATH_BYTES - 1)) * TIMES}


def read_pipe(fd, size):
    """So many bytes of a pipe, which has them sooner or later."""
    received = bytearray()

    def has_all():
        try:
            received.extend(os.read(fd, 1 << 20))
        except BlockingIOError:
            pass
        return len(received) >= size

    eventually(has_all)
    return bytes(received)


def test_a_burst_loses_no_line(nuncio, tmp_path):
    log, requests = tmp_path / "access.log", 2000
    proxy = start(nuncio, log)

    def keep_up():
        """A disk, or a log thread that a busy machine holds up, may be behind by 16 MiB."""
        assert eventually(lambda: proxy.stats()["filesystem.write_total_buffered"] < 8 << 20)

    burst(proxy, requests, keep_up)
    proxy.admin("/reopen_logs", "POST")  # which writes what waits, first
    assert eventually(lambda: log.stat().st_size == requests * LINE_BYTES)
    assert_whole_lines(log.read_bytes(), requests)
    assert proxy.stats()["filesystem.write_dropped"] == 0


def test_lines_wait_for_a_reader_that_comes_late(nuncio, tmp_path):
    log, requests = tmp_path / "pipe", 500
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    proxy = start(nuncio, log)
    burst(proxy, requests)
    stats = proxy.stats()
    assert stats["filesystem.write_dropped"] == 0
    assert stats["filesystem.write_total_buffered"] > 10 << 20
    assert_whole_lines(read_pipe(reader, requests * LINE_BYTES), requests)
    assert eventually(lambda: proxy.stats()["filesystem.write_total_buffered"] == 0)
    os.close(reader)


def test_lines_that_nobody_reads_are_lost_whole_counted_and_told_once(nuncio, tmp_path):
    log, requests = tmp_path / "pipe", 1000
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    proxy = start(nuncio, log)
    burst(proxy, requests)
    dropped = proxy.stats()["filesystem.write_dropped"]
    assert 0 < dropped < requests
    told = f"log file '{log}' does not keep up"
    assert eventually(lambda: told in proxy.stderr.text)
    kept = requests - dropped
    assert_whole_lines(read_pipe(reader, kept * LINE_BYTES), kept)
    burst(proxy, requests)
    assert proxy.stats()["filesystem.write_dropped"] > dropped
    assert proxy.stderr.text.count(told) == 1
    os.close(reader)
