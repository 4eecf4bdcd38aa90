"""The levels and schemas that every API server has.

Source of the values: k8s.io/apiserver pkg/apis/flowcontrol/bootstrap/default.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.resources.objects import Key, Object

LEVELS: Final = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
SCHEMAS: Final = "flowschemas.flowcontrol.apiserver.k8s.io"
_API_VERSION: Final = "flowcontrol.apiserver.k8s.io/v1"
_AUTO: Final = {"apf.kubernetes.io/autoupdate-spec": "true"}

_LIMITED: Final = {
    # name: (shares, lendable per cent, queues, hand size); queues None: refuse what is too much
    "system": (30, 33, 64, 6),
    "node-high": (40, 25, 64, 6),
    "leader-election": (10, 0, 16, 4),
    "workload-high": (40, 50, 128, 6),
    "workload-low": (100, 90, 128, 6),
    "global-default": (20, 50, 128, 6),
    "catch-all": (5, 0, None, None),
}
_QUEUE_LENGTH: Final = 50

_EVERYONE: Final = ("group:system:unauthenticated", "group:system:authenticated")
_MANAGER: Final = "user:system:kube-controller-manager"
_LEASES: Final = ("get create update", "coordination.k8s.io", "leases")
_ANYTHING: Final = ("*", "*", "*")
_ANY_PAGE: Final = ("*", "*")

_Row = tuple[str, int, str, str, tuple[str, ...], tuple[tuple[str, ...], ...]]
_SCHEMAS: Final[tuple[_Row, ...]] = (
    # name, precedence, level, distinguisher, subjects, rules: resources (verbs, group, resources)
    # or pages (verbs, paths)
    ("exempt", 1, "exempt", "", ("group:system:masters",), (_ANYTHING, _ANY_PAGE)),
    ("probes", 2, "exempt", "", _EVERYONE, (("get", "/healthz /readyz /livez"),)),
    (
        "system-leader-election",
        100,
        "leader-election",
        "ByUser",
        (_MANAGER, "user:system:kube-scheduler"),
        (_LEASES,),
    ),
    (
        "endpoint-controller",
        150,
        "workload-high",
        "ByUser",
        (
            _MANAGER,
            "account:kube-system:endpoint-controller",
            "account:kube-system:endpointslicemirroring-controller",
        ),
        (("get create update", "", "endpoints"),),
    ),
    (
        "workload-leader-election",
        200,
        "leader-election",
        "ByUser",
        ("account:kube-system:*",),
        (_LEASES,),
    ),
    (
        "system-node-high",
        400,
        "node-high",
        "ByUser",
        ("group:system:nodes",),
        (("*", "", "nodes nodes/status"), ("*", "coordination.k8s.io", "leases")),
    ),
    (
        "system-nodes",
        500,
        "system",
        "ByUser",
        ("group:system:nodes",),
        (_ANYTHING, _ANY_PAGE),
    ),
    (
        "kube-controller-manager",
        800,
        "workload-high",
        "ByNamespace",
        (_MANAGER,),
        (_ANYTHING, _ANY_PAGE),
    ),
    (
        "kube-scheduler",
        800,
        "workload-high",
        "ByNamespace",
        ("user:system:kube-scheduler",),
        (_ANYTHING, _ANY_PAGE),
    ),
    (
        "kube-system-service-accounts",
        900,
        "workload-high",
        "ByNamespace",
        ("account:kube-system:*",),
        (_ANYTHING, _ANY_PAGE),
    ),
    (
        "service-accounts",
        9000,
        "workload-low",
        "ByUser",
        ("group:system:serviceaccounts",),
        (_ANYTHING, _ANY_PAGE),
    ),
    ("global-default", 9900, "global-default", "ByUser", _EVERYONE, (_ANYTHING, _ANY_PAGE)),
    ("catch-all", 10000, "catch-all", "ByUser", _EVERYONE, (_ANYTHING, _ANY_PAGE)),
)


def default_flow_control() -> Iterator[tuple[Key, Object]]:
    """Yield the objects with their keys; levels before the schemas that name them."""
    yield _level("exempt", {"type": "Exempt", "exempt": _shares(0, 0)})
    for name, (shares, lendable, queues, hand) in _LIMITED.items():
        response: dict[str, Any] = {"type": "Reject"}
        if queues is not None:
            queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": _QUEUE_LENGTH}
            response = {"type": "Queue", "queuing": queuing}
        limited = {**_shares(shares, lendable), "limitResponse": response}
        yield _level(name, {"type": "Limited", "limited": limited})
    for name, precedence, level, distinguisher, subjects, rules in _SCHEMAS:
        spec: dict[str, Any] = {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,
        }
        if distinguisher:
            spec["distinguisherMethod"] = {"type": distinguisher}
        spec["rules"] = [_rules(subjects, rules)]
        yield _object(SCHEMAS, "FlowSchema", name, spec)


def _shares(shares: int, lendable: int) -> dict[str, Any]:
    return {"nominalConcurrencyShares": shares, "lendablePercent": lendable}


def _level(name: str, spec: dict[str, Any]) -> tuple[Key, Object]:
    return _object(LEVELS, "PriorityLevelConfiguration", name, spec)


def _object(resource: str, kind: str, name: str, spec: dict[str, Any]) -> tuple[Key, Object]:
    metadata = {"name": name, "annotations": dict(_AUTO)}
    obj = {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return Key(resource, "", name), obj


def _rules(subjects: tuple[str, ...], rules: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"subjects": [_subject(text) for text in subjects]}
    resources = [rule for rule in rules if len(rule) == 3]
    pages = [rule for rule in rules if len(rule) == 2]
    if resources:
        found["resourceRules"] = [
            {
                "verbs": verbs.split(),
                "apiGroups": [group],
                "resources": names.split(),
                "clusterScope": True,
                "namespaces": ["*"],
            }
            for verbs, group, names in resources
        ]
    if pages:
        found["nonResourceRules"] = [
            {"verbs": verbs.split(), "nonResourceURLs": paths.split()} for verbs, paths in pages
        ]
    return found


def _subject(text: str) -> dict[str, Any]:
    what, _, rest = text.partition(":")
    if what == "account":
        namespace, _, name = rest.partition(":")
        account = {"namespace": namespace, "name": name}
        return {"kind": "ServiceAccount", "serviceAccount": account}
    kind = what.capitalize()
    return {"kind": kind, what: {"name": rest}}
