"""Rules that workloads share: selector, pod template, counts of their status.

Source: pkg/apis/apps/validation and pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    forbidden,
    immutable,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.selectors import SelectorError, label_selector
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import ValidateUpdate

_OVER_REPLICAS: Final = "cannot be greater than status.replicas"
_UNMATCHED: Final = "`selector` does not match template `labels`"


def selector_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check that there is a selector, that it is valid and not empty."""
    selector = spec.get("selector")
    field = f"{at}.selector"
    if selector is None:
        return [required(field)]
    found = label_selector_problems(field, selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(invalid(field, selector, f"empty selector is invalid for {kind}"))
    return found


def match_checks(spec: Part, at: str) -> list[FieldError]:
    """Check that the selector selects the template's labels; an empty one selects all."""
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    selector = spec.get("selector")
    if selector is not None:
        try:
            parsed = label_selector(selector)
        except SelectorError:
            return []  # said already: not a valid operator
        if parsed.empty or parsed.matches(labels or {}):
            return []
    # No selector at all selects nothing.
    return [invalid(f"{at}.template.metadata.labels", labels, _UNMATCHED)]


def template_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check a pod template that runs for ever, and that the selector selects it."""
    return [
        *match_checks(spec, at),
        *template_problems(spec.get("template") or {}, f"{at}.template"),
        *forever_checks(spec, at, kind),
    ]


def forever_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check that a template's pods are restarted always and have no deadline."""
    pod = (spec.get("template") or {}).get("spec") or {}
    here = f"{at}.template.spec"
    found: list[FieldError] = []
    policy = pod.get("restartPolicy")
    if policy != "Always":
        found.append(not_supported(f"{here}.restartPolicy", policy or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        found.append(
            forbidden(
                f"{here}.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported"
            )
        )
    return found


def selector_unchanged(new: Object, old: Object) -> list[FieldError]:
    """Check that ``spec.selector`` stays."""
    return immutable(
        "spec.selector",
        (new.get("spec") or {}).get("selector"),
        (old.get("spec") or {}).get("selector"),
    )


def status_counts(
    *counts: str,
    within_replicas: tuple[str, ...] = (),
    ready_is: str = "readyReplicas",
) -> ValidateUpdate:
    """Make the check of a workload's status.

    Args:
        counts: Fields that may not be negative, in upstream's order.
        within_replicas: Those that are at most ``replicas``.
        ready_is: What the complaint calls ``readyReplicas``, the most of ``availableReplicas``.
    """

    def check(new: Object, old: Object) -> list[FieldError]:
        status: Part = new.get("status") or {}
        found: list[FieldError] = []
        for field in counts:
            found += not_negative(f"status.{field}", status.get(field))
        replicas = status.get("replicas") or 0
        for field in within_replicas:
            value = status.get(field) or 0
            if value > replicas:
                found.append(invalid(f"status.{field}", value, _OVER_REPLICAS))
        available: Any = status.get("availableReplicas") or 0
        if within_replicas and available > (status.get("readyReplicas") or 0):
            wrong = f"cannot be greater than {ready_is}"
            found.append(invalid("status.availableReplicas", available, wrong))
        if "collisionCount" in counts:
            before = (old.get("status") or {}).get("collisionCount")
            after = status.get("collisionCount")
            if before is not None and (after is None or after < before):
                found.append(invalid("status.collisionCount", after or 0, "cannot be decremented"))
        return found

    return check
