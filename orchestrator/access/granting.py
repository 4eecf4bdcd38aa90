"""Nobody grants more than they have: roles and bindings that a user writes.

Rules: k8s.io/kubernetes/pkg/registry/rbac (``policybased``) and pkg/registry/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.access.authorizing import (
    BINDINGS,
    CLUSTER_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    MASTERS,
    ROLES,
    Authorizer,
)
from orchestrator.resources.errors import forbidden, not_found
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, name_of
from orchestrator.resources.rbac import Attributes, Rule, missing_rights, rights_text
from orchestrator.resources.rbac.covering import quoted
from orchestrator.resources.users import CONTROLLER_MANAGER, User
from orchestrator.store.admission import Attributes as Admitted
from orchestrator.store.admission.hooks import AdmissionOperation
from orchestrator.store.reading import Reads

_ROLES: Final = frozenset({ROLES, CLUSTER_ROLES})
_BINDINGS: Final = frozenset({BINDINGS, CLUSTER_BINDINGS})
_COLLECTED: Final = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
"""Metadata that has to be writable for a role to be deleted in the end."""

_FULL: Final[list[Rule]] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]


class GrantGuard:
    """Refuses roles and bindings that give more than their author has; a hook of admission."""

    def __init__(self, store: Reads, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether it is a role or a binding that is written."""
        return kind.group == GROUP and not subresource and (operation in {"CREATE", "UPDATE"})

    async def mutate(self, attributes: Admitted) -> Object | None:
        """Change nothing."""
        return attributes.object

    async def validate(self, attributes: Admitted) -> None:
        """Refuse what gives more than its author has.

        Raises:
            StatusError: 403 with what is missing; 404, a binding to a role that is not there.
        """
        user, obj = attributes.caller.user, attributes.object
        if obj is None or MASTERS in user.groups or user is CONTROLLER_MANAGER:
            return
        if attributes.old is not None and _only_collected(attributes.old, obj):
            return
        if attributes.kind.resource in _ROLES:
            self._check_role(user, attributes, obj)
        elif attributes.kind.resource in _BINDINGS:
            self._check_binding(user, attributes, obj)

    def _check_role(self, user: User, attributes: Admitted, role: Object) -> None:
        resource, namespace = attributes.kind.resource, attributes.namespace
        escalate = Attributes(
            "escalate",
            GROUP,
            attributes.kind.plural,
            namespace=namespace,
            name=attributes.name,
            version="v1",
        )
        if self._authorizer.decide(user, escalate).allowed:
            return
        self._confirm(user, namespace, resource, name_of(role), role.get("rules") or ())
        aggregates = (role.get("aggregationRule"), (attributes.old or {}).get("aggregationRule"))
        if any(aggregates):
            held = self._authorizer.held(user, namespace).rules
            if missing_rights(held, _FULL):
                why = "must have cluster-admin privileges to use the aggregationRule"
                raise forbidden(resource, name_of(role), why)

    def _check_binding(self, user: User, attributes: Admitted, binding: Object) -> None:
        namespace = attributes.namespace
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind"), reference.get("name") or ""
        if kind not in {"Role", "ClusterRole"} or reference.get("apiGroup") != GROUP:
            return  # its validation says so
        plural = "roles" if kind == "Role" else "clusterroles"
        bind = Attributes("bind", GROUP, plural, namespace=namespace, name=name, version="v1")
        if self._authorizer.decide(user, bind).allowed:
            return
        where = namespace if kind == "Role" else ""
        role = self._store.get(f"{plural}.{GROUP}", where, name)
        if role is None:
            raise not_found(f"{plural}.{GROUP}", name)
        resource = attributes.kind.resource
        self._confirm(user, namespace, resource, name_of(binding), role.get("rules") or ())

    def _confirm(
        self, user: User, namespace: str, resource: str, name: str, rules: Sequence[Rule]
    ) -> None:
        held = self._authorizer.held(user, namespace)
        missing = missing_rights(held.rules, rules)
        if not missing:
            return
        why = (
            f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC '
            f"permissions not currently held:\n{rights_text(missing)}"
        )
        if held.error:
            why = f"{why}; resolution errors: [{held.error}]"
        raise forbidden(resource, name, why)


def _only_collected(old: Object, new: Object) -> bool:
    """Tell whether nothing but what garbage collection needs has changed."""
    return _rest(old) == _rest(new)


def _rest(obj: Object) -> dict[str, Any]:
    metadata = {key: value for key, value in meta(obj).items() if key not in _COLLECTED}
    return {**obj, "metadata": metadata}
