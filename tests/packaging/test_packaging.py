# SPDX-License-Identifier: Apache-2.0
"""What an installation and the .deb hold. NU_BUILD names the build folder."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

BUILD = os.environ["NU_BUILD"]
SOURCE = pathlib.Path(__file__).resolve().parents[2]

WANTED = {
    "etc/nuncio/nuncio.yaml",
    "usr/bin/nuncio",
    "usr/include/nuncio/filter.h",
    "usr/lib/systemd/system/nuncio.service",
    "usr/lib/systemd/system/nuncio.socket",
    "usr/share/doc/nuncio/README.md",
    "usr/share/doc/nuncio/SECURITY.md",
    "usr/share/doc/nuncio/conf/reverse-proxy.yaml",
    "usr/share/doc/nuncio/copyright",
    "usr/share/doc/nuncio/docs/differences.md",
    "usr/share/doc/nuncio/examples/plugin/token_gate.c",
    "usr/share/doc/nuncio/examples/tls/make_certificates.sh",
    "usr/share/doc/nuncio/src/filters/listener/tls_inspector/README.md",
    "usr/share/man/man8/nuncio.8",
}
# Where libnode-dev was there to build it.
ENGINE = {"usr/lib/nuncio/nuncio-wasm-v8.so",
          "usr/lib/systemd/system/nuncio.service.d/wasm.conf"}
HAS_ENGINE = os.path.exists(os.path.join(BUILD, "nuncio-wasm-v8.so"))
FOLDERS = ("etc/nuncio/", "usr/bin/nuncio", "usr/include/nuncio/", "usr/lib/systemd/system/nuncio.",
           "usr/share/doc/nuncio/", "usr/share/man/man8/nuncio.8")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def install(root, prefix):
    run("cmake", "--install", BUILD, "--prefix", prefix, env={**os.environ, "DESTDIR": str(root)})


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    if not shutil.which("dpkg-shlibdeps"):
        pytest.skip("needs dpkg-dev")
    folder = tmp_path_factory.mktemp("deb")
    run("cpack", "-G", "DEB", "-B", folder, cwd=BUILD)
    return next(folder.glob("nuncio_*.deb"))


def test_an_installation_is_complete_and_nothing_else(tmp_path):
    install(tmp_path, "/usr")
    files = files_below(tmp_path)
    assert files & ENGINE == (ENGINE if HAS_ENGINE else set())
    files -= ENGINE
    assert not WANTED - files
    assert not [name for name in files if not name.startswith(FOLDERS)]
    assert not [name for name in files if name.endswith((".so", ".key", ".crt"))]


def test_the_unit_starts_the_installed_program(tmp_path):
    install(tmp_path, "/opt/nuncio")
    unit = (tmp_path / "opt/nuncio/lib/systemd/system/nuncio.service").read_text()
    assert "\nExecStart=/opt/nuncio/bin/nuncio -c /etc/nuncio/nuncio.yaml" in unit
    assert "/usr/bin/nuncio" not in unit


def test_the_unit_checks_the_configuration_with_the_options_of_the_service(tmp_path):
    """Else a start may fail whose check went well, or the other way round."""
    install(tmp_path, "/usr")
    unit = (tmp_path / "usr/lib/systemd/system/nuncio.service").read_text().splitlines()
    check, = (line.partition("=")[2] for line in unit if line.startswith("ExecStartPre="))
    start, = (line.partition("=")[2] for line in unit if line.startswith("ExecStart="))
    assert check.replace(" --mode validate", "") == start and "$NUNCIO_OPTIONS" in start


def test_the_headers_compile_where_they_are_installed(tmp_path):
    install(tmp_path, "/usr")
    (tmp_path / "plugin.c").write_text("#include <nuncio/filter.h>\n#include <nuncio/plugin.h>\n")
    run("cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
        "-I", tmp_path / "usr/include", tmp_path / "plugin.c")


def test_the_deb_holds_what_an_installation_does(deb, tmp_path):
    run("dpkg-deb", "-x", deb, tmp_path)
    assert not WANTED - files_below(tmp_path)
    program = tmp_path / "usr/bin/nuncio"
    assert "nuncio" in run(program, "--version")
    assert str(SOURCE).encode() not in program.read_bytes()
    run(program, "--mode", "validate", "-c", tmp_path / "etc/nuncio/nuncio.yaml")


def test_the_deb_depends_on_what_the_program_needs(deb):
    depends = run("dpkg-deb", "-f", deb, "Depends")
    for library in ("libc6", "libssl3", "libevent-core", "libre2", "libprotobuf-c1", "libyaml",
                    "libc-ares2", "libnghttp2-14"):
        assert library in depends


def test_the_engine_has_a_package_of_its_own(deb, tmp_path):
    if not HAS_ENGINE:
        pytest.skip("needs libnode-dev")
    package = next(deb.parent.glob("nuncio-wasm_*.deb"))
    depends = run("dpkg-deb", "-f", package, "Depends")
    assert re.search(r"\bnuncio \(= ", depends) and re.search(r"\blibnode\d+", depends)
    assert "libnode" not in run("dpkg-deb", "-f", deb, "Depends")
    run("dpkg-deb", "-x", package, tmp_path)
    assert files_below(tmp_path) == ENGINE


def test_the_deb_keeps_an_edited_configuration(deb, tmp_path):
    run("dpkg-deb", "-e", deb, tmp_path)
    assert (tmp_path / "conffiles").read_text() == "/etc/nuncio/nuncio.yaml\n"


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_the_scripts_of_the_deb_run_where_there_is_no_systemd(name):
    script = SOURCE / "packaging/deb" / name
    run("sh", "-n", script)
    if not os.path.isdir("/run/systemd/system"):
        run("sh", script, {"postinst": "configure", "prerm": "remove", "postrm": "remove"}[name])


def test_the_manual_renders_without_a_complaint():
    if not shutil.which("man"):
        pytest.skip("needs man")
    done = subprocess.run(["man", "--warnings", "-l", str(SOURCE / "docs/nuncio.8")],
                          capture_output=True, text=True, check=True,
                          env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "96", "LC_ALL": "C.UTF-8"})
    assert done.stderr == ""
    assert re.search(r"^ +--sigterm-drain-ms MS$", done.stdout, re.M)


def test_systemd_takes_the_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    install(tmp_path, "/usr")
    for unit in ("nuncio.service", "nuncio.socket"):
        text = (tmp_path / "usr/lib/systemd/system" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/usr/bin/nuncio", str(tmp_path / "usr/bin/nuncio")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / "nuncio.service",
                           tmp_path / "nuncio.socket"], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "nuncio" in line]
    assert done.returncode == 0 and not complaints, done.stderr
