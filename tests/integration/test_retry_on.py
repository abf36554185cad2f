"""A route's `retry_on`: another replica is asked when the first one's answer is no good."""

import fakes
import pytest
import wire
from harness import settings_for, wait_for

GOOD = fakes.whole(b"good")


def answer(status: int) -> bytes:
    return fakes.whole(b"bad", f"{status} Bad")


class Door:
    """A node with one replica that answers badly and one that does not; clients begin at the bad one."""

    def __init__(self, house, bad, words=("503", "timeout", "invalid_response"), good=None, **route):
        self.bad, self.good = house.fake(bad), house.fake(good or fakes.Says(GOOD, keep=True))
        settings = settings_for([self.bad, f"{self.good.address} backup"]) | {"workers": 1}
        settings["route"][0] |= {"retry_on": list(words), **route}
        # Its first choice is the bad one, which no probe finds out.
        settings["upstream"][0]["health"] |= {"any_answer": True}
        self.node = house.usher(settings=settings).await_replicas(2)
        self.asked = 0

    def ask(self, method="GET", target="/x", headers=(), body=None) -> wire.Response:
        self.asked += 1
        return wire.fetch(self.node.url() + target, method, headers=list(headers), body=body)

    def last_line(self) -> dict:
        wait_for(lambda: len(self.node.access_log) == self.asked, "a line for each request")
        return self.node.access_log[-1]


def test_another_replica_answers_in_its_place_and_the_client_stays_there(house):
    door = Door(house, fakes.Says(answer(503), keep=True))
    first = door.ask()
    assert (first.status, first.body) == (200, b"good")
    line = door.last_line()
    assert line["attempts"] == 2 and line["replica"] == door.good.address and not line["error"]
    assert door.node.metric("usher_retries_total", cause="replica_status") == 1
    again = door.ask(headers=[("Cookie", first.cookie())])
    assert again.status == 200 and door.last_line()["attempts"] == 1


@pytest.mark.parametrize(
    "bad, cause",
    [(lambda: fakes.Says(b"what is this?\r\n\r\n"), "replica_bad_response"), (fakes.NeverAnswers, "first_byte_timeout")],
)
def test_no_answer_is_no_good_either(house, bad, cause):
    door = Door(house, bad(), timeouts={"first_byte": "300ms"})
    assert door.ask().body == b"good"
    assert door.node.metric("usher_retries_total", cause=cause) == 1


@pytest.mark.parametrize(
    "bad, status",
    [(lambda: fakes.Says(answer(503)), 503), (lambda: fakes.Says(b"what is this?\r\n\r\n"), 502), (fakes.NeverAnswers, 504)],
)
def test_without_the_word_the_first_answer_counts(house, bad, status):
    door = Door(house, bad(), words=["500"], timeouts={"first_byte": "300ms"})
    assert door.ask().status == status
    assert door.good.heads == []


def test_what_must_not_be_done_twice_is_not(house):
    door = Door(house, fakes.Says(answer(503)))
    for method, body in (("POST", b"x"), ("POST", b""), ("PUT", b"x"), ("PATCH", b"")):
        assert door.ask(method, body=body).status == 503
    assert door.good.heads == []


def test_a_session_stays_where_it_is(house):
    """Of Socket.IO: no other replica knows its sid."""
    door = Door(house, fakes.Says(answer(503)))
    assert door.ask(target="/ws/socket.io/?EIO=4&transport=polling&sid=abc").status == 503
    assert door.good.heads == []


def test_the_second_answer_counts_whatever_it_is(house):
    door = Door(house, fakes.Says(answer(503)), good=fakes.Says(answer(500)), words=["500", "503"])
    assert door.ask().status == 500
    assert len(door.bad.heads) == len(door.good.heads) == 1


def test_one_attempt_is_one(house):
    door = Door(house, fakes.Says(answer(503)), attempts=1)
    assert door.ask().status == 503
    assert door.good.heads == []


def test_alone_a_replica_is_believed(house):
    bad = house.fake(fakes.Says(answer(503), keep=True))
    settings = settings_for([bad])
    settings["route"][0]["retry_on"] = ["503"]
    settings["upstream"][0]["health"] |= {"any_answer": True}
    node = house.usher(settings=settings).await_replicas(1)
    answered = wire.fetch(node.url() + "/x")
    assert (answered.status, answered.body) == (503, b"bad")
    assert node.await_access(lambda line: line["status"] == 503)["attempts"] == 1 and len(bad.heads) == 1


def test_an_outage_is_not_made_worse(house):
    """The retry budget holds here too; beyond it the answer is passed on as it is."""
    door = Door(house, fakes.Says(answer(503), keep=True))
    statuses = [door.ask().status for _ in range(200)]
    assert 200 in statuses and 503 in statuses
    assert door.node.metric("usher_retries_refused_total") == statuses.count(503)
