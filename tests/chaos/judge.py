"""What must hold after a run, judged from the replicas' journals, the nodes' access logs and the clients' reports.
Nothing here starts or asks anything: facts in, what is wrong out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from faults import Fault

# Requests of one client this close to each other may have been in flight together: the order in which they
# were sent says nothing about the order in which they were routed.
IN_FLIGHT = 1.0
# The clocks of the logs are one, but a line is written a moment after what it tells.
MOMENT = 0.3
# After the store is well again, a node that moved a client meanwhile tells the others with the client's next
# request: pages come every 3 s.
TOLD = 5.0
# A websocket is told to go, and may take a second for its closing handshake.
PARTING = 2.0
# An answer is on its way no longer than this, however busy the client's machine is.
ON_ITS_WAY = 10.0
# A replica stops listening so long after SIGTERM at the latest: uvicorn looks ten times a second.
STOPPING = 2.0
# No client may be without an answer for so long, but for faults that concern it; and after such a fault it
# is given the time that a client of Open WebUI waits before it connects again, twice in a row.
SILENCE = 10.0
RECONNECT = 10.0
SOCKETIO = "/ws/socket.io/"


@dataclass
class Move:
    """A client was served by `home` and then by another; `fault` explains it, or nothing does."""

    client: str
    home: str
    other: str
    left: dict  # journal lines: the last one at home, the first one elsewhere
    came: dict
    fault: Fault | None

    def __str__(self) -> str:
        return f"{self.client}: {brief(self.left)} and then {brief(self.came)}"


def brief(line: dict) -> str:
    target = line["path"] + (f"?{line['query']}" if line.get("query") else "")
    return f"{line['replica']} {line['sent']:.3f}..{line['time']:.3f} {line['method']} {target} {line['status']} {line['request_id']}"


def begun(line: dict) -> float:
    """When a line of an access log begins."""
    return datetime.fromisoformat(line["time"]).timestamp()


def ended(line: dict) -> float:
    return begun(line) + line["duration_ms"] / 1000


def kill_of(replica: str, since: float, until: float, faults: list[Fault]) -> Fault | None:
    """That killed this replica at a moment in between."""
    for fault in faults:
        if fault.target == replica and any(since - MOMENT <= kill <= until + MOMENT for kill in fault.kills):
            return fault
    return None


def settled(requests: list[dict], arrivals: Iterable[tuple[str, str, float]]) -> list[dict]:
    """The journals' lines with what became of the websockets that were carried on: a handshake that was said again began
    when it was, not when the client said it, and is one only if the node says that the websocket arrived there
    (`arrivals`: request id, replica, when). A frozen replica answers those, too, that were given up long ago."""
    first: dict[str, float] = {}
    for line in requests:
        if line["method"] == "WEBSOCKET":
            first[line["request_id"]] = min(line["begun"], first.get(line["request_id"], line["begun"]))
    again = defaultdict(list)
    kept = []
    for line in requests:
        if line["method"] == "WEBSOCKET" and line["begun"] > first[line["request_id"]]:
            again[line["request_id"], line["replica"]].append(line)
        else:
            kept.append(line)
    for request_id, replica, when in arrivals:
        before = [line for line in again[request_id, replica] if line["begun"] <= when + MOMENT]
        if before:
            last = max(before, key=lambda line: line["begun"])
            kept.append({**last, "sent": last["begun"], "carried": True})
    return sorted(kept, key=lambda line: line["sent"])


# --- No 5xx -------------------------------------------------------------------------------------------


def bad_answers(access: list[dict], faults: list[Fault]) -> list[tuple[dict, Fault | None]]:
    """Every 5xx, each with the fault that excuses it, if there is one."""
    bad = [line for line in access if line["status"] >= 500]
    return [(line, kill_of(line["replica"], begun(line), ended(line), faults) or refused_by_stop(line, faults)) for line in bad]


def is_of_engineio(line: dict, unanswered: set[str]) -> bool:
    """python-engineio raises KeyError('Session is disconnected') when a client that has just said goodbye to a
    session has another request for it under way, and uvicorn makes a 500 of that: the replica was the right one."""
    return line["status"] == 500 and line["error"] is None and line["path"].startswith(SOCKETIO) and line["request_id"] in unanswered


def refused_by_stop(line: dict, faults: list[Fault]) -> Fault | None:
    """A replica that is told to stop closes its listener, and the kernel resets the connections that it had not
    accepted yet. What was sent on them and may be done only once has no second chance, and gets a 502."""
    if line["method"] != "POST" or not (line["error"] or "").startswith("replica_closed: Connection reset"):
        return None
    for fault in faults:
        if fault.target == line["replica"] and any(stop <= ended(line) and begun(line) <= stop + STOPPING for stop in fault.stops):
            return fault
    return None


# --- One home -----------------------------------------------------------------------------------------


def moves(requests: list[dict], access: list[dict], faults: list[Fault]) -> list[Move]:
    """Every time that a client reaches another replica than one that has answered it before, once for each
    fault that explains it. `requests`: the replicas' journals, in the order in which the requests were sent."""
    reasons = by_target(fault for fault in faults if fault.moves)
    deaf = [fault for fault in faults if fault.store]
    brought_a_cookie = {line["request_id"] for line in access if line["affinity"] in ("new", "rebound")}
    found = []
    for client, lines in by_client(requests).items():
        answered: dict[str, dict] = {}  # by replica, its last line that precedes what is looked at
        under_way: list[dict] = []
        told = set()
        for line in lines:
            for other in [each for each in under_way if each["time"] + IN_FLIGHT < line["sent"]]:
                under_way.remove(other)
                last = answered.get(other["replica"])
                if last is None or last["time"] < other["time"]:
                    answered[other["replica"]] = other
            for home, left in answered.items():
                if home == line["replica"]:
                    continue
                # It still has the cookie that it asked with at `home`, and the answer brought another: it was sent
                # before that answer had arrived.
                carried = left.get("carried", False)
                unread = not carried and left["request_id"] in brought_a_cookie and left["cookie"] == line["cookie"]
                if unread and line["sent"] < left["time"] + ON_ITS_WAY:
                    continue
                reason = next((fault for fault in reasons[home] if fault.concerns(left["sent"], line["begun"])), None)
                # Without the store two nodes that know different things may move a client to different homes.
                if reason is None and (carried or left["request_id"] in brought_a_cookie):
                    reason = next((fault for fault in deaf if fault.concerns(left["sent"] - TOLD, line["begun"])), None)
                # Whoever moves on later has left this home only once.
                key = (home, reason.began if reason else line["replica"])
                if key not in told:
                    told.add(key)
                    found.append(Move(client, home, line["replica"], left, line, reason))
            under_way.append(line)
    return found


def by_client(lines: Iterable[dict]) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for line in lines:
        found[line["client"]].append(line)
    return found


def by_target(faults: Iterable[Fault]) -> dict[str, list[Fault]]:
    found = defaultdict(list)
    for fault in faults:
        found[fault.target].append(fault)
    return found


@dataclass
class LeftBehind:
    """A websocket that stayed at one replica while its client was already served by another."""

    client: str
    websocket: dict  # its line in the journal
    elsewhere: dict  # the first one of the other replica
    seconds: float

    def __str__(self) -> str:
        return f"{self.client}: for {self.seconds:.1f} s {brief(self.websocket)} beside {brief(self.elsewhere)}"


def left_behind(requests: list[dict], access: list[dict], faults: list[Fault]) -> list[LeftBehind]:
    """Those that lasted longer than a parting, while the nodes could tell each other. One whose node was killed
    has no line that says when it ended; it ended then."""
    deaf = [(fault.began, fault.ended + TOLD) for fault in faults if fault.store]
    ends = {line["request_id"]: ended(line) for line in access if line["protocol"] == "websocket"}
    found = []
    for client, lines in by_client(requests).items():
        for websocket in (line for line in lines if line["method"] == "WEBSOCKET" and line["status"] == 101):
            end = min([ends.get(websocket["request_id"], 0), *carried_on(websocket, lines)])
            elsewhere = next(
                (line for line in lines if line["sent"] > websocket["time"] + IN_FLIGHT and line["replica"] != websocket["replica"]), None
            )
            if elsewhere and end > elsewhere["time"]:
                rest = longest_rest(elsewhere["time"], end, deaf)
                if rest > PARTING:
                    found.append(LeftBehind(client, websocket, elsewhere, rest))
    return found


def carried_on(websocket: dict, lines: list[dict]) -> list[float]:
    """When its handshake was said to other replicas after this one, if it was."""
    return [line["begun"] for line in lines if line["request_id"] == websocket["request_id"] and line["begun"] > websocket["begun"]]


# --- Nobody at a dead replica -------------------------------------------------------------------------


def kept_by_the_dead(access: list[dict], faults: list[Fault], within: float) -> list[dict]:
    """Requests and websockets that a replica still held so long after it had been killed."""
    killed = [(fault.target, kill) for fault in faults for kill in fault.kills]
    return [
        line
        for line in access
        for replica, kill in killed
        # The replica is that of the last attempt: when it began, the line does not say.
        if line["replica"] == replica and line["attempts"] == 1 and begun(line) < kill and ended(line) > kill + within
    ]


@dataclass
class Recovery:
    """A client of a killed replica, and the first request of it that another one got."""

    fault: Fault
    client: str
    waited: float  # from the kill, or from when it came to the node if that was later
    since_kill: float
    line: dict

    def __str__(self) -> str:
        return f"{self.client} after {self.fault}: waited {self.waited:.2f} s for {brief(self.line)}"


def recoveries(requests: list[dict], access: list[dict], faults: list[Fault]) -> Iterator[Recovery]:
    came = {line["request_id"]: begun(line) for line in access}
    for lines in by_client(requests).values():
        for fault in faults:
            for kill in fault.kills:
                before = [line for line in lines if line["begun"] < kill]
                if not before or before[-1]["replica"] != fault.target:
                    continue
                after = [line for line in lines if line["begun"] > kill]
                if after:
                    first = min(after, key=lambda line: line["begun"])
                    waited = first["begun"] - max(kill, came.get(first["request_id"], first["sent"]))
                    yield Recovery(fault, first["client"], waited, first["begun"] - kill, first)


# --- Clients keep working -----------------------------------------------------------------------------


@dataclass
class Silence:
    client: str
    begun: float
    ended: float
    unexplained: float  # its longest part that no fault concerns

    def __str__(self) -> str:
        return f"{self.client}: {self.begun:.3f}..{self.ended:.3f}, of which {self.unexplained:.1f} s without a reason"


def silences(answers: dict[str, list[float]], requests: list[dict], nodes: set[str], faults: list[Fault], run: tuple[float, float]):
    """Clients that had no answer for longer than SILENCE, though no fault of their node or of a replica that
    they were at explains it. `answers`: for each client, when it had one."""
    seen = by_client(requests)
    for client, times in answers.items():
        times = [run[0], *sorted(time for time in times if run[0] < time < run[1]), run[1]]
        for since, until in zip(times, times[1:], strict=False):
            if until - since <= SILENCE:
                continue
            # Where it was when it fell silent, and where it tried since.
            homes = {line["replica"] for line in seen[client] if since - SILENCE <= line["begun"] <= until}
            concerned = [fault for fault in faults if fault.target in homes | nodes and fault.concerns(since, until)]
            rest = longest_rest(since, until, [(fault.began, fault.ended + RECONNECT) for fault in concerned])
            if rest > SILENCE:
                yield Silence(client, since, until, rest)


def longest_rest(since: float, until: float, covered: list[tuple[float, float]]) -> float:
    """The longest stretch of since..until that none of these intervals covers."""
    longest, at = 0.0, since
    for begin, end in sorted(covered):
        longest = max(longest, min(begin, until) - at)
        at = max(at, end)
    return max(longest, until - at)


# --- Errors at clients --------------------------------------------------------------------------------


def cut_by(node: str, sent: float, answered: float, faults: list[Fault]) -> Fault | None:
    """What may have cut an answer: its node's kill, or the kill of a replica in the middle of it."""
    for fault in faults:
        if fault.target == node and fault.kills and fault.began - MOMENT <= answered and sent <= fault.ended + MOMENT:
            return fault
    for fault in faults:
        if any(sent - MOMENT <= kill <= answered + MOMENT for kill in fault.kills):
            return fault
    return None


# The reason when the client had left the session by itself.
GIVEN_UP = Fault("(given up)", "client", 0, 0)


def lost_sessions(requests: list[dict], access: list[dict], faults: list[Fault]) -> list[tuple[dict, Fault | None]]:
    """Every 400 to a poll that its client got: its session is unknown. Each with the fault of the replica that
    had opened the session, if there is one. What a replica answers to a node that was killed, nobody gets; and a
    client that has opened another session meanwhile had left this one by itself."""
    told = {line["request_id"] for line in access if line["status"] == 400}
    reasons = by_target(fault for fault in faults if fault.moves)
    found = []
    for lines in by_client(requests).values():
        opened = None
        lines = [line for line in lines if line["path"].startswith(SOCKETIO)]
        handshakes = [line["sent"] for line in lines if line["sid"] is None]
        for line in lines:
            if line["sid"] is None:
                opened = line
            elif line["status"] == 400 and line["request_id"] in told:
                if any(line["sent"] < handshake < line["time"] for handshake in handshakes):
                    found.append((line, GIVEN_UP))
                    continue
                candidates = reasons[opened["replica"]] if opened else []
                found.append((line, next((fault for fault in candidates if fault.concerns(opened["sent"], line["time"])), None)))
    return found
