"""The ``paths`` of a group and version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from orchestrator.resources.deletions import RETURNS_DELETED
from orchestrator.resources.kinds import Kind, Subresource, subresource
from orchestrator.resources.openapi._operations import STATUS, operation, path_parameters
from orchestrator.resources.openapi._schemas import Dialect

Paths = dict[str, dict[str, Any]]
DefinitionOf = Callable[[str, str, str], str]
"""``(group, version, kind)`` to the name of its definition, empty when there is none."""

_COLLECTION: Final = (("list", "get"), ("create", "post"), ("deletecollection", "delete"))
_ITEM: Final = (("get", "get"), ("update", "put"), ("patch", "patch"), ("delete", "delete"))
_METHODS: Final = {"get": "get", "update": "put", "patch": "patch", "create": "post"}
_CONNECTED: Final = frozenset({"exec", "attach", "portforward", "proxy"})


def root_of(group: str, version: str) -> str:
    """Return where a group and version is served: ``/api/v1``, ``/apis/apps/v1``."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def paths_of(kinds: Iterable[Kind], definition_of: DefinitionOf, dialect: Dialect) -> Paths:
    """Return the paths of some kinds with their operations."""
    found: Paths = {}
    for kind in kinds:
        for path, method, made in _operations(kind, definition_of, dialect):
            item = found.setdefault(path, {"parameters": path_parameters(path, kind, dialect)})
            item[method] = made
    return found


def _operations(
    kind: Kind, definition_of: DefinitionOf, dialect: Dialect
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    root = root_of(kind.group, kind.version)
    listed = f"{kind.definition}List"
    collection = f"{root}/{kind.plural}"
    if kind.namespaced:
        if "list" in kind.verbs:
            yield (
                collection,
                "get",
                operation(kind, "list", dialect=dialect, schema=listed, all_namespaces=True),
            )
        collection = f"{root}/namespaces/{{namespace}}/{kind.plural}"
    for verb, method in _COLLECTION:
        if verb in kind.verbs:
            action = {"create": "post"}.get(verb, verb)
            schema = {"list": listed, "deletecollection": STATUS}.get(verb, kind.definition)
            yield collection, method, operation(kind, action, dialect=dialect, schema=schema)
    item = f"{collection}/{{name}}"
    for verb, method in _ITEM:
        if verb in kind.verbs:
            answers_status = verb == "delete" and kind.resource not in RETURNS_DELETED
            schema = STATUS if answers_status else kind.definition
            yield item, method, operation(kind, method, dialect=dialect, schema=schema)
    for name in kind.subresources:
        part = subresource(kind, name)
        yield from _subresource(kind, part, f"{item}/{name}", definition_of, dialect)


def _subresource(
    kind: Kind, part: Subresource, path: str, definition_of: DefinitionOf, dialect: Dialect
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if part.name in _CONNECTED:
        for method in ("get", "post"):
            made = operation(kind, "connect", dialect=dialect, schema="", subresource=part)
            yield path, method, made
        return
    schema = "" if part.name == "log" else definition_of(part.group, part.version, part.kind)
    for verb in part.verbs:
        method = _METHODS[verb]
        made = operation(kind, method, dialect=dialect, schema=schema, subresource=part)
        yield path, method, made
