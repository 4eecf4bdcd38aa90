"""What a node knows of its pods: changed by the pod's actor alone, read by `core`."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from orchestrator.node.support import Unsupported
from orchestrator.resources.objects import Object


class Phase(enum.Enum):
    """Where one container stands."""

    NEW = "new"
    """Not started yet, or not startable for now: see ``reason``."""
    STARTING = "starting"
    """The runtime was asked to start it."""
    RUNNING = "running"
    EXITED = "exited"
    """Ended, or refused by the runtime."""


class ContainerState:
    """One container of a pod.

    Attributes:
        name: As in the spec.
        phase: Where it stands.
        id: Runtime's id of the newest attempt, or ``""``.
        attempt: Restart count; of the newest attempt, or of the next one in `Phase.NEW`.
        started_at: Seconds since the epoch, 0 when it never started.
        finished_at: Seconds since the epoch.
        exit_code: Of the newest attempt.
        signal: Number of the signal that ended it, or 0.
        reason: Why it waits (`Phase.NEW`) or why it ended (`Phase.EXITED`).
        message: Sentence to ``reason``.
        last: ``terminated`` record of the attempt before, or None.
        older: Runtime's id of the attempt before, whose logs ``--previous`` reads, or ``""``.
        backoff: Seconds of the present crash-loop delay, 0 before the first restart.
        backoff_at: When that delay was last raised, seconds since the epoch.
        held: Whether a crash-loop delay is running.
        stopping: Whether it was asked to end.
        image: Image of the newest attempt, ``""`` before the first.
        changed: Whether the newest attempt runs another image than the spec has by now.
    """

    __slots__ = (
        "attempt",
        "backoff",
        "backoff_at",
        "changed",
        "exit_code",
        "finished_at",
        "held",
        "id",
        "image",
        "last",
        "message",
        "name",
        "older",
        "phase",
        "reason",
        "signal",
        "started_at",
        "stopping",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.phase = Phase.NEW
        self.id = ""
        self.attempt = 0
        self.started_at = 0.0
        self.finished_at = 0.0
        self.exit_code = 0
        self.signal = 0
        self.reason = ""
        self.message = ""
        self.last: Object | None = None
        self.older = ""
        self.backoff = 0.0
        self.backoff_at = 0.0
        self.held = False
        self.stopping = False
        self.image = ""
        self.changed = False

    @property
    def is_live(self) -> bool:
        """Whether the runtime may have processes of it."""
        return self.phase is Phase.RUNNING or self.phase is Phase.STARTING


@dataclass(slots=True)
class PodState:
    """One pod.

    Attributes:
        pod: Latest object seen.
        containers: In the order of the spec.
        address: The pod's IP, ``""`` until it has one.
        host: The node's IP.
        runtime: Prefix of container ids.
        started_at: Seconds since the epoch when the node first saw the pod.
        unsupported: Fields that keep it waiting.
        waiting: Why no container may start yet, as (reason, message), or None.
        status: The status last proposed, None before the first.
        gone: Whether the pod was removed from the store.
        confirmed: Whether the store was told that nothing of the pod runs any more.
        failed: Why the node ended the pod before its time, as (reason, message), or None.
    """

    pod: Object
    containers: list[ContainerState]
    host: str
    runtime: str
    started_at: float
    address: str = ""
    unsupported: tuple[Unsupported, ...] = ()
    waiting: tuple[str, str] | None = None
    status: Object | None = field(default=None)
    gone: bool = False
    confirmed: bool = False
    failed: tuple[str, str] | None = None
