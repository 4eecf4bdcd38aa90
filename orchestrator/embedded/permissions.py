"""Whether roles let somebody do something: a question to the API, and its answer. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from orchestrator.access.accounts import split_user_name
from orchestrator.embedded.kinds import find_kind
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Object


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
    """
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
        found |= {"resource": kind.plural, "group": kind.group, "version": kind.version}
        namespace = namespace if kind.namespaced else ""
    given = {"subresource": part, "name": name, "namespace": namespace}
    return found | {field: value for field, value in given.items() if value}


def _groups_of(user: str) -> list[str]:
    account = split_user_name(user)
    accounts = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"] if account else []
    return [*accounts, "system:authenticated"]
