"""A node is restarted under guests who load pages and hold websockets. A lone one serves until it is gone; beside another
one nobody is refused."""

import asyncio
import contextlib
import signal
import threading
import time

import harness
import wire
from guests import Guests, Stay
from harness import Usher, wait_for
from http2 import Http2

GUESTS = 30
LISTEN = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]


class Party:
    """Guests on a loop of their own, so that the test can start processes meanwhile."""

    def __init__(self, urls: list[str], count: int = GUESTS):
        self.guests = Guests(urls, Stay("/whoami", "whoami"))
        self.count = count
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.do(self.guests.arrive(self.count))
        self.settle()
        self.guests.troubles.clear()
        return self

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60 * harness.patience())

    def settle(self) -> None:
        answers = self.guests.answers
        # Everybody has asked again since: whoever has a websocket that is about to end says so by then.
        settled = lambda: self.guests.settled() and self.guests.answers > answers + 2 * self.count  # noqa: E731
        wait_for(settled, f"everybody has a page and a websocket: {self.guests.since(0)}", 60)

    def homes(self) -> dict:
        return {guest: guest.page for guest in self.guests.all}

    def __exit__(self, *_):
        with contextlib.suppress(asyncio.CancelledError):
            self.do(self.guests.leave())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def successor_of(node, house, name: str = "next"):
    """The same settings, state and addresses, started beside it."""
    node.keep_ports()
    return house.keep(Usher(house.folder, node.settings, name, {"USHER_STATE": str(node.state)})).start()


def test_a_lone_node_serves_until_it_is_gone(house):
    drain = 5
    node = house.usher(house.replicas(("alpha", "beta")), timeouts={"drain": f"{drain}s"})
    with Party([node.url("https")]) as party:
        homes, answers, began = party.homes(), party.guests.answers, time.time()
        node.restart()
        took = time.time() - began
        answered = party.guests.answers - answers
        party.settle()
        noticed = party.guests.noticed(began)
        print(f"\nrestarted in {took:.1f} s: {noticed}; {answered} answers meanwhile; {party.guests.since(began)}")
        assert noticed.failed == 0, party.guests.since(began)
        # Only between the end of the one and the start of the other.
        assert noticed.seconds < 1.5 * harness.patience()
        # A busy machine takes its time, but everybody had pages while the one drained.
        assert answered > GUESTS
        assert noticed.closed == GUESTS, "everybody is told once"
        assert party.homes() == homes
    (closed,) = [line for line in harness.json_lines(house.folder / "usher.1.err") if line.get("event") == "accepts_no_more"]
    assert closed["reason"] in ("the time is over", "nothing is left to finish")


def test_nobody_is_refused_when_the_next_one_listens_before_it_is_gone(house):
    node = house.usher(house.replicas(("alpha", "beta")), timeouts={"drain": "6s"})
    with Party([node.url("https")]) as party:
        homes, began = party.homes(), time.time()
        node.signal(signal.SIGTERM)
        wait_for(lambda: node.events("draining"), "the drain")
        successor_of(node, house)
        closed = wait_for(lambda: node.events("accepts_no_more"), "the end of accepting")
        assert closed[0]["reason"] == "another process listens there"
        assert node.wait() == 0
        party.settle()
        noticed = party.guests.noticed(began)
        print(f"\n{noticed}; {party.guests.since(began)}")
        assert (noticed.refused, noticed.failed, noticed.closed) == (0, 0, GUESTS)
        assert party.homes() == homes


def test_of_two_nodes_one_is_restarted_and_pages_do_not_notice(house):
    """Clients that know two addresses, as by DNS, and go to the second one when the first refuses."""
    replicas, store = house.replicas(("alpha", "beta")), house.redis().url
    nodes = [house.usher(replicas, store, name, timeouts={"drain": "6s"}) for name in ("one", "two")]
    with Party([node.url("https") for node in nodes]) as party:
        homes, began = party.homes(), time.time()
        nodes[0].restart()
        party.settle()
        noticed = party.guests.noticed(began)
        print(f"\n{noticed}; {party.guests.since(began)}")
        assert (noticed.refused, noticed.failed, noticed.closed) == (0, 0, GUESTS)
        assert noticed.without < 1.5 + 3 * harness.patience(), "the other node is there at the first try"
        assert party.homes() == homes


def test_whoever_comes_during_the_drain_is_served_and_told_not_to_stay(house, replica):
    node = house.usher([replica], listen=LISTEN, timeouts={"drain": "60s"})
    with wire.Wire(node.url()) as stream, wire.Wire(node.url()) as kept:
        assert kept.ask("GET", "/whoami").header("connection") != "close"
        stream.request("GET", "/sse?count=100000&interval_ms=50")
        stream.read_head()
        node.signal(signal.SIGTERM)
        wait_for(lambda: node.admin_get("/readyz")[0] == 503, "balancers are told")
        for scheme in ("http", "https"):
            with wire.Wire(node.url(scheme)) as new:
                answer = new.ask("GET", "/whoami")
                assert answer.status == 200 and answer.header("connection") == "close"
        assert kept.ask("GET", "/whoami").header("connection") == "close"
        with Http2(node.url("https")) as client:
            assert client.ask("GET", "/whoami").status == 200
            assert client.end() == 0
        with wire.Wire(node.url()) as silent:
            assert silent.closed_by_peer(), "a connection that brings nothing does not hold it up"
        # And it goes when what it has stayed for is over.
        stream.close()
        assert node.wait() == 0
    assert node.events("accepts_no_more")[0]["reason"] == "nothing is left to finish"
