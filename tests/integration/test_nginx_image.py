"""What the image offers to a stack that had nginx: its command line, its templates, its files. The scripts run
here as they do in the image, but for the folders."""

import os
import shutil
import subprocess

import harness
import pytest
import wire

DOCKER = harness.ROOT / "docker"
CONF = "events {{}}\nhttp {{\n  server {{\n    listen 127.0.0.1:{port};\n    return 200 \"{text}\";\n  }}\n}}\n"


@pytest.fixture
def image(tmp_path):
    """The folders of an image: usher and nginx in PATH, /etc/nginx, a state directory."""
    for folder in ("bin", "etc/conf.d", "etc/templates", "scripts", "state", "share"):
        (tmp_path / folder).mkdir(parents=True)
    os.symlink(harness.usher_binary(), tmp_path / "bin" / "usher")
    for script in ("nginx", "pgrep", "pidof", "service", "entrypoint"):
        os.symlink(DOCKER / script, tmp_path / "bin" / script)
    stock = (DOCKER / "nginx.conf").read_text().replace("/etc/nginx", str(tmp_path / "etc"))
    for copy in ("etc/nginx.conf", "share/nginx.conf"):
        (tmp_path / copy).write_text(stock)
    return tmp_path


def environment(image, **more):
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("USHER_") or key == "USHER_TEST_PATIENCE"},
        "PATH": f"{image / 'bin'}:{os.environ['PATH']}",
        "USHER_STATE": str(image / "state"),
        "USHER_ADMIN": "127.0.0.1:0",
        "USHER_NGINX_ETC": str(image / "etc"),
        "USHER_NGINX_SCRIPTS": str(image / "scripts"),
        "USHER_NGINX_STOCK": str(image / "share" / "nginx.conf"),
        **more,
    }


def call(image, *command, **more):
    return subprocess.run([*map(str, command)], env=environment(image, **more), capture_output=True, text=True, timeout=60 * harness.patience())


class Container(harness.Child):
    def __init__(self, image):
        super().__init__("container", image)

    def up(self, *command, **more):
        self.spawn([DOCKER / "entrypoint", *command], environment(self.folder, **more))
        self.ready = self.await_line(self.stderr_path, lambda line: line.get("event") == "ready", "the ready line")
        return self


def test_nginx_t_says_what_nginx_says(image):
    path = image / "nginx.conf"
    path.write_text(CONF.format(port=8080, text="x"))
    good = call(image, "nginx", "-t", "-c", path)
    assert good.returncode == 0
    assert good.stderr == f"nginx: the configuration file {path} syntax is ok\nnginx: configuration file {path} test is successful\n"
    assert call(image, "nginx", "-qt", "-c", path).stderr == ""
    path.write_text(CONF.format(port=8080, text="x").replace("return", "retrun"))
    bad = call(image, "nginx", "-t", "-c", path)
    assert bad.returncode == 1
    assert f'nginx: [emerg] {path}:5:5: unknown directive "retrun"; did you mean "return"?' in bad.stderr
    assert f"nginx: configuration file {path} test failed" in bad.stderr


def test_nginx_v_and_unknown_options(image):
    assert call(image, "nginx", "-v").stderr.startswith("nginx version: usher")
    assert call(image, "nginx", "-x").returncode == 1
    gone = call(image, "nginx", "-s", "reload")
    assert gone.returncode == 1 and "No such file or directory" in gone.stderr


@pytest.mark.parametrize("command", [("nginx", "-g", "daemon off;"), ("run",), ()])
def test_a_mounted_nginx_conf_is_served_reloaded_and_ended(image, command):
    port = harness.free_port()
    conf = image / "etc" / "nginx.conf"
    conf.write_text(CONF.format(port=port, text="one"))
    with Container(image) as container:
        container.up(*command)
        assert wire.fetch(f"http://127.0.0.1:{port}/").body == b"one"
        conf.write_text(CONF.format(port=port, text="two"))
        assert call(image, "nginx", "-s", "reload").returncode == 0
        harness.wait_for(lambda: wire.fetch(f"http://127.0.0.1:{port}/").body == b"two", "what the new file says")
        conf.write_text("events {")
        assert call(image, "nginx", "-s", "reload").returncode == 1
        assert wire.fetch(f"http://127.0.0.1:{port}/").body == b"two"
        assert call(image, "nginx", "-s", "reopen").returncode == 0
        assert "replica_down" not in container.stderr, "nothing is proxied, so nobody is asked how he is"
        assert call(image, "nginx", "-s", "quit").returncode == 0
        assert container.wait() == 0


@pytest.mark.parametrize("command", [(), ("run",), ("run", "-c", "{own}")])
def test_where_nginx_says_nothing_its_commands_work_on_usher_s_own_settings(image, command):
    own = image / "own.toml"
    port = harness.free_port()

    def says(text):
        own.write_text(harness.toml({"listen": [{"address": f"127.0.0.1:{port}"}], "route": [{"status": 200, "body": text}]}))

    says("one")
    # A file that the command line names is known to the node that serves alone.
    more = {} if "-c" in command else {"USHER_CONFIG": str(own)}
    with Container(image) as container:
        container.up(*(word.format(own=own) for word in command), **more)
        good = call(image, "nginx", "-t", **more)
        assert good.returncode == 0 and good.stderr.splitlines()[-1] == f"nginx: configuration file {own} test is successful", good.stderr
        says("two")
        reloaded = call(image, "nginx", "-s", "reload", **more)
        assert reloaded.returncode == 0, reloaded.stderr
        harness.wait_for(lambda: wire.fetch(f"http://127.0.0.1:{port}/").body == b"two", "what the new file says")
        own.write_text("lisen = 1")
        bad = call(image, "nginx", "-t", **more)
        assert bad.returncode == 1 and f"nginx: [emerg] {own}:1:1: unknown key" in bad.stderr
        assert call(image, "nginx", "-s", "reload", **more).returncode == 1
        assert call(image, "nginx", "-s", "quit", **more).returncode == 0
        assert container.wait() == 0


def test_templates_become_files_of_conf_d(image):
    port = harness.free_port()
    template = image / "etc" / "templates" / "sub" / "x.conf.template"
    template.parent.mkdir()
    template.write_text('server { listen 127.0.0.1:${PORT}; server_name $NAME; return 200 "$host $NOT_SET_HERE ${uri}"; }')
    (image / "etc" / "templates" / "chat.conf.template").write_text('server { listen 127.0.0.1:$PORT; return 200 "$NAME of $host"; }')
    with Container(image) as container:
        container.up(PORT=str(port), NAME="chat")
        assert wire.fetch(f"http://127.0.0.1:{port}/", host="a.example").body == b"chat of a.example"
        assert 'listen 127.0.0.1:%d; server_name chat; return 200 "$host $NOT_SET_HERE ${uri}"' % port in (image / "etc/conf.d/sub/x.conf").read_text()


def script(image, name, text, mode=0o755):
    path = image / "scripts" / name
    path.write_text(text)
    path.chmod(mode)


def test_a_folder_that_cannot_be_written_is_a_mistake_only_if_there_are_templates(image):
    """A root file system that is read-only is usual, and an image without templates in its folder, too."""
    unwritable = {"NGINX_ENVSUBST_OUTPUT_DIR": "/nonexistent/conf.d"}
    entrypoint = (DOCKER / "entrypoint", "nginx", "-v")
    (image / "etc" / "templates" / "README").write_text("none yet")
    assert "ERROR" not in call(image, *entrypoint, **unwritable).stderr
    (image / "etc" / "templates" / "chat.conf.template").write_text("# one")
    assert "/nonexistent/conf.d is not writable" in call(image, *entrypoint, **unwritable).stderr


@pytest.mark.parametrize("command", [("nginx", "-g", "daemon off;"), ()])
def test_scripts_run_before_the_templates_in_the_order_of_their_names(image, command):
    port = harness.free_port()
    (image / "etc/templates/x.conf.template").write_text('server { listen 127.0.0.1:${PORT}; return 200 "$SAID"; }')
    script(image, "10-says.envsh", f"export PORT={port} SAID=one\n")
    script(image, "9-says.envsh", "export SAID=nine\n")
    script(image, "20-writes.sh", f'#!/bin/sh\necho "$SAID" >"{image}/written"\n')
    script(image, "30-not-executable.sh", "exit 1\n", 0o644)
    script(image, "40-readme.txt", "exit 1\n")
    with Container(image) as container:
        container.up(*command)
        assert wire.fetch(f"http://127.0.0.1:{port}/").body == b"one"
        assert (image / "written").read_text() == "one\n"
        ignored = [line for line in container.stderr.splitlines() if "is ignored" in line]
        assert [name in line for name, line in zip(("30-not", "40-readme"), ignored, strict=True)] == [True, True]


def test_a_script_that_fails_ends_the_start(image):
    script(image, "10-fails.sh", "#!/bin/sh\nexit 3\n")
    assert call(image, DOCKER / "entrypoint", "nginx").returncode == 3


def test_without_files_of_nginx_the_image_is_usher(image):
    done = call(image, DOCKER / "entrypoint", "version")
    assert done.returncode == 0 and done.stdout.startswith("usher ")
    assert call(image, DOCKER / "entrypoint", "sh", "-c", "echo shell").stdout == "shell\n"
    assert shutil.which("perl"), "the image's base has it: Debian's perl-base is essential"


def test_what_stacks_ask_whether_nginx_runs_by(image):
    """The health checks "pgrep nginx", "pidof nginx" and "service nginx status"."""
    (image / "etc" / "nginx.conf").write_text(CONF.format(port=harness.free_port(), text="x"))
    assert call(image, "service", "nginx", "status").returncode == 3
    with Container(image).up("nginx", "-g", "daemon off;") as container:
        for command in ("pgrep -f nginx", "pgrep nginx", "pgrep -x nginx", "pgrep -x usher", "pidof nginx", "pidof usher"):
            assert str(container.pid) in call(image, *command.split()).stdout.split(), command
        for command in ("pgrep -f no-such[-]thing", "pgrep -x ngin", "pidof no-such-thing"):
            assert call(image, *command.split()).returncode == 1, command
        assert call(image, "pgrep").returncode == 2
        assert call(image, "service", "nginx", "status").returncode == 0
        for word in ("configtest", "reload"):
            assert call(image, "service", "nginx", word).returncode == 0
        container.await_line(container.stderr_path, lambda line: line.get("event") == "reloaded", "the reload")
        assert call(image, "service", "nginx", "start-it").returncode == 3
        assert call(image, "service", "other", "status").returncode == 1
        assert call(image, "service", "nginx", "stop").returncode == 0
        assert container.wait() == 0
    assert call(image, "service", "nginx", "status").returncode == 3
