"""A whole cluster that lives, suffers, and may die and come back, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from actors import AskTimeout
from actors.log import EventLog
from actors.testing import run_virtual
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.node import NodeConfig, SimulatedRuntime, simulated_node
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.selectors import parse_field_selector, parse_label_selector
from orchestrator.store import Store
from tests.simulation.batch import CRON_JOBS, BatchPromises
from tests.simulation.convergence import problems_of
from tests.simulation.disks import Disk, Mount, Weather
from tests.simulation.faults import Faults, Profile, draw_profile
from tests.simulation.invariants import HOLD, InvariantError, Witness
from tests.simulation.manifests import SCRIPT
from tests.simulation.sets import SetPromises, claims_of
from tests.simulation.watchers import Selection, Watcher
from tests.simulation.workload import DEPLOYMENTS, Client, counter_of

NODES = 4
CLIENTS = 3
CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "20"}
CONVERGES_WITHIN = 1800.0
"""Virtual seconds from the end of all faults until everything is as it should be."""
CALM = 30.0
"""Virtual seconds for which it has to stay so."""


class SimulatedCluster(BareCluster):
    """The product's own composition, on a disk of the simulation."""

    def __init__(self, config: ClusterConfig, mount: Mount) -> None:
        super().__init__(config)
        self._mount = mount

    async def _open_log(self) -> EventLog:
        return self._mount


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of one run.

    Attributes:
        history: A line for each committed event.
        failures: Violations, and what had not come true in the end.
    """

    seed: int
    steps: int
    profile: Profile
    history: list[str]
    failures: list[str]
    acknowledged: int
    lives: int
    seconds: float
    refusals: dict[int, int]
    watched: int
    relists: int

    @property
    def trace(self) -> str:
        """A fingerprint of the history."""
        return hashlib.blake2b("\n".join(self.history).encode(), digest_size=8).hexdigest()


@dataclass
class World:
    """One run."""

    seed: int
    steps: int
    profile: Profile
    acknowledged: int = 0
    increments_tried: int = 0
    increments_done: int = 0
    lives: int = 0
    refusals: dict[int, int] = field(default_factory=dict)
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        self.disk = Disk()
        self.witness = Witness(
            self.now,
            strict_floor=self.profile.strict_floor,
            slow_disk="slow" in self.profile.kinds,
        )
        self.witness.others += [
            BatchPromises(self.witness, self.now).see,
            SetPromises(self.witness, lambda: self.runtime).see,
        ]
        self.cluster: SimulatedCluster
        self.mount: Mount
        self.watchers: list[Watcher] = []
        self._watching: list[asyncio.Task[None]] = []
        self._up = asyncio.Event()
        self._busy = True

    def chance(self, purpose: str) -> random.Random:
        """Return a generator of its own for each purpose."""
        return random.Random(f"{self.seed}/{purpose}")

    def now(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    @property
    def store(self) -> Store:
        """The present life's."""
        return self.cluster.store

    @property
    def runtime(self) -> SimulatedRuntime:
        """The machines: what runs on all nodes."""
        runtime: Any = self.cluster.nodes._runtimes["simulated"]
        return runtime  # type: ignore[no-any-return] # there is no other in a simulated cluster

    # -- life and death

    async def open(self) -> None:
        """Start the cluster on what the disk has."""
        self.lives += 1
        self.mount = self.disk.mount(self.chance(f"disk{self.lives}"), self.weather)
        self.cluster = SimulatedCluster(self._config(), self.mount)
        await self.cluster.start()
        self.witness.attach(self.store)
        self._watching = [asyncio.create_task(w.run(self.store)) for w in self.watchers]
        self._up.set()

    async def crash(self, *, asleep: float, stumbles: int) -> None:
        """Lose power, and start again after a while, at the first attempt or a later one."""
        self._up.clear()
        self.mount.cut()
        await self._end_life()
        await asyncio.sleep(asleep)
        for _ in range(stumbles):
            await self._stumble()
        await self.open()

    async def _stumble(self) -> None:
        """Lose power while the cluster starts."""
        self.lives += 1
        chance = self.chance(f"disk{self.lives}")
        mount = self.disk.mount(chance, self.weather)
        cluster = SimulatedCluster(self._config(), mount)
        starting = asyncio.create_task(cluster.start())
        await asyncio.sleep(chance.random() * 0.02)
        mount.cut()
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        await cluster.stop()

    def _config(self) -> ClusterConfig:
        return ClusterConfig(
            runtime="simulated", nodes=NODES, node_capacity=CAPACITY, seed=self.seed
        )

    async def _end_life(self) -> None:
        for task in self._watching:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
            task.cancel()
        await self.cluster.stop()

    def config_of(self, name: str) -> NodeConfig:
        """Return what `BareCluster` starts a node with."""
        index = int(name.rpartition("-")[2]) - 1
        return simulated_node(index, name=name, capacity=CAPACITY, events=True)

    async def revive(self, name: str) -> None:
        """Bring a dead node back."""
        while True:
            with contextlib.suppress(AskTimeout):  # a disk may stall for longer than one waits
                await self.cluster.nodes.add(self.config_of(name))
                return

    # -- the run

    async def run(self) -> Report:
        """Live through a workload and faults, then rest, then be examined."""
        await self.open()
        self.watchers = self._draw_watchers()
        self._watching = [asyncio.create_task(w.run(self.store)) for w in self.watchers]
        faults = Faults(self, self.chance("faults"))
        striking = asyncio.create_task(self._strike(faults))
        clients = [Client(self, at, self.chance(f"client{at}")) for at in range(CLIENTS)]
        await asyncio.gather(*(self._use(client) for client in clients))
        self._busy = False
        await striking
        await faults.end()
        problems = await self._settle(clients[0])
        report = await self._examine(problems)
        await self._end_life()
        return report

    async def _use(self, client: Client) -> None:
        for _ in range(self.steps // CLIENTS):
            if self.witness.failures:
                return  # what follows tells little: pods that are refused, say, come again for ever
            await asyncio.sleep(client.chance.expovariate(1 / client.chance.choice([0.2, 1, 10])))
            await self._up.wait()
            await client.act()

    async def _strike(self, faults: Faults) -> None:
        while self._busy and faults.any:
            await asyncio.sleep(faults.chance.expovariate(1 / 8))
            if self._busy:
                await faults.strike()

    async def _settle(self, client: Client) -> list[str]:
        """Repair what users broke, then wait until everything is as it should be.

        What has not come true is no news beside an invariant that was violated.
        """
        end = self.now() + CONVERGES_WITHIN
        calm_since: float | None = None
        while not self.witness.failures:
            with contextlib.suppress(StatusError):  # gone meanwhile, or a write still stalls
                await self._heal(client)
            await asyncio.sleep(5.0)
            problems = problems_of(self)
            if problems:
                calm_since = None
                if self.now() > end:
                    return problems
            elif calm_since is None:
                calm_since = self.now()
            elif self.now() - calm_since > CALM:
                return []
        return []

    async def _heal(self, client: Client) -> None:
        """Undo what keeps a cluster from converging by right: users have to do that."""
        store = self.store
        for node in store.list("nodes"):
            taints = node["spec"].get("taints") or []
            if node["spec"].get("unschedulable") or any(t["key"] == "simulation" for t in taints):
                await store.modify("nodes", "", node["metadata"]["name"], _opened)
        for obj in store.list(DEPLOYMENTS):
            annotations = obj["spec"]["template"]["metadata"].get("annotations") or {}
            broken = {SCRIPT + "run-seconds", SCRIPT + "refuse"} & annotations.keys()
            if not is_deleting(obj) and (obj["spec"].get("paused") or broken):
                place = obj["metadata"]["namespace"], obj["metadata"]["name"]
                await store.modify(DEPLOYMENTS, *place, _repaired)
        for obj in store.list(CRON_JOBS):
            if not is_deleting(obj) and not obj["spec"].get("suspend"):
                place = obj["metadata"]["namespace"], obj["metadata"]["name"]
                await store.modify(CRON_JOBS, *place, _suspended)
        for obj in store.list("configmaps"):
            if is_deleting(obj) and HOLD in (obj["metadata"].get("finalizers") or ()):
                await client.release(obj)
        for pod in store.list("pods"):
            space = pod["metadata"]["namespace"]
            if not is_deleting(pod) and any(map(is_deleting, claims_of(store, pod))):
                await store.delete("pods", space, pod["metadata"]["name"])
            elif not pod["metadata"].get("ownerReferences") and not is_deleting(pod):
                await store.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        for rs in store.list("replicasets.apps"):
            if not rs["metadata"].get("ownerReferences") and not is_deleting(rs):
                place = rs["metadata"]["namespace"], rs["metadata"]["name"]
                await store.delete("replicasets.apps", *place)

    async def _examine(self, problems: list[str]) -> Report:
        witness = self.witness
        witness.compare(self.store)
        for watcher in self.watchers:
            watcher.verify(self.store)
        value = counter_of(witness.objects)
        witness.require(
            self.increments_done <= value <= self.increments_tried,
            f"the counter is {value}: {self.increments_done} increments were acknowledged "
            f"of {self.increments_tried}",
        )
        return Report(
            seed=self.seed,
            steps=self.steps,
            profile=self.profile,
            history=witness.history,
            failures=[*map(str, witness.failures), *problems],
            acknowledged=self.acknowledged,
            lives=self.lives,
            seconds=self.now(),
            refusals=self.refusals,
            watched=sum(watcher.events for watcher in self.watchers),
            relists=sum(watcher.relists for watcher in self.watchers),
        )

    def _draw_watchers(self) -> list[Watcher]:
        selections = [
            Selection(resource="pods"),
            Selection(resource="pods", fields=parse_field_selector("spec.nodeName=node-1")),
            Selection(resource="pods", fields=parse_field_selector("status.phase!=Running")),
            Selection(resource="pods", labels=parse_label_selector("!app")),
            Selection(resource="configmaps", namespace="default"),
            Selection(resource="nodes"),
            Selection(resource="events"),
        ]
        return [Watcher(self, s, self.chance(f"watcher{i}")) for i, s in enumerate(selections)]


def _opened(node: Object) -> Object:
    taints = [t for t in node["spec"].get("taints") or () if t["key"] != "simulation"]
    return {**node, "spec": {**node["spec"], "unschedulable": False, "taints": taints}}


def _suspended(cron_job: Object) -> Object:
    return {**cron_job, "spec": {**cron_job["spec"], "suspend": True}}


def _repaired(deployment: Object) -> Object:
    spec = deployment["spec"]
    pods = spec["template"]
    metadata = {k: v for k, v in pods["metadata"].items() if k != "annotations"}
    annotations = pods["metadata"].get("annotations") or {}
    kept = {
        key: value
        for key, value in annotations.items()
        if key not in {SCRIPT + "run-seconds", SCRIPT + "exit-code", SCRIPT + "refuse"}
    }
    if kept:
        metadata["annotations"] = kept
    return {
        **deployment,
        "spec": {**spec, "paused": False, "template": {**pods, "metadata": metadata}},
    }


def command_for(seed: int, steps: int) -> str:
    """Return what repeats a run."""
    return f"python -m tests.simulation.run --seed {seed} --steps {steps}"


def simulate(seed: int, steps: int = 150, profile: Profile | None = None) -> Report:
    """Run one simulation to its end on a loop of its own."""
    drawn = profile or draw_profile(random.Random(f"{seed}/profile"))

    async def live() -> Report:
        return await World(seed, steps, drawn).run()

    return run_virtual(live(), seed=seed)


def verify(report: Report) -> None:
    """Fail if something was violated, with the command that repeats it.

    Raises:
        InvariantError: What went wrong.
    """
    if report.failures:
        shown = "\n  ".join(report.failures[:20])
        raise InvariantError(
            f"seed {report.seed}, {report.profile}:\n  {shown}\n"
            f"repeat with: {command_for(report.seed, report.steps)}"
        )
