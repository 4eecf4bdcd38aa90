"""What the scheduler remembers stays right, and of one size, while the cluster changes under it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import partial
from typing import Any

from actors.testing import virtual
from orchestrator.resources.objects import Key, with_meta
from orchestrator.scheduler.configuration import DEFAULT_PROFILE
from orchestrator.scheduler.core.alike import Alike
from orchestrator.scheduler.core.classes import PodClass, PodClasses, PodShape
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.deciding import Decider
from orchestrator.scheduler.core.diagnosis import Tally
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.plugins.base import Filter, Rejection
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.topology import Topology
from orchestrator.scheduler.core.trials import reject_beside
from orchestrator.scheduler.picture import Picture
from orchestrator.scheduler.proposals import Proposal
from orchestrator.store import Modify
from tests.scheduler.test_scheduler import Bench, bench, node, pod


def picture_of(b: Bench) -> Picture:
    """Return what the scheduler knows."""
    return b.scheduler._known


@virtual
async def test_labels_that_change_before_the_binding_is_written_count() -> None:
    """The pod is counted as what it is when it is bound, not as what it was when it was placed."""
    async with bench() as b:
        propose = b.scheduler._propose
        writes: list[asyncio.Task[None]] = []

        async def be_overtaken(proposal: Proposal) -> None:
            labelled = partial(with_meta, labels={"app": "new"})
            await b.store.write([Modify("pods", "default", "web", labelled)])
            propose(proposal)

        def delay(proposal: Proposal) -> None:
            writes.append(asyncio.ensure_future(be_overtaken(proposal)))

        b.scheduler._propose = delay  # type: ignore[method-assign] # a slow store
        await b.add(node("n1"), pod("web"))
        await asyncio.sleep(1)
        assert b.home("web") == "n1"
        uid = b.pod("web")["metadata"]["uid"]
        assert picture_of(b).cluster.pods[uid].pod_class.labels == {"app": "new"}


@virtual
async def test_an_event_older_than_the_answer_to_a_binding_makes_no_pod_wait() -> None:
    """Of many events only some are taken at once; a bound pod is not placed a second time."""
    async with bench() as b:
        await b.add(node("n1"), node("n2"), pod("web"))
        bound, picture = b.pod("web"), picture_of(b)
        uid, home = bound["metadata"]["uid"], b.home("web")
        spec = {name: value for name, value in bound["spec"].items() if name != "nodeName"}
        waiting = {**bound, "spec": spec}
        key = Key("pods", "default", "web")
        picture.put_pod(key, waiting, with_meta(waiting, labels={"app": "older"}))
        picture.put_pod(key, bound, waiting)
        assert picture.queue.get(uid) is None
        await b.add(pod("other"))
        assert picture.cluster.holds(uid) == home == b.home("web")


def away_from(namespaces: dict[str, str]) -> dict[str, Any]:
    """Keep off nodes with pods of a kind in namespaces with some labels."""
    term = {
        "labelSelector": {"matchLabels": {"app": "loud"}},
        "topologyKey": "kubernetes.io/hostname",
        "namespaceSelector": {"matchLabels": namespaces},
    }
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_labels_of_a_namespace_void_what_was_kept_of_nodes() -> None:
    """Pods that begin to matter since their namespace is another one keep others off."""
    cluster = Cluster()
    for number in range(12):
        cluster.put_node(node(f"n{number}"), None)
    cluster.put_namespace("noisy", {"team": "x"})
    spec = pod("p")["spec"]
    loud, full = PodClass(spec, "noisy", {"app": "loud"}), PodClass(spec, "default")
    for number in range(11):
        place = PodState(f"loud-{number}", Key("pods", "noisy", f"loud-{number}"), loud)
        cluster.place(place, f"n{number}")
    for number in range(3):  # so that the quiet node is the worst
        place = PodState(f"full-{number}", Key("pods", "default", f"full-{number}"), full)
        cluster.place(place, "n11")
    placer = Placer(cluster, random.Random(1).random)
    shy = PodClass({**spec, "affinity": away_from({"team": "y"})}, "default")
    first = placer.find_best(shy)
    assert first is not None
    assert first.name != "n11"
    assert cluster.put_namespace("noisy", {"team": "y"})
    found = placer.find_best(shy)
    assert found is not None
    assert found.name == "n11"


class Crowd:
    """A full cluster, and pods of which each has a label of its own."""

    def __init__(self, nodes: int) -> None:
        self.cluster = Cluster()
        for number in range(nodes):
            self.cluster.put_node(node(f"n{number}"), None)
        self.classes = PodClasses()
        self.decider = Decider(self.cluster, Budgets(), random.Random(1).random)

    def member(self, number: int, cpu: str, **labels: str) -> PodState:
        obj = with_meta(pod(f"m-{number}", cpu), labels={"index": str(number), **labels})
        return PodState(f"m-{number}", Key("pods", "default", f"m-{number}"), self.classes.of(obj))


def test_pods_that_differ_in_a_label_nobody_looks_at_are_refused_together(monkeypatch: Any) -> None:
    """Every pod of an indexed Job has its own label: the nodes are asked once for all of them."""
    asked = []
    look_at = Tally.look_at

    def count(*each: Any) -> None:
        asked.append(1)
        look_at(*each)

    monkeypatch.setattr(Tally, "look_at", count)
    crowd = Crowd(20)
    for number in range(50):
        member = crowd.member(number, "9")
        assert crowd.decider.choose(member) is None
        assert "20 Insufficient cpu" in crowd.decider.refuse(member).message
    assert len(asked) == 20


def test_pods_that_somebody_stays_away_from_are_refused_for_themselves() -> None:
    """A label that a term on the cluster is about tells pods apart."""
    crowd = Crowd(1)
    spec = {**pod("p")["spec"], "affinity": away_from({})}
    shy = PodClass(spec, "default", {"app": "shy"})
    crowd.cluster.place(PodState("shy", Key("pods", "default", "shy"), shy), "n0")
    loud, big = crowd.member(1, "100m", app="loud"), crowd.member(2, "100m", app="quiet")
    assert crowd.decider.choose(loud) is None
    assert "anti-affinity" in crowd.decider.refuse(loud).message
    assert crowd.decider.choose(big) is not None


def test_kept_nodes_are_not_asked_again_for_each_pod_that_only_prefers(monkeypatch: Any) -> None:
    """Soft spread changes no verdict: what is kept for nominated pods is found once."""
    crowd = Crowd(30)
    for number in range(20):
        crowd.cluster.nominations.add(crowd.member(100 + number, "3900m"), f"n{number}")
    asked = []

    def count(*each: Any) -> Any:
        asked.append(each[2].name)
        return reject_beside(*each)

    monkeypatch.setattr("orchestrator.scheduler.core.kept.reject_beside", count)
    soft = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {},
    }
    spec = pod("p", "200m", topologySpreadConstraints=[soft])["spec"]
    low = PodClass(spec, "default")
    for number in range(40):
        state = PodState(f"low-{number}", Key("pods", "default", f"low-{number}"), low)
        found = crowd.decider.choose(state)
        assert found is not None
        assert int(found.name[1:]) >= 20
        crowd.cluster.place(state, found.name)
    assert len(asked) == 20


def test_counters_that_are_dropped_leave_nothing_behind() -> None:
    """A label value that was used once costs nothing for ever."""
    topology = Topology({})
    for number in range(2000):
        term = away_from({})["podAntiAffinity"]
        selector = {"matchLabels": {"app": f"a{number}"}}
        (one,) = term["requiredDuringSchedulingIgnoredDuringExecution"]
        spec = {"affinity": {"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{**one, "labelSelector": selector}]
        }}}  # fmt: skip
        (repelled,) = PodClass(spec).affinity.repelled
        topology.matching((repelled,), repelled.key)
    assert len(topology._counting._by_label) <= 1024


def test_a_filter_of_ones_own_may_look_at_labels() -> None:
    """Classes of one shape do not share what a plugin said about one of them."""
    cluster = Cluster()
    cluster.put_node(node("n1"), None)
    refusal = Rejection(("not you",), resolvable=False)

    def check(pod_class: PodClass, _node: NodeState, _cluster: Cluster) -> Rejection | None:
        return refusal if "bad" in pod_class.labels else None

    own = Filter("Own", check, ClusterEvent.NODE_ADDED)
    profile = replace(DEFAULT_PROFILE, filters=(*DEFAULT_PROFILE.filters, "Own"))
    placer = Placer(cluster, random.Random(1).random, framework=Framework(profile, {"Own": own}))
    shape = PodShape(pod("p")["spec"])
    good, bad = (
        PodClass(shape.spec, "default", labels, shape=shape) for labels in ({}, {"bad": ""})
    )
    assert placer.find_best(good) is not None
    assert placer.find_best(bad) is None


def test_nodes_that_come_and_go_leave_nothing_behind() -> None:
    """A cluster whose nodes are replaced every day remembers those of today."""
    cluster = Cluster()
    placer = Placer(cluster, random.Random(1).random)
    wanted = PodClass(pod("p")["spec"], "default")
    for number in range(50):
        cluster.put_node(node(f"n{number}"), None)
        assert placer.find_best(wanted) is not None
        if number >= 3:
            cluster.remove_node(f"n{number - 3}")
    placer.find_best(wanted)
    (index,) = placer._indexes.values()
    assert len(index._homes) == len(index._tastes._known) == len(index._entries) == 3


def test_a_plugin_of_ones_own_makes_no_classes_alike() -> None:
    """It may look at labels; what built-in plugins say of volumes holds for all that want them."""
    cluster = Cluster()
    cluster.put_node(node("n1"), None)
    own = Filter("Own", lambda *_: None, ClusterEvent.NODE_ADDED)
    shape = PodShape(pod("p")["spec"])
    one, other = (
        PodClass(shape.spec, "default", {"index": index}, shape=shape) for index in ("0", "1")
    )
    alike, apart = Alike(cluster, Framework()), Alike(cluster, Framework(filters={"Own": own}))
    assert alike.of(one) is alike.of(other) is one
    assert apart.of(one) is one
    assert apart.of(other) is other
