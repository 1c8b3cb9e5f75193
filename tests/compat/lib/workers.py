# SPDX-License-Identifier: Apache-2.0
"""What differs between two right servers once there is more than one worker.

A connection stays at the worker that accepted it, the kernel chooses which, and each worker has
connections to upstreams of its own. Envoy with two workers differs from its own recordings in the
same places. A case with one client connection needs only what is said of numbers and names.
"""

import re

# Names that a second worker adds to a list of statistics.
OTHER_WORKERS = re.compile(r"\bworker_[1-9]\d*\.")

# Statistics that are not compared, each pattern with its reason.
BY_WORKER = [
    (r"listener_manager\.listener_create_success", "counted by each worker, as in Envoy"),
]
BY_POOL = [
    (r"cluster\.[^.]*\.upstream_cx_(active|total|http1_total|http2_total|destroy.*)",
     "a worker opens connections of its own"),
    (r"cluster\.[^.]*\.upstream_cx_([rt]x_bytes_total|close_notify|idle_timeout)",
     "what HTTP/2 says once for each connection is said more often"),
    (r"cluster\.[^.]*\.upstream_rq_pending_total", "who finds no idle connection waits for one"),
    (r"cluster\.[^.]*\.(http[12]\.streams_active|circuit_breakers\..*_open)",
     "of the connections that a worker has left"),
]


def has_several_clients(observed):
    return len(observed.get("client", {})) > 1


def needs_one_worker(spec):
    """Cases that say so, and those with an HTTP/2 upstream: streams count on for each connection,
    and so do its scripts."""
    return "one_worker" in spec or any("h2" in upstream
                                       for upstream in (spec.get("upstreams") or {}).values())


def _messages(connections):
    """All that came over these connections, in pieces that do not depend on which of them it was."""
    text = "".join("".join(one["received"]) + "\n" for one in connections)
    pieces = re.split(r"(?=(?<![A-Z])[A-Z]+ \S+ HTTP/1\.[01]\r\n)|\n", text)
    return sorted(piece for piece in pieces if piece)


def without_workers(observed):
    """An observation without what the choice of the worker decides; changes it."""
    several = has_several_clients(observed)
    names = [pattern for pattern, _ in BY_WORKER + (BY_POOL if several else [])]
    for name in list(observed.get("stats", {})):
        if any(re.fullmatch(pattern, name) for pattern in names):
            del observed["stats"][name]
    for connection in observed.get("client", {}).values():
        connection["received"] = [line for line in connection["received"]
                                  if not OTHER_WORKERS.search(line)]
    if several:
        for name, lines in observed["log"].items():
            observed["log"][name] = sorted(lines)
        for name, connections in observed["upstream"].items():
            observed["upstream"][name] = _messages(connections)
    return observed
