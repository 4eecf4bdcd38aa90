"""Type checking of policies against the kinds that they are about: what ``status`` warns of.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.resources.cel.admission import Names, environment_for
from orchestrator.resources.cel.errors import CompileError
from orchestrator.resources.cel.schemas import escape
from orchestrator.resources.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    objects,
)
from orchestrator.resources.definitions import SchemaNode, schema_of
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object, spec_of

MOST_KINDS = 10
"""Kinds that one policy is checked against; upstream's limit."""
_SIMPLE = {"boolean": BOOL, "integer": INT, "number": DOUBLE}
_FORMATS = {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}


def type_of_schema(node: SchemaNode, name: str) -> Type | None:
    """Return the type of a place in a kind's structure; None where any value may stand."""
    if node.is_int_or_string:
        return DYN
    if node.is_quantity:
        return STRING
    kind = node.type
    if kind == "string":
        return _FORMATS.get(node.format, STRING)
    if kind == "array":
        element = type_of_schema(node.items, f"{name}.@idx") if node.items is not None else None
        return None if element is None else list_of(element)
    if kind != "object":
        return _SIMPLE.get(kind)
    if node.additional is not None and not node.fields:
        value = type_of_schema(node.additional, f"{name}.@elem")
        return None if value is None else map_of(STRING, value)
    # Asked for when a field is looked up: the structures of some kinds contain themselves.
    return objects(name, lambda: _fields(node, name))


def _fields(node: SchemaNode, name: str) -> dict[str, Type]:
    found: dict[str, Type] = {}
    for field, below in node.fields.items():
        escaped = escape(field)
        kind = type_of_schema(below, f"{name}.{escaped}") if escaped is not None else None
        if escaped is not None and kind is not None:
            found[escaped] = kind
    return found


def check_policy(policy: Object, registry: KindRegistry) -> list[dict[str, str]]:
    """Return what is wrong with a policy's expressions for the kinds that it is about.

    Args:
        policy: A ValidatingAdmissionPolicy.
        registry: The kinds that are served.

    Returns:
        ``expressionWarnings``: field reference and text each.
    """
    spec = spec_of(policy)
    kinds = _kinds(spec.get("matchConstraints") or {}, registry)
    warnings: list[dict[str, str]] = []
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            source = validation.get(field) or ""
            if not source:
                continue
            found = "\n".join(_problems(source, spec, kinds, registry))
            if found:
                at = f"spec.validations[{index}].{field}"
                warnings.append({"fieldRef": at, "warning": found})
    return warnings


def _kinds(constraints: Mapping[str, Any], registry: KindRegistry) -> list[Kind]:
    """Return the kinds that rules name without a wildcard, in order."""
    found: dict[tuple[str, str, str], Kind] = {}
    for rule in constraints.get("resourceRules") or ():
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if any("*" in one for one in (*groups, *versions)):
            continue
        for kind in _named(groups, versions, rule.get("resources") or (), registry):
            found[kind.group, kind.version, kind.kind] = kind
            if len(found) == MOST_KINDS:
                break
    return [found[key] for key in sorted(found)]


def _named(
    groups: Iterable[str], versions: Iterable[str], resources: Iterable[str], registry: KindRegistry
) -> Iterable[Kind]:
    plain = sorted(one for one in resources if "*" not in one and "/" not in one)
    for group in sorted(groups):
        for version in sorted(versions):
            for resource in plain:
                kind = registry.by_resource(group, version, resource)
                if kind is not None:
                    yield kind


def _problems(
    source: str, spec: Mapping[str, Any], kinds: Iterable[Kind], registry: KindRegistry
) -> Iterable[str]:
    params = _params(spec.get("paramKind"), registry)
    for kind in kinds:
        shown = type_of_schema(schema_of(kind), kind.kind) or DYN
        names = Names(params=params is not None)
        names = _with_variables(spec.get("variables") or (), names, shown, params)
        try:
            environment_for(names, shown, params or DYN).compile(source)
        except CompileError as error:
            yield f"{kind.api_version}, Kind={kind.kind}: {error}\n"


def _params(param_kind: Mapping[str, Any] | None, registry: KindRegistry) -> Type | None:
    if not param_kind:
        return None
    kind = registry.by_kind(param_kind.get("apiVersion", ""), param_kind.get("kind", ""))
    return DYN if kind is None else type_of_schema(schema_of(kind), kind.kind)


def _with_variables(
    variables: Iterable[Mapping[str, Any]], names: Names, shown: Type, params: Type | None
) -> Names:
    types: tuple[tuple[str, Type], ...] = ()
    for variable in variables:
        here = environment_for(names._replace(variables=types), shown, params or DYN)
        try:
            result = here.compile(str(variable.get("expression") or "")).result
        except CompileError:
            # What uses it would be warned of for a fault that is not its own.
            result = DYN
        types = (*types, (str(variable.get("name") or ""), result))
    return names._replace(variables=types)
