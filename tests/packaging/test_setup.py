# SPDX-License-Identifier: Apache-2.0
"""packaging/setup.sh, and the beginning of test.sh, on machines that are made up: a PATH in which the programs that would change something
only write down what they were asked."""
import os
import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "packaging"
TOOLS = ["sh", "dirname", "sed", "tr", "grep", "env", "rm", "mkdir"]


class Machine:
    def __init__(self, folder, checkout="checkout"):
        self.checkout, self.bin, self.done = folder / checkout, folder / "bin", folder / "done"
        self.output = None
        self.bin.mkdir()
        (self.checkout / "packaging").mkdir(parents=True)
        for name in ("setup.sh", "packages.txt"):
            shutil.copy(SOURCE / name, self.checkout / "packaging" / name)
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.program("id", "echo 1000")
        self.program("apt-cache", 'echo "Package: $2"')
        self.program("apt-get", f'case $1 in -s) ;; *) echo "apt-get $*" >>{self.done} ;; esac')
        self.installed("*")

    def program(self, name, body):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def installed(self, pattern, but="libnode-dev"):
        self.program("dpkg-query", f"case $4 in {but}) exit 1 ;; {pattern}) echo installed ;; esac")

    def sudo(self):
        self.program("sudo", '"$@"')

    def run(self, *command, **more):
        command = command or ("sh", "packaging/setup.sh", "build", "test")
        done = subprocess.run(command, text=True, cwd=self.checkout,
                              env={"PATH": str(self.bin), **more}, capture_output=True, check=False)
        self.output = done.stdout
        asked = self.done.read_text().splitlines() if self.done.exists() else []
        self.done.unlink(missing_ok=True)
        return done.returncode, done.stderr, asked


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_is_asked_where_nothing_is_missing(machine):
    machine.installed("*", but="nobody")
    for _ in range(2):
        assert machine.run() == (0, "", [])


@pytest.mark.parametrize("is_known", [True, False])
def test_the_wasm_engine_is_no_need(machine, is_known):
    """Without root nothing can be installed, but all that must be there is."""
    if not is_known:
        machine.program("apt-cache", "true")
    status, errors, asked = machine.run()
    assert status == 0 and asked == []
    assert "nuncio will have no wasm engine" in errors


def test_what_is_missing_is_named_where_nobody_may_install_it(machine):
    machine.installed("*", but="libevent-dev")
    status, errors, asked = machine.run()
    assert status == 1 and asked == []
    assert "installing libevent-dev needs root" in errors
    machine.program("sudo", 'echo "joe is not in the sudoers file" >&2; exit 1')
    status, errors, asked = machine.run()
    assert status == 1 and asked == []
    assert "installing libevent-dev needs root" in errors


@pytest.mark.parametrize("is_root", [True, False])
def test_the_wasm_engine_is_installed(machine, is_root):
    if is_root:
        machine.program("id", "echo 0")
    else:
        machine.sudo()
    status, errors, asked = machine.run()
    assert (status, errors) == (0, "")
    assert len(asked) == 1 and asked[0].endswith(" libnode-dev")
    machine.installed("*", but="nobody")
    assert machine.run() == (0, "", [])


def test_another_nodejs_stays(machine):
    """Where the package would remove one, it is unpacked; that fails here, and is no failure."""
    machine.sudo()
    machine.program("apt-get", f'case $1 in -s) echo "Remv nodejs" ;; '
                               f'*) echo "apt-get $*" >>{machine.done}; exit 1 ;; esac')
    status, errors, asked = machine.run()
    assert status == 0 and "nuncio will have no wasm engine" in errors
    assert not [line for line in asked if "install" in line and "libnode-dev" in line]
    assert not os.path.exists(machine.checkout / "build-libnode/usr")


@pytest.mark.parametrize("character", list("[]{}<>\"`$;#,:*?|'\\") + ["\n"])
def test_a_path_that_no_build_can_have_is_refused_at_once(tmp_path, character):
    machine = Machine(tmp_path, f"a{character}b")
    machine.sudo()
    status, errors, asked = machine.run()
    assert status == 1 and asked == []
    assert f"no build in {machine.checkout}: " in errors


def test_any_other_path_will_do(tmp_path):
    machine = Machine(tmp_path, "it (1) ~x=y%41 \u00fc&co @main@+!^")
    machine.installed("*", but="nobody")
    assert machine.run() == (0, "", [])


def test_lists_that_cannot_be_renewed_may_do(machine):
    machine.sudo()
    machine.installed("*", but="libevent-dev")
    machine.program("apt-get", f'case $1 in update) exit 100 ;; *) echo "apt-get $*" >>{machine.done} ;; esac')
    status, errors, asked = machine.run()
    assert status == 0 and "going on with the lists" in errors
    assert [line.split()[-1] for line in asked] == ["libevent-dev"]


def test_another_folder_of_the_name_is_not_looked_at(tmp_path):
    """Where CDPATH is exported, cd goes there, and prints where that is."""
    machine = Machine(tmp_path)
    machine.installed("*", but="nobody")
    for elsewhere in (machine.checkout, tmp_path / "a;b"):
        (elsewhere / "packaging").mkdir(parents=True, exist_ok=True)
        assert machine.run(CDPATH=str(elsewhere)) == (0, "", [])


@pytest.mark.parametrize("refusals", [1, 24, 25])
def test_another_apt_that_holds_the_lists_is_waited_for(machine, refusals):
    """For two minutes; sleep and apt-get note that they were called."""
    machine.sudo()
    machine.installed("*", but="libevent-dev")
    machine.program("sleep", f'echo "sleep $*" >>{machine.done}')
    lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"
    machine.program("apt-get", f'echo "$1" >>{machine.done}\n'
                               f'[ "$1" = update ] && [ $(grep -c update {machine.done}) -le {refusals} ] || exit 0\n'
                               f'echo "{lock}" >&2; exit 100')
    status, errors, asked = machine.run()
    sleeps = min(refusals, 24)
    assert status == 0
    assert asked[:2 * sleeps + 2] == ["update", "sleep 5"] * sleeps + ["update", "install"]
    assert errors.count("waiting for another apt") == 1
    assert ("going on with the lists" in errors) == (refusals == 25)
    assert (lock in errors) == (refusals == 25)


def test_nothing_else_is_waited_for(machine):
    machine.sudo()
    machine.installed("*", but="libevent-dev")
    machine.program("sleep", f'echo "sleep $*" >>{machine.done}')
    machine.program("apt-get", f'echo "$1" >>{machine.done}\n'
                               '[ "$1" != update ] || { echo "E: no network" >&2; exit 100; }')
    status, errors, asked = machine.run()
    assert status == 0 and asked[:2] == ["update", "install"]
    assert "E: no network\nsetup: going on with the lists" in errors


@pytest.fixture
def tests(machine):
    """A machine where test.sh says what it would have installed and built."""
    shutil.copy(SOURCE.parent / "test.sh", machine.checkout)
    (machine.checkout / "packaging/setup.sh").write_text(f"echo setup >>{machine.done}\n")
    machine.program("nproc", "echo 1")
    machine.program("cat", "")
    machine.program("cmake", f'echo "cmake $*" >>{machine.done}; exit 1')
    return machine


def test_a_build_begins_where_nothing_is_in_its_way(tests):
    asked = tests.run("sh", "test.sh", "release", "tsan")[2]
    assert [line.split()[0] for line in asked] == ["setup", "cmake", "cmake"]


def test_an_unknown_kind_is_refused_before_anything_is_built(tests):
    status, _, asked = tests.run("sh", "test.sh", "release", "nonsense")
    assert (status, asked) == (1, [])
    assert "no tests named nonsense" in tests.output


@pytest.mark.parametrize("name", ["build-tsan", "build-tsan/CMakeCache.txt"])
def test_a_folder_of_another_user_is_refused_before_anything_is_built(tests, name):
    (tests.checkout / "build-tsan").mkdir()
    (tests.checkout / "build-tsan/CMakeCache.txt").touch()
    path = tests.checkout / name
    path.chmod(0o555)
    command = ["sh", "test.sh", "release", "tsan"]
    if os.access(path, os.W_OK):  # root, whom modes do not stop
        command[:0] = ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-dac_override"]
    status, _, asked = tests.run(*command)
    assert (status, asked) == (1, [])
    assert "build-tsan/ belongs to another user: remove it" in tests.output
