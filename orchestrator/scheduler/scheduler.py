"""The scheduler actor: a thin shell around `orchestrator.scheduler.core`.

It follows the cluster (`orchestrator.scheduler.picture`), decides for the pods whose turn it is
(`orchestrator.scheduler.passes`), and writes what was decided in batches. A placement counts at
once, so that the next batch can be decided while the write is on its way; a binding that the store
refuses is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, assert_never

from actors import Actor, Timer
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.timestamps import format_time
from orchestrator.scheduler import preempting
from orchestrator.scheduler.binding import describe_binding
from orchestrator.scheduler.configuration import DEFAULT_CONFIGURATION, SchedulerConfiguration
from orchestrator.scheduler.core.changes import PodChange
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.volumes import VolumeBook
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.cycle import ExtensionCycle
from orchestrator.scheduler.extending.registry import NO_PLUGINS, Plugins
from orchestrator.scheduler.metrics import SchedulerMetrics
from orchestrator.scheduler.passes import Pass
from orchestrator.scheduler.picture import FOLLOWED, Picture
from orchestrator.scheduler.proposals import (
    Proposal,
    is_bound,
    sort_results,
)
from orchestrator.scheduler.storage import Ended, Storage
from orchestrator.store import Expired, Follower, Modify, Store
from orchestrator.store.recording import component_of

_BATCH = 500
_TAKE = 5000  # so that a turn stays short; what is left over is notified again at once
_WRITES = 2
_RESEND_AFTER = 1.0
_START_ATTEMPTS = 60


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
class _Written:
    """The store has answered a proposal."""

    proposal: Proposal
    results: list[Object | StatusError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unanswered:
    """The store gave no answer: whether the proposal was written is not known."""

    proposal: Proposal
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resend:
    """Ask the store again."""

    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Activate:
    """It is time for pods that a plugin wanted to have tried later."""

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


class Scheduler(Actor[Command]):
    """Finds a node for every pod of the profiles' scheduler names.

    The mailbox holds few messages at any time: one for all changes, and one for each write on its
    way. A restarted scheduler lists everything anew; what it had assumed and not written is void.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        *,
        configuration: SchedulerConfiguration = DEFAULT_CONFIGURATION,
        plugins: Plugins = NO_PLUGINS,
        metrics: SchedulerMetrics | None = None,
        batch: int = _BATCH,
    ) -> None:
        """Prepare.

        Args:
            store: Whose pods to schedule.
            recorder: Gets ``Scheduled``, ``FailedScheduling`` and ``Preempted``.
            configuration: Its profiles, by the scheduler names of the pods it cares for.
            plugins: That profiles may enable beside the built-in ones.
            metrics: Counts what is done; outlives the scheduler.
            batch: Most pods placed in one pass, and so in one write.

        Raises:
            ValueError: A plugin does not take its arguments.
        """
        self._store = store
        self._recorder = recorder
        self._batch = batch
        self._configuration = configuration
        self._metrics = metrics or SchedulerMetrics()
        self._cycle = ExtensionCycle(
            configuration,
            plugins,
            reader=store,
            monotonic=self._monotonic,
            random=lambda: self.context.random,
            activate=self._activate,
            report=self._note_failure,
        )
        self._follower: Follower | None = None
        self._picture: Picture | None = None
        self._ready: list[Ended] = []  # placed, and have their volumes by now
        self._failed: list[Ended] = []
        self._writes = 0
        self._continuing = False
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._bound = self._refused = self._rejected = 0

    def _monotonic(self) -> float:
        return self.context.clock.monotonic()

    def statistics(self) -> SchedulerStatistics:
        """Return counts for metrics and tests."""
        waiting = 0 if self._picture is None else len(self._picture.queue)
        return SchedulerStatistics(waiting, self._bound, self._refused, self._rejected)

    async def started(self) -> None:
        """List everything that matters, and follow it from there.

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
        self._storage = Storage(VolumeBook(), self._store.get, self._configuration.by_name)
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
                self._known.queue.advance(self.context.clock.monotonic())
            case _Activate(uids=uids):
                self._activate(uids, 0.0)
            case _Written(proposal=proposal, results=results):
                self._writes -= 1
                self._settle(proposal, results)
            case _Unanswered(proposal=proposal, error=error):
                self.context.log.warning("no answer from the store, asking again", error=str(error))
                self.context.after(_RESEND_AFTER, _Resend(proposal=proposal))
            case _Resend(proposal=proposal):
                self._propose(proposal)
            case _:
                assert_never(message)
        self._schedule()
        self._set_timer()

    @property
    def _known(self) -> Picture:
        assert self._picture is not None, "the scheduler has started"
        return self._picture

    # ---- following

    def _notify(self) -> None:
        self.context.ref.tell(Changed())

    def _list(self) -> None:
        """Build the picture from scratch; what is assumed stays assumed."""
        if self._follower is not None:
            self._follower.close()
        store = self._store
        self._follower = store.follow(FOLLOWED, self._notify, after=store.sequence)
        earlier = self._picture
        self._picture = picture = Picture(
            store,
            self._storage,
            self._cycle,
            self._configuration,
            self.context.random.random,
            self.context.clock.monotonic,
        )
        self._metrics.follow(picture.queue)
        picture.load(earlier)
        self.context.ref.tell(_Continue())

    def _apply_changes(self) -> None:
        assert self._follower is not None
        try:
            events = self._follower.take(_TAKE)
        except Expired:
            self._list()
            return
        self._known.apply(events)

    # ---- deciding

    def _schedule(self) -> None:
        """Decide for what is ready, one batch, unless enough is on its way to the store."""
        now = self.context.clock.monotonic()
        for ended in self._storage.take_ended(now, self._labels_of):
            (self._ready if ended.failure is None else self._failed).append(ended)
        self._known.note_released()
        if self._writes >= _WRITES:
            return
        picture = self._known
        pods = picture.queue.take(self._batch, now)
        permitted = self._cycle.take()
        if not (pods or permitted or self._ready or self._failed):
            return
        attempt = Pass(
            picture,
            self._storage,
            self._cycle,
            self._store.get,
            self._report,
            format_time(self.context.clock.now()),
            now,
        )
        self._end_waits(attempt)
        for outcome in permitted:
            attempt.end(outcome)
        attempt.try_all(pods)
        for outcome in self._cycle.take():  # a pod of this pass may have given others their permits
            attempt.end(outcome)
        picture.tell_of_room()
        seconds = self.context.clock.monotonic() - now
        self._metrics.decided(len(pods), seconds)
        for (result, profile), count in attempt.results.items():
            self._rejected += count
            self._metrics.attempted(result, count, seconds, profile)
        for victims in attempt.victims:
            self._metrics.preempted(victims)
        proposal = attempt.draft.propose(self._store.clock.now(), now)
        if proposal is not None:
            self._writes += 1
            self._propose(proposal)
        if picture.queue.has_ready() and not self._continuing:
            self._continuing = True
            self.context.ref.tell(_Continue())

    def _end_waits(self, attempt: Pass) -> None:
        """Bind the pods that have their volumes; try those again that will not get them."""
        ready, self._ready = self._ready, []
        for ended in ready:
            if ended.pod.uid in self._known.assumed:
                attempt.bind(ended.pod, self._known.placements.pop(ended.pod.uid, None))
        failed, self._failed = self._failed, []
        for pod, node, failure in failed:
            self._known.assumed.pop(pod.uid, None)
            placement = self._known.placements.pop(pod.uid, None)
            if placement is not None:
                self._cycle.lost(placement)
            if self._undo(pod, node):
                attempt.fail(pod, failure or "", nomination="")

    def _labels_of(self, node: str) -> Mapping[str, str] | None:
        state = self._known.cluster.by_name.get(node)
        return None if state is None else state.labels

    def _report(self, pod: WaitingPod, message: str) -> None:
        obj = self._store.get(*pod.key)
        if obj is not None:
            self._recorder.event(obj, "Warning", "FailedScheduling", message)

    def _activate(self, uids: Sequence[str], after: float) -> None:
        """Let pods be tried again that a plugin knows to have a chance, now or in some seconds."""
        if after > 0:
            self.context.after(after, _Activate(uids=tuple(uids)))
            return
        queue = self._known.queue
        queue.activate([pod for uid in uids if (pod := queue.get(uid)) is not None])

    def _note_failure(self, error: PluginFailed) -> None:
        self.context.log.warning("a scheduler plugin failed", error=str(error))

    # ---- writing

    def _propose(self, proposal: Proposal) -> None:
        self.context.run(
            self._store.write(proposal.operations, by=component_of(self._recorder)),
            done=lambda results: _Written(proposal=proposal, results=results),
            failed=lambda error: _Unanswered(proposal=proposal, error=error),
        )

    def _settle(self, proposal: Proposal, results: list[Object | StatusError]) -> None:
        """Keep the placements that were written; undo the others."""
        picture, now = self._known, self.context.clock.monotonic()
        sorted_results = sort_results(proposal, results)
        for uid, answers in sorted_results.held:
            ended = self._storage.written(uid, answers)
            if ended is not None:
                (self._ready if ended.failure is None else self._failed).append(ended)
        bound: list[WaitingPod] = []
        written: list[Object] = []
        for binding, result in zip(proposal.bindings, sorted_results.bindings, strict=True):
            picture.assumed.pop(binding.pod.uid, None)
            if not isinstance(result, StatusError) and is_bound(result, binding.node):
                bound.append(binding.pod)
                picture.asking.discard(binding.pod.uid)
                written.append(result)
                if binding.placement is not None:
                    self._cycle.bound(binding.placement)
            else:
                self._refused += 1
                if binding.placement is not None:
                    self._cycle.lost(binding.placement)
                if self._undo(binding.pod, binding.node):
                    picture.queue.retry(binding.pod, now)
        self._settle_evictions(proposal, sorted_results.evictions)
        seconds = now - proposal.began
        self._metrics.attempted("error", len(proposal.bindings) - len(bound), seconds)
        if not bound:
            return
        self._metrics.bound(bound, now, seconds)
        self._bound += len(bound)
        picture.queue.bound(bound)
        self._recorder.event_for_all(
            written, "Normal", "Scheduled", describe_binding, time=proposal.time
        )
        for pod in bound:
            state = picture.cluster.by_name.get(pod.node)
            picture.queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, state))

    def _settle_evictions(
        self, proposal: Proposal, results: Sequence[Object | StatusError]
    ) -> None:
        done, refused = preempting.settle(proposal.evictions, results)
        for eviction, victim in done:
            self._recorder.event(
                victim, "Normal", "Preempted", eviction.message, time=proposal.time
            )
        for eviction, error in refused:
            eviction.victim.preempted = False  # somebody may choose it again
            self._activate((eviction.preemptor,), 0.0)
            self.context.log.warning(
                "a pod could not be preempted", pod=str(eviction.victim.key), error=str(error)
            )

    def _undo(self, pod: WaitingPod, node: str) -> bool:
        """Take back a placement that became no binding; tell whether the pod is to be tried again.

        One that was listed anew meanwhile waits anew already.
        """
        picture = self._known
        present = self._store.get(*pod.key)
        gone = present is None or present["metadata"]["uid"] != pod.uid
        if not gone and present is not None and present["spec"].get("nodeName"):
            picture.queue.remove(pod.uid)  # somebody else bound it, and the follower places it
            if present["spec"]["nodeName"] == node:
                return False
        if picture.cluster.holds(pod.uid) == node:
            picture.free(pod.uid)
        if (
            gone
            or present is None
            or is_deleting(present)
            or present["spec"].get("schedulingGates")
        ):
            picture.queue.remove(pod.uid)
            return False
        if picture.queue.get(pod.uid) is pod:
            return True
        picture.put_pod(pod.key, present, None)
        return False

    def _set_timer(self) -> None:
        times = [self._known.queue.next_time(), self._storage.next_deadline()]
        if self._writes < _WRITES:  # else `_schedule` has it wait for an answer, whatever is due
            times.append(self._cycle.next_time())
        due = min((time for time in times if time is not None), default=None)
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        delay = max(0.0, due - self.context.clock.monotonic())
        self._timer = self.context.after(delay, _TimePassed())
