"""The scheduler: a pure core that chooses nodes for pods, and the actor around it."""

from orchestrator.scheduler.scheduler import Recorder, Scheduler, SchedulerStatistics

__all__ = ["Recorder", "Scheduler", "SchedulerStatistics"]
