#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Made the certificates of this folder, once; they are good for a hundred years.

They are files and not made for each run because what a proxy says of a certificate (hash, serial
number, dates) is part of the recordings. Running this again makes every recording stale that
copies one of them. The keys protect nothing.
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["-newkey", "rsa:2048"]
BEGIN, END = "20240101000000Z", "21240101000000Z"

CONFIG = """
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
default_crl_days = 36500
policy = any
unique_subject = no
copy_extensions = copy
[any]
organizationName = optional
organizationalUnitName = optional
commonName = supplied
"""


class Authority:
    """Signs certificates in the working folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        (folder / f"{name}.index").write_text("")
        (folder / f"{name}.serial").write_text("01")
        (folder / f"{name}.cnf").write_text(CONFIG.format(name=name))

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def root(self):
        self.openssl("req", *EC, "-nodes", "-subj", f"/CN={self.name}", "-addext",
                     "keyUsage=critical,keyCertSign,cRLSign", "-addext",
                     "basicConstraints=critical,CA:TRUE", "-keyout", f"{self.name}.key", "-out",
                     f"{self.name}.csr")
        self.openssl("ca", "-batch", "-selfsign", "-config", f"{self.name}.cnf", "-startdate",
                     BEGIN, "-enddate", END, "-notext", "-in", f"{self.name}.csr", "-out",
                     f"{self.name}.crt")
        return self

    def issue(self, name, *extensions, key=EC, dates=(BEGIN, END), subject=None):
        added = [word for text in extensions for word in ("-addext", text)]
        self.openssl("req", *key, "-nodes", "-subj", subject or f"/O=nuncio/CN={name}", *added,
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("ca", "-batch", "-config", f"{self.name}.cnf", "-startdate", dates[0],
                     "-enddate", dates[1], "-notext", "-in", f"{name}.csr", "-out", f"{name}.crt")

    def revoke(self, name):
        self.openssl("ca", "-config", f"{self.name}.cnf", "-revoke", f"{name}.crt")
        self.openssl("ca", "-config", f"{self.name}.cnf", "-gencrl", "-out", f"{self.name}.crl")


def make(folder):
    ca = Authority(folder, "ca").root()
    ca.issue("server", "subjectAltName=DNS:a.test,DNS:*.wild.test,IP:127.0.0.1")
    ca.issue("server-b", "subjectAltName=DNS:b.test")
    ca.issue("server-rsa", "subjectAltName=DNS:a.test,DNS:rsa.test", key=RSA)
    ca.issue("server-expired", "subjectAltName=DNS:a.test",
             dates=("20200101000000Z", "20200201000000Z"))
    ca.issue("client", "subjectAltName=URI:spiffe://test/client,DNS:client.test,"
             "email:client@test", subject="/O=nuncio/OU=compat, \"tests\"/CN=client")
    ca.issue("client-plain", subject="/CN=plain client")
    ca.issue("client-expired", "subjectAltName=URI:spiffe://test/expired",
             dates=("20200101000000Z", "20200201000000Z"))
    ca.issue("client-revoked", "subjectAltName=URI:spiffe://test/revoked")
    ca.issue("client-stranger", "subjectAltName=URI:spiffe://elsewhere/client")
    ca.revoke("client-revoked")
    inner = Authority(folder, "inner-ca")
    ca.issue("inner-ca", "keyUsage=critical,keyCertSign,cRLSign",
             "basicConstraints=critical,CA:TRUE")
    inner.issue("client-inner", "subjectAltName=URI:spiffe://test/inner")
    chain = (folder / "client-inner.crt").read_text() + (folder / "inner-ca.crt").read_text()
    (folder / "client-inner.crt").write_text(chain)
    Authority(folder, "other-ca").root().issue("client-foreign",
                                               "subjectAltName=URI:spiffe://test/foreign")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        make(path)
        for file in path.iterdir():
            if file.suffix in (".crt", ".key", ".crl") and file.stem not in ("inner-ca", "other-ca"):
                (HERE / file.name).write_bytes(file.read_bytes())
        for name in ("inner-ca.crt", "other-ca.crt"):  # their keys have signed all they will
            (HERE / name).write_bytes((path / name).read_bytes())


if __name__ == "__main__":
    sys.exit(main())
