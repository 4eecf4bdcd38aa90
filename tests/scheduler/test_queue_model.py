"""The scheduling queue beside a plain model of it: the same is done to both."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import PodClass, PodState, SchedulingQueue, WaitingPod
from orchestrator.scheduler.core.changes import Change, NamespaceChange, PodChange, Registration
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.queue import QueueSettings

KINDS = (ClusterEvent.POD_REMOVED, ClusterEvent.POD_ADDED, ClusterEvent.NAMESPACE_LABELS)
SPEC = {"containers": [{"name": "c"}]}
CLASSES = tuple(PodClass(SPEC, "ns", {"app": app}) for app in ("x", "y"))
MOVED = PodState("moved", Key("pods", "ns", "moved"), PodClass(SPEC))


def _hint(pod: PodClass, change: Change) -> bool:
    return isinstance(change, NamespaceChange) and change.name == pod.labels["app"]


PLUGINS = {
    "Any": Registration("Any", ClusterEvent.POD_REMOVED | ClusterEvent.POD_ADDED),
    "Hinting": Registration("Hinting", ClusterEvent.NAMESPACE_LABELS, _hint),
    "Waits": Registration("Waits", ClusterEvent.POD_ADDED),
}


def change_of(kind: ClusterEvent, app: str) -> Change:
    """Make a change; of a namespace it helps one class only."""
    if kind is ClusterEvent.NAMESPACE_LABELS:
        return NamespaceChange(kind, app, {}, {})
    return PodChange(kind, MOVED)


@dataclass
class Modelled:
    """A pod of the model."""

    uid: str
    priority: int
    of: PodClass
    order: int
    place: str = "active"
    plugins: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    rejections: int = 0
    errors: int = 0
    ended: float = 0.0
    due: float = 0.0
    missed: list[Change | str] = field(default_factory=list)
    becomes: PodClass | None = None


class Model:
    """The queue as a list that is searched for everything."""

    def __init__(self, *, pops: bool) -> None:
        self.pods: dict[str, Modelled] = {}
        self.pops = pops
        self.orders = 0
        self.now = 0.0
        self.changes: list[Change] = []

    def at(self, place: str) -> list[Modelled]:
        found = [pod for pod in self.pods.values() if pod.place == place]
        return sorted(found, key=lambda pod: (-pod.priority, pod.order))

    def order(self) -> int:
        self.orders += 1
        return self.orders

    def helps(self, pod: Modelled, change: Change) -> bool | None:
        """Tell whether a change helps, and with True that it helps at once."""
        verdict: bool | None = None
        for name in pod.plugins:
            plugin = PLUGINS[name]
            if change.kind in plugin.events and (not plugin.hint or plugin.hint(pod.of, change)):
                verdict = bool(verdict) or name in pod.pending
        return verdict

    def requeue(self, pod: Modelled, *, at_once: bool = False) -> None:
        failures = pod.errors or pod.rejections
        due = pod.ended + min(10.0, 2.0 ** (failures - 1))
        if at_once or not failures or due <= self.now:
            pod.place = "active"
            return
        pod.place = "backoff"
        pod.due = floor(due) + 1 if self.pops and not pod.errors else due

    def advance(self) -> None:
        for change in self.changes:
            for pod in self.at("unschedulable"):
                verdict = self.helps(pod, change)
                if verdict is not None:
                    self.requeue(pod, at_once=verdict)
        self.changes = []
        for pod in self.at("backoff"):
            if pod.due <= self.now:
                pod.place = "active"

    def take(self, limit: int) -> list[str]:
        self.advance()
        taken = self.at("active")[:limit]
        if self.pops:
            early = [pod for pod in self.at("backoff") if not pod.errors]
            early.sort(key=lambda pod: pod.due)
            taken += early[: limit - len(taken)]
        for pod in taken:
            pod.place = "taken"
            pod.missed = []
        return [pod.uid for pod in taken]

    def hand_back(self, pod: Modelled) -> None:
        pod.order = self.order()
        pod.ended = self.now
        pod.of, pod.becomes = pod.becomes or pod.of, None

    def reject(self, pod: Modelled, plugins: frozenset[str], pending: frozenset[str]) -> None:
        self.hand_back(pod)
        pod.rejections += 1
        pod.errors = 0
        pod.plugins, pod.pending = plugins, pending
        pod.place = "unschedulable"
        for change in pod.missed:
            verdict = False if isinstance(change, str) else self.helps(pod, change)
            if verdict is not None:
                self.requeue(pod, at_once=verdict)
                return

    def next_time(self) -> float:
        waits = [pod.due for pod in self.at("backoff") if pod.errors or not self.pops]
        flushes = [pod.ended + 300 for pod in self.at("unschedulable")]
        return min([*waits, *flushes], default=inf)


class QueueMachine(RuleBasedStateMachine):
    """Does the same to the queue and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @initialize(pops=st.booleans())
    def start(self, pops: bool) -> None:
        self.queue = SchedulingQueue(PLUGINS, settings=QueueSettings(pops_from_backoff=pops))
        self.model = Model(pops=pops)

    @rule(of=st.sampled_from(CLASSES), priority=st.sampled_from((0, 5)), gated=st.booleans())
    def add(self, of: PodClass, priority: int, gated: bool) -> None:
        self.count += 1
        uid = str(self.count)
        pod = WaitingPod(uid, Key("pods", "ns", uid), of, priority)
        self.queue.add(pod, self.model.now, gated=gated)
        place = "gated" if gated else "active"
        self.model.pods[uid] = Modelled(uid, priority, of, self.model.order(), place)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        pod = self._some(data)
        if pod is not None:
            self.queue.remove(pod.uid)
            del self.model.pods[pod.uid]

    @rule(data=st.data(), of=st.sampled_from(CLASSES), gated=st.booleans())
    def update(self, data: st.DataObject, of: PodClass, gated: bool) -> None:
        pod = self._some(data)
        if pod is None:
            return
        self.queue.update(pod.uid, of, self.model.now, gated=gated)
        if pod.place == "taken":
            if of is not pod.of:
                pod.becomes = of
                pod.missed.append(pod.uid)
            return
        changed, pod.of = of is not pod.of, of
        if pod.place == "gated" and not gated:
            pod.place = "active"
        elif pod.place == "unschedulable" and changed:
            self.model.requeue(pod)

    @rule(
        of=st.sampled_from(CLASSES),
        plugin=st.sampled_from(sorted(PLUGINS)),
        kind=st.sampled_from(KINDS),
        meanwhile=st.booleans(),
    )
    def try_some_in_vain(
        self,
        of: PodClass,
        plugin: str,
        kind: ClusterEvent,
        meanwhile: bool,
    ) -> None:
        """Do what happens most: pods come, are tried and rejected, and something happens."""
        for priority in (0, 5):
            self.add(of, priority, gated=False)
        self.take(3)
        if meanwhile:
            self.happen(kind, of.labels["app"])
        for pod in self.model.at("taken"):
            self._reject(pod, frozenset({plugin}), frozenset())
        if not meanwhile:
            self.happen(kind, of.labels["app"])
        self.advance(0.3)

    @rule(limit=st.integers(1, 4))
    def take(self, limit: int) -> None:
        taken = self.queue.take(limit, self.model.now)
        assert [pod.uid for pod in taken] == self.model.take(limit)

    @rule(
        data=st.data(),
        plugins=st.sets(st.sampled_from(sorted(PLUGINS)), min_size=1),
        waits=st.booleans(),
    )
    def reject(self, data: st.DataObject, plugins: set[str], waits: bool) -> None:
        pod = self._some(data, "taken")
        if pod is not None:
            by, pending = frozenset(plugins), frozenset(plugins & {"Waits"} if waits else ())
            self._reject(pod, by, pending)

    def _reject(self, pod: Modelled, by: frozenset[str], pending: frozenset[str]) -> None:
        self.queue.reject(self._real(pod), "no", by, self.model.now, pending=pending)
        self.model.reject(pod, by, pending)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        pod = self._some(data, "taken")
        if pod is not None:
            self.queue.retry(self._real(pod), self.model.now)
            self.model.hand_back(pod)
            pod.errors += 1
            self.model.requeue(pod)

    @rule(data=st.data())
    def bind(self, data: st.DataObject) -> None:
        pod = self._some(data, "taken")
        if pod is not None:
            self.queue.bound([self._real(pod)])
            del self.model.pods[pod.uid]

    @rule(data=st.data())
    def activate(self, data: st.DataObject) -> None:
        pod = self._some(data)
        if pod is None:
            return
        self.queue.activate([self._real(pod)])
        if pod.place in {"backoff", "unschedulable"}:
            pod.place = "active"
        elif pod.place == "taken":
            pod.missed.append(pod.uid)

    @rule(kind=st.sampled_from(KINDS), app=st.sampled_from("xy"))
    def happen(self, kind: ClusterEvent, app: str) -> None:
        change = change_of(kind, app)
        self.queue.happened(change)
        self.model.changes.append(change)
        for pod in self.model.at("taken"):
            pod.missed.append(change)

    @rule(seconds=st.sampled_from((0.0, 0.3, 1.0, 2.5, 11.0)))
    def advance(self, seconds: float) -> None:
        self.model.now += seconds
        self.queue.advance(self.model.now)
        self.model.advance()

    @rule()
    def flush(self) -> None:
        """Let so much time pass that nobody waits any more."""
        self.advance(1000.0)
        for pod in self.model.at("unschedulable"):
            self.model.requeue(pod)

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        places = ("active", "backoff", "unschedulable", "gated", "taken")
        assert self.queue.statistics() == tuple(len(self.model.at(place)) for place in places)
        assert len(self.queue) == len(self.model.pods)
        due = self.queue.next_time()
        assert self.model.next_time() >= (inf if due is None else due)

    def _some(self, data: st.DataObject, place: str = "") -> Modelled | None:
        pods = [pod for pod in self.model.pods.values() if pod.place == (place or pod.place)]
        return data.draw(st.sampled_from(pods)) if pods else None

    def _real(self, pod: Modelled) -> WaitingPod:
        found = self.queue.get(pod.uid)
        assert found is not None
        return found


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=40, stateful_step_count=40)
