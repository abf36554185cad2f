"""The scene: three replicas and a spare one behind one name, two nodes, a store that can fail over, a crowd."""

import contextlib
import json
import time
from datetime import datetime
from pathlib import Path

import harness
from harness import House, json_lines, settings_for, wait_for
from stores import ClusterSetup, SentinelSetup
from visitors import Visitors

NAME = "open-webui"
INTERVAL = 0.5
FALL = 3
TIMEOUT = 2.0  # so that a stall of 5 s is not death: three probes in a row fail in no less than 6 s


class Scene:
    dead_within = FALL * INTERVAL + 1

    def __init__(self, folder: Path, cluster: bool, clients: int):
        self.house = House(folder)
        self.folder = folder
        # The replicas' own Redis is never touched: what it would break is no fault of usher's.
        self.bus = self.house.redis(name="bus")
        self.store = self.house.keep(ClusterSetup(folder) if cluster else SentinelSetup(folder)).start()
        self.hosts = harness.Hosts(folder)
        assert self.hosts.work(), "no mount namespace here: replicas cannot be added and removed"
        first = self.replica("alpha", 2)
        others = [self.replica(name, number, first.port) for name, number in (("beta", 3), ("gamma", 4))]
        self.replicas = [first, *others]
        self.unused = harness.Replica(folder, "delta", self.bus.url + "/1", host="127.0.0.5", port=first.port)
        self.replicas.append(self.house.keep(self.unused))
        self.named: list[harness.Replica] = []
        self.name(first, *others)
        self.nodes = [self.node(name) for name in ("one", "two")]
        self.clients_count = clients

    def replica(self, name: str, number: int, port: int = 0) -> harness.Replica:
        return self.house.replica(name, redis=self.bus.url + "/1", host=f"127.0.0.{number}", port=port)

    def node(self, name: str) -> harness.Usher:
        settings = settings_for([f"{NAME}:{self.replicas[0].port}"], self.store.url)
        health = {"interval": f"{INTERVAL * 1000:.0f}ms", "timeout": f"{TIMEOUT:g}s", "fall": FALL, "rise": 2}
        settings["upstream"][0] |= {"resolve": "500ms", "health": health}
        node = self.house.usher(settings=settings, name=name, hosts=self.hosts).await_replicas(3)
        node.keep_ports()
        return node

    def name(self, *replicas: harness.Replica) -> None:
        self.named = list(replicas)
        self.hosts.set({NAME: [replica.host for replica in replicas]})

    def spare(self) -> harness.Replica | None:
        """One that can be added, as long as there are only three."""
        return next((each for each in self.replicas if each not in self.named), None) if len(self.named) < 4 else None

    # The crowd

    def start_crowd(self) -> None:
        urls = [node.url("https") for node in self.nodes]
        fifth = self.clients_count // 5
        common = ["--tell-acks", "--posts", "--interval-ms", "3000", "--ramp-ms", "20", "--node-retry-ms", "5000"]
        pages = ["--http-ms", "3000"]
        self.sockets = [
            self.house.clients(urls, 2 * fifth, name="ws", args=common + pages),
            self.house.clients(urls, 2 * fifth, name="polling", transport="polling", args=[*common, *pages, "--per-request-random"]),
        ]
        self.visitors = Visitors(urls, self.clients_count - 4 * fifth, every=1.5, strangers=4).start()
        for group in self.sockets:
            group.await_connected(90)
        self.began = time.time()

    def stop_crowd(self) -> None:
        self.ended = time.time()
        for group in self.sockets:
            group.stop()
        self.visitors.stop()

    # What the nodes say. One that is away, or just coming up, says nothing.

    def statuses(self) -> list[dict]:
        said = []
        for node in self.nodes:
            with contextlib.suppress(OSError):
                said.append(node.status())
        return said

    def states_of(self, replica: harness.Replica) -> set[str]:
        """"away" among them for a node that does not answer: what it believes when it is back is its own old state."""
        statuses = self.statuses()
        away = {"away"} if len(statuses) < len(self.nodes) else set()
        return away | {
            each["state"]
            for status in statuses
            for upstream in status["upstreams"]
            for each in upstream["replicas"]
            if each["id"] == replica.address
        }

    def store_is_up_at_the_nodes(self) -> bool:
        return all(status["store"]["state"] == "up" for status in self.statuses())

    def order(self, replica: harness.Replica, what: str) -> None:
        """By the admin API of a node that runs."""
        for node in self.nodes:
            with contextlib.suppress(OSError):
                status, body = node.admin_get(f"/api/replicas/{replica.address}/{what}", "POST")
                assert status == 200, body
                return
        raise AssertionError("no node takes orders")

    # The store

    def store_masters(self) -> list[harness.Redis]:
        if isinstance(self.store, SentinelSetup):
            return [self.store.master()]
        return sorted(self.store.masters(), key=lambda node: node.name)

    def store_is_well(self) -> bool:
        """Every server that runs is in step, so that another failover can be survived."""
        with contextlib.suppress(OSError):
            if isinstance(self.store, SentinelSetup):
                roles = [server.command("INFO", "replication") for server in self.store.servers]
                masters = [role for role in roles if role["role"] == "master"]
                links = [role["master_link_status"] for role in roles if role["role"] == "slave"]
                return len(masters) == 1 and set(links) == {"up"}
            running = self.store.running()
            states = [self.store.info(node) for node in running]
            return (
                all(state["cluster_state"] == "ok" and int(state["cluster_slots_ok"]) == 16384 for state in states)
                and len(self.store.masters()) == self.store.masters_count
                and all(self.store.in_step(node) for node in running)
            )
        return False

    # The logs

    def access_lines(self) -> list[dict]:
        """Of all runs of all nodes; `node` is whose."""
        return [
            {**line, "node": node.name}
            for node in self.nodes
            for path in sorted(self.folder.glob(f"{node.name}.*.out"))
            for line in json_lines(path)
            if "method" in line
        ]

    def requests(self) -> list[dict]:
        """What the replicas' own journals say about clients, in the order in which clients sent it."""
        lines = [line for replica in self.replicas for line in replica.requests() if line["sent"]]
        return sorted(lines, key=lambda line: line["sent"])

    def node_log(self) -> list[dict]:
        return [line for node in self.nodes for path in self.folder.glob(f"{node.name}.*.err") for line in json_lines(path)]

    def arrivals(self, names: dict[str, str]) -> list[tuple[str, str, float]]:
        """Websockets that were carried on: the request's id, the replica, and when it was there."""
        return [
            (line["request_id"], names.get(line["to"], line["to"]), datetime.fromisoformat(line["time"]).timestamp())
            for line in self.node_log()
            if line["event"] == "websocket_moved" and line["outcome"] == "moved"
        ]

    def keep(self, what: dict) -> None:
        (self.folder / "faults.json").write_text(json.dumps(what, indent=1, default=vars))

    def await_rest(self) -> None:
        """Everything that ends with its client has been written down."""
        for node in self.nodes:
            wait_for(lambda node=node: node.metric("usher_websockets") == 0, f"{node.name} without websockets", 30)
