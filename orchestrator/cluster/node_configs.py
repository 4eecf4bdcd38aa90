"""What a cluster's nodes are: from its configuration and a node's number to its config. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from orchestrator.cluster.addresses import AddressBlock
from orchestrator.cluster.config import ClusterConfig
from orchestrator.node import NodeConfig, process_node, simulated_node
from orchestrator.resources import names

EVENTS_UP_TO: Final = 50
"""Simulated nodes from which on containers' starts make no Events by default."""


class AskedNode(NamedTuple):
    """What is asked of one node.

    Attributes:
        name: ``node-N`` unless given.
        capacity: Over what the cluster's nodes have.
        labels: Beyond the well-known ones.
        taints: As in ``spec.taints``.
    """

    name: str | None = None
    capacity: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    taints: tuple[Mapping[str, str], ...] = ()


ANY_NODE: Final = AskedNode()


def describe_node(
    config: ClusterConfig, block: AddressBlock | None, number: int, asked: AskedNode
) -> NodeConfig:
    """Describe the node of a number, from 1 on, which gives it its addresses.

    Args:
        config: The cluster's.
        block: The addresses of processes; None where nodes are simulated.
        number: Of the node.
        asked: Of it.

    Raises:
        ValueError: There is no address for one more, or its name can't be one.
    """
    if found := names.dns_subdomain(name := asked.name or f"node-{number}"):
        raise ValueError(f"node {name!r}: {found[0]}")
    version = f"v{config.kubernetes_version}.0"
    capacity = {**config.node_capacity, **(asked.capacity or {})}
    if block is None:
        events = config.node_events
        if events is None:
            events = config.nodes < EVENTS_UP_TO
        return simulated_node(
            number - 1,
            name=name,
            capacity=capacity,
            labels=asked.labels,
            taints=asked.taints,
            events=events,
            version=version,
        )
    first, second, *_ = str(block.pods.network_address).split(".")
    described = process_node(
        number,
        name=name,
        pods=f"{first}.{second}",
        capacity=capacity,
        labels=asked.labels,
        version=version,
    )
    return replace(described, heartbeat=config.node_heartbeat_seconds, taints=asked.taints)
