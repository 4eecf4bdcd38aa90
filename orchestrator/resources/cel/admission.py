"""What expressions of admission policies and match conditions may use, and how they compile.

Source: k8s.io/apiserver/pkg/admission/plugin/cel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from orchestrator.resources.cel.environments import Environment, Program
from orchestrator.resources.cel.errors import CompileError
from orchestrator.resources.cel.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    objects,
    opaque,
)

AUTHORIZER = opaque("kubernetes.authorization.Authorizer")
RESOURCE_CHECK = opaque("kubernetes.authorization.ResourceCheck")
IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_BOOL, _TEXT, _TEXT_OR_NULL = ("bool",), ("string",), ("string", "null")
_SHOWN = {"null": "null_type", "object": "Object", "list": "list(JSONPatch)"}


class ExpressionError(Exception):
    """An expression that is refused where it stands; the text is upstream's detail."""


class Names(NamedTuple):
    """Which names a group of expressions may use besides those that all may.

    Attributes:
        params: Whether there are parameters.
        authorizer: Whether it may ask what somebody may do.
        variables: Types of the policy's variables before it, by name; None where there are none.
        mutation: Whether it makes patches.
    """

    params: bool = False
    authorizer: bool = True
    variables: tuple[tuple[str, Type], ...] | None = None
    mutation: bool = False


def _record(name: str, /, **fields: Type) -> Type:
    return objects(name, lambda: fields)


@cache
def _request() -> Type:
    strings = list_of(STRING)
    kind = _record("kubernetes.GroupVersionKind", group=STRING, version=STRING, kind=STRING)
    resource = _record(
        "kubernetes.GroupVersionResource", group=STRING, version=STRING, resource=STRING
    )
    user = _record(
        "kubernetes.UserInfo",
        username=STRING,
        uid=STRING,
        groups=strings,
        extra=map_of(STRING, strings),
    )
    return _record(
        "kubernetes.AdmissionRequest",
        kind=kind,
        resource=resource,
        subResource=STRING,
        requestKind=kind,
        requestResource=resource,
        requestSubResource=STRING,
        name=STRING,
        namespace=STRING,
        operation=STRING,
        userInfo=user,
        dryRun=BOOL,
        options=DYN,
    )


@cache
def _namespace() -> Type:
    # No expression needs the seconds of a namespace's texts as numbers, but those that compare
    # times do.
    from orchestrator.resources.cel.times import timestamp

    moment = Type(TIMESTAMP.kind)
    moment.convert = lambda text: None if text is None else timestamp(text)
    strings = map_of(STRING, STRING)
    metadata = _record(
        "kubernetes.NamespaceMetadata",
        name=STRING,
        generateName=STRING,
        namespace=STRING,
        labels=strings,
        annotations=strings,
        UID=STRING,
        creationTimestamp=moment,
        deletionGracePeriodSeconds=INT,
        deletionTimestamp=moment,
        generation=INT,
        resourceVersion=STRING,
        finalizers=list_of(STRING),
    )
    metadata.names = {"UID": "uid"}
    return _record(
        "kubernetes.Namespace",
        metadata=metadata,
        spec=_record("kubernetes.NamespaceSpec", finalizers=list_of(STRING)),
        status=_record("kubernetes.NamespaceStatus", phase=STRING),
    )


VARIABLES = (
    "object",
    "oldObject",
    "request",
    "namespaceObject",
    "params",
    "authorizer",
    "authorizer.requestResource",
    "variables",
)
"""In the order of `values`."""


def environment_for(names: Names, object_type: Type = DYN, params_type: Type = DYN) -> Environment:
    """Return the environment of some expressions.

    Args:
        names: What they may use.
        object_type: Type of the object, for type checking; evaluation takes any.
        params_type: Type of the parameters.
    """
    variables: dict[str, Type] = {
        "object": object_type,
        "oldObject": object_type,
        "request": _request(),
        "namespaceObject": _namespace(),
    }
    if names.params:
        variables["params"] = params_type
    if names.authorizer:
        variables["authorizer"] = AUTHORIZER
        variables["authorizer.requestResource"] = RESOURCE_CHECK
    if names.variables is not None:
        fields = dict(names.variables)
        variables["variables"] = objects("kubernetes.variables", lambda: fields)
    messages: Mapping[str, Type] = {}
    if names.mutation:
        from orchestrator.resources.cel.mutations import Messages

        messages = Messages()
    return Environment(variables, messages)


@lru_cache(4096)
def compiled(source: str, wanted: tuple[str, ...], names: Names) -> Program:
    """Compile an expression of a policy, once for all policies that have it.

    Args:
        source: The text.
        wanted: Kinds that its value may be of.
        names: What it may use.

    Raises:
        ExpressionError: It is refused.
    """
    return _compiled(environment_for(names), source, wanted)


def _compiled(environment: Environment, source: str, wanted: tuple[str, ...]) -> Program:
    try:
        program = environment.compile(source)
    except CompileError as error:
        raise ExpressionError(f"compilation failed: {error}") from None
    if wanted and program.result.kind not in wanted:
        shown = [_SHOWN.get(kind, kind) for kind in wanted]
        if len(shown) == 1:
            raise ExpressionError(f"must evaluate to {shown[0]}")
        raise ExpressionError(f"must evaluate to one of [{' '.join(shown)}]")
    return program


def condition(source: str, names: Names) -> Program:
    """Compile what is true or false: validations and match conditions."""
    return compiled(source, _BOOL, names)


def message(source: str, names: Names) -> Program:
    """Compile a ``messageExpression``."""
    return compiled(source, _TEXT, names)


def annotation(source: str, names: Names) -> Program:
    """Compile a ``valueExpression`` of an audit annotation."""
    return compiled(source, _TEXT_OR_NULL, names)


class Variable(NamedTuple):
    """One variable of a policy, compiled.

    Attributes:
        name: As in ``variables.name``.
        program: Its expression.
    """

    name: str
    program: Program


def variables_of(
    definitions: Iterable[Mapping[str, Any]], names: Names
) -> tuple[tuple[Variable, ...], Names]:
    """Compile the variables of a policy; each may use those before it.

    Returns:
        The variables, and the names that the policy's other expressions may use.

    Raises:
        ExpressionError: One is refused.
    """
    found: list[Variable] = []
    types: tuple[tuple[str, Type], ...] = ()
    for definition in definitions:
        program = compiled(str(definition["expression"]), (), names._replace(variables=types))
        found.append(Variable(str(definition["name"]), program))
        types = (*types, (found[-1].name, program.result))
    return tuple(found), names._replace(variables=types)


def with_variables(variables: Iterable[tuple[str, str]], names: Names) -> Names:
    """Return the names of expressions that come after some variables.

    A variable that does not compile is left out: what uses it is refused for that.
    """
    types: tuple[tuple[str, Type], ...] = ()
    for name, source in variables:
        try:
            program = compiled(source, (), names._replace(variables=types))
        except ExpressionError:
            continue
        types = (*types, (name, program.result))
    return names._replace(variables=types)


@lru_cache(256)
def _device(source: str, _names: Names) -> Program:
    quantity = opaque("kubernetes.Quantity")
    device = _record(
        "kubernetes.DRADevice",
        driver=STRING,
        attributes=map_of(STRING, map_of(STRING, DYN)),
        capacity=map_of(STRING, map_of(STRING, quantity)),
        allowMultipleAllocations=BOOL,
    )
    return _compiled(Environment({"device": device}), source, _BOOL)


def _variable(source: str, names: Names) -> Program:
    return compiled(source, (), names)


def _applied(source: str, names: Names) -> Program:
    return compiled(source, ("object",), names._replace(mutation=True))


def _patches(source: str, names: Names) -> Program:
    return compiled(source, ("list",), names._replace(mutation=True))


def _told(source: str, names: Names) -> Program:
    return message(source, names._replace(authorizer=False))


PURPOSES: dict[str, Callable[[str, Names], Program]] = {
    "condition": condition,
    "message": _told,
    "audit": annotation,
    "variable": _variable,
    "apply": _applied,
    "patch": _patches,
    "device": _device,
}
"""Compilers by what an expression is for; all raise `ExpressionError`."""
