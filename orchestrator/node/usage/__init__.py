"""What containers use: measured for processes, computed for simulated pods, and only when asked."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.node.usage.amounts import ContainerUsage, NodeUsage, PodUsage, total
    from orchestrator.node.usage.measuring import Measure, Reading
    from orchestrator.node.usage.meter import UsageMeter

__all__ = [
    "ContainerUsage",
    "Measure",
    "NodeUsage",
    "PodUsage",
    "Reading",
    "UsageMeter",
    "total",
]

__getattr__ = exports(
    __name__,
    {
        "ContainerUsage": "orchestrator.node.usage.amounts",
        "Measure": "orchestrator.node.usage.measuring",
        "NodeUsage": "orchestrator.node.usage.amounts",
        "PodUsage": "orchestrator.node.usage.amounts",
        "Reading": "orchestrator.node.usage.measuring",
        "UsageMeter": "orchestrator.node.usage.meter",
        "total": "orchestrator.node.usage.amounts",
    },
)
