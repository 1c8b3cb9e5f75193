# SPDX-License-Identifier: Apache-2.0
"""Configurations with TLS, and a client for them."""
import socket
import ssl

from configs import PROXY
from lib.wire import head_bytes, message_end

TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def pem(pki, name):
    return (f"{{certificate_chain: {{filename: {pki}/{name}.crt}}, "
            f"private_key: {{filename: {pki}/{name}.key}}}}")


def downstream(pki, names, extra="", outer=""):
    """A chain's transport_socket with these certificates."""
    certificates = ", ".join(pem(pki, name) for name in names)
    return f"""    - transport_socket:
        name: tls
        typed_config:
          "@type": {TLS}DownstreamTlsContext
          {outer}
          common_tls_context:
            tls_certificates: [{certificates}]
            {extra}
      filters:
"""


def upstream(text):
    """A cluster's transport_socket."""
    return f"""    type: STATIC
    transport_socket:
      name: tls
      typed_config: {{"@type": {TLS}UpstreamTlsContext, {text}}}
"""


def serving(pki, *names, extra="", outer="", config=PROXY):
    return config.replace("    - filters:\n", downstream(pki, names or ("server",), extra, outer))


class Client:
    """A TLS connection with one request on it."""

    def __init__(self, pki, port, name="a.test", certificate=None, session=None, context=None):
        self.context = context or ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.context.check_hostname = False
        if certificate:
            self.context.load_cert_chain(f"{pki}/{certificate}.crt", f"{pki}/{certificate}.key")
        plain = socket.create_connection(("127.0.0.1", port), 20)
        self.sock = self.context.wrap_socket(plain, server_hostname=name, session=session)

    def get(self):
        """A whole response, or what came of it before the end."""
        self.sock.sendall(HEAD)
        received = b""
        while message_end(received, 0, is_response=True) is None and (piece := self.sock.recv(65536)):
            received += piece
        return received.decode()

    @property
    def peer_name(self):
        return dict(item[0] for item in self.sock.getpeercert()["subject"])["commonName"]

    def close(self):
        self.sock.close()


def tls_origin(pki, script=None, **options):
    """A script for `origin` that speaks TLS and answers one request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    name = options.get("certificate", "server")
    context.load_cert_chain(f"{pki}/{name}.crt", f"{pki}/{name}.key")
    if options.get("alpn"):
        context.set_alpn_protocols(options["alpn"])
    if options.get("ask_client"):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{pki}/ca.crt")
    names = []
    context.sni_callback = lambda sock, asked, ctx: names.append(asked)

    def serve(peer):
        peer.sock.setblocking(True)
        try:
            sock = context.wrap_socket(peer.sock.dup(), server_side=True)
            (script or answer)(sock)
            sock.close()
        except (ssl.SSLError, ConnectionError):
            pass  # the case is about the proxy's side

    serve.names = names
    return serve


def answer(sock):
    received = b""
    while b"\r\n\r\n" not in received:
        piece = sock.recv(65536)
        if not piece:
            return
        received += piece
    sock.sendall(head_bytes("HTTP/1.1 200 OK\ncontent-length: 2\nconnection: close", "ok"))
