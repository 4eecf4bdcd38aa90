"""Jobs: pods that end, so many of them, each counted once."""

from orchestrator.controllers.job.actor import JobController

__all__ = ["JobController"]
