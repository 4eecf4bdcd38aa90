"""Rules of flow control's kinds, and those of their objects that every cluster has."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.flowcontrol import default_flow_control
from orchestrator.resources.flowcontrol.defaults import LEVELS, SCHEMAS
from tests.resources.judging import Object, creation, defaulted, told, update

GROUP = "flowcontrol.apiserver.k8s.io/v1"
RESOURCE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}


def schema(name: str = "web", **spec: Any) -> Object:
    """Return a FlowSchema, the example with other fields."""
    whole = {"priorityLevelConfiguration": {"name": "web"}, "matchingPrecedence": 9, **spec}
    return {"apiVersion": GROUP, "kind": "FlowSchema", "metadata": {"name": name}, "spec": whole}


def rule(*subjects: Object, **rules: Any) -> Object:
    """Return a FlowSchema with one rule."""
    return schema(rules=[{"subjects": list(subjects), **rules}])


def level(name: str = "web", **spec: Any) -> Object:
    """Return a PriorityLevelConfiguration."""
    return {
        "apiVersion": GROUP,
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name},
        "spec": spec,
    }


def queues(**queuing: int) -> Object:
    """Return a level whose requests wait in queues."""
    return level(type="Limited", limited={"limitResponse": {"type": "Queue", "queuing": queuing}})


USER = {"kind": "User", "user": {"name": "ann"}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (rule(USER, resourceRules=[RESOURCE]), ""),
        (queues(), ""),
        (
            schema(
                matchingPrecedence=1,
                priorityLevelConfiguration={},
                distinguisherMethod={"type": "ByMood"},
            ),
            """
            - spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have
              matchingPrecedence 1
            - spec.distinguisherMethod.type: Unsupported value: {"Type":"ByMood"}: supported
              values: "ByNamespace", "ByUser"
            - spec.priorityLevelConfiguration.name: Required value: must reference a priority level
            """,
        ),
        (
            schema(matchingPrecedence=10001, priorityLevelConfiguration={"name": "A"}),
            """
            - spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000
            - spec.priorityLevelConfiguration.name: Invalid value: "A": <subdomain>
            """,
        ),
        (
            rule(),
            """
            - spec.rules[0].subjects: Required value: subjects must contain at least one value
            - spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has
              to be non-empty
            """,
        ),
        (
            rule(
                {"kind": "Robot"},
                {"kind": "User", "group": {"name": "g"}},
                {"kind": "Group", "group": {}, "user": {"name": "u"}, "serviceAccount": {}},
                {"kind": "ServiceAccount", "serviceAccount": {"name": "A"}},
                {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "B"}},
                resourceRules=[RESOURCE],
            ),
            """
            - spec.rules[0].subjects[0].kind: Unsupported value: "Robot": supported values: "Group",
              "ServiceAccount", "User"
            - spec.rules[0].subjects[1].user: Required value: user is required when subject kind is
              'User'
            - spec.rules[0].subjects[1].group: Forbidden: group is forbidden when subject kind is
              not 'Group'
            - spec.rules[0].subjects[2].group.name: Required value
            - spec.rules[0].subjects[2].serviceAccount: Forbidden: serviceAccount is forbidden when
              subject kind is not 'ServiceAccount'
            - spec.rules[0].subjects[2].user: Forbidden: user is forbidden when subject kind is not
              'User'
            - spec.rules[0].subjects[3].serviceAccount.name: Invalid value: "A": <subdomain>
            - spec.rules[0].subjects[3].serviceAccount.namespace: Required value: must specify
              namespace for service account
            - spec.rules[0].subjects[4].serviceAccount.namespace: Invalid value: "B": <label>
            """,
        ),
        (
            rule(
                USER,
                resourceRules=[
                    {},
                    {
                        "verbs": ["*", "get"],
                        "apiGroups": ["*", ""],
                        "resources": ["*", "pods"],
                        "namespaces": ["*", "a"],
                    },
                    {**RESOURCE, "verbs": ["fly"], "namespaces": ["A"]},
                ],
                nonResourceRules=[
                    {},
                    {"verbs": ["get"], "nonResourceURLs": ["", "a", "/ b", "/a//b", "/a*", "/a/*"]},
                    {"verbs": ["get"], "nonResourceURLs": ["*", "/a"]},
                ],
            ),
            """
            - spec.rules[0].resourceRules[0].verbs: Required value: verbs must contain at least one
              value
            - spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply
              at least one api group
            - spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply
              at least one resource
            - spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are
              not cluster scoped must supply at least one namespace
            - spec.rules[0].resourceRules[1].verbs: Invalid value: ["*","get"]: if '*' is present,
              must not specify other verbs
            - spec.rules[0].resourceRules[1].apiGroups: Invalid value: ["*",""]: if '*' is present,
              must not specify other api groups
            - spec.rules[0].resourceRules[1].resources: Invalid value: ["*","pods"]: if '*' is
              present, must not specify other resources
            - spec.rules[0].resourceRules[1].namespaces: Invalid value: ["*","a"]: if '*' is
              present, must not specify other namespaces
            - spec.rules[0].resourceRules[2].verbs: Unsupported value: ["fly"]: supported values:
              "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update",
              "watch"
            - spec.rules[0].resourceRules[2].namespaces[0]: Invalid value: "A": each member of this
              list must be '*' or a DNS-1123 label; <label>
            - spec.rules[0].nonResourceRules[0].verbs: Required value: verbs must contain at least
              one value
            - spec.rules[0].nonResourceRules[0].nonResourceURLs: Required value: nonResourceURLs
              must contain at least one value
            - spec.rules[0].nonResourceRules[1].nonResourceURLs[0]: Invalid value: "": must not be
              empty
            - spec.rules[0].nonResourceRules[1].nonResourceURLs[1]: Invalid value: "a": must start
              with slash
            - spec.rules[0].nonResourceRules[1].nonResourceURLs[2]: Invalid value: "/ b": must not
              contain white-space
            - spec.rules[0].nonResourceRules[1].nonResourceURLs[3]: Invalid value: "/a//b": must
              not contain double slash
            - spec.rules[0].nonResourceRules[1].nonResourceURLs[4]: Invalid value: "/a*": wildcard
              can only do suffix matching
            - spec.rules[0].nonResourceRules[2].nonResourceURLs: Invalid value: ["*","/a"]: if '*'
              is present, must not specify other non-resource URLs
            """,
        ),
        (
            level(type="Exempt", limited={}),
            """
            - spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is
              'exempt'
            - spec.limited: Forbidden: must be nil if the type is not Limited
            """,
        ),
        (
            level(type="Limited", exempt={"nominalConcurrencyShares": 1}),
            """
            - spec.exempt: Forbidden: must be nil if the type is Limited
            - spec.limited: Required value: must not be empty when type is Limited
            """,
        ),
        (
            level(type="Odd"),
            '- spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"',
        ),
        (
            level(
                type="Limited",
                limited={
                    "nominalConcurrencyShares": -1,
                    "lendablePercent": 101,
                    "borrowingLimitPercent": -1,
                    "limitResponse": {"type": "Reject", "queuing": {}},
                },
            ),
            """
            - spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative
              integer
            - spec.limited.limitResponse.queuing: Forbidden: must be nil if
              limited.limitResponse.type is not Limited
            - spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100,
              inclusive
            - spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a
              non-negative integer
            """,
        ),
        (
            queues(queues=-1, handSize=-1, queueLengthLimit=-1),
            """
            - spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be
              positive
            - spec.limited.limitResponse.queuing.queues: Invalid value: -1: must be positive
            - spec.limited.limitResponse.queuing.handSize: Invalid value: -1: must be positive
            """,
        ),
        (
            queues(queues=4, handSize=5),
            """
            - spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater
              than queues (4)
            """,
        ),
        (
            queues(queues=512, handSize=8),
            """
            - spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits
              of deckSize 512 and handSize 8 should not be greater than 60
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


def test_what_every_cluster_has_is_right_and_complete() -> None:
    """No default adds to it and no rule complains, writing it again included."""
    made = list(default_flow_control())
    for _, obj in made:
        assert defaulted(obj)["spec"] == obj["spec"]
        assert creation(obj) == []
    schemas = {obj["metadata"]["name"]: obj["spec"] for key, obj in made if key.resource == SCHEMAS}
    levels = {obj["metadata"]["name"] for key, obj in made if key.resource == LEVELS}
    assert (len(schemas), len(levels)) == (13, 8)
    assert {spec["priorityLevelConfiguration"]["name"] for spec in schemas.values()} == levels


@pytest.mark.parametrize(
    ("index", "change", "expected"),
    [
        (0, {"exempt": {"nominalConcurrencyShares": 3}}, []),
        (
            0,
            {"type": "Limited", "exempt": None, "limited": {"limitResponse": {"type": "Reject"}}},
            [
                "type must be 'Exempt' if and only if name is 'exempt'",
                "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value",
            ],
        ),
        (
            1,
            {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
            ["spec of 'catch-all' must equal the fixed value"],
        ),
        (8, {"matchingPrecedence": 2}, ["spec of 'exempt' must equal the fixed value"]),
        (10, {"matchingPrecedence": 2}, []),
    ],
)
def test_mandatory_objects_keep_their_spec(index: int, change: Object, expected: list[str]) -> None:
    """But for the shares of what is exempt; suggested objects may change."""
    _, old = list(default_flow_control())[index]
    spec = {field: value for field, value in {**old["spec"], **change}.items() if value is not None}
    found = update({**old, "spec": spec}, old)
    assert [problem.rpartition(": ")[2] for problem in found] == expected


def test_defaults_are_upstreams() -> None:
    """Zeros count as absent where zero is no choice."""
    assert defaulted(schema(matchingPrecedence=0))["spec"]["matchingPrecedence"] == 1000
    assert defaulted(queues(queues=0, handSize=4))["spec"]["limited"] == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {
            "type": "Queue",
            "queuing": {"queues": 64, "handSize": 4, "queueLengthLimit": 50},
        },
    }
    exempt = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
    assert defaulted(level("exempt", type="Exempt"))["spec"]["exempt"] == exempt


def test_conditions_have_a_type_each() -> None:
    """Of both kinds."""
    conditions = [{"type": "Dangling"}, {"type": "Dangling"}, {}]
    for obj in (schema(), level(type="Odd")):
        assert update({**obj, "status": {"conditions": conditions}}, obj, "status") == told("""
            - status.conditions[1].type: Duplicate value: "Dangling"
            - status.conditions[2].type: Required value: must not be empty
            """)
