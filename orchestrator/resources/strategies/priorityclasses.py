"""PriorityClasses: the values that users may give, and that they stay.

Source: k8s.io/kubernetes/pkg/apis/scheduling/validation/validation.go.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import forbidden, immutable, one_of
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import filled
from orchestrator.resources.strategies._strategy import Strategy, build

HIGHEST: Final = 1_000_000_000
"""The highest value that a user may give."""
_SYSTEM: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_POLICIES: Final = ("Never", "PreemptLowerPriority")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PriorityClasses."""
    return build(
        has_status=False,
        generation=True,
        default=lambda obj: filled(obj, preemptionPolicy="PreemptLowerPriority"),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _class),
        update_checks=(metadata_update_check(), _update),
        rechecks=False,
    )


def _class(obj: Object) -> list[FieldError]:
    name = (obj.get("metadata") or {}).get("name") or ""
    value = obj.get("value") or 0
    found: list[FieldError] = []
    if name.startswith("system-"):
        if name not in _SYSTEM:
            why = f"{name} is not a known system priority class"
        elif value != _SYSTEM[name]:
            why = f"value of {name} PriorityClass must be {_SYSTEM[name]}"
        elif obj.get("globalDefault"):
            why = f"globalDefault of {name} PriorityClass must be false"
        else:
            why = ""
        if why:
            reserved = "priority class names with 'system-' prefix are reserved for system use only"
            found.append(forbidden("metadata.name", f"{reserved}. error: {why}"))
    elif value > HIGHEST:
        limit = f"maximum allowed value of a user defined priority is {HIGHEST}"
        found.append(forbidden("value", limit))
    return [*found, *one_of("preemptionPolicy", obj.get("preemptionPolicy"), _POLICIES)]


def _update(new: Object, old: Object) -> list[FieldError]:
    same = (new.get("value") or 0) == (old.get("value") or 0)
    found = [] if same else [forbidden("value", "may not be changed in an update.")]
    field = "preemptionPolicy"
    return found + immutable(field, new.get(field), old.get(field))
