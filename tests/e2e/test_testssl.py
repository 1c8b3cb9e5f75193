# SPDX-License-Identifier: Apache-2.0
"""testssl.sh on a listener with nothing but certificates configured: it finds no fault."""
import json
import os
import shutil
import subprocess

import pytest

from pki import RSA, Authority
from tls_common import serving

# Runs side by side, for half the time: protocols, forward secrecy and the server's defaults; cipher
# categories and known vulnerabilities.
CHECKS = [["-p", "-f", "-S"], ["-s", "-U"]]
FOUND_AT_LEAST = 60
# What concerns an authority that is made for a test.
OF_THE_TEST = {"DNS_CAArecord"}
LIMIT_SECONDS = 600

# testssl.sh tells s_client to keep a session, and gives it nothing to say: with TLS 1.3, whose
# tickets come behind the handshake, it may be gone before there is any. This one stays for an answer.
PATIENT_OPENSSL = """#!/bin/sh
case " $* " in
*" -sess_out "*)
    printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' |
        {openssl} "$@" -ign_eof ;;
*) exec {openssl} "$@" ;;
esac
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program"),
    pytest.mark.skipif(not shutil.which("testssl"), reason="needs testssl.sh"),
]


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder, serial="6f1d2c3b4a59687700112233445566778899")
    more = ["crlDistributionPoints=URI:http://ca.test/ca.crl", "extendedKeyUsage=serverAuth",
            "keyUsage=digitalSignature"]
    for name, key in (("ecdsa", None), ("rsa", RSA)):
        authority.issue(name, "DNS:localhost,IP:127.0.0.1", key, ("-days", "90"), more)
    return folder


@pytest.fixture
def patient_openssl(tmp_path):
    script = tmp_path / "openssl"
    script.write_text(PATIENT_OPENSSL.format(openssl=shutil.which("openssl")))
    script.chmod(0o755)
    return script


def test_testssl_finds_nothing_above_low(nuncio, pki, tmp_path, patient_openssl):
    config = serving(pki, "ecdsa", "rsa").replace("route: {cluster: origin}",
                                                  "direct_response: {status: 200}")
    proxy = nuncio(config, origin=1)
    command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--ip",
               "127.0.0.1", "--openssl", patient_openssl, "--add-ca", f"{pki}/ca.crt"]
    runs = []
    found = {}
    try:
        for index, checks in enumerate(CHECKS):
            path = tmp_path / f"{index}.json"
            runs.append((path, subprocess.Popen(
                [*command, "--jsonfile", path, *checks, f"localhost:{proxy.port('main')}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "NO_ENGINE": "true"})))     # it would look for GOST
        for path, run in runs:
            run.wait(LIMIT_SECONDS)
            found |= {item["id"]: item for item in json.loads(path.read_text())}
    finally:
        for _, run in runs:
            run.kill()
            run.wait()
    assert len(found) > FOUND_AT_LEAST  # they have looked
    bad = [item for item in found.values() if item["severity"] not in ("OK", "INFO", "LOW", "DEBUG")
           and item["id"].split(" ")[0] not in OF_THE_TEST]
    assert not bad, json.dumps(bad, indent=1)
    assert found["sessionresumption_ticket"]["finding"] == "supported"
