"""What was used: the records that metrics are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.resources.objects import Object


class ContainerUsage(NamedTuple):
    """What one container uses.

    Attributes:
        name: Within its pod.
        cpu: Nanocores, on average over the window.
        memory: Bytes.
    """

    name: str
    cpu: int
    memory: int


class PodUsage(NamedTuple):
    """What the running containers of one pod use.

    Attributes:
        pod: The pod.
        timestamp: End of the window, seconds since the epoch.
        window: Seconds over which CPU time was counted.
        containers: At least one.
    """

    pod: Object
    timestamp: float
    window: float
    containers: tuple[ContainerUsage, ...]


class NodeUsage(NamedTuple):
    """What the pods of one node use together.

    Attributes:
        node: The node.
        timestamp: End of the window, seconds since the epoch.
        window: Seconds over which CPU time was counted.
        cpu: Nanocores.
        memory: Bytes.
    """

    node: Object
    timestamp: float
    window: float
    cpu: int
    memory: int


def total(pods: Iterable[PodUsage]) -> tuple[int, int]:
    """Return nanocores and bytes of some pods together."""
    cpu = memory = 0
    for pod in pods:
        for container in pod.containers:
            cpu += container.cpu
            memory += container.memory
    return cpu, memory
