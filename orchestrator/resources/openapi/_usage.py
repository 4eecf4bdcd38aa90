"""``metrics.k8s.io`` as OpenAPI documents publish it.

Source: k8s.io/metrics pkg/apis/metrics/v1beta1.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.kinds import Kind
from orchestrator.resources.openapi._custom import LIST_META, OBJECT_META
from orchestrator.resources.openapi._schemas import Dialect, Schema, reference
from orchestrator.resources.usage_metrics import KINDS, NODE_METRICS, POD_METRICS

_CONTAINER: Final = NODE_METRICS.definition.replace("NodeMetrics", "ContainerMetrics")
_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
_DURATION: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Duration"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
REFERRED: Final = (OBJECT_META, LIST_META, _TIME, _QUANTITY)
"""Definitions that are published with every version."""


def usage_definitions(dialect: Dialect) -> dict[str, Schema]:
    """Return the definitions of the group by name."""
    text = {"type": "string"}

    def refer(name: str) -> Schema:
        return reference(name, dialect)

    whole: dict[str, Any] = {"apiVersion": text, "kind": text}
    usage = {
        "description": "The memory usage is the memory working set.",
        "type": "object",
        "additionalProperties": refer(_QUANTITY),
    }
    measured: dict[str, Any] = {
        **whole,
        "metadata": refer(OBJECT_META),
        "timestamp": refer(_TIME),
        "window": refer(_DURATION),
    }
    found: dict[str, Schema] = {
        _DURATION: {"description": "Duration as text, such as 15.2s.", "type": "string"},
        _CONTAINER: {
            "description": "ContainerMetrics sets resource usage metrics of a container.",
            "type": "object",
            "required": ["name", "usage"],
            "properties": {"name": text, "usage": usage},
        },
    }
    own: dict[Kind, tuple[str, Schema]] = {
        NODE_METRICS: ("usage", usage),
        POD_METRICS: ("containers", {"type": "array", "items": refer(_CONTAINER)}),
    }
    for kind in KINDS:
        field, schema = own[kind]
        called = {"group": kind.group, "version": kind.version}
        found[kind.definition] = {
            "description": (
                f"{kind.kind} sets resource usage, measured from the interval "
                "[Timestamp-Window, Timestamp]."
            ),
            "type": "object",
            "required": ["timestamp", "window", field],
            "properties": {**measured, field: schema},
            "x-kubernetes-group-version-kind": [{**called, "kind": kind.kind}],
        }
        found[f"{kind.definition}List"] = {
            "description": f"{kind.list_kind} is a list of {kind.kind}.",
            "type": "object",
            "required": ["items"],
            "properties": {
                **whole,
                "metadata": refer(LIST_META),
                "items": {"type": "array", "items": refer(kind.definition)},
            },
            "x-kubernetes-group-version-kind": [{**called, "kind": kind.list_kind}],
        }
    return found
