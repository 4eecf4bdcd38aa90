"""Which changes the plugins think may help: upstream's queueing hints."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import PodClass, PodState
from orchestrator.scheduler.core.changes import Change, NamespaceChange, NodeChange, PodChange
from orchestrator.scheduler.core.events import ANYTHING, ClusterEvent, label_of
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.nodes import NodeState

Object = dict[str, Any]
ZONE = "topology.kubernetes.io/zone"
FILTERS = {plugin.name: plugin for plugin in DEFAULT_FRAMEWORK.filters}
APP = {"matchLabels": {"app": "a"}}


def pod(labels: Object | None = None, namespace: str = "ns", **spec: Any) -> PodClass:
    """Make a class; of 1 CPU unless ``containers`` say otherwise."""
    container = {"name": "c", "resources": {"requests": {"cpu": spec.pop("cpu", "1")}}}
    return PodClass({"containers": [{**container, **spec.pop("c", {})}], **spec}, namespace, labels)


def node(cpu: str = "4", pods: str = "10", labels: Object | None = None, **spec: Any) -> Object:
    """Make a node."""
    return {
        "metadata": {"name": "n", "labels": labels or {}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "1Gi", "pods": pods}},
    }


def added(new: Object) -> NodeChange:
    """Let a node come."""
    return NodeChange(ClusterEvent.NODE_ADDED, NodeState(new, 0))


def turned(old: Object, new: Object) -> NodeChange:
    """Let a node change in everything that changed."""
    kinds = ClusterEvent.NODE_RESOURCES | ClusterEvent.NODE_LABELS | ClusterEvent.NODE_TAINTS
    return NodeChange(kinds, NodeState(new, 0), old)


def state(of: PodClass) -> PodState:
    """Make a pod of a class."""
    return PodState("x", Key("pods", of.namespace, "x"), of)


def came(of: PodClass) -> PodChange:
    """Let a pod come."""
    return PodChange(ClusterEvent.POD_ADDED, state(of))


def went(of: PodClass, on: Object | None = None) -> PodChange:
    """Let a pod go."""
    where = None if on is None else NodeState(on, 0)
    return PodChange(ClusterEvent.POD_REMOVED, state(of), where)


def became(old: PodClass, new: PodClass) -> PodChange:
    """Let a pod's labels change."""
    return PodChange(ClusterEvent.POD_LABELS, state(new), None, old)


def shrank(old: PodClass, new: PodClass) -> PodChange:
    """Let a pod's requests become smaller."""
    return PodChange(ClusterEvent.POD_RESOURCES, state(new), None, old)


def relabelled(name: str, old: Object, new: Object) -> NamespaceChange:
    """Let a namespace's labels change."""
    return NamespaceChange(ClusterEvent.NAMESPACE_LABELS, name, old, new)


def term(kind: str, **more: Any) -> Object:
    """Make a required term about pods of the app in a zone."""
    form = {"labelSelector": APP, "topologyKey": ZONE, **more}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [form]}}


def spread(**more: Any) -> Object:
    """Make a hard constraint about pods of the app over zones."""
    form = {
        "labelSelector": APP,
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        **more,
    }
    return {"topologySpreadConstraints": [form]}


A, B = pod({"app": "a"}), pod({"app": "b"})
IN_ZONE, IN_OTHER = node(labels={ZONE: "z1"}), node(labels={ZONE: "z2"})
TAINT = [{"key": "k", "effect": "NoSchedule"}]
SSD = node(labels={"disk": "ssd"})
PORT = {"ports": [{"containerPort": 1, "hostPort": 80}]}
OTHER_PORT = {"ports": [{"containerPort": 1, "hostPort": 81}]}
NEAR, FAR = pod(affinity=term("podAffinity")), pod(affinity=term("podAntiAffinity"))
TEAM = {"namespaceSelector": {"matchLabels": {"team": "x"}}}


@pytest.mark.parametrize(
    ("plugin", "waiting", "change", "helps"),
    [
        ("NodeResourcesFit", pod(cpu="3"), went(pod(), node()), True),
        ("NodeResourcesFit", pod(cpu="5"), went(pod(), node()), False),
        ("NodeResourcesFit", pod(cpu="3"), shrank(pod(cpu="2"), pod()), True),
        ("NodeResourcesFit", pod(cpu="3"), shrank(pod(), pod(cpu="2")), False),
        ("NodeResourcesFit", pod(cpu="3"), added(node("2")), False),
        ("NodeResourcesFit", pod(cpu="3"), added(node("3")), True),
        ("NodeResourcesFit", pod(cpu="3"), turned(node("3"), node("4")), True),
        ("NodeResourcesFit", pod(cpu="3"), turned(node("4"), node("3")), False),
        ("NodeResourcesFit", pod(cpu="3"), turned(node(pods="1"), node(pods="2")), True),
        ("NodePorts", pod(c=PORT), went(pod(c=PORT)), True),
        ("NodePorts", pod(c=PORT), went(pod(c=OTHER_PORT)), False),
        ("NodePorts", pod(c=PORT), added(node()), True),
        ("NodeAffinity", pod(nodeSelector={"disk": "ssd"}), added(node()), False),
        ("NodeAffinity", pod(nodeSelector={"disk": "ssd"}), turned(node(), SSD), True),
        ("NodeAffinity", pod(nodeSelector={"disk": "ssd"}), turned(SSD, SSD), False),
        ("TaintToleration", pod(), turned(node(taints=TAINT), node()), True),
        ("TaintToleration", pod(), turned(node(), node(taints=TAINT)), False),
        ("TaintToleration", pod(), added(node(taints=TAINT)), False),
        ("NodeUnschedulable", pod(), turned(node(unschedulable=True), node()), True),
        ("NodeUnschedulable", pod(), turned(node(), node()), False),
        ("NodeUnschedulable", pod(), added(node(unschedulable=True)), False),
        ("PodTopologySpread", pod(**spread()), came(A), True),
        ("PodTopologySpread", pod(**spread()), went(A), True),
        ("PodTopologySpread", pod(**spread()), came(B), False),
        ("PodTopologySpread", pod(**spread()), came(pod({"app": "a"}, "other")), False),
        ("PodTopologySpread", pod(**spread()), became(B, A), True),
        ("PodTopologySpread", pod(**spread()), became(A, pod({"app": "a", "x": "y"})), False),
        ("PodTopologySpread", pod(**spread()), added(IN_ZONE), True),
        ("PodTopologySpread", pod(**spread()), added(node()), False),
        ("PodTopologySpread", pod(**spread()), turned(IN_ZONE, node()), True),
        ("PodTopologySpread", pod(**spread()), turned(IN_ZONE, IN_OTHER), True),
        ("PodTopologySpread", pod(**spread()), turned(IN_ZONE, IN_ZONE), False),
        (
            "PodTopologySpread",
            pod(**spread(nodeTaintsPolicy="Honor")),
            turned(IN_ZONE, node(labels={ZONE: "z1"}, taints=TAINT)),
            True,
        ),
        ("InterPodAffinity", NEAR, came(A), True),
        ("InterPodAffinity", NEAR, came(B), False),
        ("InterPodAffinity", NEAR, came(pod({"app": "a"}, "other")), False),
        ("InterPodAffinity", NEAR, went(A), False),
        ("InterPodAffinity", NEAR, became(B, A), True),
        ("InterPodAffinity", NEAR, added(IN_ZONE), True),
        ("InterPodAffinity", NEAR, added(node()), False),
        ("InterPodAffinity", FAR, came(A), False),
        ("InterPodAffinity", FAR, went(A), True),
        ("InterPodAffinity", FAR, went(B), False),
        ("InterPodAffinity", FAR, became(A, B), True),
        ("InterPodAffinity", FAR, added(node()), True),
        ("InterPodAffinity", FAR, turned(IN_ZONE, IN_OTHER), True),
        ("InterPodAffinity", FAR, turned(IN_ZONE, IN_ZONE), False),
        ("InterPodAffinity", A, went(FAR), True),
        ("InterPodAffinity", B, went(FAR), False),
        (
            "InterPodAffinity",
            pod({"app": "a"}, affinity=term("podAffinity")),
            went(A),
            True,
        ),
        (
            "InterPodAffinity",
            pod(affinity=term("podAffinity", **TEAM)),
            relabelled("other", {}, {"team": "x"}),
            True,
        ),
        ("InterPodAffinity", NEAR, relabelled("other", {}, {"team": "x"}), False),
        ("InterPodAffinity", NEAR, relabelled("ns", {}, {"team": "x"}), True),
    ],
)
def test_a_plugin_tells_whether_a_change_may_help(
    plugin: str, waiting: PodClass, change: Change, helps: bool
) -> None:
    """The pod is one that the plugin rejected; the event is one that it registered."""
    registration = FILTERS[plugin].registration
    assert change.kind & registration.events
    assert registration.hint is not None
    assert registration.hint(waiting, change) is helps


def test_a_node_that_goes_takes_away_what_kept_others() -> None:
    """Its pods no longer count in its zone, before anybody has removed them."""
    hint = FILTERS["InterPodAffinity"].registration.hint
    assert hint is not None
    gone = NodeState(IN_ZONE, 0)
    change = NodeChange(ClusterEvent.NODE_REMOVED, gone)
    assert not hint(FAR, change)
    gone.add(state(A))
    assert hint(FAR, change)


def test_a_node_whose_past_is_not_known_may_help() -> None:
    """As if it were new."""
    hint = FILTERS["TaintToleration"].registration.hint
    assert hint is not None
    assert hint(pod(), NodeChange(ClusterEvent.NODE_TAINTS, NodeState(node(), 0)))


def test_two_changes_of_a_node_are_one_from_the_first_state_to_the_last() -> None:
    """A taint that came and went helps nobody; a node that came and was tainted is new."""
    hint = FILTERS["TaintToleration"].registration.hint
    assert hint is not None
    back = turned(node(), node(taints=TAINT)).followed_by(turned(node(taints=TAINT), node()))
    assert not hint(pod(), back)
    new = added(node(taints=TAINT)).followed_by(turned(node(taints=TAINT), node()))
    assert new.kind & ClusterEvent.NODE_ADDED
    assert hint(pod(), new)


def test_every_filter_hears_of_something_and_every_event_has_a_name() -> None:
    """Upstream's, in metrics."""
    assert all(plugin.events for plugin in FILTERS.values())
    assert len({label_of(event) for event in ANYTHING}) == len(list(ANYTHING))
    assert label_of(ClusterEvent.NODE_LABELS | ClusterEvent.NODE_ADDED) == "NodeAdd"
