"""The scheduling queue: order, backoff, events and what they wake; beside a plain model of it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import Cluster, PodClass, PodState, SchedulingQueue, WaitingPod
from orchestrator.scheduler.core.changes import (
    Change,
    NamespaceChange,
    NodeChange,
    PodChange,
    Registration,
)
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.queue import QueueSettings

FIT = frozenset({"NodeResourcesFit"})
PATIENT = QueueSettings(pops_from_backoff=False)


def pod_class(cpu: str = "1", *, labels: dict[str, str] | None = None, **spec: Any) -> PodClass:
    """Make a class of pods with one container."""
    container = {"name": "c", "resources": {"requests": {"cpu": cpu}}}
    return PodClass({"containers": [container], **spec}, "ns", labels)


PLAIN = pod_class()


def waiting(
    uid: str, of: PodClass = PLAIN, priority: int = 0, *, preempts: bool = False
) -> WaitingPod:
    """Make a pod that waits."""
    return WaitingPod(uid, Key("pods", "ns", uid), of, priority, preempts=preempts)


def names(pods: list[WaitingPod]) -> list[str]:
    """Return the pods' names."""
    return [pod.uid for pod in pods]


def queue_of(*pods: WaitingPod, settings: QueueSettings = PATIENT) -> SchedulingQueue:
    """Make a queue in which pods wait since time 0, without a look at nodes."""
    queue = SchedulingQueue(settings=settings)
    for pod in pods:
        queue.add(pod, 0.0)
    return queue


class Nodes:
    """A cluster, and a queue that looks at its nodes and is told what happens to them."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}
        self.cluster = Cluster()
        self.queue = SchedulingQueue(look=self._look)
        self.looks = 0

    def _look(self, pod: PodClass, node: NodeState, _priority: int) -> Verdict | None:
        self.looks += 1
        return DEFAULT_FRAMEWORK.reject(pod, node, self.cluster)

    def put(self, name: str, cpu: str, **spec: Any) -> None:
        previous = self._objects.get(name)
        node = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": spec,
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}},
        }
        self._objects[name] = node
        changed = self.cluster.put_node(node, previous)
        self.queue.happened(NodeChange(changed, self.cluster.by_name[name], previous))

    def place(self, uid: str, cpu: str, node: str, priority: int = 0) -> None:
        pod = PodState(uid, Key("pods", "ns", uid), pod_class(cpu), priority=priority)
        self.cluster.place(pod, node)
        self.queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, self.cluster.by_name.get(node)))

    def free(self, uid: str) -> None:
        pod = self.cluster.pods[uid]
        node = self.cluster.displace(uid)
        self.queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))

    def reject_all(self, plugins: frozenset[str] = FIT, now: float = 0.0) -> None:
        for pod in self.queue.take(1000, now):
            self.queue.reject(pod, "no", plugins, now)


@pytest.fixture
def nodes() -> Nodes:
    """Return a full node of 4 CPUs: two pods of 1 CPU and one of 2."""
    made = Nodes()
    made.put("n", "4")
    for uid, cpu in (("one", "1"), ("other", "1"), ("large", "2")):
        made.place(uid, cpu, "n")
    return made


FREED = PodChange(ClusterEvent.POD_REMOVED, PodState("x", Key("pods", "ns", "x"), PLAIN))
COME = PodChange(ClusterEvent.POD_ADDED, PodState("x", Key("pods", "ns", "x"), PLAIN))


# ---- order


def test_the_queue_is_by_priority_then_by_arrival() -> None:
    """Higher priority first, FIFO within one; a removed pod does not come up."""
    queue = queue_of(waiting("a"), waiting("b", priority=5), waiting("c"), waiting("d", priority=5))
    queue.remove("c")
    assert names(queue.take(3, 0.0)) == ["b", "d", "a"]
    assert not queue.has_ready()


def test_a_rejected_pod_goes_behind_those_that_came_meanwhile() -> None:
    """Its time of arrival is set anew when its attempt ends, not when it may try again."""
    queue = queue_of(waiting("tried"))
    (tried,) = queue.take(1, 0.0)
    queue.add(waiting("before"), 0.0)
    queue.reject(tried, "no", FIT, 0.0)
    queue.add(waiting("after"), 0.0)
    queue.happened(FREED)
    queue.advance(5.0)
    assert names(queue.take(3, 5.0)) == ["before", "tried", "after"]


def test_pods_that_leave_an_endless_line_do_not_stay_in_memory() -> None:
    """Pods of low priority that are never taken come and go by the thousands."""
    queue = queue_of()
    for number in range(20_000):
        queue.add(waiting(str(number), priority=number % 3), 0.0)
        if number >= 10:
            queue.remove(str(number - 10))
    assert len(queue) == queue.statistics().active == 10
    lanes = queue._ready._lanes._lanes.values()
    assert sum(len(lane.line) for lane in lanes) < 5000
    assert names(queue.take(100, 0.0))[:2] == ["19991", "19994"]


# ---- backoff and time


def test_a_rejected_pod_waits_for_an_event_that_helps_and_for_its_backoff() -> None:
    """Events that nobody wants to hear of leave it alone; backoff doubles from 1 s to 10 s."""
    queue = queue_of(waiting("a"))
    now = 0.0
    for expected in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        (pod,) = queue.take(1, now)
        queue.reject(pod, "no", FIT, now)
        queue.happened(COME)
        queue.advance(now)
        assert queue.statistics().unschedulable == 1
        queue.happened(FREED)
        queue.advance(now)
        assert queue.statistics().backoff == 1
        assert not queue.has_ready()
        now += expected
        assert queue.next_time() == now
        assert not queue.take(1, now - 0.01)
    assert names(queue.take(1, now)) == ["a"]


def test_a_backoff_that_is_over_is_not_waited_for() -> None:
    """The time in which nothing happened counts."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    queue.reject(pod, "no", FIT, 0.0)
    queue.happened(FREED)
    assert names(queue.take(1, 60.0)) == ["a"]


def test_an_idle_scheduler_does_not_wait_for_backoffs() -> None:
    """Rejected pods are taken early when no other is ready; after an error they are not."""
    queue = queue_of(*(waiting(uid) for uid in "abc"), settings=QueueSettings())
    first, second, third = queue.take(3, 0.0)
    queue.reject(first, "no", FIT, 0.0)
    queue.reject(second, "no", FIT, 0.0)
    queue.retry(third, 0.0)
    assert not queue.has_ready()
    queue.happened(FREED)
    assert names(queue.take(5, 0.0)) == ["a", "b"]
    assert queue.next_time() == 1.0
    assert names(queue.take(5, 1.0)) == ["c"]


def test_who_is_taken_early_is_chosen_by_priority_within_a_second() -> None:
    """A backoff that ends in an earlier second goes first; then it is as among ready pods."""
    queue = queue_of(
        waiting("low"), waiting("high", priority=9), waiting("later", priority=99),
        settings=QueueSettings(),
    )  # fmt: skip
    later, high, low = queue.take(3, 0.0)
    queue.reject(low, "no", FIT, 0.0)
    queue.reject(high, "no", FIT, 0.8)
    queue.reject(later, "no", FIT, 1.0)
    queue.happened(FREED)
    assert names(queue.take(3, 0.9)) == ["high", "low", "later"]


def test_errors_in_a_row_back_off_on_their_own() -> None:
    """A rejection ends the row: the next error backs off for a second again."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    queue.retry(pod, 0.0)
    assert queue.next_time() == 1.0
    assert names(queue.take(1, 1.0)) == ["a"]
    queue.retry(pod, 1.0)
    assert queue.next_time() == 3.0
    assert names(queue.take(1, 3.0)) == ["a"]
    queue.reject(pod, "no", FIT, 3.0)
    queue.happened(FREED)
    assert names(queue.take(1, 4.0)) == ["a"]
    queue.retry(pod, 4.0)
    assert queue.next_time() == 5.0


def test_backoff_is_as_configured() -> None:
    """Both ends of it."""
    queue = queue_of(
        waiting("a"),
        settings=QueueSettings(initial_backoff=3.0, max_backoff=5.0, pops_from_backoff=False),
    )
    for now, due in ((0.0, 3.0), (3.0, 8.0), (8.0, 13.0)):
        (pod,) = queue.take(1, now)
        queue.retry(pod, now)
        assert queue.next_time() == due


def test_a_rejected_pod_is_tried_after_five_minutes_whatever_happens() -> None:
    """Nobody waits forever for an event that was missed; later ones wait for their own time."""
    queue = queue_of(waiting("a"), waiting("b"))
    first, second = queue.take(2, 0.0)
    queue.reject(first, "no", FIT, 100.0)
    queue.reject(second, "no", FIT, 200.0)
    assert queue.next_time() == 400.0
    assert not queue.take(1, 399.0)
    assert names(queue.take(2, 400.0)) == ["a"]
    assert queue.next_time() == 500.0
    assert names(queue.take(2, 500.0)) == ["b"]
    queue.advance(600.0)
    assert queue.next_time() is None


# ---- gates, changes, activation


def test_a_gated_pod_is_kept_until_its_gates_are_gone() -> None:
    """It arrives, for its place in line and for how long it waits, when it may be tried."""
    queue = queue_of()
    gated = waiting("gated")
    queue.add(gated, 0.0, gated=True)
    queue.add(waiting("b"), 0.0)
    assert names(queue.take(2, 0.0)) == ["b"]
    queue.activate([gated])
    queue.happened(FREED)
    assert not queue.take(1, 1000.0)
    queue.update("gated", PLAIN, 1000.0, gated=True)
    assert queue.statistics().gated == 1
    queue.update("gated", PLAIN, 2000.0)
    assert queue.statistics().gated == 0
    assert gated.entered == 2000.0
    assert names(queue.take(1, 2000.0)) == ["gated"]


def test_a_rejected_pod_that_changes_is_tried_again() -> None:
    """With its new class; one whose class is the same waits on."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    queue.reject(pod, "no", FIT, 0.0)
    queue.update("a", PLAIN, 50.0)
    assert not queue.take(1, 50.0)
    small = pod_class("100m")
    queue.update("a", small, 50.0)
    (pod,) = queue.take(1, 50.0)
    assert pod.pod_class is small


def test_a_taken_pod_changes_when_it_comes_back() -> None:
    """Its old class may count on a node until then; the rejection was the old one's."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    small = pod_class("100m")
    queue.update("a", small, 0.0)
    assert pod.pod_class is PLAIN
    queue.reject(pod, "no", FIT, 0.0)
    assert pod.pod_class is small
    assert queue.statistics().backoff == 1


def test_a_taken_pod_that_changes_back_comes_back_as_it_was() -> None:
    """As when a claim is told a node, and provisioning for that fails, in one attempt."""
    pod = waiting("a")
    before = pod.pod_class
    queue = queue_of(pod)
    (taken,) = queue.take(1, 0.0)
    queue.update("a", pod_class("2"), 0.0)
    queue.update("a", before, 0.0)
    queue.retry(taken, 1.0)
    assert taken.pod_class is before


def test_a_plugin_can_activate_pods() -> None:
    """From wherever they wait, past any backoff."""
    queue = queue_of(*(waiting(uid) for uid in "abc"))
    rejected, failed, taken = queue.take(3, 0.0)
    queue.reject(rejected, "no", FIT, 0.0)
    queue.retry(failed, 0.0)
    queue.activate([rejected, failed, taken])
    assert names(queue.take(3, 0.0)) == ["a", "b"]
    queue.reject(taken, "no", FIT, 0.0)
    assert names(queue.take(3, 1.0)) == ["c"]


def test_a_pod_that_only_has_to_wait_does_not_back_off() -> None:
    """When an event helps for the plugin that keeps it, it is ready at once."""
    queue = SchedulingQueue(
        {"Gang": Registration("Gang", ClusterEvent.POD_ADDED)}, settings=PATIENT
    )
    queue.add(waiting("a"), 0.0)
    (pod,) = queue.take(1, 0.0)
    queue.reject(pod, "no", frozenset({"Gang"}), 0.0, pending=frozenset({"Gang"}))
    queue.happened(COME)
    assert names(queue.take(1, 0.0)) == ["a"]


def test_a_pod_removed_or_bound_is_gone_from_wherever_it_was() -> None:
    """Nothing of it comes up later."""
    queue = queue_of(*(waiting(uid) for uid in "abcde"))
    queue.add(waiting("gated"), 0.0, gated=True)
    taken, bound, failed, rejected = queue.take(4, 0.0)
    queue.retry(failed, 0.0)
    queue.reject(rejected, "no", FIT, 0.0)
    queue.bound([bound])
    for uid in ("a", "c", "d", "e", "gated"):
        assert uid in queue
        queue.remove(uid)
    queue.remove("unknown")
    queue.reject(taken, "no", FIT, 0.0)
    queue.retry(taken, 0.0)
    assert len(queue) == 0
    assert set(queue.statistics()) == {0}
    assert not queue.take(9, 1000.0)


# ---- events


def test_an_event_while_a_pod_is_tried_is_not_lost() -> None:
    """However late the rejection comes; one that does not help it changes nothing."""
    queue = queue_of(waiting("helped"), waiting("not"))
    helped, other = queue.take(2, 0.0)
    queue.happened(COME)
    queue.reject(other, "no", FIT, 1.0)
    queue.happened(FREED)
    queue.reject(helped, "no", FIT, 1.0)
    assert queue.statistics()[:3] == (0, 1, 1)


def test_what_happened_before_a_pod_was_taken_does_not_wake_it() -> None:
    """It was tried on the state that the event made."""
    queue = queue_of(waiting("a"), waiting("b"))
    (first,) = queue.take(1, 0.0)
    queue.reject(first, "no", FIT, 0.0)
    queue.happened(FREED)
    (second,) = queue.take(1, 0.0)
    queue.reject(second, "no", FIT, 0.0)
    assert queue.statistics()[:3] == (0, 1, 1)


def test_a_pod_that_missed_more_than_is_kept_is_tried_again() -> None:
    """Events are kept for taken pods in a bounded list."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    for _ in range(10_000):
        queue.happened(COME)
    assert len(queue._kept) == 8192
    queue.reject(pod, "no", FIT, 0.0)
    assert queue.statistics().backoff == 1
    assert not queue._kept


def test_a_plugin_that_says_nothing_hears_everything() -> None:
    """In doubt a pod is tried again."""
    queue = queue_of(waiting("a"))
    (pod,) = queue.take(1, 0.0)
    queue.reject(pod, "no", frozenset({"Homemade"}), 0.0)
    queue.happened(NamespaceChange(ClusterEvent.NAMESPACE_LABELS, "ns", {}, {"a": "b"}))
    assert names(queue.take(1, 9.0)) == ["a"]


def test_ten_thousand_pods_of_a_class_cost_one_hint() -> None:
    """A hundred pods that leave one node are one question, too."""
    asked = []

    def hint(of: PodClass, change: Change) -> bool:
        asked.append((of, change))
        return False

    queue = SchedulingQueue({"A": Registration("A", ClusterEvent.POD_REMOVED, hint)})
    for number in range(10_000):
        queue.add(waiting(str(number)), 0.0)
    for pod in queue.take(10_000, 0.0):
        queue.reject(pod, "no", frozenset({"A"}), 0.0)
    for _ in range(100):
        queue.happened(FREED)
        queue.happened(COME)
    queue.advance(1.0)
    assert len(asked) == 1
    assert queue.statistics().unschedulable == 10_000


def test_as_many_pods_are_woken_as_the_node_has_room_for(nodes: Nodes) -> None:
    """The first ones; the others wait for the next event."""
    for number in range(100):
        nodes.queue.add(waiting(str(number)), 0.0)
    nodes.reject_all()
    nodes.free("large")
    woken = nodes.queue.take(100, 1.0)
    assert names(woken) == ["0", "1"]
    for pod in woken:
        nodes.cluster.place(pod, "n")
    nodes.queue.bound(woken)
    nodes.free("one")
    assert names(nodes.queue.take(100, 1.0)) == ["2"]


def test_no_pod_is_woken_for_too_little_room(nodes: Nodes) -> None:
    """What would not fit on the node is not tried."""
    nodes.queue.add(waiting("a", pod_class("3")), 0.0)
    nodes.reject_all()
    nodes.free("one")
    assert not nodes.queue.take(1, 1.0)
    nodes.free("large")
    assert names(nodes.queue.take(1, 1.0)) == ["a"]


def test_whoever_needs_more_than_came_free_is_not_looked_at(nodes: Nodes) -> None:
    """However many classes wait; of a pod that left no node at all nobody is asked."""
    for number in range(100):
        cpu = pod_class(f"{2000 - 10 * number}m")
        nodes.queue.add(waiting(str(number), cpu, preempts=True), 0.0)
    nodes.reject_all()
    nodes.queue.happened(FREED)
    nodes.free("one")
    assert names(nodes.queue.take(1, 1.0)) == []
    assert nodes.looks == 0
    nodes.queue.add(waiting("small", pod_class("900m")), 0.0)
    nodes.cluster.place(PodState("one", Key("pods", "ns", "one"), pod_class("1")), "n")
    nodes.reject_all()
    nodes.free("one")
    assert names(nodes.queue.take(2, 1.0)) == ["small"]
    assert nodes.looks == 1


def test_a_pod_that_may_preempt_is_woken_for_less(nodes: Nodes) -> None:
    """It can make the rest of the room itself, on a node that is large enough for it."""
    nodes.queue.add(waiting("preempts", pod_class("4"), 10, preempts=True), 0.0)
    nodes.queue.add(waiting("too large", pod_class("5"), 10, preempts=True), 0.0)
    nodes.queue.add(waiting("equal", pod_class("4"), 0, preempts=True), 0.0)
    nodes.reject_all()
    nodes.free("one")
    assert names(nodes.queue.take(3, 1.0)) == ["preempts"]


def test_pods_that_may_preempt_try_one_after_another(nodes: Nodes) -> None:
    """Each one that finds victims lets the next one try; it then waits for its victims alone."""
    large = pod_class("4")
    for name in ("a", "b", "c"):
        nodes.queue.add(waiting(name, large, 10, preempts=True), 0.0)
    nodes.reject_all()
    nodes.free("one")
    (first,) = nodes.queue.take(3, 20.0)
    nodes.queue.reject(first, "no", FIT, 20.0, nominated=True)
    (second,) = nodes.queue.take(3, 20.0)
    nodes.queue.reject(second, "no", FIT, 20.0)
    assert names([first, second]) == ["a", "b"]
    nodes.free("other")
    assert names(nodes.queue.take(3, 40.0)) == ["c"]
    nodes.queue.activate([first])
    assert names(nodes.queue.take(3, 40.0)) == ["a"]


def test_pods_that_wait_for_their_victims_do_not_wake_one_another(nodes: Nodes) -> None:
    """One that was woken for room, and goes on waiting, hands on nothing."""
    large = pod_class("1")
    for name in ("a", "b"):
        nodes.queue.add(waiting(name, large, 10, preempts=True), 0.0)
    for pod in nodes.queue.take(2, 0.0):
        nodes.queue.reject(pod, "no", FIT, 0.0, nominated=True)
    nodes.free("one")
    (woken,) = nodes.queue.take(2, 20.0)
    nodes.queue.reject(woken, "no", FIT, 20.0, nominated=True)
    assert nodes.queue.take(2, 40.0) == []


def test_another_plugin_that_stands_in_the_way_is_listened_to(nodes: Nodes) -> None:
    """Room on a cordoned node is no help, until the node is no longer cordoned."""
    nodes.queue.add(waiting("a"), 0.0)
    nodes.reject_all()
    nodes.put("n", "4", unschedulable=True)
    nodes.free("one")
    assert not nodes.queue.take(1, 1.0)
    nodes.put("n", "4")
    assert names(nodes.queue.take(1, 1.0)) == ["a"]


def test_a_woken_pod_that_goes_away_hands_on_its_turn(nodes: Nodes) -> None:
    """The room that it was woken for is still there."""
    for number in range(3):
        nodes.queue.add(waiting(str(number)), 0.0)
    nodes.reject_all()
    nodes.free("one")
    nodes.queue.advance(0.0)
    nodes.queue.remove("0")
    assert names(nodes.queue.take(3, 1.0)) == ["1"]


def test_a_woken_pod_rejected_for_another_reason_hands_on_its_turn(nodes: Nodes) -> None:
    """What is wrong with it may be its own; the same reason holds for the others as well."""
    for number in range(4):
        nodes.queue.add(waiting(str(number)), 0.0)
    nodes.reject_all()
    nodes.free("one")
    (first,) = nodes.queue.take(4, 1.0)
    nodes.queue.reject(first, "no", frozenset({"VolumeRestrictions"}), 1.0)
    (second,) = nodes.queue.take(4, 2.0)
    assert (first.uid, second.uid) == ("0", "1")
    nodes.queue.reject(second, "no", FIT, 2.0)
    assert not nodes.queue.take(4, 3.0)


def test_pods_that_came_into_a_queue_are_counted_by_the_reason() -> None:
    """In upstream's words."""
    queue = queue_of(*(waiting(uid) for uid in "abc"))
    first, second, third = queue.take(3, 0.0)
    queue.reject(first, "no", FIT, 0.0)
    queue.reject(second, "no", FIT, 0.0)
    queue.retry(third, 0.0)
    queue.happened(FREED)
    queue.advance(0.0)
    queue.advance(1.0)
    assert queue.incoming() == {
        ("active", "UnschedulablePodAdd"): 3,
        ("unschedulable", "ScheduleAttemptFailure"): 2,
        ("backoff", "ScheduleAttemptFailure"): 1,
        ("backoff", "AssignedPodDelete"): 2,
        ("active", "BackoffComplete"): 3,
    }
