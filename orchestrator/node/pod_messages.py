"""What nodes tell the actors of their pods."""

from __future__ import annotations

from typing import TypeAlias

from orchestrator.node.runtime import RuntimeEvent
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """The store has a new revision of the pod; it is the entry's ``latest``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRemoved:
    """The store no longer has the pod: end it at once and clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconsider:
    """Something the pod waits for may have come true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeTold:
    """The runtime's news of one of the pod's containers."""

    event: RuntimeEvent


Message: TypeAlias = PodSeen | PodRemoved | Reconsider | RuntimeTold
