"""Actors on asyncio: cheap at rest, supervised, bounded, and deterministic when asked to be."""

from typing import TYPE_CHECKING, Any

from actors._actors import Actor, BatchActor, Overflow
from actors._bus import Bus, LocalBus, Subscription
from actors._clocks import Clock, RealClock, TimerHandle
from actors._contexts import Context, Job, Timer
from actors._dead_letters import DeadLetter, DeadLetters
from actors._envelopes import DEFERRED, Deferred, Envelope
from actors._errors import (
    ActorError,
    ActorStopped,
    AskTimeout,
    MailboxFull,
    NameTaken,
    SystemFailed,
)
from actors._logging import get_logger
from actors._refs import ActorRef
from actors._supervision import (
    Backoff,
    Decision,
    Exhausted,
    Restart,
    Strategy,
    Supervision,
    Verdict,
    decide_restart,
)
from actors._system import ActorSystem
from actors._virtual_clock import VirtualClock

if TYPE_CHECKING:
    from actors._statistics import ActorStatistics, SystemStatistics
    from actors._supervisor import ChildSpec, Supervisor

__all__ = [
    "DEFERRED",
    "Actor",
    "ActorError",
    "ActorRef",
    "ActorStatistics",
    "ActorStopped",
    "ActorSystem",
    "AskTimeout",
    "Backoff",
    "BatchActor",
    "Bus",
    "ChildSpec",
    "Clock",
    "Context",
    "DeadLetter",
    "DeadLetters",
    "Decision",
    "Deferred",
    "Envelope",
    "Exhausted",
    "Job",
    "LocalBus",
    "MailboxFull",
    "NameTaken",
    "Overflow",
    "RealClock",
    "Restart",
    "Strategy",
    "Subscription",
    "Supervision",
    "Supervisor",
    "SystemFailed",
    "SystemStatistics",
    "Timer",
    "TimerHandle",
    "Verdict",
    "VirtualClock",
    "decide_restart",
    "get_logger",
]


def __getattr__(name: str) -> Any:
    # Loaded by those who use them: a program that is started often has no use for them.
    if name in ("ActorStatistics", "SystemStatistics"):
        from actors import _statistics

        return getattr(_statistics, name)
    if name in ("ChildSpec", "Supervisor"):
        from actors import _supervisor

        return getattr(_supervisor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
