"""RoleBindings and ClusterRoleBindings: who has a role; which one never changes.

Source: pkg/apis/rbac/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    each_invalid,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._internal import internal
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, each, put
from orchestrator.resources.strategies._strategy import (
    Strategy,
    ValidateCreate,
    build,
)

GROUP: Final = "rbac.authorization.k8s.io"
_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def strategy(kind: Kind) -> Strategy:
    """Build the rules of bindings in namespaces, or of those in the whole cluster."""
    return build(
        has_status=False,
        default=_default,
        create_checks=(
            metadata_check(names.path_segment, namespaced=kind.namespaced),
            _binding(kind.namespaced),
        ),
        update_checks=(metadata_update_check(), _same_role),
        create_on_update=True,
    )


def _default(obj: Object) -> Object:
    obj = changed(obj, "roleRef", _default_role)
    return changed(obj, "subjects", each(_default_subject))


def _default_role(role: Part) -> Part:
    return role if role.get("apiGroup") else put(role, "apiGroup", GROUP)


def _default_subject(subject: Part) -> Part:
    if subject.get("apiGroup") or subject.get("kind") not in {"User", "Group"}:
        return subject
    return put(subject, "apiGroup", GROUP)


def _binding(namespaced: bool) -> ValidateCreate:
    roles = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)

    def check(obj: Object) -> list[FieldError]:
        role: dict[str, Any] = obj.get("roleRef") or {}
        group, kind, name = (role.get(field) or "" for field in ("apiGroup", "kind", "name"))
        found: list[FieldError] = []
        if group != GROUP:
            found.append(not_supported("roleRef.apiGroup", group, (GROUP,)))
        if kind not in roles:
            found.append(not_supported("roleRef.kind", kind, roles))
        if not name:
            found.append(required("roleRef.name"))
        found += each_invalid("roleRef.name", name, names.path_segment(name))
        for index, subject in enumerate(obj.get("subjects") or ()):
            found += _subject(subject, f"subjects[{index}]", namespaced)
        return found

    return check


def _subject(subject: Part, at: str, namespaced: bool) -> list[FieldError]:
    kind, group, name = (subject.get(field) or "" for field in ("kind", "apiGroup", "name"))
    found = [] if name else [required(f"{at}.name")]
    if kind == "ServiceAccount":
        if name:
            found += each_invalid(f"{at}.name", name, names.dns_subdomain(name))
        if group:
            found.append(not_supported(f"{at}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            found.append(required(f"{at}.namespace"))
    elif kind in _SUBJECTS:
        if not name:
            found.append(invalid(f"{at}.name", "", f"{kind.lower()} name cannot be empty"))
        if group != GROUP:
            found.append(not_supported(f"{at}.apiGroup", group, (GROUP,)))
    else:
        found.append(not_supported(f"{at}.kind", kind, _SUBJECTS))
    return found


def _same_role(new: Object, old: Object) -> list[FieldError]:
    after, before = _shown(new), _shown(old)
    return [] if after == before else [invalid("roleRef", after, "cannot change roleRef")]


def _shown(obj: Object) -> Part | None:
    return internal(obj.get("roleRef") or {}, APIGroup="apiGroup", Kind="kind", Name="name")
