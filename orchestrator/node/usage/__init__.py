"""What containers use: measured for processes, computed for simulated pods, and only when asked."""

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
