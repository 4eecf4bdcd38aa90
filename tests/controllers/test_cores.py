"""Decisions as tables: no loop, no store."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers.bootstrap import ApiEndpoint, bootstrap_objects
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.deployment.revisions import same_template, template_hash
from orchestrator.controllers.endpoints.core import decide_endpoints
from orchestrator.controllers.endpoints.members import is_eligible, member_of
from orchestrator.controllers.nodes.eviction import decide_eviction, eviction_time
from orchestrator.controllers.nodes.lifecycle import Health, decide_node, eviction_rate
from orchestrator.controllers.nodes.taints import plan_taints, tolerates, toleration_seconds
from orchestrator.controllers.replicaset.ranking import rank_for_deletion
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0


def pod(
    name: str,
    *,
    node: str | None = "n1",
    phase: str = "Running",
    ready: bool = True,
    since: float = NOW - 100,
    restarts: int = 0,
    **meta: Any,
) -> dict[str, Any]:
    """Build a pod that is ready unless said otherwise."""
    conditions = [
        {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": format_time(since),
        }
    ]
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": format_time(since),
            **meta,
        },
        "spec": {"nodeName": node, "containers": []} if node else {"containers": []},
        "status": {
            "phase": phase,
            "podIP": f"10.0.0.{sum(map(ord, name)) % 250}",
            "conditions": conditions,
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def cost(value: Any) -> dict[str, Any]:
    """Build metadata with a deletion cost."""
    return {"annotations": {"controller.kubernetes.io/pod-deletion-cost": value}}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("b", node=None), pod("a")),
        (pod("b", phase="Pending"), pod("a")),
        (pod("b", phase="Unknown"), pod("a")),
        (pod("b", ready=False), pod("a")),
        (pod("b", since=NOW - 5), pod("a")),  # not available yet: minReadySeconds is 10
        (pod("b", **cost("-5")), pod("a")),
        (pod("b"), pod("a", **cost("5"))),
        (pod("b", **cost("5")), pod("a", **cost("50"))),
        (pod("b"), pod("a", node="n2")),  # n1 has two of the family
        (pod("b", since=NOW - 100), pod("a", since=NOW - 100_000)),
        (pod("b", restarts=3), pod("a")),
        (pod("a", **cost("no number")), pod("b")),
    ],
)
def test_what_is_worth_least_is_deleted_first(first: Any, second: Any) -> None:
    """One difference at a time; names would decide the other way."""
    ranked = rank_for_deletion([second, first], {"n1": 2, "n2": 1}, 10, NOW)
    assert [p["metadata"]["name"] for p in ranked] == [
        first["metadata"]["name"],
        second["metadata"]["name"],
    ]


TAINT = {"key": "k", "value": "v", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, False),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, True),
        ({"key": "other", "operator": "Exists"}, False),
        ({}, False),
    ],
)
def test_a_toleration_covers_a_taint(toleration: Any, expected: Any) -> None:
    """An empty key with Exists covers all, an empty effect every effect."""
    assert tolerates(toleration, TAINT) is expected


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], None),
        ([{"operator": "Exists"}], float("inf")),
        ([{"operator": "Exists", "tolerationSeconds": 30}], 30.0),
        ([{"operator": "Exists", "tolerationSeconds": -3}], 0.0),
    ],
)
def test_tolerations_last(tolerations: Any, expected: Any) -> None:
    """None: not tolerated at all; infinity: for ever."""
    assert toleration_seconds(tolerations, [TAINT]) == expected


def test_eviction_is_counted_from_the_taint_or_the_pods_arrival() -> None:
    """So that a restart of this process does not begin anew."""
    taint = {**TAINT, "timeAdded": format_time(NOW - 10)}
    tolerations = [{"operator": "Exists", "tolerationSeconds": 30}]
    old = pod("a")
    old["spec"]["tolerations"] = tolerations
    assert eviction_time(old, [taint], NOW) == NOW + 20
    young = pod("b", since=NOW - 2)
    young["spec"]["tolerations"] = tolerations
    assert eviction_time(young, [taint], NOW) == NOW + 28
    assert decide_eviction(old, [taint], NOW).requeue_after == 20
    plan = decide_eviction(old, [taint], NOW + 20)
    assert [item.object["metadata"]["name"] for item in plan.delete] == ["a"]
    assert [emit.message for emit in plan.events] == ["Marking for deletion Pod default/a"]
    assert len(decide_eviction(old, [], NOW)) == 0


def node(ready: Any = None, *, unschedulable: bool = False, taints: Any = ()) -> dict[str, Any]:
    """Build a node with one condition."""
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    spec: dict[str, Any] = {"taints": list(taints)} if taints else {}
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "metadata": {"name": "n1", "uid": "u"},
        "spec": spec,
        "status": {"conditions": conditions},
    }


def keys(taints: Any) -> Any:
    """Return taints as pairs that compare well."""
    return sorted((taint["key"].rpartition("/")[2], taint["effect"]) for taint in taints)


USER = {"key": "mine", "effect": "NoExecute"}
REGISTERED = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("found", "evict", "expected"),
    [
        (node("True"), True, []),
        (node("True", unschedulable=True), True, [("unschedulable", "NoSchedule")]),
        (node("False"), True, [("not-ready", "NoExecute"), ("not-ready", "NoSchedule")]),
        (node("Unknown"), True, [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]),
        (node("Unknown"), False, [("unreachable", "NoSchedule")]),
        (node("True", taints=[USER]), True, [("mine", "NoExecute")]),
        (node("True", taints=[REGISTERED]), True, []),
        (node(None, taints=[REGISTERED]), True, [("not-ready", "NoSchedule")]),
        (
            node("Unknown", taints=[{**REGISTERED, "effect": "NoExecute"}]),
            False,
            [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")],
        ),
    ],
)
def test_taints_follow_conditions(found: Any, evict: Any, expected: Any) -> None:
    """Others' taints stay; one that evicts already is swapped whatever the limits say."""
    assert keys(plan_taints(found, NOW, evict=evict)) == expected


def test_nothing_is_done_about_a_healthy_node() -> None:
    """It is looked at again when its grace ends: until then only a sign of life can come."""
    plan = decide_node(node("True"), [], Health(last_seen=NOW), NOW, ControllerConfig())
    assert len(plan) == 0
    assert plan.requeue_after == pytest.approx(50.001)


def test_a_node_that_never_reported_says_so() -> None:
    """Its conditions appear as Unknown with upstream's other reason."""
    plan = decide_node(node(), [], Health(last_seen=NOW - 61), NOW, ControllerConfig())
    conditions = plan.update[0].new["status"]["conditions"]
    assert {c["type"] for c in conditions} == {
        "Ready",
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
    }
    assert {c["reason"] for c in conditions} == {"NodeStatusNeverUpdated"}


@pytest.mark.parametrize(
    ("total", "down", "rate"),
    [(3, 1, 0.1), (3, 3, 0.1), (4, 3, 0.0), (10, 5, 0.1), (10, 6, 0.0), (100, 60, 0.01)],
)
def test_an_unhealthy_zone_is_emptied_slowly_or_not_at_all(
    total: Any, down: Any, rate: Any
) -> None:
    """Many nodes that fall silent together are rather a fault of the network."""
    assert eviction_rate(total, down, ControllerConfig()) == rate


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default", "uid": "svc"},
    "spec": {
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "h"}],
    },
}


def test_named_ports_are_each_pods_own() -> None:
    """Pods that number a port differently are in different slices and subsets."""
    first, second = pod("a"), pod("b")
    first["spec"]["containers"] = [{"ports": [{"name": "h", "containerPort": 1}]}]
    second["spec"]["containers"] = [{"ports": [{"name": "h", "containerPort": 2}]}]
    members = [member_of(SERVICE, first), member_of(SERVICE, second)]
    plan = decide_endpoints(SERVICE, members, [], None)
    slices = [item.object for item in plan.create if item.object["kind"] == "EndpointSlice"]
    assert sorted(found["ports"][0]["port"] for found in slices) == [1, 2]
    (endpoints,) = [item.object for item in plan.create if item.object["kind"] == "Endpoints"]
    assert [subset["ports"][0]["port"] for subset in endpoints["subsets"]] == [1, 2]


def test_a_pod_without_address_or_finished_is_no_endpoint() -> None:
    """Nothing could be sent there."""
    assert is_eligible(pod("a"))
    assert not is_eligible(pod("a", phase="Succeeded"))
    assert not is_eligible({**pod("a"), "status": {"phase": "Pending"}})


def test_endpoints_are_cut_at_a_thousand() -> None:
    """The Endpoints object says so; the slices hold all."""
    pods = [pod(f"p{at}") for at in range(1001)]
    plan = decide_endpoints(SERVICE, [member_of(SERVICE, p) for p in pods], [], None)
    (endpoints,) = [item.object for item in plan.create if item.object["kind"] == "Endpoints"]
    annotations = endpoints["metadata"]["annotations"]
    assert annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}
    assert sum(len(subset["addresses"]) for subset in endpoints["subsets"]) == 1000
    slices = [item.object for item in plan.create if item.object["kind"] == "EndpointSlice"]
    assert sum(len(found["endpoints"]) for found in slices) == 1001


def test_a_hash_is_stable_and_ignores_the_order_of_fields() -> None:
    """The same template has the same name in every process; a collision gives another."""
    template = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": []}}
    turned = {"spec": {"containers": []}, "metadata": {"labels": {"b": "2", "a": "1"}}}
    assert template_hash(template) == template_hash(turned)
    assert template_hash(template, 1) != template_hash(template)
    assert set(template_hash(template)) <= set("bcdfghjklmnpqrstvwxz2456789")
    hashed = {**template, "metadata": {"labels": {"a": "1", "b": "2", "pod-template-hash": "x"}}}
    assert same_template(template, hashed)
    assert not same_template(template, {**template, "spec": {"containers": [{}]}})


def test_the_first_service_address_is_the_apis() -> None:
    """kubernetes.default is where in-cluster clients look."""
    api = ApiEndpoint(address="127.0.0.1", port=6443, service_range="127.96.0.0/16")
    objects = {(key.resource, key.name): obj for key, obj in bootstrap_objects(api)}
    service = objects["services", "kubernetes"]
    assert service["spec"]["clusterIP"] == "127.96.0.1"
    assert service["spec"]["ports"][0]["targetPort"] == 6443
    assert ("namespaces", "kube-node-lease") in objects
