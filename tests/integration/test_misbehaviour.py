"""Replicas that misbehave. A client is told the truth: an answer, an error, or an end that is visible."""

import time

import fakes
import harness
import pytest
import wire
from harness import settings_for, wait_for

JSON = [("Accept", "application/json")]


def node_of(house, *replicas, upstream=None, **extra):
    """A node in front of these, with short time limits where a test says so."""
    settings = settings_for(replicas, **extra)
    settings["upstream"][0].update(upstream or {})
    return house.usher(replicas, settings=settings, wait=False)


def up(house, *replicas, **options):
    return node_of(house, *replicas, **options).await_replicas(len(replicas))


def test_a_body_that_ends_with_the_connection_arrives_whole(house):
    node = up(house, house.fake(fakes.Says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")))
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/").body == b"until the end"


def test_no_first_byte_is_504_after_its_time(house):
    node = up(house, house.fake(fakes.NeverAnswers()), upstream={"timeouts": {"first_byte": "500ms"}})
    began = time.monotonic()
    answer = wire.fetch(node.url() + "/", headers=JSON)
    assert answer.status == 504 and answer.json()["detail"]
    assert 0.4 < time.monotonic() - began < 5 * harness.patience()


def test_a_post_without_an_answer_is_asked_once_only(house):
    fake = house.fake(fakes.NeverAnswers())
    node = up(house, fake, upstream={"timeouts": {"first_byte": "300ms"}})
    assert wire.fetch(node.url() + "/", "POST", JSON, b"pay").status == 504
    assert len(fake.heads) == 1


def test_a_stall_in_the_middle_cuts_the_body(house):
    node = up(house, house.fake(fakes.StallsAfterHead()), upstream={"timeouts": {"between_bytes": "500ms"}})
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/")
        head = connection.read_head()
        pieces = connection.body_pieces(head)
        assert next(pieces) == b"first bytes"
        with pytest.raises(wire.Truncated):
            next(pieces)


def test_a_byte_at_a_time_is_enough(house):
    node = up(house, house.fake(fakes.OneBytePerWrite()))
    answer = wire.fetch(node.url() + "/")
    assert answer.body == fakes.OneBytePerWrite.body and answer.header("x-split") == "yes"


def test_an_early_answer_reaches_the_client_that_is_still_sending(house):
    """Its reset must not beat it: what the replica said is read before what it did is judged."""
    node = up(house, house.fake(fakes.EarlyResponse()))
    for _ in range(20):
        with wire.Wire(node.url()) as connection:
            connection.request("POST", "/", [("Content-Length", "50000000")])
            try:
                for _ in range(200):
                    connection.send(b"x" * 65536)
            except OSError:
                pass  # It may stop listening once it has answered.
            assert connection.read_head().status == 413


def test_a_replica_that_never_reads_does_not_fill_our_memory(house):
    node = up(house, house.fake(fakes.NeverReads()), workers=1)
    before = node.private_memory()
    with wire.Wire(node.url(), timeout=1) as connection:
        connection.request("POST", "/", [("Content-Length", "200000000")])
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                connection.socket.settimeout(1)
                sent += connection.socket.send(b"x" * 65536)
        if not harness.sanitized():
            assert node.private_memory() - before < 4 << 20


def test_a_refused_connection_means_the_next_replica(house):
    alive = house.replica()
    dead = house.fake(fakes.RefusesConnections())
    # No health check has spoken: only the refusal itself tells.
    node = node_of(house, dead, alive, upstream={"health": {"interval": "10m", "fall": 100}, "balance": "round_robin"})
    for number in range(10):
        answer = wire.fetch(node.url() + "/echo", "POST", body=b"%d" % number)
        assert answer.status == 200 and answer.body == b"%d" % number


GARBAGE = {
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "bad header": b"HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
    "nul in a header": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a switch nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "head too large": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "nothing at all": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_not_an_answer_is_502(house, name):
    node = up(house, house.fake(fakes.Says(GARBAGE[name])))
    answer = wire.fetch(node.url() + "/", "POST", JSON, b"x")
    assert answer.status == 502 and answer.json()["detail"]
    assert node.await_access(lambda line: line["path"] == "/")["error"]


def test_a_bad_chunk_cuts_the_body(house):
    node = up(house, house.fake(fakes.Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n")))
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/")
        # What came with the head may be refused before the head has left.
        with pytest.raises(wire.Truncated):
            head = connection.read_head()
            if head.status == 502:
                raise wire.Truncated
            list(connection.body_pieces(head))


def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next_client(house):
    """A second response behind the first must not answer the next request on that connection."""
    node = up(house, house.fake(fakes.Says(fakes.whole(b"first") + fakes.whole(b"smuggled"), keep=True)), workers=1)
    for _ in range(5):
        with wire.Wire(node.url()) as connection:
            assert connection.ask("GET", "/").body == b"first"


def test_an_idle_connection_that_the_replica_closes_is_no_502(house):
    node = up(house, house.fake(fakes.ClosesAfterEachResponse()), workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(50):
            assert connection.ask("GET", "/").status == 200


@pytest.mark.parametrize("method, body", [("GET", None), ("HEAD", None), ("PUT", None)])
def test_a_stale_connection_is_replaced_by_a_fresh_one(house, method, body):
    fake = house.fake(fakes.ClosesOnReuse())
    node = up(house, fake, workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(10):
            assert connection.ask(method, "/", body=body).status == 200
    line = node.await_access(lambda line: line["attempts"] > 1)
    assert line["status"] == 200


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_must_not_be_sent_twice_never_goes_on_a_kept_connection(house, method):
    """uvicorn whose event loop has stalled closes kept connections when it wakes, with a request on them unread."""
    fake = house.fake(fakes.ClosesOnReuse())
    node = up(house, fake, workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(10):
            assert connection.ask(method, "/", JSON, b"pay once").status == 200
    assert len(fake.heads) == 10
    lines = wait_for(lambda: len(node.access_log) == 10 and node.access_log, "their lines")
    assert {line["attempts"] for line in lines} == {1}


def test_a_post_that_may_have_been_seen_is_not_sent_again(house):
    fake = house.fake(fakes.AnswersAfterTheFirst())
    node = up(house, fake)
    assert wire.fetch(node.url() + "/", "POST", JSON, b"pay once").status == 502
    assert len(fake.heads) == 1


@pytest.mark.parametrize("method, sent", [("GET", 2), ("HEAD", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)])
def test_nothing_is_sent_more_than_twice(house, method, sent):
    """RFC 9110 section 9.2.2: what may be repeated is repeated once, however many replicas there are."""
    replicas = [house.fake(fakes.Says(b"")) for _ in range(3)]
    node = up(house, *replicas)
    with wire.Wire(node.url()) as connection:
        connection.request(method, "/", JSON)
        assert connection.response(method).status == 502
    assert sum(len(replica.heads) for replica in replicas) == sent
    assert node.await_access(lambda line: line["path"] == "/")["attempts"] == sent


def test_a_body_is_never_sent_twice(house):
    """Not even an idempotent method's: usher keeps no copy of it."""
    replicas = [house.fake(fakes.Says(b"")) for _ in range(3)]
    node = up(house, *replicas)
    assert wire.fetch(node.url() + "/", "PUT", JSON, b"x" * 10_000).status == 502
    assert sum(len(replica.heads) for replica in replicas) == 1


def test_an_idle_connection_is_given_up_before_uvicorn_would(house):
    """uvicorn keeps one for 5 s: a request that rode it then would race its end."""
    fake = house.fake(fakes.Says(fakes.whole(b"kept"), keep=True))
    node = up(house, fake, workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(3):
            assert connection.ask("GET", "/").body == b"kept"
        assert fake.used_connections == 1
        time.sleep(4.5)
        assert connection.ask("GET", "/").body == b"kept"
    assert fake.used_connections == 2


def test_a_get_that_was_cut_before_its_answer_is_tried_again(house):
    fake = house.fake(fakes.AnswersAfterTheFirst())
    node = up(house, fake)
    assert wire.fetch(node.url() + "/").body == b"second try"


def test_interim_answers_are_passed_on_or_dropped_but_never_taken_for_the_answer(house):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    node = up(house, house.fake(fakes.Says(early + fakes.whole(b"final"), keep=True)))
    with wire.Wire(node.url()) as connection:
        for _ in range(3):
            assert connection.ask("GET", "/").body == b"final"


def test_trailers_do_not_break_the_next_answer(house):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n"
    node = up(house, house.fake(fakes.Says(chunked, keep=True)), workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(3):
            answer = connection.ask("GET", "/")
            assert answer.body == b"abc" and answer.trailers in ([], [("X-Sum", "42")])


# --- Clients that misbehave ---------------------------------------------------------------------------


def test_a_head_that_never_ends_is_408(house):
    node = up(house, house.replica(), timeouts={"head": "400ms"})
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
        assert connection.response().status == 408
        assert connection.closed_by_peer()


def test_a_head_in_drips_does_not_win_more_time(house):
    node = up(house, house.replica(), timeouts={"head": "600ms"})
    began = time.monotonic()
    with wire.Wire(node.url()) as connection:
        connection.socket.settimeout(0.1)
        connection.send(b"GET / HTTP/1.1\r\n")
        data = b""
        while not data and time.monotonic() - began < 10 * harness.patience():
            try:
                connection.send(b"X-A: b\r\n")
                data = connection.socket.recv(1000)
            except TimeoutError:
                continue
        assert data.startswith(b"HTTP/1.1 408")


def test_an_upload_that_stalls_is_408(house):
    replica = house.replica()
    node = up(house, replica, timeouts={"stall": "500ms"})
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink?id=stalled", [("Content-Length", "1000"), *JSON])
        connection.send(b"x" * 10)
        assert connection.response().status == 408
    wait_for(lambda: any(abort["id"] == "stalled" for abort in replica.get("/aborts")), "the abort at the replica")


def test_an_idle_client_connection_is_closed_after_keep_alive(house):
    node = up(house, house.replica(), timeouts={"keep_alive": "300ms"})
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").status == 200
        assert connection.closed_by_peer()


def test_a_connection_that_says_nothing_is_closed_without_a_word(house):
    node = up(house, house.replica(), timeouts={"head": "300ms"})
    with wire.Wire(node.url()) as connection:
        assert connection.closed_by_peer()


def test_a_client_that_stops_reading_is_given_up_after_the_stall(house):
    replica = house.replica()
    node = up(house, replica, timeouts={"stall": "500ms"})
    with wire.Wire(node.url(), receive_buffer=4096) as connection:
        connection.request("GET", "/blob?id=unread&bytes=100000000")
        connection.read_head()
        wait_for(lambda: any(abort["id"] == "unread" for abort in replica.get("/aborts")), "the abort at the replica")
