"""Taints and tolerations. Source of the rules: k8s.io/api/core/v1, ``ToleratesTaint``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Taint(NamedTuple):
    """A taint of a node."""

    key: str
    value: str
    effect: str


class Toleration(NamedTuple):
    """A toleration of a pod; an empty key or effect stands for any."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        """Tell whether this toleration covers the taint."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator in {"", "Equal"}:
            return self.value == taint.value
        return self.operator == "Exists"


_HARD = frozenset({"NoSchedule", "NoExecute"})


def taints_of(node: Mapping[str, Any]) -> tuple[Taint, ...]:
    """Parse a node's taints."""
    return tuple(
        Taint(taint.get("key", ""), taint.get("value") or "", taint.get("effect", ""))
        for taint in (node.get("spec") or {}).get("taints") or ()
    )


def tolerations_of(spec: Mapping[str, Any]) -> tuple[Toleration, ...]:
    """Parse a pod spec's tolerations."""
    return tuple(
        Toleration(
            toleration.get("key") or "",
            toleration.get("operator") or "",
            toleration.get("value") or "",
            toleration.get("effect") or "",
        )
        for toleration in spec.get("tolerations") or ()
    )


def is_tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Tell whether some toleration covers the taint."""
    return any(toleration.tolerates(taint) for toleration in tolerations)


def tolerates_all(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> bool:
    """Tell whether every taint that keeps pods away is covered."""
    return all(taint.effect not in _HARD or is_tolerated(taint, tolerations) for taint in taints)
