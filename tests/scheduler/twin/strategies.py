"""Random small clusters, pods with every feature mixed, and what happens to them meanwhile.

Nothing here draws names: things are named by where they stand in a list, and pods by a counter, so
that a failing example stays the same failure when parts of it are taken away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.scheduler.twin.builders import (
    HOST,
    MI,
    PREFERRED,
    REQUIRED,
    ZONE,
    Object,
    container,
    expression,
    node,
    pod,
)

ZONES = ("z1", "z2", "z3")
RACK = "example.com/rack"
USE = "use"
GPU = "example.com/gpu"
CLAIMS = 6
"""Claims that pods share: ``c0`` to ``c5``, of the namespace ``default``."""
IMAGES = {"small:1": 10 * MI, "middle:latest": 90 * MI, "large:2": 900 * MI}
NAMESPACES = ("default", "other")

FEATURES = (
    "requests",
    "init",
    "extended",
    "ports",
    "tolerations",
    "selector",
    "node affinity",
    "preferred nodes",
    "named nodes",
    "images",
    "priority",
    "spread",
    "soft spread",
    "affinity",
    "anti-affinity",
    "preferred pods",
    "owner",
    "claims",
    "disk",
)
"""What a pod may have beside labels and a small request."""

CPUS = st.sampled_from(["100m", "1", "0", "500m", "1500m", "333m", "2"])
MEMORIES = st.sampled_from(["100Mi", "1Gi", "0", "500M", "1", "2Gi"])
LABEL_SETS: SearchStrategy[dict[str, str]] = st.sampled_from(
    [
        {"app": "a"},
        {"app": "a"},
        {"app": "b"},
        {},
        {"app": "a", "rev": "1"},
        {"app": "a", "rev": "2"},
        {"app": "b", "rev": "1"},
    ]
)
SELECTORS: SearchStrategy[Object] = st.sampled_from(
    [
        {"matchLabels": {"app": "a"}},
        {},
        {"matchLabels": {"app": "b"}},
        {"matchLabels": {"app": "a"}},
        {"matchExpressions": [{"key": "rev", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
    ]
)
KEYS = st.sampled_from([ZONE, HOST, ZONE, HOST, RACK])
TAINTS = st.lists(
    st.builds(
        lambda key, value, effect: {"key": key, "value": value, "effect": effect},
        st.sampled_from(["k", "l"]),
        st.sampled_from(["", "v"]),
        st.sampled_from(["PreferNoSchedule", "NoSchedule", "PreferNoSchedule", "NoExecute"]),
    ),
    max_size=2,
    unique_by=lambda taint: (taint["key"], taint["effect"]),
)
USUALLY_NONE: SearchStrategy[Any] = st.one_of(st.just([]), TAINTS)


class NodeRecipe(NamedTuple):
    """A node but for its name."""

    labels: dict[str, str]
    hostname: bool
    allocatable: dict[str, str]
    images: tuple[str, ...]
    taints: list[Object]
    cordoned: bool

    def named(self, name: str) -> Object:
        """Make the node."""
        labels = {**self.labels, **({HOST: name} if self.hostname else {})}
        spec: dict[str, Any] = {}
        if self.taints:
            spec["taints"] = self.taints
        if self.cordoned:
            spec["unschedulable"] = True
        return node(
            name,
            labels,
            allocatable=self.allocatable,
            images={image: IMAGES[image] for image in self.images},
            **spec,
        )


class PodRecipe(NamedTuple):
    """A pod but for its name: what a template says."""

    namespace: str
    labels: dict[str, str]
    containers: list[Object]
    spec: dict[str, Any]
    owner: str | None

    def named(self, name: str) -> Object:
        """Make the pod."""
        metadata: dict[str, Any] = {}
        if self.owner:
            reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}
            metadata["ownerReferences"] = [
                {**reference, "name": self.owner, "uid": f"{self.namespace}/{self.owner}"}
            ]
        return pod(
            name,
            labels=self.labels,
            namespace=self.namespace,
            containers=self.containers,
            metadata=metadata,
            **self.spec,
        )


class Step(NamedTuple):
    """Something that happens: what, and to which of those there (counted round)."""

    what: str
    which: int
    other: int


def _some(values: SearchStrategy[Any], rarely: Any, often: int = 1) -> SearchStrategy[Any]:
    """Draw a value now and then, else the usual one."""
    return st.one_of(*[st.just(rarely)] * often, values)


@st.composite
def node_recipes(draw: st.DrawFn) -> NodeRecipe:
    """Draw a node: usually in a zone, often small, sometimes tainted, cordoned or odd."""
    labels = {}
    zone = draw(st.sampled_from([*ZONES[:2], *ZONES, *ZONES, None]))
    if zone is not None:
        labels[ZONE] = zone
    rack = draw(st.sampled_from([None, "r1", "r2"]))
    if rack is not None:
        labels[RACK] = rack
    use = draw(st.sampled_from(["1", None, "2", "x", "1"]))
    if use is not None:
        labels[USE] = use
    allocatable = {
        "cpu": draw(st.sampled_from(["4", "8", "2", "1", "3999m", "16", "4", "8", "0"])),
        "memory": draw(st.sampled_from(["8Gi", "16Gi", "4Gi", "2Gi", "3000000001", "8Gi", "0"])),
        "pods": draw(st.sampled_from(["110", "110", "110", "110", "3", "2", "0"])),
    }
    gpus = draw(st.sampled_from([None, None, "1", "2"]))
    if gpus is not None:
        allocatable[GPU] = gpus
    return NodeRecipe(
        labels,
        draw(st.sampled_from([True, True, True, False])),
        allocatable,
        tuple(draw(st.lists(st.sampled_from(sorted(IMAGES)), max_size=2, unique=True))),
        draw(USUALLY_NONE),
        draw(_some(st.just(True), False, 7)),
    )


@st.composite
def terms(draw: st.DrawFn) -> Object:
    """Draw a pod affinity term."""
    form: dict[str, Any] = {"topologyKey": draw(KEYS), "labelSelector": draw(SELECTORS)}
    match draw(st.sampled_from(["own", "own", "labelled", "named", "all", "labelled"])):
        case "named":
            form["namespaces"] = ["other"]
        case "all":
            form["namespaceSelector"] = {}
        case "labelled":
            form["namespaceSelector"] = {"matchLabels": {"team": "x"}}
        case _:
            pass
    match draw(st.sampled_from(["", "", "", "same", "different"])):
        case "same":
            form["matchLabelKeys"] = ["rev"]
        case "different":
            form["mismatchLabelKeys"] = ["rev"]
        case _:
            pass
    return form


@st.composite
def constraints(draw: st.DrawFn, hard: bool) -> Object:
    """Draw a topology spread constraint."""
    form: dict[str, Any] = {
        "maxSkew": draw(st.sampled_from([1, 1, 2, 3])),
        "topologyKey": draw(KEYS),
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": draw(SELECTORS),
    }
    if hard and draw(_some(st.just(True), False)):
        form["minDomains"] = draw(st.integers(1, 4))
    for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        value = draw(st.sampled_from([None, "Honor", "Ignore"]))
        if value:
            form[policy] = value
    if draw(_some(st.just(True), False)):
        form["matchLabelKeys"] = ["rev"]
    return form


NODE_EXPRESSIONS = st.sampled_from(
    [
        expression(USE, "In", "1", "x"),
        expression(USE, "NotIn", "1"),
        expression(USE, "Exists"),
        expression(USE, "DoesNotExist"),
        expression(USE, "Gt", "1"),
        expression(USE, "Lt", "2"),
        expression(ZONE, "In", "z1"),
        expression(ZONE, "NotIn", "z1"),
    ]
)
NODE_TERMS = st.builds(
    lambda some: {"matchExpressions": some}, st.lists(NODE_EXPRESSIONS, min_size=1, max_size=2)
)
NAMED_TERMS = st.builds(
    lambda names: {
        "matchFields": [expression("metadata.name", "In", f"n{name}") for name in names]
    },
    st.lists(st.integers(0, 5), min_size=1, max_size=2),
)
TOLERATIONS: SearchStrategy[list[Object]] = st.lists(
    st.sampled_from(
        [
            {"key": "k", "operator": "Exists"},
            {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"},
            {"key": "l", "value": "v"},
            {"operator": "Exists", "effect": "PreferNoSchedule"},
            {"operator": "Exists"},
            {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
        ]
    ),
    min_size=1,
    max_size=2,
)
PORTS = st.builds(
    lambda port, address, protocol: {
        "containerPort": port,
        "hostPort": port,
        "hostIP": address,
        "protocol": protocol,
    },
    st.sampled_from([80, 81]),
    st.sampled_from(["", "", "10.0.0.1", "10.0.0.2"]),
    st.sampled_from(["TCP", "TCP", "UDP"]),
)


def _requests(cpu: str, memory: str) -> dict[str, str]:
    return {"cpu": cpu, "memory": memory}


REQUESTS = st.builds(_requests, CPUS, MEMORIES)


@st.composite
def pod_recipes(draw: st.DrawFn, features: Collection[str] = FEATURES) -> PodRecipe:
    """Draw a template of pods with up to four of the features."""
    chosen = set(
        draw(
            st.lists(
                st.sampled_from([one for one in FEATURES if one in features]),
                min_size=1,
                max_size=4,
                unique=True,
            )
        )
    )
    spec: dict[str, Any] = {}
    affinity: dict[str, dict[str, Any]] = {}
    main: dict[str, Any] = {"requests": {}}
    containers = [main]
    for feature in FEATURES:
        if feature not in chosen:
            continue
        match feature:
            case "requests":
                main["requests"] = draw(REQUESTS)
                if draw(_some(st.just(True), False)):
                    containers.append({"requests": draw(REQUESTS)})
                if draw(_some(st.just(True), False)):
                    spec["overhead"] = {"cpu": "50m", "memory": "1Mi"}
                if draw(_some(st.just(True), False)):
                    spec["resources"] = {"requests": draw(REQUESTS)}
            case "init":
                kinds = st.sampled_from([{}, {"restartPolicy": "Always"}])
                spec["initContainers"] = [
                    container(asked, name=f"i{index}", image="init", **kind)
                    for index, (asked, kind) in enumerate(
                        draw(st.lists(st.tuples(REQUESTS, kinds), min_size=1, max_size=3))
                    )
                ]
            case "extended":
                main["requests"] = {**main["requests"], GPU: draw(st.sampled_from("120"))}
            case "ports":
                main["ports"] = draw(st.lists(PORTS, min_size=1, max_size=2))
            case "tolerations":
                spec["tolerations"] = draw(TOLERATIONS)
            case "selector":
                spec["nodeSelector"] = draw(
                    st.sampled_from([{USE: "1"}, {ZONE: "z1"}, {USE: "1", ZONE: "z2"}])
                )
            case "node affinity" | "named nodes":
                kind = NODE_TERMS if feature == "node affinity" else NAMED_TERMS
                some: list[Any] = draw(st.lists(kind, min_size=1, max_size=2))
                affinity.setdefault("nodeAffinity", {})[REQUIRED] = {"nodeSelectorTerms": some}
            case "preferred nodes":
                some = draw(
                    st.lists(st.tuples(st.integers(1, 100), NODE_TERMS), min_size=1, max_size=2)
                )
                affinity.setdefault("nodeAffinity", {})[PREFERRED] = [
                    {"weight": weight, "preference": one} for weight, one in some
                ]
            case "images":
                main["image"] = draw(st.sampled_from(["small:1", "middle", "large:2"]))
            case "priority":
                spec["priority"] = draw(st.sampled_from([10, 5, -1]))
                if draw(_some(st.just(True), False)):
                    spec["preemptionPolicy"] = "Never"
            case "spread" | "soft spread":
                some = draw(st.lists(constraints(feature == "spread"), min_size=1, max_size=2))
                spec.setdefault("topologySpreadConstraints", []).extend(some)
            case "affinity" | "anti-affinity":
                kind_of_term = "podAffinity" if feature == "affinity" else "podAntiAffinity"
                some = draw(st.lists(terms(), min_size=1, max_size=2))
                affinity.setdefault(kind_of_term, {})[REQUIRED] = some
            case "preferred pods":
                for kind_of_term in ("podAffinity", "podAntiAffinity"):
                    some = draw(st.lists(st.tuples(st.integers(1, 100), terms()), max_size=2))
                    if some:
                        affinity.setdefault(kind_of_term, {})[PREFERRED] = [
                            {"weight": weight, "podAffinityTerm": one} for weight, one in some
                        ]
            case "claims":
                indexes = st.integers(0, CLAIMS - 1)
                for index in draw(st.lists(indexes, min_size=1, max_size=2, unique=True)):
                    source = {"persistentVolumeClaim": {"claimName": f"c{index}"}}
                    spec.setdefault("volumes", []).append({"name": f"c{index}", **source})
            case "disk":
                disk = {"pdName": "d", "readOnly": draw(st.booleans())}
                spec.setdefault("volumes", []).append({"name": "d", "gcePersistentDisk": disk})
            case _:
                pass
    if affinity:
        spec["affinity"] = affinity
    return PodRecipe(
        draw(st.sampled_from(["default", "default", "other"])),
        draw(LABEL_SETS),
        [
            container(
                one["requests"],
                name=f"c{index}",
                image=one.get("image", "app"),
                ports=one.get("ports", []),
            )
            for index, one in enumerate(containers)
        ],
        spec,
        draw(st.sampled_from(["a", "b"])) if "owner" in chosen else None,
    )


STEPS = (
    *["place"] * 8, "remove", "terminate", "relabel pod", "change node", "relabel node",
    "cordon", "remove node", "label namespace", "label namespace", "serve",
)  # fmt: skip
"""What happens, by how often: placements of a template's next pod most of all."""


def steps(kinds: Collection[str] = STEPS, most: int = 16) -> SearchStrategy[list[Step]]:
    """Draw what happens."""
    return st.lists(
        st.builds(
            Step,
            st.sampled_from([kind for kind in STEPS if kind in kinds]),
            st.integers(0, 15),
            st.integers(0, 5),
        ),
        min_size=6,
        max_size=most,
    )
