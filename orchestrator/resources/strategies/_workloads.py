"""Rules that workloads share: replicas, selector, pod template.

Source: pkg/apis/apps/validation and pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import SelectorError, label_selector
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._problems import (
    forbidden,
    immutable,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._sharing import Part


def replica_checks(spec: Part, at: str) -> list[FieldError]:
    """Check counts that must not be negative."""
    return [
        *not_negative(f"{at}.replicas", spec.get("replicas")),
        *not_negative(f"{at}.minReadySeconds", spec.get("minReadySeconds")),
    ]


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


def template_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check a pod template that runs for ever, and that the selector selects it."""
    template = spec.get("template")
    if not template:
        return [required(f"{at}.template")]
    found: list[FieldError] = []
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not _selects(spec.get("selector"), labels):
        found.append(
            invalid(
                f"{at}.template.metadata.labels",
                labels,
                "`selector` does not match template `labels`",
            )
        )
    found += template_problems(template, f"{at}.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") not in {None, "Always"}:
        found.append(
            not_supported(f"{at}.template.spec.restartPolicy", pod["restartPolicy"], ("Always",))
        )
    if pod.get("activeDeadlineSeconds") is not None:
        named = "ReplicaSet" if kind == "Deployment" else kind
        found.append(
            forbidden(
                f"{at}.template.spec.activeDeadlineSeconds",
                f"activeDeadlineSeconds in {named} is not Supported",
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


def _selects(selector: Part | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return True  # said already: required
    try:
        parsed = label_selector(selector)
    except SelectorError:
        return True  # said already: not a valid operator
    return parsed.empty or parsed.matches(labels)
