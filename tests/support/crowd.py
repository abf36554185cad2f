"""The crowd of the load tests: 200 websocket clients, 100 polling clients with a cookie jar and 100
without, over two nodes on one Redis in front of three replicas. And what must hold for it."""

from collections import Counter, defaultdict

from harness import wait_for

SOCKETIO = "/ws/socket.io/"


class Crowd:
    def __init__(self, house, websockets: int = 200, with_jar: int = 100, without_jar: int = 100):
        self.house = house
        self.redis = house.redis()
        self.replicas = house.replicas(redis=self.redis.url + "/1")
        self.nodes = [house.usher(self.replicas, store=self.redis.url + "/0", name=name) for name in ("one", "two")]
        addresses = [node.url("https") for node in self.nodes]
        # Pages every 5 s beside the socket: all of a client's traffic has one home.
        page = ["--http-ms", "5000", "--ramp-ms", "20"]
        polling = ["--per-request-random", "--interval-ms", "2000", "--ramp-ms", "40"]
        self.websockets = house.clients(addresses, websockets, name="ws", args=page)
        self.jar = house.clients(addresses, with_jar, name="jar", transport="polling", args=polling + ["--http-ms", "5000"])
        self.no_jar = house.clients(addresses, without_jar, name="nojar", transport="polling", args=polling + ["--no-jar"])
        self.groups = [self.websockets, self.jar, self.no_jar]

    def __len__(self):
        return sum(group.count for group in self.groups)

    def await_connected(self, timeout: float = 90) -> None:
        for group in self.groups:
            group.await_connected(timeout)

    def states(self) -> dict[str, dict]:
        return {client: state for group in self.groups for client, state in group.report().items()}

    def await_acks(self, more: int, timeout: float = 60) -> None:
        """Until every client has had so many more acks."""
        before = {client: state["acked"] for client, state in self.states().items()}
        wait_for(
            lambda: all(state["acked"] >= before[client] + more for client, state in self.states().items()),
            f"{more} more acks for each client",
            timeout,
            interval=0.5,
        )

    def events(self, kind: str, since: float = 0) -> list[dict]:
        return [event for group in self.groups for event in group.events(kind, since)]

    def stop(self) -> None:
        for group in self.groups:
            group.stop()

    # What must hold

    def homes(self) -> dict[str, Counter]:
        """For each client, how many of its requests each replica saw: the replicas' own logs."""
        seen: dict[str, Counter] = defaultdict(Counter)
        for replica in self.replicas:
            for line in replica.requests():
                seen[line["client"]][replica.name] += 1
        return seen

    def assert_one_home_each(self, clients=None) -> None:
        torn = {client: dict(homes) for client, homes in self.homes().items() if len(homes) > 1 and (clients is None or client in clients)}
        assert not torn, f"{len(torn)} clients were seen by several replicas, such as {dict(list(torn.items())[:5])}"

    def assert_one_replica_per_sid(self) -> None:
        seen = defaultdict(set)
        for replica in self.replicas:
            for line in replica.requests():
                if line["sid"]:
                    seen[line["sid"]].add(replica.name)
        torn = {sid: names for sid, names in seen.items() if len(names) > 1}
        assert not torn, torn

    def assert_no_bad_status(self, from_status: int = 400) -> None:
        """At the replicas, in the nodes' logs, and as the clients saw it."""
        bad = [line for replica in self.replicas for line in replica.requests() if (line["status"] or 200) >= from_status]
        assert not bad, bad[:5]
        # 499, or none: the client had gone.
        bad = [line for node in self.nodes for line in node.access_log if line["status"] >= from_status and line["status"] != 499]
        assert not bad, f"{len(bad)} of {[node.name for node in self.nodes]}, such as {bad[:5]}"
        bad = [event for event in self.events("http_error") if event["status"] >= from_status]
        assert not bad, bad[:5]

    def nobody_was_cut(self, since: float = 0, groups=None) -> None:
        for group in groups or self.groups:
            for kind in ("disconnect", "connect_error", "ack_timeout", "http_error"):
                found = group.events(kind, since)
                assert not found, f"{group.name}: {len(found)} x {kind}, such as {found[:3]}"

    def spread(self) -> Counter:
        return Counter(state["replica"] for state in self.states().values())
