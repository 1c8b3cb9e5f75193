# SPDX-License-Identifier: Apache-2.0
"""Functions that proxy-wasm plug-ins call by name (tests/guests/foreign.c). Statuses and bytes are those of
Envoy 1.36.4 to the same guest, but where a comment says otherwise."""
import base64
import subprocess
import zlib

import pytest

from test_wasm import BUILD, behind, plugin, proxy, shared_proxy, tools, wat  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/foreign.wasm"


def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def message(*fields):
    """Protobuf: pairs of a field's number and its value."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


@pytest.fixture
def running(proxy):  # pylint: disable=redefined-outer-name
    return lambda configuration="x", **options: proxy(plugin(configuration, code=GUEST, **options))


@pytest.fixture(scope="module")
def call(shared_proxy):  # pylint: disable=redefined-outer-name
    """A call leaves nothing behind."""
    process = shared_proxy(plugin("x", code=GUEST))

    def ask(name, arguments=b"", verb="call"):
        status, _, result = process.get("main", f"/{verb}/{name}/{arguments.hex()}").text.partition(" ")
        return int(status), bytes.fromhex(result)
    ask.process = process
    return ask


# --- Calling ----------------------------------------------------------------------------------------


def test_a_function_that_is_none_is_not_found_and_named(call):
    assert call("no_such_thing") == (1, b"")
    call.process.stderr.wait("no foreign function is called no_such_thing")


def test_a_result_needs_no_place(call):
    assert call("compress", b"hello", verb="null") == (0, b"")
    assert call("clear_route_cache", verb="null") == (0, b"")
    assert call("uncompress", b"\0", verb="null") == (3, b"")


def test_a_root_may_call(running):
    process = running("call compress " + b"hello".hex())
    process.stderr.wait("called 0 789ccb48cdc9c90700062c0215")
    arguments = message((1, "envoy.string"), (2, "x"))
    process = running("call set_envoy_filter_state " + arguments.hex())
    process.stderr.wait("called 1 ")  # there is no request


# --- zlib -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments,answer", [
    (b"", "789c030000000001"), (b"hello", "789ccb48cdc9c90700062c0215")])
def test_compress(call, arguments, answer):
    assert call("compress", arguments) == (0, bytes.fromhex(answer))


HELLO = zlib.compress(b"hello")


@pytest.mark.parametrize("arguments,answer", [
    (HELLO, (0, b"hello")), (zlib.compress(b""), (0, b"")), (b"", (3, b"")), (b"\x00\xff", (3, b"")),
    (HELLO[:-3], (3, b"")), (HELLO + b"\0\0", (0, b"hello")), (HELLO + HELLO, (0, b"hello")),
    (HELLO[:-1] + b"x", (3, b"")), (zlib.compress(b"ab" * 60000), (0, b"ab" * 60000))])
def test_uncompress(call, arguments, answer):
    assert call("uncompress", arguments) == answer


def test_what_comes_out_of_a_few_bytes_has_a_bound(call):
    """Envoy makes of them what they claim to be, and takes the memory for it."""
    bomb = zlib.compress(b"\0" * (64 * 1024 * 1024), 9)
    response = call.process.request("POST", "main", "/body/uncompress", bomb)
    assert response.text == "10 "
    call.process.stderr.wait("what comes out is too much")


# --- Filter state -----------------------------------------------------------------------------------


def state(path, value, span=0):
    return message((1, path), (2, value), (3, span))


@pytest.mark.parametrize("path,value,status", [
    ("envoy.string", "", 0), ("envoy.string", "x", 0), ("envoy.tcp_proxy.cluster", "c", 0),
    ("envoy.upstream.dynamic_host", "a.test", 0), ("envoy.upstream.dynamic_port", "8080", 0),
    ("envoy.upstream.dynamic_port", "70000", 0), ("envoy.upstream.dynamic_port", "", 2),
    ("envoy.upstream.dynamic_port", "x", 2), ("envoy.upstream.dynamic_port", "4294967296", 2),
    ("envoy.hashable_string", "x", 1), ("nothing", "x", 1), ("", "x", 1)])
def test_objects_in_filter_state(call, path, value, status):
    assert call("set_envoy_filter_state", state(path, value)) == (status, b"")


def test_logs_show_them(nuncio, origin):
    log = """          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {text_format_source: {inline_string: "%FILTER_STATE(envoy.string:PLAIN)% %FILTER_STATE(envoy.string)% %FILTER_STATE(envoy.upstream.dynamic_port:PLAIN)% %FILTER_STATE(envoy.upstream.dynamic_port)%\\n"}}
          route_config:
"""
    process = nuncio(behind(plugin("x", code=GUEST)).replace("          route_config:\n", log),
                     origin=origin().port)
    for path, value in (("envoy.string", "seen"), ("envoy.upstream.dynamic_port", "0080")):
        process.get("main", "/pass/set_envoy_filter_state/" + state(path, value, 1).hex())
    process.stdout.wait('seen "seen" - -\n')
    process.stdout.wait("- - 80 80\n")


# --- The route --------------------------------------------------------------------------------------

# Envoy 1.36.4 chooses the route anew by itself when a guest changes a request's headers, whatever its
# version of the ABI.
ROUTES = """              routes:
              - match: {prefix: /, headers: [{name: to, string_match: {exact: other}}]}
                direct_response: {status: 200, body: {inline_string: other}}
"""

OLD_GUEST = """(module
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "toother")
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 2) (i32.const 5)))
    (i32.const 0)))"""


def routed(nuncio, origin, code, path):
    config = behind(plugin("x", code=code)).replace("              routes:\n", ROUTES)
    return nuncio(config, origin=origin().port).get("main", path).text


@pytest.mark.parametrize("path", ["/route/", "/route/clear_route_cache"])
@pytest.mark.parametrize("abi", [b"0_2_0", b"0_2_1"])
def test_changed_headers_choose_the_route_anew(nuncio, origin, tmp_path, abi, path):
    code = tmp_path / "guest.wasm"
    code.write_bytes(GUEST.read_bytes().replace(b"proxy_abi_version_0_2_1", b"proxy_abi_version_" + abi))
    assert routed(nuncio, origin, code, path) == "other"


def test_they_do_in_the_oldest_version(nuncio, origin, tmp_path):
    assert routed(nuncio, origin, wat(tmp_path, OLD_GUEST), "/") == "other"


def test_messages_that_are_none(call):
    assert call("set_envoy_filter_state", b"\xff\xff") == (2, b"")
    assert call("set_envoy_filter_state", message((1, "envoy.string"), (2, b"\xff"))) == (2, b"")
    assert call("set_envoy_filter_state", message((1, "envoy.string"), (9, "x"))) == (0, b"")
    assert call("set_envoy_filter_state", b"") == (1, b"")


@pytest.mark.parametrize("span", [0, 1, 2, 3, 99])
def test_spans(call, span):
    assert call("set_envoy_filter_state", state("envoy.string", "x", span)) == (0, b"")


def test_an_object_that_nobody_would_look_for_is_refused_by_name(call):
    """Envoy has these."""
    arguments = state("envoy.network.upstream_server_name", "a.test")
    assert call("set_envoy_filter_state", arguments) == (1, b"")
    assert call("set_envoy_filter_state", arguments) == (1, b"")
    line = "envoy.network.upstream_server_name: known to Envoy, not implemented by nuncio"
    call.process.stderr.wait(line)
    assert call.process.stderr.text.count(line) == 1


# --- Signatures -------------------------------------------------------------------------------------


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for kind, options in (("rsa", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
                          ("ec", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("ed", ["ED25519"])):
        file = folder / kind
        file.write_bytes(openssl("genpkey", "-algorithm", *options))
        made[kind] = {"file": str(file), "pem": file.read_bytes(),
                      "public": openssl("pkey", "-in", file, "-pubout", "-outform", "DER"),
                      "public_pem": openssl("pkey", "-in", file, "-pubout"),
                      "private": openssl("pkcs8", "-topk8", "-nocrypt", "-in", file, "-outform", "DER")}
    return made


def verification(key, signature, digest="sha256", text="text", pem=b""):
    return message((1, digest), (2, key), (3, signature), (4, text), (5, pem))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512", "SHA512"])
def test_signatures_are_verified(call, keys, kind, digest):
    signature = openssl("dgst", "-" + digest.lower(), "-sign", keys[kind]["file"], data=b"text")
    right = verification(keys[kind]["public"], signature, digest)
    wrong = verification(keys[kind]["public"], signature, digest, text="other")
    assert call("verify_signature", right) == (0, message((1, 1)))
    assert call("verify_signature", wrong) == (0, message((2, "Failed to verify digest. Error code: 0")))


def test_what_cannot_be_verified(call, keys):
    rsa = keys["rsa"]["public"]
    signature = openssl("dgst", "-sha256", "-sign", keys["rsa"]["file"], data=b"text")
    no_key = message((2, "Failed to initialize digest verify."))
    failed = message((2, "Failed to verify digest. Error code: 0"))
    for arguments, answer in (
            (verification(rsa, signature, "md5"), message((2, "md5 is not supported."))),
            (verification(b"junk", signature, "Sha-256"), message((2, "Sha-256 is not supported."))),
            (verification(rsa, signature[:-1]), failed), (verification(rsa, b""), failed),
            (verification(rsa + b"x", signature), message((1, 1))),
            (verification(keys["ec"]["public"], signature), failed),
            (verification(keys["rsa"]["public_pem"], signature), no_key),
            (verification(keys["ed"]["public"], signature), no_key),
            (verification(b"junk", signature), no_key)):
        assert call("verify_signature", arguments) == (0, answer)
    assert call("verify_signature", b"\xff\xff") == (2, b"")


def test_a_key_has_one_form(call, keys):
    """Later versions of Envoy have PEM, and refuse none and both: 1.36 knows DER alone."""
    signature = openssl("dgst", "-sha256", "-sign", keys["rsa"]["file"], data=b"text")
    der, pem = keys["rsa"]["public"], keys["rsa"]["public_pem"]
    assert call("verify_signature", verification(b"", signature, pem=pem)) == (0, message((1, 1)))
    assert call("verify_signature", verification(der, signature, pem=pem)) == (2, b"")
    assert call("verify_signature", verification(b"", signature)) == (2, b"")


def signing(der=b"", pem=b"", digest="sha256"):
    return message((1, digest), (2, "text"), (3, der), (4, pem))


def test_a_key_is_no_longer_than_one_may_be(call, keys):
    """An exponent may be: it would hold the worker for minutes. A PEM may have text before it."""
    pem = keys["rsa"]["pem"]
    for room, error in ((8192, b""), (8193, b"Failed to initialize digest sign.")):
        status, result = call("sign", signing(pem=(b"-" * 8192)[:room - len(pem) - 1] + b"\n" + pem))
        assert status == 0 and result.endswith(error) and (result[:1] == b"\x08") == (error == b"")


def der_length(size):
    return bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")


def der_numbers(der):
    """Those of a SEQUENCE of INTEGERs, as bytes: an RSA key in the form of PKCS #1."""
    numbers, at = [], 4
    while at < len(der):
        size, at = der[at + 1], at + 2
        if size & 128:
            of_size = size & 127
            size, at = int.from_bytes(der[at:at + of_size], "big"), at + of_size
        numbers.append(int.from_bytes(der[at:at + size], "big"))
        at += size
    return numbers


def rsa_pem(numbers):
    contents = b""
    for number in numbers:
        value = number.to_bytes(number.bit_length() // 8 + 1, "big")
        contents += b"\x02" + der_length(len(value)) + value
    text = base64.encodebytes(b"\x30" + der_length(len(contents)) + contents)
    return b"-----BEGIN RSA PRIVATE KEY-----\n" + text + b"-----END RSA PRIVATE KEY-----\n"


def test_the_numbers_of_a_key_are_as_long_as_they_need_to_be(call, keys):
    """The longer ones sign as well, in a time that grows with them."""
    numbers = der_numbers(openssl("rsa", "-traditional", "-in", keys["rsa"]["file"],
                                  "-outform", "DER"))
    _, _, _, _, first, second, *_ = numbers
    status, result = call("sign", signing(pem=rsa_pem(numbers)))
    assert status == 0 and result.startswith(b"\x08\x01\x12")
    for place, order, shift in ((2, (first - 1) * (second - 1), 0), (3, (first - 1) * (second - 1), 8),
                                (6, first - 1, 1020), (7, second - 1, 1020), (6, first - 1, 2048)):
        longer = list(numbers)
        longer[place] += order << shift
        assert call("sign", signing(pem=rsa_pem(longer))) == (
            0, message((3, "Failed to initialize digest sign.")))


@pytest.mark.parametrize("options", [("bits:1024", "pubexp:3"), ("bits:2048", "primes:3"),
                                     ("bits:4096",)])
def test_keys_of_other_forms_sign(call, options):
    pairs = [word for option in options for word in ("-pkeyopt", "rsa_keygen_" + option)]
    status, result = call("sign", signing(pem=openssl("genpkey", "-algorithm", "RSA", *pairs)))
    assert status == 0 and result.startswith(b"\x08\x01\x12")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("form", ["private", "pem"])
def test_what_is_signed_can_be_verified(call, keys, kind, form, tmp_path):
    """Of later versions of Envoy as well."""
    key = keys[kind]
    arguments = signing(der=key["private"]) if form == "private" else signing(pem=key["pem"])
    status, result = call("sign", arguments)
    assert status == 0 and result.startswith(b"\x08\x01\x12")
    signature = result[5 if kind == "rsa" else 4:]  # behind a length of two bytes or one
    assert call("verify_signature", verification(key["public"], signature)) == (0, message((1, 1)))
    (tmp_path / "signature").write_bytes(signature)
    assert b"OK" in openssl("dgst", "-sha256", "-prverify", key["file"], "-signature",
                            tmp_path / "signature", data=b"text")


def test_what_cannot_be_signed(call, keys):
    no_key = message((3, "Failed to initialize digest sign."))
    locked = openssl("pkey", "-in", keys["rsa"]["file"], "-aes128", "-passout", "pass:x")
    for arguments in (signing(der=b"junk"), signing(pem=b"junk"), signing(pem=locked),
                      signing(pem=keys["ed"]["pem"]), signing(der=keys["rsa"]["public"])):
        assert call("sign", arguments) == (0, no_key)
    assert call("sign", signing(der=b"junk", digest="md5")) == (0, message((3, "md5 is not supported.")))
    assert call("sign", signing()) == (2, b"")
    assert call("sign", signing(keys["rsa"]["private"], keys["rsa"]["pem"])) == (2, b"")
    assert call("sign", b"\xff\xff") == (2, b"")
