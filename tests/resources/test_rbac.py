"""What rules allow, what covers what, and the roles every cluster begins with."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.rbac import (
    Attributes,
    aggregated_rules,
    allows,
    forbidden_access,
    missing_rights,
    rights_text,
)
from orchestrator.resources.rbac.policy import default_policy, reconciled


def rule(groups: str, resources: str, verbs: str, names: str = "") -> dict[str, Any]:
    """Make a rule of words; ``core`` is the core group."""
    made: dict[str, Any] = {
        "verbs": verbs.split(),
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
    }
    return {**made, "resourceNames": names.split()} if names else made


def urls(paths: str, verbs: str = "get") -> dict[str, Any]:
    """Make a rule about paths."""
    return {"verbs": verbs.split(), "nonResourceURLs": paths.split()}


GET_PODS = Attributes("get", resource="pods", namespace="n", name="a")
GET_LOG = Attributes("get", resource="pods", subresource="log", namespace="n", name="a")
SCALE = Attributes("update", "apps", "deployments", "scale", "n", "web")
LIST = Attributes("list", resource="pods")
PATH = Attributes("get", path="/healthz/etcd")

CASES: list[tuple[str, dict[str, Any], Attributes, bool]] = [
    ("exact", rule("core", "pods", "get"), GET_PODS, True),
    ("another verb", rule("core", "pods", "list"), GET_PODS, False),
    ("every verb", rule("core", "pods", "*"), GET_PODS, True),
    ("another group", rule("apps", "pods", "get"), GET_PODS, False),
    ("every group", rule("*", "pods", "get"), GET_PODS, True),
    ("every resource", rule("core", "*", "get"), GET_PODS, True),
    ("a resource is not its subresource", rule("core", "pods", "get"), GET_LOG, False),
    ("the subresource", rule("core", "pods/log", "get"), GET_LOG, True),
    ("every resource has every subresource", rule("core", "*", "get"), GET_LOG, True),
    ("this subresource of every resource", rule("*", "*/scale", "update"), SCALE, True),
    ("another subresource of every resource", rule("*", "*/status", "update"), SCALE, False),
    ("pods/* is no wildcard", rule("core", "pods/*", "get"), GET_LOG, False),
    ("by name", rule("core", "pods", "get", "a b"), GET_PODS, True),
    ("by another name", rule("core", "pods", "get", "b"), GET_PODS, False),
    ("a list has no name", rule("core", "pods", "list", "a"), LIST, False),
    ("a list of one by name", rule("core", "pods", "list", "a"), LIST._replace(name="a"), True),
    ("a path", urls("/healthz/etcd"), PATH, True),
    ("a prefix", urls("/healthz/*"), PATH, True),
    ("a shorter path", urls("/healthz"), PATH, False),
    ("every path", urls("*"), PATH, True),
    ("a path with another verb", urls("*", "post"), PATH, False),
    ("paths say nothing of resources", urls("*", "*"), GET_PODS, False),
    ("resources say nothing of paths", rule("*", "*", "*"), PATH, False),
    ("nothing", {}, GET_PODS, False),
]


@pytest.mark.parametrize(
    ("given", "asked", "allowed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_rule_allows_what_upstream_says_it_does(
    given: dict[str, Any], asked: Attributes, allowed: bool
) -> None:
    """Verb, group, resource, subresource and name, or verb and path."""
    assert allows([{}, given], asked) is allowed


def test_a_refusal_says_who_what_and_where() -> None:
    """Each form, in upstream's words."""
    error = forbidden_access("jo", GET_LOG)
    assert error.message == (
        'pods "a" is forbidden: User "jo" cannot get resource "pods/log" in API group "" in the '
        'namespace "n"'
    )
    assert error.status()["details"] == {"name": "a", "kind": "pods"}
    error = forbidden_access("j<o>", Attributes("list", "apps", "deployments"), "RBAC: x")
    assert error.message == (
        'deployments.apps is forbidden: User "j&lt;o&gt;" cannot list resource "deployments" in '
        'API group "apps" at the cluster scope: RBAC: x'
    )
    error = forbidden_access("jo", Attributes("get", path="/"))
    assert error.message == 'forbidden: User "jo" cannot get path "/"'
    assert error.status()["details"] == {}


COVERING: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]], str]] = [
    ("the same", [rule("core", "pods", "get")], [rule("core", "pods", "get")], ""),
    (
        "put together out of several",
        [rule("core", "pods", "get"), rule("core", "pods services", "list")],
        [rule("core", "pods", "get list")],
        "",
    ),
    (
        "verbs of one thing in one line",
        [],
        [rule("core", "pods secrets", "get list")],
        (
            '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n'
            '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
        ),
    ),
    (
        "a name does not cover all names",
        [rule("core", "pods", "get", "a")],
        [rule("core", "pods", "get")],
        '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}',
    ),
    ("all names cover one", [rule("core", "pods", "get")], [rule("core", "pods", "get", "a")], ""),
    (
        "one name does not cover another",
        [rule("core", "pods", "get", "a")],
        [rule("core", "pods", "get", "a b")],
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}',
    ),
    ("a wildcard subresource", [rule("*", "*/scale", "get")], [rule("apps", "x/scale", "get")], ""),
    (
        "every verb is more than some verbs",
        [rule("core", "pods", "get list")],
        [rule("core", "pods", "*")],
        '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}',
    ),
    ("a prefix of paths", [urls("/a/*")], [urls("/a/b /a/b/*")], ""),
    (
        "another path",
        [urls("/a/*")],
        [urls("/b", "get post")],
        '{NonResourceURLs:["/b"], Verbs:["get"]}\n{NonResourceURLs:["/b"], Verbs:["post"]}',
    ),
    ("everything", [rule("*", "*", "*")], [rule("x", "y/z", "w", "n")], ""),
]


@pytest.mark.parametrize(
    ("held", "granted", "missing"), [c[1:] for c in COVERING], ids=[c[0] for c in COVERING]
)
def test_rights_cover_others_as_upstream_has_it(
    held: list[dict[str, Any]], granted: list[dict[str, Any]], missing: str
) -> None:
    """What is missing is told one thing a line."""
    assert rights_text(missing_rights(held, granted)) == missing


def test_an_aggregated_role_holds_each_rule_of_those_it_selects_once() -> None:
    """By name, without itself; a role without aggregation is left alone."""
    chosen = {"matchLabels": {"to": "a"}}

    def role(name: str, *rules: dict[str, Any], label: str = "a") -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {"to": label}}, "rules": list(rules)}

    first, second = rule("core", "pods", "get"), rule("core", "pods", "list")
    whole = {**role("whole"), "aggregationRule": {"clusterRoleSelectors": [chosen, chosen]}}
    others = [role("b", second, first), role("a", first), role("c", urls("*"), label="b"), whole]
    assert aggregated_rules(whole, others) == [first, second]
    assert aggregated_rules(role("a"), others) is None


def test_every_cluster_begins_with_upstreams_roles() -> None:
    """The ones that people and tools name, with what they allow and do not."""
    policy = dict(default_policy())
    rules = {
        key.name: obj["rules"]
        for key, obj in policy.items()
        if key.resource.startswith("clusterr") and "rules" in obj
    }
    secrets = Attributes("get", resource="secrets", namespace="n")
    roles = Attributes("create", "rbac.authorization.k8s.io", "roles", namespace="n")
    deploy = Attributes("create", "apps", "deployments", namespace="n")
    look = Attributes("list", "apps", "deployments", namespace="n")
    node = Attributes("delete", resource="nodes", name="a")
    expected = {
        "view": [False, False, False, True, False],
        "edit": [True, False, True, True, False],
        "admin": [True, True, True, True, False],
        "cluster-admin": [True, True, True, True, True],
    }
    for name, answers in expected.items():
        asked = (secrets, roles, deploy, look, node)
        assert [allows(rules[name], one) for one in asked] == answers, name
    assert len(policy) == len(default_policy()) > 100
    kinds = {obj["kind"] for obj in policy.values()}
    assert kinds == {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def test_default_roles_get_back_what_they_lost_and_keep_what_they_got() -> None:
    """Unless their annotation says that they are the user's now."""
    wanted = next(
        obj for key, obj in default_policy() if key.name == "system:basic-user" and "rules" in obj
    )
    extra = rule("core", "pods", "get")
    poorer = {**wanted, "rules": [extra, *wanted["rules"][1:]]}
    better = reconciled(poorer, wanted)
    assert better["rules"][0] == extra
    assert missing_rights(better["rules"], wanted["rules"]) == []
    assert reconciled(better, wanted) is better
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    kept = {**poorer, "metadata": {**poorer["metadata"], "annotations": annotations}}
    assert reconciled(kept, wanted) is kept
