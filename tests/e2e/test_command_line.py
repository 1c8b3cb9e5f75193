# SPDX-License-Identifier: Apache-2.0
"""What the command line says and does, with the real program."""
import os
import subprocess

import pytest

from configs import PROXY
from process import eventually


@pytest.fixture
def run(nuncio_binary):
    def start(*arguments):
        return subprocess.run([nuncio_binary, *map(str, arguments)], timeout=30,
                              capture_output=True, text=True, check=False)

    return start


@pytest.fixture
def config(tmp_path):
    def write(text, name="nuncio.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def filled(text):
    return text.replace("@admin@", "0").replace("@main@", "0").replace("@origin@", "9")


def test_a_good_configuration_is_ok_and_nothing_else(run, config):
    path = config(filled(PROXY))
    done = run("--mode", "validate", "-c", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"configuration '{path}' OK\n", "")


def test_yaml_alone_has_no_name(run):
    done = run("--mode", "validate", "--config-yaml", filled(PROXY))
    assert (done.returncode, done.stdout) == (0, "configuration '' OK\n")


def test_all_errors_come_in_one_run(run, config):
    """Admin, listener, routes, cluster: each is really built."""
    text = filled(PROXY).replace("address: 127.0.0.1, port_value: 9", "address: host-c, port_value: 9")
    text = text.replace("address: 127.0.0.1", "address: host-a", 1)
    text = text.replace("address: 127.0.0.1", "address: host-b", 1)
    path = config(text.replace("route: {cluster: origin}", "route: {cluster: nowhere}"))
    done = run("--mode", "validate", "-c", path)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 4 and all(line.startswith(f"{path}:") for line in lines)
    for word in ("admin.address", "host-b", "nowhere", "host-c"):
        assert sum(word in line for line in lines) == 1


LOGS = """          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @log@
          stat_prefix: main
"""


@pytest.mark.parametrize("name, says", [
    ("access.log", None), ("old.log", None), ("nosuch/access.log", "No such file or directory"),
    ("old.log/access.log", "Not a directory"), (".", "Is a directory")])
def test_validation_makes_no_log_and_says_which_could_not_be(run, config, tmp_path, name, says):
    old = tmp_path / "old.log"
    old.write_text("before\n")
    text = filled(PROXY).replace("          stat_prefix: main\n", LOGS)
    path = config(text.replace("@log@", f"{tmp_path}/{name}"))
    done = run("--mode", "validate", "-c", path)
    assert done.returncode == (1 if says else 0)
    assert says is None or f"unable to open file '{tmp_path}/{name}': {says}" in done.stderr
    assert set(tmp_path.iterdir()) == {path, old} and old.read_text() == "before\n"


def test_validation_binds_nothing(run, config):
    """Port 1 and an address that is no machine's."""
    text = filled(PROXY).replace("127.0.0.1, port_value: 0", "192.0.2.1, port_value: 1")
    assert run("--mode", "validate", "-c", config(text)).returncode == 0


def test_warnings_do_not_spoil_a_configuration(run, config):
    path = config(filled(PROXY) + "stats_flush_on_admin: true\n")
    done = run("--mode", "validate", "-c", path)
    assert (done.returncode, done.stdout) == (0, f"configuration '{path}' OK\n")
    assert "stats_flush_on_admin: has no effect" in done.stderr


def test_deprecated_fields_are_mentioned_unless_unwanted(run, config):
    path = config(filled(PROXY).replace("  - name: main\n", "  - name: main\n    reuse_port: true\n"))
    assert "reuse_port: is deprecated" in run("--mode", "validate", "-c", path).stderr
    done = run("--mode", "validate", "--skip-deprecated-logs", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments, message", [
    (["--cofnig-path", "x"], "unknown option '--cofnig-path' (did you mean --config-path?)"),
    (["--no-such-thing"], "unknown option '--no-such-thing'; --help lists the options"),
    (["x.yaml"], "unexpected argument 'x.yaml'"),
    ([], "no configuration: give -c FILE or --config-yaml YAML"),
    (["-c"], "--config-path needs a value (FILE)"),
    (["-c", "x", "-c", "y"], "--config-path is given twice"),
    (["-c", "x", "--concurrency", "many"], "--concurrency: 'many' is not a whole number"),
    (["-c", "x", "-l", "loud"], "--log-level: 'loud' is not a level (trace, debug, info"),
    (["-c", "x", "--mode", "test"], "--mode: 'test' is not a mode (serve, validate, init_only)"),
    (["-c", "x", "--component-log-level", "upstream:debug,nosuch:info"],
     "--component-log-level: 'nosuch:info' is not a component and its level"),
    (["-c", "x", "--component-log-level", "nosuch:info"],
     "no component is called 'nosuch'; there are admin, alternate_protocols_cache, "),
    (["-c", "x", "--component-log-level", "upstrem:info"],
     "no component is called 'upstrem' (did you mean upstream?)"),
    (["-c", "x", "--component-log-level", "foo:debug"],
     "no component is called 'foo'; there are admin, alternate_protocols_cache, "),
    (["-c", "x", "--concurrency", "257"], "nuncio runs at most 256 workers"),
    (["--conf", "x"], "unknown option '--conf' (did you mean --config-path?)"),
    (["-c", "x", "--stats-tag", "a"], "--stats-tag: 'a' is not a tag: NAME:VALUE"),
    (["-c", "x", "--log-format-escaped=1"], "--log-format-escaped takes no value"),
    (["-c", "x", "--restart-epoch", "1"], "known to Envoy, not implemented by nuncio"),
])
def test_mistakes_are_explained(run, arguments, message):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("nuncio: ") and message in done.stderr


def test_help_and_version_are_for_stdout(run):
    for option in ("--help", "-h"):
        done = run(option)
        assert (done.returncode, done.stderr) == (0, "")
        assert "--config-path FILE" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 100
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  version: nuncio/" in done.stdout


def test_what_has_no_effect_is_logged(nuncio, origin):
    proxy = nuncio(PROXY, "--use-dynamic-base-id", "--socket-mode", "600", origin=origin().port)
    assert "--use-dynamic-base-id has no effect: there is no hot restart" in proxy.stderr.text
    assert "--socket-mode has no effect" in proxy.stderr.text
    assert proxy.stderr.text.count("has no effect") == 2


def test_the_base_id_is_written(nuncio, origin, tmp_path):
    path = tmp_path / "base-id"
    nuncio(PROXY, "--base-id", "7", "--base-id-path", path, origin=origin().port)
    assert path.read_text() == "7"


def thread_names(pid):
    return [open(f"/proc/{pid}/task/{task}/comm", encoding="ascii").read().strip()
            for task in os.listdir(f"/proc/{pid}/task")]


@pytest.mark.parametrize("asked, got", [("3", 3), ("0", 1)])
def test_workers_are_as_many_as_asked_for(nuncio, origin, asked, got):
    proxy = nuncio(PROXY, "--concurrency", asked, origin=origin().port)
    assert proxy.stats()["server.concurrency"] == got
    wanted = {f"wrk:{i}" for i in range(got)}
    assert eventually(lambda: wanted <= set(thread_names(proxy.pid)))  # each thread names itself
    assert {name for name in thread_names(proxy.pid) if name.startswith("wrk:")} == wanted


def test_tags_are_on_every_metric(nuncio, origin):
    config = PROXY + """
stats_config:
  stats_tags:
  - {tag_name: site, fixed_value: berlin}
"""
    proxy = nuncio(config, "--stats-tag", "env:prod", origin=origin().port)
    text = proxy.admin("/stats/prometheus").text
    line = next(line for line in text.splitlines() if line.startswith("envoy_server_live"))
    assert 'env="prod"' in line and 'site="berlin"' in line


def test_the_identity_of_the_command_line_fills_gaps(nuncio, origin):
    config = PROXY + "node: {cluster: from-file}\n"
    proxy = nuncio(config, "--service-cluster", "a", "--service-node", "b", "--service-zone", "c",
                   origin=origin().port)
    options = proxy.admin("/server_info").json()["command_line_options"]
    assert options["service_cluster"] == "a"
    assert options["service_node"] == "b"
    assert options["service_zone"] == "c"
