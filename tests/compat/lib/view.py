# SPDX-License-Identifier: Apache-2.0
"""Views: what is kept of an admin answer whose body differs between two right servers.

head        the head only
keys        a JSON body as its sorted key paths with the kinds of the values; what a node says of
            its build and its extensions is left out
json        a JSON body in one layout: spaces and the order of keys are no promise of Envoy's
stat-names  a /stats body as its names, without the values

The body's length and chunks go with the body. A view belongs to the step that reads the answer.
"""

import json
import re


def _body(message):
    head, _, body = message.partition(b"\r\n\r\n")
    if re.search(rb"(?i)\r\ntransfer-encoding: chunked", head):
        rest, body = body, b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            count = int(size, 16)
            body, rest = body + rest[:count], rest[count + 2:]
    return head, body


def _key_paths(value, path=""):
    if isinstance(value, dict):
        for key in value.keys() - {"extensions", "user_agent_build_version"}:
            inner = value[key]
            yield from _key_paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _key_paths(inner, f"{path}[]")
    else:
        yield f"{path} {type(value).__name__}"


def _show(kind, body):
    if kind == "head":
        return "(not compared)"
    if kind == "keys":
        return "\n".join(sorted(set(_key_paths(json.loads(body)))))
    if kind == "json":
        return json.dumps(json.loads(body), indent=1, sort_keys=True)
    if kind == "stat-names":
        return "\n".join(line.split(b": ")[0].decode("latin-1") for line in body.splitlines())
    raise ValueError(f"no such view: {kind}")


def apply_views(seen, views):
    """The connection's bytes with the viewed messages replaced by what is kept of them."""
    received, shown, at = seen["received"], b"", 0
    for begin, end, kind in views:
        head, body = _body(received[begin:end])
        head = re.sub(rb"(?i)\r\n(content-length|transfer-encoding): [^\r]*", b"", head)
        text = f"\r\n\r\n<{kind}>\n{_show(kind, body)}\n".encode("latin-1")
        shown, at = shown + received[at:begin] + head + text, end
    return {**seen, "received": shown + received[at:]}
