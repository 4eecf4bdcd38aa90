"""What is written for a preemption."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key
from orchestrator.scheduler.binding import Binder, mark_unschedulable, nominate
from orchestrator.scheduler.core import Cluster, PodClass, PodState
from orchestrator.scheduler.core.preemption import Preemption
from orchestrator.scheduler.preempting import (
    is_preempted,
    mark_victim,
    operations_of,
    plan_evictions,
    settle,
)
from orchestrator.store import Delete, DeleteOptions, Modify

Object = dict[str, Any]
CLASS = PodClass({"containers": []})
NOW = "2026-01-01T00:00:00Z"


def state(name: str, **options: Any) -> PodState:
    """Make a pod whose uid is its name in capitals."""
    return PodState(name.upper(), Key("pods", "default", name), CLASS, **options)


def preemption(*victims: PodState) -> Preemption:
    """Make a preemption on node n."""
    cluster = Cluster()
    cluster.put_node({"metadata": {"name": "n"}}, None)
    return Preemption(cluster.by_name["n"], victims, 0)


def test_each_victim_is_told_why_and_deleted_and_those_on_their_way_out_are_let_be() -> None:
    """A pod that only waits for permission to be bound is refused it, and stays."""
    found = preemption(
        state("a"), state("b", terminating=True), state("c", preempted=True), state("d")
    )
    plan = plan_evictions(found, state("me"), "mine", waiting={"D"})
    assert [eviction.victim.key.name for eviction in plan.evictions] == ["a"]
    assert [pod.key.name for pod in plan.rejected] == ["d"]
    assert plan.evictions[0].message == "Preempted by pod ME on node n"
    mark, delete = operations_of(plan.evictions, NOW)
    assert isinstance(mark, Modify)
    assert mark[:3] + mark[4:] == ("pods", "default", "a", "status", "A")
    assert delete == Delete("pods", "default", "a", DeleteOptions(uid="A"))


def test_a_victim_says_who_preempted_it() -> None:
    """The condition is upstream's; a pod that goes already keeps its own reason."""
    pod = {"metadata": {"name": "a", "generation": 3}, "spec": {}, "status": {"phase": "Running"}}
    marked = mark_victim(NOW, "mine", pod)
    assert marked is not None
    assert marked["status"] == {
        "phase": "Running",
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "PreemptionByScheduler",
                "message": "mine: preempting to accommodate a higher priority pod",
                "lastProbeTime": None,
                "lastTransitionTime": NOW,
                "observedGeneration": 3,
            }
        ],
    }
    assert not is_preempted(marked)
    going = {**marked, "metadata": {**marked["metadata"], "deletionTimestamp": NOW}}
    assert is_preempted(going)
    assert mark_victim(NOW, "mine", going) is None
    assert not is_preempted({**going, "status": {}})


@pytest.mark.parametrize(
    ("status", "node", "expected"),
    [
        pytest.param({"phase": "Pending"}, "n", {"phase": "Pending", "nominatedNodeName": "n"}),
        pytest.param({"nominatedNodeName": "n"}, "m", {"nominatedNodeName": "m"}),
        pytest.param({"phase": "Pending", "nominatedNodeName": "n"}, "", {"phase": "Pending"}),
    ],
)
def test_a_nomination_is_one_field_of_the_status(
    status: Object, node: str, expected: Object
) -> None:
    """It is set, moved or taken away."""
    assert nominate({"status": status}, node)["status"] == expected


def test_nothing_is_changed_where_nothing_is_to_change() -> None:
    """The store sees the same object and writes nothing."""
    for pod, node in (({"spec": {}}, ""), ({"status": {"nominatedNodeName": "n"}}, "n")):
        assert nominate(pod, node) is pod


def test_a_victim_that_is_gone_already_is_neither_evicted_nor_refused() -> None:
    """What the store refuses for another reason is told, so that the preemptor tries again."""
    names = ("done", "gone", "another", "refused")
    plan = plan_evictions(preemption(*map(state, names)), state("me"), "mine")
    going = {"metadata": {"name": "done", "deletionTimestamp": NOW}}
    refusal = StatusError(403, "Forbidden", "no")
    results: list[Object | StatusError] = [
        {}, going, {}, StatusError(404, "NotFound", ""), {}, StatusError(409, "Conflict", ""), {},
        refusal,
    ]  # fmt: skip
    done, refused = settle(plan.evictions, results)
    assert [(eviction.victim.key.name, pod) for eviction, pod in done] == [("done", going)]
    assert [(eviction.victim.key.name, error) for eviction, error in refused] == [
        ("refused", refusal)
    ]


def test_a_refused_pod_is_told_together_with_its_nomination() -> None:
    """One write for both; the binding ends the nomination."""
    pod: Object = {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Pending"}}
    marked = mark_unschedulable(NOW, "no room", pod, nominated="n")
    assert marked is not None
    assert marked["status"]["nominatedNodeName"] == "n"
    assert marked["status"]["conditions"][0]["message"] == "no room"
    assert mark_unschedulable(NOW, "no room", marked) is None
    cleared = mark_unschedulable(NOW, "no room", marked, nominated="")
    assert cleared is not None
    assert "nominatedNodeName" not in cleared["status"]
    bound = Binder(NOW).bind("n", marked)
    assert isinstance(bound, dict)
    assert "nominatedNodeName" not in bound["status"]
    assert bound["status"]["phase"] == "Pending"
