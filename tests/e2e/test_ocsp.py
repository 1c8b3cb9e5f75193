# SPDX-License-Identifier: Apache-2.0
"""OCSP staples for clients that ask: the openssl program, since Python cannot."""
import shutil
import subprocess

import pytest

from pki import Authority
from tls_common import pem, serving

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder)
    authority.issue("server", "DNS:a.test")
    authority.issue("other", "DNS:b.test")
    authority.issue("strict", "DNS:c.test", more=["tlsfeature=status_request"])
    for name in ("server", "other", "strict"):
        authority.write_staple(name)
    authority.write_late_staple("server", "late")
    return folder


def config(pki, name="server", staple=None, policy="LENIENT_STAPLING"):
    text = serving(pki, name, outer=f"ocsp_staple_policy: {policy}")
    if staple:
        own = pem(pki, name)
        text = text.replace(own, own[:-1] + f", ocsp_staple: {{filename: {pki}/{staple}.ocsp}}}}")
    return text


def ask(proxy, version="-tls1_3", status=True):
    """What openssl's client says of the handshake."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('main')}", version,
               "-servername", "a.test", *(["-status"] if status else [])]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def counts(proxy):
    name = f"listener.127.0.0.1_{proxy.port('main')}.ssl.ocsp_staple_"
    stats = proxy.stats()
    return {kind: stats[name + kind] for kind in ("requests", "responses", "omitted", "failed")
            if stats[name + kind]}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_that_asks_gets_the_staple(nuncio, pki, version):
    proxy = nuncio(config(pki, staple="server"), origin=1)
    assert "OCSP Response Status: successful" in ask(proxy, version)
    assert counts(proxy) == {"requests": 1, "responses": 1}
    assert "Cert Status" not in ask(proxy, version, status=False)
    assert counts(proxy) == {"requests": 1, "responses": 1}


# What stands beside the certificate, the policy, what a client that asks sees, what is counted.
TABLE = [
    (None, "LENIENT_STAPLING", "no response sent", "omitted"),
    ("late", "LENIENT_STAPLING", "no response sent", "omitted"),
    (None, "STRICT_STAPLING", "no response sent", "omitted"),
    ("late", "STRICT_STAPLING", "alert", "failed"),
    ("server", "STRICT_STAPLING", "OCSP Response Status: successful", "responses"),
    ("late", "MUST_STAPLE", "alert", "failed"),
    ("server", "MUST_STAPLE", "OCSP Response Status: successful", "responses"),
]


@pytest.mark.parametrize("staple, policy, sees, counted", TABLE)
def test_the_policy_decides_what_is_sent(nuncio, pki, staple, policy, sees, counted):
    proxy = nuncio(config(pki, staple=staple, policy=policy), origin=1)
    assert sees in ask(proxy)
    assert counts(proxy) == {"requests": 1, counted: 1}
    # Who does not ask is served in any case.
    assert "Server certificate" in ask(proxy, status=False)


@pytest.mark.parametrize("name, staple, policy, says", [
    ("server", None, "MUST_STAPLE", "Required OCSP response is missing from TLS context"),
    ("strict", None, "LENIENT_STAPLING",
     "OCSP response is required for must-staple certificate"),
    ("server", "other", "LENIENT_STAPLING",
     "OCSP response does not match its TLS certificate"),
    ("server", "garbage", "LENIENT_STAPLING", "OCSP response is malformed"),
])
def test_staples_that_do_not_fit_are_errors(nuncio, pki, name, staple, policy, says):
    (pki / "garbage.ocsp").write_bytes(bytes(range(200)))
    proxy = nuncio(config(pki, name, staple, policy), origin=1, ready=None, expect_exit=1)
    proxy.wait_exit()
    assert says in proxy.stderr.text


def test_a_certificate_that_must_have_a_staple_has_one(nuncio, pki):
    proxy = nuncio(config(pki, "strict", "strict"), origin=1)
    assert "OCSP Response Status: successful" in ask(proxy)


def test_a_new_staple_is_taken(nuncio, pki, tmp_path):
    shutil.copy(pki / "late.ocsp", pki / "now.ocsp")
    proxy = nuncio(config(pki, staple="now"), origin=1)
    assert "no response sent" in ask(proxy)
    shutil.copy(pki / "server.ocsp", pki / "now.ocsp")
    proxy.stderr.wait("new TLS settings")
    assert "OCSP Response Status: successful" in ask(proxy)
    details = proxy.admin("/certs").json()["certificates"][0]["cert_chain"][0]["ocsp_details"]
    assert details["valid_from"] < details["expiration"]
    left = proxy.stats()["server.seconds_until_first_ocsp_response_expiring"]
    assert 9 * 86400 - 60 < left <= 10 * 86400
