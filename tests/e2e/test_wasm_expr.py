# SPDX-License-Identifier: Apache-2.0
"""CEL expressions that proxy-wasm plug-ins make and evaluate (tests/guests/foreign.c). What is expected is
what Envoy 1.36.4 answered to the same guest, but where a comment says otherwise."""
import struct

import pytest

from test_wasm_foreign import message
from test_wasm import BUILD, plugin, proxy, shared_proxy, tools  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/foreign.wasm"


@pytest.fixture
def running(proxy):  # pylint: disable=redefined-outer-name
    return proxy(plugin("x", code=GUEST))


@pytest.fixture(scope="module")
def shared(shared_proxy):  # pylint: disable=redefined-outer-name
    return shared_proxy(plugin("x", code=GUEST))


def evaluate(process, expression):
    response = process.get("main", "/expr/" + expression.encode().hex(), {"x-a": "b", "Referer": "r"})
    status, _, result = response.text.partition(" ")
    return int(status), bytes.fromhex(result)


def call(process, name, arguments):
    status, _, result = process.get("main", f"/call/{name}/{arguments.hex()}").text.partition(" ")
    return int(status), bytes.fromhex(result)


def number(n):
    return struct.pack("<q", n)


def pairs(*entries):
    """A list's items are keys without a value."""
    out = struct.pack("<I", len(entries))
    for key, value in entries:
        out += struct.pack("<II", len(key), len(value))
    for key, value in entries:
        out += key + b"\0" + value + b"\0"
    return out


@pytest.mark.parametrize("expression,result", [
    ("1 + 2", number(3)), ("-7 / 2", number(-3)), ("2u", number(2)), ("1.5", struct.pack("<d", 1.5)),
    ("'a' + 'b'", b"ab"), ("b'\\xff'", b"\xff"), ("1 < 2u", b"\1"), ("false || 1 == 2", b"\0"),
    ("timestamp('1970-01-01T00:00:01.5Z')", number(1500000000)), ("duration('-1.5s')", number(-1500000000)),
    ("[1, 'a']", pairs((number(1), b""), (b"a", b""))), ("[]", bytes(4)), ("{}", bytes(4)),
    ("{'a': [true]}", pairs((b"a", pairs((b"\1", b""))))),
    ("[1, 2, 3].filter(x, x > 1).map(x, string(x))", pairs((b"2", b""), (b"3", b"")))])
def test_values(shared, expression, result):
    assert evaluate(shared, expression) == (0, result)


@pytest.mark.parametrize("expression,result", [
    ("request.method", b"GET"), ("request.headers['x-a']", b"b"), ("request.headers.host == request.host", b"\1"),
    ("has(request.headers.none)", b"\0"), ("'x-a' in request.headers", b"\1"), ("request.referer", b"r"),
    ("request.path.startsWith('/expr/') && request.path.matches('^/[a-z]+/[0-9a-f]+$')", b"\1"),
    ("request.headers.exists(k, k == ':path')", b"\1"), ("request.time.getFullYear() > 2020", b"\1"),
    ("source.address.startsWith('127.0.0.1:') && source.port > 0", b"\1"), ("type(request.size) == int", b"\1"),
    ("connection.mtls ? 'a' : 'b'", b"b"), ("plugin_name + plugin_root_id + plugin_vm_id", b"onerootvm"),
    ("xds.cluster_name", b"origin"), ("has(request.nothing) || has(response.code)", b"\0"),
    ("{'m': request.method}", pairs((b"m", b"GET"))), ("request.nothing == 1 || true", b"\1")])
def test_attributes(shared, expression, result):
    assert evaluate(shared, expression) == (0, result)


@pytest.mark.parametrize("expression,status", [
    ("1 +", 22), ("nothing(1)", 22), ("as", 22), ("Foo{}", 22), ("has(1)", 22), ("9223372036854775808", 22),
    ("1 / 0", 10), ("nothing", 10), ("request.nothing", 10), ("[1][1]", 10), ("1 + 'a'", 10), ("1 && true", 10),
    ("'a'.matches('(')", 10), ("null", 3), ("[null]", 3), ("int", 3)])
def test_what_has_no_value(shared, expression, status):
    assert evaluate(shared, expression) == (status, b"")


@pytest.mark.parametrize("steps,status", [(4, 0), (5, 10)])
def test_how_deep_a_value_may_be(shared, steps, status):
    """Macros make values that are far deeper than their expression: Envoy tells them all."""
    deeper = ".map(x, " + "[" * 40 + "x" + "]" * 40 + ")"
    assert evaluate(shared, "[0]" + deeper * steps)[0] == status


def declared(proxy, fields, name, expression):  # pylint: disable=redefined-outer-name
    process = proxy(plugin("call declare_property " + message(*fields).hex(), code=GUEST))
    process.stderr.wait("called 0 ")
    return process.get("main", f"/set/{name}/" + expression.encode().hex()).text


# A property's declaration: type 1 is a string, 0 bytes.
@pytest.mark.parametrize("fields,answer", [
    ([(1, "p")], "0 00 00"), ([(1, "p"), (3, 1)], "0 01 00"), ([(1, "p"), (2, 1)], "0 00 02"),
    ([(1, "p"), (2, 1), (3, 1), (5, 1)], "0 01 02"), ([(1, "q"), (2, 1), (3, 1)], "0 00 00")])
def test_declared_properties(proxy, fields, answer):  # pylint: disable=redefined-outer-name
    assert declared(proxy, fields, "p", "type(p) == string") == answer


def test_a_value_that_stays(proxy):  # pylint: disable=redefined-outer-name
    assert declared(proxy, [(1, "p"), (2, 1)], "p", "p") == "0 61 02"


def test_declarations_that_are_none(proxy):  # pylint: disable=redefined-outer-name
    process = proxy(plugin("call declare_property ffff", code=GUEST))
    process.stderr.wait("called 2 ")


def test_tokens(running):
    first = call(running, "expr_create", b"1")
    second = call(running, "expr_create", b"2")
    assert first[0] == second[0] == 0 and len(first[1]) == len(second[1]) == 4 and first != second
    assert call(running, "expr_evaluate", second[1]) == (0, number(2))
    assert call(running, "expr_delete", first[1]) == (0, b"")
    assert call(running, "expr_evaluate", first[1]) == (1, b"")
    assert call(running, "expr_delete", first[1]) == (0, b"")
    assert call(running, "expr_evaluate", second[1]) == (0, number(2))
    for name in ("expr_evaluate", "expr_delete"):
        assert call(running, name, b"\0\0\0") == (2, b"")


@pytest.mark.parametrize("expression,count", [(b"'a'.matches('a')", 200), (b"1", 1000)])
def test_a_root_has_so_many_expressions(running, expression, count):
    """Envoy has no such bounds."""
    statuses = [call(running, "expr_create", expression)[0] for _ in range(count + 1)]
    assert statuses == count * [0] + [10]
    running.stderr.wait("expr_create: too many expressions")
    assert running.stderr.text.count("expr_create: too many expressions") == 1


def test_an_evaluation_takes_so_much(running):
    """Nor such a one."""
    ten = "[1,2,3,4,5,6,7,8,9,0]"
    expression = "".join(f"{ten}.all(x{i}, " for i in range(9)) + "true" + ")" * 9
    assert evaluate(running, expression) == (10, b"")
    nested = "[[1]]" + ".map(x, [x, x])" * 14
    assert evaluate(running, nested)[0] in (0, 10)
    assert evaluate(running, "'a' + 'b'") == (0, b"ab")
