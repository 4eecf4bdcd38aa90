"""What a decision about a pod consists of."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from orchestrator.node.states import ContainerState
from orchestrator.records import dataclass


class Stop(NamedTuple):
    """Begin to end a container within ``grace`` seconds: say so, and run its ``preStop`` hook."""

    container: ContainerState
    grace: float


class Signal(NamedTuple):
    """Tell a container's processes to end, and kill them after ``grace`` seconds."""

    container: ContainerState
    grace: float


class Plan(NamedTuple):
    """What a pod needs now; carried out by ``PodActor`` in the order of the fields.

    Attributes:
        fail: Why the pod is over though its containers are not, as (reason, message), or None.
        stop: Containers to begin to end.
        signal: Containers whose hook is over, or that have none, and whose turn it is.
        start: Containers to start now.
        hold: Containers whose crash-loop delay runs, to be shown as waiting.
        wake_at: When to decide again, seconds since the epoch, or None.
        finished: Whether the pod is to be deleted and nothing of it runs any more.
    """

    fail: tuple[str, str] | None = None
    stop: tuple[Stop, ...] = ()
    signal: tuple[Signal, ...] = ()
    start: tuple[ContainerState, ...] = ()
    hold: tuple[ContainerState, ...] = ()
    wake_at: float | None = None
    finished: bool = False


NOTHING = Plan()
FINISHED = Plan(finished=True)


@dataclass(slots=True)
class Draft:
    """A plan in the making."""

    stop: list[Stop] = field(default_factory=list)
    signal: list[Signal] = field(default_factory=list)
    start: list[ContainerState] = field(default_factory=list)
    hold: list[ContainerState] = field(default_factory=list)
    wake_at: float | None = None

    def wake(self, at: float) -> None:
        """Decide again then, or earlier."""
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at

    def plan(self, fail: tuple[str, str] | None = None) -> Plan:
        """Return what has come together."""
        if not (self.stop or self.signal or self.start or self.hold or fail):
            return NOTHING if self.wake_at is None else Plan(wake_at=self.wake_at)
        return Plan(
            fail,
            tuple(self.stop),
            tuple(self.signal),
            tuple(self.start),
            tuple(self.hold),
            self.wake_at,
        )
