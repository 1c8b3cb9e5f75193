# SPDX-License-Identifier: Apache-2.0
"""Runs one case against one server and gives what was seen, normalised, as plain data."""

import os
import pathlib
import re
import shutil
import tempfile
import time

import normalise

from . import config, guests, tls
from .dns import Dns
from .script import Client, Signals, Upstream
from .server import Server, StartFailure, read_stats
from .view import apply_views
from .wire import reserve_port

SETTLE_SECONDS = 0.03
SETTLE_LIMIT = 30
PATIENCE_SECONDS = 10


class Run:
    """The folder, the reserved ports and the server of one run of a case."""

    def __init__(self, case, program):
        self.case, self.program = case, program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="compat-run-"))
        self.signals = Signals()
        self.upstreams = {name: Upstream(name, spec, self.signals)
                          for name, spec in self._upstream_specs().items()}
        self.dns = Dns(case.spec["dns"]) if "dns" in case.spec else None
        self.held = {name: reserve_port() for name in ("proxy", "proxy2", "admin")}
        self.ports = {name: sock.getsockname()[1] for name, sock in self.held.items()}
        self.ports.update({name: up.port for name, up in self.upstreams.items()})
        if self.dns:
            self.ports["dns"] = self.dns.port

    def _upstream_specs(self):
        specs = dict(self.case.spec.get("upstreams") or {})
        specs.setdefault("origin", None)
        return specs

    def fill(self, text):
        return config.fill(text, {**self.ports, "dir": self.folder})

    def write_files(self):
        """Writes the configuration and the extra files of the case; gives the former's path."""
        spec = self.case.spec
        for name, text in tls.files_of(spec.get("pki", ())).items():
            (self.folder / name).write_text(text)
        for name in guests.names_of(spec):
            shutil.copyfile(guests.module(name), self.folder / f"{name}.wasm")
        for name, text in (spec.get("files") or {}).items():
            (self.folder / name).write_text(self.fill(text))
        if spec.get("file", "envoy.yaml") is None:
            return None
        path = self.folder / spec.get("file", "envoy.yaml")
        path.write_text(self.fill(config.template(spec)))
        return path

    def client_steps(self):
        """The client's script with the ports put in: a request may name one."""
        return [{key: self.fill(value) if isinstance(value, str) else value
                 for key, value in step.items()} if isinstance(step, dict) else step
                for step in self.case.spec.get("client") or []]

    def replace_file(self, name, text):
        """Gives a file new contents as Envoy wants it: a new one, moved over the old one."""
        path = self.folder / name
        new = path.with_name(path.name + ".new")
        new.write_text(self.fill(text))
        new.rename(path)

    def args(self):
        """The case's arguments; nuncio may be given more, where it needs a word to act as Envoy."""
        more = [] if self.program.is_envoy else self.case.spec.get("nuncio", {}).get("args", [])
        return [self.fill(arg) for arg in [*self.case.spec.get("args", []), *more]]

    def start(self):
        path = self.write_files()
        return Server(self.program, path, self.args(), self.folder, self.case.spec.get("env"))

    def close(self):
        for upstream in self.upstreams.values():
            upstream.finish()
            upstream.close()
        for sock in self.held.values():
            sock.close()
        if self.dns:
            self.dns.close()
        if os.environ.get("COMPAT_KEEP") is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def port_names(self, client=None):
        names = {}
        if client:
            names.update({port: name for name, port in client.local_ports.items()})
        for name, upstream in self.upstreams.items():
            names.update({port: f"{name}#{n}" for n, port in enumerate(upstream.ports)})
        # A client on another address may have the number of a port of ours by chance.
        names.update({port: name for name, port in self.ports.items()})
        return names


def observe(case, program, agrees=None):
    """Gives (observed, trouble): trouble is None when every step got what it waited for.

    On a busy machine the server may need more than the usual moments. agrees(part=seen) says whether a
    part of the observation is as it should be; one that is not yet is waited for, within a limit. The
    recorder has nothing to agree with, and knows the case to be stable by its second run; it waits for
    the ends of the upstreams' scripts.
    """
    run = Run(case, program)
    try:
        if case.kind == "validate":
            return _observe_validate(run)
        if case.kind == "exit":
            return _observe_exit(run)
        return _observe_proxy(run, agrees or (lambda **seen: "upstream" not in seen))
    finally:
        run.close()


def observe_validation(case, program):
    """What --mode validate says of a case of any kind."""
    run = Run(case, program)
    try:
        return _observe_validate(run)[0]
    finally:
        run.close()


def _observe_validate(run):
    path = run.write_files()
    args = ["--mode", "validate", *run.args()]
    return _observe_process(run, Server(run.program, path, args, run.folder))


def _observe_exit(run):
    for upstream in run.upstreams.values():
        upstream.start()
    return _observe_process(run, run.start())


def _observe_process(run, server):
    try:
        code = server.wait_exit()
    except Exception:
        server.stop()
        raise
    names = run.port_names()
    stdout = _text("text", server.output("stdout"), names)
    stderr = _text("text", server.output("stderr"), names)
    error = _envoy_error(stderr) if run.program.is_envoy else stderr
    return {"exit": code, "stdout": stdout.splitlines(), "error": error}, None


def _envoy_error(stderr):
    """The reason that Envoy gives, without its log preamble, its dumps and its offsets.

    Its texts repeat the whole configuration in an order that changes from run to run.
    """
    found = (re.search(r"Proto constraint validation failed \(.*?\)$", stderr, re.M)
             or re.search(r"INVALID_ARGUMENT:.*?(?=\) has unknown|\): \{|\)$)", stderr, re.M)
             or re.search(r"\[critical\]\[\w+\] \[[^]]*\] (.*)", stderr)
             or re.search(r"PARSE ERROR.*\n.*", stderr))
    text = " ".join((found.group(found.lastindex or 0) if found else "").split())
    return re.sub(r"near 1:\d+ \(offset \d+\)", "near ...", text)[:600]


def _observe_proxy(run, agrees):
    for upstream in run.upstreams.values():
        upstream.start()
    server = run.start()
    try:
        server.wait_ready(run.ports["admin"])
        return _exchange(run, server, agrees)
    except StartFailure as failure:
        return {"start": "failed"}, str(failure)
    except OSError as failure:  # its admin port is gone
        server.stop()
        return {"exit": server.process.returncode}, f"{failure}; " + server.last_words()
    finally:
        server.stop()


def _seen_by_client(run, client, agrees):
    """What the client's connections received and how they stand: (raw, normalised)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        raw = client.linger()
        names = run.port_names(client)
        seen = {name: _connection(apply_views(one, client.views.get(name, [])), names)
                for name, one in raw.items()}
        if agrees(client=seen) or time.monotonic() > deadline:
            return raw, seen


def _exchange(run, server, agrees):
    admin, ends = run.ports["admin"], run.case.spec.get("ends", False)
    since = run.case.spec.get("since")
    before, said = _counted_from(since, read_stats(admin)), _said_before(run, server)
    client = Client(run.ports, run.signals, lambda: read_stats(admin), server.send_signal,
                    run.replace_file, run.dns and run.dns.answers)
    trouble = client.run(run.client_steps())
    raw, seen_by_client = _seen_by_client(run, client, agrees)
    client.close()

    def moved(stats):
        return _moved(before, stats, run.port_names(client), _service_time_slack(raw),
                      _compressed_sides(run.case.spec))

    after = before if ends else _settle(admin, lambda stats: agrees(stats=moved(stats)))
    said_by_guests = _seen_of_guests(run, server, said, agrees)
    exit_code = server.wait_exit() if ends else None
    seen_by_upstreams = _seen_by_upstreams(run, client, agrees)
    if not ends:
        exit_code = server.stop()
    names = run.port_names(client)
    observed = {
        "client": seen_by_client,
        "upstream": seen_by_upstreams,
        "log": _log_lines(run, names),
        "stats": moved(after),
        "exit": exit_code,
    }
    if said_by_guests is not None:
        observed["guest"] = said_by_guests
    if run.dns:
        observed["dns"] = list(run.dns.asked)
    troubles = [trouble, *(t for up in run.upstreams.values() for t in up.troubles)]
    if exit_code != 0:
        troubles.append(server.last_words())
    return observed, "; ".join(filter(None, troubles)) or None


def _said_before(run, server):
    """How much of stderr is not looked at: with `since: start` all of it is. What guests say as they
    start may be written a moment after the server is ready: it is waited for until nothing more comes."""
    if run.case.spec.get("since"):
        return 0
    said = len(server.output("stderr"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while guests.names_of(run.case.spec) and time.monotonic() < deadline:
        time.sleep(SETTLE_SECONDS)
        before, said = said, len(server.output("stderr"))
        if said == before:
            break
    return said


def _seen_of_guests(run, server, said_before, agrees):
    """What guests have logged; None where a case has none. It may come a moment late."""
    if not guests.names_of(run.case.spec):
        return None
    deadline = time.monotonic() + PATIENCE_SECONDS
    has_names = guests.has_several_plugins(run.case.spec)
    while True:
        lines = guests.log_lines(server.output("stderr")[said_before:], has_names)
        seen = [_text("log", line, {}) for line in lines]
        if agrees(guest=seen) or time.monotonic() > deadline:
            return seen
        time.sleep(SETTLE_SECONDS)


def _seen_by_upstreams(run, client, agrees):
    """What the connections of each upstream received and how they stand. A script that waits still, for an
    end perhaps, is left to it until all is as it should be."""
    serving = {name: upstream for name, upstream in run.upstreams.items() if upstream.mode == "serve"}

    def normalised(upstreams):
        names = run.port_names(client)
        return {name: [_connection(one, names) for one in connections]
                for name, connections in upstreams.items()}

    for upstream in serving.values():
        upstream.client_is_done()
    while any(upstream.is_busy() for upstream in serving.values()):
        if agrees(upstream=normalised({name: upstream.seen() for name, upstream in serving.items()})):
            break
        time.sleep(SETTLE_SECONDS)
    return normalised({name: upstream.finish() for name, upstream in serving.items()})


def _settle(admin, agrees):
    """Reads the statistics until no connection is open downstream and nothing moves any more; then, if
    they are not as they should be, until they are or nothing moves for a longer while."""
    deadline, last = time.monotonic() + SETTLE_LIMIT, None
    moved_at = time.monotonic()
    while True:
        stats = {name: value for name, value in read_stats(admin).items()
                 if not normalise.is_ignored_stat(name)}
        active = any(value for name, value in stats.items()
                     if re.fullmatch(r"(listener|http)\..*\.downstream_(cx|pre_cx|rq)_active", name))
        now = time.monotonic()
        if stats != last:
            moved_at = now
        is_quiet = stats == last and not active
        if now > deadline or (is_quiet and (agrees(stats) or now > moved_at + PATIENCE_SECONDS)):
            return stats
        last = stats
        time.sleep(SETTLE_SECONDS)


def _service_time_slack(seen_by_client):
    """Digits beyond the first in all service times received: they move the byte counters."""
    received = b"".join(seen["received"] for seen in seen_by_client.values())
    return sum(len(found) - 1
               for found in re.findall(rb"(?i)x-envoy-upstream-service-time: (\d+)", received))


def _compressed_sides(spec):
    """The sides whose bytes depend on how headers are compressed and on when windows are given."""
    steps = spec.get("client") or []
    sides = ["downstream"] if any(step == "h2" or isinstance(step, dict) and "h2" in step
                                  for step in steps) else []
    if any("h2" in upstream for upstream in (spec.get("upstreams") or {}).values()):
        sides.append("upstream")
    return sides


FROM_THE_START = ("cluster.", "cluster_manager.cluster_updated", "cluster_manager.update_", "dns.",
                  "dns_cache.")


def _counted_from(since, stats):
    """What is taken off: with `since: start` nothing of what clusters and names did."""
    if since is None:
        return stats
    return {name: value for name, value in stats.items() if not name.startswith(FROM_THE_START)}


def _moved(before, after, names, slack, compressed):
    moved = {}
    for name, value in sorted(after.items()):
        if any(re.search(rf"\.{side}_cx_[rt]x_bytes_total$", name) for side in compressed):
            continue
        delta = value - before.get(name, 0)
        if delta and name.endswith(".downstream_cx_tx_bytes_total"):  # not set back since
            delta -= slack
        if delta and not normalise.is_ignored_stat(name):
            moved[normalise.name_ports(name, names)] = delta
    return moved


def _text(where, value, names):
    return normalise.text(where, normalise.name_ports(value, names))


def _connection(seen, names):
    text = normalise.join_chunks(seen["received"].decode("latin-1"))
    text = _text("wire", text, names)
    agreed = {"tls": seen["tls"]} if "tls" in seen else {}
    return {"received": normalise.fold_runs(text).splitlines(keepends=True), "end": seen["end"],
            **agreed}


def _log_lines(run, names):
    """Every *.log file of the run's folder, by name."""
    logs = {}
    stdout = run.folder / "stdout"  # nobody else writes there
    for path in [*sorted(run.folder.glob("*.log")), *([stdout] if stdout.stat().st_size else [])]:
        text = _text("log", path.read_text(encoding="latin-1"), names)
        logs[path.stem] = [normalise.fold_runs(line) for line in text.split("\n") if line]
    return logs
