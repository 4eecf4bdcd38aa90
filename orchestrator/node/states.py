"""What a node knows of its pods: changed by the pod's actor alone, read by `core`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import NamedTuple

from orchestrator.node.admission import Refusal
from orchestrator.node.support import Unsupported
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object


class Role(enum.Enum):
    """What a container is to its pod."""

    MAIN = "main"
    INIT = "init"
    """Has to end well before what follows it is started."""
    SIDECAR = "sidecar"
    """An init container with ``restartPolicy: Always``: runs as long as the pod does."""
    EPHEMERAL = "ephemeral"
    """Added to a running pod to look into it: started once, and of no account for the pod."""


class Phase(enum.Enum):
    """Where one container stands."""

    NEW = "new"
    """Not started yet, or not startable for now: see ``reason``."""
    STARTING = "starting"
    """The runtime was asked to start it."""
    HOOKED = "hooked"
    """It runs, and its ``postStart`` hook has not ended: nobody is told that it runs."""
    RUNNING = "running"
    EXITED = "exited"
    """Ended, or refused by the runtime."""


BEGINNING = frozenset((Phase.STARTING, Phase.HOOKED))
"""Phases in which nobody is told yet that a container runs."""
_LIVE = frozenset((Phase.STARTING, Phase.HOOKED, Phase.RUNNING))


class PullState(NamedTuple):
    """How pulling an image goes that could not be pulled.

    Attributes:
        delay: Seconds of the present back-off.
        again_at: When it is tried again, seconds since the epoch.
        look_at: When there is something to tell or to do next.
        error: Why it failed.
    """

    delay: float
    again_at: float
    look_at: float
    error: str


class ContainerState:
    """One container of a pod.

    Attributes:
        name: As in the spec.
        role: What it is to its pod.
        index: Place in its list of the spec.
        phase: Where it stands.
        id: Runtime's id of the newest attempt, or ``""``.
        attempt: Restart count; of the newest attempt, or of the next one in `Phase.NEW`.
        started_at: Seconds since the epoch, 0 when it never started.
        finished_at: Seconds since the epoch.
        exit_code: Of the newest attempt.
        reason: Why it waits (`Phase.NEW`) or why it ended (`Phase.EXITED`).
        message: Sentence to ``reason``.
        last: ``terminated`` record of the attempt before, or None.
        older: Runtime's id of the attempt before, whose logs ``--previous`` reads, or ``""``.
        ended_before: When the attempt before ended, seconds since the epoch; 0 if there was none.
        backoff: Seconds of the present crash-loop delay, 0 before the first restart.
        backoff_at: When that delay was last raised, seconds since the epoch.
        held: Whether a crash-loop delay is running.
        started: While it runs: whether its startup probe has succeeded, if it has one.
        ready: While it runs and has started: what its readiness probe says, True without one.
        condemned: Why the node ends this attempt (``liveness probe``, ``startup probe``,
            ``postStart hook``), or ``""``.
        stopping: Whether it was asked to end.
        stop_by: When its grace ends, seconds since the epoch; counts while ``stopping``.
        hooking: Whether its ``preStop`` hook runs.
        hooked: Whether its ``preStop`` hook has begun, and must not begin again.
        signalled: For when the runtime was told to kill it, seconds since the epoch, or None
            before it was told anything.
        image: Image of the newest attempt, ``""`` before the first.
        pull: How pulling its image goes, None unless that failed.
        changed: Whether the newest attempt runs another image than the spec has by now.
    """

    __slots__ = (
        "attempt",
        "backoff",
        "backoff_at",
        "changed",
        "condemned",
        "ended_before",
        "exit_code",
        "finished_at",
        "held",
        "hooked",
        "hooking",
        "id",
        "image",
        "index",
        "last",
        "message",
        "name",
        "older",
        "phase",
        "pull",
        "ready",
        "reason",
        "role",
        "signalled",
        "started",
        "started_at",
        "stop_by",
        "stopping",
    )

    def __init__(self, name: str, role: Role = Role.MAIN, index: int = 0) -> None:
        self.name = name
        self.role = role
        self.index = index
        self.phase = Phase.NEW
        self.id = ""
        self.attempt = 0
        self.started_at = 0.0
        self.finished_at = 0.0
        self.exit_code = 0
        self.reason = ""
        self.message = ""
        self.last: Object | None = None
        self.older = ""
        self.ended_before = 0.0
        self.backoff = 0.0
        self.backoff_at = 0.0
        self.held = False
        self.started = True
        self.ready = True
        self.condemned = ""
        self.stopping = False
        self.stop_by = 0.0
        self.hooking = False
        self.hooked = False
        self.signalled: float | None = None
        self.image = ""
        self.pull: PullState | None = None
        self.changed = False

    @property
    def is_live(self) -> bool:
        """Whether the runtime may have processes of it."""
        return self.phase in _LIVE

    @property
    def failed_probe(self) -> bool:
        """Whether the node ends, or has ended, this attempt since a probe failed."""
        return self.condemned.endswith("probe")

    @property
    def is_done(self) -> bool:
        """Whether an init container or a sidecar lets what follows it start."""
        if self.role is Role.SIDECAR:
            return self.phase is Phase.RUNNING and self.started
        return self.phase is Phase.EXITED and self.exit_code == 0


@dataclass(slots=True)
class PodState:
    """One pod.

    Attributes:
        pod: Latest object seen.
        containers: The main ones, in the order of the spec.
        address: The pod's IP, ``""`` until it has one.
        host: The node's IP.
        runtime: Prefix of container ids.
        started_at: Seconds since the epoch when the node first saw the pod.
        inits: Init containers and sidecars, in the order of the spec.
        debuggers: Ephemeral containers, in the order of the spec.
        unsupported: Fields that keep it waiting.
        waiting: Why no container may start yet, as (reason, message), or None.
        status: The status last proposed, None before the first.
        gone: Whether the pod was removed from the store.
        confirmed: Whether the store was told that nothing of the pod runs any more.
        failed: Why the node ended the pod before its time, as (reason, message), or None.
        refused: Why the node did not take the pod, or None; then nothing of it is ever begun.
    """

    pod: Object
    containers: list[ContainerState]
    host: str
    runtime: str
    started_at: float
    inits: Sequence[ContainerState] = ()
    debuggers: list[ContainerState] = field(default_factory=list)
    address: str = ""
    unsupported: tuple[Unsupported, ...] = ()
    waiting: tuple[str, str] | None = None
    status: Object | None = field(default=None)
    gone: bool = False
    confirmed: bool = False
    failed: tuple[str, str] | None = None
    refused: Refusal | None = None

    def all(self) -> Iterator[ContainerState]:
        """All containers, in the order in which they are started first."""
        yield from self.inits
        yield from self.containers
        yield from self.debuggers

    def spec(self, container: ContainerState) -> Object:
        """A container's entry in the pod."""
        found: Object = self.pod["spec"][specs_of(container.role)][container.index]
        return found

    @property
    def has_live(self) -> bool:
        """Whether anything of the pod may run."""
        return any(item.is_live for item in self.all())


def specs_of(role: Role) -> str:
    """Return the field of a pod's spec that lists containers of a role."""
    return _SPECS[role]


def statuses_of(role: Role) -> str:
    """Return the field of a pod's status that lists containers of a role."""
    return _STATUSES[role]


_SPECS = {
    Role.MAIN: "containers",
    Role.INIT: "initContainers",
    Role.SIDECAR: "initContainers",
    Role.EPHEMERAL: "ephemeralContainers",
}
_STATUSES = {
    Role.MAIN: "containerStatuses",
    Role.INIT: "initContainerStatuses",
    Role.SIDECAR: "initContainerStatuses",
    Role.EPHEMERAL: "ephemeralContainerStatuses",
}


def containers_of(spec: Object) -> list[ContainerState]:
    """Make the states of a pod's main containers."""
    return [
        ContainerState(item["name"], Role.MAIN, index)
        for index, item in enumerate(spec["containers"])
    ]


def inits_of(spec: Object) -> Sequence[ContainerState]:
    """Make the states of a pod's init containers and sidecars."""
    return tuple(
        ContainerState(
            item["name"],
            Role.SIDECAR if item.get("restartPolicy") == "Always" else Role.INIT,
            index,
        )
        for index, item in enumerate(spec.get("initContainers") or ())
    )


def debuggers_of(spec: Object, known: int = 0) -> list[ContainerState]:
    """Make the states of a pod's ephemeral containers after the first ``known`` ones."""
    listed = spec.get("ephemeralContainers") or ()
    return [
        ContainerState(item["name"], Role.EPHEMERAL, index)
        for index, item in enumerate(listed)
        if index >= known
    ]
