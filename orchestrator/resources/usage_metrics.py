"""The kinds of ``metrics.k8s.io``: computed when read, so they are in no registry of stored kinds.

Facts from k8s.io/metrics (types) and metrics-server (verbs, columns, priorities).
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.kinds import Kind

GROUP: Final = "metrics.k8s.io"
VERSION: Final = "v1beta1"
API_SERVICE: Final = f"{VERSION}.{GROUP}"
PRIORITIES: Final = (100, 100)
"""Of the group and of the version, as metrics-server's APIService has them."""
_DEFINITIONS: Final = "io.k8s.metrics.pkg.apis.metrics.v1beta1"


def _kind(name: str, plural: str, *, namespaced: bool) -> Kind:
    return Kind(
        group=GROUP,
        version=VERSION,
        kind=name,
        plural=plural,
        singular="",
        namespaced=namespaced,
        verbs=("get", "list"),
        definition=f"{_DEFINITIONS}.{name}",
    )


NODE_METRICS: Final = _kind("NodeMetrics", "nodes", namespaced=False)
POD_METRICS: Final = _kind("PodMetrics", "pods", namespaced=True)
KINDS: Final = (NODE_METRICS, POD_METRICS)


def resource_list() -> list[dict[str, Any]]:
    """Return the entries of the group's ``APIResourceList``."""
    return [
        {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(kind.verbs),
        }
        for kind in KINDS
    ]
