"""The admin API is for the people who run usher, not for pages that a browser of theirs happens to show."""

import os
import subprocess

import harness
import pytest
import wire

EVIL = "evil.example:9180"
BY_HAND = ("X-Usher-Admin", "1")


def state_of(node, replica) -> str:
    return node.replica_states()[replica.address]


def drain(node, replica, headers=(BY_HAND,), host=None, what="drain"):
    return wire.fetch(f"{node.admin}/api/replicas/{replica.address}/{what}", "POST", list(headers), host=host)


def usher(*arguments, **environment):
    return subprocess.run([harness.usher_binary(), *arguments], capture_output=True, text=True, timeout=60, env={**harness.environment(), "USHER_UPSTREAM": "open-webui:8080", **environment})


def test_a_name_that_only_leads_here_is_no_name_of_ours(node, replica):
    """DNS rebinding: the page's own name leads to this host by now, and so all is of one origin."""
    for method, path in (("GET", "/api/status"), ("POST", "/api/reload"), ("PUT", "/api/acme/abc"), ("GET", "/")):
        refused = wire.fetch(node.admin + path, method, [BY_HAND], host=EVIL)
        assert refused.status == 421 and "admin.hosts" in refused.json()["detail"], path
    assert drain(node, replica, host=EVIL).status == 421
    assert state_of(node, replica) == "up"
    port = node.admin.rsplit(":", 1)[1]
    for own in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", os.uname().nodename):
        assert wire.fetch(node.admin + "/api/status", host=own).status == 200, own
    assert node.events("admin_refused")[0]["client"] == "127.0.0.1"


def test_probes_and_prometheus_come_under_any_name(house, replica, node):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert wire.fetch(node.admin + path, host="usher.monitoring.svc:9180").status == 200
    strict = house.usher([replica], name="strict", admin={"address": "127.0.0.1:0", "hosts": ["usher.monitoring.svc"]})
    assert wire.fetch(strict.admin + "/metrics", host="usher.monitoring.svc:9180").status == 200
    assert wire.fetch(strict.admin + "/api/status", host="usher.monitoring.svc:9180").status == 200
    assert wire.fetch(strict.admin + "/metrics", host=EVIL).status == 421
    assert wire.fetch(strict.admin + "/healthz", host=EVIL).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [("Origin", "http://evil.example")],
        [("Origin", "null")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
        [("Sec-Fetch-Site", "same-site")],
    ],
)
def test_what_another_site_sends_is_not_carried_out(node, replica, fields):
    assert drain(node, replica, [*fields, BY_HAND]).status == 403
    assert wire.fetch(node.admin + "/api/status", headers=fields).status == 403
    assert state_of(node, replica) == "up"


def test_a_form_changes_nothing(node, replica):
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    for fields in ([], form, [("Content-Type", "text/plain")]):
        refused = drain(node, replica, fields)
        assert refused.status == 403 and "X-Usher-Admin" in refused.json()["detail"]
        assert wire.fetch(node.admin + "/api/secret/rotate", "POST", fields).status == 403
    assert state_of(node, replica) == "up"
    own = [("Origin", node.admin), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")]
    assert drain(node, replica, own).status == 200 and state_of(node, replica) == "draining"
    assert drain(node, replica, what="undrain").status == 200


def test_a_token_is_wanted_where_there_is_one(house, replica, tmp_path):
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length\n")
    node = house.usher([replica], wait=False, admin={"address": "127.0.0.1:0", "token_file": str(token)})
    bearer = ("Authorization", "Bearer a-token-of-some-length")
    assert wire.fetch(node.admin + "/healthz").status == wire.fetch(node.admin + "/metrics").status == 200
    for fields in ([], [BY_HAND], [("Authorization", "Bearer another")]):
        refused = wire.fetch(node.admin + "/api/status", headers=fields)
        assert refused.status == 401 and refused.header("www-authenticate") == "Bearer"
    assert wire.fetch(node.admin + "/api/status", headers=[bearer]).status == 200
    assert wire.fetch(node.admin + "/api/reload", "POST", [bearer]).status == 200
    assert wire.fetch(node.admin + "/api/status", headers=[bearer], host=EVIL).status == 421

    assert usher("status", "--admin", node.admin).returncode == 1
    assert usher("status", "--admin", node.admin, USHER_ADMIN_TOKEN_FILE=str(token)).returncode == 0
    assert usher("status", "--admin", node.admin, "-c", str(node.config)).returncode == 0
    assert usher("reload", "--admin", node.admin, USHER_ADMIN_TOKEN="a-token-of-some-length").returncode == 0

    token.write_text("a-new-token-of-some-length\n")
    assert usher("reload", "--admin", node.admin, USHER_ADMIN_TOKEN="a-token-of-some-length").returncode == 0
    assert wire.fetch(node.admin + "/api/status", headers=[bearer]).status == 401
    assert usher("status", "--admin", node.admin, "-c", str(node.config)).returncode == 0


def other_address() -> str | None:
    """Of this machine, beyond loopback."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return next((address for address in found if ":" not in address), None)


@pytest.mark.skipif(not other_address(), reason="this machine has loopback only")
def test_without_a_token_others_may_read_metrics_alone(house, replica):
    node = house.usher([replica], wait=False, admin={"address": "0.0.0.0:0"})
    far = f"http://{other_address()}:{node.admin.rsplit(':', 1)[1]}"
    assert wire.fetch(far + "/metrics").status == 200
    refused = wire.fetch(far + "/api/status")
    assert refused.status == 403 and "admin.token" in refused.json()["detail"]
    assert wire.fetch(node.admin + "/api/status").status == 200, "from loopback"


def test_it_may_listen_on_a_unix_socket(house, replica, tmp_path):
    path = f"unix:{tmp_path}/admin.sock"
    node = house.usher([replica], wait=False, admin={"address": path})
    assert node.admin == path
    done = usher("status", "-c", str(node.config))
    assert done.returncode == 0 and replica.address in done.stdout, done.stderr
    assert usher("drain", replica.address, "--admin", path).returncode == 0


def test_check_warns_of_a_door_that_is_open_to_all(tmp_path):
    file = tmp_path / "usher.toml"
    file.write_text('[admin]\naddress = ":9180"\n[forwarded]\ntrusted = ["0.0.0.0/0"]\n')
    done = usher("check", "-c", str(file))
    assert done.returncode == 0
    assert "on all addresses without admin.token" in done.stdout and "any client may say that it is another one" in done.stdout
    file.write_text('[admin]\naddress = ":9180"\ntoken = "a-token-of-some-length"\n')
    assert "warning" not in usher("check", "-c", str(file)).stdout
    file.write_text("")
    assert "on all addresses without admin.token" in usher("check", "-c", str(file), USHER_ADMIN=":9180").stdout
