"""The twin on messages, victims and nominated pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.scheduler.twin import Snapshot, fit_error, preempt
from tests.scheduler.twin.asking import claiming, feasible, verdict, zoned
from tests.scheduler.twin.builders import Object, node, pod, selector, thing

# ---- messages and preemption


def test_the_message_counts_reasons_and_tells_what_preemption_could_do() -> None:
    """Sorted as text; a node's own smallness is nothing that victims could help."""
    nodes = [
        node("a", taints=[{"key": "k", "effect": "NoSchedule"}]),
        node("b"),
        node("c", allocatable={"cpu": "1"}),
    ]
    snapshot = Snapshot(nodes=nodes, pods=[pod("x", {"cpu": "3"}, on="b")])
    assert fit_error(snapshot, pod("p", {"cpu": "2"})) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )
    assert fit_error(snapshot, pod("p", {"cpu": "2"}, preemptionPolicy="Never")).endswith(
        "preemption: not eligible due to preemptionPolicy=Never."
    )
    assert fit_error(snapshot, pod("p", {"cpu": "2"}, priority=1)) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu."
    )
    assert fit_error(snapshot, claiming("c")) == (
        '0/3 nodes are available: persistentvolumeclaim "c" not found. not found'
    )
    assert fit_error(Snapshot(), pod("p")) == "no nodes available to schedule pods"


def running(name: str, on: str, cpu: str, priority: int, start: int = 0, **fields: Any) -> Object:
    """Make a pod that runs since some minute."""
    status = {"startTime": f"2026-01-01T00:{start:02}:00Z"}
    return pod(name, {"cpu": cpu}, on=on, priority=priority, status=status, **fields)


@pytest.mark.parametrize(
    ("pods", "best", "victims"),
    [
        pytest.param(
            [running("a", "n0", "3", 5), running("b", "n1", "3", 4)],
            {"n1"},
            {"n0": ["a"], "n1": ["b"]},
            id="lowest-highest-priority",
        ),
        pytest.param(
            [
                running("a1", "n0", "2", 5),
                running("a2", "n0", "2", 5),
                running("b1", "n1", "2", 5),
                running("b2", "n1", "2", 4),
            ],
            {"n1"},
            {"n0": ["a1", "a2"], "n1": ["b1", "b2"]},
            id="lowest-sum",
        ),
        pytest.param(
            [
                running("a", "n0", "4", -(2**31) + 9),
                running("b1", "n1", "2", -(2**31) + 9),
                running("b2", "n1", "2", -(2**31)),
            ],
            {"n0"},
            {"n0": ["a"], "n1": ["b1", "b2"]},
            id="fewest",
        ),
        pytest.param(
            [running("a", "n0", "3", 5, start=1), running("b", "n1", "3", 5, start=2)],
            {"n1"},
            {"n0": ["a"], "n1": ["b"]},
            id="latest-start",
        ),
        pytest.param(
            [
                running("a1", "n0", "1", 5),
                running("a2", "n0", "3", 3, start=1),
                running("a3", "n0", "0", 1),
                running("b", "n1", "4", 10),
            ],
            {"n0"},
            {"n0": ["a1", "a2"]},
            id="reprieved-from-the-most-important",
        ),
    ],
)
def test_victims_are_the_fewest_and_least(
    pods: Sequence[Object], best: set[str], victims: Mapping[str, Sequence[str]]
) -> None:
    """A pod of 4 CPUs and priority 10 on full nodes of 4 CPUs."""
    snapshot = Snapshot(nodes=zoned(2, ["z"]), pods=pods)
    found = preempt(snapshot, pod("p", {"cpu": "4"}, priority=10))
    names = {
        name: [victim["metadata"]["name"] for victim in candidate.victims]
        for name, candidate in found.candidates.items()
    }
    assert names == victims
    assert found.best == best


def test_budgets_are_kept_where_that_is_possible() -> None:
    """A pod that a budget protects is let back in first; a node without violations is better."""
    protected = running("protected", "n0", "2", 1, labels={"app": "web"})
    pods = [protected, running("plain", "n0", "2", 5), running("b", "n1", "4", 9)]
    budget = thing("web", spec={"selector": selector(app="web")}, status={"disruptionsAllowed": 0})
    snapshot = Snapshot(nodes=zoned(2, ["z"]), pods=pods, budgets=[budget])
    half = preempt(snapshot, pod("p", {"cpu": "2"}, priority=10))
    assert [victim["metadata"]["name"] for victim in half.candidates["n0"].victims] == ["plain"]
    whole = preempt(snapshot, pod("p", {"cpu": "4"}, priority=10))
    assert whole.candidates["n0"].violations == 1
    assert whole.best == {"n1"}


def test_pods_nominated_to_a_node_have_its_room() -> None:
    """Those of at least the same priority; the pod's own nomination is not in its way."""
    first = pod("first", {"cpu": "3"}, priority=5, status={"nominatedNodeName": "n"})
    snapshot = Snapshot(nodes=[node("n")], nominated=[first])
    full = (("Insufficient cpu",), True)
    for priority, expected in (5, full), (6, None):
        wants = pod("p", {"cpu": "2"}, priority=priority)
        assert verdict(wants, node("n"), nominated=[first]) == expected
    assert feasible(snapshot, first) == "n"


def test_a_pod_waits_for_its_victims_to_go() -> None:
    """While a victim of the scheduler is on its way out on the nominated node."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    leaving = pod(
        "leaving",
        {"cpu": "4"},
        on="n",
        metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"},
        status={"conditions": [condition]},
    )
    wants = pod("p", {"cpu": "2"}, priority=5, status={"nominatedNodeName": "n"})
    found = preempt(Snapshot(nodes=[node("n")], pods=[leaving]), wants)
    assert found.message == "not eligible due to a terminating pod on the nominated node."
