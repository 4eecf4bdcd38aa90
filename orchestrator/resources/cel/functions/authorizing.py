"""The authorizer, as expressions ask it. Who decides is given by the caller."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.values import Opaque

AUTHORIZING = Library()


class Decision(NamedTuple):
    """What an authorizer says.

    Attributes:
        allowed: Whether it is allowed.
        reason: Why.
        error: What went wrong when it was decided, empty when nothing did.
    """

    allowed: bool
    reason: str = ""
    error: str = ""


class Attempt(NamedTuple):
    """What somebody would do.

    Attributes:
        user: ``User`` of the request, or the name of a service account's user.
        verb: ``get``.
        group: API group; empty for core and for paths.
        resource: Plural; empty for paths.
        subresource: ``status``.
        namespace: Empty for all.
        name: Empty for all.
        path: ``/healthz``; empty for resources.
        field_selector: As given.
        label_selector: As given.
    """

    user: Any
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""
    label_selector: str = ""


class Decider(Protocol):
    """Decides whether somebody may do something."""

    def __call__(self, attempt: Attempt, /) -> Decision:
        """Decide."""


class Authorizer(Opaque):
    """``authorizer``: the user of the request, or a service account."""

    __slots__ = ("attempt", "decide")
    type_name = "kubernetes.authorization.Authorizer"

    def __init__(self, decide: Decider, attempt: Attempt) -> None:
        self.decide = decide
        self.attempt = attempt

    def changed(self, kind: type[Authorizer], **changes: Any) -> Authorizer:
        """Return a further step of the question."""
        return kind(self.decide, self.attempt._replace(**changes))


class PathCheck(Authorizer):
    """A question about a path."""

    __slots__ = ()
    type_name = "kubernetes.authorization.PathCheck"


class GroupCheck(Authorizer):
    """A question about an API group."""

    __slots__ = ()
    type_name = "kubernetes.authorization.GroupCheck"


class ResourceCheck(Authorizer):
    """A question about a resource."""

    __slots__ = ()
    type_name = "kubernetes.authorization.ResourceCheck"


class DecisionValue(Opaque):
    """An answer."""

    __slots__ = ("decision",)
    type_name = "kubernetes.authorization.Decision"

    def __init__(self, decision: Decision) -> None:
        self.decision = decision


_A = Authorizer.type_name
_P = PathCheck.type_name
_G = GroupCheck.type_name
_R = ResourceCheck.type_name
_D = DecisionValue.type_name


@AUTHORIZING.function("path", f"{_A}.(string) {_P}")
def _path(authorizer: Authorizer, path: str) -> Authorizer:
    return authorizer.changed(PathCheck, path=path)


@AUTHORIZING.function("group", f"{_A}.(string) {_G}")
def _group(authorizer: Authorizer, group: str) -> Authorizer:
    return authorizer.changed(GroupCheck, group=group)


@AUTHORIZING.function("serviceAccount", f"{_A}.(string, string) {_A}")
def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    return authorizer.changed(Authorizer, user=f"system:serviceaccount:{namespace}:{name}")


@AUTHORIZING.function("resource", f"{_G}.(string) {_R}")
def _resource(group: Authorizer, resource: str) -> Authorizer:
    return group.changed(ResourceCheck, resource=resource)


for _step in ("subresource", "namespace", "name"):
    AUTHORIZING.add(
        _step,
        [f"{_R}.(string) {_R}"],
        lambda check, value, step=_step: check.changed(ResourceCheck, **{step: value}),
    )
for _step, _field in (("fieldSelector", "field_selector"), ("labelSelector", "label_selector")):
    AUTHORIZING.add(
        _step,
        [f"{_R}.(string) {_R}"],
        lambda check, value, field=_field: check.changed(ResourceCheck, **{field: value}),
    )


@AUTHORIZING.function("check", f"{_R}.(string) {_D}", f"{_P}.(string) {_D}")
def _check(check: Authorizer, verb: str) -> DecisionValue:
    return DecisionValue(check.decide(check.attempt._replace(verb=verb)))


AUTHORIZING.add("allowed", [f"{_D}.() bool"], lambda found: found.decision.allowed)
AUTHORIZING.add("reason", [f"{_D}.() string"], lambda found: found.decision.reason)
AUTHORIZING.add("errored", [f"{_D}.() bool"], lambda found: bool(found.decision.error))
AUTHORIZING.add("error", [f"{_D}.() string"], lambda found: found.decision.error)
