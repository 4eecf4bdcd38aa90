"""Pods that wait for a node: ready ones in order, rejected ones until something could help.

Pure state: the caller says what time it is. Source of the rules: ``pkg/scheduler/backend/queue``.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.events import ClusterEvent

INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0
FLUSH_AFTER = 300.0
"""Seconds after which a rejected pod is tried again though nothing happened that could help."""


class WaitingPod:
    """A pod without a node.

    Attributes:
        uid: Its identity; a new pod under the same name is another one.
        priority: Higher goes first.
        order: Breaks ties: lower goes first.
        attempts: How often it was rejected.
        message: What the last rejection said.
        events: What could make it schedulable.
        place: ``active``, ``backoff``, ``rejected``, ``taken`` or ``gone``.
    """

    __slots__ = (
        "attempts", "events", "key", "message", "order", "place", "pod_class", "preempts",
        "priority", "rejected_at", "uid",
    )  # fmt: skip

    def __init__(
        self, uid: str, key: Key, pod_class: PodClass, priority: int, *, preempts: bool = True
    ) -> None:
        self.uid = uid
        self.key = key
        self.pod_class = pod_class
        self.priority = priority
        self.preempts = preempts
        self.order = 0
        self.attempts = 0
        self.message = ""
        self.events = ClusterEvent(0)
        self.rejected_at = 0.0
        self.place = ""


class SchedulingQueue:
    """All waiting pods by uid, in one of three places."""

    def __init__(self) -> None:
        self._pods: dict[str, WaitingPod] = {}
        self._active: list[tuple[int, int, WaitingPod]] = []
        self._backoff: list[tuple[float, int, WaitingPod]] = []
        self._rejected: dict[PodClass, dict[str, WaitingPod]] = {}
        self._helpful: dict[PodClass, ClusterEvent] = {}  # what could help some rejected pod of it
        self._order = 0
        self._next_flush = FLUSH_AFTER

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def get(self, uid: str) -> WaitingPod | None:
        """Return the pod with this uid, if it waits."""
        return self._pods.get(uid)

    def add(self, pod: WaitingPod) -> None:
        """Let a pod wait, ready to be scheduled; replaces what is known under its uid."""
        self.remove(pod.uid)
        self._order += 1
        pod.order = self._order
        self._pods[pod.uid] = pod
        self._activate(pod)

    def remove(self, uid: str) -> None:
        """Forget a pod: it has a node now, or is gone."""
        pod = self._pods.pop(uid, None)
        if pod is not None:
            if pod.place == "rejected":
                self._unreject(pod)
            pod.place = "gone"  # heaps drop it when it comes up

    def take(self, limit: int) -> list[WaitingPod]:
        """Take up to ``limit`` ready pods, the highest priority first, then in order of arrival.

        Each must be handed back by `reject` or `retry`, or be dropped by `remove`.
        """
        taken: list[WaitingPod] = []
        while self._active and len(taken) < limit:
            pod = heappop(self._active)[2]
            if pod.place == "active":
                pod.place = "taken"
                taken.append(pod)
        return taken

    def has_ready(self) -> bool:
        """Tell whether `take` would return something."""
        while self._active and self._active[0][2].place != "active":
            heappop(self._active)
        return bool(self._active)

    def reject(self, pod: WaitingPod, message: str, events: ClusterEvent, now: float) -> None:
        """Let a pod that fits nowhere wait until one of ``events`` happens."""
        if pod.place != "taken":
            return
        pod.attempts += 1
        pod.message = message
        pod.events = events
        pod.rejected_at = now
        pod.place = "rejected"
        self._rejected.setdefault(pod.pod_class, {})[pod.uid] = pod
        known = self._helpful.get(pod.pod_class)
        self._helpful[pod.pod_class] = events if known is None else known | events

    def retry(self, pod: WaitingPod, now: float) -> None:
        """Try a pod again after a backoff: its binding was refused."""
        if pod.place != "taken":
            return
        pod.attempts += 1
        pod.rejected_at = now
        self._back_off(pod, now)

    def classes_waiting_for(self, event: ClusterEvent) -> list[PodClass]:
        """Return the rejected classes that declared that one of these events could help."""
        return [pod_class for pod_class, helpful in self._helpful.items() if helpful & event]

    def wake(self, classes: Iterable[PodClass], now: float) -> None:
        """Make the rejected pods of these classes ready, or let them finish their backoff."""
        for pod_class in classes:
            self._helpful.pop(pod_class, None)
            for pod in self._rejected.pop(pod_class, {}).values():
                self._back_off(pod, now)

    def advance(self, now: float) -> None:
        """Make ready what has backed off long enough, and what was rejected long ago."""
        while self._backoff and self._backoff[0][0] <= now:
            pod = heappop(self._backoff)[2]
            if pod.place == "backoff":
                self._activate(pod)
        if now >= self._next_flush:
            self._next_flush = now + FLUSH_AFTER / 10
            stale = [
                pod
                for pods in self._rejected.values()
                for pod in pods.values()
                if now - pod.rejected_at >= FLUSH_AFTER
            ]
            for pod in stale:
                self._unreject(pod)
                self._activate(pod)

    def next_time(self) -> float | None:
        """Return when `advance` will have something to do; None when nothing waits for time."""
        while self._backoff and self._backoff[0][2].place != "backoff":
            heappop(self._backoff)
        times = [self._backoff[0][0]] if self._backoff else []
        if self._rejected:
            oldest = min(next(iter(pods.values())).rejected_at for pods in self._rejected.values())
            times.append(max(oldest + FLUSH_AFTER, self._next_flush))
        return min(times, default=None)

    def _activate(self, pod: WaitingPod) -> None:
        pod.place = "active"
        heappush(self._active, (-pod.priority, pod.order, pod))

    def _back_off(self, pod: WaitingPod, now: float) -> None:
        ready = pod.rejected_at + min(MAX_BACKOFF, INITIAL_BACKOFF * 2 ** (pod.attempts - 1))
        if ready <= now:
            self._activate(pod)
            return
        pod.place = "backoff"
        heappush(self._backoff, (ready, pod.order, pod))

    def _unreject(self, pod: WaitingPod) -> None:
        pods = self._rejected.get(pod.pod_class, {})
        pods.pop(pod.uid, None)
        if not pods:
            self._rejected.pop(pod.pod_class, None)
            self._helpful.pop(pod.pod_class, None)
