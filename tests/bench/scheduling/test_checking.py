"""The checks of placements find what is wrong, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.bench.scheduling.checking import Surroundings, check
from orchestrator.bench.scheduling.history import Change

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str, zone: str = "a", *, cpu: str = "1", pods: str = "110", **spec: Any) -> Change:
    """A node that joins."""
    labels = {HOST: name, ZONE: zone}
    room = {"cpu": cpu, "memory": "1Gi", "pods": pods, "example.com/gpu": "1"}
    made = {"metadata": {"name": name, "labels": labels}, "spec": spec,
            "status": {"allocatable": room}}  # fmt: skip
    return Change("node", made, 0.0)


def bound(
    name: str,
    where: str,
    *,
    labels: dict[str, str] | None = None,
    requests: dict[str, str] | None = None,
    ports: list[dict[str, Any]] | None = None,
    namespace: str = "default",
    **spec: Any,
) -> Change:
    """A pod that is bound."""
    container = {"name": "c", "resources": {"requests": requests or {}}, "ports": ports or []}
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    made = {"metadata": metadata, "spec": {"nodeName": where, "containers": [container], **spec}}
    return Change("bound", made, 0.0)


def gone(change: Change) -> Change:
    """That pod, deleted."""
    return Change("gone", change.object, 0.0)


def affinity(kind: str, labels: dict[str, str], key: str, **term: Any) -> dict[str, Any]:
    """Required affinity to pods with these labels."""
    return {kind: {REQUIRED: [
        {"labelSelector": {"matchLabels": labels}, "topologyKey": key, **term}
    ]}}  # fmt: skip


def spread(skew: int, labels: dict[str, str]) -> list[dict[str, Any]]:
    """One hard constraint over zones."""
    return [
        {"maxSkew": skew, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule",
         "labelSelector": {"matchLabels": labels}}
    ]  # fmt: skip


TAINTED = [{"key": "k", "value": "v", "effect": "NoSchedule"}]
TOLERATING = [{"key": "k", "operator": "Exists"}]
ZONE_B = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}
]}}}  # fmt: skip
BLUE = {"color": "blue"}
NEAR = affinity("podAffinity", BLUE, ZONE)
AWAY = affinity("podAntiAffinity", BLUE, HOST)
PORT = [{"containerPort": 80, "hostPort": 80}]
LOCAL_PORT = [{"containerPort": 80, "hostPort": 80, "hostIP": "127.0.0.1"}]
A, B = node("a"), node("b", "b")
FIRST = bound("first", "a", requests={"cpu": "600m"})
INIT = [{"name": "i", "resources": {"requests": {"cpu": "600m"}}}]
SIDECAR = [{"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1500m"}}}]

WRONG = {
    "cpu": ("NodeResourcesFit", [A, FIRST, bound("p", "a", requests={"cpu": "500m"})]),
    "memory": ("NodeResourcesFit", [A, bound("p", "a", requests={"memory": "2Gi"})]),
    "number of pods": ("NodeResourcesFit", [node("a", pods="1"), FIRST, bound("p", "a")]),
    "extended": ("NodeResourcesFit", [A, bound("p", "a", requests={"example.com/gpu": "2"})]),
    "init container": ("NodeResourcesFit", [A, FIRST, bound("p", "a", initContainers=INIT)]),
    "sidecar": ("NodeResourcesFit", [A, bound("p", "a", initContainers=SIDECAR)]),
    "overhead": ("NodeResourcesFit", [A, bound("p", "a", overhead={"cpu": "2"})]),
    "pod level": (
        "NodeResourcesFit",
        [A, bound("p", "a", resources={"requests": {"cpu": "2"}})],
    ),
    "node": ("NodeName", [bound("p", "nowhere")]),
    "node that left": ("NodeName", [A, Change("node gone", A.object, 0.0), bound("p", "a")]),
    "twice": ("bound once", [A, B, FIRST, bound("first", "b")]),
    "selector": ("NodeAffinity", [A, bound("p", "a", nodeSelector={ZONE: "b"})]),
    "node affinity": ("NodeAffinity", [A, bound("p", "a", affinity=ZONE_B)]),
    "taint": ("TaintToleration", [node("a", taints=TAINTED), bound("p", "a")]),
    "unschedulable": ("TaintToleration", [node("a", unschedulable=True), bound("p", "a")]),
    "port": ("NodePorts", [A, bound("q", "a", ports=PORT), bound("p", "a", ports=LOCAL_PORT)]),
    "affinity": (
        "InterPodAffinity",
        [A, B, bound("q", "a", labels=BLUE), bound("p", "b", affinity=NEAR)],
    ),
    "affinity to a pod that left": (
        "InterPodAffinity",
        [A, bound("q", "a", labels=BLUE), gone(bound("q", "a")), bound("p", "a", affinity=NEAR)],
    ),
    "affinity in another namespace": (
        "InterPodAffinity",
        [A, bound("q", "a", labels=BLUE, namespace="n"), bound("p", "a", affinity=NEAR)],
    ),
    "anti-affinity": (
        "InterPodAffinity",
        [A, bound("q", "a", labels=BLUE), bound("p", "a", affinity=AWAY)],
    ),
    "another's anti-affinity": (
        "InterPodAffinity",
        [A, bound("q", "a", affinity=AWAY), bound("p", "a", labels=BLUE)],
    ),
    "spread": (
        "PodTopologySpread",
        [A, B, *(bound(n, "a", labels=BLUE, topologySpreadConstraints=spread(1, BLUE))
                 for n in ("q", "p"))],
    ),
    "volumes": (
        "NodeVolumeLimits",
        [A, *(bound(n, "a", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": n}}])
              for n in ("q", "p"))],
    ),
}  # fmt: skip

RIGHT = {
    "what is left": [A, FIRST, bound("p", "a", requests={"cpu": "400m"})],
    "what a pod left": [A, FIRST, gone(FIRST), bound("p", "a", requests={"cpu": "1"})],
    "init container": [A, bound("p", "a", initContainers=INIT, requests={"cpu": "1"})],
    "selector": [B, bound("p", "b", nodeSelector={ZONE: "b"}, affinity=ZONE_B)],
    "toleration": [node("a", taints=TAINTED), bound("p", "a", tolerations=TOLERATING)],
    "port of another address": [
        A,
        bound("q", "a", ports=[{"containerPort": 80, "hostPort": 80, "hostIP": "127.0.0.2"}]),
        bound("p", "a", ports=LOCAL_PORT),
    ],
    "the first of its kind": [A, bound("p", "a", labels=BLUE, affinity=NEAR)],
    "affinity": [
        A, node("c"), bound("q", "c", labels=BLUE), bound("p", "a", affinity=NEAR),
    ],
    "affinity to a named namespace": [
        A, bound("q", "a", labels=BLUE, namespace="n"),
        bound("p", "a", affinity=affinity("podAffinity", BLUE, ZONE, namespaces=["n"])),
    ],
    "affinity to a selected namespace": [
        A, bound("q", "a", labels=BLUE, namespace="n"),
        bound("p", "a", affinity=affinity(
            "podAffinity", BLUE, ZONE, namespaceSelector={"matchLabels": {"team": "x"}})),
    ],
    "anti-affinity": [A, B, bound("q", "a", labels=BLUE), bound("p", "b", affinity=AWAY)],
    "another's anti-affinity that is gone": [
        A, bound("q", "a", affinity=AWAY), gone(bound("q", "a", affinity=AWAY)),
        bound("p", "a", labels=BLUE),
    ],
    "spread": [
        A, B, *(bound(n, where, labels=BLUE, topologySpreadConstraints=spread(1, BLUE))
                for n, where in (("q", "a"), ("p", "b"), ("r", "a"))),
    ],
}  # fmt: skip

AROUND = Surroundings(
    namespaces={"n": {"metadata": {"name": "n", "labels": {"team": "x"}}}},
    volumes={
        name: {"metadata": {"name": name}, "spec": {"csi": {"driver": "d", "volumeHandle": name}}}
        for name in ("p", "q")
    },
    claims={("default", name): {"spec": {"volumeName": name}} for name in ("p", "q")},
    limits={("a", "d"): 1},
)


@pytest.mark.parametrize(("rule", "changes"), WRONG.values(), ids=WRONG)
def test_a_broken_rule_is_found(rule: str, changes: list[Change]) -> None:
    """With the pod that was bound last, and nothing else."""
    (violation,) = check(changes, AROUND)
    last = changes[-1].object["metadata"]
    assert (violation.pod, violation.rule) == ((last["namespace"], last["name"]), rule)


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_what_keeps_the_rules_passes(changes: list[Change]) -> None:
    """Though it comes close."""
    assert check(changes, AROUND) == []
