# SPDX-License-Identifier: Apache-2.0
"""Tables in Markdown from result files (one JSON object per measurement and line)."""
import json
import os
import platform
import re
import statistics
import subprocess
import time

from peers import PEERS
from scenarios import SCENARIOS

FOOTPRINT = {"startup": "start to the first answer", "idle": "10,000 idle connections"}

# Title, field, format, and the scenarios (all that have the field if None).
TABLES = [
    ("CPU time per request, in µs", "cpu_us", "{:.1f}", None),
    ("of which in user mode, in µs", "user_us", "{:.1f}", None),
    ("System calls per request", "syscalls", "{:.2f}", None),
    ("User instructions per request", "instructions", "{:,.0f}", None),
    ("TLS handshakes per second of CPU time", "handshakes", "{:,.0f}", None),
    ("Requests per second", "rps", "{:,.0f}", None),
    ("Median latency, in µs", "p50", "{:,.0f}", None),
    ("99th percentile, in µs", "p99", "{:,.0f}", None),
    ("Time from the start to the first answer, in ms", "ready_ms", "{:.0f}", None),
    ("Memory (RSS), in KiB", "rss_kib", "{:,.0f}",
     ("startup", "idle", "keepalive-1024", "download-100m", "upload-100m", "hosts-10000",
      "paths-10000")),
    ("Memory per idle connection, in bytes", "bytes_per_connection", "{:,.0f}", None),
    ("Size of the executable, in KiB", "executable_kib", "{:,.0f}", None),
]
MORE_IS_BETTER = {"rps", "handshakes"}


def load_results(files):
    results = {}
    for file in files:
        with open(file) as f:
            for line in f:
                row = json.loads(line)
                results.setdefault((row["scenario"], row["peer"]), []).append(row)
    return results


def cell(rows, field):
    values = [row[field] for row in rows if field in row]
    return statistics.median(values) if values else None


def best_of(values, field):
    real = {peer: value for peer, value in values.items() if value is not None and peer != "floor"}
    pick = max if field in MORE_IS_BETTER else min
    return pick(real, key=real.get) if real else None


def table_rows(results, peers, names, field, form):
    for name in names:
        values = {peer: cell(results.get((name, peer), []), field) for peer in peers}
        if not any(value is not None for value in values.values()):
            continue
        best = best_of(values, field)
        cells = ["" if value is None else form.format(value) for value in values.values()]
        cells = [f"**{text}**" if peer == best else text for peer, text in zip(peers, cells)]
        yield f"| {name} | " + " | ".join(cells) + " |"


def tables(results):
    peers = [name for name in PEERS if any(key[1] == name for key in results)]
    all_names = [scenario.name for scenario in SCENARIOS] + list(FOOTPRINT)
    for title, field, form, names in TABLES:
        rows = list(table_rows(results, peers, names or all_names, field, form))
        if rows:
            yield f"\n### {title}\n\n| scenario | {' | '.join(peers)} |"
            yield "|---" * (len(peers) + 1) + "|"
            yield from rows


def failures(results):
    seen = {(scenario, peer, row["error"].splitlines()[0][:120])
            for (scenario, peer), rows in results.items() for row in rows if "error" in row}
    if seen:
        yield "\nNot measured:\n"
    for scenario, peer, error in sorted(seen):
        yield f"- {scenario}, {peer}: {error}"


def version_of(peer):
    if not peer.version():
        return ""
    done = subprocess.run([peer.path, *peer.version()], capture_output=True, text=True,
                          check=False)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found[0] if found else ""


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        found = re.search(r"model name\s*: (.*)", f.read())
        model = found[1] if found else model
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def page(results, command):
    """The page for docs/."""
    measured = {peer for _, peer in results}
    scenarios = {scenario for scenario, _ in results}
    yield f"""# Benchmark

Made by `{command}` on {time.strftime("%Y-%m-%d")} ({machine()});
[bench/README.md](../bench/README.md) says how each figure comes about and how far to trust it. One
worker each, on a core of its own; client and origin share another. The best proxy of a row is in
bold; compare within a row only.

| column | version | |
|---|---|---|"""
    for name in PEERS:
        if name in measured:
            yield f"| {name} | {version_of(PEERS[name])} | {PEERS[name].note} |"
    yield "\n| scenario | what it does |\n|---|---|"
    described = {scenario.name: scenario.what for scenario in SCENARIOS} | FOOTPRINT
    for name, what in described.items():
        if name in scenarios:
            yield f"| {name} | {what} |"
    yield from tables(results)
    yield from failures(results)
