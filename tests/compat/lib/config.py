# SPDX-License-Identifier: Apache-2.0
"""Builds the configuration of a case: a base, patched at named places, or the case's own text.

A patch merges mappings key by key; lists and scalars replace; null takes a key away. `${name}`
stands for the port of an upstream (or proxy, admin), `${dir}` for the folder of the run.
"""

import copy
import functools
import json
import pathlib
import re

import yaml

from . import guests

BASES = pathlib.Path(__file__).resolve().parent.parent / "bases"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
MESSAGES = {"rbac": "RBAC", "direct_response": "Config", "local_ratelimit": "LocalRateLimit",
            "set_filter_state": "Config",
            "sni_dynamic_forward_proxy": "FilterConfig"}
PATCHES = ("bootstrap", "listener", "chain", "hcm", "router", "route_config", "vhost", "route",
           "action", "routes", "log", "cluster", "protocol", "clusters",
           "downstream_tls", "upstream_tls", "tcp", "before", "alone", "cache", "forward", "wasm")


# LibYAML's, where PyYAML was built with it: ten times as fast as the same in Python.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load_yaml(text):
    return yaml.load(text, Loader=LOADER)


@functools.lru_cache(maxsize=None)
def _base(name):
    return load_yaml((BASES / f"{name}.yaml").read_text())


def load_base(name):
    """A base's tree, the caller's own."""
    return copy.deepcopy(_base(name))


def merge(into, patch):
    """Merges a patch into a mapping, in place."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _log_format(hcm, value):
    log_format = {"text_format_source": {"inline_string": value}}
    if isinstance(value, dict):
        log_format = value
    hcm["access_log"][0]["typed_config"]["log_format"] = log_format


def _protocol(cluster, patch):
    options = cluster.setdefault("typed_extension_protocol_options", {})
    merge(options.setdefault(PROTOCOL, {
        "@type": f"type.googleapis.com/{PROTOCOL}",
        "explicit_http_config": {"http_protocol_options": {}}}), patch)


def certificate(name):
    """A TlsCertificate of two files that a case copies by `pki`."""
    return {"certificate_chain": {"filename": "${dir}/%s.crt" % name},
            "private_key": {"filename": "${dir}/%s.key" % name}}


def _named_certificates(context):
    """In a case a certificate may be given as its name."""
    common = context.get("common_tls_context", {})
    if "tls_certificates" in common:
        common["tls_certificates"] = [certificate(one) if isinstance(one, str) else one
                                      for one in common["tls_certificates"]]


def _transport(place, kind, patch):
    """Puts TLS on a chain or a cluster: the message as the case gives it."""
    context = copy.deepcopy(patch)
    _named_certificates(context)
    place["transport_socket"] = {"name": "envoy.transport_sockets.tls",
                                 "typed_config": {"@type": TLS + kind, **context}}


def _more_clusters(clusters, names):
    for name in names:
        extra = load_base("proxy")["static_resources"]["clusters"][0]
        if isinstance(name, dict):  # {name: ..., patch...}
            merge(extra, name)
            name = name["name"]
        extra["name"] = name
        if "load_assignment" in extra:
            extra["load_assignment"]["cluster_name"] = name
        clusters.append(json.loads(json.dumps(extra).replace("${origin}", "${%s}" % name)))


def _typed(filters):
    """Filters as {name: config}, with Envoy's full names and types put in."""
    full = []
    for (name, config), in (entry.items() for entry in filters):
        message = MESSAGES.get(name, name.title().replace("_", ""))
        type_url = f"type.googleapis.com/envoy.extensions.filters.network.{name}.v3.{message}"
        full.append({"name": f"envoy.filters.network.{name}",
                     "typed_config": {"@type": type_url, **(config or {})}})
    return full


def _http_places(hcm):
    routes = hcm["route_config"]
    vhost = routes["virtual_hosts"][0]
    return {"hcm": hcm, "router": hcm["http_filters"][-1]["typed_config"],
            "route_config": routes, "vhost": vhost, "route": vhost["routes"][0],
            "action": vhost["routes"][0]["route"]}


def _forward(hcm, cluster, case):
    """Patches of a forward proxy (base: forward): its filter, and what filter and cluster both say
    of the DNS cache."""
    of_filter = hcm["http_filters"][0]["typed_config"]
    merge(of_filter, case.get("forward", {}))
    for owner in (of_filter, cluster["cluster_type"]["typed_config"]):
        if "dns_cache_config" in owner:
            merge(owner["dns_cache_config"], case.get("cache", {}))


def build(case):
    """The configuration of a case as a tree, with its placeholders."""
    tree = load_base(case.get("base", "proxy"))
    listener = tree["static_resources"]["listeners"][0]
    chain = listener["filter_chains"][0]
    filters = chain["filters"]
    last = filters[0]["typed_config"]
    cluster = tree["static_resources"]["clusters"][0]
    places = {"bootstrap": tree, "listener": listener, "chain": chain, "cluster": cluster}
    places.update(_http_places(last) if "route_config" in last else {"tcp": last})
    for name, place in places.items():
        merge(place, case.get(name, {}))
    if "cache" in case or "forward" in case:
        _forward(last, cluster, case)
    if "before" in case:
        filters[:0] = _typed(case["before"])
    if "alone" in case:
        filters[:] = _typed(case["alone"])
    if "wasm" in case:
        last["http_filters"][:0] = guests.filters(case["wasm"], merge)
    if "routes" in case:
        places["vhost"]["routes"] = case["routes"]
    if "log" in case:
        _log_format(last, case["log"])
    if "protocol" in case:
        _protocol(cluster, case["protocol"])
    if "downstream_tls" in case:
        _transport(chain, "DownstreamTlsContext", case["downstream_tls"])
    if "upstream_tls" in case:
        _transport(cluster, "UpstreamTlsContext", case["upstream_tls"])
        if "connect_timeout" not in case.get("cluster", {}):
            cluster["connect_timeout"] = "10s"  # a handshake with a script takes longer than a connection
    _more_clusters(tree["static_resources"]["clusters"], case.get("clusters", []))
    return tree


def template(case):
    """What the server is given, with placeholders: the text of the configuration file."""
    if "config" in case:
        return case["config"]
    return yaml.dump(build(case), Dumper=DUMPER, sort_keys=False, width=4096)


def fill(text, values):
    """Puts the values in; a quoted placeholder alone becomes a number where it is one."""
    def value(match):
        name = match.group(1) or match.group(2)
        return str(values[name])
    return re.sub(r"""['"]\$\{(\w+)\}['"]|\$\{(\w+)\}""", value, text)
