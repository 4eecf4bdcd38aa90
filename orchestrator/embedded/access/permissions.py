"""Whether roles let somebody do something: a question to the API, and its answer. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from orchestrator.access.accounts import split_user_name
from orchestrator.embedded.arguments import text_of, texts_of
from orchestrator.embedded.guessing import nearest
from orchestrator.embedded.kinds.names import check_subresource, find_kind
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Object

_VERBS: Final = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("use", "bind", "escalate", "impersonate", "approve", "sign", "attest", "proxy", "*"),
)


class Permission(NamedTuple):
    """What the API says of somebody's doing something; as true as it is allowed.

    Attributes:
        allowed: Whether it is.
        reason: By which binding, or what stands against it; empty where nothing allows it.
    """

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def review_of(
    registry: KindRegistry,
    user: str,
    verb: str,
    resource: str,
    name: str = "",
    *,
    namespace: str = "default",
    groups: tuple[str, ...] = (),
) -> Object:
    """Return a SubjectAccessReview; see `Cluster.can`.

    Raises:
        StatusError: 404, there is no such kind.
        ValueError: The verb is nearly one that there is.
    """
    text_of(user, "a user")
    _check_verb(verb)
    groups = texts_of(groups, "groups")
    spec: dict[str, Any] = {"user": user, "groups": [*groups, *_groups_of(user)]}
    if resource.startswith("/"):
        spec["nonResourceAttributes"] = {"verb": verb, "path": resource}
    else:
        spec["resourceAttributes"] = _attributes(registry, verb, resource, name, namespace)
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": spec,
    }


def _check_verb(verb: str) -> None:
    """Refuse a verb that is a slip of the pen; there may be any, and nobody would be let."""
    near = None if text_of(verb, "a verb") in _VERBS else nearest(verb, _VERBS, 0.8)
    if near is not None:
        raise ValueError(f"verb={verb!r}: did you mean {near}?")


def permission_of(review: Object) -> Permission:
    """Return the answer of a review that the API has filled in."""
    status = review["status"]
    said = (status.get("reason"), status.get("evaluationError"))
    return Permission(bool(status.get("allowed")), "; ".join(filter(None, said)))


def _attributes(
    registry: KindRegistry, verb: str, resource: str, name: str, namespace: str
) -> dict[str, Any]:
    plural, _, part = resource.partition("/")
    found: dict[str, Any] = {"verb": verb, "resource": "*", "group": "*", "version": "*"}
    if plural != "*":
        kind = find_kind(registry, plural)
        check_subresource(kind, part)
        found |= {"resource": kind.plural, "group": kind.group, "version": kind.version}
        namespace = namespace if kind.namespaced else ""
    given = {"subresource": part, "name": name, "namespace": namespace}
    return found | {field: value for field, value in given.items() if value}


def _groups_of(user: str) -> list[str]:
    account = split_user_name(user)
    accounts = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"] if account else []
    return [*accounts, "system:authenticated"]
