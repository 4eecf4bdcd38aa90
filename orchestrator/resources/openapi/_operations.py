"""Operations of ``paths``: what clients look up is their kind, action and query parameters.

kubectl learns from the parameters of a kind's PATCH whether the server validates fields and runs
dry: ``fieldValidation`` and ``dryRun`` must be among them.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.kinds import Kind, Subresource
from orchestrator.resources.openapi._schemas import Dialect, reference

Operation = dict[str, Any]

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
DELETE_OPTIONS: Final = f"{_META}DeleteOptions"
PATCH: Final = f"{_META}Patch"
STATUS: Final = f"{_META}Status"
_JSON: Final = "application/json"
_BODIES: Final = (_JSON, "application/yaml")
_PATCHES: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_CUSTOM_PATCHES: Final = _PATCHES[:3]
_PLACES: Final = {
    "name": "name of the {kind}",
    "namespace": "object name and auth scope, such as for teams and projects",
    "path": "path is the URL path to use for the current proxy request.",
}

_Parameter = tuple[str, str, str]
_PRETTY: Final[_Parameter] = ("pretty", "string", "Indent the output when 'true'.")
_DRY_RUN: Final[_Parameter] = (
    "dryRun",
    "string",
    "With 'All' every stage runs and nothing is stored.",
)
_MANAGER: Final[_Parameter] = (
    "fieldManager",
    "string",
    "Name under which the changed fields are recorded; at most 128 printable characters.",
)
_VALIDATION: Final[_Parameter] = (
    "fieldValidation",
    "string",
    (
        "What becomes of unknown and duplicate fields: Ignore drops them, Warn drops them with a "
        "warning (the default), Strict refuses the request."
    ),
)
_FORCE: Final[_Parameter] = (
    "force",
    "boolean",
    "Take over fields that conflict with other managers; for apply patches only.",
)
_LIST: Final[tuple[_Parameter, ...]] = (
    ("allowWatchBookmarks", "boolean", "Send events of type BOOKMARK while watching."),
    ("continue", "string", "Token of the previous page, to get the next one."),
    ("fieldSelector", "string", "Restrict the objects by their fields."),
    ("labelSelector", "string", "Restrict the objects by their labels."),
    ("limit", "integer", "Largest number of objects in one page."),
    ("resourceVersion", "string", "Version that the answer must have or follow."),
    ("resourceVersionMatch", "string", "How resourceVersion is applied: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the present objects."),
    ("timeoutSeconds", "integer", "Limit of the call's duration."),
    ("watch", "boolean", "Stream the changes instead of listing."),
)
_DELETE: Final[tuple[_Parameter, ...]] = (
    _DRY_RUN,
    ("gracePeriodSeconds", "integer", "Seconds until the object is deleted; 0 is at once."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "Orphan, Background or Foreground."),
)
_WRITE: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_QUERY: Final[dict[str, tuple[_Parameter, ...]]] = {
    "get": (),
    "list": _LIST,
    "post": _WRITE,
    "put": _WRITE,
    "patch": (*_WRITE, _FORCE),
    "delete": _DELETE,
    "deletecollection": (*_DELETE, *(p for p in _LIST if p[0] != "watch")),
    "connect": (),
}
_WORDS: Final = {
    "get": ("read", "read the specified {kind}"),
    "list": ("list", "list or watch objects of kind {kind}"),
    "post": ("create", "create a {kind}"),
    "put": ("replace", "replace the specified {kind}"),
    "patch": ("patch", "partially update the specified {kind}"),
    "delete": ("delete", "delete a {kind}"),
    "deletecollection": ("deletecollection", "delete collection of {kind}"),
    "connect": ("connect", "connect requests to {kind}"),
}


def operation(
    kind: Kind,
    action: str,
    *,
    dialect: Dialect,
    schema: str,
    subresource: Subresource | None = None,
    all_namespaces: bool = False,
) -> Operation:
    """Return one operation.

    Args:
        kind: Kind of the path.
        action: ``get``, ``list``, ``post``, ``put``, ``patch``, ``delete``, ``deletecollection``
            or ``connect``.
        dialect: Of the document.
        schema: Name of the definition that is answered (and sent), empty for plain text.
        subresource: When it is one's operation.
        all_namespaces: A list over all namespaces.
    """
    verb, summary = _WORDS[action]
    shown = subresource.kind if subresource else kind.kind
    group, version = (
        (subresource.group, subresource.version) if subresource else (kind.group, kind.version)
    )
    result: Operation = {
        "description": summary.format(kind=shown),
        "operationId": _operation_id(kind, verb, subresource, all_namespaces=all_namespaces),
        "tags": [_tag(kind)],
        "parameters": [_query(parameter, dialect) for parameter in _QUERY[action]],
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": shown, "version": version},
    }
    body = {"post": schema, "put": schema, "patch": PATCH}.get(action, "")
    if action in {"delete", "deletecollection"}:
        body = DELETE_OPTIONS
    patches = _PATCHES if kind.custom is None else _CUSTOM_PATCHES
    taken = patches if action == "patch" else _BODIES
    _exchange(result, action, dialect, body=body, answer=schema, taken=taken)
    return result


def _exchange(
    result: Operation,
    action: str,
    dialect: Dialect,
    *,
    body: str,
    answer: str,
    taken: tuple[str, ...],
) -> None:
    """Add the body and the answers, which the two dialects write differently."""
    codes = {"post": ("200", "201", "202"), "put": ("200", "201"), "patch": ("200", "201")}
    responses: dict[str, Any] = {}
    for code in codes.get(action, ("200",)):
        response: dict[str, Any] = {
            "description": {"200": "OK", "201": "Created"}.get(code, "Accepted")
        }
        if dialect == "v2":
            response["schema"] = reference(answer, dialect) if answer else {"type": "string"}
        else:
            shape = reference(answer, dialect) if answer else {"type": "string"}
            form = _JSON if answer else "text/plain"
            response["content"] = {form: {"schema": shape}}
        responses[code] = response
    responses["401"] = {"description": "Unauthorized"}
    result["responses"] = responses
    if dialect == "v2":
        result["consumes"] = list(taken) if body else ["*/*"]
        result["produces"] = [_JSON] if answer else ["text/plain"]
        result["schemes"] = ["https"]
        if body:
            result["parameters"].append(
                {
                    "in": "body",
                    "name": "body",
                    "required": action in {"post", "put", "patch"},
                    "schema": reference(body, dialect),
                }
            )
    elif body:
        shape = {"schema": reference(body, dialect)}
        result["requestBody"] = {
            "content": dict.fromkeys(taken, shape),
            **({"required": True} if action in {"post", "put", "patch"} else {}),
        }


def path_parameters(path: str, kind: Kind, dialect: Dialect) -> list[dict[str, Any]]:
    """Return the parameters that a path's braces name, and ``pretty``."""
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text.format(kind=kind.kind),
            **_typed("string", dialect),
        }
        for name, text in _PLACES.items()
        if f"{{{name}}}" in path
    ]
    return [*found, _query(_PRETTY, dialect)]


def _query(parameter: _Parameter, dialect: Dialect) -> dict[str, Any]:
    name, type_, description = parameter
    return {
        "name": name,
        "in": "query",
        "description": description,
        **_typed(type_, dialect),
    }


def _typed(type_: str, dialect: Dialect) -> dict[str, Any]:
    typed = {"type": type_, "uniqueItems": True}
    return typed if dialect == "v2" else {"schema": typed}


def _tag(kind: Kind) -> str:
    group = kind.group.partition(".")[0] or "core"
    return f"{group}_{kind.version}"


def _operation_id(
    kind: Kind, verb: str, subresource: Subresource | None, *, all_namespaces: bool
) -> str:
    group = kind.group.removesuffix(".k8s.io").replace(".", " ").title().replace(" ", "") or "Core"
    scope = "Namespaced" if kind.namespaced and not all_namespaces else ""
    tail = subresource.name.capitalize() if subresource else ""
    if all_namespaces:
        tail = "ForAllNamespaces"
    return f"{verb}{group}{kind.version.capitalize()}{scope}{kind.kind}{tail}"
