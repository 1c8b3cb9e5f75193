# SPDX-License-Identifier: Apache-2.0
"""What is known of the two ends of TLS connections, printed into headers. The expected values are
computed by the openssl program and by Python's ssl; tests/compat has Envoy's own."""
import hashlib
import shutil
import ssl
import urllib.parse

import pytest

from pki import Authority
from test_hostile import INSPECTOR, wait_until
from test_tls import Client, fingerprint, openssl, pem, secured, serving, tls_origin

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")

NAMES = "DNS:client.test,DNS:two.test,URI:spiffe://test/client,IP:10.0.0.1,IP:2001:db8::1," \
        "email:c@a.test"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder)
    authority.issue("server", "DNS:a.test,IP:127.0.0.1,URI:spiffe://test/server")
    authority.issue("client", NAMES)
    for name, names in HOSTILE_NAMES.items():
        authority.issue_names(name, *names)
    Authority(folder, "other-ca").issue("foreign", "URI:spiffe://test/foreign")
    return folder


def printing(config, **operators):
    """Answers with what operators print: names of headers to texts of operators."""
    headers = ", ".join(f'{{header: {{key: x-{name.replace("_", "-")}, value: "{text}"}}, '
                        "keep_empty_value: true}" for name, text in operators.items())
    return config.replace("          route_config:\n",
                          f"          route_config:\n            response_headers_to_add: [{headers}]\n")


def headers_of(response):
    lines = response.split("\r\n\r\n")[0].split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}


def trusting(pki, extra=""):
    return f"validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}{extra}}}"


def ask(nuncio, origin, pki, extra=None, client=None, script=None, upstream=None, **operators):
    config = serving(pki, extra=trusting(pki) if extra is None else extra)
    if upstream is not None:
        config = secured(upstream, config)
    proxy = nuncio(printing(config, **operators), origin=origin(script).port)
    peer = Client(pki, proxy.port("main"), **({"certificate": "client"} if client is None else client))
    headers = headers_of(peer.get())
    return {name: headers.get(f"x-{name.replace('_', '-')}") for name in operators}, peer


def test_the_peer_certificate_downstream(nuncio, origin, pki):
    der = ssl.PEM_cert_to_DER_cert((pki / "client.crt").read_text())
    text = openssl("x509", "-in", f"{pki}/client.crt", "-noout", "-serial", "-startdate",
                   "-enddate", "-dateopt", "iso_8601").decode()
    shown = dict(line.split("=", 1) for line in text.splitlines())
    got, peer = ask(
        nuncio, origin, pki, subject="%DOWNSTREAM_PEER_SUBJECT%", issuer="%DOWNSTREAM_PEER_ISSUER%",
        serial="%DOWNSTREAM_PEER_SERIAL%", sha256="%DOWNSTREAM_PEER_FINGERPRINT_256%",
        sha1="%DOWNSTREAM_PEER_FINGERPRINT_1%", dns="%DOWNSTREAM_PEER_DNS_SAN%",
        uri="%DOWNSTREAM_PEER_URI_SAN%", ip="%DOWNSTREAM_PEER_IP_SAN%",
        email="%DOWNSTREAM_PEER_EMAIL_SAN%", cert="%DOWNSTREAM_PEER_CERT%",
        begin="%DOWNSTREAM_PEER_CERT_V_START%", end="%DOWNSTREAM_PEER_CERT_V_END(%F %TZ)%",
        own="%DOWNSTREAM_LOCAL_SUBJECT%", own_uri="%DOWNSTREAM_LOCAL_URI_SAN%",
        own_dns="%DOWNSTREAM_LOCAL_DNS_SAN%", cipher="%DOWNSTREAM_TLS_CIPHER%",
        version="%DOWNSTREAM_TLS_VERSION%", chain="%DOWNSTREAM_PEER_CHAIN_SERIALS%",
        session="%DOWNSTREAM_TLS_SESSION_ID%")
    serial = shown["serial"].lower()
    root = openssl("x509", "-in", f"{pki}/ca.crt", "-noout", "-serial").decode()[7:].strip().lower()
    assert got == {
        "subject": "CN=client", "issuer": "CN=ca", "serial": serial,
        "sha256": fingerprint(pki, "client"), "sha1": hashlib.sha1(der).hexdigest(),
        "dns": "client.test,two.test", "uri": "spiffe://test/client",
        "ip": "10.0.0.1,2001:db8::1", "email": "c@a.test", "cert": got["cert"],
        "begin": shown["notBefore"].replace(" ", "T").replace("Z", ".000Z"),
        "end": shown["notAfter"], "own": "CN=server", "own_uri": "spiffe://test/server",
        "own_dns": "a.test", "cipher": peer.sock.cipher()[0], "version": "TLSv1.3",
        "chain": f"{serial},{root}", "session": ""}
    assert not set("\n +/=") & set(got["cert"])
    assert urllib.parse.unquote(got["cert"]) == (pki / "client.crt").read_text()


def test_a_client_without_a_certificate_leaves_everything_of_it_empty(nuncio, origin, pki):
    got, peer = ask(nuncio, origin, pki, client={}, subject="%DOWNSTREAM_PEER_SUBJECT%",
                    dns="%DOWNSTREAM_PEER_DNS_SAN%", cert="%DOWNSTREAM_PEER_CERT%",
                    begin="%DOWNSTREAM_PEER_CERT_V_START%", version="%DOWNSTREAM_TLS_VERSION%")
    assert got == {"subject": "", "dns": "", "cert": "", "begin": "", "version": "TLSv1.3"}
    peer.close()


def test_a_resumed_session_still_knows_the_peer(nuncio, origin, pki):
    proxy = nuncio(printing(serving(pki, extra=trusting(pki)), uri="%DOWNSTREAM_PEER_URI_SAN%",
                            id="%DOWNSTREAM_TLS_SESSION_ID%"), origin=origin().port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    first = Client(pki, proxy.port("main"), certificate="client", context=context)
    assert headers_of(first.get())["x-id"] == ""
    again = Client(pki, proxy.port("main"), context=context, session=first.sock.session)
    assert again.sock.session_reused
    headers = headers_of(again.get())
    assert headers["x-uri"] == "spiffe://test/client"
    assert headers["x-id"] == again.sock.session.id.hex()


def test_the_upstream_connection(nuncio, origin, pki):
    operators = {"peer": "%UPSTREAM_PEER_SUBJECT%", "issuer": "%UPSTREAM_PEER_ISSUER%",
                 "dns": "%UPSTREAM_PEER_DNS_SAN%", "ip": "%UPSTREAM_PEER_IP_SAN%",
                 "uri": "%UPSTREAM_PEER_URI_SAN%", "own": "%UPSTREAM_LOCAL_URI_SAN%",
                 "version": "%UPSTREAM_TLS_VERSION%", "cipher": "%UPSTREAM_TLS_CIPHER%",
                 "cert": "%UPSTREAM_PEER_CERT%", "end": "%UPSTREAM_PEER_CERT_V_END(%Y)%"}
    upstream = f"sni: a.test, common_tls_context: {{tls_certificates: [{pem(pki, 'client')}]}}"
    got, peer = ask(nuncio, origin, pki, script=tls_origin(pki, ask_client=True),
                    upstream=upstream, **operators)
    year = openssl("x509", "-in", f"{pki}/server.crt", "-noout", "-enddate").split()[3].decode()
    assert urllib.parse.unquote(got.pop("cert")) == (pki / "server.crt").read_text()
    assert got.pop("cipher").startswith("ECDHE-ECDSA-")
    assert got == {"peer": "CN=server", "issuer": "CN=ca", "dns": "a.test", "ip": "127.0.0.1",
                   "uri": "spiffe://test/server", "own": "spiffe://test/client",
                   "version": "TLSv1.2", "end": year}
    peer.close()


HOSTILE_NAMES = {
    "elements": ("URI.1 = spiffe://a;URI=spiffe://admin\\,Hash=1", 'DNS.1 = \'a"\\\\b\''),
    "lines": ("URI.1 = spiffe://a\\r\\nx-evil: 1\\r\\n\\r\\nGET /evil", "DNS.1 = b\\nc"),
}


@pytest.mark.parametrize("certificate, uri, dns", [
    ("elements", r'"spiffe://a;URI=spiffe://admin,Hash=1"', r'"a\"\\b"'),
    ("lines", "spiffe://a%0D%0Ax-evil: 1%0D%0A%0D%0AGET /evil", "b%0Ac")])
def test_names_of_a_certificate_are_no_part_of_a_header(nuncio, origin, pki, certificate, uri, dns):
    config = serving(pki, extra=trusting(pki)).replace("          route_config:\n", """\
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: {uri: true, dns: true}
          route_config:
""", 1)
    server = origin()
    proxy = nuncio(config, origin=server.port)
    Client(pki, proxy.port("main"), certificate=certificate).get()
    head = server.received[0].decode()
    assert f"x-forwarded-client-cert: By=spiffe://test/server;Hash={fingerprint(pki, certificate)};" \
           f"URI={uri};DNS={dns}\r\n" in head
    assert "\r\nx-evil" not in head


def test_names_of_a_certificate_begin_no_line_of_a_log(nuncio, origin, pki):
    log = """\
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @dir@/access.log
              log_format: {text_format_source: {inline_string: "<%DOWNSTREAM_PEER_URI_SAN%>\\n"}}
          route_config:
"""
    config = serving(pki, extra=trusting(pki)).replace("          route_config:\n", log, 1)
    proxy = nuncio(config, origin=origin().port)
    Client(pki, proxy.port("main"), certificate="lines").get()
    path = proxy.folder / "access.log"
    wait_until(lambda: path.read_text())
    assert path.read_text() == "<spiffe://a%0D%0Ax-evil: 1%0D%0A%0D%0AGET /evil>\n"


def test_plain_connections_have_none_of_it(nuncio, origin):
    from configs import PROXY
    proxy = nuncio(printing(PROXY, a="%DOWNSTREAM_TLS_VERSION%", b="%UPSTREAM_PEER_SUBJECT%",
                            c="%DOWNSTREAM_PEER_DNS_SAN%"), origin=origin().port)
    headers = proxy.get("main").headers
    assert [headers[name] for name in ("x-a", "x-b", "x-c")] == ["", "", ""]


def test_a_log_line_after_the_end_of_both_connections(nuncio, origin, pki, tmp_path):
    """The client leaves while its request is on its way: the line is written behind the end."""
    log = tmp_path / "log"
    config = secured("sni: a.test, common_tls_context: {}", serving(pki, extra=trusting(pki)))
    config = config.replace("    filter_chains:\n", INSPECTOR + "    filter_chains:\n")
    config = config.replace("          stat_prefix: main\n", f"""          stat_prefix: main
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {log}
              log_format: {{text_format_source: {{inline_string: "%DOWNSTREAM_PEER_SUBJECT% \
%UPSTREAM_PEER_SUBJECT% %RESPONSE_FLAGS% %REQUESTED_SERVER_NAME%\\n"}}}}
""")

    def silent(sock):
        sock.recv(65536)
        sock.recv(1)

    proxy = nuncio(config, origin=origin(tls_origin(pki, silent)).port)
    client = Client(pki, proxy.port("main"), certificate="client")
    client.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    wait_until(lambda: proxy.stats()["cluster.origin.upstream_rq_active"] == 1)
    client.close()
    wait_until(lambda: log.exists() and log.read_text())
    assert log.read_text() == "CN=client CN=server DC a.test\n"
