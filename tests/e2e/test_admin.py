# SPDX-License-Identifier: Apache-2.0
"""The admin interface of the real binary. What a real Envoy answers is in tests/compat/cases/admin."""
import json
import re
import shutil
import signal
import socket

import pytest

from configs import ADMIN, PROXY
from peers import connect
from pki import Authority
from process import eventually, has_thread_sanitizer

UNIX_ADMIN = "admin: {address: {pipe: {path: @dir@/admin.sock}}}"

# A route that a runtime key can close.
SWITCHED = PROXY.replace("- match: {prefix: /}", """- match:
                  prefix: /
                  runtime_fraction:
                    default_value: {numerator: 100}
                    runtime_key: the.switch""") + """
layered_runtime: {layers: [{name: admin, admin_layer: {}}]}
"""


def plain(nuncio, origin, *arguments, config=PROXY, **options):
    return nuncio(config, *arguments, origin=origin().port, **options)


def many_clusters(count):
    """A configuration with so many clusters, which has some hundred statistics for each."""
    lines = [ADMIN, "static_resources:", "  clusters:"]
    for i in range(count):
        endpoint = "{address: {socket_address: {address: 127.0.0.1, port_value: %d}}}" % (i + 1)
        lines.append(f"  - name: cluster_{i}\n    load_assignment: {{cluster_name: c, endpoints: "
                     f"[{{lb_endpoints: [{{endpoint: {endpoint}}}]}}]}}")
    return "\n".join(lines)


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def test_every_path_of_the_help_answers(nuncio, origin):
    proxy = plain(nuncio, origin)
    rows = re.findall(r"^  (/\S*)( \(POST\))?: ", proxy.admin("/help").text, re.M)
    assert len(rows) > 25
    for path, mutates in rows:
        answer = proxy.admin(path)
        assert answer.status == (405 if mutates else 501 if path == "/heap_dump" else 200), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache, max-age=0"


def test_an_unknown_path_lists_the_known_ones(nuncio, origin):
    answer = plain(nuncio, origin).admin("/statz")
    assert answer.status == 404
    assert answer.text.startswith("invalid path. admin commands are:\n  /: Admin home page\n")


def test_failed_health_is_seen_by_probes_and_by_clients(nuncio, origin):
    proxy = plain(nuncio, origin)
    assert proxy.get("main").headers["connection"] is None
    assert proxy.admin("/healthcheck/fail", "POST").text == "OK\n"
    ready = proxy.admin("/ready")
    assert (ready.status, ready.text) == (503, "DRAINING\n")
    assert proxy.get("main").headers["connection"] == "close"
    stats = proxy.stats()
    assert (stats["server.live"], stats["server.state"]) == (0, 1)
    assert proxy.admin("/healthcheck/ok", "POST").text == "OK\n"
    assert proxy.admin("/ready").text == "LIVE\n"
    assert proxy.get("main").headers["connection"] is None


def test_a_listener_that_drains_on_modification_only_ignores_failed_health(nuncio, origin):
    config = PROXY.replace("  - name: main\n", "  - name: main\n    drain_type: MODIFY_ONLY\n", 1)
    proxy = plain(nuncio, origin, config=config)
    proxy.admin("/healthcheck/fail", "POST")
    assert proxy.get("main").headers["connection"] is None


def is_refused(proxy):
    try:
        proxy.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False    # it came while the listener went
    return False


def test_drained_listeners_refuse_and_old_connections_go_on(nuncio, origin):
    proxy = plain(nuncio, origin)
    old = proxy.connect()
    old.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    old.wait_message(is_response=True)
    assert proxy.admin("/drain_listeners", "POST").text == "OK\n"
    assert eventually(lambda: proxy.stats()["listener_manager.listener_stopped"] == 1)
    assert eventually(lambda: is_refused(proxy))  # what waited in the queue is accepted first
    old.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    old.wait_message(is_response=True)
    assert old.received.count(b"HTTP/1.1 200 OK") == 2


def test_inbound_listeners_alone_are_drained(nuncio, origin):
    proxy = plain(nuncio, origin)
    proxy.admin("/drain_listeners?inboundonly", "POST")
    assert proxy.stats()["listener_manager.listener_stopped"] == 0
    assert proxy.get("main").status == 200


def test_a_graceful_drain_gives_connections_up_and_keeps_listening(nuncio, origin):
    proxy = plain(nuncio, origin, "--drain-strategy", "immediate")
    assert proxy.admin("/drain_listeners?skip_exit", "POST").status == 400
    assert proxy.admin("/drain_listeners?graceful&skip_exit", "POST").status == 200
    assert proxy.get("main").headers["connection"] == "close"
    assert proxy.admin("/ready").text == "LIVE\n"


def test_a_graceful_drain_ends_with_the_listeners(nuncio, origin):
    proxy = plain(nuncio, origin, "--drain-time-s", "0")
    proxy.admin("/drain_listeners?graceful", "POST")
    assert eventually(lambda: proxy.stats()["listener_manager.listener_stopped"] == 1)


def test_quitquitquit_ends_the_process(nuncio, origin):
    proxy = plain(nuncio, origin)
    assert proxy.admin("/quitquitquit", "POST").text == "OK\n"
    assert proxy.wait_exit() == 0


def test_a_changed_runtime_value_reaches_the_workers(nuncio, origin):
    proxy = plain(nuncio, origin, config=SWITCHED)
    assert proxy.get("main").status == 200
    assert proxy.admin("/runtime_modify?the.switch=0", "POST").text == "OK\n"
    assert eventually(lambda: proxy.get("main").status == 404)
    assert proxy.admin("/runtime").json()["entries"]["the.switch"]["final_value"] == "0"
    assert proxy.admin("/runtime_modify?the.switch=", "POST").text == "OK\n"
    assert eventually(lambda: proxy.get("main").status == 200)


def test_parameters_come_from_a_form_as_well(nuncio, origin):
    proxy = plain(nuncio, origin, config=SWITCHED)
    form = {"content-type": "application/x-www-form-urlencoded"}
    proxy.request("POST", "admin", "/runtime_modify", "a.b=1+%32%26", form)
    assert proxy.admin("/runtime").json()["entries"]["a.b"]["final_value"] == "1 2&"


def test_a_form_that_is_too_large_is_refused(nuncio, origin):
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = "a=" + "x" * (1 << 20)
    answer = plain(nuncio, origin).request("POST", "admin", "/runtime_modify", body, form)
    assert answer.status == 413


def test_levels_of_the_log_are_changed_and_shown(nuncio, origin):
    proxy = plain(nuncio, origin)
    answer = proxy.admin("/logging?paths=http:debug,router:off", "POST").text
    assert answer.startswith("active loggers:\n")
    assert "\n  http: debug\n" in answer and "\n  router: off\n" in answer
    wrong = proxy.admin("/logging?paths=http:info,nosuch:info", "POST")
    assert wrong.status == 400 and "error: unknown logger name" in wrong.text
    assert "\n  http: debug\n" in wrong.text


def test_the_admin_access_log_is_written(nuncio, origin):
    config = PROXY.replace("admin:\n", "admin:\n  access_log_path: @dir@/admin.log\n")
    proxy = plain(nuncio, origin, config=config)
    proxy.admin("/ready")
    proxy.signal(signal.SIGTERM)
    proxy.wait_exit()
    assert '"GET /ready HTTP/1.1" 200 - ' in (proxy.folder / "admin.log").read_text()


def test_paths_that_are_not_allowed_are_refused(nuncio, origin):
    config = PROXY.replace("admin:\n", "admin:\n  allow_paths: [{exact: /ready}]\n")
    proxy = plain(nuncio, origin, config=config)
    assert proxy.admin("/ready").status == 200
    assert proxy.admin("/quitquitquit", "POST").status == 403


@pytest.mark.parametrize("origin_header, status", [
    ("http://127.0.0.1:@port@", 200), ("http://evil.example", 403), ("null", 403)])
def test_a_page_of_another_site_changes_nothing(nuncio, origin, origin_header, status):
    proxy = plain(nuncio, origin)
    headers = {"origin": origin_header.replace("@port@", str(proxy.admin_port))}
    assert proxy.request("POST", "admin", "/healthcheck/fail", headers=headers).status == status
    assert proxy.admin("/ready").status == (503 if status == 200 else 200)
    assert proxy.request("GET", "admin", "/clusters", headers=headers).status == 200


def test_without_an_address_there_is_no_admin_interface(nuncio, origin):
    proxy = plain(nuncio, origin, config=PROXY.replace(ADMIN, "admin: {}\n"))
    assert proxy.get("main").status == 200
    assert "No admin address given, so no admin HTTP server started." in proxy.stderr.text
    assert not (proxy.folder / "admin-address").exists()


@pytest.mark.parametrize("more, error", [
    ("socket_options: [{level: 1, name: 2, int_value: 3}]",
     "admin.socket_options: known to Envoy, not implemented by nuncio"),
    ("access_log: [{name: x}]", "admin.access_log[0]"),
    ("allow_paths: [{safe_regex: {regex: '('}}]", "admin.allow_paths[0].safe_regex"),
])
def test_what_is_wrong_with_the_configuration_is_said(nuncio, more, error):
    proxy = nuncio(ADMIN + "  " + more, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert error in proxy.stderr.text


def test_a_name_is_no_admin_address(nuncio):
    proxy = nuncio(ADMIN.replace("127.0.0.1", "localhost"), ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert "malformed IP address: localhost" in proxy.stderr.text


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_certificates_are_shown_with_how_long_they_last(nuncio, origin, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", "DNS:a.test,URI:spiffe://a/b,IP:127.0.0.1")
    authority.issue_expired("old", "DNS:old.test")
    pair = "{certificate_chain: {filename: %s/%s.crt}, private_key: {filename: %s/%s.key}}"
    context = """{"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.%s,
      common_tls_context: {tls_certificates: [%s], validation_context: {trusted_ca: {filename:
      %s/ca.crt}}}}"""
    listen = context % ("DownstreamTlsContext", pair % (tmp_path, "server", tmp_path, "server"),
                        tmp_path)
    config = PROXY.replace("    - filters:\n", "    - transport_socket: {name: tls, typed_config: "
                           + listen + "}\n      filters:\n")
    proxy = plain(nuncio, origin, config=config)
    shown, = proxy.admin("/certs").json()["certificates"]
    (authority_shown,), (server,) = shown["ca_cert"], shown["cert_chain"]
    assert authority_shown["path"] == f"{tmp_path}/ca.crt"
    assert server["path"] == f"{tmp_path}/server.crt"
    assert server["subject_alt_names"] == [{"dns": "a.test"}, {"uri": "spiffe://a/b"},
                                           {"ip_address": "127.0.0.1"}]
    assert server["days_until_expiration"] in ("19", "20")  # it was made for 20 days just now
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", server["expiration_time"])
    assert server["serial_number"] == "01"
    assert proxy.stats()["server.days_until_first_cert_expiring"] in (19, 20)

    old = config.replace("server.crt", "old.crt").replace("server.key", "old.key")
    expired = plain(nuncio, origin, config=old)
    shown, = expired.admin("/certs").json()["certificates"]
    assert shown["cert_chain"][0]["days_until_expiration"] == "0"
    assert expired.stats()["server.days_until_first_cert_expiring"] == 0


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_no_path_tells_a_secret(nuncio, origin, tmp_path):
    Authority(tmp_path).issue("server", "DNS:a.test")
    key = (tmp_path / "server.key").read_text()
    chain = (tmp_path / "server.crt").read_text()
    context = {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
                        "DownstreamTlsContext",
               "common_tls_context": {"tls_certificates": [{
                   "certificate_chain": {"inline_string": chain},
                   "private_key": {"inline_string": key}, "password": {"inline_string": "Pa55"}}]}}
    config = PROXY.replace("    - filters:\n", "    - transport_socket: {name: tls, typed_config: "
                           + json.dumps(context) + "}\n      filters:\n")
    proxy = plain(nuncio, origin, config=config)
    dump = proxy.admin("/config_dump").text
    assert '"private_key": {\n' in dump and json.dumps(chain)[1:-1] in dump
    for path, _ in re.findall(r"^  (/\S*)( \(POST\))?: ", proxy.admin("/help").text, re.M):
        text = proxy.admin(path).text
        assert "PRIVATE KEY" not in text and "Pa55" not in text, path


def test_the_admin_interface_on_a_unix_socket(nuncio):
    proxy = nuncio(UNIX_ADMIN)
    path = proxy.folder / "admin.sock"
    assert (proxy.folder / "admin-address").read_text() == str(path)
    client = connect(str(path))
    client.send(b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wait_message(is_response=True)
    assert b"\r\nLIVE\n\r\n" in client.received


def test_an_admin_address_in_use_ends_the_start(nuncio):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = ADMIN.replace("@admin@", str(taken.getsockname()[1]))
        proxy = nuncio(config, ready=None, expect_exit=1)
        assert proxy.wait_exit() == 1
    assert "nuncio: admin: cannot bind '127.0.0.1:" in proxy.stderr.text


def test_head_gets_the_head_alone(nuncio, origin):
    client = plain(nuncio, origin).connect("admin")
    client.send(b"HEAD /help HTTP/1.1\r\nhost: a\r\n\r\nGET /ready HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wait_text(b"LIVE")
    assert client.received.count(b"\r\n\r\nHTTP/1.1 200 OK\r\n") == 1
    assert b"admin commands" not in client.received


def test_the_home_page_shows_what_runs_and_loads_nothing_else(nuncio, origin):
    config = PROXY.replace("name: origin", "name: '<b>&origin'")
    config = config.replace("cluster: origin", "cluster: '<b>&origin'")
    proxy = plain(nuncio, origin, config=config)
    proxy.get("main")
    page = proxy.admin("/")
    assert page.headers["content-type"] == "text/html; charset=UTF-8"
    assert f"127.0.0.1:{proxy.port('main')}" in page.text
    assert "&lt;b&gt;&amp;origin" in page.text and "<b>&origin" not in page.text
    assert "<script" not in page.text and not re.search(r"(src|href)=.?(https?:|//)", page.text)
    assert '<form action="quitquitquit" method="post">' in page.text


def test_statistics_for_people(nuncio, origin):
    proxy = plain(nuncio, origin)
    page = proxy.admin("/stats?format=html&filter=main.downstream_cx_total").text
    assert "<pre>http.main.downstream_cx_total: 0\n</pre>" in page
    assert 'value="main.downstream_cx_total"' in page
    assert "No statistic matches." in proxy.admin("/stats?format=html&filter=nosuch").text
    assert 'http-equiv="refresh"' in proxy.admin("/stats?format=active-html&filter=x").text


def test_a_start_that_waits_is_not_ready_and_says_for_what(nuncio):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = ("{name: envoy.network.dns_resolver.cares, typed_config: {'@type': "
                    "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3."
                    "CaresDnsResolverConfig, resolvers: [{socket_address: {address: 127.0.0.1, "
                    "port_value: %d}}]}}" % silent.getsockname()[1])
        proxy = nuncio(ADMIN + f"""
static_resources:
  clusters:
  - name: named
    type: STRICT_DNS
    typed_dns_resolver_config: {resolver}
    load_assignment:
      cluster_name: named
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address:
        {{address: name.example, port_value: 80}}}}}}}}]}}]
""", ready=None)
        assert eventually((proxy.folder / "admin-address").exists)
        ready = proxy.admin("/ready")
        assert (ready.status, ready.text) == (503, "INITIALIZING\n")
        targets = proxy.admin("/init_dump").json()["unready_targets_dumps"][0]["target_names"]
        assert len(targets) == 1
        assert proxy.stats()["server.state"] == 3
        proxy.signal(signal.SIGINT)
        assert proxy.wait_exit() == 0


def test_readers_that_stall_cost_little_and_hold_nobody_up(nuncio, nuncio_binary):
    # ThreadSanitizer makes it so slow that a busy machine would let the client give up.
    count = 200 if has_thread_sanitizer(nuncio_binary) else 10000
    proxy = nuncio(many_clusters(count), "--concurrency", "1")
    before = resident_kb(proxy)
    stalled = [proxy.connect("admin") for _ in range(20)]
    for client in stalled:
        client.send(b"GET /stats HTTP/1.1\r\nhost: a\r\n\r\n")
    for path in ("/ready", "/ready", "/stats?filter=^server.live", "/ready"):
        assert proxy.admin(path).status == 200
    assert eventually(lambda: proxy.admin("/ready").text == "LIVE\n")
    assert resident_kb(proxy) - before < 20 * 2048
    whole = proxy.admin("/stats").text
    assert whole.count(f"\ncluster.cluster_{count - 1}.") > 50 and len(whole) > count * 5000
    assert resident_kb(proxy) - before < 20 * 2048
    for path in ("/clusters", "/config_dump"):
        assert f"cluster_{count - 1}" in proxy.admin(path).text
    for client in stalled:
        client.close()
