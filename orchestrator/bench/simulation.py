"""The scheduler's core in virtual time: the one place where the harness knows how to drive it.

Placements are decided by exactly what a cluster's scheduler decides with; here nothing is written
anywhere, binding takes no time, and the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias

from orchestrator.bench.compare.amounts import Amounts, gpu_milli
from orchestrator.bench.failures import UserError
from orchestrator.bench.known import KnownObjects
from orchestrator.bench.planning.observed import OWNERS, STORAGE, TELLS_OF_CLAIMS
from orchestrator.resources.objects import Key, Object, labels_of, name_of, namespace_of, spec_of
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    DEFAULT_SCHEDULER_NAME,
    SchedulerConfiguration,
)
from orchestrator.scheduler.core import (
    Cluster,
    PodClass,
    PodClasses,
    PodState,
    SchedulingQueue,
    WaitingPod,
)
from orchestrator.scheduler.core.changes import NodeChange, PodChange
from orchestrator.scheduler.core.deciding import Decider
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.owners import Kinships
from orchestrator.scheduler.core.queue import QueueSettings
from orchestrator.scheduler.core.rejected import registrations_of
from orchestrator.scheduler.core.volumes.demands import VolumeDemand
from orchestrator.scheduler.extending.adapting import PluginFailed, ProfilePlugins
from orchestrator.scheduler.extending.cycle import ExtensionCycle
from orchestrator.scheduler.extending.registry import NO_PLUGINS, Plugins

_BATCH: Final = 500
_GATED: Final = "Scheduling is blocked due to non-empty scheduling gates"
_NEVER: Final = float("inf")
"""A cluster's scheduler tries a waiting pod again after five minutes even if nothing happened that
could help it. Months of a full cluster are mostly such attempts, and no verdict depends on time: so
here that is done once, when nothing else can happen (`try_again`)."""


class Placed(NamedTuple):
    """A pod got a node."""

    uid: str
    node: str


class Evicted(NamedTuple):
    """A pod had to make room for another one, and waits for nothing any more."""

    uid: str
    node: str


Outcome: TypeAlias = list[Placed | Evicted]
"""What a pass of the scheduler came to, in order."""


class Simulation:
    """Nodes, pods on them, pods that wait, and a scheduler."""

    def __init__(
        self,
        seed: int,
        configuration: SchedulerConfiguration = DEFAULT_CONFIGURATION,
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        """Begin without nodes and pods.

        Args:
            seed: What breaks ties between nodes of one score.
            configuration: How to schedule. A pod whose ``schedulerName`` it has no profile for
                gets its first profile: a trace is not written for a policy.
            plugins: Filters and scores that it can enable beside the built-in ones; what plugins
                do after a node is chosen has no part in a simulation.

        Raises:
            ValueError: A plugin does not take its arguments.
        """
        self._random = Random(seed)  # noqa: S311 - a repeatable tie-break, no secret
        self._cluster = Cluster()
        self._kin = Kinships()
        self._classes = PodClasses(default_selector=self._kin.selector_of, volumes=self._volumes_of)
        self._budgets = Budgets()
        self._now = 0.0
        self._known = KnownObjects()
        cycle = ExtensionCycle(
            configuration,
            plugins,
            reader=self._known,
            monotonic=lambda: self._now,
            random=lambda: self._random,
        )
        cycle.cluster = self._cluster
        self._plugins = cycle.profiles
        self._frameworks = {
            name: Framework(profile, self._plugins[name].filters, self._plugins[name].scores)
            for name, profile in configuration.by_name.items()
        }
        self._deciders = {
            name: Decider(self._cluster, self._budgets, self._random.random, framework)
            for name, framework in self._frameworks.items()
        }
        self._first = next(iter(self._frameworks))
        self._has_storage = False
        # What fitted nowhere is not looked at again before there is more room. Only pods that want
        # other pods near them, and plugins that nothing is known of, can be helped by less room.
        self._is_sociable = bool(any(self._plugins.values()))
        self._may_fit_now = True
        frameworks = self._frameworks.values()
        self._queue = SchedulingQueue(
            registrations_of(plugin for framework in frameworks for plugin in framework.filters),
            look=lambda pod, node, _: self._framework_of(pod).reject(pod, node, self._cluster),
            settings=QueueSettings(
                initial_backoff=configuration.initial_backoff,
                max_backoff=configuration.max_backoff,
                flush_after=_NEVER,
            ),
        )
        self._objects: dict[str, Object] = {}
        self._pods: dict[str, Object] = {}

    # ---- what there is

    @property
    def nodes(self) -> Mapping[str, NodeState]:
        """The nodes by name."""
        return self._cluster.by_name

    @property
    def waiting(self) -> int:
        """How many pods wait for a node."""
        return len(self._queue)

    def class_of(self, pod: Object) -> PodClass:
        """Return the class of a pod."""
        return self._classes.of(pod)

    def fits(self, pod: PodClass, node: NodeState) -> bool:
        """Tell whether a pod of a class could be placed on a node as it is now."""
        return self._framework_of(pod).reject(pod, node, self._cluster) is None

    def refusal(self, uid: str) -> str:
        """Return why a waiting pod has no node, in the words of its last attempt."""
        pod = self._queue.get(uid)
        if pod is None:
            return ""
        return _GATED if pod.place == "gated" else pod.message

    def holds(self, uid: str) -> str | None:
        """Return the node a pod is on, or None."""
        return self._cluster.holds(uid)

    def reasons(self, pod: Object, node: str) -> tuple[str, ...]:
        """Return why a pod cannot be placed on a node as it is now; empty when it can."""
        framework = self._frameworks[self._profile_of(spec_of(pod))]
        pod_class = self._classes.of(pod)
        with self._about(pod):
            found = framework.reject_pod(pod_class, self._cluster)
            if found is None:
                found = framework.reject(pod_class, self._cluster.by_name[node], self._cluster)
        return () if found is None else found.rejection.reasons

    def diagnose(self, pod: Object) -> str:
        """Return why a pod fits nowhere, as an event would say it, and whom it could preempt."""
        decider = self._deciders[self._profile_of(spec_of(pod))]
        state = self._state("", pod)
        state.preempts = spec_of(pod).get("preemptionPolicy") != "Never"
        decider.begin()
        with self._about(pod):
            refusal = decider.refuse(state)
        self._cluster.nominations.remove(state.uid)
        found = refusal.preemption
        if found is None:
            return refusal.message
        count = len(found.victims)
        pods = "pod" if count == 1 else "pods"
        return f"{refusal.message} {count} {pods} on {found.node.name} could be preempted for it."

    def pods_on(self, node: str) -> Iterator[str]:
        """Yield the uids of the pods on a node."""
        state = self._cluster.by_name.get(node)
        return iter(() if state is None else tuple(state.pods))

    # ---- what happens

    def put_objects(self, objects: Mapping[str, Iterable[Object]]) -> None:
        """Take over what scheduling looks at beside nodes and pods, by kind."""
        self._may_fit_now = True
        for namespace in objects.get("Namespace", ()):
            self._cluster.put_namespace(name_of(namespace), labels_of(namespace))
        for budget in objects.get("PodDisruptionBudget", ()):
            key = Key("poddisruptionbudgets.policy", namespace_of(budget), name_of(budget))
            self._budgets.put(key, budget)
        for kind, resource in OWNERS.items():
            for obj in objects.get(kind, ()):
                self._kin.put(Key(resource, namespace_of(obj), name_of(obj)), obj, None)
        for kind, resource in STORAGE.items():
            for obj in objects.get(kind, ()):
                self._cluster.volumes.put(resource, obj)
                self._has_storage = self._has_storage or kind in TELLS_OF_CLAIMS

    def put_node(self, node: Object) -> None:
        """Add a node, or change it."""
        self._may_fit_now = True
        name = name_of(node)
        previous = self._objects.get(name)
        changed = self._cluster.put_node(node, previous)
        self._objects[name] = node
        self._known.put("nodes", node)
        if changed:
            self._queue.happened(NodeChange(changed, self._cluster.by_name[name], previous))

    def remove_node(self, name: str) -> list[str]:
        """Remove a node and its pods; return their uids."""
        self._may_fit_now = True
        lost = list(self.pods_on(name))
        self._objects.pop(name, None)
        self._known.remove("nodes", "", name)
        for uid in lost:
            self._displace(uid)
            self._lose(uid)
        gone = self._cluster.by_name.get(name)
        self._cluster.remove_node(name)
        if gone is not None:
            self._queue.happened(NodeChange(ClusterEvent.NODE_REMOVED, gone))
        return lost

    def place(self, uid: str, pod: Object, node: str) -> None:
        """Count a pod that is on a node already, whether it fits there or not."""
        self._may_fit_now = True
        self._meet(uid, pod)
        self._cluster.place(self._state(uid, pod), node)

    def place_best(self, uid: str, pod: Object) -> str | None:
        """Place a pod at once on the node it would get; None, and no more, when it fits nowhere.

        It preempts nobody.
        """
        state = self._state(uid, pod)
        decider = self._deciders[self._profile_of(spec_of(pod))]
        decider.begin()
        with self._about(pod):
            node = decider.choose(state)
        if node is None:
            return None
        self._meet(uid, pod)
        self._cluster.place(state, node.name)
        return node.name

    def submit(self, uid: str, pod: Object, now: float = 0.0) -> None:
        """Let a pod wait for a node, since ``now``."""
        spec = spec_of(pod)
        self._meet(uid, pod)
        pod_class = self._classes.of(pod)
        if pod_class.affinity.attracted or pod_class.spreads:
            self._is_sociable = self._may_fit_now = True
        self._queue.add(
            WaitingPod(
                uid,
                _key(pod),
                pod_class,
                spec.get("priority") or 0,
                preempts=spec.get("preemptionPolicy") != "Never",
            ),
            now,
            gated=bool(spec.get("schedulingGates")),
        )

    def withdraw(self, uid: str) -> None:
        """Remove a pod, whether it waits or is on a node."""
        self._queue.remove(uid)
        if self._cluster.nominations.remove(uid):
            self._may_fit_now = True
        self._lose(uid)
        self._displace(uid)
        if self._has_storage:
            self._cluster.volumes.forget(uid)

    def next_time(self) -> float | None:
        """Return when a pod that backs off will be tried again, if one does."""
        time = self._queue.next_time()
        return None if time is None or time == _NEVER else time

    def try_again(self) -> None:
        """Let every pod that waits be tried once more."""
        waiting = (self._queue.get(uid) for uid in list(self._pods))
        self._queue.activate([pod for pod in waiting if pod is not None])

    def schedule(self, now: float) -> Outcome:
        """Try every pod whose turn it is.

        Pods that have to make room are gone at once: their time to end is not played, since a
        trace does not know it.
        """
        outcome: Outcome = []
        self._now = now
        while pods := self._queue.take(_BATCH, now):
            if self._may_fit_now:
                self._begin_pass()
            for pod in pods:
                self._try(pod, now, outcome)
        return outcome

    def run_to_rest(self) -> Outcome:
        """Try pods until nothing changes any more, however long that would take.

        Pods that have to make room wait as well.
        """
        outcome: Outcome = []
        now = 0.0
        last = False
        while True:
            made = self.schedule(now)
            outcome.extend(made)
            for change in made:
                if isinstance(change, Evicted):
                    self.submit(change.uid, self._pods[change.uid], now)
            again = self.next_time()
            if made:
                last = False
            elif again is not None:
                now = max(now, again)
            elif last:
                return outcome
            else:
                self.try_again()
                last = True

    def _begin_pass(self) -> None:
        """Let what fitted nowhere be looked at again."""
        self._may_fit_now = self._is_sociable
        for decider in self._deciders.values():
            decider.begin()

    def _try(self, pod: WaitingPod, now: float, outcome: Outcome) -> None:
        obj = self._pods[pod.uid]
        decider = self._deciders[self._profile_of(spec_of(obj))]
        with self._about(obj):
            node = decider.choose(pod)
            refusal = decider.refuse(pod) if node is None else None
        if node is not None:
            self._cluster.nominations.remove(pod.uid)
            self._cluster.place(pod, node.name)
            self._queue.bound([pod])
            self._queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, node))
            outcome.append(Placed(pod.uid, node.name))
            return
        assert refusal is not None
        made = refusal.preemption
        plugins = refusal.diagnosis.plugins
        self._queue.reject(pod, refusal.message, plugins, now, nominated=made is not None)
        if made is None:
            return
        for victim in made.victims:
            outcome.append(Evicted(victim.uid, victim.node))
            self._displace(victim.uid)
        self._begin_pass()  # there is room again
        waiting = (self._queue.get(other.uid) for other in refusal.displaced)
        self._queue.activate([pod, *(other for other in waiting if other is not None)])

    def _about(self, pod: Object) -> AbstractContextManager[object]:
        """Name the pod that is decided about, to plugins that want to know."""
        plugins = self._plugins[self._profile_of(spec_of(pod))]
        return _about(plugins, self._classes.of(pod), pod) if plugins else nullcontext()

    def _meet(self, uid: str, pod: Object) -> None:
        self._pods[uid] = pod
        self._known.put("pods", pod)

    def _lose(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod is not None:
            self._known.remove("pods", namespace_of(pod), name_of(pod))

    def _profile_of(self, spec: Mapping[str, Any]) -> str:
        name = spec.get("schedulerName") or DEFAULT_SCHEDULER_NAME
        return name if name in self._frameworks else self._first

    def _volumes_of(self, pod: Mapping[str, Any]) -> VolumeDemand | None:
        """Return what a pod's volumes demand; without storage objects that is not known."""
        if not self._has_storage:
            return None
        return self._cluster.volumes.resolve(
            spec_of(pod), namespace_of(pod), name_of(pod), pod["metadata"]["uid"]
        )

    def _state(self, uid: str, pod: Object) -> PodState:
        priority = spec_of(pod).get("priority") or 0
        return PodState(uid, _key(pod), self._classes.of(pod), priority=priority)

    def _framework_of(self, pod: PodClass) -> Framework:
        """Return the profile's plugins of the pods that the class was made of first."""
        return self._frameworks[self._profile_of(pod.shape.spec)]

    def _displace(self, uid: str) -> None:
        pod = self._cluster.pods.get(uid)
        if pod is not None:
            self._may_fit_now = True
            node = self._cluster.displace(uid)
            self._queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))


@contextmanager
def _about(plugins: ProfilePlugins, pod_class: PodClass, pod: Object) -> Iterator[None]:
    try:
        with plugins.about(pod_class, pod):
            yield
    except PluginFailed as error:
        raise UserError(f"pod {name_of(pod)}: {error}") from error


def _key(pod: Object) -> Key:
    return Key("pods", namespace_of(pod), name_of(pod))


def demand_of(pod: PodClass) -> Amounts:
    """Return what a pod of a class requests."""
    request = pod.request
    return Amounts(request.cpu, request.memory, gpu_milli(request.extended))


def capacity_of(node: NodeState) -> Amounts:
    """Return what a node has for pods."""
    return Amounts(node.cpu, node.memory, gpu_milli(node.extended.items()))


def used_of(node: NodeState) -> Amounts:
    """Return what the pods on a node request."""
    return Amounts(node.used_cpu, node.used_memory, gpu_milli(node.used_extended.items()))
