"""Definitions in the groups that belong to Kubernetes itself need an approval.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/apihelpers.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object, annotations_of, spec_of
from orchestrator.resources.problems import invalid, required

ANNOTATION: Final = "api-approved.kubernetes.io"
_FIELD: Final = f"metadata.annotations[{ANNOTATION}]"
State = Literal["missing", "invalid", "bypassed", "approved"]


def is_protected(group: str) -> bool:
    """Tell whether a group belongs to the Kubernetes project."""
    return group in {"k8s.io", "kubernetes.io"} or group.endswith((".k8s.io", ".kubernetes.io"))


def approval_state(crd: Object) -> tuple[State, str]:
    """Return whether a definition is approved, and upstream's words about that."""
    annotations = annotations_of(crd)
    if ANNOTATION not in annotations:
        return "missing", (
            f'protected groups must have approval annotation "{ANNOTATION}", see '
            "https://github.com/kubernetes/enhancements/pull/1111"
        )
    value = annotations[ANNOTATION]
    if value.startswith("unapproved"):
        return "bypassed", f'not approved: "{value}"'
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:
        return "invalid", (
            f'protected groups must have approval annotation "{ANNOTATION}" with either a URL or a '
            'reason starting with "unapproved", see '
            "https://github.com/kubernetes/enhancements/pull/1111"
        )
    return "approved", f"approved in {value}"


def approval_problems(crd: Object, old: Object | None) -> list[FieldError]:
    """Return the complaints about a missing or senseless approval."""
    if not is_protected(spec_of(crd).get("group") or ""):
        return []
    state, why = approval_state(crd)
    if old is not None and approval_state(old)[0] == state:
        return []
    if state == "missing":
        return [required(_FIELD, why)]
    if state == "invalid":
        return [invalid(_FIELD, annotations_of(crd)[ANNOTATION], why)]
    return []


def approval_condition(crd: Object) -> tuple[str, str, str] | None:
    """Return status, reason and message of the condition about it; None for other groups."""
    if not is_protected(spec_of(crd).get("group") or ""):
        return None
    state, why = approval_state(crd)
    status, reason = {
        "missing": ("False", "MissingAnnotation"),
        "invalid": ("False", "InvalidAnnotation"),
        "bypassed": ("False", "UnapprovedAnnotation"),
        "approved": ("True", "ApprovedAnnotation"),
    }[state]
    return status, reason, why
