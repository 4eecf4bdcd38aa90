"""What the scheduler knows of the cluster, built from a list and kept by what it follows.

A picture is thrown away as a whole when the follower has fallen out of the store's window; pods
that are placed and not written yet are carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from orchestrator.resources.objects import Key, Object, is_deleting
from orchestrator.resources.timestamps import parse_time
from orchestrator.scheduler import explanations
from orchestrator.scheduler.binding import NOMINATED
from orchestrator.scheduler.configuration import DEFAULT_SCHEDULER_NAME, SchedulerConfiguration
from orchestrator.scheduler.core.changes import (
    NamespaceChange,
    NodeChange,
    PodChange,
    StorageChange,
)
from orchestrator.scheduler.core.classes import PodClass, PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import Framework, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.owners import RESOURCES as OWNERS
from orchestrator.scheduler.core.owners import Kinships
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.preemption import find_released
from orchestrator.scheduler.core.queue import QueueSettings, SchedulingQueue
from orchestrator.scheduler.core.trials import reject_beside
from orchestrator.scheduler.core.volumes import RESOURCES as STORAGE
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.cycle import ExtensionCycle, Placement
from orchestrator.scheduler.lanes import Lane, by_scheduler, registrations_from
from orchestrator.scheduler.preempting import is_preempted
from orchestrator.scheduler.storage import Storage
from orchestrator.store import ObjectEvent, Store

_BUDGETS: Final = "poddisruptionbudgets.policy"
FOLLOWED: Final = ("nodes", "pods", "namespaces", _BUDGETS, *OWNERS, *STORAGE)
_FINISHED: Final = frozenset({"Succeeded", "Failed"})


class Picture:
    """Nodes, what counts on them, and the pods that wait for one.

    Attributes:
        cluster: Nodes and placed pods.
        queue: Waiting pods.
        classes: Finds the class of a pod.
        lanes: By scheduler name.
        assumed: Pods that are placed here and not (known to be) bound yet, by uid.
        placements: Of pods that plugins from elsewhere have let pass and that wait for their
            volumes, by uid.
        asking: Uids of waiting pods that want to be explained.
    """

    def __init__(
        self,
        store: Store,
        storage: Storage,
        cycle: ExtensionCycle,
        configuration: SchedulerConfiguration,
        random: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Begin with nothing; `load` fills it.

        Args:
            store: What is followed.
            storage: Follows storage, and holds pods that wait for it.
            cycle: Of plugins from elsewhere.
            configuration: The profiles.
            random: Between 0 and 1.
            monotonic: Tells the time.
        """
        self._store = store
        self._storage = storage
        self._cycle = cycle
        self._monotonic = monotonic
        self.cluster = cluster = Cluster()
        self._budgets = Budgets()
        self._kin = Kinships()
        self.classes = PodClasses(default_selector=self._kin.selector_of, volumes=storage.resolve)
        self.lanes = by_scheduler(
            configuration.by_name, cycle.profiles, cluster, self._budgets, random
        )
        self.queue = SchedulingQueue(
            registrations_from(self.lanes.values()),
            look=self._look,
            settings=QueueSettings(
                initial_backoff=configuration.initial_backoff,
                max_backoff=configuration.max_backoff,
            ),
        )
        self.assumed: dict[str, WaitingPod] = {}
        self.placements: dict[str, Placement] = {}
        self.asking: set[str] = set()

    def _look(self, pod: PodClass, node: NodeState, priority: int) -> Verdict | None:
        """Ask all filters about one node, for the queue."""
        framework = self.lanes[pod.shape.scheduler_name].framework
        kept_for = self.cluster.nominations.heeded(node.name, priority)
        return reject_beside(kept_for, pod, node, self.cluster, framework)

    # ---- from a list

    def load(self, earlier: Picture | None) -> None:
        """List everything; what ``earlier`` had assumed stays assumed, attempts stay counted."""
        store, cluster = self._store, self.cluster
        self._cycle.cluster = cluster
        for node in store.list("nodes"):
            cluster.put_node(node, None)
        for space in store.list("namespaces"):
            cluster.put_namespace(space["metadata"]["name"], space["metadata"].get("labels"))
        for budget in store.list(_BUDGETS):
            self._budgets.put(_key(_BUDGETS, budget), budget)
        for resource in OWNERS:
            for owner in store.list(resource):
                self._kin.put(_key(resource, owner), owner, None)
        self._kin.take_changed()
        self._storage.load(cluster.volumes, store.list)
        if earlier is not None:
            for uid, assumed in earlier.assumed.items():
                present = store.get(*assumed.key)
                gone = present is None or present["metadata"]["uid"] != uid or is_deleting(present)
                if gone and self._gives_up(uid):
                    if uid in earlier.placements:
                        self._cycle.lost(earlier.placements[uid])
                    continue
                if present is not None and assumed.pod_class.volumes is not None:
                    self.classes.of(present)  # whose volumes the new book has to know
                self.assumed[uid] = assumed
                if uid in earlier.placements:
                    self.placements[uid] = earlier.placements[uid]
                cluster.place(assumed, assumed.node)
        pods = store.list("pods")
        for pod in sorted(pods, key=lambda pod: int(pod["metadata"]["resourceVersion"])):
            self.put_pod(_key("pods", pod), pod, None)
            if earlier is not None:
                uid = pod["metadata"]["uid"]
                known, new = earlier.queue.get(uid), self.queue.get(uid)
                if known is not None and new is not None:
                    new.inherit(known)
        self._classify_anew(self._storage.take_stale())

    # ---- from changes

    def apply(self, events: Sequence[ObjectEvent]) -> None:
        """Take over changes, in their order."""
        for event in events:
            resource = event.key[0]
            if resource == "pods":
                if event.type == "DELETED":
                    self.forget(event.object["metadata"]["uid"])
                else:
                    self.put_pod(event.key, event.object, event.previous)
            elif resource == "nodes":
                self._apply_node(event)
            elif resource == "namespaces":
                self._apply_namespace(event)
            elif resource == _BUDGETS:
                if event.type == "DELETED":
                    self._budgets.remove(event.key)
                else:
                    self._budgets.put(event.key, event.object)
            elif resource in OWNERS:
                if event.type == "DELETED":
                    self._kin.remove(event.key, event.object)
                else:
                    self._kin.put(event.key, event.object, event.previous)
            else:
                self._apply_storage(event)
        self._classify_anew(self._storage.take_stale())
        if spaces := self._kin.take_changed():
            self._classify_anew(self.queue.uids_in(spaces))
        self.tell_of_room()

    def _apply_node(self, event: ObjectEvent) -> None:
        name = event.key.name
        if event.type == "DELETED":
            gone = self.cluster.by_name.get(name)
            self.cluster.remove_node(name)
            self._storage.node_changed(name)
            if gone is not None:
                self.queue.happened(NodeChange(ClusterEvent.NODE_REMOVED, gone))
            self.release(self.cluster.nominations.pods_on(name))
            return
        changed = self.cluster.put_node(event.object, event.previous)
        if changed:
            self._storage.node_changed(name)
            node = self.cluster.by_name[name]
            self.queue.happened(NodeChange(changed, node, event.previous))
            self.release(self.cluster.nominations.pods_on(name))

    def _apply_namespace(self, event: ObjectEvent) -> None:
        name = event.key.name
        gone = event.type == "DELETED"
        before = self.cluster.namespaces.get(name) or {}
        after = {} if gone else event.object["metadata"].get("labels") or {}
        if self.cluster.put_namespace(name, after):
            change = NamespaceChange(ClusterEvent.NAMESPACE_LABELS, name, before, after)
            self.queue.happened(change)

    def _apply_storage(self, event: ObjectEvent) -> None:
        change = self._storage.apply(event)
        self.cluster.touch(change.nodes)
        if change.event:
            self.queue.happened(StorageChange(change.event, change))

    def note_released(self) -> None:
        """Tell pods that wait for volumes of those that were kept for others, and are free now."""
        for change in self._storage.take_released():
            self.queue.happened(StorageChange(change.event, change))

    def _classify_anew(self, uids: Sequence[str]) -> None:
        """Find the classes of waiting pods anew; rejected ones of another class try again."""
        for uid in uids:
            pod = self.queue.get(uid)
            present = None if pod is None else self._store.get(*pod.key)
            if present is not None and present["metadata"]["uid"] == uid:
                self._update(uid, present)

    def put_pod(self, key: Key, pod: Object, previous: Object | None) -> None:
        """Take over a new or changed pod. Runs for every change of every pod: quick exits first."""
        metadata, spec = pod["metadata"], pod["spec"]
        uid = metadata["uid"]
        node = spec.get("nodeName")
        status = pod.get("status") or {}
        if status.get("phase") in _FINISHED:
            self.forget(uid)
        elif node:
            state = self.cluster.pods.get(uid)
            if state is None or state.node != node or _differs(previous, pod):
                self._put_placed(key, pod, node, state)
            elif "deletionTimestamp" in metadata:
                self._put_terminating(state, pod)
            elif state.start is None and "startTime" in status:
                state.start = _seconds(status["startTime"])
        elif is_deleting(pod):
            self._give_up_waiting(uid)
        elif uid in self.assumed or uid in self.cluster.pods:
            # Its binding is on its way, or was answered before this older event came to be read.
            if previous is not None and not _looks_alike(previous, pod):
                self._recount(uid, pod)
        elif (spec.get("schedulerName") or DEFAULT_SCHEDULER_NAME) in self.lanes:
            self._put_waiting(key, pod, previous)

    def _put_placed(self, key: Key, pod: Object, node: str, before: PodState | None) -> None:
        """Count a pod that somebody bound, or that is another one by its labels or requests."""
        metadata = pod["metadata"]
        uid = metadata["uid"]
        self.queue.remove(uid)
        if self.assumed.pop(uid, None) is not None:
            self._storage.give_up(uid)
            self._cycle.forget(uid)
        self.cluster.nominations.remove(uid)
        state = PodState(
            uid,
            key,
            self.classes.of(pod),
            priority=pod["spec"].get("priority") or 0,
            start=_seconds((pod.get("status") or {}).get("startTime")),
        )
        if "deletionTimestamp" in metadata:
            state.terminating = True
            state.preempted = is_preempted(pod)
        self.cluster.place(state, node)
        if not self.queue:
            return  # nobody is there whom it could help or hinder
        where = self.cluster.by_name.get(node)
        if before is None or before.node != node:
            self.queue.happened(PodChange(ClusterEvent.POD_ADDED, state, where))
        elif before.pod_class is not state.pod_class:
            kind = ClusterEvent.POD_LABELS | ClusterEvent.POD_RESOURCES
            self.queue.happened(PodChange(kind, state, where, before.pod_class))

    def _recount(self, uid: str, pod: Object) -> None:
        """Count a pod as another one that changed between its placement and its binding."""
        self._update(uid, pod)
        state, now = self.cluster.pods.get(uid), self.classes.of(pod)
        if state is None or state.pod_class is now:
            return
        node, before = state.node, state.pod_class
        self.cluster.displace(uid)
        state.pod_class = now
        self.cluster.place(state, node)
        kind = ClusterEvent.POD_LABELS | ClusterEvent.POD_RESOURCES
        self.queue.happened(PodChange(kind, state, self.cluster.by_name.get(node), before))

    def _put_terminating(self, state: PodState, pod: Object) -> None:
        state.preempted = state.preempted or is_preempted(pod)
        if not state.terminating:
            # It no longer counts for topology spread, as if it had other labels.
            node = self.cluster.terminate(state.uid)
            self.queue.happened(PodChange(ClusterEvent.POD_LABELS, state, node))

    def _put_waiting(self, key: Key, pod: Object, previous: Object | None) -> None:
        uid = pod["metadata"]["uid"]
        asked = self._takes_question(uid, pod)
        known = self.queue.get(uid)
        if known is not None:
            if asked:
                self.queue.activate([known])
            if previous is None or not _looks_alike(previous, pod):
                self._update(uid, pod)
            self._note_nomination(known, pod, previous)
            return
        spec = pod["spec"]
        waiting = WaitingPod(
            uid,
            key,
            self.classes.of(pod),
            spec.get("priority") or 0,
            preempts=spec.get("preemptionPolicy") != "Never",
        )
        self.queue.add(waiting, self._monotonic(), gated=bool(spec.get("schedulingGates")))
        self._note_nomination(waiting, pod)

    def _takes_question(self, uid: str, pod: Object) -> bool:
        """Take note whether a pod asks for explanations; tell whether that is new."""
        if explanations.asks(pod):
            new = uid not in self.asking
            self.asking.add(uid)
            return new
        self.asking.discard(uid)
        return False

    def _note_nomination(
        self, waiting: WaitingPod, pod: Object, previous: Object | None = None
    ) -> None:
        """Take over a nomination that somebody wrote, or that was written before a restart."""
        now, before = _nomination(pod), "" if previous is None else _nomination(previous)
        if now and now != before:
            self.cluster.nominations.add(waiting, now)
        elif before and not now and self.cluster.nominations.node_of(waiting.uid) == before:
            self.cluster.nominations.remove(waiting.uid)

    def _update(self, uid: str, pod: Object) -> None:
        known = self.queue.get(uid)
        if known is not None:
            gated = bool(pod["spec"].get("schedulingGates"))
            self.queue.update(uid, self.classes.of(pod), self._monotonic(), gated=gated)

    # ---- pods that go

    def lane_of(self, pod: PodState) -> Lane:
        """Return the lane of a pod that waits."""
        return self.lanes[pod.pod_class.shape.scheduler_name]

    def forget(self, uid: str) -> None:
        """Take note that a pod is gone, or has finished."""
        self._give_up_waiting(uid)
        self.free(uid)
        self._storage.forget(uid)

    def _give_up_waiting(self, uid: str) -> None:
        """Forget a pod that waits, also one that has its place and waits there."""
        self.queue.remove(uid)
        self.cluster.nominations.remove(uid)
        self.asking.discard(uid)
        if uid in self.assumed and self._gives_up(uid):
            del self.assumed[uid]
            placement = self.placements.pop(uid, None)
            if placement is not None:
                self._cycle.lost(placement)
            self.free(uid)

    def _gives_up(self, uid: str) -> bool:
        """Let go what a pod waits for on its place; tell whether it waited there."""
        held = self._storage.give_up(uid)
        return self._cycle.forget(uid) is not None or held is not None

    def resume(self, pod: WaitingPod) -> bool:
        """Tell whether a pod that lost its place is still in the queue, to be handed back there.

        One that was listed anew meanwhile waits anew.
        """
        if self.queue.get(pod.uid) is pod:
            return True
        present = self._store.get(*pod.key)
        if present is not None and present["metadata"]["uid"] == pod.uid:
            self.put_pod(pod.key, present, None)
        return False

    def free(self, uid: str) -> None:
        """Uncount a pod."""
        pod = self.cluster.pods.get(uid)
        if pod is not None:
            node = self.cluster.displace(uid)
            self.queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))
            if node is not None and self.cluster.nominations:
                self.release(find_released(node, self.cluster, self._framework_of))

    def tell_of_room(self) -> None:
        """Let pods be tried again that could have a place which is no longer kept for another."""
        for pod, name in self.cluster.nominations.take_ended():
            node = self.cluster.by_name.get(name)
            if node is not None and self.cluster.holds(pod.uid) != name:
                self.queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))

    def release(self, pods: Iterable[PodState]) -> None:
        """Let pods be tried again that waited for others to leave a node for them."""
        waiting = [self.queue.get(pod.uid) for pod in pods]
        self.queue.activate([pod for pod in waiting if pod is not None])

    def _framework_of(self, pod: PodState) -> Framework:
        return self.lane_of(pod).framework


def _key(resource: str, obj: Object) -> Key:
    metadata = obj["metadata"]
    return Key(resource, metadata.get("namespace") or "", metadata["name"])


def _nomination(pod: Object) -> str:
    return (pod.get("status") or {}).get(NOMINATED) or ""


def _differs(previous: Object | None, pod: Object) -> bool:
    """Tell whether a placed pod has become another one: relabelled, resized."""
    if previous is None:
        return False
    before, now = previous["spec"], pod["spec"]
    if before is not now and before.get("nodeName"):
        return True
    old, new = previous["metadata"].get("labels"), pod["metadata"].get("labels")
    return old is not new and old != new


def _looks_alike(previous: Object, pod: Object) -> bool:
    """Tell at a glance that a change is of nothing that makes a pod's class."""
    return previous["spec"] is pod["spec"] and (
        previous["metadata"].get("labels") == pod["metadata"].get("labels")
    )


@lru_cache(maxsize=256)  # pods of a burst begin in the same second
def _seconds(time: str | None) -> float | None:
    return None if not time else parse_time(time)
