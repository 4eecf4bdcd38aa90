"""CronJobs: a Job at each time of a schedule."""

from orchestrator.controllers.cronjob.actor import CronJobController
from orchestrator.controllers.cronjob.core import decide_cron_job

__all__ = ["CronJobController", "decide_cron_job"]
