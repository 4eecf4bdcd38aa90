"""One pass over the pods whose turn it is: each gets a node, a node to wait for, or a refusal.

Decisions count in the picture at once, so that the next pod is decided on top of them; what has to
be written is collected for one write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias

from orchestrator.resources.objects import Object
from orchestrator.scheduler import explanations, preempting
from orchestrator.scheduler.core.deciding import Refusal
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.cycle import (
    Bind,
    ExtensionCycle,
    Hold,
    Placement,
    Refuse,
)
from orchestrator.scheduler.extending.views import PodView
from orchestrator.scheduler.lanes import Lane
from orchestrator.scheduler.picture import Picture
from orchestrator.scheduler.proposals import Drafted
from orchestrator.scheduler.storage import Storage

UNSCHEDULABLE, ERROR = "Unschedulable", "SchedulerError"

Report: TypeAlias = Callable[[WaitingPod, str], None]
"""Tells of a pod why it has no node."""

Result: TypeAlias = Literal["unschedulable", "error"]


class Pass:
    """A pass.

    Attributes:
        draft: What is to be written.
        results: How many attempts ended without a binding to write, by scheduler name.
        victims: How many pods have to make room, for each that preempts.
    """

    def __init__(
        self,
        picture: Picture,
        storage: Storage,
        cycle: ExtensionCycle,
        get: Callable[[str, str, str], Object | None],
        report: Report,
        written_at: str,
        now: float,
    ) -> None:
        """Begin.

        Args:
            picture: Of the cluster.
            storage: Holds pods until they have their volumes.
            cycle: Asks plugins from elsewhere.
            get: Finds an object.
            report: Hears of each new refusal.
            written_at: Formatted time for conditions.
            now: By the monotonic clock.
        """
        self.draft = Drafted(written_at)
        self.results: dict[tuple[Result, str], int] = {}
        self.victims: list[int] = []
        self._picture = picture
        self._storage = storage
        self._cycle = cycle
        self._get = get
        self._report = report
        self._now = now
        for lane in picture.lanes.values():
            lane.decider.begin()

    def try_all(self, pods: Sequence[WaitingPod]) -> None:
        """Decide for pods, in their order."""
        picture = self._picture
        lanes, asking = picture.lanes, picture.asking
        for pod in pods:
            lane = lanes[pod.pod_class.shape.scheduler_name]
            if not lane.is_plain or pod.uid in asking:
                self._try_asking(pod, lane)
                continue
            node = lane.decider.choose(pod)
            if node is not None:
                self._place(pod, node, lane)
            else:
                self._refuse(pod, lane.decider.refuse(pod))

    def _try_asking(self, pod: WaitingPod, lane: Lane) -> None:
        """Decide for a pod about which plugins from elsewhere are asked, or that asks why."""
        if pod.uid in self._picture.asking:
            self._explain(pod, lane)
        get = partial(self._get, *pod.key)
        if not lane.is_plain and not self._is_there(pod):
            self._picture.queue.retry(pod, self._now)  # its deletion is yet to be heard of
            return
        try:
            node = lane.choose(pod, get)
            refusal = lane.refuse(pod, get) if node is None else None
        except PluginFailed as error:
            self.fail(pod, str(error))
            return
        if node is not None:
            self._place(pod, node, lane)
        elif refusal is not None:
            self._refuse(pod, refusal)

    def _is_there(self, pod: WaitingPod) -> bool:
        present = self._get(*pod.key)
        return present is not None and bool(present["metadata"]["uid"] == pod.uid)

    def bind(self, pod: WaitingPod, placement: Placement | None = None) -> None:
        """Bind a pod that has waited on its place for volumes or permits."""
        self.draft.bind(pod, pod.node, placement)

    def end(self, outcome: Bind | Refuse) -> None:
        """Bind, or take away, a place that waited for permits."""
        pod = outcome.placement.pod
        assert isinstance(pod, WaitingPod)
        if isinstance(outcome, Bind):
            self._hold_or_bind(pod, outcome.placement)
            return
        self._picture.assumed.pop(pod.uid, None)
        self._storage.give_up(pod.uid)
        self._picture.free(pod.uid)
        if self._picture.resume(pod):
            self._turn_down(pod, outcome, nomination="")

    # ---- a node

    def _place(self, pod: WaitingPod, node: NodeState, lane: Lane) -> None:
        picture = self._picture
        picture.cluster.place(pod, node.name)
        if picture.cluster.nominations:
            picture.cluster.nominations.remove(pod.uid)
        picture.assumed[pod.uid] = pod
        if lane.is_plain:
            if pod.pod_class.volumes is None:
                self.draft.bind(pod, node.name)
            else:
                self._hold_or_bind(pod, None)
            return
        if self._storage.reserve(pod, node) is not None:
            self._look_again(pod, None)
            return
        view = PodView(pod.pod_class, self._get(*pod.key))
        placement = Placement(pod, node.name, lane.profile.scheduler_name, view)
        outcome = self._cycle.admit(placement)
        if isinstance(outcome, Bind):
            self._hold_or_bind(pod, placement)
        elif isinstance(outcome, Hold):
            self.draft.expect(pod)
        else:
            picture.assumed.pop(pod.uid, None)
            self._storage.give_up(pod.uid)
            picture.free(pod.uid)
            self._turn_down(pod, outcome)

    def _hold_or_bind(self, pod: WaitingPod, placement: Placement | None) -> None:
        """Bind a pod, or have its volumes bound first."""
        picture = self._picture
        if pod.pod_class.volumes is not None:
            node = picture.cluster.by_name.get(pod.node)
            changes = [] if node is None else self._storage.hold(pod, node, self._now)
            if isinstance(changes, str):
                self._look_again(pod, placement)
                return
            if changes:
                self.draft.hold(pod, changes)
                if placement is not None:
                    picture.placements[pod.uid] = placement
                return
        self.bind(pod, placement)

    def _look_again(self, pod: WaitingPod, placement: Placement | None) -> None:
        """Let a pod try again whose volumes the node does not have after all.

        That takes, for example, two nodes of one hostname.
        """
        picture = self._picture
        picture.cluster.touch([pod.node])
        picture.assumed.pop(pod.uid, None)
        picture.free(pod.uid)
        if placement is not None:
            self._cycle.lost(placement)
        picture.queue.retry(pod, self._now)

    def _turn_down(self, pod: WaitingPod, outcome: Refuse, nomination: str | None = None) -> None:
        if not outcome.plugin:
            self.fail(pod, outcome.message, nomination)
            return
        self._mark(pod, outcome.message, nomination)
        self._count("unschedulable", pod)
        self._picture.queue.reject(pod, outcome.message, frozenset({outcome.plugin}), self._now)

    # ---- no node

    def _refuse(self, pod: WaitingPod, refusal: Refusal) -> None:
        preemption = refusal.preemption
        if preemption is not None:
            plan = preempting.plan_evictions(
                preemption, pod, pod.pod_class.shape.scheduler_name, self._cycle
            )
            for eviction in plan.evictions:
                eviction.victim.preempted = True
            self.draft.evict(plan.evictions)
            for victim in plan.rejected:
                self._cycle.reject(victim.uid, "DefaultPreemption", "preempted")
            self.victims.append(len(preemption.victims))
        for other in refusal.displaced:
            self.draft.end_nomination(other)
        self._picture.release(refusal.displaced)
        self._mark(pod, refusal.message, refusal.nomination)
        self._count("unschedulable", pod)
        nominated = bool(self._picture.cluster.nominations.node_of(pod.uid))
        self._picture.queue.reject(
            pod, refusal.message, refusal.diagnosis.plugins, self._now, nominated=nominated
        )

    def fail(self, pod: WaitingPod, message: str, nomination: str | None = None) -> None:
        """Try a pod again after a while: nobody refused it, but something went wrong.

        Args:
            pod: The pod.
            message: What went wrong.
            nomination: Empty for a pod that was told of a node and will not get it.
        """
        self._mark(pod, message, nomination, reason=ERROR)
        self._count("error", pod)
        self._picture.queue.retry(pod, self._now)

    def _mark(
        self,
        pod: WaitingPod,
        message: str,
        nomination: str | None = None,
        reason: str = UNSCHEDULABLE,
    ) -> None:
        new = message != pod.message or reason == ERROR
        if new or nomination is not None:
            self.draft.mark(pod, message if new else "", nomination, reason)
        if new:
            self._report(pod, message)

    def _explain(self, pod: WaitingPod, lane: Lane) -> None:
        try:
            found = lane.explain(pod, self._get(*pod.key))
        except PluginFailed:
            return  # the attempt itself will tell
        self.draft.explain(pod, explanations.answer_of(found))

    def _count(self, result: Result, pod: WaitingPod) -> None:
        key = (result, pod.pod_class.shape.scheduler_name)
        self.results[key] = self.results.get(key, 0) + 1
