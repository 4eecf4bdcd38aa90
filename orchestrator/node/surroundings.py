"""What the pods of one node share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol

from orchestrator.node.addresses import AddressPool
from orchestrator.node.admission import Refusal
from orchestrator.node.configs import NodeConfig
from orchestrator.node.outbox import Outbox
from orchestrator.node.runtime import Runtime
from orchestrator.node.volumes.followers import Followers
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.node.volumes import VolumeDirectories

_PROBED = 64
"""Processes of a node that are probed at the same time."""


class PodEntry:
    """What a node actor and one of its pod actors share.

    Attributes:
        latest: Newest revision that the node has seen; the node writes it.
        proposed: Status that the pod proposed last, which comes back as a revision that is no
            news; the pod writes it.
        refused: Why the node does not take the pod, None if it does; the node writes it.
        removed: Whether the store no longer has the pod; the node writes it.
        hooked: Ids of containers whose ``preStop`` hook has begun; the pod writes it, so that a
            hook does not run again when the pod's actor fails.
        settled: Whether nothing has happened to the pod since it said that nothing will by itself;
            the pod writes it.
        unheard: How many of the node's messages the pod has not handled yet.
    """

    __slots__ = ("hooked", "latest", "proposed", "refused", "removed", "settled", "unheard")

    def __init__(self, latest: Object) -> None:
        self.latest = latest
        self.proposed: Object | None = None
        self.refused: Refusal | None = None
        self.removed = False
        self.hooked: tuple[str, ...] = ()
        self.settled = False
        self.unheard = 0


class Recorder(Protocol):
    """Where Events go."""

    def event(
        self,
        involved: Object,
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        field_path: str = "",
        instance: str | None = None,
    ) -> None:
        """Record an Event on an object, or on the part of it at ``field_path``."""


class Reader(Protocol):
    """The part of the store that pods read."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return a committed object, or None."""

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Return committed objects."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Made by the node actor for its pods.

    Attributes:
        config: The node.
        runtime: What runs its containers.
        reader: Committed state.
        recorder: For Events.
        outbox: For statuses and confirmed deletions.
        pool: Pod addresses of the node.
        path: ``PATH`` of containers.
        user: The daemon's uid.
        allocatable: The node's quantities.
        volumes: Where pods' volumes are on this machine; None where processes have none.
        unconfigured: Uids of pods that wait for something in the cluster, such as a ConfigMap; the
            node tells them of the next change in their namespace.
        followers: Pods with volumes made of objects in the cluster, or waiting for some; the node
            tells them of each change of those objects.
        probing: Has as many places as processes of the node are probed at the same time.
    """

    config: NodeConfig
    runtime: Runtime
    reader: Reader
    recorder: Recorder
    outbox: Outbox
    pool: AddressPool
    path: str
    user: int
    allocatable: Mapping[str, str]
    volumes: VolumeDirectories | None = None
    unconfigured: set[str] = field(default_factory=set)
    followers: Followers = field(default_factory=Followers)
    probing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PROBED))
