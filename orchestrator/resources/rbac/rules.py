"""One request against one rule, and the words of a refusal.

Rules: k8s.io/kubernetes/pkg/apis/rbac/v1 (evaluation helpers) and
k8s.io/apiserver/pkg/endpoints/handlers/responsewriters (texts).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from orchestrator.resources.errors import StatusError

Rule: TypeAlias = dict[str, Any]
"""A ``PolicyRule``: verbs, apiGroups, resources, resourceNames, nonResourceURLs."""

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Attributes(NamedTuple):
    """What is asked for, as an authorizer sees it.

    Attributes:
        verb: ``get``, ``deletecollection``, ``impersonate``; for a path the method in lower case.
        group: API group, empty for core.
        resource: Plural; empty for a path that is no resource.
        subresource: ``log``, or empty.
        namespace: Empty for all namespaces and for cluster-scoped resources.
        name: Empty for collections.
        path: The path, of what is no resource.
        version: API version; no rule looks at it.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    version: str = ""


def allows(rules: Iterable[Rule], asked: Attributes) -> bool:
    """Tell whether one of the rules allows what is asked."""
    return any(_allows(rule, asked) for rule in rules)


def _allows(rule: Rule, asked: Attributes) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and asked.verb not in verbs:
        return False
    if not asked.resource:
        return any(url_matches(url, asked.path) for url in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and asked.group not in groups:
        return False
    if not _resource_matches(rule.get("resources") or (), asked.resource, asked.subresource):
        return False
    names = rule.get("resourceNames")
    return not names or asked.name in names


def _resource_matches(resources: Iterable[str], resource: str, subresource: str) -> bool:
    if "*" in resources:
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


def url_matches(pattern: str, path: str) -> bool:
    """Match a path against ``*``, an exact path, or a prefix that ends in ``*``."""
    if pattern in {"*", path}:
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def describe(user: str, asked: Attributes) -> str:
    """Say what a user may not do, in upstream's words."""
    if not asked.resource:
        return f'User "{user}" cannot {asked.verb} path "{asked.path}"'
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'User "{user}" cannot {asked.verb} resource "{resource}" in API group "{asked.group}" '
        f"{where}"
    )


def forbidden_access(user: str, asked: Attributes, reason: str = "") -> StatusError:
    """403 for a request that no rule allows.

    Args:
        user: The user's name.
        asked: What was asked for.
        reason: What the authorizer adds, ``RBAC: clusterrole... not found``.
    """
    why = describe(user, asked).translate(_ESCAPES)
    if reason:
        why = f"{why}: {reason}"
    if not asked.resource:
        return StatusError(403, "Forbidden", f"forbidden: {why}", {})
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f'{qualified} "{asked.name}"' if asked.name else qualified
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return StatusError(
        403,
        "Forbidden",
        f"{named} is forbidden: {why}",
        {field: value for field, value in details.items() if value},
    )
