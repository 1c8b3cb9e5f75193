# SPDX-License-Identifier: Apache-2.0
"""Every file of conf/ loads, starts, and does what its comments say.

The ports of its listeners are replaced by free ones, those of its upstreams by fake upstreams, and
paths in /tmp by the test's folder; nothing else is changed.
"""
import pathlib
import re

import pytest
import yaml

import h2
from peers import connect, has_ipv6
from process import eventually

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
FILES = sorted(path for path in CONF.iterdir() if path.suffix in (".yaml", ".json"))
PORT = re.compile(r'("?port_?[vV]alue"?: *)(\d+)')


def addresses(part):
    """Every port below a part of a configuration."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("port_value", "portValue"):
                yield value
            yield from addresses(value)
    elif isinstance(part, list):
        for value in part:
            yield from addresses(value)


def own_ports(config):
    resources = config.get("static_resources") or config.get("staticResources")
    return {*addresses(config.get("admin")), *addresses(resources.get("listeners"))}


class Example:
    """A running example: ports by the numbers that stand in the file."""

    def __init__(self, name, nuncio, origin, scripts):
        text = (CONF / name).read_text()
        own = own_ports(yaml.safe_load(text))
        self.origins = {number: origin(scripts.get(number)) for number in
                        {int(found) for _, found in PORT.findall(text)} - own}
        values = {f"upstream_{number}": upstream.port
                  for number, upstream in self.origins.items()}

        def placeholder(found):
            kind = "port" if int(found.group(2)) in own else "upstream"
            return f"{found.group(1)}@{kind}_{found.group(2)}@"
        text = PORT.sub(placeholder, text).replace("/tmp/", "@dir@/")
        self.proxy = nuncio(text, file_name=name, **values)

    def get(self, number, path="/", headers=None):
        return self.proxy.get(f"port_{number}", path, headers)


@pytest.fixture
def example(nuncio, origin):
    def start(name, scripts=None):
        if "ipv6" in name and not has_ipv6():
            pytest.skip("this machine has no IPv6")
        return Example(name, nuncio, origin, scripts or {})

    return start


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_valid_as_it_stands(nuncio, path):
    checked = nuncio(None, "-c", path, "--mode", "validate", ready=None)
    assert checked.wait_exit() == 0
    assert checked.stdout.text == f"configuration '{path}' OK\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_starts_and_every_port_answers(example, origin, path):
    """The host is an address that answers: a forward proxy asks no name server for it."""
    running, host = example(path.name), {"host": f"127.0.0.1:{origin().port}"}
    for number in own_ports(yaml.safe_load(path.read_text())):
        assert running.get(number, headers=host).status in (200, 401, 403, 404)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_says_in_its_head_how_to_run_it(path):
    if path.suffix == ".yaml":
        assert f"#     nuncio -c conf/{path.name}\n" in path.read_text()


def test_nuncio(example):
    running = example("nuncio.yaml")
    assert running.get(18000, headers={"token": "32323"}).text == "Welcome to nuncio\n"
    assert running.get(18000, headers={"token": "323232"}).text == "Access forbidden.\n"


def test_reverse_proxy(example):
    running = example("reverse-proxy.yaml")
    for _ in range(4):
        assert running.get(8080).text == "ok"
    for upstream in running.origins.values():
        assert b"\r\nx-forwarded-for: " in upstream.received[0]


def test_virtual_hosts(example):
    running = example("virtual-hosts.yaml")
    reached = {8003: ("shop.example:8080", "/api/x"), 8004: ("seven.customers.example", "/")}
    for number, (host, path) in reached.items():
        assert running.get(8080, path, {"host": host}).text == "ok"
        assert len(running.origins[number].received) == 1
    assert running.get(8080, headers={"host": "www.shop.example"}).text == "ok"
    assert running.get(8080, headers={"host": "staging.x"}).text == "team red only\n"
    assert running.get(8080, headers={"host": "staging.x", "x-team": "red"}).text == "ok"
    assert running.get(8080, headers={"host": "else"}).text == "no such site\n"


def test_routes(example):
    running = example("routes.yaml")
    old = running.get(8080, "/old/page?a=1")
    assert (old.status, old.headers["location"].rpartition("/new/")[2]) == (301, "page?a=1")
    login = running.get(8080, "/login?next=x")
    assert (login.status, login.headers["location"]) == (302, "https://accounts.example/login")
    assert running.get(8080, "/v12/status").status == 204
    assert running.get(8080, "/?canary=yes").text == "canary\n"
    assert running.get(8080, "/robots.txt").headers["server"] == "example"
    file = running.get(8080, "/files/a.txt", {"cookie": "secret"})
    assert file.headers["x-content-type-options"] == "nosniff"
    running.get(8080, "/user/7/photo")
    received = b"".join(running.origins[8001].received)
    assert received.startswith(b"GET /a.txt HTTP/1.1\r\nhost: files.internal\r\n")
    assert b"x-client: 127.0.0.1\r\n" in received and b"secret" not in received
    assert b"GET /photo/7 HTTP/1.1\r\n" in received


def test_access_logs(example):
    running = example("access-logs.yaml")
    assert running.get(8080, "/hello").status == 200
    assert running.get(8080, "/nowhere").status == 404
    running.proxy.stdout.wait(re.compile(r"GET 127\.0\.0\.1:\d+/hello 200 - \d+ms\n"))
    running.proxy.stdout.wait(re.compile(r"GET 127\.0\.0\.1:\d+/nowhere 404 NR \d+ms\n"))
    assert running.proxy.finish() == []
    entry = yaml.safe_load((running.proxy.folder / "nuncio-errors.json").read_text())
    assert entry["status"] == 404 and entry["why"] == "route_not_found"
    assert entry["request"]["path"] == "/nowhere" and entry["upstream"] is None


def test_unix_and_ipv6(example):
    running = example("unix-and-ipv6.yaml")
    port = running.proxy.port("port_8080")
    local = str(running.proxy.folder / "nuncio-web.sock")
    for peer in (connect(port), connect(port, "::1"), connect(local)):
        peer.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        peer.wait_message(is_response=True)
        assert peer.received.endswith(b"hello from a unix socket\n")


def test_strict_dns(example):
    running = example("strict-dns.yaml")
    assert running.get(8080).text == "ok"
    assert b"\r\nhost: localhost\r\n" in running.origins[8001].received[0]


def test_limits(example):
    running = example("limits.yaml")
    assert running.get(8080).text == "ok"
    many = {f"x-{number}": "1" for number in range(70)}
    assert running.get(8080, headers=many).status == 431
    assert running.get(8080, headers={"with_underscore": "1"}).status == 400


def test_prime_gate(example):
    running = example("prime-gate.yaml")
    assert running.get(8080, headers={"x-key": str(2 ** 127 - 1)}).text == "welcome\n"
    denied = running.get(8080, headers={"x-key": str(2 ** 128 - 1)})
    assert (denied.status, denied.text) == (401, "a prime, please\n")
    assert denied.headers["www-authenticate"] == "prime"
    assert running.get(8080, "/health").text == "fine\n"
    assert running.get(8080, "/trial/", {"x-key": "8"}).text == "on trial\n"
    running.proxy.stdout.wait("/ 401 prime_authz_denied {")


def test_websocket(example):
    running = example("websocket.yaml")

    def answer(number, text):
        peer = connect(running.proxy.port(f"port_{number}"))
        peer.send(text.replace("\n", "\r\n").encode() + b"\r\n")
        peer.wait_text(b"\r\n\r\n")
        return bytes(peer.received)
    ask = "GET {} HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: {}\n"
    for path, kind in (("/chat/", "websocket"), ("/terminal/", "tcp")):
        answer(8080, ask.format(path, kind))
        received = running.origins[8001].received[-1]
        assert f"\r\nupgrade: {kind}\r\n".encode() in received
    for path, kind in (("/chat/", "tcp"), ("/terminal/", "websocket")):
        assert answer(8080, ask.format(path, kind)).startswith(b"HTTP/1.1 403 ")
    assert answer(8081, "CONNECT a:443 HTTP/1.1\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer(8081, "CONNECT a:80 HTTP/1.1\n").startswith(b"HTTP/1.1 404 ")


def test_http2(example):
    """The upstreams of the test speak HTTP/1: what they were asked in is what counts here."""
    running = example("http2.yaml")
    assert running.get(8080).text == "ok"
    client = h2.client(running.proxy, "port_8080")
    client.exchange("/")
    client.exchange("/shop.Orders/List", "POST", [("content-type", "application/grpc")])
    by_http1, by_http2 = running.origins[8002].received
    assert by_http1.startswith(b"GET / HTTP/1.1") and by_http2.startswith(h2.PREFACE)
    assert running.origins[8001].received[0].startswith(h2.PREFACE)


def test_bootstrap_json(example):
    assert example("bootstrap.json").get(8080).text == "ok"


def test_tcp_proxy(example):
    running = example("tcp-proxy.yaml")
    for _ in range(8):
        assert running.get(5432).text == "ok"
    # Each worker takes turns by itself.
    received = [len(upstream.received) for upstream in running.origins.values()]
    assert sum(received) == 8 and min(received) >= 3
    assert running.proxy.finish() == []
    running.proxy.stdout.wait(re.compile(r"to 127\.0\.0\.1:\d+ - \d+ in, \d+ out, \d+ ms -\n"))


def test_mirror(example):
    running = example("mirror.yaml")
    assert running.get(18000, headers={"cookie": "secret"}).text == "ok"
    assert eventually(lambda: b"\r\n\r\n" in b"".join(running.origins[8002].received))
    copy = running.origins[8002].received[0]
    assert b"-shadow:" in copy and b"x-copy: of " in copy and b"secret" not in copy
    assert b"secret" in running.origins[8001].received[0]


def test_internal_redirect(example):
    def redirects(peer):
        for _ in range(2):
            peer.wait_message(is_response=False)
            peer.send(b"HTTP/1.1 302 Found\r\nlocation: http://x/files/a\r\nx-file-key: k\r\n"
                      b"content-length: 0\r\n\r\n")
        peer.wait_end()

    running = example("internal-redirect.yaml", {8001: redirects})
    assert running.get(18000, "/download/a").text == "ok"
    assert running.origins[8002].received[0].startswith(b"GET /files/a HTTP/1.1\r\nhost: x\r\n")
    assert b"\r\nx-file-key: k\r\n" in running.origins[8002].received[0]
    assert running.get(18000, "/other").status == 302
