# SPDX-License-Identifier: Apache-2.0
"""The prime filter's settings, counters and verdicts."""
import re

import pytest

from configs import GATED, PRIME

PER_ROUTE = PRIME + "PerRoute"
VERDICT = "%DYNAMIC_METADATA(nuncio.filters.http.prime_authz:verdict)% %RESPONSE_CODE_DETAILS%\\n"
LOG = f"""          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {{text_format_source: {{inline_string: "{VERDICT}"}}}}
"""
GATE = f'"@type": {PRIME}'


def gate(**settings):
    """The gated proxy, with a log of verdicts, and these settings of the filter."""
    text = "".join(f", {name}: {value}" for name, value in settings.items())
    return GATED.replace(GATE, GATE + text).replace("          route_config:",
                                                    LOG + "          route_config:")


def routed(per_route, **settings):
    """The same with per-route settings below /special."""
    route = f"""              - match: {{prefix: /special}}
                route: {{cluster: origin}}
                typed_per_filter_config:
                  prime_authz: {{"@type": {PER_ROUTE}, {per_route}}}
"""
    return gate(**settings).replace("              - match", route + "              - match", 1)


def send(proxy, head):
    """A raw request; gives the status."""
    peer = proxy.connect()
    peer.send(b"GET / HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n")
    peer.wait_message(is_response=True)
    status = int(peer.received[9:12])
    peer.close()
    return status


@pytest.mark.parametrize("head, status, verdict", [
    (b"token: 7\r\n", 200, "prime"),
    (b"token: 8\r\n", 403, "not_prime"),
    (b"", 403, "missing"),
    (b"token:\r\n", 403, "malformed"),
    (b"token: 7a\r\n", 403, "malformed"),
    (b"token: 7\r\ntoken: 7\r\n", 403, "repeated"),
    (b"token: 18446744073709551616\r\n", 403, "too_large"),
])
def test_each_verdict_is_logged(nuncio, origin, head, status, verdict):
    proxy = nuncio(gate(), origin=origin().port)
    assert send(proxy, head) == status
    details = "via_upstream" if status == 200 else "prime_authz_denied"
    proxy.stdout.wait(f"{verdict} {details}\n")


def test_the_counters_tell_the_verdicts_apart(nuncio, origin):
    proxy = nuncio(gate(), origin=origin().port)
    for head in (b"token: 2\r\n", b"token: 3\r\n", b"token: 4\r\n", b"", b"token: x\r\n",
                 b"token: 5\r\ntoken: 5\r\n"):
        send(proxy, head)
    stats = proxy.stats()
    counts = {name: stats[f"http.main.prime_authz.{name}"]
              for name in ("allowed", "denied", "missing", "malformed")}
    assert counts == {"allowed": 2, "denied": 4, "missing": 1, "malformed": 2}


def test_the_refusal_is_what_the_settings_say(nuncio, origin):
    proxy = nuncio(gate(status=429, body='"no\\n"', header="x-number",
                        response_headers_to_add="[{header: {key: x-why, value: composite}}]"),
                   origin=origin().port)
    got = proxy.get("main", headers={"x-number": "9", "token": "7"})
    assert (got.status, got.text, got.headers["x-why"]) == (429, "no\n", "composite")
    assert "powered-by" not in got.headers
    assert proxy.get("main", headers={"x-number": "7"}).status == 200


def test_the_token_can_be_removed(nuncio, origin):
    upstream = origin()
    proxy = nuncio(gate(remove_token="true"), origin=upstream.port)
    assert proxy.get("main", headers={"token": "7"}).status == 200
    assert b"token" not in upstream.received[0]


@pytest.mark.parametrize("number, status", [
    (2 ** 127 - 1, 200), (2 ** 127 + 1, 403), (10 ** 39, 403), (10 ** 40 + 1, 403),
])
def test_numbers_beyond_64_bits_up_to_a_number_of_digits(nuncio, origin, number, status):
    proxy = nuncio(gate(max_digits=39), origin=origin().port)
    assert proxy.get("main", headers={"token": str(number)}).status == status


def test_shadow_mode_refuses_nothing(nuncio, origin):
    proxy = nuncio(gate(shadow="true"), origin=origin().port)
    assert proxy.get("main", headers={"token": "8"}).status == 200
    proxy.stdout.wait("not_prime via_upstream\n")
    assert proxy.stats()["http.main.prime_authz.denied"] == 1


@pytest.mark.parametrize("per_route, token, status", [
    ("disabled: true", None, 200),
    ("overrides: {header: x-other}", "7", 403),
    ("overrides: {shadow: true}", "8", 200),
    ("overrides: {status: 418}", "8", 418),
])
def test_a_route_may_have_settings_of_its_own(nuncio, origin, per_route, token, status):
    proxy = nuncio(routed(per_route), origin=origin().port)
    headers = {"token": token} if token else {}
    assert proxy.get("main", "/special", headers).status == status
    assert proxy.get("main", "/", {"token": "8"}).status == 403


@pytest.mark.parametrize("settings, words", [
    ({"header": '"no header"'}, "header"),
    ({"status": 199}, "status"),
    ({"max_digits": 5000}, "max_digits"),
    ({"maxdigits": 30}, "did you mean max_digits?"),
])
def test_wrong_settings_are_refused_with_their_place(nuncio, settings, words):
    proxy = nuncio(gate(**settings), origin=1, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert re.search(r"nuncio\.yaml:\d+:\d+: .*" + re.escape(words), proxy.stderr.text)


DISABLE = '{"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}'


@pytest.mark.parametrize("name, settings, warning", [
    ("prime_authz", None, None),
    ("router", None, "has no effect: no HTTP filter of this kind is called 'router'"),
    ("prime_auth", None, "has no effect: no HTTP filter of this kind is called 'prime_auth'"),
    ("prime_authz", DISABLE, None),
    ("prime_auth", DISABLE, "has no effect: no HTTP filter is called 'prime_auth'"),
])
def test_settings_for_no_filter_are_said_to_be_without_effect(nuncio, name, settings, warning):
    """As in Envoy they load, but a gate that stays closed, or opens, is to be understood."""
    config = routed("disabled: true")
    old = config[config.index("prime_authz: {\"@type\""):].split("\n", 1)[0]
    new = f"{name}: {settings or old.partition(': ')[2]}"
    proxy = nuncio(config.replace(old, new), "--mode", "validate", ready=None, origin=9)
    assert proxy.wait_exit() == 0
    line = f'routes[0].typed_per_filter_config["{name}"]: {warning}\n'
    assert (line in proxy.stderr.text) if warning else "no effect" not in proxy.stderr.text


@pytest.mark.parametrize("key, value, more, words", [
    ('":status"', '"200"', "", "framing headers may not be modified: ':status'"),
    ("content-length", '"3"', "", "framing headers may not be modified: 'content-length'"),
    *((name, "x", "", f"framing headers may not be modified: '{name}'") for name in (
        "Host", "Connection", "transfer-encoding", "Upgrade", "keep-alive", "Proxy-Connection", "http2-settings",
        "TE")),
    ("x-a", '"%PROTOCOL%"', "", "value: operators are not evaluated here"),
    ("x-a", '"100%"', "", "value: Incorrect configuration"),
    ("x-a", '"", raw_value: aGk=', "", "raw_value: is not supported here; use value"),
    ("x-a", "b", ", append_action: ADD_IF_ABSENT", "append_action: has no meaning here"),
])
def test_headers_of_the_refusal_that_could_not_be_set_are_refused(nuncio, key, value, more, words):
    settings = {"response_headers_to_add": f"[{{header: {{key: {key}, value: {value}}}{more}}}]"}
    proxy = nuncio(gate(**settings), origin=1, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert words in proxy.stderr.text


def test_headers_of_the_refusal_are_read_as_everywhere(nuncio, origin):
    headers = ('[{header: {key: x-share, value: "100%%"}}, {header: {key: x-empty, value: ""}}, '
               '{header: {key: x-kept, value: ""}, keep_empty_value: true}]')
    proxy = nuncio(gate(response_headers_to_add=headers), origin=origin().port)
    got = proxy.get("main", headers={"token": "9"}).headers
    assert (got["x-share"], got["x-kept"], "x-empty" in got) == ("100%", "", False)


@pytest.mark.parametrize("name", ["':path'", "Host", "content-length", "Upgrade", "te"])
def test_a_token_has_a_header_of_its_own(nuncio, name):
    proxy = nuncio(gate(header=name), origin=1, ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert "header: a token is not looked for in" in proxy.stderr.text


@pytest.mark.parametrize("digits, is_warned", [(300, False), (301, True), (1000, True)])
def test_long_tokens_are_warned_of(nuncio, digits, is_warned):
    proxy = nuncio(gate(max_digits=digits), "--mode", "validate", ready=None, origin=9)
    assert proxy.wait_exit() == 0
    assert (f"a prime of {digits} digits keeps its worker busy" in proxy.stderr.text) == is_warned
