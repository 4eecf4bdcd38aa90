"""Tables for what a DaemonSet decides about nodes, without a store.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest

from orchestrator.controllers.daemonset.core import resolve, surges
from orchestrator.controllers.daemonset.fleet import Fleet
from orchestrator.controllers.daemonset.placement import (
    Rules,
    Verdict,
    daemon_tolerations,
    target_of,
    tied_to,
)
from orchestrator.controllers.daemonset.roster import Roster
from orchestrator.controllers.daemonset.standing import Rollout, Standing, Turn, stand, view
from orchestrator.resources.objects import Key, Object

ROLLOUT = Rollout("new", "", surges=False, seconds=0)
SURGING = Rollout("new", "", surges=True, seconds=0)


def daemon_set(**pod: Any) -> Object:
    """Build a DaemonSet whose pods have this spec."""
    template = {"metadata": {"labels": {"app": "agent"}}, "spec": pod}
    selector = {"matchLabels": {"app": "agent"}}
    return {
        "metadata": {"name": "agent", "namespace": "default", "uid": "set"},
        "spec": {"selector": selector, "template": template},
    }


def node(*taints: str, **labels: str) -> Object:
    """Build a node called n1; a taint is KEY:EFFECT."""
    given = [dict(zip(("key", "effect"), taint.split(":"), strict=True)) for taint in taints]
    return {"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": given}}


def affinity(*expressions: Object, **fields: Any) -> Object:
    """Build a required node affinity with one term."""
    term = {"matchExpressions": list(expressions), **fields}
    required = {"nodeSelectorTerms": [term]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def pod(state: str, revision: str = "new", name: str = "a", *, since: int = 0) -> Object:
    """Build a pod on n1; its state is ready, unready, ending, waiting, failed or succeeded."""
    phase = {"failed": "Failed", "succeeded": "Succeeded", "waiting": "Pending"}
    condition = {
        "type": "Ready",
        "status": "True" if state in {"ready", "ending"} else "False",
        "lastTransitionTime": f"1970-01-01T00:00:{since:02}Z",
    }
    return {
        "metadata": {
            "name": name,
            "labels": {"controller-revision-hash": revision},
            "creationTimestamp": f"1970-01-01T00:00:{since:02}Z",
            **({"deletionTimestamp": "1970-01-01T00:00:09Z"} if state == "ending" else {}),
        },
        "spec": {} if state == "waiting" else {"nodeName": "n1"},
        "status": {"phase": phase.get(state, "Running"), "conditions": [condition]},
    }


@pytest.mark.parametrize(
    ("spec", "on", "verdict"),
    [
        ({}, node(), Verdict.RUN),
        ({"nodeName": "n1"}, node(), Verdict.RUN),
        ({"nodeName": "n2"}, node(), Verdict.LEAVE),
        ({"nodeSelector": {"disk": "ssd"}}, node(disk="ssd"), Verdict.RUN),
        ({"nodeSelector": {"disk": "ssd"}}, node(disk="hdd"), Verdict.LEAVE),
        (
            {"affinity": affinity({"key": "disk", "operator": "Exists"})},
            node(disk="x"),
            Verdict.RUN,
        ),
        ({"affinity": affinity({"key": "disk", "operator": "Exists"})}, node(), Verdict.LEAVE),
        ({"affinity": affinity({"key": "d", "operator": "DoesNotExist"})}, node(), Verdict.RUN),
        (
            {"affinity": affinity({"key": "cores", "operator": "Gt", "values": ["4"]})},
            node(cores="8"),
            Verdict.RUN,
        ),
        (
            {
                "affinity": affinity(
                    matchFields=[
                        {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]},
                    ]
                )
            },
            node(),
            Verdict.LEAVE,
        ),
        ({}, node("own:NoSchedule"), Verdict.STAY),
        ({}, node("own:NoExecute"), Verdict.LEAVE),
        ({}, node("own:PreferNoSchedule"), Verdict.RUN),
        ({"tolerations": [{"key": "own", "operator": "Exists"}]}, node("own:NoExecute"), 3),
        ({"tolerations": [{"operator": "Exists"}]}, node("own:NoExecute"), Verdict.RUN),
        ({}, node("node.kubernetes.io/not-ready:NoExecute"), Verdict.RUN),
        ({}, node("node.kubernetes.io/not-ready:NoSchedule"), Verdict.STAY),
        ({}, node("node.kubernetes.io/unreachable:NoExecute"), Verdict.RUN),
        ({}, node("node.kubernetes.io/disk-pressure:NoSchedule"), Verdict.RUN),
        ({}, node("node.kubernetes.io/memory-pressure:NoSchedule"), Verdict.RUN),
        ({}, node("node.kubernetes.io/pid-pressure:NoSchedule"), Verdict.RUN),
        ({}, node("node.kubernetes.io/unschedulable:NoSchedule"), Verdict.RUN),
        ({}, node("node.kubernetes.io/network-unavailable:NoSchedule"), Verdict.STAY),
        (
            {"hostNetwork": True},
            node("node.kubernetes.io/network-unavailable:NoSchedule"),
            Verdict.RUN,
        ),
    ],
)
def test_on_which_nodes_a_pod_has_to_be(spec: Object, on: Object, verdict: Verdict) -> None:
    """By name, labels and taints; with the automatic tolerations."""
    assert Rules.of(daemon_set(**spec)).judge(on) is Verdict(verdict)


def test_a_toleration_for_some_seconds_becomes_one_for_ever() -> None:
    """What the template says of the same taint is replaced, in its place."""
    own = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 5,
    }
    other = {"key": "own", "operator": "Exists"}
    found = daemon_tolerations({"tolerations": [own, other]})
    assert len(found) == 7
    assert "tolerationSeconds" not in found[0]
    assert found[1] is other


def test_a_pod_is_tied_to_its_node_by_name() -> None:
    """The required terms are replaced; what is preferred stays."""
    given = affinity({"key": "disk", "operator": "Exists"})
    given["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = [1]
    tied = tied_to({**given, "podAffinity": {"x": 1}}, "n7")
    assert tied["podAffinity"] == {"x": 1}
    assert tied["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == [1]
    assert target_of({"spec": {"affinity": tied}}) == "n7"
    assert target_of({"spec": {"affinity": tied, "nodeName": "n8"}}) == "n8"
    assert target_of({"spec": {}}) == ""


@pytest.mark.parametrize(
    ("verdict", "pods", "needs", "excess"),
    [
        (Verdict.RUN, [], True, ""),
        (Verdict.STAY, [], False, ""),
        (Verdict.LEAVE, [], False, ""),
        (Verdict.RUN, ["ready"], False, ""),
        (Verdict.RUN, ["ending"], False, ""),
        (Verdict.STAY, ["ready"], False, ""),
        (Verdict.LEAVE, ["ready"], False, "a"),
        (Verdict.LEAVE, ["ending"], False, ""),
        (Verdict.GONE, ["ready"], False, ""),
        (Verdict.GONE, ["waiting"], False, "a"),
        (Verdict.RUN, ["ready", "ready"], False, "b"),
        (Verdict.RUN, ["waiting", "ready"], False, "a"),
        (Verdict.RUN, ["ready", "ending"], False, ""),
    ],
)
def test_what_a_node_is_short_of_and_has_too_many(
    verdict: Verdict, pods: list[str], needs: bool, excess: str
) -> None:
    """One pod where one belongs, the one on its node and the oldest first; none elsewhere."""
    found = [pod(state, name="ab"[at], since=at) for at, state in enumerate(pods)]
    standing = stand(verdict, view(found, ROLLOUT), ROLLOUT, 50)
    assert standing.needs is needs
    assert "".join(one["metadata"]["name"] for one in standing.excess) == excess


def test_a_pod_that_ended_and_is_being_deleted_makes_room() -> None:
    """Its successor need not wait until it is gone."""
    gone = pod("ending")
    gone["status"]["phase"] = "Failed"
    assert stand(Verdict.RUN, view([gone], ROLLOUT), ROLLOUT, 50).needs


@pytest.mark.parametrize(
    ("old", "new", "excess"),
    [
        ("ready", "unready", ""),
        ("ready", "ready", "old"),
        ("unready", "unready", "old"),
        ("unready", "ready", "old"),
    ],
)
def test_with_surge_two_pods_may_be_on_a_node_for_a_while(old: str, new: str, excess: str) -> None:
    """As long as the old one is ready and the new one is not available."""
    pods = [pod(old, "old", "old"), pod(new, "new", "new", since=1)]
    standing = stand(Verdict.RUN, view(pods, SURGING), SURGING, 50)
    assert " ".join(one["metadata"]["name"] for one in standing.excess) == excess


@pytest.mark.parametrize(
    ("pods", "plain", "surging"),
    [
        ([], Turn.LOST, Turn.NONE),
        (["ready new"], Turn.NONE, Turn.NONE),
        (["unready new"], Turn.LOST, Turn.NONE),
        (["ready old"], Turn.OLD, Turn.OLD),
        (["unready old"], Turn.BROKEN, Turn.BROKEN),
        (["failed old"], Turn.BROKEN, Turn.BROKEN),
        (["ending old"], Turn.LOST, Turn.NONE),
        (["ready old", "unready new"], Turn.LOST, Turn.LOST),
        (["ready old", "ready new"], Turn.LOST, Turn.DONE),
        (["ready old", "ready old"], Turn.LOST, Turn.LOST),
        (["ending old", "ready new"], Turn.NONE, Turn.NONE),
    ],
)
def test_what_a_node_means_to_an_update(pods: list[str], plain: Turn, surging: Turn) -> None:
    """Counted against a limit, to be replaced within it, or to be replaced at once.

    https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/
    """
    pairs = [words.split() for words in pods]
    found = [pod(state, age, str(at)) for at, (state, age) in enumerate(pairs)]
    assert stand(Verdict.RUN, view(found, ROLLOUT), ROLLOUT, 50).turn is plain
    assert stand(Verdict.RUN, view(found, SURGING), SURGING, 50).turn is surging


def test_a_pod_of_the_template_s_generation_is_up_to_date_too() -> None:
    """Pods made before there were hashes carry a generation only."""
    old = pod("ready", "other")
    old["metadata"]["labels"]["pod-template-generation"] = "4"
    rollout = Rollout("new", "4", surges=False, seconds=0)
    assert stand(Verdict.RUN, view([old], rollout), rollout, 50).updated == 1
    assert stand(Verdict.RUN, view([old], ROLLOUT), ROLLOUT, 50).updated == 0


def test_a_pod_is_available_when_it_was_ready_long_enough() -> None:
    """And the node says when that will be."""
    rollout = Rollout("new", "", surges=False, seconds=30)
    found = [pod("ready", since=40)]
    standing = stand(Verdict.RUN, view(found, rollout), rollout, 50)
    assert (standing.ready, standing.available, standing.ripe) == (1, 0, 70)
    standing = stand(Verdict.RUN, view(found, rollout), rollout, 70)
    assert (standing.available, standing.ripe) == (1, None)


@pytest.mark.parametrize(
    ("value", "desired", "number"),
    [(None, 5, 0), (0, 5, 0), (2, 5, 2), ("0%", 5, 0), ("10%", 5, 1), ("30%", 10, 3)],
)
def test_shares_of_nodes_are_rounded_up(value: Any, desired: int, number: int) -> None:
    """The absolute number is calculated from the percentage by rounding up."""
    assert resolve(value, desired) == number


@pytest.mark.parametrize(
    ("strategy", "result"),
    [
        ({"type": "OnDelete"}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%"}}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "5%"}}, True),
    ],
)
def test_when_an_update_surges(strategy: Object, result: bool) -> None:
    """Only where maxSurge allows something."""
    assert surges({"spec": {"updateStrategy": strategy}}) is result


def test_failures_of_a_node_are_delayed_ever_more_and_forgotten() -> None:
    """One second, doubled up to fifteen minutes; half an hour without one begins anew."""
    fleet = Fleet()
    now, gaps = 0.0, []
    for _ in range(14):
        wait = fleet.delay("n1", now)
        while wait:
            now += wait
            wait = fleet.delay("n1", now)
        gaps.append(now)
    steps = [late - early for early, late in itertools.pairwise(gaps)]
    assert steps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert fleet.delay("n2", now) == 0
    now += 1801
    assert fleet.delay("n1", now) == 0
    assert fleet.delay("n1", now) == 1


def test_a_fleet_kept_up_to_date_equals_one_made_anew() -> None:
    """Whatever happens to nodes and pods, in whatever order, the sums are those of the nodes."""
    chance = Random(5)
    pods: dict[str, Object] = {}
    roster = Roster(Key("daemonsets.apps", "default", "agent"), daemon_set())
    nodes: dict[str, Object] = {}
    for step in range(3000):
        name = f"n{chance.randrange(6)}"
        match chance.randrange(5):
            case 0:
                taints = chance.choice(((), ("own:NoSchedule",), ("own:NoExecute",)))
                nodes[name] = node(*taints)
                nodes[name]["metadata"]["name"] = name
                roster.see(nodes[name])
            case 1:
                nodes.pop(name, None)
                roster.lose(name)
            case 2 if pods:
                gone = chance.choice(list(pods))
                del pods[gone]
                roster.displace(gone)
            case _:
                state = chance.choice(("ready", "unready", "ending", "waiting", "failed"))
                own = f"p{chance.randrange(9)}"
                pods[own] = pod(
                    state, chance.choice(("new", "old")), own, since=chance.randrange(59)
                )
                pods[own]["spec"]["target"] = name
                roster.place(own, name)
        if step % 3:
            continue
        roster.judge(ROLLOUT, pods.get, 50)
        expected: dict[str, Standing] = {}
        for place in {*nodes, *(one["spec"]["target"] for one in pods.values())}:
            found = [one for one in pods.values() if one["spec"]["target"] == place]
            verdict = Rules.of(daemon_set()).judge(nodes[place]) if place in nodes else Verdict.GONE
            standing = stand(verdict, view(found, ROLLOUT), ROLLOUT, 50)
            if standing != Standing():
                expected[place] = standing
        fleet = roster.fleet
        assert fleet.standings == expected
        columns: Any = zip(*(one[:6] for one in expected.values()), strict=True)
        assert fleet.totals == (tuple(map(sum, columns)) or (0,) * 6)
        assert set(fleet.work) == {one for one, found in expected.items() if found.has_work}
        for turn, group in fleet.turns.items():
            assert set(group) == {one for one, found in expected.items() if found.turn is turn}
