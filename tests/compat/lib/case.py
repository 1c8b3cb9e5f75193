# SPDX-License-Identifier: Apache-2.0
"""The cases and their recordings as files: loading, the digests, and the rules both must obey."""

import hashlib
import json
import pathlib

from . import config, guests, tls

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASES, RECORDINGS = ROOT / "cases", ROOT / "recordings"
DIFFERENCES = ROOT.parent.parent / "docs" / "differences.md"

INPUT_KEYS = ("kind", "args", "env", "files", "file", "upstreams", "client", "ends", "pki", "since", "dns")
NUNCIO_KEYS = ("proves", "why", "nuncio", "differs", "not_yet", "unconfirmed", "expect", "one_worker",
               "needs")
KNOWN_KEYS = {*INPUT_KEYS, *NUNCIO_KEYS, "base", "config", "guests", *config.PATCHES}


class CaseError(Exception):
    """A case file or a recording breaks a rule of the method."""


def _canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def sha256(value):
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def name_of(path):
    return str(path.relative_to(CASES).with_suffix(""))


class Case:
    """One case file. `spec` is its tree, `name` is group/name."""

    def __init__(self, path):
        self.path = path
        self.name = name_of(path)
        self.spec = config.load_yaml(path.read_text())
        unknown = set(self.spec) - KNOWN_KEYS
        if unknown:
            raise CaseError(f"{self.name}: no such key: {', '.join(sorted(unknown))}")

    @property
    def kind(self):
        return self.spec.get("kind", "proxy")

    @property
    def recording_path(self):
        return RECORDINGS / f"{self.name}.json"

    def inputs(self):
        """All that the servers are given. Comments, layout and notes on nuncio are not part."""
        given = {key: self.spec[key] for key in INPUT_KEYS if key in self.spec}
        if "pki" in self.spec:
            given["pki"] = tls.files_of(self.spec["pki"])
        if guests.names_of(self.spec):
            given["guests"] = guests.hashes(guests.names_of(self.spec))
        if "config" in self.spec:
            given["config"] = self.spec["config"]
        else:
            given["config"] = config.build(self.spec)
        return given

    def load_recording(self):
        """The recording, None without one; raises when it was edited or is of another case."""
        if not self.recording_path.exists():
            return None
        recording = json.loads(self.recording_path.read_text())
        if recording.get("digest") != recording_digest(recording):
            raise CaseError(f"{self.name}: the recording was edited by hand; run record.py")
        if recording["inputs"] != sha256(self.inputs()):
            raise CaseError(f"{self.name}: the case changed after it was recorded; run record.py")
        return recording


def recording_digest(recording):
    return sha256({key: value for key, value in recording.items() if key != "digest"})


def write_recording(case, identity, observed):
    recording = {"case": case.name, "envoy": identity, "inputs": sha256(case.inputs()),
                 "observed": observed}
    recording["digest"] = recording_digest(recording)
    case.recording_path.parent.mkdir(parents=True, exist_ok=True)
    case.recording_path.write_text(json.dumps(recording, indent=1) + "\n")


def load_cases(prefixes=()):
    """All cases whose name begins with one of the prefixes; all of them without prefixes."""
    paths = sorted(CASES.rglob("*.yaml"))
    if prefixes:
        paths = [path for path in paths if name_of(path).startswith(tuple(prefixes))]
    return [Case(path) for path in paths]
