"""Whether a Job is decided, and why. Pure.

A Job that is decided says so by an interim condition first, ``FailureTarget`` or
``SuccessCriteriaMet``; ``Failed`` or ``Complete`` follow when its pods are gone and counted.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orchestrator.controllers.job.census import Census
from orchestrator.controllers.job.pods import container_restarts, has_failed, is_suspended
from orchestrator.controllers.job.policies import judge_failure, judge_success
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.timestamps import parse_time


class Outcome(NamedTuple):
    """How a Job ends.

    Attributes:
        success: Whether it is complete; else it failed.
        reason: One CamelCase word.
        message: For a person.
        said: Whether the interim condition is in the status already.
    """

    success: bool
    reason: str
    message: str
    said: bool = False

    @property
    def interim(self) -> str:
        """The type of the condition that comes first."""
        return "SuccessCriteriaMet" if self.success else "FailureTarget"

    @property
    def final(self) -> str:
        """The type of the condition that ends the Job."""
        return "Complete" if self.success else "Failed"


COMPLETED: Final = Outcome(True, "CompletionsReached", "Reached expected number of succeeded pods")
_BACKOFF_LIMIT: Final = Outcome(
    False, "BackoffLimitExceeded", "Job has reached the specified backoff limit"
)
_DEADLINE: Final = Outcome(
    False, "DeadlineExceeded", "Job was active longer than specified deadline"
)
_TOO_MANY_INDEXES: Final = Outcome(
    False,
    "MaxFailedIndexesExceeded",
    "Job has exceeded the specified maximal number of failed indexes",
)
_FAILED_INDEXES: Final = Outcome(False, "FailedIndexes", "Job has failed indexes")


def decide_outcome(census: Census, started: float | None, now: float) -> Outcome | None:
    """Return how a Job ends, apart from reaching its completions; None while it does not.

    What was said once is kept. Failures come before successes.

    Args:
        census: Its pods.
        started: When it became active, in wall seconds; None while it is not.
        now: Wall seconds.
    """
    job = census.job
    for success, type_ in ((True, "SuccessCriteriaMet"), (False, "FailureTarget")):
        condition = find_condition(job, type_)
        if condition is not None and condition.get("status") == "True":
            return Outcome(
                success, condition.get("reason") or "", condition.get("message") or "", said=True
            )
    return (
        _by_failure_policy(census)
        or _by_limits(census, started, now)
        or _by_indexes(census)
        or _by_success_policy(census)
    )


def _by_failure_policy(census: Census) -> Outcome | None:
    job = census.job
    if spec_of(job).get("podFailurePolicy") is None:
        return None
    for pod in census.pods:
        if has_failed(pod, job) and (message := judge_failure(job, pod).message):
            return Outcome(False, "PodFailurePolicy", message)
    return None


def _by_limits(census: Census, started: float | None, now: float) -> Outcome | None:
    if census.failed > spec_of(census.job).get("backoffLimit", 6) or _restarted_too_often(census):
        return _BACKOFF_LIMIT
    due = deadline(census.job, started)
    return _DEADLINE if due is not None and now >= due else None


def deadline(job: Object, started: float | None) -> float | None:
    """Return when ``activeDeadlineSeconds`` are over, in wall seconds; None for never."""
    seconds = spec_of(job).get("activeDeadlineSeconds")
    if seconds is None or started is None or is_suspended(job):
        return None
    return started + float(seconds)


def started_at(job: Object) -> float | None:
    """Return when a Job became active, by its status, in wall seconds."""
    moment = status_of(job).get("startTime")
    return parse_time(moment) if moment else None


def _restarted_too_often(census: Census) -> bool:
    """Tell whether containers that restart in place have used up the back-off limit."""
    spec = spec_of(census.job)
    template = spec_of(spec.get("template") or {})
    if template.get("restartPolicy") != "OnFailure":
        return False
    limit = spec.get("backoffLimit", 6)
    restarts = sum(
        container_restarts(pod)
        for pod in census.pods
        if status_of(pod).get("phase") in {"Running", "Pending"}
    )
    return bool(restarts > 0 if limit == 0 else restarts >= limit)


def _by_indexes(census: Census) -> Outcome | None:
    if not census.limits_each_index:
        return None
    failed = len(census.failed_indexes)
    most = spec_of(census.job).get("maxFailedIndexes")
    if most is not None and failed > most:
        return _TOO_MANY_INDEXES
    if failed and failed + len(census.succeeded_indexes) >= (census.completions or 0):
        return _FAILED_INDEXES
    return None


def _by_success_policy(census: Census) -> Outcome | None:
    if not census.indexed:
        return None
    message = judge_success(census.job, census.succeeded_indexes)
    return Outcome(True, "SuccessPolicy", message) if message else None
