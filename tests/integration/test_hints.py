"""The log says in plain words what is wrong with Open WebUI's websockets, once, and counts the rest."""

import json

import pytest
import wire
from harness import wait_for

SOCKETIO = "/ws/socket.io/?EIO=4&transport="
PAGE = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Content-Type", "application/json")]
CAUSES = ("origin_refused", "upgrade_lost", "session_lost", "websocket_missing")


def hints(node) -> list[dict]:
    return [line for line in node.log if line.get("event") == "hint"]


def counted(node) -> dict[str, float]:
    counts = {cause: node.metric("usher_hints_total", cause=cause) for cause in CAUSES}
    return {cause: count for cause, count in counts.items() if count}


def await_hint(node, cause: str, count: int = 1) -> dict:
    """The one line about it, once it has been counted so often; no other trouble has been seen."""
    wait_for(lambda: counted(node).get(cause, 0) >= count, f"{count} of {cause}")
    assert counted(node) == {cause: count}
    (line,) = hints(node)
    assert line["cause"] == cause and line["level"] == "warning" and line["advice"]
    return line


def ask_for_websocket(node, query: str = "", origin: str | None = None) -> int:
    extra = b"Origin: %s\r\n" % origin.encode() if origin else b""
    with wire.Wire(node.url()) as connection:
        connection.send(wire.handshake(SOCKETIO + "websocket" + query, extra))
        return connection.response().status


# --- The Origin ---------------------------------------------------------------------------------------


@pytest.fixture
def particular(house):
    return house.usher([house.replica(args=["--origins", "https://chat.example.org;https://other.example.org"])])


def test_a_websocket_whose_origin_is_refused_is_explained(particular):
    assert ask_for_websocket(particular, origin="https://chat.example.org") == 101
    assert ask_for_websocket(particular, origin="https://chat.example.org:8443") == 403
    line = await_hint(particular, "origin_refused")
    assert line["origin"] == "https://chat.example.org:8443" and "CORS_ALLOW_ORIGIN" in line["advice"]


def test_a_poll_whose_origin_is_refused_is_explained(particular):
    answer = wire.fetch(particular.url() + SOCKETIO + "polling", headers=[("Origin", "http://evil.example")])
    assert answer.status == 400 and answer.json() == "http://evil.example is not an accepted origin."
    assert await_hint(particular, "origin_refused")["origin"] == "http://evil.example"


def test_a_trouble_that_repeats_itself_is_one_line_and_many_counts(particular):
    for _ in range(5):
        assert ask_for_websocket(particular, origin="http://evil.example") == 403
    await_hint(particular, "origin_refused", 5)
    assert ask_for_websocket(particular, origin="http://another.example") == 403
    both = ["http://evil.example", "http://another.example"]
    wait_for(lambda: [line["origin"] for line in hints(particular)] == both, "a line for each Origin")


def test_an_origin_of_any_length_and_content_makes_one_small_line(particular):
    origin = 'https://"\\' + "x" * 5000
    assert ask_for_websocket(particular, origin=origin) == 403
    line = await_hint(particular, "origin_refused")
    assert origin.startswith(line["origin"]) and len(line["origin"]) < 300


# --- The Upgrade --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--unguarded"]])
@pytest.mark.parametrize("headers", [[], [("Connection", "close"), ("Sec-WebSocket-Version", "13")]])
def test_an_upgrade_that_was_lost_on_the_way_is_explained(house, options, headers):
    node = house.usher([house.replica(args=options)])
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", SOCKETIO + "websocket", headers).status == 400
    line = await_hint(node, "upgrade_lost")
    assert "proxy" in line["advice"] and "Upgrade" in line["advice"] and line["peer"] == "127.0.0.1"


# --- The session --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_that_the_replica_does_not_know_is_explained(node, replica, method):
    body = b"40" if method == "POST" else None
    answer = wire.fetch(node.url() + SOCKETIO + "polling&sid=unheardof", method, body=body)
    assert answer.status == 400 and answer.json() == "Invalid session unheardof"
    line = await_hint(node, "session_lost")
    assert "UVICORN_WORKERS" in line["advice"] and line["replica"] == replica.address


def test_a_websocket_for_a_session_that_the_replica_does_not_know_is_explained(node):
    assert ask_for_websocket(node, "&sid=unheardof", origin="http://localhost") == 403
    await_hint(node, "session_lost")


# --- The chat -----------------------------------------------------------------------------------------


def chat(connection, headers, **more) -> wire.Response:
    return connection.ask("POST", "/api/chat/completions", headers, json.dumps({"stream": True, **more}).encode())


def test_a_browsers_chat_that_streams_is_explained(node):
    with wire.Wire(node.url()) as connection:
        answer = chat(connection, PAGE)
    assert answer.header("content-type").startswith("text/event-stream") and answer.body.endswith(b"[DONE]\n\n")
    assert "websocket" in await_hint(node, "websocket_missing")["advice"]


def test_an_old_browser_is_known_by_its_origin(node):
    with wire.Wire(node.url()) as connection:
        chat(connection, [("Origin", node.url())])
    await_hint(node, "websocket_missing")


def cookie_of(response) -> list:
    return [("Cookie", response.cookie())]


def test_what_rightly_streams_or_does_not_stream_is_no_trouble(node):
    with wire.Wire(node.url()) as connection:
        chat(connection, [("Authorization", "Bearer key"), ("Accept", "text/event-stream")])
        chat(connection, [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://another.example")])
        chat(connection, [("Origin", "https://another.example")])
        chat(connection, PAGE, session_id="s", chat_id="c")
        # A page with a live websocket streams too, in the playground.
        cookie = cookie_of(connection.ask("GET", "/whoami"))
        with wire.Wire(node.url()) as socket:
            socket.send(wire.handshake(SOCKETIO + "websocket", b"Cookie: %s\r\n" % cookie[0][1].encode()))
            assert socket.response().status == 101
            chat(connection, PAGE + cookie)
            assert counted(node) == {} and hints(node) == []
        wait_for(lambda: node.metric("usher_websockets") == 0, "the end of the websocket")
        chat(connection, PAGE + cookie)
    await_hint(node, "websocket_missing")


def test_other_refusals_are_no_trouble(node):
    assert wire.fetch(node.url() + SOCKETIO + "carrier-pigeon").status == 400
    assert wire.fetch(node.url() + "/ws/socket.io/?transport=polling").status == 400
    assert wire.fetch(node.url() + "/status?code=400").status == 400
    assert wire.fetch(node.url() + "/status?code=403", headers=[("Origin", "http://evil.example")]).status == 403
    with wire.Wire(node.url()) as connection:
        connection.send(wire.handshake("/no/such/socket", b"Origin: http://evil.example\r\n"))
        assert connection.response().status == 403
    assert counted(node) == {} and hints(node) == []
