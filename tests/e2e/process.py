# SPDX-License-Identifier: Apache-2.0
"""One nuncio process under test: its configuration filled in, its output read, its end judged."""
import functools
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from peers import connect, hold_port

CHECKOUT = str(pathlib.Path(__file__).resolve().parents[2])
WAIT_SECONDS = 60
DEFAULTS = {"--concurrency": "2", "--file-flush-interval-msec": "10"}
READY = "starting main dispatch loop"
REPORT = re.compile(r"(Sanitizer|runtime error):|assertion failed|Assertion .* failed")


class Output:
    """What a pipe gave so far, as text; others can wait for a piece of it."""

    def __init__(self, pipe):
        self.text = ""
        self.ended = False
        self._pipe = pipe
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with self._pipe:
            while data := os.read(self._pipe.fileno(), 65536):
                self._append(data.decode("utf-8", "replace"))
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _append(self, text):
        with self._changed:
            self.text += text
            self._changed.notify_all()

    def wait(self, piece, start=0):
        """Waits for a text or a compiled expression; gives the offset behind it."""
        expression = piece if isinstance(piece, re.Pattern) else re.compile(re.escape(piece))
        with self._changed:
            self._changed.wait_for(lambda: self.ended or expression.search(self.text, start),
                                   WAIT_SECONDS)
            found = expression.search(self.text, start)
        if not found:
            raise AssertionError(f"never printed {piece!r}; printed:\n{self.text}")
        return found.end()

    def join(self):
        self._thread.join(WAIT_SECONDS)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def eventually(condition, seconds=WAIT_SECONDS):
    """Asks again until the answer is true, for what others do; gives the last answer. The pauses
    leave the processor to those others."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return answer


@functools.lru_cache(maxsize=None)
def has_sanitizer(binary):
    with open(binary, "rb") as file:
        data = file.read()
    return b"__asan_init" in data or b"__tsan_init" in data


@functools.lru_cache(maxsize=None)
def has_thread_sanitizer(binary):
    with open(binary, "rb") as file:
        return b"__tsan_init" in file.read()


def send_surely(send, binary, is_seen):
    """Sends a signal by send() to a process whose reaction the test waits for.

    ThreadSanitizer's runtime loses one now and then (three in 1150 ends, none in 10,000 without it),
    so to a binary that has it the signal is sent again until is_seen().
    """
    send()
    if has_thread_sanitizer(binary):
        for _ in range(3):
            if eventually(is_seen, 5):
                return
            send()


class Nuncio:
    """Started by the fixture `nuncio`; ready when the test gets it.

    ready=None does not wait, for one that is expected to fail; env adds environment variables;
    expect_exit is the exit code that the end of the test expects;
    pass_fds and popen arguments go to subprocess.Popen.
    """

    def __init__(self, binary, folder, config, arguments, ready=READY, env=None, expect_exit=0,
                 file_name="nuncio.yaml", popen=None, **values):
        self.folder, self.expect_exit = folder, expect_exit
        self.binary = binary
        self._ready, self._held, self._values = ready, {}, values
        command = [binary]
        if config is not None:
            path = folder / file_name
            path.write_text(self._fill(config))
            command += ["-c", str(path)]
        self._admin_path = folder / "admin-address"
        command += ["--admin-address-path", str(self._admin_path)]
        command += [self._fill(str(argument)) for argument in arguments]
        for option, value in DEFAULTS.items():
            if option not in command:
                command += [option, value]
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **(env or {})}, **(popen or {}))
        self.pid = self.process.pid
        self.stdout, self.stderr = Output(self.process.stdout), Output(self.process.stderr)

    def _fill(self, text):
        """A path of the checkout stays, whatever it is called."""
        return CHECKOUT.join(re.sub(r"@(\w+)@", lambda found: str(self._value(found.group(1))), part)
                             for part in text.split(CHECKOUT))

    def _value(self, name):
        if name in self._values:
            return self._values[name]
        if name == "admin":
            return 0
        if name == "dir":
            return self.folder
        return self.port(name)

    def port(self, name):
        """The port behind @name@."""
        if name in self._values:
            return self._values[name]
        if name == "admin":
            return self.admin_port
        if name not in self._held:
            self._held[name] = hold_port()
        return self._held[name].getsockname()[1]

    @property
    def admin_port(self):
        return int(self._admin_path.read_text().rpartition(":")[2])

    def wait_ready(self):
        if self._ready:
            self.stderr.wait(self._ready)

    def connect(self, name="main"):
        """A raw connection: a compat Peer."""
        return connect(self.port(name))

    def request(self, method, name, path, body=None, headers=None):
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(name),
                                                timeout=WAIT_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            got = connection.getresponse()
            return Response(got.status, got.headers, got.read())
        finally:
            connection.close()

    def get(self, name, path="/", headers=None):
        return self.request("GET", name, path, headers=headers)

    def admin(self, path, method="GET"):
        return self.request(method, "admin", path)

    def stats(self):
        """Counters and gauges by name."""
        lines = (line.rpartition(": ") for line in self.admin("/stats").text.splitlines())
        return {name: int(value) for name, _, value in lines if value.isdigit()}

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number, is_seen=None):
        """Sends a signal whose effect the test waits for; without is_seen, one that the log tells."""
        line = f"caught {signal.Signals(number).name}"
        lines = self.stderr.text.count(line)
        is_seen = is_seen or (lambda: self.stderr.text.count(line) > lines)
        send_surely(lambda: self.is_running() and os.kill(self.pid, number), self.binary,
                    lambda: not self.is_running() or is_seen())

    def wait_exit(self):
        code = self.process.wait(WAIT_SECONDS)
        self.stdout.join()
        self.stderr.join()
        return code

    def finish(self):
        """Ends it; gives what was wrong with it as a list of texts. SIGINT does not drain, which takes
        a tenth of a second at least: test_life.py is about SIGTERM."""
        problems = []
        if self.is_running():
            self.signal(signal.SIGINT)
        try:
            code = self.wait_exit()
            if code != self.expect_exit:
                problems.append(f"ended with {code} instead of {self.expect_exit}:\n"
                                + self.stderr.text[-4000:])
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait_exit()
            problems.append("had to be killed:\n" + self.stderr.text[-4000:])
        for output in (self.stderr, self.stdout):
            if REPORT.search(output.text):
                problems.append(output.text[-20000:])
        for held in self._held.values():
            held.close()
        return problems
