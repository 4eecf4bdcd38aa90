"""Kinds that upstream serves with a warning, and since when.

Source: the ``prerelease-lifecycle-gen`` marks in the types of k8s.io/api.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orchestrator.resources.kinds import Kind


class _Deprecation(NamedTuple):
    minor: int
    replacement: str
    removed: int = 0


_FLOW: Final = "flowcontrol.apiserver.k8s.io"
_DEPRECATED: Final = {
    ("v1", "ComponentStatus"): _Deprecation(19, ""),
    ("v1", "Endpoints"): _Deprecation(33, "discovery.k8s.io/v1 EndpointSlice"),
    **{
        (f"{_FLOW}/v1beta3", kind): _Deprecation(29, f"{_FLOW}/v1 {kind}", 32)
        for kind in ("FlowSchema", "PriorityLevelConfiguration")
    },
}


def deprecation_warning(kind: Kind, served: str) -> str:
    """Return what every answer about a kind warns of, or ``""``.

    Args:
        kind: The kind asked for.
        served: The Kubernetes version served: ``1.35``.
    """
    if kind.custom is not None:
        return kind.custom.warning
    found = _DEPRECATED.get((kind.api_version, kind.kind))
    if found is None or int(served.split(".")[1]) < found.minor:
        return ""
    text = f"{kind.api_version} {kind.kind} is deprecated in v1.{found.minor}+"
    if found.removed:
        text += f", unavailable in v1.{found.removed}+"
    return f"{text}; use {found.replacement}" if found.replacement else text
