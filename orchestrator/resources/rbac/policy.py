"""The roles and bindings that every cluster has from its start, and what to do about old ones.

Rules: k8s.io/kubernetes/pkg/registry/rbac/rest and component-helpers' reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from orchestrator.resources.objects import Key, Object, annotations_of, labels_of, meta, with_meta
from orchestrator.resources.rbac import _policy_table as table
from orchestrator.resources.rbac.aggregation import aggregated_rules
from orchestrator.resources.rbac.covering import missing_rights
from orchestrator.resources.rbac.rules import Rule

_GROUP: Final = "rbac.authorization.k8s.io"
_UPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
_BOOTSTRAPPING: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE: Final = f"{_GROUP}/aggregate-to-"


@cache
def default_policy() -> tuple[tuple[Key, Object], ...]:
    """Return every default role and binding with its key; made once, at the first call."""
    roles = list(_cluster_roles())
    found = [(Key(f"clusterroles.{_GROUP}", "", role["metadata"]["name"]), role) for role in roles]
    found += _cluster_bindings()
    found += _namespaced()
    return tuple(found)


def _cluster_roles() -> Iterator[Object]:
    plain = [_role("ClusterRole", name, rows) for name, rows in table.CLUSTER_ROLES.items()]
    plain += [
        _role("ClusterRole", f"system:controller:{name}", rows)
        for name, rows in table.CONTROLLER_ROLES.items()
    ]
    yield from plain
    for name in reversed(table.AGGREGATED):  # view goes into edit, edit into admin
        selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
        role = _role("ClusterRole", name, ())
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
        role["rules"] = aggregated_rules(role, plain) or []
        plain.append(role)
        yield role


def _cluster_bindings() -> Iterator[tuple[Key, Object]]:
    resource = f"clusterrolebindings.{_GROUP}"
    for name, subjects in table.CLUSTER_BINDINGS.items():
        binding = _binding("ClusterRoleBinding", name, "ClusterRole", name, subjects)
        yield Key(resource, "", name), binding
    for account in table.CONTROLLER_ROLES:
        name = f"system:controller:{account}"
        subject = (f"ServiceAccount {account}",)
        binding = _binding("ClusterRoleBinding", name, "ClusterRole", name, subject)
        yield Key(resource, "", name), binding


def _namespaced() -> Iterator[tuple[Key, Object]]:
    for (namespace, name), rows in table.ROLES.items():
        role = with_meta(_role("Role", name, rows), namespace=namespace)
        yield Key(f"roles.{_GROUP}", namespace, name), role
    for (namespace, name), (bound, subjects) in table.BINDINGS.items():
        binding = _binding("RoleBinding", name, "Role", bound, subjects)
        yield (
            Key(f"rolebindings.{_GROUP}", namespace, name),
            with_meta(binding, namespace=namespace),
        )


def _header(kind: str, name: str) -> Object:
    labels = dict(_BOOTSTRAPPING)
    if kind == "ClusterRole" and name in table.AGGREGATES_TO:
        labels[f"{_AGGREGATE}{table.AGGREGATES_TO[name]}"] = "true"
    metadata = {"name": name, "labels": labels, "annotations": {_UPDATE: "true"}}
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata}


def _role(kind: str, name: str, rows: Sequence[table.Row]) -> Object:
    return {**_header(kind, name), "rules": [_rule(row) for row in rows]}


def _rule(row: table.Row) -> Rule:
    if len(row) == 2:
        return {"verbs": row[1].split(), "nonResourceURLs": row[0].split()}
    groups = ["" if group == "core" else group for group in row[0].split()]
    rule: Rule = {"verbs": row[2].split(), "apiGroups": groups, "resources": row[1].split()}
    if len(row) == 4:
        rule["resourceNames"] = row[3].split()
    return rule


def _binding(kind: str, name: str, role_kind: str, role: str, subjects: Sequence[str]) -> Object:
    binding = _header(kind, name)
    if subjects:
        binding["subjects"] = [_subject(subject) for subject in subjects]
    binding["roleRef"] = {"apiGroup": _GROUP, "kind": role_kind, "name": role}
    return binding


def _subject(text: str) -> dict[str, Any]:
    kind, _, name = text.partition(" ")
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"kind": kind, "apiGroup": _GROUP, "name": name}


def reconciled(current: Object, wanted: Object) -> Object:
    """Return a default role or binding with what it lacks of its defaults; the same if nothing.

    What was added to it stays, and one that says so with the annotation ``autoupdate: "false"``
    is left alone. A binding to another role cannot be put right without taking it away first, so
    it stays as well.
    """
    if annotations_of(current).get(_UPDATE) == "false":
        return current
    if _as_wanted(current, wanted):  # nearly always, and there are many of them at a start
        return current
    changed = current
    if "roleRef" in wanted:
        if current.get("roleRef") != wanted["roleRef"]:
            return current
        present = current.get("subjects") or []
        lacking = [one for one in wanted.get("subjects", ()) if one not in present]
        if lacking:
            changed = {**changed, "subjects": [*present, *lacking]}
    elif "aggregationRule" not in wanted:
        rules = current.get("rules") or []
        missing = missing_rights(rules, wanted["rules"])
        if missing:
            changed = {**changed, "rules": [*rules, *missing]}
    elif current.get("aggregationRule") is None:
        changed = {**changed, "aggregationRule": wanted["aggregationRule"]}
    labels = {**labels_of(current), **labels_of(wanted)}
    annotations = {**annotations_of(current), **annotations_of(wanted)}
    if labels != labels_of(current) or annotations != annotations_of(current):
        changed = {
            **changed,
            "metadata": {**meta(current), "labels": labels, "annotations": annotations},
        }
    return changed


def _as_wanted(current: Object, wanted: Object) -> bool:
    for field, value in wanted.items():
        if field != "metadata" and current.get(field) != value:
            return False
    labelled = labels_of(wanted).items() <= labels_of(current).items()
    return labelled and annotations_of(wanted).items() <= annotations_of(current).items()
