# SPDX-License-Identifier: Apache-2.0
"""What guests read of a request and leave there for others: tests/guests/properties.c asks for what a
request names. What a real Envoy says to the same questions is in tests/compat/cases/wasm_properties;
here is what has no like in Envoy, and what takes many requests."""
import pytest

from configs import GATED, PROXY
from test_wasm import BUILD, STRING, WASM, tools  # noqa: F401  pylint: disable=unused-import

GUEST = BUILD / "tests/guests/properties.wasm"
VERDICT = "metadata/filter_metadata/nuncio.filters.http.prime_authz/verdict"


def plugin(name="one", configuration=""):
    return f"""          - name: {name}
            typed_config:
              "@type": {WASM}
              config:
                name: {name}
                configuration: {{"@type": {STRING}, value: "{configuration}"}}
                vm_config:
                  vm_id: {name}
                  runtime: envoy.wasm.runtime.v8
                  code: {{local: {{filename: {GUEST}}}}}
"""


def log_of(form):
    return f"""          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {form}
"""


def behind(*plugins, base=PROXY, log=""):
    marker = "          - name: envoy.filters.http.router\n"
    config = base.replace(marker, "".join(plugins) + marker)
    return config.replace("          stat_prefix: main\n", "          stat_prefix: main\n" + log)


def answer(proxy, path="/", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return proxy.get("main", path, headers).headers["answer"].strip()


def test_dynamic_metadata_of_a_native_filter_are_read(nuncio, origin):
    proxy = nuncio(behind(plugin(), base=GATED), origin=origin().port)
    assert answer(proxy, token="7", at_request=VERDICT) == f"request: {VERDICT}='prime'"
    space = b"nuncio.filters.http.prime_authz"
    message = b"\x0a\x37\x0a\x1f" + space + b"\x12\x14\x0a\x12\x0a\x07verdict\x12\x07\x1a\x05prime"
    assert answer(proxy, token="7", at_request="metadata") == "request: metadata=0x" + message.hex()


def test_what_a_guest_sets_is_in_logs_of_both_forms(nuncio, origin):
    text = '{text_format_source: {inline_string: "%FILTER_STATE(wasm.own:PLAIN)%|' \
           '%FILTER_STATE(wasm.own:PLAIN):2%|%FILTER_STATE(wasm.none:PLAIN)%\\n"}}'
    proxy = nuncio(behind(plugin(), log=log_of(text)), origin=origin().port)
    answer(proxy, set="own=value")
    proxy.stdout.wait("value|va|-\n")
    json = '{json_format: {typed: "%FILTER_STATE(wasm.own)%", plain: "%FILTER_STATE(wasm.own:PLAIN)%"}}'
    proxy = nuncio(behind(plugin(), log=log_of(json)), origin=origin().port)
    answer(proxy, set="own=value")
    proxy.stdout.wait('{"plain":"value","typed":{"@type":"type.googleapis.com/google.protobuf.BytesValue",'
                      '"value":"dmFsdWU="}}\n')


def test_another_plugin_reads_what_one_has_set(nuncio, origin):
    # each leaves its answers under one name, at the end of the request's headers: those of the second stay
    form = '{text_format_source: {inline_string: "%FILTER_STATE(wasm.answer:PLAIN)%\\n"}}'
    proxy = nuncio(behind(plugin("one"), plugin("two"), log=log_of(form)), origin=origin().port)
    assert proxy.get("main", "/", {"set": "own=1", "at-start": "plugin_name, own"}).status == 200
    proxy.stdout.wait("start: plugin_name='two' own='1' \n")


def test_header_values_of_a_property_take_no_memory_of_the_stream(nuncio, origin):
    proxy = nuncio(behind(plugin()), origin=origin().port)
    asked = ", ".join(["?request/headers/x-two"] * 300)
    text = answer(proxy, x_two="a" * 1000, at_request=asked)
    assert text.count("=?1000") == 300


def asker(peer):
    """Gives a function that sends a request with a line more over this connection."""
    def ask(line):
        peer.send(f"GET / HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n".encode())
        start = peer.used
        peer.wait_message(is_response=True)
        return bytes(peer.received[start:])
    return ask


def test_what_stays_with_a_connection_has_a_bound(nuncio, origin):
    names = [f"n{i}" for i in range(140)]
    proxy = nuncio(behind(plugin(configuration=", ".join(f"{name}=002" for name in names))),
                   origin=origin().port)
    ask = asker(proxy.connect())
    value = "x" * 8000
    for _ in range(200):  # a megabyte and a half, one over the other
        assert b"!" not in ask(f"set: n0={value}")
    full = [name for name in names if f"{name}!10".encode() in ask(f"set: {name}={value}")]
    assert 5 < len(full) < 15 and full == names[-len(full):]
    assert b"n1=?8000" in ask("at-request: ?n1")
    assert b"n1=1" in proxy.get("main", "/", {"at-request": "n1"}).headers["answer"].encode()


@pytest.mark.parametrize("name,value", [
    ("node/id", "'me'"), ("cluster_name", "'origin'"), ("route_name", "''"),
    ("listener_direction", "0x0000000000000000"), ("cluster_metadata", "''"),
    ("upstream_host_metadata", "3"), ("node/nothing", "1"),
])
def test_names_of_earlier_envoys_are_known(nuncio, origin, name, value):
    proxy = nuncio("node: {id: me, cluster: here}\n" + behind(plugin()), origin=origin().port)
    assert answer(proxy, at_response=name) == f"response: {name}={value}"


def test_declarations_end_where_they_are_too_many(nuncio, origin):
    """What is declared to stay with the connection does; the last ones are not, and end with a request."""
    many = ", ".join(f"p{i}=002" for i in range(1030))
    proxy = nuncio(behind(plugin(configuration=many)), origin=origin().port)
    ask = asker(proxy.connect())
    for name, answer in (("p0", b"p0='1'"), ("p1023", b"p1023='1'"), ("p1024", b"p1024=1"),
                         ("p1029", b"p1029=1")):
        ask(f"set: {name}=1")
        assert b"request: " + answer in ask(f"at-request: {name}")
