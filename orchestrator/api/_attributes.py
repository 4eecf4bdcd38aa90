"""What a request asks for, read off its method and path alone: the authorizer's view.

Authorization comes before anything is looked up, so a resource that nobody serves has attributes
like any other. Rules: k8s.io/apiserver/pkg/endpoints/request (``RequestInfoFactory``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.resources.rbac import Attributes
from orchestrator.resources.selectors import SelectorError, parse_field_selector

if TYPE_CHECKING:
    from orchestrator.api._requests import Request

_VERBS: Final = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_NAMESPACE: Final = frozenset({"status", "finalize"})


def attributes_of(request: Request) -> Attributes:
    """Return what a request asks for."""
    path, method = request.path, request.method
    parts = [part for part in path.split("/") if part]
    rest: list[str] = []
    group = version = ""
    if len(parts) > 2 and parts[0] == "api":
        version, rest = parts[1], parts[2:]
    elif len(parts) > 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    if not rest:
        return Attributes(method.lower(), path=path)
    verb = _VERBS.get(method, "")
    if rest[0] in {"watch", "proxy"} and len(rest) > 1:
        verb = rest[0]
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
            rest = rest[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name:
        if verb == "get":
            name = _selected(request)
            verb = "watch" if request.query and request.flag("watch") else "list"
        elif verb == "delete":
            verb = "deletecollection"
            name = _selected(request)
        elif verb == "watch":
            name = _selected(request)
    return Attributes(verb, group, resource, subresource, namespace, name, path, version)


def _selected(request: Request) -> str:
    """Return the one name that a field selector leaves; a list of it may be allowed by name."""
    text = request.parameter("fieldSelector") if request.query else ""
    if "metadata.name" not in text:
        return ""
    try:
        selector = parse_field_selector(text)
    except SelectorError:
        return ""
    return selector.exact("metadata.name") or ""
