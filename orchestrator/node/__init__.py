"""Nodes: node and pod actors, and the runtimes that run their containers."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.node.configs import NodeConfig, process_node, simulated_node
    from orchestrator.node.logs import LogOptions, NodeLogs, PodLogs
    from orchestrator.node.manager import NodeManager
    from orchestrator.node.process.runtime import ProcessConfig, ProcessRuntime
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
        "Behaviour": "orchestrator.node.simulated",
        "ContainerExited": "orchestrator.node.runtime",
        "ContainerOf": "orchestrator.node.runtime",
        "ContainerRecord": "orchestrator.node.runtime",
        "ContainerRefused": "orchestrator.node.runtime",
        "ContainerSpec": "orchestrator.node.runtime",
        "ContainerStarted": "orchestrator.node.runtime",
        "Identity": "orchestrator.node.runtime",
        "LogOptions": "orchestrator.node.logs",
        "NodeConfig": "orchestrator.node.configs",
        "NodeLogs": "orchestrator.node.logs",
        "NodeManager": "orchestrator.node.manager",
        "PodLogs": "orchestrator.node.logs",
        "ProcessConfig": "orchestrator.node.process.runtime",
        "ProcessRuntime": "orchestrator.node.process.runtime",
        "Runtime": "orchestrator.node.runtime",
        "RuntimeEvent": "orchestrator.node.runtime",
        "RuntimeUnavailableError": "orchestrator.node.runtime",
        "SimulatedRuntime": "orchestrator.node.simulated",
        "process_node": "orchestrator.node.configs",
        "simulated_node": "orchestrator.node.configs",
    },
)
