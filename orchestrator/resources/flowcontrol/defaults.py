"""The FlowSchemas and PriorityLevelConfigurations that every cluster has.

Source of the values: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap. Two of each kind are
mandatory: their spec is fixed, and they come back when they are deleted. The others are suggested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from orchestrator.resources.objects import Key, Object

GROUP: Final = "flowcontrol.apiserver.k8s.io"
SCHEMAS: Final = f"flowschemas.{GROUP}"
LEVELS: Final = f"prioritylevelconfigurations.{GROUP}"
MANDATORY: Final = ("exempt", "catch-all")
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"

_Part = dict[str, Any]


def _queues(queues: int, hand: int, length: int = 50) -> _Part:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": length}
    return {"type": "Queue", "queuing": queuing}


def _limited(shares: int, lendable: int, response: _Part) -> _Part:
    limited = {
        "nominalConcurrencyShares": shares,
        "limitResponse": response,
        "lendablePercent": lendable,
    }
    return {"type": "Limited", "limited": limited}


LEVEL_SPECS: Final[dict[str, _Part]] = {
    "exempt": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    "catch-all": _limited(5, 0, {"type": "Reject"}),
    "system": _limited(30, 33, _queues(64, 6)),
    "node-high": _limited(40, 25, _queues(64, 6)),
    "leader-election": _limited(10, 0, _queues(16, 4)),
    "workload-high": _limited(40, 50, _queues(128, 6)),
    "workload-low": _limited(100, 90, _queues(128, 6)),
    "global-default": _limited(20, 50, _queues(128, 6)),
}
"""Specs of the priority levels by name, with their defaults."""

_ALL: Final = ["*"]
_LEAD: Final = ["get", "create", "update"]
_EVERYBODY: Final = ("system:unauthenticated", "system:authenticated")


def _groups(*names: str) -> list[_Part]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[_Part]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _accounts(*names: str) -> list[_Part]:
    return [
        {"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}}
        for name in names
    ]


def _rule(verbs: list[str], group: str, resources: Iterable[str], *, cluster: bool) -> _Part:
    rule: _Part = {"verbs": verbs, "apiGroups": [group], "resources": list(resources)}
    if cluster:
        rule["clusterScope"] = True
    return {**rule, "namespaces": _ALL}


_ANYTHING: Final = {
    "resourceRules": [_rule(_ALL, "*", "*", cluster=True)],
    "nonResourceRules": [{"verbs": _ALL, "nonResourceURLs": _ALL}],
}
_LEASES: Final = _rule(_LEAD, "coordination.k8s.io", ["leases"], cluster=False)


def _schema(
    level: str, precedence: int, method: str, subjects: list[_Part], rules: _Part = _ANYTHING
) -> _Part:
    spec: _Part = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
    }
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return {**spec, "rules": [{"subjects": subjects, **rules}]}


SCHEMA_SPECS: Final[dict[str, _Part]] = {
    "exempt": _schema("exempt", 1, "", _groups("system:masters")),
    "catch-all": _schema("catch-all", 10000, "ByUser", _groups(*_EVERYBODY)),
    "system-nodes": _schema("system", 500, "ByUser", _groups("system:nodes")),
    "system-node-high": _schema(
        "node-high",
        400,
        "ByUser",
        _groups("system:nodes"),
        {
            "resourceRules": [
                _rule(_ALL, "", ["nodes", "nodes/status"], cluster=True),
                _rule(_ALL, "coordination.k8s.io", ["leases"], cluster=False),
            ]
        },
    ),
    "probes": _schema(
        "exempt",
        2,
        "",
        _groups(*_EVERYBODY),
        {
            "nonResourceRules": [
                {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
            ]
        },
    ),
    "system-leader-election": _schema(
        "leader-election",
        100,
        "ByUser",
        [*_users("system:kube-controller-manager", "system:kube-scheduler"), *_accounts("*")],
        {"resourceRules": [_LEASES]},
    ),
    "workload-leader-election": _schema(
        "leader-election", 200, "ByUser", _accounts("*"), {"resourceRules": [_LEASES]}
    ),
    "endpoint-controller": _schema(
        "workload-high",
        150,
        "ByUser",
        [
            *_users("system:kube-controller-manager"),
            *_accounts("endpoint-controller", "endpointslicemirroring-controller"),
        ],
        {"resourceRules": [_rule(_LEAD, "", ["endpoints"], cluster=False)]},
    ),
    "kube-controller-manager": _schema(
        "workload-high", 800, "ByNamespace", _users("system:kube-controller-manager")
    ),
    "kube-scheduler": _schema("workload-high", 800, "ByNamespace", _users("system:kube-scheduler")),
    "kube-system-service-accounts": _schema("workload-high", 900, "ByNamespace", _accounts("*")),
    "service-accounts": _schema("workload-low", 9000, "ByUser", _groups("system:serviceaccounts")),
    "global-default": _schema("global-default", 9900, "ByUser", _groups(*_EVERYBODY)),
}
"""Specs of the flow schemas by name, with their defaults."""


def default_flow_control() -> Iterator[tuple[Key, Object]]:
    """Yield the objects with their keys; levels before the schemas that name them."""
    for name, spec in LEVEL_SPECS.items():
        yield Key(LEVELS, "", name), _object("PriorityLevelConfiguration", name, spec)
    for name, spec in SCHEMA_SPECS.items():
        yield Key(SCHEMAS, "", name), _object("FlowSchema", name, spec)


def _object(kind: str, name: str, spec: _Part) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": spec,
    }
