"""Redis as it is run in earnest: a master with a replica and three Sentinels, and a Cluster of three
masters with a replica each. All of it real servers on loopback ports, each of which can be killed,
paused and started again by itself.

    store = SentinelSetup(folder).start()      # or ClusterSetup(folder)
    node = house.usher(replicas, store=store.url)
    store.kill(store.master()); store.await_other_master(...)
"""

import contextlib
from pathlib import Path

from harness import Child, Redis, free_port, wait_for

DOWN_AFTER_MS = 1000  # silence before a server counts as gone


class Sentinel(Child):
    def __init__(self, folder: Path, name: str, master: Redis, service: str, quorum: int, password: str | None = None):
        super().__init__(name, folder)
        self.master, self.service, self.quorum, self.password = master, service, quorum, password
        self.port = 0
        self.file = self.folder / f"{name}.conf"  # a Sentinel writes into it what it learns

    def start(self) -> "Sentinel":
        if not self.port:
            self.port = free_port()
            lines = [
                f"port {self.port}",
                "bind 127.0.0.1",
                f"dir {self.folder}",
                f"sentinel monitor {self.service} 127.0.0.1 {self.master.port} {self.quorum}",
                f"sentinel down-after-milliseconds {self.service} {DOWN_AFTER_MS}",
                f"sentinel failover-timeout {self.service} 5000",
            ]
            if secret := self.master.secured.get("password"):
                lines.append(f"sentinel auth-pass {self.service} {secret}")
            if self.password:
                lines += [f"requirepass {self.password}", f"sentinel sentinel-pass {self.password}"]
            self.file.write_text("\n".join(lines) + "\n")
        self.spawn(["redis-server", self.file, "--sentinel"])
        wait_for(self.answers, f"{self.name} answers")
        return self

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.ask("PING") is True
        return False

    def ask(self, *words: str):
        import redis

        with redis.Redis(port=self.port, socket_timeout=5, decode_responses=True, password=self.password) as client:
            try:
                return client.execute_command(*words)
            except redis.exceptions.ConnectionError as error:
                raise ConnectionError(str(error)) from None

    def master_port(self) -> int:
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)[1])

    def knows_all(self, sentinels: int, replicas: int) -> bool:
        state = self.ask("SENTINEL", "MASTER", self.service)
        return int(state["num-other-sentinels"]) == sentinels - 1 and int(state["num-slaves"]) == replicas


class SentinelSetup:
    """One master, its replicas, and three Sentinels that agree two by two."""

    service = "mymaster"

    def __init__(self, folder: Path, replicas: int = 1, password: str | None = None, sentinel_password: str | None = None):
        self.folder = Path(folder)
        self.password = password
        # A former master comes back as a replica, and needs the password of the new one.
        args = ["--repl-diskless-sync-delay", "0", *(["--masterauth", password] if password else [])]
        self.servers = [Redis(self.folder, f"redis{number}", list(args), password=password) for number in range(1 + replicas)]
        self.sentinels = [Sentinel(self.folder, f"sentinel{number}", self.servers[0], self.service, 2, sentinel_password) for number in range(3)]

    def start(self) -> "SentinelSetup":
        first = self.servers[0].start()
        for replica in self.servers[1:]:
            replica.args += ["--replicaof", "127.0.0.1", first.port]
            replica.start()
        wait_for(lambda: first.command("INFO", "replication")["connected_slaves"] == len(self.servers) - 1, "the replicas in step")
        for sentinel in self.sentinels:
            sentinel.start()
        wait_for(lambda: all(sentinel.knows_all(3, len(self.servers) - 1) for sentinel in self.sentinels), "the Sentinels know each other")
        return self

    @property
    def url(self) -> str:
        password = f":{self.password}@" if self.password else ""
        addresses = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{password}{addresses}/{self.service}/0"

    def master(self) -> Redis:
        """As the Sentinels that run say it."""
        port = next(sentinel for sentinel in self.sentinels if sentinel.running).master_port()
        return next(server for server in self.servers if server.port == port)

    def await_other_master(self, than: Redis, timeout: float = 30) -> Redis:
        def other():
            with contextlib.suppress(OSError):
                for sentinel in self.sentinels:
                    if sentinel.running and sentinel.master_port() == than.port:
                        return None
                now = self.master()
                return now if now.command("INFO", "replication")["role"] == "master" else None
            return None

        return wait_for(other, f"another master than {than.name}", timeout)

    def failover(self) -> Redis:
        """A planned one: both servers live on. The new master."""
        before = self.master()
        self.sentinels[0].ask("SENTINEL", "FAILOVER", self.service)
        return self.await_other_master(before)

    def close(self) -> None:
        for child in [*self.sentinels, *self.servers]:
            child.close()


class ClusterSetup:
    """Three masters with a replica each; nodes[0..2] begin as masters."""

    def __init__(self, folder: Path, masters: int = 3, full_coverage: bool = True, password: str | None = None):
        self.folder = Path(folder)
        self.masters_count = masters
        self.password = password
        self.nodes = [Redis(self.folder, f"node{number}", password=password) for number in range(2 * masters)]
        self.bus_ports = {}
        for node in self.nodes:
            # By default it is the port plus 10000, which may be none.
            self.bus_ports[node] = free_port()
            node.args += [
                "--cluster-enabled", "yes", "--cluster-config-file", f"{node.name}.nodes", "--cluster-port", self.bus_ports[node],
                "--cluster-node-timeout", DOWN_AFTER_MS, "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
                "--cluster-require-full-coverage", "yes" if full_coverage else "no",
                *(["--masterauth", password] if password else []),
            ]

    def start(self) -> "ClusterSetup":
        for node in self.nodes:
            node.start()
        first = self.nodes[0]
        bounds = [number * 16384 // self.masters_count for number in range(self.masters_count + 1)]
        for number, node in enumerate(self.nodes[: self.masters_count]):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        for node in self.nodes[1:]:
            first.command("CLUSTER", "MEET", "127.0.0.1", node.port, self.bus_ports[node])
        wait_for(lambda: all(int(self.info(node)["cluster_known_nodes"]) == len(self.nodes) for node in self.nodes), "the nodes know each other")
        for number, node in enumerate(self.nodes[self.masters_count :]):
            node.command("CLUSTER", "REPLICATE", self.id_of(self.nodes[number]))
        self.await_well()
        return self

    @property
    def url(self) -> str:
        password = f":{self.password}@" if self.password else ""
        return f"redis+cluster://{password}" + ",".join(node.address for node in self.nodes[: self.masters_count])

    @staticmethod
    def info(node: Redis) -> dict:
        answer = node.command("CLUSTER", "INFO")
        return answer if isinstance(answer, dict) else dict(line.split(":", 1) for line in answer.split())

    @staticmethod
    def id_of(node: Redis) -> str:
        return node.command("CLUSTER", "MYID")

    def running(self) -> list[Redis]:
        return [node for node in self.nodes if node.running]

    def roles(self, of: list[Redis] | None = None) -> dict[Redis, str]:
        """What each node says that it is: "master" or "slave"."""
        return {node: node.command("INFO", "replication")["role"] for node in of or self.running()}

    def masters(self) -> list[Redis]:
        return [node for node, role in self.roles().items() if role == "master"]

    def await_well(self, timeout: float = 30, but: tuple[Redis, ...] = ()) -> "ClusterSetup":
        """Every slot has a master, and all nodes that run (and are not in `but`) know it."""
        nodes = [node for node in self.nodes if node.running and node not in but]

        def well():
            with contextlib.suppress(OSError):
                return all(self.info(node)["cluster_state"] == "ok" and int(self.info(node)["cluster_slots_ok"]) == 16384 for node in nodes) and list(
                    self.roles(nodes).values()
                ).count("master") == self.masters_count
            return False

        wait_for(well, "the cluster is well", timeout)
        if not but and len(nodes) == len(self.nodes):
            wait_for(lambda: all(self.in_step(node) for node in nodes), "the replicas in step", timeout)
        return self

    @staticmethod
    def in_step(node: Redis) -> bool:
        state = node.command("INFO", "replication")
        return state["role"] == "master" or state["master_link_status"] == "up"

    def replica_of(self, master: Redis) -> Redis:
        """Whoever says that it is one."""
        port = str(master.port)
        states = {node: node.command("INFO", "replication") for node in self.running()}
        return next(node for node, state in states.items() if state["role"] == "slave" and str(state["master_port"]) == port)

    def failover(self, master: Redis) -> Redis:
        """A planned one: the replica takes over and the master becomes its replica."""
        replica = self.replica_of(master)
        replica.command("CLUSTER", "FAILOVER")
        wait_for(lambda: self.roles([replica])[replica] == "master" and self.roles([master])[master] == "slave", f"{replica.name} in the place of {master.name}")
        return replica

    def keys(self, pattern: str = "*") -> dict[str, int]:
        """Every key with its TTL, of all masters."""
        found = {}
        for node in self.masters():
            found |= node.keys(pattern)
        return found

    def close(self) -> None:
        for node in self.nodes:
            node.close()
