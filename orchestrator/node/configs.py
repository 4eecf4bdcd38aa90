"""What a node is, as its creator says it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from orchestrator.records import dataclass

_RESERVED_MEMORY = 256 * 1024 * 1024
"""Bytes kept from allocatable for the daemon itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node.

    Attributes:
        name: Node name, also its hostname label.
        runtime: ``process`` or ``simulated``: which of the manager's runtimes it uses.
        capacity: Quantities by resource name; empty takes this machine's.
        allocatable: Quantities by resource name; empty takes the capacity.
        labels: Beyond the well-known ones.
        taints: As in ``spec.taints``.
        address: The node's own IP.
        pod_cidr: Range of the pods' IPs; its first address is left to the node.
        heartbeat: Seconds between Lease renewals, or None to compute heartbeats when read.
        events: Whether each start and stop of a container makes an Event. Off for large
            simulations: two Events a pod would be most of what the log holds.
        version: ``kubeletVersion``.
    """

    name: str
    runtime: str = "simulated"
    capacity: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    address: str
    pod_cidr: str
    heartbeat: float | None = None
    events: bool = True
    version: str = "v1.35.0"


LEASE_DURATION = 40
"""Seconds a Lease is good for; the kubelet's ``nodeLeaseDurationSeconds``."""
LEASE_RENEWAL = 10.0
"""Seconds between renewals: a quarter of the duration, as in the kubelet."""


def process_node(
    index: int,
    *,
    name: str | None = None,
    pods: str = "127.64",
    labels: Mapping[str, str] | None = None,
    capacity: Mapping[str, str] | None = None,
    version: str = "v1.35.0",
) -> NodeConfig:
    """Describe a node that runs processes on this machine.

    Args:
        index: From 1; its third address byte.
        name: ``node-INDEX`` where not given.
        pods: First two bytes of the cluster's pod range; the node takes one /24 of it.
        labels: Beyond the well-known ones.
        capacity: Over the machine's own.
        version: ``kubeletVersion``.
    """
    if not 0 <= index <= 255:
        raise ValueError(
            f"node index {index}: a /16 of pod addresses holds the nodes 0 to 255; only simulated "
            "nodes can be more"
        )
    return NodeConfig(
        name=name or f"node-{index}",
        runtime="process",
        capacity={**machine_capacity(), **(capacity or {})},
        labels=labels or {},
        address=f"{pods}.{index}.1",
        pod_cidr=f"{pods}.{index}.0/24",
        heartbeat=LEASE_RENEWAL,
        version=version,
    )


SIMULATED_NODES: Final = 1_000_000
"""How many simulated nodes have addresses, so that each pod of each node has one of its own."""
_PRIVATE_BLOCKS: Final = 11 * 256
"""Nodes whose pods are in 10.244.0.0 to 10.254.255.255, where people look for them. There are not
enough private addresses for the pods of all nodes, so those of the others are in 240.0.0.0/4, which
is reserved and never routed."""
_NODES: Final = int(IPv4Address("10.0.0.0"))
_PODS: Final = int(IPv4Address("10.244.0.0"))
_MORE_PODS: Final = int(IPv4Address("240.0.0.0"))


def simulated_node(
    index: int,
    *,
    name: str | None = None,
    cpu: str = "32",
    memory: str = "256Gi",
    pods: str = "110",
    capacity: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    taints: tuple[Mapping[str, str], ...] = (),
    events: bool = False,
    version: str = "v1.35.0",
) -> NodeConfig:
    """Describe a node that only acts as if: no processes, no heartbeats written.

    Args:
        index: From 0, below `SIMULATED_NODES`; gives the addresses: the node in 10.0.0.0/12, a
            /24 for its pods from 10.244.0.0 on.
        name: ``node-INDEX`` where not given.
        cpu: Capacity.
        memory: Capacity.
        pods: Capacity.
        capacity: Further resources, ``{"example.com/gpu": "8"}``.
        labels: Beyond the well-known ones.
        taints: As in ``spec.taints``.
        events: Whether containers' starts and stops make Events.
        version: ``kubeletVersion``.
    """
    if not 0 <= index < SIMULATED_NODES:
        raise ValueError(
            f"node index {index}: simulated nodes have indexes 0 to {SIMULATED_NODES - 1}"
        )
    begin = _PODS + 256 * index
    if index >= _PRIVATE_BLOCKS:
        begin = _MORE_PODS + 256 * (index - _PRIVATE_BLOCKS)
    base = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "512Gi"}
    return NodeConfig(
        name=name or f"node-{index}",
        runtime="simulated",
        capacity={**base, **(capacity or {})},
        labels=labels or {},
        taints=taints,
        address=str(IPv4Address(_NODES + index)),
        pod_cidr=f"{IPv4Address(begin)}/24",
        events=events,
        version=version,
    )


def machine_capacity() -> dict[str, str]:
    """Return what this machine has: cpu, memory, ephemeral-storage, and 110 pods as kubelets do."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    disk = os.statvfs(Path.cwd())
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{(pages - min(pages // 4, _RESERVED_MEMORY)) // 1024}Ki",
        "pods": "110",
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
    }
