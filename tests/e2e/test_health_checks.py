# SPDX-License-Identifier: Apache-2.0
"""Active health checks as an operator meets them: hosts that die, come back, hang; TLS, unix sockets."""
import http.server
import signal
import socket
import socketserver
import threading

import pytest

from configs import PROXY
from peers import hold_port
from pki import Authority
from process import eventually
from tls_common import tls_origin

CHECKS = """
    health_checks:
    - timeout: 60s
      interval: 0.05s
      no_traffic_interval: 0.05s
      unhealthy_threshold: 2
      healthy_threshold: 2
      event_logger:
      - name: file
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink
          event_log_path: @dir@/events.log
      http_health_check: {path: /health}
"""
CHECKED = PROXY.replace("    type: STATIC\n", "    type: STATIC\n" + CHECKS)
TWO_HOSTS = CHECKED + """
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @other@}}}
"""


class Host:
    """A server that says its name, and that can go away and come back at its port, which nobody else
    gets meanwhile: `held` is for the next one, and as Origin's."""

    def __init__(self, name, held=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def get_request(server):
                sock, address = super().get_request()
                self.sockets.append(sock)
                return sock, address

        self.name, self.sockets = name, []
        self.held = held or hold_port()
        self.port = self.held.getsockname()[1]
        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01},
                         daemon=True).start()

    def die(self):
        self._server.shutdown()
        self._server.server_close()
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already


@pytest.fixture
def host_of(held_ports):
    """host_of(name, before=None): a running Host, perhaps at the port of one that has died."""
    def start(name, before=None):
        started = Host(name, before and before.held)
        held_ports.append(started.held)
        return started
    return start


def healthy(proxy):
    return proxy.stats()["cluster.origin.membership_healthy"]


def names(proxy, count=10):
    """Who answers."""
    return {proxy.get("main").text for _ in range(count)}


def test_dead_host_gets_no_traffic_until_it_is_back(nuncio, host_of):
    hosts = [host_of("a"), host_of("b")]
    try:
        proxy = nuncio(TWO_HOSTS, "--concurrency", "2", origin=hosts[0].port, other=hosts[1].port)
        assert healthy(proxy) == 2
        assert names(proxy) == {"a", "b"}
        hosts[1].die()
        assert eventually(lambda: healthy(proxy) == 1)
        assert eventually(lambda: names(proxy) == {"a"})
        assert names(proxy, 40) == {"a"}
        hosts[1] = host_of("b", hosts[1])
        assert eventually(lambda: healthy(proxy) == 2)
        assert eventually(lambda: names(proxy) == {"a", "b"})
    finally:
        for host in hosts:
            host.die()


def test_events_are_logged_in_their_order(nuncio, tmp_path, host_of):
    host = host_of("a")
    proxy = nuncio(CHECKED, origin=host.port)
    host.die()
    assert eventually(lambda: healthy(proxy) == 0)
    host = host_of("a", host)
    assert eventually(lambda: healthy(proxy) == 1)
    proxy.signal(signal.SIGTERM)
    proxy.wait_exit()
    host.die()
    lines = (tmp_path / "nuncio0" / "events.log").read_text().splitlines()
    kinds = [next(kind for kind in ("add_healthy", "eject_unhealthy", "failure") if kind in line)
             for line in lines]
    assert kinds == ["add_healthy", "eject_unhealthy", "add_healthy"]


def test_flags_are_shown_by_the_admin_interface(nuncio, host_of):
    host = host_of("a")
    proxy = nuncio(CHECKED, origin=host.port)
    assert "health_flags::healthy" in proxy.admin("/clusters").text
    host.die()
    assert eventually(lambda: "health_flags::/failed_active_hc" in proxy.admin("/clusters").text)


def test_listeners_wait_for_the_first_check(nuncio, origin):
    """The first request finds a healthy host, however slow the check was."""
    go_on = threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        go_on.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        peer.wait_end()

    upstream = origin(script)
    config = CHECKED
    threading.Timer(0.3, go_on.set).start()
    proxy = nuncio(config, origin=upstream.port)
    assert go_on.is_set()
    assert healthy(proxy) == 1


def test_process_ends_amid_a_check(nuncio, origin):
    def script(peer):
        peer.wait_text(b"GET /health")
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        peer.wait_text(b"GET /health")  # and never an answer
        peer.wait_end()

    upstream = origin(script)
    proxy = nuncio(CHECKED, origin=upstream.port)
    assert eventually(lambda: proxy.stats()["cluster.origin.health_check.attempt"] == 2)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0


def test_host_on_a_unix_socket_is_checked(nuncio, tmp_path):
    path = str(tmp_path / "host.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve():
        sock, _ = listener.accept()
        while sock.recv(65536):
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    threading.Thread(target=serve, daemon=True).start()
    config = CHECKED.replace("socket_address: {address: 127.0.0.1, port_value: @origin@}",
                             f"pipe: {{path: {path}}}")
    proxy = nuncio(config)
    assert healthy(proxy) == 1
    listener.close()


def test_checks_go_over_tls_with_the_protocols_they_ask_for(nuncio, origin, tmp_path):
    """The cluster's own transport is plain."""
    pki = tmp_path / "pki"
    pki.mkdir()
    Authority(pki).issue("server", "DNS:a.test")
    asked = []

    def script(sock):
        asked.append(sock.selected_alpn_protocol())
        received = b""
        while b"\r\n\r\n" not in received:
            received += sock.recv(65536)
        asked.append(received.split(b"\r\n")[0])
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        sock.recv(65536)

    serve = tls_origin(pki, script, alpn=["http/1.1", "x-health"])
    upstream = origin(serve)
    config = CHECKED.replace("      http_health_check:", """      tls_options: {alpn_protocols: [x-health]}
      transport_socket_match_criteria: {secure: true}
      http_health_check:""").replace("    load_assignment:", f"""    transport_socket_matches:
    - name: secure
      match: {{secure: true}}
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: a.test
          common_tls_context:
            validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}
    load_assignment:""").replace("0.05s", "50s")
    proxy = nuncio(config, origin=upstream.port)
    assert healthy(proxy) == 1
    assert asked == ["x-health", b"GET /health HTTP/1.1"]
    assert serve.names == ["a.test"]
    assert proxy.stats()["cluster.origin.secure.total_match_count"] == 1
