"""Which FlowSchema a request belongs to, and to which of its flows. Pure.

Source: k8s.io/apiserver pkg/util/flowcontrol/rule.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.users import User

_ACCOUNT = "system:serviceaccount:"


class FlowRequest(NamedTuple):
    """A request, as schemas look at it.

    Attributes:
        verb: ``get``, ``list``, ``create``; the HTTP method in lower case for pages.
        group: API group; empty for core and for pages.
        resource: ``pods``, ``pods/status``; empty for pages.
        namespace: Empty for cluster-scoped resources and for all namespaces together.
        path: Of a page; empty for resources.
    """

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    path: str = ""


def schema_matches(schema: Object, user: User, request: FlowRequest) -> bool:
    """Tell whether a request belongs to a FlowSchema."""
    return any(
        _subject_matches(rule.get("subjects") or (), user)
        and (
            any(_page_matches(one, request) for one in rule.get("nonResourceRules") or ())
            if request.path
            else any(_resource_matches(one, request) for one in rule.get("resourceRules") or ())
        )
        for rule in spec_of(schema).get("rules") or ()
    )


def _subject_matches(subjects: Iterable[dict[str, Any]], user: User) -> bool:
    for subject in subjects:
        match subject.get("kind"):
            case "User":
                if subject["user"]["name"] in ("*", user.name):
                    return True
            case "Group":
                name = subject["group"]["name"]
                if name == "*" or name in user.groups:
                    return True
            case "ServiceAccount":
                account = subject["serviceAccount"]
                prefix = f"{_ACCOUNT}{account['namespace']}:"
                if account["name"] == "*":
                    if user.name.startswith(prefix):
                        return True
                elif user.name == prefix + account["name"]:
                    return True
    return False


def _resource_matches(rule: dict[str, Any], request: FlowRequest) -> bool:
    if not (
        _listed(rule.get("verbs"), request.verb)
        and _listed(rule.get("apiGroups"), request.group)
        and _listed(rule.get("resources"), request.resource)
    ):
        return False
    if not request.namespace:
        return bool(rule.get("clusterScope"))
    return _listed(rule.get("namespaces"), request.namespace)


def _page_matches(rule: dict[str, Any], request: FlowRequest) -> bool:
    if not _listed(rule.get("verbs"), request.verb):
        return False
    return any(
        pattern in ("*", request.path)
        or (pattern.endswith("/*") and request.path.startswith(pattern[:-1]))
        for pattern in rule.get("nonResourceURLs") or ()
    )


def _listed(values: Iterable[str] | None, value: str) -> bool:
    return values is not None and ("*" in values or value in values)


def flow_of(schema: Object, user: User, request: FlowRequest) -> str:
    """Return which flow of a schema a request is: empty where all its requests are one."""
    method = (spec_of(schema).get("distinguisherMethod") or {}).get("type")
    if method == "ByUser":
        return user.name
    return request.namespace if method == "ByNamespace" else ""
