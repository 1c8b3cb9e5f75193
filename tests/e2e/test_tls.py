# SPDX-License-Identifier: Apache-2.0
"""TLS on both sides of the real binary, with Python's ssl module as the peer."""
import base64
import hashlib
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from configs import ADMIN, HCM, PROXY, ROUTER
from pki import RSA, Authority
from test_h2_upstream import with_options
from tls_common import (HEAD, TLS, Client, answer, downstream, pem, serving, tls_origin, upstream)

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder)
    authority.issue("server", "DNS:a.test,DNS:*.wild.test,IP:127.0.0.1")
    authority.issue("rsa", "DNS:rsa.test,DNS:both.test", RSA)
    authority.issue("ecdsa", "DNS:both.test")
    authority.issue("client", "DNS:client.test,URI:spiffe://test/client")
    authority.issue("stranger", "URI:spiffe://elsewhere/client")
    authority.issue("revoked", "URI:spiffe://test/revoked")
    authority.issue_expired("expired", "URI:spiffe://test/expired")
    authority.revoke("revoked")
    authority.write_crl()
    Authority(folder, "other-ca").issue("foreign", "URI:spiffe://test/foreign")
    return folder


def test_a_request_over_tls_says_https_to_the_upstream(nuncio, origin, pki):
    server = origin()
    proxy = nuncio(serving(pki), origin=server.port)
    client = Client(pki, proxy.port("main"))
    assert client.get().startswith("HTTP/1.1 200 OK")
    client.close()
    assert b"x-forwarded-proto: https\r\n" in server.received[0]
    stats = proxy.stats()
    scope = f"listener.127.0.0.1_{proxy.port('main')}.ssl."
    assert stats[scope + "handshake"] == 1
    assert stats[scope + "versions.TLSv1.3"] == 1
    assert stats[scope + "no_certificate"] == 1
    assert stats[scope + "connection_error"] == 0


@pytest.mark.parametrize("asked, got", [("a.test", "server"), ("A.TEST", "server"),
                                        ("x.wild.test", "server"), ("rsa.test", "rsa"),
                                        ("a.b.wild.test", "server"), ("unknown.test", "server"),
                                        ("both.test", "ecdsa")])
def test_the_certificate_follows_the_server_name(nuncio, origin, pki, asked, got):
    proxy = nuncio(serving(pki, "server", "rsa", "ecdsa"), origin=origin().port)
    client = Client(pki, proxy.port("main"), asked)
    assert client.peer_name == got
    client.close()


def test_a_client_without_ecdsa_gets_the_rsa_certificate(nuncio, origin, pki):
    proxy = nuncio(serving(pki, "ecdsa", "rsa"), origin=origin().port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    client = Client(pki, proxy.port("main"), "both.test", context=context)
    assert client.peer_name == "rsa"
    client.close()


def test_certificates_from_a_container_and_keys_with_a_password(nuncio, origin, pki):
    openssl("pkcs12", "-export", "-in", f"{pki}/rsa.crt", "-inkey", f"{pki}/rsa.key", "-passout",
            "pass:secret", "-out", f"{pki}/rsa.p12")
    openssl("pkey", "-in", f"{pki}/server.key", "-aes256", "-passout", "pass:secret", "-out",
            f"{pki}/locked.key")
    config = serving(pki).replace(
        pem(pki, "server"),
        f"{{certificate_chain: {{filename: {pki}/server.crt}}, private_key: {{filename: "
        f"{pki}/locked.key}}, password: {{inline_string: @secret@}}}}, {{pkcs12: {{filename: "
        f"{pki}/rsa.p12}}, password: {{environment_variable: TLS_SECRET}}}}")
    proxy = nuncio(config, origin=origin().port, secret="secret", env={"TLS_SECRET": "secret"})
    for asked in ("a.test", "rsa.test"):
        client = Client(pki, proxy.port("main"), asked)
        assert client.get().startswith("HTTP/1.1 200")
        client.close()
    wrong = nuncio(config, origin=1, secret="wrong", env={"TLS_SECRET": "secret"}, ready=None,
                   expect_exit=1)
    wrong.wait_exit()
    assert "Failed to load private key from" in wrong.stderr.text


def test_tickets_of_configured_keys_are_good_at_another_process(nuncio, origin, pki):
    (pki / "old.key").write_bytes(os.urandom(80))
    (pki / "new.key").write_bytes(os.urandom(80))

    def start(*names):
        keys = ", ".join(f"{{filename: {pki}/{name}.key}}" for name in names)
        return nuncio(serving(pki, outer=f"session_ticket_keys: {{keys: [{keys}]}}"),
                      origin=origin().port)

    client = Client(pki, start("old").port("main"))
    client.get()
    session, context = client.sock.session, client.context
    client.close()
    for names, reused in ((("new", "old"), True), (("new",), False)):
        again = Client(pki, start(*names).port("main"), session=session, context=context)
        assert again.sock.session_reused == reused
        again.close()


def test_require_sni_refuses_unknown_names(nuncio, origin, pki):
    proxy = nuncio(serving(pki, outer="require_sni: true"), origin=origin().port)
    Client(pki, proxy.port("main"), "a.test").close()
    with pytest.raises(ssl.SSLError):
        Client(pki, proxy.port("main"), "unknown.test")


VALIDATION = """validation_context:
              trusted_ca: {filename: @pki@/ca.crt}
              crl: {filename: @pki@/ca.crl}
              match_typed_subject_alt_names:
              - {san_type: URI, matcher: {prefix: "spiffe://test/"}}"""


@pytest.mark.parametrize("certificate, counter", [("client", None), (None, "fail_verify_no_cert"),
                                                  ("expired", "fail_verify_error"),
                                                  ("revoked", "fail_verify_error"),
                                                  ("foreign", "fail_verify_error"),
                                                  ("stranger", "fail_verify_san")])
def test_client_certificates_are_judged(nuncio, origin, pki, certificate, counter):
    config = serving(pki, extra=VALIDATION, outer="require_client_certificate: true")
    proxy = nuncio(config, origin=origin().port, pki=pki)
    if counter is None:
        client = Client(pki, proxy.port("main"), certificate=certificate)
        assert client.get().startswith("HTTP/1.1 200")
        client.close()
        return
    with pytest.raises(OSError):
        # With TLS 1.3 the client learns of the refusal when it reads.
        Client(pki, proxy.port("main"), certificate=certificate).get()
    scope = f"listener.127.0.0.1_{proxy.port('main')}.ssl."
    stats = proxy.stats()
    assert {name for name in stats if name.startswith(scope + "fail") and stats[name]} == \
        {scope + counter}
    assert stats["http.main.downstream_rq_total"] == 0


def test_expired_certificates_pass_where_allowed(nuncio, origin, pki):
    extra = VALIDATION.replace("crl: {filename: @pki@/ca.crl}", "allow_expired_certificate: true")
    config = serving(pki, extra=extra, outer="require_client_certificate: true")
    proxy = nuncio(config, origin=origin().port, pki=pki)
    client = Client(pki, proxy.port("main"), certificate="expired")
    assert client.get().startswith("HTTP/1.1 200")
    client.close()


def fingerprint(pki, name):
    text = (pki / f"{name}.crt").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True,
                          check=True).stdout


def key_pin(pki, name):
    """Base64 of the SHA-256 of the public key, as openssl computes it."""
    public = openssl("x509", "-in", f"{pki}/{name}.crt", "-noout", "-pubkey")
    der = openssl("pkey", "-pubin", "-outform", "DER", data=public)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.mark.parametrize("pin", ["hash", "spki"])
@pytest.mark.parametrize("certificate, passes", [("client", True), ("stranger", False)])
def test_pinned_certificates(nuncio, origin, pki, certificate, passes, pin):
    value = fingerprint(pki, "client") if pin == "hash" else key_pin(pki, "client")
    extra = f"""validation_context:
              trusted_ca: {{filename: {pki}/ca.crt}}
              verify_certificate_{pin}: ["{value}"]"""
    config = serving(pki, extra=extra, outer="require_client_certificate: true")
    proxy = nuncio(config, origin=origin().port)
    if passes:
        client = Client(pki, proxy.port("main"), certificate=certificate)
        assert client.get().startswith("HTTP/1.1 200")
        client.close()
    else:
        with pytest.raises(OSError):
            Client(pki, proxy.port("main"), certificate=certificate).get()


def test_untrusted_clients_pass_with_accept_untrusted_and_are_counted(nuncio, origin, pki):
    extra = f"""validation_context:
              trusted_ca: {{filename: {pki}/ca.crt}}
              trust_chain_verification: ACCEPT_UNTRUSTED"""
    proxy = nuncio(serving(pki, extra=extra), origin=origin().port)
    client = Client(pki, proxy.port("main"), certificate="foreign")
    assert client.get().startswith("HTTP/1.1 200")
    client.close()
    assert proxy.stats()[f"listener.127.0.0.1_{proxy.port('main')}.ssl.fail_verify_error"] == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_at_every_worker(nuncio, origin, pki, version):
    proxy = nuncio(serving(pki), origin=origin().port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.minimum_version = context.maximum_version = version
    client = Client(pki, proxy.port("main"), context=context)
    client.get()
    session = client.sock.session
    client.close()
    for _ in range(8):
        client = Client(pki, proxy.port("main"), context=context, session=session)
        assert client.sock.session_reused
        client.get()
        ticket = client.sock.session.id
        # A client of TLS 1.3 uses a ticket once (RFC 8446, appendix C.4): each time it needs another.
        assert version != ssl.TLSVersion.TLSv1_3 or ticket != session.id
        session = client.sock.session
        client.close()


def judged_by(pki, demands):
    return f"""validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}, {demands}}}"""


@pytest.mark.parametrize("certificate, lax, strict", [
    ("stranger", "", "verify_certificate_hash: [@hash@]"),
    ("stranger", "", "verify_certificate_spki: [@spki@]"),
    ("revoked", "", "crl: {filename: @pki@/ca.crl}"),
    ("expired", "allow_expired_certificate: true", ""),
    ("client", "match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: client.test}}]",
     "match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: client.test}}]"),
    ("stranger",
     "match_typed_subject_alt_names: [{san_type: URI, matcher: {safe_regex: {regex: '.*'}}}]",
     "match_typed_subject_alt_names: [{san_type: URI, matcher: {safe_regex: {regex: 'x.*'}}}]"),
    ("foreign", "trust_chain_verification: ACCEPT_UNTRUSTED", ""),
])
def test_a_session_is_not_resumed_where_more_is_asked(nuncio, origin, pki, tmp_path, certificate,
                                                      lax, strict):
    """Not even with the ticket keys of whoever issued it, as they are shared by a fleet."""
    (tmp_path / "keys").write_bytes(bytes(80))
    outer = "require_client_certificate: true\n          session_ticket_keys: " \
            f"{{keys: [{{filename: {tmp_path}/keys}}]}}"
    values = {"hash": "ab" * 32, "pki": pki,
              "spki": "NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=", "origin": origin().port}
    first = nuncio(serving(pki, extra=judged_by(pki, lax), outer=outer), **values)
    second = nuncio(serving(pki, extra=judged_by(pki, strict), outer=outer), **values)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = Client(pki, first.port("main"), certificate=certificate, context=context)
    assert client.get().startswith("HTTP/1.1 200")
    with pytest.raises(OSError):
        Client(pki, second.port("main"), context=context, session=client.sock.session).get()
    client.close()


def test_no_session_is_resumed_where_both_kinds_are_off(nuncio, origin, pki):
    outer = """disable_stateless_session_resumption: true
          disable_stateful_session_resumption: true"""
    proxy = nuncio(serving(pki, outer=outer), origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()
    again = Client(pki, proxy.port("main"), session=client.sock.session, context=client.context)
    assert not again.sock.session_reused
    again.close()
    client.close()


def test_alpn_takes_our_first_that_the_client_has(nuncio, origin, pki):
    proxy = nuncio(serving(pki, extra="alpn_protocols: [http/1.1, http/1.0]"),
                   origin=origin().port)
    for offered, chosen in ((["http/1.0", "http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0"),
                            (["other"], None)):
        context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        context.set_alpn_protocols(offered)
        client = Client(pki, proxy.port("main"), context=context)
        assert client.sock.selected_alpn_protocol() == chosen
        client.close()


def test_garbage_in_place_of_a_handshake_is_counted_and_closed(nuncio, origin, pki):
    proxy = nuncio(serving(pki), origin=origin().port)
    peer = proxy.connect("main")
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peer.wait_end()
    assert proxy.stats()[f"listener.127.0.0.1_{proxy.port('main')}.ssl.connection_error"] == 1
    assert Client(pki, proxy.port("main")).get().startswith("HTTP/1.1 200")


def test_a_handshake_in_single_bytes(nuncio, origin, pki):
    proxy = nuncio(serving(pki), origin=origin().port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="a.test")
    sock = socket.create_connection(("127.0.0.1", proxy.port("main")), 20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def until_done(action):
        while True:
            try:
                done = action()
            except ssl.SSLWantReadError:
                done = None
            for byte in outgoing.read():
                sock.sendall(bytes([byte]))
            if done is not None:
                return done
            incoming.write(sock.recv(65536))

    until_done(lambda: tls.do_handshake() or True)
    until_done(lambda: tls.write(HEAD))
    assert until_done(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200")
    sock.close()


# --- Upstream ---

def secured(text, config=PROXY):
    return config.replace("    type: STATIC\n", upstream(text))


def test_upstream_tls_asks_for_the_name_and_verifies_it(nuncio, origin, pki):
    script = tls_origin(pki, ask_client=True)
    config = secured(f"""sni: a.test, auto_sni_san_validation: true,
        common_tls_context: {{tls_certificates: [{pem(pki, "client")}],
          validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}}}""")
    proxy = nuncio(config, origin=origin(script).port)
    assert proxy.get("main").status == 200
    assert script.names == ["a.test"]
    stats = proxy.stats()
    assert stats["cluster.origin.ssl.handshake"] == 1
    assert stats["cluster.origin.ssl.versions.TLSv1.2"] == 1  # Envoy's default for clients


def test_without_a_validation_context_nothing_is_verified_and_no_name_asked(nuncio, origin, pki):
    script = tls_origin(pki, certificate="foreign")
    proxy = nuncio(secured("common_tls_context: {}"), origin=origin(script).port)
    assert proxy.get("main").status == 200
    assert script.names == [None]


@pytest.mark.parametrize("certificate, counter", [("foreign", "fail_verify_error"),
                                                  ("expired", "fail_verify_error"),
                                                  ("rsa", "fail_verify_san")])
def test_a_server_that_is_not_trusted_is_a_connect_failure(nuncio, origin, pki, certificate,
                                                           counter):
    script = tls_origin(pki, certificate=certificate)
    config = secured(f"""sni: a.test, common_tls_context: {{validation_context: {{
        trusted_ca: {{filename: {pki}/ca.crt}},
        match_typed_subject_alt_names: [{{san_type: DNS, matcher: {{exact: a.test}}}}]}}}}""")
    proxy = nuncio(config, origin=origin(script).port)
    response = proxy.get("main")
    assert response.status == 503
    assert response.text.startswith("upstream connect error or disconnect/reset before headers. "
                                    "reset reason: remote connection failure, transport failure "
                                    "reason: TLS_error:|")
    assert response.text.endswith("TLS_error:|268435581:SSL routines:OPENSSL_internal:"
                                  "CERTIFICATE_VERIFY_FAILED:TLS_error_end")
    stats = proxy.stats()
    assert stats["cluster.origin.ssl." + counter] == 1
    assert stats["cluster.origin.upstream_cx_connect_fail"] == 1


def test_a_server_that_speaks_no_tls_is_a_connect_failure(nuncio, origin):
    def script(peer):
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.wait_end()

    proxy = nuncio(secured("common_tls_context: {}"), origin=origin(script).port)
    response = proxy.get("main")
    assert response.status == 503 and "TLS_error:|" in response.text
    assert proxy.stats()["cluster.origin.ssl.connection_error"] == 1


def test_upstream_sessions_are_resumed(nuncio, origin, pki):
    reused = []

    def script(sock):
        reused.append(sock.session_reused)
        answer(sock)

    proxy = nuncio(secured("sni: a.test, common_tls_context: {}"), "--concurrency", "1",
                   origin=origin(tls_origin(pki, script)).port)
    for _ in range(3):
        assert proxy.get("main").status == 200
    assert reused == [False, True, True]


def test_a_session_of_one_name_is_not_offered_to_another(nuncio, origin, pki):
    """Or the other's certificate would not be looked at, where both know the ticket's key."""
    script = tls_origin(pki)
    known, unknown = origin(script), origin(script)
    one = "        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @origin@}}}\n"
    hosts = "".join(one.replace("endpoint: {", f"endpoint: {{hostname: {name}, ").replace(
        "@origin@", str(server.port)) for name, server in (("a.test", known), ("b.test", unknown)))
    config = secured(f"""auto_host_sni: true, auto_sni_san_validation: true,
      common_tls_context: {{validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}}}""",
                     PROXY.replace(one, hosts))
    proxy = nuncio(config, "--concurrency", "1")
    statuses = [proxy.get("main").status for _ in range(6)]
    assert sorted(statuses) == [200, 200, 200, 503, 503, 503]
    assert proxy.stats()["cluster.origin.ssl.session_reused"] > 0


def test_a_request_without_a_name_resumes_no_session_of_a_name(nuncio, origin, pki):
    reused = []

    def script(sock):
        reused.append(sock.session_reused)
        answer(sock)

    config = with_options(
        "explicit_http_config: {http_protocol_options: {}}",
        secured(f"""common_tls_context: {{validation_context: {{
            trusted_ca: {{filename: {pki}/ca.crt}}}}}}"""),
        "upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}")
    proxy = nuncio(config, "--concurrency", "1", origin=origin(tls_origin(pki, script)).port)
    for host in ("a.test", "a.test", ":80"):
        proxy.get("main", headers={"Host": host})
    assert reused == [False, True, False]


# --- Bodies ---

SIZE = 24 << 20
TWO_HOPS = PROXY.replace("  clusters:\n", f"""  - name: second
    address: {{socket_address: {{address: 127.0.0.1, port_value: @second@}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: second
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: last}}}}]}}
          http_filters:
          - {{name: router, typed_config: {{"@type": {ROUTER}}}}}
  clusters:
  - name: last
    load_assignment:
      cluster_name: last
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: @last@}}}}}}
""")


def echo(peer):
    """Sends the body back as it comes, with the length of the request's."""
    received = b""
    peer.sock.setblocking(True)
    while b"\r\n\r\n" not in received:
        received += peer.sock.recv(65536)
    head, _, rest = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length + rest)
    left = length - len(rest)
    while left:
        piece = peer.sock.recv(65536)
        if not piece:
            return
        peer.sock.sendall(piece)
        left -= len(piece)


def exchange(sock, to_send, is_complete):
    """Sends and receives at once, in one thread: OpenSSL's connections are no two threads'."""
    received = bytearray()
    sock.setblocking(False)
    while not is_complete(received):
        select.select([sock], [sock] if to_send else [], [], 30)
        try:
            while piece := sock.recv(1 << 16):
                received += piece
            assert is_complete(received), "ended early"
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            while to_send:
                to_send = to_send[sock.send(to_send[:1 << 16]):]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    return received


def test_large_bodies_pass_two_tls_hops_unchanged(nuncio, origin, pki):
    # The response begins before the request ends, which is the connection's last one then: a busy
    # machine may need longer than the second that its end may take.
    config = serving(pki, config=secured("common_tls_context: {}", TWO_HOPS)).replace(
        "          route_config:", "          delayed_close_timeout: 60s\n          route_config:")
    server = origin(echo)
    proxy = nuncio(config.replace("@origin@", "@second@"), last=server.port)
    client = Client(pki, proxy.port("main"))
    body = os.urandom(1 << 20) * (SIZE >> 20)
    client.sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE)
    received = exchange(client.sock, memoryview(body),
                        lambda got: len(got) - got.find(b"\r\n\r\n") - 4 >= SIZE)
    assert received[received.index(b"\r\n\r\n") + 4:] == body
    client.close()


def test_a_slow_reader_holds_the_upstream_back(nuncio, origin, pki):
    """The proxy must not keep a body that the client does not read."""
    sent = []

    def flood(sock):
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1 << 30))
        sock.settimeout(1)
        try:
            while True:
                sent.append(sock.send(bytes(1 << 16)))
        except (TimeoutError, OSError):
            pass

    config = serving(pki, config=secured("common_tls_context: {}"))
    proxy = nuncio(config, origin=origin(tls_origin(pki, flood)).port)
    client = Client(pki, proxy.port("main"))
    client.sock.sendall(HEAD)
    client.sock.recv(100)
    proxy.stderr.wait("", 0)
    done = threading.Event()
    while not done.wait(0.2):
        before = sum(sent)
        if done.wait(0.4) or sum(sent) == before:
            break
    assert sum(sent) < 64 << 20
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# --- Configurations that are refused ---

def refusal(nuncio, config, **values):
    proxy = nuncio(config, ready=None, expect_exit=1, origin=1, **values)
    proxy.wait_exit()
    return proxy.stderr.text


@pytest.mark.parametrize("old, new, says", [
    ("server.crt", "missing.crt", "missing.crt"),
    ("server.crt", "server.key", "Failed to load certificate chain from"),
    ("server.key", "server.crt", "Failed to load private key from"),
    ("server.key", "client.key", "Failed to load private key from"),
    ("tls_certificates: [", "tls_params: {cipher_suites: [NO-SUCH]}, x: [", "'NO-SUCH' is not known"),
    ("tls_certificates: [", "tls_params: {cipher_suites: [TLS_AES_128_GCM_SHA256]}, x: [",
     "TLS 1.3 suite"),
])
def test_bad_contexts_are_refused_by_name(nuncio, pki, old, new, says):
    config = serving(pki)
    assert old in config
    if ", x: [" in new:
        field = new.split(", x: [", maxsplit=1)[0]
        config = config.replace("            tls_certificates: [",
                                f"            {field}\n            tls_certificates: [")
    else:
        config = config.replace(old, new)
    text = refusal(nuncio, config)
    assert says.replace("suite", "cipher suite") in text
    assert "nuncio.yaml:" in text


def test_a_server_needs_a_certificate(nuncio, pki):
    config = serving(pki).replace("tls_certificates: [" + pem(pki, "server") + "]", "")
    assert "No TLS certificates found for server context" in refusal(nuncio, config)


def key_log_lines(path):
    return {line for line in path.read_text().splitlines() if not line.startswith("#")}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_key_log_holds_what_the_client_knows(nuncio, origin, pki, tmp_path, version):
    path, known = tmp_path / "keys", tmp_path / "known"
    config = serving(pki, extra=f"key_log: {{path: {path}, local_address_range: [{{address_prefix: "
                     "127.0.0.0, prefix_len: 8}]}")
    proxy = nuncio(config, origin=origin().port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.minimum_version = context.maximum_version = version
    context.keylog_filename = str(known)
    client = Client(pki, proxy.port("main"), context=context)
    client.get()
    client.close()
    proxy.finish()  # which writes its logs
    expected = key_log_lines(known)
    assert expected and expected <= key_log_lines(path)
    assert path.stat().st_mode & 0o077 == 0


def test_a_key_log_is_of_the_addresses_that_it_names(nuncio, origin, pki, tmp_path):
    path = tmp_path / "keys"
    config = serving(pki, extra=f"key_log: {{path: {path}, remote_address_range: [{{address_prefix: "
                     "127.0.0.5, prefix_len: 32}]}")
    proxy = nuncio(config, origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()
    client.close()
    proxy.finish()
    assert path.read_text() == ""
