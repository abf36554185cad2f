"""Where settings come from, and what the commands that only read them say."""

import os
import re
import socket
import subprocess

import harness
import pytest
import wire

OURS = ("USHER_CONFIG", "USHER_LISTEN", "USHER_UPSTREAM", "USHER_STORE", "USHER_TLS_CHAIN", "USHER_TLS_KEY", "USHER_WORKERS", "USHER_ADMIN")


def usher(*arguments, cwd, **env):
    clean = {key: value for key, value in os.environ.items() if key not in OURS}
    return subprocess.run(
        [harness.usher_binary(), *map(str, arguments)],
        cwd=cwd,
        env={**clean, "USHER_STATE": str(cwd / "state"), **env},
        capture_output=True,
        text=True,
        timeout=30 * harness.patience(),
        stdin=subprocess.DEVNULL,
    )


def served_by(node) -> str:
    return wire.fetch(node.url() + "/whoami").json()["replica"]


@pytest.fixture
def replicas(house):
    return house.replicas(("from-file", "from-environment", "from-flag"))


def test_the_file_names_the_replicas(house, replicas):
    assert served_by(house.usher([replicas[0]])) == "from-file"


def test_the_environment_beats_the_file(house, replicas):
    node = house.usher(settings=harness.settings_for([replicas[0]]), env={"USHER_UPSTREAM": replicas[1].address})
    node.await_replicas(1)
    assert served_by(node) == "from-environment"


def test_a_flag_beats_the_environment(house, replicas):
    node = house.usher(
        settings=harness.settings_for([replicas[0]]),
        env={"USHER_UPSTREAM": replicas[1].address},
        args=["--upstream", replicas[2].address],
    )
    node.await_replicas(1)
    assert served_by(node) == "from-flag"


def test_several_upstreams_are_comma_separated(house, replicas):
    addresses = ",".join(replica.address for replica in replicas)
    node = house.usher(settings=harness.settings_for(["127.0.0.1:1"]), env={"USHER_UPSTREAM": addresses})
    node.await_replicas(3)
    assert set(node.replica_states()) == {replica.address for replica in replicas}


def test_without_a_file_flags_are_enough(house, replicas):
    node = house.usher(settings=None, wait=False, env={"USHER_CONFIG": ""}, args=["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", replicas[0].address])
    node.await_replicas(1)
    assert served_by(node) == "from-file"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def test_the_defaults_are_http_on_8088_and_https_on_8443(house):
    if not all(map(port_is_free, (8088, 8443, 9180, 8080))):
        pytest.skip("a default port is in use on this machine")
    node = house.usher(settings="", wait=False)
    assert sorted(url.split("://")[0] + url.rsplit(":", 1)[1] for url in node.listen) == ["http8088", "https8443"]
    assert node.admin == "http://127.0.0.1:9180"
    answer = wire.fetch("https://127.0.0.1:8443/", headers=[("Accept", "text/html")])
    assert answer.status == 503 and answer.header("content-type").startswith("text/html")
    assert list(node.replica_states()) == ["127.0.0.1:8080"]


@pytest.fixture
def folder(house, tmp_path):
    return tmp_path


def test_check_says_what_would_be_served(folder):
    (folder / "good.toml").write_text(harness.toml(harness.settings_for(["127.0.0.1:4711"])))
    done = usher("check", "-c", "good.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:4711" in done.stdout


def test_check_finds_usher_toml_in_the_working_directory(folder):
    (folder / "usher.toml").write_text(harness.toml(harness.settings_for(["127.0.0.1:4712"])))
    done = usher("check", cwd=folder)
    assert done.returncode == 0 and "127.0.0.1:4712" in done.stdout


def test_usher_config_names_the_file(folder):
    (folder / "usher.toml").write_text(harness.toml(harness.settings_for(["127.0.0.1:4713"])))
    (folder / "other.toml").write_text(harness.toml(harness.settings_for(["127.0.0.1:4714"])))
    done = usher("check", cwd=folder, USHER_CONFIG="other.toml")
    assert "127.0.0.1:4714" in done.stdout and "127.0.0.1:4713" not in done.stdout


def test_c_beats_usher_config(folder):
    (folder / "one.toml").write_text(harness.toml(harness.settings_for(["127.0.0.1:4715"])))
    done = usher("check", "-c", "one.toml", cwd=folder, USHER_CONFIG="missing.toml")
    assert done.returncode == 0 and "127.0.0.1:4715" in done.stdout


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("[affinity]\ncokie = 'x'\n", 2, "cookie"),
        ("workers = 'many'\n", 1, "workers"),
        ("[[listen]]\naddress = ':8443'\ntls = 3\n", 3, "tls"),
        ("[store]\nurl = 'memcached://a'\n", 2, "redis"),
        ("[affinity\n", 1, ""),
        ("[[upstream]]\nname = 'a'\nreplicas = ['a:1']\n[upstream.health]\ninterval = '5 parsecs'\n", 5, "5 parsecs"),
        ("[[upstream]]\nname = 'a'\nreplicas = ['a:1']\n[[route]]\nupstream = 'b'\n", 5, "b"),
    ],
)
def test_check_names_file_line_and_column_of_an_error(folder, text, line, says):
    (folder / "broken.toml").write_text(text)
    done = usher("check", "-c", "broken.toml", cwd=folder)
    assert done.returncode == 1
    message = done.stderr + done.stdout
    assert re.search(rf"^(?:.*/)?broken\.toml:{line}:\d+: ", message, re.M), message
    assert says in message


def test_run_refuses_what_check_refuses(folder):
    (folder / "broken.toml").write_text("wokers = 2\n")
    done = usher("run", "-c", "broken.toml", cwd=folder)
    assert done.returncode not in (0, None) and "broken.toml:1:1" in done.stderr
    assert "ready" not in done.stderr


def test_a_missing_file_is_an_error_and_not_the_defaults(folder):
    done = usher("check", "-c", "nowhere.toml", cwd=folder)
    assert done.returncode == 1 and "nowhere.toml" in done.stderr


def test_a_wrong_value_in_the_environment_names_the_variable(folder):
    done = usher("check", cwd=folder, USHER_WORKERS="lots")
    assert done.returncode == 1 and "USHER_WORKERS" in done.stderr


def test_a_port_that_is_taken_is_said_and_ends_the_start(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = usher("run", "--listen", address, "--admin", "127.0.0.1:0", cwd=folder)
    assert done.returncode != 0 and address in done.stderr


def test_version_is_one_line_with_a_number(folder):
    done = usher("version", cwd=folder)
    assert done.returncode == 0 and re.fullmatch(r"usher \d+\.\d+\.\d+.*\n", done.stdout)


def test_an_unknown_command_is_not_run(folder):
    done = usher("rnu", cwd=folder)
    assert done.returncode != 0 and "rnu" in done.stderr


def test_a_password_in_the_store_url_is_never_printed(folder):
    settings = harness.settings_for(["127.0.0.1:1"], "redis://user:geheim@127.0.0.1:6379/1")
    (folder / "usher.toml").write_text(harness.toml(settings))
    done = usher("check", cwd=folder)
    assert done.returncode == 0 and "geheim" not in done.stdout + done.stderr
