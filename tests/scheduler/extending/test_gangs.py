"""Pods of a group are placed all together or not at all."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from orchestrator.resources.objects import Object
from orchestrator.scheduler.gangs import GROUP_LABEL, MIN_MEMBER, POD_GROUPS
from tests.scheduler.extending.driving import Scheduling, node, pod

SLOW = {"podGroupBackoffSeconds": 20}


def gang(name: str, size: int, least: int | None = None, cpu: str = "1") -> list[Object]:
    """The pods of a group that says itself how many belong together."""
    annotations = {MIN_MEMBER: str(size if least is None else least)}
    return [
        pod(f"{name}-{number}", cpu, {GROUP_LABEL: name}, annotations=annotations)
        for number in range(size)
    ]


def scheduling_of(*sizes: str, **args: Any) -> Scheduling:
    """A scheduler with the plugin and some nodes."""
    profile = {
        "plugins": {"multiPoint": {"enabled": [{"name": "Coscheduling"}]}},
        "pluginConfig": [{"name": "Coscheduling", "args": args}],
    }
    nodes = [node(f"n{number}", cpu) for number, cpu in enumerate(sizes)]
    return Scheduling(nodes, profile=profile)


def test_a_group_is_bound_when_it_is_complete() -> None:
    """Not one pod before the last one has a place."""
    scheduling = scheduling_of("2", "2")
    pods = gang("a", 3)
    scheduling.add(*pods)
    assert [scheduling.place(one) for one in pods[:2]] == ["waits", "waits"]
    assert not scheduling.bound
    scheduling.place(pods[2])
    assert scheduling.bound.keys() == {"a-0", "a-1", "a-2"}


def test_pods_without_a_group_do_not_wait() -> None:
    """The plugin has nothing to say about them."""
    scheduling = scheduling_of("2")
    assert scheduling.place(pod("single")) == "n0"


def test_a_group_that_lacks_pods_is_not_begun() -> None:
    """In the words of the plugin of that name."""
    scheduling = scheduling_of("4")
    pods = gang("a", 2, least=3)
    scheduling.add(*pods)
    assert scheduling.place(pods[0]).startswith(
        "0/1 nodes are available: pre-filter pod a-0 cannot find enough sibling pods, current pods "
        "number: 2, minMember of group: 3."
    )
    assert not scheduling.cluster.pods


@pytest.mark.parametrize(
    "left_out",
    [
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"status": {"phase": "Failed"}},
        {"spec": {"schedulingGates": [{"name": "later"}]}},
    ],
)
def test_pods_that_cannot_run_do_not_count(left_out: dict[str, Any]) -> None:
    """The others would wait for them in vain."""
    scheduling = scheduling_of("4")
    first, second = gang("a", 2)
    for part, fields in left_out.items():
        second[part] = {**second.get(part, {}), **fields}
    scheduling.add(first, second)
    assert "cannot find enough sibling pods" in scheduling.place(first)


def test_a_group_that_does_not_fit_gives_everything_back() -> None:
    """As soon as one of its pods fits nowhere."""
    scheduling = scheduling_of("2")
    pods = gang("a", 3)
    scheduling.add(*pods)
    assert [scheduling.place(one) for one in pods[:2]] == ["waits", "waits"]
    assert "Insufficient cpu" in scheduling.place(pods[2])
    assert scheduling.refused == dict.fromkeys(
        ("a-0", "a-1"),
        "0/1 nodes are available: 1 PodGroup default/a gets rejected due to Pod a-2 is "
        "unschedulable.",
    )
    assert not scheduling.cluster.pods


def test_two_groups_do_not_block_each_other() -> None:
    """The second does not begin before the first is through, and then gets its turn."""
    scheduling = scheduling_of("4")
    first, second = gang("a", 3), gang("b", 3)
    scheduling.add(*first, *second)
    assert scheduling.place(first[0]) == "waits"
    assert "podGroup default/b waits for podGroup default/a to be placed" in scheduling.place(
        second[0]
    )
    for one in first[1:]:
        scheduling.place(one)
    assert scheduling.bound.keys() == {"a-0", "a-1", "a-2"}
    assert scheduling.activated[-1] == (["uid-b-0"], 0.0)


def test_a_group_of_a_higher_priority_goes_first() -> None:
    """What the other one holds is given back."""
    scheduling = scheduling_of("4")
    first, second = gang("a", 3), gang("b", 3)
    for one in second:
        one["spec"]["priority"] = 10
    scheduling.add(*first, *second)
    scheduling.place(first[0])
    assert scheduling.place(second[0]) == "waits"
    assert scheduling.refused == {
        "a-0": "0/1 nodes are available: 1 podGroup default/b of a higher priority goes first."
    }


@pytest.mark.parametrize("order", range(20))
def test_some_group_always_gets_through(order: int) -> None:
    """Whatever the order in which the pods of three groups come up, as long as each fits alone."""
    scheduling = scheduling_of("3", "2")
    pods = [*gang("a", 5), *gang("b", 4), *gang("c", 3)]
    scheduling.add(*pods)
    by_uid = {one["metadata"]["uid"]: one for one in pods}
    random.Random(order).shuffle(pods)
    ready = deque(pods)
    for _ in range(100):
        if not ready:
            break
        one = ready.popleft()
        if not scheduling.cluster.holds(one["metadata"]["uid"]):
            scheduling.place(one)
            ready.extend(
                by_uid[uid] for uids, after in scheduling.activated if not after for uid in uids
            )
            scheduling.activated.clear()
    else:
        pytest.fail("the groups call each other for ever")
    groups = {name.partition("-")[0] for name in scheduling.bound}
    assert groups, scheduling.refused
    whole = {"a": 5, "b": 4, "c": 3}
    assert len(scheduling.bound) == sum(whole[name] for name in groups)


def test_a_group_that_waits_too_long_gives_everything_back() -> None:
    """One of its pods does not come up at all."""
    scheduling = scheduling_of("4", permitWaitingTimeSeconds=30)
    pods = gang("a", 3)
    scheduling.add(*pods)
    for one in pods[:2]:
        scheduling.place(one)
        scheduling.now += 10
    scheduling.now = 30
    scheduling.settle()
    late = "rejected due to timeout after waiting 30s at plugin Coscheduling"
    assert scheduling.refused == {
        "a-0": f"0/1 nodes are available: 1 {late}.",
        "a-1": "0/1 nodes are available: 1 pod a-0 of its group lost its place.",
    }
    assert not scheduling.cluster.pods


def test_the_first_pod_calls_the_others() -> None:
    """They may have been turned away while the group was not complete."""
    scheduling = scheduling_of("4")
    pods = gang("a", 3)
    scheduling.add(*pods)
    scheduling.place(pods[1])
    assert scheduling.activated == [(["uid-a-0", "uid-a-2"], 0.0)]
    scheduling.place(pods[0])
    assert len(scheduling.activated) == 1


@pytest.mark.parametrize(("args", "rests"), [({}, [1, 2, 4]), (SLOW, [20, 20, 20])])
def test_a_group_that_gave_up_rests(args: dict[str, Any], rests: list[float]) -> None:
    """So that others have time to go first; then it is called again, if somebody asked for it."""
    scheduling = scheduling_of("2", **args)
    pods = gang("a", 3)
    scheduling.add(*pods)
    for rest in rests:
        for one in pods:
            scheduling.place(one)
        scheduling.activated.clear()
        assert "podGroup default/a failed recently" in scheduling.place(pods[0])
        assert "podGroup default/a failed recently" in scheduling.place(pods[1])
        assert scheduling.activated == [(["uid-a-0", "uid-a-1", "uid-a-2"], rest)]
        scheduling.now += rest
    scheduling.cluster.put_node(node("n1", "1"), None)
    for one in pods:
        scheduling.place(one)
    assert scheduling.bound.keys() == {"a-0", "a-1", "a-2"}


def test_a_pod_group_object_says_how_many_and_how_long() -> None:
    """Where the cluster has that kind."""
    scheduling = scheduling_of("4")
    scheduling.objects.put(
        POD_GROUPS,
        {
            "metadata": {"name": "a", "namespace": "default"},
            "spec": {"minMember": 2, "scheduleTimeoutSeconds": 5},
        },
    )
    pods = gang("a", 3, least=99)
    scheduling.add(*pods)
    assert scheduling.place(pods[0]) == "waits"
    assert scheduling.cycle.next_time() == 5
    scheduling.place(pods[1])
    assert scheduling.bound.keys() == {"a-0", "a-1"}
    assert scheduling.place(pods[2]) == "n0"


def test_a_group_nobody_describes_is_refused() -> None:
    """A label alone does not say how many."""
    scheduling = scheduling_of("4")
    lonely = pod("a-0", labels={GROUP_LABEL: "a"})
    assert scheduling.place(lonely) == "0/1 nodes are available: 1 PodGroup not found."
