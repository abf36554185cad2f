"""The judge of the chaos run: each of its rules can fail, and does not where a fault explains what was seen."""

import sys
from datetime import datetime, timezone

import harness
import pytest

sys.path.insert(0, str(harness.ROOT / "tests" / "chaos"))
import judge  # noqa: E402
from faults import Fault  # noqa: E402


def seen(replica: str, sent: float, lasted: float = 0.1, **more) -> dict:
    """A line of a replica's journal."""
    line = {"client": "c", "cookie": None, "replica": replica, "sent": sent, "begun": sent, "time": sent + lasted, "sid": None, "status": 200}
    return {**line, "method": "GET", "path": "/whoami", "query": "", "request_id": f"{replica}{sent}", **more}


def logged(replica: str, begun: float, lasted: float, status: int = 200, **more) -> dict:
    """A line of a node's access log."""
    time = datetime.fromtimestamp(begun, timezone.utc).isoformat()
    return {"replica": replica, "time": time, "duration_ms": lasted * 1000, "status": status, "protocol": "h1", "method": "GET", "error": "", "affinity": "cookie", "attempts": 1, **more}


def kill(replica: str, at: float, back: float) -> Fault:
    return Fault("kill", replica, at, back, moves=True, kills=[at])


def unexplained(requests: list[dict], faults: list[Fault], access: tuple[dict, ...] = ()) -> list[tuple[str, str]]:
    return [(move.home, move.other) for move in judge.moves(requests, access, faults) if move.fault is None]


@pytest.mark.parametrize(
    "requests, faults, wrong",
    [
        ([seen("a", 10), seen("a", 20)], [], []),
        ([seen("a", 10), seen("b", 20)], [], [("a", "b")]),
        ([seen("a", 10), seen("b", 20)], [kill("a", 15, 30)], []),
        ([seen("a", 10), seen("b", 20)], [kill("b", 15, 30)], [("a", "b")]),
        ([seen("a", 10), seen("b", 20)], [kill("a", 3, 9)], [("a", "b")]),
        ([seen("a", 10), seen("b", 20)], [Fault("stall", "a", 15, 20)], [("a", "b")]),
        # Back again: only a fault of the new home is a reason.
        ([seen("a", 10), seen("b", 20), seen("a", 40)], [kill("a", 15, 30)], [("b", "a")]),
        ([seen("a", 10), seen("b", 20), seen("a", 40)], [kill("a", 15, 30), kill("b", 35, 45)], []),
        # Torn between two for as long as the fault lasts.
        ([seen("a", 10), seen("b", 20), seen("a", 22), seen("b", 24)], [kill("a", 15, 30)], [("b", "a")]),
        # In flight together.
        ([seen("a", 10), seen("b", 20), seen("a", 20.5)], [kill("a", 15, 30)], []),
        # A long poll that ends late says nothing of what was sent after it.
        ([seen("a", 10, 15), seen("b", 20), seen("b", 30)], [kill("a", 15, 26)], []),
    ],
)
def test_moves(requests, faults, wrong):
    assert unexplained(requests, faults) == wrong


def test_what_was_sent_before_the_new_cookie_arrived_is_in_flight():
    faults = [kill("a", 15, 30)]
    requests = [seen("a", 10, cookie="1"), seen("b", 20, cookie="1"), seen("a", 24, cookie="1")]
    rebound = logged("b", 20, 0.1, affinity="rebound", request_id=requests[1]["request_id"])
    assert not unexplained(requests, faults, (rebound,))
    assert unexplained(requests, faults, ({**rebound, "affinity": "sid"},)) == [("b", "a")]
    assert unexplained([*requests[:2], {**requests[2], "cookie": "2"}], faults, (rebound,)) == [("b", "a")]
    assert unexplained([*requests[:2], {**requests[2], "sent": 31}], faults, (rebound,)) == [("b", "a")]


def test_two_nodes_may_disagree_on_a_new_home_only_while_the_store_is_away():
    faults = [kill("a", 15, 30), Fault("pause store", "redis0", 14, 22, store=True)]
    requests = [seen("a", 10, cookie="1"), seen("b", 20, cookie="1"), seen("c", 24, cookie="2"), seen("b", 30, cookie="3")]
    rebound = logged("b", 20, 0.1, affinity="rebound", request_id=requests[1]["request_id"])
    assert not unexplained(requests[:3], faults, (rebound,))
    assert unexplained(requests[:3], faults) == [("b", "c")]
    assert unexplained(requests[:3], faults[:1], (rebound,)) == [("b", "c")]
    assert unexplained(requests, faults, (rebound,)) == [("c", "b")]
    soon = Fault("pause store", "redis0", 21, 23, store=True)
    assert not unexplained(requests[:3], [faults[0], soon], (rebound,))
    over = Fault("pause store", "redis0", 10, 14, store=True)
    assert unexplained(requests[:3], [faults[0], over], (rebound,)) == [("b", "c")]


def test_a_websocket_that_was_carried_on_is_where_its_node_says():
    handshake = {"method": "WEBSOCKET", "request_id": "w", "status": 101}
    here = seen("a", 10, **handshake)
    # b was frozen, and reads what it was asked at 12 when its node has long gone on to c.
    given_up, again, last = (seen(name, 10, begun=at, **handshake) for name, at in (("b", 16), ("c", 15), ("c", 20)))
    requests = [here, given_up, again, last]
    arrived = judge.settled(requests, [("w", "c", 20.05)])
    assert [(line["replica"], line["sent"]) for line in arrived] == [("a", 10), ("c", 20)]
    assert judge.settled(requests, []) == [here]
    # Its client could not be told of the move: without the store another worker may know another home.
    deaf = Fault("pause store", "redis0", 19, 22, store=True)
    later = [*arrived, seen("a", 23)]
    assert unexplained(later, [kill("a", 15, 17), deaf]) == []
    assert unexplained(later, [kill("a", 15, 17)]) == [("c", "a")]


def test_a_5xx_is_forgiven_at_the_kill_of_its_replica_and_only_then():
    faults = [kill("a", 15, 30)]
    lines = [logged("a", 14, 1, 502), logged("b", 14, 1, 502), logged("a", 17, 1, 502), logged("", 15, 0, 503)]
    assert [fault for _, fault in judge.bad_answers(lines, faults)] == [faults[0], None, None, None]


def test_a_502_is_forgiven_to_a_post_that_a_stopping_replica_had_not_accepted():
    stop = Fault("stop", "a", 15, 30, moves=True, stops=[15])
    reset = {"method": "POST", "error": "replica_closed: Connection reset by peer"}
    lines = [
        logged("a", 15.1, 0.1, 502, **reset),
        logged("a", 19, 0.1, 502, **reset),
        logged("b", 15.1, 0.1, 502, **reset),
        logged("a", 15.1, 0.1, 502, **{**reset, "method": "GET"}),
        logged("a", 15.1, 0.1, 502, **{**reset, "error": "replica_closed: the end of the connection"}),
    ]
    assert [fault for _, fault in judge.bad_answers(lines, [stop])] == [stop, None, None, None, None]


def test_nobody_is_held_by_a_dead_replica():
    faults = [kill("a", 15, 30)]
    lines = [logged("a", 14, 2), logged("a", 14, 6), logged("b", 14, 6), logged("a", 40, 6)]
    assert judge.kept_by_the_dead(lines, faults, 2.5) == lines[1:2]


def test_the_clients_of_a_killed_replica_are_served_soon():
    faults = [kill("a", 15, 30)]
    (prompt,) = judge.recoveries([seen("a", 10), seen("b", 16)], [], faults)
    assert prompt.waited == 0 and prompt.since_kill == 1
    (late,) = judge.recoveries([seen("a", 10), seen("b", 16, begun=21)], [], faults)
    assert late.waited == 5
    came = logged("b", 20, 2, request_id="b16")
    (on_its_way,) = judge.recoveries([seen("a", 10), seen("b", 16, begun=21)], [came], faults)
    assert on_its_way.waited == 1
    assert not list(judge.recoveries([seen("b", 10), seen("b", 16)], [], faults))


def test_silence_needs_a_reason():
    def unexplained(times, requests, faults):
        return [round(each.unexplained) for each in judge.silences({"c": times}, requests, {"one"}, faults, (0, 100))]

    every = list(range(0, 101, 5))
    assert not unexplained(every, [], [])
    gap = [time for time in every if not 30 < time < 60]
    assert unexplained(gap, [seen("a", 29)], []) == [30]
    assert unexplained(gap, [seen("a", 29)], [kill("b", 30, 59)]) == [30]
    assert not unexplained(gap, [seen("a", 29)], [kill("a", 30, 42)])
    assert unexplained(gap, [seen("a", 29)], [kill("a", 30, 35)]) == [15]


def test_a_websocket_goes_with_its_client():
    websocket = seen("a", 10, method="WEBSOCKET", status=101)
    others = [seen("a", 12), seen("b", 20)]
    end = {"protocol": "websocket", "request_id": websocket["request_id"]}
    assert not judge.left_behind([websocket, *others], [logged("a", 10, 12, 101, **end)], [])
    late = [logged("a", 10, 30, 101, **end)]
    (left,) = judge.left_behind([websocket, *others], late, [])
    assert round(left.seconds) == 20
    # It was carried on where its client went.
    again = {**websocket, "replica": "b", "begun": 20.5, "time": 20.6}
    assert not judge.left_behind([websocket, again, *others], late, [])
    # Nobody can be told while the store is away.
    assert not judge.left_behind([websocket, *others], late, [Fault("kill master", "redis0", 19, 34, store=True)])


def test_a_lost_session_needs_a_fault_of_the_replica_that_had_opened_it():
    socketio = {"path": judge.SOCKETIO}
    lines = [seen("a", 10, **socketio), seen("a", 11, sid="s", **socketio), seen("b", 20, sid="s", status=400, **socketio)]
    access = [logged("b", 20, 0.1, 400, request_id=lines[-1]["request_id"])]
    fault = kill("a", 15, 30)
    assert [found for _, found in judge.lost_sessions(lines, access, [fault])] == [fault]
    assert [found for _, found in judge.lost_sessions(lines, access, [kill("b", 15, 30)])] == [None]
    assert not judge.lost_sessions(lines, [], [])
    # Its client had given it up.
    late = {**lines[-1], "time": 30}
    assert len(judge.lost_sessions([*lines[:2], late], access, [])) == 1
    left = judge.lost_sessions([*lines[:2], late, seen("b", 25, **socketio)], access, [])
    assert [reason for _, reason in left] == [judge.GIVEN_UP]
