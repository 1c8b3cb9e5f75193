# SPDX-License-Identifier: Apache-2.0
"""TLS for the scripted peers: what they offer, and what they saw of the handshake.

The certificates are files of pki/, so that whatever a proxy prints of them is the same each time.
"""

import pathlib
import socket
import ssl
import time

from .wire import Peer, StepTimeout

PKI = pathlib.Path(__file__).resolve().parent.parent / "pki"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
IGNORE_UNEXPECTED_EOF = 1 << 7  # of OpenSSL 3; Python sets it and has no name for it
KNOWN = {"ca", "sni", "alpn", "cert", "version", "ciphers", "resume", "short", "client_ca"}


def files_of(names):
    """The files of these certificates: NAME.crt, and NAME.key and NAME.crl where they exist."""
    found = {path.name: path.read_text() for name in names
             for path in sorted(PKI.glob(f"{name}.*"))}
    missing = [name for name in names if f"{name}.crt" not in found]
    if missing:
        raise ValueError(f"no certificate in pki/: {', '.join(missing)}")
    return found


def _context(protocol, spec):
    unknown = set(spec) - KNOWN
    if unknown:
        raise ValueError(f"no such key of tls: {', '.join(sorted(unknown))}")
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options &= ~IGNORE_UNEXPECTED_EOF
    if "cert" in spec:
        context.load_cert_chain(PKI / f"{spec['cert']}.crt", PKI / f"{spec['cert']}.key")
    if "alpn" in spec:
        context.set_alpn_protocols(spec["alpn"])
    if "version" in spec:
        context.minimum_version = context.maximum_version = VERSIONS[str(spec["version"])]
    if "ciphers" in spec:
        context.set_ciphers(spec["ciphers"])
    return context


def client_context(spec):
    context = _context(ssl.PROTOCOL_TLS_CLIENT, spec)
    if spec.get("short") and ssl.OPENSSL_VERSION_INFO >= (3, 5):  # it sends a share of ML-KEM as well
        context.set_ecdh_curve("X25519")
    context.load_verify_locations(PKI / f"{spec.get('ca', 'ca')}.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_context(spec, on_name):
    """`on_name` hears the server name that a client asks for, None without one."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, {"cert": "server", **spec})
    if "client_ca" in spec:
        context.load_verify_locations(PKI / f"{spec['client_ca']}.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    context.sni_callback = lambda sock, name, _: on_name(name)
    return context


class TlsPeer(Peer):
    """A Peer over TLS: a script reads and writes what is inside.

    `end` tells more: fin is an end with close_notify, cut one without; an alert is its name.
    """

    def __init__(self, peer, context, is_server, name=None, session=None):
        super().__init__(peer.sock, peer.goes_on)
        self.is_server = is_server
        self.failure = None
        self.agreed = None     # what the handshake agreed on, or why it failed
        self.sock = context.wrap_socket(peer.sock, server_side=is_server, server_hostname=name,
                                        do_handshake_on_connect=False,
                                        suppress_ragged_eofs=False, session=session)

    def shake(self):
        """The whole handshake. One that fails is no error here: what was seen tells."""
        self._until(self.sock.do_handshake, "handshake")
        self.agreed = self._agreed()

    def _until(self, step, what):
        deadline = time.monotonic() + self.patience
        while True:
            try:
                step()
                return
            except ssl.SSLWantReadError:
                wait = self._poll_in
            except ssl.SSLWantWriteError:
                wait = self._poll_out
            except OSError as error:
                self._fail(error)
                self.failure = self.failure or self.end
                return
            if not wait(deadline - time.monotonic()):
                raise StepTimeout(f"no end of the {what}")

    def _fail(self, error):
        """What ended the connection: an alert by its name, an end without close_notify, a reset."""
        reason = (getattr(error, "reason", None) or "unknown").lower()
        if isinstance(error, ssl.SSLEOFError) or reason == "unexpected_eof_while_reading":
            self.end = "cut"
        elif isinstance(error, ssl.SSLCertVerificationError):
            self.end = f"we refused: {error.verify_message}"
        elif isinstance(error, ssl.SSLError):
            self.end = reason
        else:
            self.end = "reset"

    def _receive(self):
        try:
            return self.sock.recv(1 << 18)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def fill(self, seconds):
        if self.end != "open":
            return False
        try:
            data = self._receive()
            if data is None and self._poll_in(seconds):
                data = self._receive()
        except OSError as error:
            self._fail(error)
            return True
        if data is None:
            return False
        if data:
            self.received += data
        else:
            self.end = "fin"
        return True

    def send(self, data):
        if self.failure or not data:
            return
        view = memoryview(data)
        while view:
            sent = []
            self._until(lambda part=view: sent.append(self.sock.send(part)), "send")
            if not sent:
                return
            view = view[sent[0]:]

    def shut(self):
        """Our close_notify and our FIN, while we keep reading."""
        try:
            self.sock.unwrap()
        except (ssl.SSLError, OSError, ValueError):
            pass  # the peer's own close_notify is not there yet
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            pass

    def _agreed(self):
        if self.failure:
            return {"failed": self.failure}
        certificate = self.sock.getpeercert() or {}
        subject = dict(pair[0] for pair in certificate.get("subject", ()))
        seen = {"version": self.sock.version(), "alpn": self.sock.selected_alpn_protocol(),
                "peer": subject.get("commonName")}
        if not self.is_server:
            seen["resumed"] = self.sock.session_reused
        return seen

    def ended(self):
        return {**super().ended(), "tls": self.agreed}


def connect(peer, spec, others):
    """Makes a client's connection speak TLS; `others` are those whose session it may resume."""
    session, context = None, None
    if "resume" in spec:
        session, context = others[spec["resume"]].sock.session, others[spec["resume"]].sock.context
    tls = TlsPeer(peer, context or client_context(spec), False, spec.get("sni"), session)
    tls.shake()
    return tls


def accept(peer, spec):
    """Makes an accepted connection speak TLS."""
    names = []
    tls = TlsPeer(peer, server_context(spec, names.append), True)
    tls.shake()
    if not tls.failure:
        tls.agreed["asked"] = names[0] if names else None
    return tls
