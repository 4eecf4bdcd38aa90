"""The scheduler: a pure core that chooses nodes for pods, and the actor around it."""

from typing import TYPE_CHECKING, Final

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.scheduler.scheduler import Recorder, Scheduler, SchedulerStatistics

_HOME: Final = "orchestrator.scheduler.scheduler"
__all__ = ["Recorder", "Scheduler", "SchedulerStatistics"]

__getattr__ = exports(__name__, dict.fromkeys(__all__, _HOME))
