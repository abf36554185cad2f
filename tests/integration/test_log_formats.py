"""Access logs as texts with variables, in several files: from usher.toml, and as nginx writes them."""

import contextlib
import json
import os
import re
import signal
import socket
from pathlib import Path

import fakes
import harness
import nginx_files
import pytest
import wire
from harness import wait_for
from test_websocket_wire import frame, open_tunnel

FORMAT = (
    "$remote_addr [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" "
    "\"$http_x_forwarded_for\" host=$host args=$args cookie=$cookie_a content=$sent_http_content_type user=$remote_user kind=$kind"
)
HEADERS = [
    ("User-Agent", 'a "quoted" agent'),
    ("X-Forwarded-For", "192.0.2.9"),
    ("Cookie", "a=1; b=2"),
    ("Authorization", "Basic am9lOnNlY3JldA=="),
]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def lines_of(path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def test_lines_are_written_as_the_file_says_and_where(house, replica, tmp_path):
    errors, times = tmp_path / "errors.log", tmp_path / "times.log"
    log = {
        "format": '{"path":"$uri","agent":"$http_user_agent","forwarded":"$http_x_forwarded_for","user":"$remote_user","nothing":"$arg_x"}',
        "escape": "json",
        "file": [
            {"name": "errors", "access": str(errors), "format": "$status $request_method", "when": "$bad"},
            {"name": "times", "access": str(times), "format": "$request_time $upstream_response_time $upstream_header_time $upstream_addr $upstream_status $connection_requests $msec $time_iso8601 $request_length $bytes_sent $sent_http_content_length $upstream_http_content_length $content_length"},
        ],
    }
    routes = [
        {"path": "/gone", "status": 410, "access_logs": ["errors", "main"]},
        {"path": "/fine", "status": 200, "body": "fine", "access_logs": ["errors"]},
        {"path": "/whoami", "upstream": "open-webui", "access_logs": ["times", "main"]},
        {"path": "/", "upstream": "open-webui"},
    ]
    maps = [{"name": "bad", "source": "$status", "default": "0", "entry": [{"match": "~^[45]", "value": "1"}]}]
    node = house.usher(settings=harness.settings_for([replica], log=log, route=routes, map=maps))
    with wire.Wire(node.url()) as connection:
        answers = [connection.ask("GET", path, HEADERS) for path in ("/gone", "/fine", "/whoami")]
    wait_for(lambda: len(lines(times)) == 1 and len(lines(errors)) == 1, "the lines")
    assert lines(errors) == ["410 GET"]
    told = lines(times)[0].split(" ")
    assert all(re.fullmatch(r"\d+\.\d{3}", time) for time in told[:3]), told
    assert told[3:6] == [harness.address_of(replica), "200", "3"] and re.fullmatch(r"\d{10}\.\d{3}", told[6])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", told[7]) and int(told[8]) > 100 and int(told[9]) > 100
    assert told[10:] == [answers[2].header("Content-Length")] * 2 + ["-"]
    own = wait_for(lambda: len(found := [line for line in harness.json_lines(node.stdout_path) if "agent" in line]) == 2 and found, "the lines of [log]")
    assert own[0] == {"path": "/gone", "agent": 'a "quoted" agent', "forwarded": "192.0.2.9", "user": "joe", "nothing": ""}
    assert own[1]["path"] == "/whoami" and own[1]["forwarded"] == "192.0.2.9"


def test_a_field_that_is_too_long_is_cut_and_says_so(house, replica, tmp_path):
    """60 KB of a byte that JSON writes as six and nginx as four."""
    escapes = ("default", "json", "none")
    paths = {escape: tmp_path / f"{escape}.log" for escape in escapes}
    log = {"file": [{"name": escape, "access": str(path), "format": "[$http_user_agent] $uri", "escape": escape} for escape, path in paths.items()]}
    route = [{"path": "/", "upstream": "open-webui", "access_logs": ["main", *escapes]}]
    node = house.usher(settings=harness.settings_for([replica], log=log, route=route))
    target = "/whoami?id=" + "a" * 3000
    with wire.Wire(node.url()) as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nUser-Agent: ".encode() + b"\xff" * 60_000 + b"\r\n\r\n")
        assert connection.response().status == 200
    note = "...[60000 bytes]"
    line = node.await_access(lambda line: line["path"] == "/whoami")
    assert line["user_agent"].endswith("\ufffd" + note) and len(line["user_agent"]) < 1000
    wait_for(lambda: all(lines_of(path) for path in paths.values()), "a line in each log")
    written = {escape: lines_of(path)[0].rstrip(b"\n") for escape, path in paths.items()}
    assert written["default"] == b"[" + b"\\xFF" * 512 + note.encode() + b"] /whoami"
    assert written["json"] == b"[" + b"\\ufffd" * 341 + note.encode() + b"] /whoami"
    assert written["none"] == b"[" + b"\xff" * 2048 + note.encode() + b"] /whoami"


def test_a_reload_writes_another_format_to_another_file(house, replica, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    settings = harness.settings_for([replica], log={"access": str(first), "format": "1 $uri"})
    node = house.usher(settings=settings)
    assert wire.fetch(node.url() + "/whoami").status == 200
    wait_for(lambda: lines(first) == ["1 /whoami"], "a line of the first format")
    node.config.write_text(harness.toml({**settings, "log": {"access": str(second), "format": "2 $uri $status"}}))
    assert node.admin_get("/api/reload", "POST")[0] == 200
    wait_for(lambda: wire.fetch(node.url() + "/whoami").status == 200 and "2 /whoami 200" in lines(second), "a line of the second format")

    # The file that nobody writes to any more is closed; the one in use is opened again under its name.
    wait_for(lambda: open_files(node) & {first, second} == {second}, "the first file is closed")
    node.config.write_text(harness.toml({**settings, "log": {"access": str(tmp_path / "no" / "such.log")}}))
    status, answer = node.admin_get("/api/reload", "POST")
    assert status != 200 and b"such.log: No such file" in answer
    second.rename(tmp_path / "second.log.1")
    node.signal(signal.SIGUSR1)
    wait_for(second.exists, "a new file after SIGUSR1")
    wait_for(lambda: wire.fetch(node.url() + "/whoami").status == 200 and "2 /whoami 200" in lines(second), "a line in the new file")


def open_files(node) -> set:
    links = (f"/proc/{node.pid}/fd/{each}" for each in os.listdir(f"/proc/{node.pid}/fd"))
    found = set()
    for link in links:
        with contextlib.suppress(OSError):
            found.add(Path(os.readlink(link)))
    return found


def test_a_websocket_has_its_line_when_it_ends_in_the_log_of_its_opening(house, tmp_path):
    hand = house.fake(fakes.HandsOver())
    opened, plain = tmp_path / "opened.log", tmp_path / "plain.log"
    text = '$request_method $uri $status "$http_user_agent" "$sent_http_set_cookie" $body_bytes_sent $request_length>$bytes_sent $upstream_addr $connection_requests'
    settings = harness.settings_for([hand], log={"access": str(opened), "format": text, "file": [{"name": "plain", "access": str(plain)}]})
    settings["route"] = [{"path": "/", "upstream": "open-webui", "access_logs": ["main", "plain"]}]
    settings["upstream"][0]["migrate"] = False
    node = house.usher(settings=settings)
    client, replica = open_tunnel(node, hand, target="/ws/other?token=secret")
    with client:
        # Its lines go where they were to go when it opened, whatever becomes of the settings.
        node.config.write_text(harness.toml({**settings, "log": {"access": "off"}, "route": [{"path": "/", "upstream": "open-webui"}]}))
        assert node.admin_get("/api/reload", "POST")[0] == 200
        replica.send(frame(bytes(100)))
        client.read_exactly(102)
        assert lines(opened) == lines(plain) == []
        hand.hang_up()
        assert client.closed_by_peer()
    wait_for(lambda: len(lines(opened)) == len(lines(plain)) == 1, "both lines")
    told = re.fullmatch(rf'GET /ws/other 101 "-" "usher=[^"]+" 102 (\d+)>(\d+) {re.escape(hand.address)} 1', lines(opened)[0])
    assert told and int(told[1]) > 100 and int(told[2]) > 202, lines(opened)
    line = json.loads(lines(plain)[0])
    assert line["protocol"] == "websocket" and line["bytes_out"] == 102 and line["path"] == "/ws/other"
    wait_for(lambda: not open_files(node) & {opened, plain}, "nobody holds the old logs")


FILE = "/_app/immutable/chunks/page.1a2b3c.js"


def with_files(**log) -> dict:
    """Files as an application has them, of which one is gone."""
    routes = [
        {"path": "/", "status": 200, "body": "page"},
        {"path": "/_app/immutable/", "status": 200, "body": "file"},
        {"path": "/_app/immutable/gone/", "status": 404},
    ]
    return harness.settings_for(["127.0.0.1:9"], route=routes, log=log, workers=1)


def ask_for_files(node) -> list[tuple[str, str]]:
    """What has a line, until that of a last request is there."""
    asked = [
        ("GET", FILE),
        ("GET", FILE + "?v=1"),
        ("HEAD", FILE),
        ("GET", "/_app/immutable/gone/a.js"),
        ("POST", FILE),
        ("GET", "/_app/version.json"),
        # What may be another path to a replica is not taken for a file.
        ("GET", "/_app/immutable/../../api/config"),
        ("GET", "/_app/immutable/%2e%2e/%2e%2e/api/config"),
        ("GET", "/last"),
    ]
    for method, target in asked:
        with wire.Wire(node.url()) as connection:
            connection.ask(method, target, body=b"" if method == "POST" else None)
    node.await_access(lambda line: line["path"] == "/last")
    return [(line["method"], line["path"]) for line in node.access_log]


def test_files_whose_names_change_with_their_content_are_counted_unless_they_fail(house):
    node = house.usher(settings=with_files())
    assert ask_for_files(node) == [
        ("GET", "/_app/immutable/gone/a.js"),
        ("POST", FILE),
        ("GET", "/_app/version.json"),
        ("GET", "/_app/immutable/../../api/config"),
        ("GET", "/_app/immutable/%2e%2e/%2e%2e/api/config"),
        ("GET", "/last"),
    ]
    assert node.metric("usher_access_log_counted_total") == 3


def test_what_is_only_counted_is_a_setting(house):
    node = house.usher(settings=with_files(count_only=[]))
    assert len(ask_for_files(node)) == 9
    assert node.metric("usher_access_log_counted_total") == 0
    node.config.write_text(harness.toml({**node.settings, "log": {"count_only": ["/last"]}}))
    assert node.admin_get("/api/reload", "POST")[0] == 200
    wait_for(lambda: wire.fetch(node.url() + "/last").status == 200 and node.metric("usher_access_log_counted_total") > 0, "a request that is counted")


def test_logs_go_where_the_environment_says_and_are_rotated(house, tmp_path):
    places = {"USHER_LOG_ACCESS": str(tmp_path / "access.log"), "USHER_LOG_PROCESS": str(tmp_path / "process.log")}
    node = house.usher(settings=with_files(rotate="2KiB", keep=2, access="off"), env=places)
    files = [tmp_path / name for name in ("access.log", "access.log.1", "access.log.2")]
    count = 0
    # A file is full by the lines of one turn more or less, however many these are.
    while count < 60 or not files[2].exists():
        assert wire.fetch(f"{node.url()}/{count}").status == 200 and count < 6000
        count += 1

    def in_shape():
        newest, *older = (file.stat().st_size if file.exists() else 0 for file in files)
        last = any(f'"/{count - 1}"' in text for file in files for text in lines(file))
        return last and newest < 2048 and all(size >= 2048 for size in older)

    wait_for(in_shape, "the last rotation")
    told = [json.loads(text)["path"] for file in reversed(files) for text in lines(file)]
    assert told == [f"/{number}" for number in range(count - len(told), count)]
    assert not (tmp_path / "access.log.3").exists()
    node.stop()
    assert '"event":"drained"' in (tmp_path / "process.log").read_text()
    assert [line["event"] for line in node.log] == ["ready"] and not node.access_log


HOSTILE = 'a"}\t{"status":1, \\ \xff\xfe\xc3\xa4 \x80'


def test_no_client_forges_a_line(house, replica, tmp_path):
    text = '{"agent":"$http_user_agent","path":"$uri","cookie":"$cookie_a"}'
    files = [{"name": escape, "access": str(tmp_path / escape), "format": text, "escape": escape} for escape in ("default", "json", "none")]
    settings = harness.settings_for([replica], log={"file": files})
    settings["route"] = [{"path": "/", "upstream": "open-webui", "access_logs": ["default", "json", "none"]}]
    node = house.usher(settings=settings)
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami%0a%22forged", [("User-Agent", HOSTILE), ("Cookie", "a=x\xff\\")]).status == 404
    wait_for(lambda: all((tmp_path / each["name"]).exists() and (tmp_path / each["name"]).read_bytes().endswith(b"}\n") for each in files), "the lines")
    default, made, none = ((tmp_path / each["name"]).read_bytes() for each in files)
    agent = rb"a\x22}\x09{\x22status\x22:1, \x5C \xFF\xFE\xC3\xA4 \x80"
    assert default == b'{"agent":"%s","path":"/whoami\\x0A\\x22forged","cookie":"x\\xFF\\x5C"}\n' % agent
    assert json.loads(made.decode()) == {
        "agent": 'a"}\t{"status":1, \\ \ufffd\ufffd\xe4 \ufffd',
        "path": '/whoami\n"forged',
        "cookie": "x\ufffd\\",
    }
    assert none == b'{"agent":"%s","path":"/whoami\n"forged","cookie":"x\xff\\"}\n' % HOSTILE.encode("latin-1")


def test_a_log_that_nobody_reads_holds_nobody_up(house, replica, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # Each line is 64 KiB long: the pipe takes one, the thread that hangs in it 64, the buffer 64.
        settings = harness.settings_for([replica], log={"access": str(fifo), "format": "$uri " + "x" * 65_000})
        settings["route"] = [{"path": "/", "status": 204}]
        node = house.usher(settings=settings)
        with wire.Wire(node.url()) as connection:
            for _ in range(200):
                assert connection.ask("GET", "/").status == 204
        wait_for(lambda: node.metric("usher_access_log_dropped_total") > 0, "lines that found no room")
        # Nor does one that goes.
        node.config.write_text(harness.toml({**settings, "log": {"access": "off"}}))
        assert node.admin_get("/api/reload", "POST")[0] == 200
        wait_for(lambda: fifo not in open_files(node), "the log that nobody reads is closed")
        assert node.metric("usher_access_log_dropped_total") > 0
    finally:
        os.close(reader)


@pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")
def test_nginx_writes_the_same_lines(house, tmp_path):
    echo = nginx_files.Echo()
    ports, logs = {}, {}
    for server in ("nginx", "usher"):
        folder = tmp_path / server
        folder.mkdir()
        ports[server] = harness.free_port()
        logs[server] = [folder / "access.log", folder / "json.log", folder / "combined.log"]
        temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) if server == "nginx" else ""
        (folder / "nginx.conf").write_text(f"""
events {{}}
http {{
    {temporary}
    map $http_user_agent $kind {{ "~^(?<first>a) " "of $first"; default ""; }}
    map $status $bad {{ ~^[45] 1; default 0; }}
    log_format main '{FORMAT}';
    log_format small escape=json '{{"uri":"$request_uri","agent":"$http_user_agent",' '"status":$status,"kind":"$kind"}}';
    access_log {folder}/access.log main buffer=1k flush=1s;
    server {{
        listen 127.0.0.1:{ports[server]};
        location / {{ proxy_pass http://{echo.address}; proxy_set_header Host $host; }}
        location /own {{ access_log {folder}/access.log main; access_log {folder}/combined.log; return 200 "own"; }}
        location /quiet {{ access_log off; return 200 "quiet"; }}
        location /_app/ {{ return 200 "a file"; }}
        location /json {{ access_log {folder}/json.log small if=$bad; access_log {folder}/access.log main; return 404 "none"; }}
        location /good {{ access_log {folder}/json.log small if=$bad; return 200 "good"; }}
    }}
}}
""")
    nginx = harness.Child("nginx", tmp_path / "nginx")
    with nginx:
        nginx.spawn([nginx_files.have_nginx(), "-c", tmp_path / "nginx/nginx.conf", "-p", tmp_path / "nginx", "-e", "stderr", "-g", f"daemon off; master_process off; pid {tmp_path}/nginx/pid;"])
        house.usher(settings=None, args=["-c", tmp_path / "usher/nginx.conf"], env={"USHER_ADMIN": "127.0.0.1:0"})
        client = nginx_files.Client()
        for server in ("nginx", "usher"):
            wait_for(lambda port=ports[server]: accepts(port), server)
            # The replica's own answer has the headers that each sends it, so its length is nobody's.
            client.ask(ports[server], False, "chat.example.org", "HEAD", "/status/404", HEADERS)
            for target in ("/own?x=1", "/quiet", "/json?q", "/good", "/own/a%20b"):
                client.ask(ports[server], False, "Chat.Example.org:8080", "GET", target, HEADERS)
            for target in ("/own/plain", "/_app/immutable/a.1b2c.js"):
                client.ask(ports[server], False, "chat.example.org", "GET", target)
        client.close()
        for server in ("nginx", "usher"):
            wait_for(lambda server=server: len(lines(logs[server][0])) >= 6 and lines(logs[server][1]) and len(lines(logs[server][2])) >= 3, f"the lines of {server}")
    echo.close()

    def without_time(text: str) -> str:
        return re.sub(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", "[time]", text)

    seen = {server: [list(map(without_time, lines(path))) for path in logs[server]] for server in logs}
    assert seen["usher"] == seen["nginx"]
    assert "[time]" in seen["nginx"][0][0] and json.loads(seen["nginx"][1][0])["kind"] == "of a"
    assert seen["nginx"][2][0] == r'127.0.0.1 - joe [time] "GET /own?x=1 HTTP/1.1" 200 3 "-" "a \x22quoted\x22 agent"'
