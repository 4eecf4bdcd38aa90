"""The Job controller."""

from orchestrator.controllers.job.actor import JobController
from orchestrator.controllers.job.core import decide_job

__all__ = ["JobController", "decide_job"]
