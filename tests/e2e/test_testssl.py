# SPDX-License-Identifier: Apache-2.0
"""testssl.sh on a listener with nothing but certificates configured: it finds no fault."""
import json
import shutil
import subprocess

import pytest

from pki import RSA, Authority
from tls_common import serving

# Protocols, cipher categories, forward secrecy, the server's defaults, known vulnerabilities.
CHECKS = ["-p", "-s", "-f", "-S", "-U"]
# What concerns an authority that is made for a test.
OF_THE_TEST = {"DNS_CAArecord"}
LIMIT_SECONDS = 600

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


def test_testssl_finds_nothing_above_low(nuncio, pki, tmp_path):
    config = serving(pki, "ecdsa", "rsa").replace("route: {cluster: origin}",
                                                  "direct_response: {status: 200}")
    proxy = nuncio(config, origin=1)
    command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--ip",
               "127.0.0.1", "--add-ca", f"{pki}/ca.crt", "--jsonfile", tmp_path / "found.json",
               *CHECKS, f"localhost:{proxy.port('main')}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=LIMIT_SECONDS)
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found) > 60, done.stdout + done.stderr  # it has looked
    bad = [item for item in found if item["severity"] not in ("OK", "INFO", "LOW", "DEBUG")
           and item["id"].split(" ")[0] not in OF_THE_TEST]
    assert not bad, json.dumps(bad, indent=1)
