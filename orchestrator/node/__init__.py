"""Nodes: node and pod actors, and the runtimes that run their containers.

The process runtime is loaded on first use: a simulated cluster has none.
"""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports
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

__getattr__ = exports(
    __name__,
    {
        "ProcessConfig": "orchestrator.node.process.runtime",
        "ProcessRuntime": "orchestrator.node.process.runtime",
    },
)
