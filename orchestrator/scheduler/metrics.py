"""What the scheduler's metrics count, under upstream's names; whoever serves them asks here.

The scheduler works in batches, and so are its attempts counted: how long one took is how long its
batch took. The object outlives the scheduler that counts with it, and the queues, too.

How to use it::

    metrics.follow(queue)                            # at every new queue
    metrics.decided(len(pods), seconds)              # after a pass over ``pods``
    metrics.attempted("unschedulable", count, seconds, profile)
    metrics.bound(pods, now, seconds)                # before `SchedulingQueue.bound` forgets them
    metrics.preempted(victims)                       # once for every pod that preempts others

Source of names and buckets: ``pkg/scheduler/metrics`` of kube-scheduler 1.35.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias

from orchestrator.scheduler.configuration import DEFAULT_SCHEDULER_NAME
from orchestrator.scheduler.core.queue import QueueStatistics, SchedulingQueue
from orchestrator.scheduler.core.waiting import WaitingPod

Result: TypeAlias = Literal["scheduled", "unschedulable", "error"]

_MANY_ATTEMPTS = 15


def _doubling(first: float, count: int) -> tuple[float, ...]:
    return tuple(first * 2**power for power in range(count))


class Histogram:
    """Observations by size.

    Attributes:
        bounds: Upper bounds, ascending.
        buckets: How many were at most each of the bounds and over the one before; then those
            over the last.
        total: All of them added up.
    """

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, count: int = 1) -> None:
        """Count an observation, or several that are alike."""
        self.buckets[bisect_left(self.bounds, value)] += count
        self.total += value * count


class SchedulerMetrics:
    """Counts what a scheduler does.

    Attributes:
        attempts: Seconds that attempts took, by result and profile:
            ``scheduler_scheduling_attempt_duration_seconds``, and as their number
            ``scheduler_schedule_attempts_total``.
        decisions: Seconds that decisions took: ``scheduler_scheduling_algorithm_duration_seconds``.
        waits: Seconds from a pod's arrival to its binding, by the number of its attempts, ``15+``
            for more: ``scheduler_pod_scheduling_sli_duration_seconds``.
        tries: How many attempts it took: ``scheduler_pod_scheduling_attempts``.
        victims: How many pods had to go for each that preempted:
            ``scheduler_preemption_victims``.
        preemptions: How often a pod looked for others to preempt:
            ``scheduler_preemption_attempts_total``.
    """

    def __init__(self) -> None:
        self.attempts: dict[tuple[Result, str], Histogram] = {}
        self.decisions = Histogram(_doubling(0.001, 15))
        self.waits: dict[str, Histogram] = {}
        self.tries = Histogram(_doubling(1, 5))
        self.victims = Histogram(_doubling(1, 7))
        self.preemptions = 0
        self._queue: SchedulingQueue | None = None
        self._incoming: Counter[tuple[str, str]] = Counter()

    def follow(self, queue: SchedulingQueue) -> None:
        """Tell of another queue from now on; what came into the earlier ones stays counted."""
        if self._queue is not None:
            self._incoming.update(self._queue.incoming())
        self._queue = queue

    def pending(self) -> QueueStatistics:
        """Count the pods that wait, by queue: ``scheduler_pending_pods``."""
        return QueueStatistics(0, 0, 0, 0, 0) if self._queue is None else self._queue.statistics()

    def incoming(self) -> dict[tuple[str, str], int]:
        """Count the pods that came into a queue, by queue and event.

        ``scheduler_queue_incoming_pods_total``.
        """
        found = Counter(self._incoming)
        if self._queue is not None:
            found.update(self._queue.incoming())
        return dict(found)

    def unschedulable(self) -> dict[tuple[str, str], int]:
        """Count the rejected pods by each of the plugins that rejected them, and by profile.

        ``scheduler_unschedulable_pods``.
        """
        return {} if self._queue is None else self._queue.rejected_by()

    # ---- what the scheduler tells

    def decided(self, count: int, seconds: float) -> None:
        """Count the decisions about ``count`` pods, which took so long together."""
        if count:
            self.decisions.observe(seconds / count, count)

    def attempted(
        self,
        result: Result,
        count: int,
        seconds: float,
        profile: str = DEFAULT_SCHEDULER_NAME,
    ) -> None:
        """Count attempts that ended, each after so many seconds."""
        if count:
            series = self.attempts.get((result, profile))
            if series is None:
                series = self.attempts[result, profile] = Histogram(_doubling(0.001, 15))
            series.observe(seconds, count)

    def bound(
        self,
        pods: Iterable[WaitingPod],
        now: float,
        seconds: float,
    ) -> None:
        """Count pods that got a node.

        Args:
            pods: With what is remembered of their attempts.
            now: By the clock that their queue goes by.
            seconds: How long this last attempt took.
        """
        alike: dict[tuple[float | None, int, str], int] = {}
        for pod in pods:
            tries = 1 if pod.attempts is None else pod.attempts.count + 1
            key = pod.entered, tries, pod.pod_class.shape.scheduler_name
            alike[key] = alike.get(key, 0) + 1
        for (entered, tries, profile), count in alike.items():
            label = f"{_MANY_ATTEMPTS}+" if tries >= _MANY_ATTEMPTS else str(tries)
            waits = self.waits.get(label)
            if waits is None:
                waits = self.waits[label] = Histogram(_doubling(0.01, 20))
            waits.observe(0.0 if entered is None else max(0.0, now - entered), count)
            self.tries.observe(tries, count)
            self.attempted("scheduled", count, seconds, profile)

    def preempted(self, victims: int) -> None:
        """Count a search for pods to preempt, and how many it found."""
        self.preemptions += 1
        if victims:
            self.victims.observe(victims)
