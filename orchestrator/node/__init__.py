"""Nodes: node and pod actors, and the runtimes that run their containers.

The process runtime is loaded on first use: a simulated cluster has none.
"""

from typing import TYPE_CHECKING, Any

from orchestrator.node.configs import NodeConfig, process_node, simulated_node
from orchestrator.node.logs import LogOptions, NodeLogs, PodLogs
from orchestrator.node.manager import NodeManager
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
    Identity,
    Runtime,
    RuntimeEvent,
    RuntimeUnavailableError,
)
from orchestrator.node.simulated import Behaviour, SimulatedRuntime

if TYPE_CHECKING:
    from orchestrator.node.process.runtime import ProcessConfig, ProcessRuntime

__all__ = [
    "Behaviour",
    "ContainerExited",
    "ContainerOf",
    "ContainerRecord",
    "ContainerRefused",
    "ContainerSpec",
    "ContainerStarted",
    "Identity",
    "LogOptions",
    "NodeConfig",
    "NodeLogs",
    "NodeManager",
    "PodLogs",
    "ProcessConfig",
    "ProcessRuntime",
    "Runtime",
    "RuntimeEvent",
    "RuntimeUnavailableError",
    "SimulatedRuntime",
    "process_node",
    "simulated_node",
]


def __getattr__(name: str) -> Any:
    if name in ("ProcessConfig", "ProcessRuntime"):
        from orchestrator.node.process import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
