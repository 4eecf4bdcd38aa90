"""What the scheduler counts."""

from __future__ import annotations

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import PodClass, SchedulingQueue, WaitingPod
from orchestrator.scheduler.core.changes import PodChange
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.metrics import Histogram, SchedulerMetrics

PLAIN = PodClass({"containers": [{"name": "c"}]})
BY = frozenset({"NodeResourcesFit", "TaintToleration"})


def waiting(uid: str) -> WaitingPod:
    """Make a pod that waits."""
    return WaitingPod(uid, Key("pods", "ns", uid), PLAIN)


def test_a_bound_is_part_of_its_bucket() -> None:
    """As in Prometheus, whose buckets say: at most."""
    histogram = Histogram((1.0, 2.0))
    histogram.observe(1.0)
    histogram.observe(2.5, 3)
    assert histogram.buckets == [1, 0, 3]
    assert histogram.total == 8.5


def test_pods_wait_from_their_arrival_however_often_they_are_tried() -> None:
    """And are told apart by their attempts, the one that succeeded among them."""
    queue, metrics = SchedulingQueue(), SchedulerMetrics()
    for uid in ("quick", "slow", "also quick"):
        queue.add(waiting(uid), 10.0)
    quick, slow, other = queue.take(3, 11.0)
    metrics.bound([quick, other], 12.0, 1.0)
    queue.reject(slow, "no", BY, 12.0)
    queue.activate([slow])
    queue.take(1, 40.0)
    metrics.bound([slow], 50.0, 10.0)
    assert sum(metrics.waits["1"].buckets) == 2
    assert metrics.waits["1"].total == 4.0
    assert metrics.waits["2"].total == 40.0
    assert metrics.tries.buckets[:2] == [2, 1]
    assert metrics.attempts["scheduled", "default-scheduler"].total == 12.0


def test_attempts_without_number_are_told_together() -> None:
    """From the fifteenth on."""
    queue, metrics = SchedulingQueue(), SchedulerMetrics()
    queue.add(waiting("a"), 0.0)
    for now in range(20):
        (pod,) = queue.take(1, float(now))
        queue.reject(pod, "no", BY, float(now))
        queue.activate([pod])
    metrics.bound(queue.take(1, 20.0), 20.0, 0.0)
    assert list(metrics.waits) == ["15+"]


def test_counts_go_on_over_a_new_queue() -> None:
    """A scheduler that lists anew begins with an empty one; what came before came nevertheless."""
    metrics = SchedulerMetrics()
    for uid in ("a", "b"):
        queue = SchedulingQueue()
        metrics.follow(queue)
        queue.add(waiting(uid), 0.0)
    assert metrics.incoming() == {("active", "UnschedulablePodAdd"): 2}
    assert metrics.pending().active == 1


def test_rejected_pods_are_counted_by_who_rejected_them() -> None:
    """Once for each of the plugins, until an event lets them try again."""
    queue, metrics = SchedulingQueue(), SchedulerMetrics()
    assert metrics.unschedulable() == {}
    metrics.follow(queue)
    for uid in ("a", "b"):
        queue.add(waiting(uid), 0.0)
    first, second = queue.take(2, 0.0)
    queue.reject(first, "no", BY, 0.0)
    queue.reject(second, "no", frozenset({"TaintToleration"}), 0.0)
    assert metrics.unschedulable() == {
        ("NodeResourcesFit", "default-scheduler"): 1,
        ("TaintToleration", "default-scheduler"): 2,
    }
    queue.happened(PodChange(ClusterEvent.POD_REMOVED, first))
    queue.advance(0.0)
    assert metrics.unschedulable() == {("TaintToleration", "default-scheduler"): 1}


def test_a_search_for_victims_counts_whether_it_found_any_or_not() -> None:
    """How many it found only where it did."""
    metrics = SchedulerMetrics()
    for victims in (0, 3, 100):
        metrics.preempted(victims)
    assert metrics.preemptions == 3
    assert sum(metrics.victims.buckets) == 2
    assert metrics.victims.buckets[-1] == 1
