"""Nodes: node and pod actors, and the runtimes that run their containers."""

from orchestrator.node.configs import NodeConfig, process_node, simulated_node
from orchestrator.node.logs import LogOptions, NodeLogs, PodLogs
from orchestrator.node.manager import NodeManager
from orchestrator.node.process import ProcessRuntime
from orchestrator.node.process.runtime import ProcessConfig
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
