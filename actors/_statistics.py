"""What an actor and a system report about themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorStatistics:
    """One actor at one moment."""

    address: str
    state: str
    queue_length: int
    queue_peak: int
    """The longest queue that a turn of the actor has found."""
    processed: int
    """Messages handled, those that failed included, over all restarts."""
    restarts: int
    last_error: BaseException | None
    children: int
    timers: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatistics:
    """A whole system at one moment; sums are over the actors that live."""

    name: str
    actors: int
    ready: int
    """Actors that wait for their turn."""
    queue_length: int
    queue_peak: int
    processed: int
    restarts: int
    """Since the system began, stopped actors included."""
    failures: int
    """Messages, jobs and starts that failed since the system began."""
    dead_letters: int
    last_error: BaseException | None
