# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority for the tests of TLS, made with the openssl program."""
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

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self._openssl("req", "-x509", *EC, "-nodes", "-days", "30", "-subj", f"/CN={name}",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                      "-keyout", f"{name}.key", "-out", f"{name}.crt")
        (folder / f"{name}.cnf").write_text(CA_CONFIG.format(name=name))
        (folder / f"{name}.index").write_text("")
        (folder / f"{name}.serial").write_text("01")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr

    def issue(self, name, san, key=None, dates=("-days", "20")):
        """Signs a certificate; `san` is openssl's text, such as "DNS:a.test,URI:spiffe://a/b"."""
        self._openssl("req", *(key or EC), "-nodes", "-subj", f"/CN={name}", "-addext",
                      f"subjectAltName={san}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("ca", "-batch", "-config", f"{self.name}.cnf", *dates, "-notext",
                      "-in", f"{name}.csr", "-out", f"{name}.crt")

    def issue_expired(self, name, san):
        self.issue(name, san, dates=("-startdate", "20200101000000Z", "-enddate",
                                     "20200201000000Z"))

    def revoke(self, name):
        self._openssl("ca", "-config", f"{self.name}.cnf", "-revoke", f"{name}.crt")

    def write_crl(self):
        self._openssl("ca", "-config", f"{self.name}.cnf", "-gencrl", "-out", f"{self.name}.crl")
