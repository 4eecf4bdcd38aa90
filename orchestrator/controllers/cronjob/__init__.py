"""CronJobs: a Job at each time of a schedule."""

from orchestrator.controllers.cronjob.actor import CronJobController

__all__ = ["CronJobController"]
