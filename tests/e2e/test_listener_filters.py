# SPDX-License-Identifier: Apache-2.0
"""Choosing a filter chain, and the listener filters that find out what it is chosen by."""
import socket
import ssl
import struct

import pytest

from configs import ADMIN, HCM, ROUTER
from pki import Authority
from process import eventually
from tls_common import Client, downstream

LISTENER = "type.googleapis.com/envoy.extensions.filters.listener."
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def chain(name, match="", transport=""):
    """A chain that answers with its own name and what it knows of the client."""
    return f"""    - name: {name}
      filter_chain_match: {{{match}}}
{transport}      filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: {name}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response:
                  status: 200
                  body: {{inline_string: "{name}"}}
                response_headers_to_add:
                - header: {{key: x-remote, value: "%DOWNSTREAM_REMOTE_ADDRESS%"}}
                - header: {{key: x-direct, value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"}}
                - header: {{key: x-local, value: "%DOWNSTREAM_LOCAL_ADDRESS%"}}
                - header: {{key: x-name, value: "%REQUESTED_SERVER_NAME%"}}
          http_filters:
          - {{name: router, typed_config: {{"@type": {ROUTER}}}}}
"""


def listener(chains, filters="", extra=""):
    return ADMIN + f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: @main@}}}}
    listener_filters: [{filters}]
    {extra}
    filter_chains:
{chains}"""


def filter_of(name, text=""):
    kind = "".join(word.capitalize() for word in name.split("_"))
    return f'{{name: {name}, typed_config: {{"@type": {LISTENER}{name}.v3.{kind}, {text}}}}}'


def tls(pki, name):
    text = downstream(pki, [name]).split("transport_socket:", 1)[1].rsplit("      filters:", 1)[0]
    return "      transport_socket:" + text


def ask(proxy, before=b"", request=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):
    """Sends bytes, gives the response as (headers, body); None if there was none."""
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        sock.sendall(before + request)
        received = b""
        try:
            while piece := sock.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    if not received:
        return None
    head, _, body = received.decode().partition("\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), body


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder)
    authority.issue("one", "DNS:one.test")
    authority.issue("two", "DNS:*.two.test")
    return folder


def test_one_port_serves_plain_bytes_and_several_names(nuncio, pki):
    config = listener(
        chain("one", "server_names: [one.test]", tls(pki, "one"))
        + chain("two", 'server_names: ["*.two.test"]', tls(pki, "two"))
        + chain("plain", "transport_protocol: raw_buffer"), filter_of("tls_inspector"))
    proxy = nuncio(config)
    assert ask(proxy)[1] == "plain"
    for name, answer in (("one.test", "one"), ("a.two.test", "two"), ("A.Two.Test", "two")):
        client = Client(pki, proxy.port("main"), name)
        response = client.get()
        assert response.endswith("\r\n\r\n" + answer)
        assert f"x-name: {name.lower()}\r\n" in response.lower()
        client.close()
    with pytest.raises(OSError):
        Client(pki, proxy.port("main"), "three.test")
    stats = proxy.stats()
    assert stats["tls_inspector.tls_found"] == 4
    assert stats["tls_inspector.sni_found"] == 4
    assert stats["tls_inspector.tls_not_found"] == 1
    assert stats[f"listener.127.0.0.1_{proxy.port('main')}.no_filter_chain_match"] == 1
    name = f"listener.127.0.0.1_{proxy.port('main')}.downstream_pre_cx_active"
    assert eventually(lambda: proxy.stats()[name] == 0)


def test_a_tls_inspector_is_added_where_chains_need_one(nuncio, pki):
    config = listener(chain("one", "server_names: [one.test]", tls(pki, "one")))
    proxy = nuncio(config)
    assert "TLS Inspector" in proxy.stderr.text
    client = Client(pki, proxy.port("main"), "one.test")
    assert client.get().endswith("one")
    client.close()


def test_the_default_chain_takes_what_no_other_does(nuncio):
    config = listener(chain("never", "destination_port: 1"), extra="""default_filter_chain:
""" + chain("standby").replace("    - name", "      name", 1).replace(
        "      filter_chain_match: {}\n", ""))
    assert ask(nuncio(config))[1] == "standby"


def test_the_same_match_twice_is_refused(nuncio):
    config = listener(chain("first") + chain("second"))
    proxy = nuncio(config, ready=None, expect_exit=1)
    proxy.wait_exit()
    assert "filter chain 'second' has the same matching rules defined as 'first'" in \
        proxy.stderr.text


def test_alpn_chooses_a_chain(nuncio, pki):
    config = listener(
        chain("old", "application_protocols: [http/1.0]", tls(pki, "one"))
        + chain("rest", "", tls(pki, "one")))
    proxy = nuncio(config)
    for offered, answer in ((["http/1.0"], "old"), (["other"], "rest")):
        context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        context.set_alpn_protocols(offered)
        client = Client(pki, proxy.port("main"), "one.test", context=context)
        assert client.get().endswith(answer)
        client.close()


def is_shaken(session):
    try:
        session.do_handshake()
        return True
    except ssl.SSLWantReadError:
        return False


def test_a_hello_in_single_bytes(nuncio, pki):
    config = listener(chain("one", "server_names: [one.test]", tls(pki, "one")))
    proxy = nuncio(config)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="one.test")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in outgoing.read():
            sock.sendall(bytes([byte]))
        while not is_shaken(session):
            incoming.write(sock.recv(65536))


def test_http_inspector_tells_protocols_apart(nuncio):
    config = listener(
        chain("http11", "application_protocols: [http/1.1]")
        + chain("http10", "application_protocols: [http/1.0]").replace(
            "          stat_prefix", "          http_protocol_options: {accept_http_10: true}\n"
            "          stat_prefix")
        + chain("rest"), filter_of("http_inspector"))
    proxy = nuncio(config)
    assert ask(proxy)[1] == "http11"
    assert ask(proxy, request=b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")[1] == "http10"
    assert ask(proxy, request=b"hello\r\n\r\n") is not None  # a 400 from the last chain
    stats = proxy.stats()
    assert stats["http_inspector.http11_found"] == 1
    assert stats["http_inspector.http10_found"] == 1
    assert stats["http_inspector.http_not_found"] == 1
    assert stats["http.rest.downstream_cx_total"] == 1


# --- PROXY protocol ---

def v2(source, destination, ports, tail=b""):
    body = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", *ports)
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(body) + len(tail)) + body + tail


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n",
                                    v2("192.0.2.7", "198.51.100.9", (4711, 443)),
                                    v2("192.0.2.7", "198.51.100.9", (4711, 443),
                                       b"\x04\0\x03xyz")])
def test_the_proxy_header_gives_the_addresses(nuncio, header):
    config = listener(chain("far", "destination_port: 443") + chain("near"),
                      filter_of("proxy_protocol"))
    proxy = nuncio(config)
    headers, body = ask(proxy, header)
    assert body == "far"
    assert headers["x-remote"] == "192.0.2.7:4711"
    assert headers["x-local"] == "198.51.100.9:443"
    assert headers["x-direct"].startswith("127.0.0.1:")
    version = 2 if header.startswith(SIGNATURE) else 1
    assert proxy.stats()[f"proxy_proto.versions.v{version}.found"] == 1


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"])
def test_a_header_without_addresses_leaves_the_sockets(nuncio, header):
    proxy = nuncio(listener(chain("only"), filter_of("proxy_protocol")))
    headers, _ = ask(proxy, header)
    assert headers["x-remote"].startswith("127.0.0.1:")
    assert headers["x-local"] == f"127.0.0.1:{proxy.port('main')}"


def test_the_header_in_single_bytes_and_the_request_with_it(nuncio):
    proxy = nuncio(listener(chain("only"), filter_of("proxy_protocol")))
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"PROXY TCP4 192.0.2.7 198.51.100.9 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert b"x-remote: 192.0.2.7:1\r\n" in sock.recv(65536)


@pytest.mark.parametrize("header, counter", [
    (b"PROXY TCP4 nonsense\r\n", "versions.v1.error"),
    (SIGNATURE + b"\x31\x11\0\0", "versions.v2.error"), (b"", "not_found_disallowed")])
def test_bad_and_missing_headers_end_the_connection(nuncio, header, counter):
    proxy = nuncio(listener(chain("only"), filter_of("proxy_protocol")))
    assert ask(proxy, header) is None
    assert proxy.stats()["proxy_proto." + counter] == 1


def test_missing_headers_pass_where_allowed(nuncio):
    text = "allow_requests_without_proxy_protocol: true, stat_prefix: lb"
    proxy = nuncio(listener(chain("only"), filter_of("proxy_protocol", text)))
    assert ask(proxy)[1] == "only"
    assert proxy.stats()["proxy_proto.lb.not_found_allowed"] == 1


def test_disallowed_versions_end_the_connection(nuncio):
    text = "disallowed_versions: [V1]"
    proxy = nuncio(listener(chain("only"), filter_of("proxy_protocol", text)))
    assert ask(proxy, b"PROXY UNKNOWN\r\n") is None
    assert ask(proxy, v2("192.0.2.7", "198.51.100.9", (1, 2)))[1] == "only"
    assert proxy.stats()["proxy_proto.versions.v1.disallowed"] == 1


def test_proxy_header_in_front_of_tls(nuncio, pki):
    config = listener(chain("one", "server_names: [one.test]", tls(pki, "one")),
                      filter_of("proxy_protocol") + ", " + filter_of("tls_inspector"))
    proxy = nuncio(config)
    plain = socket.create_connection(("127.0.0.1", proxy.port("main")), 20)
    plain.sendall(v2("192.0.2.7", "198.51.100.9", (4711, 443)))
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    with context.wrap_socket(plain, server_hostname="one.test") as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"x-remote: 192.0.2.7:4711\r\n" in sock.recv(65536)


# --- Time limits ---

@pytest.mark.parametrize("extra, goes_on", [
    ("", False), ("continue_on_listener_filters_timeout: true", True)])
def test_silent_clients_meet_the_time_limit(nuncio, extra, goes_on):
    config = listener(chain("only"), filter_of("tls_inspector"),
                      "listener_filters_timeout: 0.2s\n    " + extra)
    proxy = nuncio(config)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        if goes_on:
            proxy_stats(proxy, "downstream_pre_cx_timeout")
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        else:
            assert sock.recv(65536) == b""
    assert proxy_stats(proxy, "downstream_pre_cx_timeout") == 1


def proxy_stats(proxy, name):
    """Waits until a statistic of the listener is not 0."""
    while True:
        value = proxy.stats()[f"listener.127.0.0.1_{proxy.port('main')}.{name}"]
        if value:
            return value


def test_a_silent_handshake_meets_its_time_limit(nuncio, pki):
    config = listener(chain("one", "", "      transport_socket_connect_timeout: 0.2s\n"
                            + tls(pki, "one")))
    proxy = nuncio(config)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        assert sock.recv(65536) == b""
    assert proxy_stats(proxy, "downstream_cx_transport_socket_connect_timeout") == 1


def test_clients_that_leave_early_are_counted(nuncio):
    proxy = nuncio(listener(chain("only"), filter_of("tls_inspector")))
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        sock.sendall(b"\x16\x03")
    assert proxy_stats(proxy, "downstream_listener_filter_remote_close") == 1
