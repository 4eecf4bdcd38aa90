"""Supervision as data: what happens to an actor that failed."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass


class Restart(enum.Enum):
    """When an actor is started again."""

    PERMANENT = "permanent"
    """After a failure and after it stopped itself; only its parent can end it."""
    TRANSIENT = "transient"
    """After a failure only."""
    TEMPORARY = "temporary"
    """Never: a failure ends it."""


class Strategy(enum.Enum):
    """Who is restarted when one child fails."""

    ONE_FOR_ONE = "one-for-one"
    ALL_FOR_ONE = "all-for-one"


class Exhausted(enum.Enum):
    """What happens when an actor fails more often than its limit allows."""

    ESCALATE = "escalate"
    """Stop it and fail its parent with the same error; above the last parent the system stops."""
    STOP = "stop"
    """Stop it and leave it at that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the n-th restart in a row: exponential, capped, with jitter."""

    initial: float = 0.1
    """Seconds before the second restart in a row; the first one is immediate."""
    maximum: float = 30.0
    """Seconds, never exceeded, jitter included."""
    factor: float = 2.0
    jitter: float = 0.1
    """A delay d is drawn from ``d * (1 - jitter) .. d``, so that crowds do not return at once."""

    def delay(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after that many failures in a row (1 = the first)."""
        if failures <= 1:
            return 0.0
        delay = min(self.maximum, self.initial * self.factor ** min(failures - 2, 64))
        return delay * (1.0 - self.jitter * chance.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How a parent treats one child.

    At most ``max_restarts`` restarts within any ``period`` seconds: with the defaults a burst of
    five, and no more than one restart every twelve seconds for ever.
    """

    restart: Restart = Restart.TRANSIENT
    max_restarts: int = 5
    period: float = 60.0
    backoff: Backoff = Backoff()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    exhausted: Exhausted = Exhausted.ESCALATE
    stop_timeout: float = 5.0
    """Seconds the actor gets for each step of its stop (current message, tasks, ``stopped``)."""


DEFAULT_SUPERVISION = Supervision()
"""What applies where nothing is said."""


class Verdict(enum.Enum):
    """What to do with an actor that ended."""

    RESTART = "restart"
    STOP = "stop"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and, for a restart, the seconds to wait before it."""

    verdict: Verdict
    delay: float = 0.0


def decide_restart(
    supervision: Supervision, restarts: Sequence[float], now: float, chance: random.Random
) -> Decision:
    """Decide about an actor that has just failed; the lifecycle carries it out.

    ``restarts`` has the times of its earlier restarts, oldest first; those within the period
    count against the limit and lengthen the delay.
    """
    if supervision.restart is Restart.TEMPORARY:
        return Decision(Verdict.STOP)
    recent = sum(1 for at in restarts if now - at < supervision.period)
    if recent >= supervision.max_restarts:
        if supervision.exhausted is Exhausted.ESCALATE:
            return Decision(Verdict.ESCALATE)
        return Decision(Verdict.STOP)
    return Decision(Verdict.RESTART, supervision.backoff.delay(recent + 1, chance))
