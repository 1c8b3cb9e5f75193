# SPDX-License-Identifier: Apache-2.0
"""Secrets of the bootstrap and of files, and certificates that change while clients are served."""
import base64
import json
import os
import re
import shutil
import ssl
import threading

import pytest

from configs import PROXY
from pki import Authority
from process import eventually
from tls_common import TLS, Client, answer, serving, tls_origin, upstream

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")

SECRET = TLS + "Secret"
WORKERS = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two certificates for a.test, clients, and two authorities."""
    folder = tmp_path_factory.mktemp("made")
    authority = Authority(folder)
    authority.issue("one", "DNS:a.test")
    authority.issue("two", "DNS:a.test")
    authority.issue("long", "DNS:a.test", dates=("-startdate", "20200101000000Z",
                                                 "-enddate", "20400101000000Z"))
    authority.issue("client", "URI:spiffe://test/client")
    authority.issue("stranger", "URI:spiffe://elsewhere/client")
    authority.write_crl()
    shutil.copy(folder / "ca.crl", folder / "empty.crl")
    authority.revoke("client")
    authority.write_crl()
    shutil.copy(folder / "ca.crl", folder / "revoked.crl")
    Authority(folder, "other-ca").issue("foreign", "URI:spiffe://test/foreign")
    return folder


@pytest.fixture
def pki(made, tmp_path):
    """The same in a folder of the test's own, where server.crt and server.key are those of `one`."""
    folder = tmp_path / "pki"
    shutil.copytree(made, folder)
    use_pair(folder, "one")
    return folder


def use_pair(folder, name):
    for kind in ("crt", "key"):
        shutil.copy(folder / f"{name}.{kind}", folder / f"server.{kind}")


def peer_names(proxy, pki, **options):
    """Whose certificate new connections see; more of them than there are workers."""
    names = set()
    for _ in range(4 * WORKERS):
        client = Client(pki, proxy.port("main"), **options)
        assert client.get().startswith("HTTP/1.1 200")
        names.add(client.peer_name)
        client.close()
    return names


def scope(proxy):
    return f"listener.127.0.0.1_{proxy.port('main')}."


def updates(proxy):
    """How often the settings changed by files, and how often that failed."""
    stats, name = proxy.stats(), scope(proxy) + "server_ssl_socket_factory.ssl_context_update_"
    return stats[name + "by_files"], stats[name + "failed"]


NEW = "new TLS settings"
STAYS = "the TLS settings stay as they are"


def rewrite(folder):
    use_pair(folder, "two")


def pair_of(folder, name):
    """A folder of their own for a certificate and its key."""
    (folder / f"pair-{name}").mkdir()
    for kind in ("crt", "key"):
        shutil.copy(folder / f"{name}.{kind}", folder / f"pair-{name}" / f"server.{kind}")


def use_folder(folder, name):
    """Makes both what is served, in one step."""
    os.symlink(f"pair-{name}", folder / "next")
    os.rename(folder / "next", folder / "live")


def put_copy(source, path):
    """Replaces the file in one step: a copy in place is several, perhaps far apart, and each is seen."""
    shutil.copy(source, path.with_name("next"))
    os.rename(path.with_name("next"), path)


def move(folder, name="two", source=None):
    for kind in ("crt", "key"):
        put_copy((source or folder) / f"{name}.{kind}", folder / f"server.{kind}")


def remove_and_make(folder):
    for kind in ("crt", "key"):
        os.remove(folder / f"server.{kind}")
    use_pair(folder, "two")


@pytest.mark.parametrize("change", [rewrite, move, remove_and_make])
def test_new_certificates_are_served_by_all_workers_and_no_connection_ends(nuncio, origin, pki,
                                                                           change):
    proxy = nuncio(serving(pki), origin=origin().port)
    old = Client(pki, proxy.port("main"))
    assert old.peer_name == "one"
    change(pki)
    while peer_names(proxy, pki) != {"two"}:
        proxy.stderr.wait(NEW)
    assert old.get().startswith("HTTP/1.1 200")
    old.close()
    assert proxy.stats()[scope(proxy) + "ssl.connection_error"] == 0


def test_no_request_fails_while_the_certificates_of_both_sides_change(nuncio, origin, pki):
    """Load on both workers, new connections all the time, and files that change under them."""
    to_hosts = f"""sni: a.test, common_tls_context: {{
        tls_certificates: [{{certificate_chain: {{filename: {pki}/server.crt}},
                            private_key: {{filename: {pki}/server.key}}}}],
        validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}}}"""
    config = serving(pki, config=PROXY.replace("    type: STATIC\n", upstream(to_hosts)))
    proxy = nuncio(config, "--concurrency", str(WORKERS),
                   origin=origin(tls_origin(pki, certificate="one", ask_client=True)).port)
    is_over, answers = threading.Event(), []

    def ask():
        while not is_over.is_set():
            client = Client(pki, proxy.port("main"))
            answers.append(client.get().split("\r\n")[0])
            client.close()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(8):
        seen = len(answers)
        count = updates(proxy)[0]
        move(pki, "one" if n % 2 else "two")
        assert eventually(lambda: updates(proxy)[0] > count and len(answers) > seen + 3)
    is_over.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {"HTTP/1.1 200 OK"}


def test_a_link_on_the_way_may_be_replaced(nuncio, origin, pki):
    """As Kubernetes does it: server.crt -> ..data/server.crt, ..data -> one of two folders."""
    for name in ("one", "two"):
        (pki / f"..{name}").mkdir()
        for kind in ("crt", "key"):
            shutil.copy(pki / f"{name}.{kind}", pki / f"..{name}" / f"server.{kind}")
    os.symlink("..one", pki / "..data")
    for kind in ("crt", "key"):
        os.remove(pki / f"server.{kind}")
        os.symlink(f"..data/server.{kind}", pki / f"server.{kind}")
    proxy = nuncio(serving(pki), origin=origin().port)
    assert peer_names(proxy, pki) == {"one"}
    os.symlink("..two", pki / "..next")
    os.rename(pki / "..next", pki / "..data")
    proxy.stderr.wait(NEW)
    assert peer_names(proxy, pki) == {"two"}
    assert updates(proxy)[0] == 1  # read as the link was replaced, the two do not fit: that is no update


@pytest.mark.parametrize("bad", ["garbage", "mismatch", "half", "missing"])
def test_a_bad_pair_is_refused_and_a_later_good_one_taken(nuncio, origin, pki, bad):
    proxy = nuncio(serving(pki), origin=origin().port)
    certificate = pki / "server.crt"
    if bad == "garbage":
        certificate.write_bytes(bytes(range(256)))
    elif bad == "mismatch":
        put_copy(pki / "two.crt", certificate)
    elif bad == "half":
        certificate.write_text((pki / "two.crt").read_text()[:300])
    else:
        certificate.unlink()
    at = proxy.stderr.wait(STAYS)
    assert peer_names(proxy, pki) == {"one"}
    assert updates(proxy) == (0, 1)
    use_pair(pki, "two")
    proxy.stderr.wait(NEW, at)
    assert peer_names(proxy, pki) == {"two"}


def test_files_that_stay_the_same_change_nothing(nuncio, origin, pki):
    """Nor do others in the folder: what comes after them is the first change. Each change here is one
    step, for of two steps that are far apart (the test may be kept waiting between them) the first
    is a change of its own, with a certificate and a key that do not belong together."""
    pair_of(pki, "one")
    use_folder(pki, "one")
    proxy = nuncio(serving(pki, "live/server"), origin=origin().port)
    move(pki / "pair-one", source=pki, name="one")
    (pki / "pair-one" / "other.crt").write_text("")
    client = Client(pki, proxy.port("main"))
    client.get()
    again = Client(pki, proxy.port("main"), session=client.sock.session, context=client.context)
    assert again.sock.session_reused
    client.close()
    again.close()
    pair_of(pki, "two")
    assert updates(proxy) == (0, 0)
    use_folder(pki, "two")
    proxy.stderr.wait(NEW)
    # Where it read the same files just then, it may have met one of each pair.
    assert updates(proxy)[0] == 1


def test_a_session_of_the_old_certificate_is_not_resumed(nuncio, origin, pki):
    proxy = nuncio(serving(pki), origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()
    use_pair(pki, "two")
    proxy.stderr.wait(NEW)
    again = Client(pki, proxy.port("main"), session=client.sock.session, context=client.context)
    assert not again.sock.session_reused
    assert again.peer_name == "two"
    again.close()
    client.close()


def test_a_new_revocation_list_counts_at_once_and_for_sessions_too(nuncio, origin, pki):
    shutil.copy(pki / "empty.crl", pki / "ca.crl")
    proxy = nuncio(serving(pki, extra=f"""validation_context:
              trusted_ca: {{filename: {pki}/ca.crt}}
              crl: {{filename: {pki}/ca.crl}}""", outer="require_client_certificate: true"),
                   origin=origin().port)
    client = Client(pki, proxy.port("main"), certificate="client")
    assert client.get().startswith("HTTP/1.1 200")
    shutil.copy(pki / "revoked.crl", pki / "next.crl")
    os.rename(pki / "next.crl", pki / "ca.crl")
    proxy.stderr.wait(NEW)
    with pytest.raises(OSError):
        Client(pki, proxy.port("main"), session=client.sock.session,
               context=client.context).get()
    assert client.get().startswith("HTTP/1.1 200")
    client.close()
    assert proxy.stats()[scope(proxy) + "ssl.fail_verify_error"] == 1


def test_a_watched_directory_stands_for_the_files(nuncio, origin, pki, tmp_path):
    """Whatever happens there has the files read again, which are elsewhere."""
    watched = tmp_path / "watched"
    watched.mkdir()
    config = serving(pki).replace("{certificate_chain", f"{{watched_directory: {{path: {watched}}}, "
                                  "certificate_chain")
    proxy = nuncio(config, origin=origin().port)
    use_pair(pki, "two")
    (watched / "anything").write_text("")
    proxy.stderr.wait(NEW)
    assert peer_names(proxy, pki) == {"two"}


def test_a_watched_directory_of_a_file_stands_for_it(nuncio, origin, pki, tmp_path):
    """Nobody is told of what is written to a file that stays open."""
    signs = tmp_path / "signs"
    signs.mkdir()
    config = serving(pki).replace("server.crt}", f"server.crt, watched_directory: {{path: {signs}}}}}")
    assert str(signs) in config
    proxy = nuncio(config, origin=origin().port)
    with open(pki / "server.crt", "r+b") as certificate, open(pki / "server.key", "r+b") as key:
        for file, kind in ((certificate, "crt"), (key, "key")):
            file.write((pki / f"two.{kind}").read_bytes())
            file.truncate()
            file.flush()
        (signs / "done").touch()
        proxy.stderr.wait(NEW)
        assert peer_names(proxy, pki) == {"two"}


# --- Secrets of the bootstrap ---------------------------------------------------------------------

def with_secrets(pki, common, outer="", secrets=""):
    """The chain's TLS context with references, and static secrets."""
    config = serving(pki, extra=common, outer=outer)
    config = re.sub(r"tls_certificates: \[.*\]", "", config)
    return config.replace("  clusters:", f"  secrets:{secrets}\n  clusters:" if secrets
                          else "  clusters:", 1)


STATIC = """
  - {name: web, tls_certificate: {certificate_chain: {filename: @pki@/server.crt}, private_key: {filename: @pki@/server.key}}}
  - {name: judge, validation_context: {trusted_ca: {filename: @pki@/ca.crt}}}
  - {name: tickets, session_ticket_keys: {keys: [{filename: @pki@/tickets}]}}"""
REFERENCES = """tls_certificate_sds_secret_configs: [{name: web}]
            validation_context_sds_secret_config: {name: judge}"""


def test_static_secrets_are_used_by_name_and_their_files_watched(nuncio, origin, pki):
    (pki / "tickets").write_bytes(bytes(80))
    config = with_secrets(pki, REFERENCES, """require_client_certificate: true
          session_ticket_keys_sds_secret_config: {name: tickets}""", STATIC)
    proxy = nuncio(config, origin=origin().port, pki=pki)
    assert peer_names(proxy, pki, certificate="client") == {"one"}
    with pytest.raises(OSError):
        Client(pki, proxy.port("main"), certificate="foreign").get()
    use_pair(pki, "two")
    proxy.stderr.wait(NEW)
    assert peer_names(proxy, pki, certificate="client") == {"two"}
    other = nuncio(config, origin=origin().port, pki=pki)
    client = Client(pki, proxy.port("main"), certificate="client")
    client.get()
    again = Client(pki, other.port("main"), session=client.sock.session, context=client.context)
    assert again.sock.session_reused
    again.close()
    client.close()


@pytest.mark.parametrize("text, says", [
    ("tls_certificate_sds_secret_configs: [{name: nobody}]", "Unknown static secret: nobody"),
    ("tls_certificate_sds_secret_configs: [{name: judge}]", "Unknown static secret: judge"),
    ("validation_context_sds_secret_config: {name: nobody}",
     "Unknown static certificate validation context: nobody"),
    ("tls_certificate_sds_secret_configs: [{name: web, sds_config: {path: /nowhere/x.yaml}}]",
     "paths must refer to an existing path in the system: '/nowhere/x.yaml' does not exist"),
    ("tls_certificate_sds_secret_configs: [{name: web, sds_config: {ads: {}}}]", "ads: known to "
     "Envoy, not implemented by nuncio"),
    ("tls_certificate_sds_secret_configs: [{name: web, sds_config: {api_config_source: {}}}]",
     "api_config_source: known to Envoy, not implemented by nuncio"),
])
def test_references_that_lead_nowhere_are_errors(nuncio, pki, text, says):
    proxy = nuncio(with_secrets(pki, text, "", STATIC), "--mode", "validate", pki=pki, origin=1,
                   ready=None, expect_exit=1)
    proxy.wait_exit()
    assert says in proxy.stderr.text
    # What was named is not said to be missing as well.
    assert ("No TLS certificates" in proxy.stderr.text) == ("tls_certificate" not in text)


@pytest.mark.parametrize("secret, says", [
    ("{name: judge, validation_context: {}}",
     "Duplicate static CertificateValidationContext secret name judge"),
    ("{name: other, generic_secret: {secret: {inline_string: x}}}",
     "generic_secret: known to Envoy, not implemented by nuncio"),
    ("{name: other}", "Secret type not implemented"),
])
def test_bad_static_secrets_are_errors(nuncio, pki, secret, says):
    (pki / "tickets").write_bytes(bytes(80))
    config = with_secrets(pki, REFERENCES, "", STATIC + "\n  - " + secret)
    proxy = nuncio(config, "--mode", "validate", pki=pki, origin=1, ready=None, expect_exit=1)
    proxy.wait_exit()
    assert says in proxy.stderr.text


# --- Secrets of files -----------------------------------------------------------------------------

def secret(name, version, **content):
    return {"version_info": version, "resources": [{"@type": SECRET, "name": name, **content}]}


def certificate(pki, name):
    return {"tls_certificate": {"certificate_chain": {"filename": f"{pki}/{name}.crt"},
                                "private_key": {"filename": f"{pki}/{name}.key"}}}


def put(path, content):
    """Replaces the file at once, as a writer of such files has to."""
    text = content if isinstance(content, str) else json.dumps(content)
    path.with_name("next").write_text(text)
    os.rename(path.with_name("next"), path)


def of_file(name, path):
    return f"{{name: {name}, sds_config: {{path_config_source: {{path: {path}}}}}}}"


def certificate_of_file(path):
    return f"tls_certificate_sds_secret_configs: [{of_file('web', path)}]"


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_file_gives_a_certificate_and_then_another(nuncio, origin, pki, ending):
    path = pki / f"sds.{ending}"
    put(path, secret("web", "1", **certificate(pki, "one")))
    proxy = nuncio(with_secrets(pki, certificate_of_file(path)), origin=origin().port)
    assert peer_names(proxy, pki) == {"one"}
    at = proxy.stderr.wait(NEW)
    put(path, secret("web", "7", **certificate(pki, "two")))
    proxy.stderr.wait(NEW, at)
    assert peer_names(proxy, pki) == {"two"}
    stats = proxy.stats()
    assert stats["sds.web.update_attempt"] == stats["sds.web.update_success"] == 2
    assert stats["sds.web.update_rejected"] == stats["sds.web.update_failure"] == 0
    assert stats["sds.web.version"] == 1750302349509622455  # Envoy's number for "7"
    assert stats[scope(proxy) + "server_ssl_socket_factory.ssl_context_update_by_sds"] == 2
    assert 'sds.web.version_text: "7"' in proxy.admin("/stats?type=All").text


def test_when_a_certificate_expires_is_shown_by_the_name_of_its_secret(nuncio, origin, pki):
    path = pki / "sds.json"
    put(path, secret("web", "1", **certificate(pki, "one")))
    proxy = nuncio(with_secrets(pki, certificate_of_file(path)), origin=origin().port)
    name = scope(proxy) + "ssl.certificate.web.expiration_unix_time_seconds"
    assert 0 < proxy.stats()[name] < 2208988800
    put(path, secret("web", "2", **certificate(pki, "long")))
    assert eventually(lambda: proxy.stats()[name] == 2208988800)  # 2040-01-01


@pytest.mark.parametrize("bad, counter, says", [
    ("resources: []", "rejected", "Missing SDS resources for web in onConfigUpdate()"),
    (json.dumps(secret("other", "2")), "rejected", "Unexpected SDS secret (expecting web): other"),
    (json.dumps(secret("web", "2", validation_context={})), "rejected", "of another kind"),
    ("resources: [", "failure", "sds.yaml"),
    (json.dumps({"resources": [{"@type": SECRET, "name": "web"}] * 2}), "rejected",
     "Unexpected SDS secrets length: 2"),
    (json.dumps(secret("web", "2", tls_certificate={
        "certificate_chain": {"filename": "/nowhere.crt"},
        "private_key": {"inline_string": ""}})), "rejected", "/nowhere.crt"),
    (json.dumps(secret("web", "2", generic_secret={"secret": {"inline_string": "x"}})), "failure",
     "generic_secret: known to Envoy, not implemented by nuncio"),
])
def test_a_bad_version_is_refused_and_the_old_one_stays(nuncio, origin, pki, bad, counter, says):
    path = pki / "sds.yaml"
    put(path, secret("web", "1", **certificate(pki, "one")))
    proxy = nuncio(with_secrets(pki, certificate_of_file(path)), origin=origin().port)
    at = proxy.stderr.wait(NEW)
    put(path, bad)
    proxy.stderr.wait(says, at)
    assert peer_names(proxy, pki) == {"one"}
    stats = proxy.stats()
    assert stats["sds.web.update_attempt"] == 2
    assert stats[f"sds.web.update_{counter}"] == 1


def test_connections_are_reset_until_the_secret_is_there(nuncio, origin, pki):
    path = pki / "sds.yaml"
    put(path, "resources: []")
    proxy = nuncio(with_secrets(pki, certificate_of_file(path)), origin=origin().port)
    with pytest.raises(OSError):
        Client(pki, proxy.port("main"))
    name = scope(proxy) + "server_ssl_socket_factory.downstream_context_secrets_not_ready"
    assert proxy.stats()[name] == 1
    put(path, secret("web", "1", **certificate(pki, "one")))
    proxy.stderr.wait(NEW)
    assert peer_names(proxy, pki) == {"one"}
    assert proxy.stats()[name] == 1


def test_files_that_a_secret_names_are_watched(nuncio, origin, pki):
    path = pki / "sds.json"
    put(path, secret("web", "1", **certificate(pki, "server")))
    proxy = nuncio(with_secrets(pki, certificate_of_file(path)), origin=origin().port)
    at = proxy.stderr.wait(NEW)
    put_copy(pki / "two.crt", pki / "server.crt")
    proxy.stderr.wait("secret web: key rotation failed", at)
    assert peer_names(proxy, pki) == {"one"}
    put_copy(pki / "two.key", pki / "server.key")
    proxy.stderr.wait(NEW, at)
    assert peer_names(proxy, pki) == {"two"}
    stats = proxy.stats()
    assert stats["sds.web.key_rotation_failed"] == 1
    assert stats["sds.web.update_attempt"] == 1


def test_a_secret_is_put_over_the_settings_beside_it(nuncio, origin, pki):
    web, judge = pki / "web.json", pki / "judge.json"
    put(web, secret("web", "1", **certificate(pki, "one")))
    put(judge, secret("judge", "1", validation_context={
        "trusted_ca": {"filename": f"{pki}/ca.crt"}}))
    combined = f"""{certificate_of_file(web)}
            combined_validation_context:
              default_validation_context:
                match_typed_subject_alt_names: [{{san_type: URI, matcher: {{prefix: "spiffe://test/"}}}}]
              validation_context_sds_secret_config: {of_file("judge", judge)}"""
    proxy = nuncio(with_secrets(pki, combined, "require_client_certificate: true"),
                   origin=origin().port)
    at = proxy.stderr.wait(NEW)
    assert peer_names(proxy, pki, certificate="client") == {"one"}
    for refused in ("stranger", "foreign"):
        with pytest.raises(OSError):
            Client(pki, proxy.port("main"), certificate=refused).get()
    put(judge, secret("judge", "2", validation_context={
        "trusted_ca": {"filename": f"{pki}/other-ca.crt"}}))
    proxy.stderr.wait(NEW, at)
    assert peer_names(proxy, pki, certificate="foreign") == {"one"}
    with pytest.raises(OSError):
        Client(pki, proxy.port("main"), certificate="client").get()


def test_a_cluster_uses_secrets_of_files(nuncio, origin, pki):
    """Its certificate, and what it trusts; before they are there no request goes out."""
    seen = []

    def script(sock):
        seen.append(sock.getpeercert()["subject"][0][0][1])
        answer(sock)

    server = origin(tls_origin(pki, ask_client=True, script=script))
    web, judge = pki / "web.json", pki / "judge.json"
    put(web, secret("web", "1", **certificate(pki, "client")))
    put(judge, "{}")
    config = PROXY.replace("    type: STATIC\n", upstream(f"""common_tls_context: {{
        tls_certificate_sds_secret_configs: [{of_file("web", web)}],
        validation_context_sds_secret_config: {of_file("judge", judge)}}}"""))
    proxy = nuncio(config, origin=server.port)
    response = proxy.get("main")
    assert response.status == 503
    assert "Secret is not supplied by SDS" in response.text
    name = "cluster.origin.client_ssl_socket_factory.upstream_context_secrets_not_ready"
    assert proxy.stats()[name] == 1
    put(judge, secret("judge", "1", validation_context={
        "trusted_ca": {"inline_string": (pki / "ca.crt").read_text()}}))
    proxy.stderr.wait(NEW)
    assert proxy.get("main").status == 200
    assert seen == ["client"]


def test_ticket_keys_of_a_file_are_renewed(nuncio, origin, pki):
    path = pki / "keys.json"

    def put_keys(version, *keys):
        put(path, secret("keys", version, session_ticket_keys={
            "keys": [{"inline_bytes": base64.b64encode(key * 80).decode()} for key in keys]}))

    put_keys("1", b"a")
    outer = f"session_ticket_keys_sds_secret_config: {of_file('keys', path)}"
    proxy = nuncio(serving(pki, "one", outer=outer), origin=origin().port)
    client = Client(pki, proxy.port("main"))
    client.get()

    def is_resumed():
        again = Client(pki, proxy.port("main"), session=client.sock.session,
                       context=client.context)
        reused = again.sock.session_reused
        again.close()
        return reused

    assert is_resumed()
    at = proxy.stderr.wait(NEW)
    put_keys("2", b"b", b"a")
    at = proxy.stderr.wait(NEW, at)
    assert is_resumed()
    put_keys("3", b"b")
    proxy.stderr.wait(NEW, at)
    assert not is_resumed()
    client.close()


def test_what_is_shown_of_secrets_holds_no_key(nuncio, origin, pki):
    path = pki / "sds.json"
    (pki / "tickets").write_bytes(bytes(80))
    put(path, secret("web", "7", **certificate(pki, "one")))
    config = with_secrets(pki, certificate_of_file(path), "", STATIC)
    proxy = nuncio(config, origin=origin().port, pki=pki)
    proxy.stderr.wait(NEW)
    dump = proxy.admin("/config_dump?resource=dynamic_active_secrets").json()["configs"]
    assert len(dump) == 1
    assert (dump[0]["name"], dump[0]["version_info"]) == ("web", "7")
    shown = dump[0]["secret"]["tls_certificate"]
    chain = base64.b64decode(shown["certificate_chain"]["inline_bytes"])
    assert chain == (pki / "one.crt").read_bytes()
    assert base64.b64decode(shown["private_key"]["inline_bytes"]) == b"[redacted]"
    static = proxy.admin("/config_dump?resource=static_secrets").json()["configs"]
    assert [item["name"] for item in static] == ["web", "judge", "tickets"]
    whole = proxy.admin("/config_dump").text
    key = (pki / "one.key").read_bytes()
    assert base64.b64encode(key)[:60].decode() not in whole
    assert "PRIVATE KEY" not in whole
    certs = proxy.admin("/certs").json()["certificates"]
    assert [item["cert_chain"][0]["path"] for item in certs] == ["<inline>"]
