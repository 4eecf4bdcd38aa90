"""The scheduler actor: a thin shell around `orchestrator.scheduler.core`.

It follows pods and nodes, decides on its own picture, and proposes bindings in batches. A placement
is assumed at once, so that the next batch can be decided while the write is on its way; a binding
that the store refuses is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeAlias, assert_never

from actors import Actor, Timer
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, is_deleting
from orchestrator.resources.timestamps import format_time
from orchestrator.scheduler.binding import Binder, describe_binding, mark_unschedulable
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    DEFAULT_SCHEDULER_NAME,
    SchedulerConfiguration,
)
from orchestrator.scheduler.core.changes import NodeChange, PodChange, StorageChange
from orchestrator.scheduler.core.classes import PodClass, PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import Diagnosis
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.queue import QueueSettings, SchedulingQueue
from orchestrator.scheduler.core.volumes import RESOURCES
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.explanations import annotate, answer_of, asks
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.cycle import (
    Bind,
    ExtensionCycle,
    Hold,
    Outcome,
    Placement,
    Refuse,
)
from orchestrator.scheduler.extending.registry import NO_PLUGINS, Plugins
from orchestrator.scheduler.extending.views import PodView
from orchestrator.scheduler.lanes import Lane, by_scheduler, registrations_from
from orchestrator.scheduler.metrics import SchedulerMetrics
from orchestrator.scheduler.storage import Ended, Storage
from orchestrator.store import Expired, Follower, Modify, ObjectEvent, Operation, Store

_BATCH = 500
_TAKE = 5000  # so that a turn stays short; what is left over is notified again at once
_WRITES = 2
_FOLLOWED = ("nodes", "pods", *RESOURCES)
_RESEND_AFTER = 1.0
_START_ATTEMPTS = 60
_FINISHED = frozenset({"Succeeded", "Failed"})


class Recorder(Protocol):
    """Where the scheduler reports events; `orchestrator.store.recording` has the real one."""

    def event(
        self,
        involved: Object,
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        time: float | None = None,
    ) -> None:
        """Record an event about an object, dated now or at ``time``; never waits."""

    def event_for_all(
        self,
        involved: Sequence[Object],
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: Callable[[Object], str],
        *,
        time: float | None = None,
    ) -> None:
        """Record the same event about many objects, each with the message made for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something the scheduler follows has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Continue:
    """There is more to place than one pass takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimePassed:
    """Some pod has backed off long enough, or waited too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proposal:
    """A batch of writes: first the bindings, in order, then claims and volumes, then conditions.

    Attributes:
        bindings: Pods and the nodes chosen for them.
        operations: The writes.
        time: When it was decided. Nodes see a binding at the moment it is committed and may tell
            of the pod before the scheduler hears of the commit; "Scheduled" still comes first.
        began: When the attempts began, by the monotonic clock.
        held: The uids of pods that wait for their volumes, and how many writes are about those.
    """

    bindings: tuple[tuple[WaitingPod, str], ...]
    operations: tuple[Operation, ...]
    time: float
    began: float
    held: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """The store has answered a proposal."""

    proposal: _Proposal
    results: list[Object | StatusError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unanswered:
    """The store gave no answer: whether the proposal was written is not known."""

    proposal: _Proposal
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resend:
    """Ask the store again."""

    proposal: _Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Activate:
    """A plugin wants some pods to be tried now."""

    uids: tuple[str, ...]


Command: TypeAlias = (
    Changed | _Continue | _TimePassed | _Written | _Unanswered | _Resend | _Activate
)


@dataclass(frozen=True, slots=True)
class SchedulerStatistics:
    """Counts since the start.

    Attributes:
        waiting: Pods without a node at the moment.
        bound: Bindings that were made.
        refused: Bindings that the store refused.
        rejected: Times a pod fitted nowhere.
    """

    waiting: int
    bound: int
    refused: int
    rejected: int


class _Pass:
    """What one pass comes to, for one proposal.

    Attributes:
        now: Seconds of the clock that never goes back.
        written_at: The same as a timestamp.
        bindings: Pods and the nodes chosen for them.
        operations: Their writes, in the same order.
        held: Uids of pods that wait for their volumes, and how many of the ``writes`` are theirs.
        writes: Of claims and volumes.
        conditions: Writes about pods that are not bound, and explanations.
        rejected: What was rejected once is rejected for all of its class: within a pass room only
            shrinks.
    """

    __slots__ = (
        "_binder", "bindings", "conditions", "held", "now", "operations", "rejected", "writes",
        "written_at",
    )  # fmt: skip

    def __init__(self, now: float, written_at: str) -> None:
        self.now = now
        self.written_at = written_at
        self._binder = Binder(written_at)
        self.bindings: list[tuple[WaitingPod, str]] = []
        self.operations: list[Operation] = []
        self.held: list[tuple[str, int]] = []
        self.writes: list[Operation] = []
        self.conditions: list[Operation] = []
        self.rejected: dict[tuple[PodClass, bool], Diagnosis] = {}

    def bind(self, pod: WaitingPod) -> None:
        """Bind a pod to the node it has its place on."""
        self.bindings.append((pod, pod.node))
        self.operations.append(_modify(pod, partial(self._binder.bind, pod.node), "binding"))


class Scheduler(Actor[Command]):
    """Finds a node for every pod of its profiles, ``default-scheduler`` alone by default.

    The mailbox holds few messages at any time: one for all changes, and one for each write on its
    way. A restarted scheduler lists everything anew; what it had assumed and not written is void.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        *,
        configuration: SchedulerConfiguration = DEFAULT_CONFIGURATION,
        metrics: SchedulerMetrics | None = None,
        plugins: Plugins = NO_PLUGINS,
        batch: int = _BATCH,
    ) -> None:
        """Prepare.

        Args:
            store: Whose pods to schedule.
            recorder: Gets ``Scheduled`` and ``FailedScheduling``.
            configuration: Its profiles, by the scheduler names of the pods it cares for.
            metrics: Counts what is done; outlives the scheduler.
            plugins: What profiles can enable beside the built-in plugins.
            batch: Most pods placed in one pass, and so in one write.

        Raises:
            ValueError: A plugin does not take its arguments.
        """
        self._store = store
        self._recorder = recorder
        self._batch = batch
        self._configuration = configuration
        self._metrics = metrics or SchedulerMetrics()
        self._profiles = configuration.by_name
        self._cluster = Cluster()
        self._extensions = ExtensionCycle(
            configuration,
            plugins,
            reader=store,
            monotonic=self._monotonic,
            random=lambda: self.context.random,
            activate=self._activate,
            report=lambda error: self.context.log.warning("a plugin failed", error=str(error)),
        )
        self._placements: dict[str, Placement] = {}  # that plugins have a say in, not bound yet
        self._asking: set[str] = set()  # uids of pods that want their attempts explained
        self._storage = Storage(self._cluster.volumes, store.get)
        self._classes = PodClasses(volumes=self._storage.resolve)
        self._ready: list[WaitingPod] = []  # placed, and have their volumes by now
        self._new_picture(self._cluster, lambda: 0.0)
        self._follower: Follower | None = None
        self._assumed: dict[str, WaitingPod] = {}
        self._writes = 0
        self._continuing = False
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._bound = self._refused = self._rejected = 0

    def _monotonic(self) -> float:
        return self.context.clock.monotonic()

    def statistics(self) -> SchedulerStatistics:
        """Return counts for metrics and tests."""
        return SchedulerStatistics(len(self._queue), self._bound, self._refused, self._rejected)

    async def started(self) -> None:
        """List nodes and pods, and follow them from there.

        Bindings of a scheduler that failed may still be on their way. The sequencer answers in
        order, so what it has answered after them has them: without that, their room could be
        given away twice.
        """
        for note in self._configuration.without_effect:
            self.context.log.debug("a setting has no effect on the scheduler", setting=note)
        barrier = Modify("namespaces", "", "default", lambda _: None)
        for attempt in range(_START_ATTEMPTS):
            try:
                await self._store.write([barrier])
                break
            except StatusError as error:
                if attempt + 1 == _START_ATTEMPTS:
                    raise
                self.context.log.warning("the store does not answer yet", error=str(error))
                await self.context.clock.sleep(_RESEND_AFTER)
        self._list()

    def stopped(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()

    def receive(self, message: Command) -> None:
        """Handle one message."""
        match message:
            case Changed():
                self._apply_changes()
            case _Continue():
                self._continuing = False
            case _TimePassed():
                self._timer = None
                self._queue.advance(self.context.clock.monotonic())
            case _Written(proposal=proposal, results=results):
                self._writes -= 1
                self._settle(proposal, results)
            case _Unanswered(proposal=proposal, error=error):
                self.context.log.warning("no answer from the store, asking again", error=str(error))
                self.context.after(_RESEND_AFTER, _Resend(proposal=proposal))
            case _Resend(proposal=proposal):
                self._propose(proposal)
            case _Activate(uids=uids):
                self._activate(uids, 0.0)
            case _:
                assert_never(message)
        self._end_waits()
        self._schedule()
        self._set_timer()

    def _new_picture(self, cluster: Cluster, random: Callable[[], float]) -> None:
        """Begin with an empty cluster, and an empty queue beside it."""
        self._cluster = self._extensions.cluster = cluster
        lanes = by_scheduler(self._profiles, self._extensions.profiles, cluster, random)
        self._lanes = lanes
        settings = QueueSettings(
            initial_backoff=self._configuration.initial_backoff,
            max_backoff=self._configuration.max_backoff,
        )
        self._queue = SchedulingQueue(
            registrations_from(lanes.values()),
            look=lambda pod, node, _: lanes[pod.shape.scheduler_name].framework.reject(
                pod, node, cluster
            ),
            settings=settings,
        )
        self._metrics.follow(self._queue)

    # ---- following

    def _notify(self) -> None:
        self.context.ref.tell(Changed())

    def _list(self) -> None:
        """Build the picture from scratch; what is assumed stays assumed."""
        if self._follower is not None:
            self._follower.close()
        store = self._store
        self._follower = store.follow(_FOLLOWED, self._notify, after=store.sequence)
        waiting = self._queue
        self._new_picture(Cluster(), self.context.random.random)
        for node in store.list("nodes"):
            self._cluster.put_node(node, None)
        self._storage.load(self._cluster.volumes, store.list)
        for uid, assumed in list(self._assumed.items()):
            present = store.get(*assumed.key)
            gone = present is None or present["metadata"]["uid"] != uid or is_deleting(present)
            if gone and self._storage.give_up(uid) is not None:
                del self._assumed[uid]
                continue
            if present is not None:
                self._classes.of(present)  # whose volumes the new book has to know
            self._cluster.place(assumed, assumed.node)
        pods = store.list("pods")
        for pod in sorted(pods, key=lambda pod: int(pod["metadata"]["resourceVersion"])):
            metadata = pod["metadata"]
            key = Key("pods", metadata.get("namespace") or "", metadata["name"])
            self._put_pod(key, pod, None)
            known, new = waiting.get(metadata["uid"]), self._queue.get(metadata["uid"])
            if known is not None and new is not None:
                new.inherit(known)
        self._classify_anew()
        self.context.ref.tell(_Continue())

    def _apply_changes(self) -> None:
        assert self._follower is not None
        try:
            events = self._follower.take(_TAKE)
        except Expired:
            self._list()
            return
        for event in events:
            if event.key[0] == "nodes":
                self._apply_node(event)
            elif event.key[0] != "pods":
                self._apply_storage(event)
            elif event.type == "DELETED":
                self._forget(event.object["metadata"]["uid"])
            else:
                self._put_pod(event.key, event.object, event.previous)
        self._classify_anew()

    def _apply_node(self, event: ObjectEvent) -> None:
        name = event.key.name
        if event.type == "DELETED":
            gone = self._cluster.by_name.get(name)
            self._cluster.remove_node(name)
            self._storage.node_changed(name)
            if gone is not None:
                self._queue.happened(NodeChange(ClusterEvent.NODE_REMOVED, gone))
            return
        changed = self._cluster.put_node(event.object, event.previous)
        if changed:
            self._storage.node_changed(name)
            node = self._cluster.by_name[name]
            self._queue.happened(NodeChange(changed, node, event.previous))

    def _apply_storage(self, event: ObjectEvent) -> None:
        change = self._storage.apply(event)
        self._cluster.touch(change.nodes)
        if change.event:
            self._queue.happened(StorageChange(change.event, change))

    def _classify_anew(self) -> None:
        """Find the classes of pods whose claims have changed; rejected ones are tried again."""
        for uid in self._storage.take_stale():
            pod = self._queue.get(uid)
            present = None if pod is None else self._store.get(*pod.key)
            if present is not None and present["metadata"]["uid"] == uid:
                now = self.context.clock.monotonic()
                gated = bool(present["spec"].get("schedulingGates"))
                self._queue.update(uid, self._classes.of(present), now, gated=gated)

    def _put_pod(self, key: Key, pod: Object, previous: Object | None) -> None:
        """Take over a new or changed pod. Runs for every change of every pod: quick exits first."""
        uid = pod["metadata"]["uid"]
        spec = pod["spec"]
        finished = (pod.get("status") or {}).get("phase") in _FINISHED
        node = spec.get("nodeName")
        if node:
            if finished:
                self._forget(uid)
            elif self._cluster.holds(uid) != node or (
                previous is not None
                and previous["spec"] is not spec
                and previous["spec"].get("nodeName")
            ):
                self._queue.remove(uid)
                self._place(
                    PodState(uid, key, self._classes.of(pod), priority=spec.get("priority") or 0),
                    node,
                )
        elif finished or is_deleting(pod):
            self._queue.remove(uid)
            self._give_up(uid)
        elif (
            spec.get("schedulerName", DEFAULT_SCHEDULER_NAME) in self._profiles
            and uid not in self._assumed
        ):
            now = self.context.clock.monotonic()
            gated = bool(spec.get("schedulingGates"))
            asked = self._takes_question(uid, pod)
            if uid in self._queue:
                if previous is None or not _looks_alike(previous, pod):
                    self._queue.update(uid, self._classes.of(pod), now, gated=gated)
                if asked:
                    self._activate((uid,), 0.0)
                return
            waiting = WaitingPod(
                uid,
                key,
                self._classes.of(pod),
                spec.get("priority") or 0,
                preempts=spec.get("preemptionPolicy") != "Never",
            )
            self._queue.add(waiting, now, gated=gated)

    def _place(self, pod: PodState, node: str) -> None:
        self._cluster.place(pod, node)
        state = self._cluster.by_name.get(node)
        self._queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, state))

    def _forget(self, uid: str) -> None:
        """Take note that a pod is gone, or has finished."""
        self._queue.remove(uid)
        self._give_up(uid)
        self._free(uid)
        self._storage.forget(uid)

    def _give_up(self, uid: str) -> None:
        """Take back the place of a pod that waits there for permits or its volumes."""
        self._asking.discard(uid)
        if self._extensions.forget(uid) is not None:
            self._placements.pop(uid, None)
        elif self._storage.give_up(uid) is not None:
            self._lose(uid)
        else:
            return
        self._assumed.pop(uid, None)
        self._free(uid)

    def _free(self, uid: str) -> None:
        pod = self._cluster.pods.get(uid)
        node = self._cluster.displace(uid)
        if pod is not None:
            self._queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))

    # ---- deciding

    def _schedule(self) -> None:
        """Place what is ready, one batch, unless enough is on its way to the store."""
        if self._writes >= _WRITES:
            return
        now = self.context.clock.monotonic()
        pods = self._queue.take(self._batch, now)
        if not pods and not self._ready and not self._extensions.has_decided():
            return
        work = _Pass(now, format_time(self.context.clock.now()))
        for pod in self._ready:
            work.bind(pod)
        self._ready.clear()
        before = self._rejected
        for pod in pods:
            self._try(work, pod)
        for outcome in self._extensions.take():
            self._carry_out(work, outcome)
        seconds = self.context.clock.monotonic() - now
        self._metrics.decided(len(pods), seconds)
        self._metrics.attempted("unschedulable", self._rejected - before, seconds)
        operations = (*work.operations, *work.writes, *work.conditions)
        if operations:
            self._writes += 1
            self._propose(
                _Proposal(
                    bindings=tuple(work.bindings),
                    held=tuple(work.held),
                    operations=operations,
                    time=self._store.clock.now(),
                    began=now,
                )
            )
        if self._queue.has_ready() and not self._continuing:
            self._continuing = True
            self.context.ref.tell(_Continue())

    def _try(self, work: _Pass, pod: WaitingPod) -> None:
        """Find a place for a pod, or say why there is none."""
        lane = self._lanes[pod.pod_class.shape.scheduler_name]
        if lane.plugins or pod.uid in self._asking:
            self._try_alone(work, pod, lane)
            return
        alike = (pod.pod_class, pod.preempts)
        known = work.rejected.get(alike)
        if known is None:
            node = lane.find(pod, None)
            if node is not None:
                self._keep_place(work, pod, node)
                return
            known = work.rejected[alike] = lane.diagnose(pod, None)
        self._reject(work, pod, known.message, known.plugins)

    def _try_alone(self, work: _Pass, pod: WaitingPod, lane: Lane) -> None:
        """Do the same for a pod about which plugins from elsewhere are asked, or that asks why."""
        present = self._store.get(*pod.key)
        if present is None or present["metadata"]["uid"] != pod.uid:
            self._queue.retry(pod, work.now)  # its deletion is yet to be heard of
            return
        try:
            if pod.uid in self._asking:
                answer = answer_of(lane.explain(pod, present))
                work.conditions.append(_modify(pod, partial(annotate, answer), ""))
            node = lane.find(pod, present)
            if node is None:
                known = lane.diagnose(pod, present)
                lane.plugins.post_filter(PodView(pod.pod_class, present), known.message)
                self._reject(work, pod, known.message, known.plugins)
                return
        except PluginFailed as error:
            self._fail(work, pod, str(error))
            return
        if not lane.plugins:
            self._keep_place(work, pod, node)
            return
        self._assume(pod, node.name)
        placement = Placement(
            pod, node.name, lane.profile.scheduler_name, PodView(pod.pod_class, present)
        )
        self._placements[pod.uid] = placement
        self._carry_out(work, self._extensions.admit(placement))

    def _carry_out(self, work: _Pass, outcome: Outcome) -> None:
        """Do what plugins have decided about a placement."""
        pod = outcome.placement.pod
        assert isinstance(pod, WaitingPod)
        match outcome:
            case Hold():
                pass
            case Bind():
                node = self._cluster.by_name.get(pod.node)
                if node is None:
                    work.bind(pod)  # the store knows that it is gone
                else:
                    self._keep_place(work, pod, node)
            case Refuse(message=message, plugin=plugin):
                self._placements.pop(pod.uid, None)
                self._assumed.pop(pod.uid, None)
                self._free(pod.uid)
                if self._queue.get(pod.uid) is not pod:  # listed anew meanwhile
                    present = self._store.get(*pod.key)
                    if present is not None and present["metadata"]["uid"] == pod.uid:
                        self._put_pod(pod.key, present, None)
                elif plugin:
                    self._reject(work, pod, message, frozenset({plugin}))
                else:
                    self._fail(work, pod, message)

    def _keep_place(self, work: _Pass, pod: WaitingPod, node: NodeState) -> None:
        """Keep a place and the volumes there for a pod; bind it unless it waits for those."""
        changes = self._storage.hold(pod, node, work.now)
        if isinstance(changes, str):  # two nodes of one hostname, for example
            self._cluster.touch([node.name])
            self._lose(pod.uid)
            if self._assumed.pop(pod.uid, None) is not None:
                self._free(pod.uid)
            self._queue.retry(pod, work.now)
            return
        if pod.uid not in self._assumed:
            self._assume(pod, node.name)
        if changes:
            work.held.append((pod.uid, len(changes)))
            work.writes += changes
        else:
            work.bind(pod)

    def _assume(self, pod: WaitingPod, node: str) -> None:
        self._cluster.place(pod, node)
        self._assumed[pod.uid] = pod

    def _lose(self, uid: str) -> None:
        """Tell plugins that a placement comes to nothing, if they had a say in it."""
        placement = self._placements.pop(uid, None)
        if placement is not None:
            self._extensions.lost(placement)

    def _reject(self, work: _Pass, pod: WaitingPod, message: str, plugins: frozenset[str]) -> None:
        """Let a pod wait for something that helps it."""
        if message != pod.message:
            change = partial(mark_unschedulable, work.written_at, message)
            work.conditions.append(_modify(pod, change, "status"))
            self._report(pod, message)
        self._queue.reject(pod, message, plugins, work.now)
        self._rejected += 1

    def _fail(self, work: _Pass, pod: WaitingPod, message: str) -> None:
        """Let a pod try again after a while: it was not rejected, something went wrong."""
        change = partial(mark_unschedulable, work.written_at, message, reason="SchedulerError")
        work.conditions.append(_modify(pod, change, "status"))
        self._report(pod, message)
        self._queue.retry(pod, work.now)

    def _activate(self, uids: Sequence[str], after: float) -> None:
        """Let waiting pods be tried, in some seconds."""
        if after > 0:
            self.context.after(after, _Activate(uids=tuple(uids)))
            return
        pods = (self._queue.get(uid) for uid in uids)
        self._queue.activate([pod for pod in pods if pod is not None])
        if self._queue.has_ready() and not self._continuing:
            self._continuing = True
            self.context.ref.tell(_Continue())

    def _takes_question(self, uid: str, pod: Object) -> bool:
        """Take note whether a pod asks for explanations; tell whether that is new."""
        if asks(pod):
            new = uid not in self._asking
            self._asking.add(uid)
            return new
        self._asking.discard(uid)
        return False

    def _report(self, pod: WaitingPod, message: str) -> None:
        obj = self._store.get(*pod.key)
        if obj is not None:
            self._recorder.event(obj, "Warning", "FailedScheduling", message)

    # ---- waiting for volumes

    def _end_waits(self) -> None:
        """Bind the pods that have their volumes; try those again that will not get them."""
        for ended in self._storage.take_ended(self.context.clock.monotonic(), self._labels_of):
            self._end_wait(ended)

    def _labels_of(self, node: str) -> Mapping[str, str] | None:
        state = self._cluster.by_name.get(node)
        return None if state is None else state.labels

    def _end_wait(self, ended: Ended) -> None:
        pod, node, failure = ended
        if failure is None:
            self._ready.append(pod)
            return
        now = format_time(self.context.clock.now())
        change = partial(mark_unschedulable, now, failure, reason="SchedulerError")
        self._report(pod, failure)
        self._writes += 1
        self._propose(
            _Proposal(
                bindings=(),
                operations=(_modify(pod, change, "status"),),
                time=self._store.clock.now(),
                began=self.context.clock.monotonic(),
            )
        )
        self._assumed.pop(pod.uid, None)
        self._undo(pod, node)

    # ---- writing

    def _propose(self, proposal: _Proposal) -> None:
        self.context.run(
            self._store.write(proposal.operations),
            done=lambda results: _Written(proposal=proposal, results=results),
            failed=lambda error: _Unanswered(proposal=proposal, error=error),
        )

    def _settle(self, proposal: _Proposal, results: list[Object | StatusError]) -> None:
        """Keep the placements that were written; undo the others."""
        start = len(proposal.bindings)
        for uid, count in proposal.held:
            ended = self._storage.written(uid, results[start : start + count])
            start += count
            if ended is not None:
                self._end_wait(ended)
        bound: list[WaitingPod] = []
        written: list[Object] = []
        for (pod, node), result in zip(proposal.bindings, results, strict=False):
            self._assumed.pop(pod.uid, None)
            if not isinstance(result, StatusError) and result["spec"].get("nodeName") == node:
                bound.append(pod)
                self._asking.discard(pod.uid)
                if (placement := self._placements.pop(pod.uid, None)) is not None:
                    self._extensions.bound(placement)
                written.append(result)
            else:
                self._refused += 1
                self._undo(pod, node)
        now = self.context.clock.monotonic()
        seconds = now - proposal.began
        self._metrics.attempted("error", len(proposal.bindings) - len(bound), seconds)
        if not bound:
            return
        self._metrics.bound(bound, now, seconds)
        self._bound += len(bound)
        self._queue.bound(bound)
        self._recorder.event_for_all(
            written, "Normal", "Scheduled", describe_binding, time=proposal.time
        )
        for pod in bound:
            state = self._cluster.by_name.get(pod.node)
            self._queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, state))

    def _undo(self, pod: WaitingPod, node: str) -> None:
        """Take back a placement that became no binding; the pod is tried again if it is there."""
        self._lose(pod.uid)
        present = self._store.get(*pod.key)
        gone = present is None or present["metadata"]["uid"] != pod.uid
        if not gone and present is not None and present["spec"].get("nodeName"):
            self._queue.remove(pod.uid)  # somebody else bound it, and the follower places it
            if present["spec"]["nodeName"] == node:
                return
        if self._cluster.holds(pod.uid) == node:
            self._free(pod.uid)
        if (
            gone
            or present is None
            or is_deleting(present)
            or present["spec"].get("schedulingGates")
        ):
            self._queue.remove(pod.uid)
        elif self._queue.get(pod.uid) is pod:
            self._queue.retry(pod, self.context.clock.monotonic())
        else:  # listed anew meanwhile
            self._put_pod(pod.key, present, None)

    def _set_timer(self) -> None:
        times = (
            self._queue.next_time(),
            self._storage.next_deadline(),
            self._extensions.next_time(),
        )
        due = min((time for time in times if time is not None), default=None)
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        delay = max(0.0, due - self.context.clock.monotonic())
        self._timer = self.context.after(delay, _TimePassed())


def _looks_alike(previous: Object, pod: Object) -> bool:
    """Tell at a glance that a change is of nothing that makes a pod's class."""
    return previous["spec"] is pod["spec"] and (
        previous["metadata"].get("labels") == pod["metadata"].get("labels")
    )


def _modify(pod: WaitingPod, change: partial[Object | None], subresource: str) -> Modify:
    key = pod.key
    return Modify(key.resource, key.namespace, key.name, change, subresource, pod.uid)
