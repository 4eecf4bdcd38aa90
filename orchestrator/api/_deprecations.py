"""Kinds that upstream serves with a warning, and since when.

Source: the ``prerelease-lifecycle-gen`` marks of k8s.io/api/core/v1/types.go.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orchestrator.resources.kinds import Kind


class _Deprecation(NamedTuple):
    minor: int
    replacement: str


_DEPRECATED: Final = {
    "componentstatuses": _Deprecation(19, ""),
    "endpoints": _Deprecation(33, "discovery.k8s.io/v1 EndpointSlice"),
}
"""By store resource, so only core kinds can be named by their plural alone."""


def deprecation_warning(kind: Kind, served: str) -> str:
    """Return what every answer about a kind warns of, or ``""``.

    Args:
        kind: The kind asked for.
        served: The Kubernetes version served: ``1.35``.
    """
    found = _DEPRECATED.get(kind.resource)
    if found is None or int(served.split(".")[1]) < found.minor:
        return ""
    text = f"{kind.api_version} {kind.kind} is deprecated in v1.{found.minor}+"
    return f"{text}; use {found.replacement}" if found.replacement else text
