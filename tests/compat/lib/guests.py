# SPDX-License-Identifier: Apache-2.0
"""Guests of wasm: what the build made of tests/guests and of the examples in C, as a case names them.

A recording holds the hash of a guest's source, since two compilers make two modules of it that say the
same.
"""

import copy
import hashlib
import os
import pathlib
import re

from .wire import has_ipv6

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDERS = (ROOT / "tests" / "guests", ROOT / "examples" / "wasm" / "c")
WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
STRING = "type.googleapis.com/google.protobuf.StringValue"


def build_folder():
    """Where the modules are: NU_BUILD, else the folder of the nuncio that is tested, else build/."""
    nuncio = os.environ.get("NUNCIO")
    return pathlib.Path(os.environ.get("NU_BUILD") or (nuncio and os.path.dirname(nuncio))
                        or ROOT / "build").absolute()


def module(name):
    return build_folder() / "tests" / "guests" / f"{name}.wasm"


def _source(name):
    for folder in FOLDERS:
        for suffix in (".c", ".wat"):
            if (folder / f"{name}{suffix}").exists():
                return folder / f"{name}{suffix}"
    raise ValueError(f"no guest in tests/guests or examples/wasm/c: {name}")


def _texts(path):
    """A source, and those beside it that it includes."""
    text = path.read_text()
    yield text
    for name in re.findall(r'^#include "(.*)"', text, re.M):
        if (path.parent / name).exists() and path.parent == FOLDERS[0]:
            yield from _texts(path.parent / name)


def hashes(names):
    return {name: hashlib.sha256("".join(_texts(_source(name))).encode()).hexdigest()
            for name in names}


# --- The key `wasm` of a case: plug-ins in front of the other filters --------------------------------


def _plugins(value):
    """As mappings: one may be given alone, or as the name of its guest."""
    several = value if isinstance(value, list) else [value]
    return [{"guest": one} if isinstance(one, str) else one for one in several]


def has_several_plugins(case):
    return len(_plugins(case.get("wasm", []))) > 1


def names_of(case):
    """The guests that a case needs."""
    named = [plugin["guest"] for plugin in _plugins(case.get("wasm", []))]
    return sorted({*named, *case.get("guests", [])})


def _filter(plugin, merge):
    guest = plugin["guest"]
    config = {"name": guest, "vm_config": {
        "vm_id": guest, "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": "${dir}/%s.wasm" % guest}}}}
    patch = {key: value for key, value in copy.deepcopy(plugin).items() if key != "guest"}
    for place in (patch, patch.get("vm_config", {})):
        if isinstance(place.get("configuration"), str):
            place["configuration"] = {"@type": STRING, "value": place["configuration"]}
    merge(config, patch)
    return {"name": f"wasm.{config['name']}", "typed_config": {"@type": WASM, "config": config}}


def filters(value, merge):
    return [_filter(plugin, merge) for plugin in _plugins(value)]


# --- What may be missing ----------------------------------------------------------------------------


def lacking(case, is_envoy):
    """What this machine has not that the case needs; None if all is there."""
    names = names_of(case)
    if case.get("needs") == "ipv6" and not has_ipv6():
        return "needs ::1"
    if any(not module(name).exists() for name in names):
        return "needs clang and lld, or wabt"
    if names and not is_envoy and not (build_folder() / "nuncio-wasm-v8.so").exists():
        return "needs libnode-dev"
    return None


# --- What guests logged -----------------------------------------------------------------------------


LOG_LINE = re.compile(r"^\[[^]]*\]\[\d+\]\[(\w+)\]\[wasm\] (?:\[[^]]*\] )?wasm log([^:]*): (.*)$",
                      re.M)


def log_lines(stderr, has_names):
    """The lines of guests' logs, without times and threads: "info one root vm: text". With one plug-in
    they have no names, for Envoy leaves that of the plug-in out where a root context speaks."""
    return [f"{level}{names + ':' if has_names else ''} {text}"
            for level, names, text in LOG_LINE.findall(stderr)]
