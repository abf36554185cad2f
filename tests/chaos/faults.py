"""What is done to the parts: kinds of trouble in lanes, each lane one after the other and in an order that the
seed decides, all lanes at the same time. What was done to whom, and when, is written down for the judge."""

import asyncio
import contextlib
import random
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis
from harness import Late, patience
from stores import ClusterSetup, SentinelSetup
from verdict import say

DOCKER_GRACE = 10  # seconds between SIGTERM and SIGKILL of `docker stop`
STALL = 5  # an event loop that stands still so long is not dead
# After the nodes agree that a replica is well again, what they had decided before may still arrive.
AFTERMATH = 1.0


@dataclass
class Fault:
    kind: str
    target: str  # the name of a replica, a node or a server of the store
    began: float
    ended: float = float("inf")
    moves: bool = False  # clients may leave this replica
    store: bool = False  # what nodes tell each other may be late or lost
    kills: list[float] = field(default_factory=list)  # when it was killed by SIGKILL
    stops: list[float] = field(default_factory=list)  # when it was told to stop by SIGTERM

    def concerns(self, begun: float, ended: float) -> bool:
        return self.began <= ended and begun <= self.ended

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


class Faults:
    def __init__(self, scene, seed: int):
        self.scene = scene
        self.seed = seed
        self.all: list[Fault] = []
        self.busy: set[str] = set()  # replicas that something is done to
        self.stopping = asyncio.Event()

    # The course

    async def run(self, seconds: float) -> None:
        """All lanes for so long; then what is under way comes to its end."""
        lanes = {
            "crashes": [self.kill, self.stop_as_docker_does, self.stall, self.freeze],
            "operators": [self.drain, self.scale],
            "nodes": [self.kill_node],
            "store": self.store_faults(),
        }
        async with asyncio.TaskGroup() as group:
            for name, kinds in lanes.items():
                group.create_task(self.lane(random.Random(f"{self.seed} {name}"), kinds))
            await asyncio.sleep(seconds)
            self.stopping.set()

    async def lane(self, dice: random.Random, kinds: list) -> None:
        """Every kind once, in some order, and again."""
        while True:
            for kind in dice.sample(kinds, len(kinds)):
                await self.pause(dice.uniform(1, 5))
                if self.stopping.is_set():
                    return
                await kind(dice)

    async def pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def until(self, condition, what: str, timeout: float = 30):
        """harness.wait_for, while the other lanes go on."""
        deadline = time.monotonic() + timeout * patience()
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Late(f"not within {timeout * patience():g} s: {what}")
            await asyncio.sleep(0.05)
        return value

    @contextmanager
    def fault(self, kind: str, target: str, **more):
        fault = Fault(kind, target, time.time(), **more)
        self.all.append(fault)
        say(f"{kind} {target}")
        yield fault
        fault.ended = time.time()

    # Replicas

    async def victim(self, dice: random.Random):
        """One that nothing is done to, as long as another such one is left."""
        while len(free := [replica for replica in self.scene.named if replica.name not in self.busy]) < 2:
            await asyncio.sleep(0.1)
        return dice.choice(sorted(free, key=lambda replica: replica.name))

    @contextlib.asynccontextmanager
    async def on_replica(self, kind: str, dice: random.Random, moves: bool = True):
        replica = await self.victim(dice)
        self.busy.add(replica.name)
        with self.fault(kind, replica.name, moves=moves) as fault:
            yield replica, fault
        self.busy.discard(replica.name)

    async def well_again(self, replica) -> None:
        await self.until(lambda: self.scene.states_of(replica) <= {"up"}, f"{replica.name} up at every node")
        await asyncio.sleep(AFTERMATH)

    def kill_replica(self, replica, fault: Fault) -> None:
        fault.kills.append(time.time())
        replica.kill()

    async def kill(self, dice: random.Random) -> None:
        async with self.on_replica("kill", dice) as (replica, fault):
            self.kill_replica(replica, fault)
            # Long enough to see that nobody is kept at a dead replica.
            await asyncio.sleep(self.scene.dead_within + dice.uniform(0.5, 4))
            replica.start()
            await self.well_again(replica)

    async def docker_stop(self, replica, fault: Fault) -> None:
        fault.stops.append(time.time())
        replica.signal(signal.SIGTERM)
        deadline = time.monotonic() + DOCKER_GRACE
        while replica.running and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        if replica.running:
            self.kill_replica(replica, fault)

    async def stop_as_docker_does(self, dice: random.Random) -> None:
        async with self.on_replica("stop", dice) as (replica, fault):
            await self.docker_stop(replica, fault)
            await asyncio.sleep(dice.uniform(0, 3))
            replica.start()
            await self.well_again(replica)

    async def stall(self, dice: random.Random) -> None:
        """Nobody may leave because of it."""
        async with self.on_replica("stall", dice, moves=False) as (replica, _):
            replica.signal(signal.SIGSTOP)
            await asyncio.sleep(STALL)
            replica.signal(signal.SIGCONT)

    async def freeze(self, dice: random.Random) -> None:
        """Until every node takes it for dead, and longer."""
        async with self.on_replica("freeze", dice) as (replica, _):
            replica.signal(signal.SIGSTOP)
            await self.until(lambda: self.scene.states_of(replica) <= {"down"}, f"{replica.name} down at every node")
            await asyncio.sleep(dice.uniform(1, 3))
            replica.signal(signal.SIGCONT)
            await self.well_again(replica)

    async def drain(self, dice: random.Random) -> None:
        async with self.on_replica("drain", dice) as (replica, _):
            within = dice.choice([6, 12])
            self.scene.order(replica, f"drain?within={within}s")
            await asyncio.sleep(within + 2)
            # A node that was away learns of it when the store or its own memory tells.
            await self.until(lambda: self.scene.states_of(replica) <= {"draining"}, f"{replica.name} draining at every node")
            self.scene.order(replica, "undrain")
            await self.well_again(replica)

    async def scale(self, dice: random.Random) -> None:
        """`docker compose up --scale`: one more, or one fewer and its container is stopped."""
        if (spare := self.scene.spare()) is not None:
            return await self.add(spare)
        async with self.on_replica("remove", dice) as (replica, fault):
            self.scene.name(*(other for other in self.scene.named if other is not replica))
            await asyncio.sleep(dice.uniform(0, 6))
            await self.docker_stop(replica, fault)
            await asyncio.sleep(AFTERMATH)
            # It may come back as another one at the same address.
            await self.until(lambda: not self.scene.states_of(replica), f"{replica.name} forgotten by every node")

    async def add(self, replica) -> None:
        with self.fault("add", replica.name):
            self.busy.add(replica.name)
            replica.start()
            self.scene.name(*self.scene.named, replica)
            await self.until(lambda: self.scene.states_of(replica) == {"up"}, f"{replica.name} found by every node")
            self.busy.discard(replica.name)

    # Nodes

    async def kill_node(self, dice: random.Random) -> None:
        node = dice.choice(self.scene.nodes)
        with self.fault("kill node", node.name) as fault:
            fault.kills.append(time.time())
            node.kill()
            await asyncio.sleep(dice.uniform(0.5, 4))
            node.start()
        await asyncio.sleep(dice.uniform(4, 12))

    # The store

    def store_faults(self) -> list:
        store = self.scene.store
        if isinstance(store, SentinelSetup):
            return [self.fail_over, self.kill_master, self.pause_master, self.flush]
        assert isinstance(store, ClusterSetup)
        return [self.fail_over_in_cluster, self.kill_master_of_cluster, self.pause_master, self.flush]

    async def fail_over(self, dice: random.Random) -> None:
        store = self.scene.store
        before = store.master()
        with self.fault("failover", before.name, store=True):
            for asked in range(3):
                # Sentinels that are short of time give up a failover, and do not try again by themselves.
                with contextlib.suppress(redis.exceptions.ResponseError):  # the one before is still under way
                    store.sentinels[dice.randrange(3)].ask("SENTINEL", "FAILOVER", store.service)
                try:
                    await self.other_master(before, 20)
                    break
                except Late:
                    if asked == 2:
                        raise
            await self.store_is_well()

    async def kill_master(self, dice: random.Random) -> None:
        store = self.scene.store
        before = store.master()
        with self.fault("kill master", before.name, store=True) as fault:
            fault.kills.append(time.time())
            before.kill()
            await self.other_master(before)
            await asyncio.sleep(dice.uniform(0, 3))
            before.start()
            await self.store_is_well()

    async def other_master(self, before, timeout: float = 60) -> None:
        def changed() -> bool:
            with contextlib.suppress(OSError):
                now = self.scene.store.master()
                return now is not before and now.command("INFO", "replication")["role"] == "master"
            return False

        await self.until(changed, f"another master than {before.name}", timeout)

    async def pause_master(self, dice: random.Random) -> None:
        """Shorter or longer than it takes the others to replace it."""
        master = dice.choice(self.scene.store_masters())
        with self.fault("pause store", master.name, store=True):
            master.pause()
            await asyncio.sleep(dice.choice([0.6, 4]))
            master.resume()
            await self.store_is_well()

    async def flush(self, dice: random.Random) -> None:
        with self.fault("flush", "store", store=True):
            for master in self.scene.store_masters():
                master.command("FLUSHALL")

    async def fail_over_in_cluster(self, dice: random.Random) -> None:
        store = self.scene.store
        master = dice.choice(sorted(store.masters(), key=lambda node: node.name))
        with self.fault("failover", master.name, store=True):
            replica = store.replica_of(master)
            replica.command("CLUSTER", "FAILOVER")
            await self.until(lambda: store.roles([replica])[replica] == "master", f"{replica.name} in the place of {master.name}")
            await self.store_is_well()

    async def kill_master_of_cluster(self, dice: random.Random) -> None:
        store = self.scene.store
        master = dice.choice(sorted(store.masters(), key=lambda node: node.name))
        with self.fault("kill master", master.name, store=True) as fault:
            fault.kills.append(time.time())
            master.kill()
            await self.until(self.scene.store_is_well, "the cluster well without it", 60)
            await asyncio.sleep(dice.uniform(0, 3))
            master.start()
            await self.store_is_well()

    async def store_is_well(self) -> None:
        """What a failover needs is there again, so that the next fault is one the setup can survive."""
        await self.until(self.scene.store_is_well, "the store is well", 60)
        await self.until(self.scene.store_is_up_at_the_nodes, "the nodes use the store again", 60)
