# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority for the tests of TLS, made with the openssl program."""
import re
import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["-newkey", "rsa:2048"]

CA_CONFIG = """
[ca]
default_ca = here
[here]
dir = .
database = $dir/{name}.index
serial = $dir/{name}.serial
new_certs_dir = $dir
certificate = $dir/{name}.crt
private_key = $dir/{name}.key
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """Files NAME.crt and NAME.key in a folder, signed by a root of its own."""

    def __init__(self, folder, name="ca", serial="01"):
        self.folder, self.name = folder, name
        self._openssl("req", "-x509", *EC, "-nodes", "-days", "30", "-subj", f"/CN={name}",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                      "-keyout", f"{name}.key", "-out", f"{name}.crt")
        (folder / f"{name}.cnf").write_text(CA_CONFIG.format(name=name))
        (folder / f"{name}.index").write_text("")
        (folder / f"{name}.serial").write_text(serial)

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr

    def issue(self, name, san, key=None, dates=("-days", "20"), more=()):
        """Signs a certificate; `san` is openssl's text, such as "DNS:a.test,URI:spiffe://a/b"."""
        more = [word for text in more for word in ("-addext", text)]
        self._openssl("req", *(key or EC), "-nodes", "-subj", f"/CN={name}", "-addext",
                      f"subjectAltName={san}", *more, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("ca", "-batch", "-config", f"{self.name}.cnf", *dates, "-notext",
                      "-in", f"{name}.csr", "-out", f"{name}.crt")

    def issue_names(self, name, *names):
        """Like issue, with names of any characters: lines of a configuration, such as
        "URI.1 = a,b"."""
        lines = ["[req]", "distinguished_name = dn", "req_extensions = extensions", "prompt = no",
                 "[dn]", f"CN = {name}", "[extensions]", "subjectAltName = @names", "[names]", *names]
        (self.folder / f"{name}.cnf").write_text("\n".join(lines))
        self._openssl("req", *EC, "-nodes", "-config", f"{name}.cnf", "-keyout", f"{name}.key",
                      "-out", f"{name}.csr")
        self._openssl("ca", "-batch", "-config", f"{self.name}.cnf", "-days", "20", "-notext",
                      "-in", f"{name}.csr", "-out", f"{name}.crt")

    def issue_expired(self, name, san):
        self.issue(name, san, dates=("-startdate", "20200101000000Z", "-enddate",
                                     "20200201000000Z"))

    def revoke(self, name):
        self._openssl("ca", "-config", f"{self.name}.cnf", "-revoke", f"{name}.crt")

    def write_crl(self):
        self._openssl("ca", "-config", f"{self.name}.cnf", "-gencrl", "-out", f"{self.name}.crl")

    def write_staple(self, name):
        """NAME.ocsp: the authority's word for the certificate, for ten days from now."""
        self._openssl("ocsp", "-issuer", f"{self.name}.crt", "-cert", f"{name}.crt", "-reqout",
                      f"{name}.ocspreq", "-no_nonce")
        self._openssl("ocsp", "-index", f"{self.name}.index", "-CA", f"{self.name}.crt",
                      "-rsigner", f"{self.name}.crt", "-rkey", f"{self.name}.key", "-reqin",
                      f"{name}.ocspreq", "-respout", f"{name}.ocsp", "-ndays", "10")

    def write_late_staple(self, name, late):
        """LATE.ocsp: NAME.ocsp as if it had expired. openssl makes no such thing, so that its
        signature is none."""
        der = (self.folder / f"{name}.ocsp").read_bytes()
        times = iter([None, b"20200101000000Z", b"20200102000000Z"])  # produced, from, until
        der = re.sub(rb"\x18\x0f(\d{14}Z)", lambda m: b"\x18\x0f" + (next(times) or m[1]), der)
        (self.folder / f"{late}.ocsp").write_bytes(der)
