"""What to do about a Job: from what was observed to a plan. Pure.

`orchestrator.controllers.job.actor` gathers the observation and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.controllers._pods import is_ready
from orchestrator.controllers.job.census import Census, Observed
from orchestrator.controllers.job.counting import Count, count_pods
from orchestrator.controllers.job.outcomes import (
    COMPLETED,
    Outcome,
    deadline,
    decide_outcome,
    started_at,
)
from orchestrator.controllers.job.pods import (
    PODS,
    RESOURCE,
    has_finalizer,
    is_suspended,
    without_finalizer,
)
from orchestrator.controllers.job.sizing import Sizing, decide_sizing
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.conditions import Condition, is_condition_true
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of
from orchestrator.resources.timestamps import format_time

EVENTS: Final = 25
"""Pods of one plan that get an Event each; of more about one object client-go drops the rest."""


AGAIN: Final = 60.0
"""Seconds until refused pods are tried again at the latest; upstream's MaxJobApiBackOff."""


@dataclass(slots=True)
class _Status:
    """The status in the making."""

    conditions: list[Condition]
    active: int
    ready: int
    terminating: int
    start: str | None
    completion: str | None = None
    events: list[Emit] = field(default_factory=list)


def decide_job(job: Object, observed: Observed, now: float) -> Plan:
    """Return what to do about a Job that has not finished; ``JobController`` applies it.

    Args:
        job: As committed, looked after by this controller.
        observed: Its pods.
        now: Wall seconds.
    """
    plan = Plan()
    census = Census(job, observed.pods, ending=observed.ending)
    stored = status_of(job)
    status = _Status(
        conditions=stored.get("conditions") or [],
        active=len(census.active),
        ready=census.ready,
        terminating=len(census.terminating),
        start=stored.get("startTime"),
    )
    if status.start is None and not is_suspended(job):
        status.start = format_time(now)
    started = started_at(job)
    if started is None or is_condition_true(job, "Suspended"):
        started = now  # the deadline counts from when it was resumed
    outcome = decide_outcome(census, started, now)
    if outcome is not None:
        _delete(job, census.active, plan, status)
    else:
        due = deadline(job, started)
        if due is not None:
            plan.look_again(max(due - now, 0.0))
        outcome = _go_on(census, observed, now, plan, status)
    count = count_pods(census, outcome)
    for pod in count.release:
        plan.update.append(Update(PODS, pod, without_finalizer(pod)))
    event = _conclude(job, outcome, count, status, now) if outcome is not None else None
    new = _status(census, count, status)
    if new != stored:
        # First of the updates: nothing is let go that it does not know.
        plan.update.insert(
            0, Update(RESOURCE, job, {**job, "status": new}, "status", event, strict=True)
        )
        plan.events += status.events
    return plan


def _go_on(
    census: Census, observed: Observed, now: float, plan: Plan, status: _Status
) -> Outcome | None:
    """Make and delete pods of a Job that is not decided; tell whether that completes it."""
    job = census.job
    if not is_deleting(job):
        sizing = decide_sizing(census, observed, now)
        _resize(job, sizing, plan, status)
        if observed.refused:
            plan.look_again(AGAIN)
        else:
            status.active += len(sizing.create)
    completions = census.completions
    enough = census.succeeded > 0 if completions is None else census.succeeded >= completions
    if enough and status.active == 0:
        return COMPLETED
    if not is_deleting(job):
        _tell_suspension(job, status, now)
    return None


def _resize(job: Object, sizing: Sizing, plan: Plan, status: _Status) -> None:
    for at, pod in enumerate(sizing.create):
        event = None
        if at < EVENTS:
            event = Emit(job, "Normal", "SuccessfulCreate", f"Created pod: {name_of(pod)}")
        plan.create.append(Creation(PODS, pod, event))
    for pod in sizing.delete:
        # Who is deleted for being too many has not failed: it is let go uncounted.
        if has_finalizer(pod):
            plan.update.append(Update(PODS, pod, without_finalizer(pod)))
    _delete(job, sizing.delete, plan, status)
    if sizing.wait is not None:
        plan.look_again(sizing.wait)


def _delete(job: Object, pods: Sequence[Object], plan: Plan, status: _Status) -> None:
    for at, pod in enumerate(pods):
        event = None
        if at < EVENTS:
            event = Emit(job, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        plan.delete.append(Deletion(PODS, pod, event=event))
        status.active -= 1
        status.ready -= is_ready(pod)
        status.terminating += 1


def _tell_suspension(job: Object, status: _Status, now: float) -> None:
    if is_suspended(job):
        if _set(status, "Suspended", "True", "JobSuspended", "Job suspended", now):
            status.events.append(Emit(job, "Normal", "Suspended", "Job suspended"))
    elif _set(status, "Suspended", "False", "JobResumed", "Job resumed", now):
        status.events.append(Emit(job, "Normal", "Resumed", "Job resumed"))
        status.start = format_time(now)  # the deadline counts active seconds only


def _set(status: _Status, type_: str, value: str, reason: str, message: str, now: float) -> bool:
    """Set a condition, unless it would be a new one that is false; tell whether that changed it."""
    moment = format_time(now)
    new: Condition = {
        "type": type_,
        "status": value,
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
    }
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    for at, old in enumerate(status.conditions):
        if old.get("type") == type_:
            if all(
                (old.get(part) or "") == (new.get(part) or "")
                for part in ("status", "reason", "message")
            ):
                return False
            status.conditions = [*status.conditions[:at], new, *status.conditions[at + 1 :]]
            return True
    if value == "False":
        return False
    status.conditions = [*status.conditions, new]
    return True


def _conclude(
    job: Object, outcome: Outcome, count: Count, status: _Status, now: float
) -> Emit | None:
    """Say how the Job ends, at last for good; return the Event of its end."""
    if not outcome.said:
        _set(status, outcome.interim, "True", outcome.reason, outcome.message, now)
        return None
    uncounted = count.uncounted_succeeded or count.uncounted_failed
    if count.open or uncounted or status.terminating:
        return None
    _set(status, outcome.final, "True", outcome.reason, outcome.message, now)
    if not outcome.success:
        return Emit(job, "Warning", outcome.reason, outcome.message)
    status.completion = format_time(now)
    completions = spec_of(job).get("completions")
    if completions is not None and count.succeeded > completions:
        text = "Too many succeeded pods running after completion count reached"
        status.events.append(Emit(job, "Warning", "TooManySucceededPods", text))
    return Emit(job, "Normal", "Completed", "Job completed")


def _status(census: Census, count: Count, made: _Status) -> Object:
    """Return the whole status; what the stored one has beside is kept."""
    uncounted: Object = {}
    if count.uncounted_succeeded:
        uncounted["succeeded"] = count.uncounted_succeeded
    if count.uncounted_failed:
        uncounted["failed"] = count.uncounted_failed
    status = {
        **status_of(census.job),
        "conditions": made.conditions,
        "startTime": made.start,
        "completionTime": made.completion,
        "active": made.active,
        "succeeded": count.succeeded,
        "failed": count.failed,
        "completedIndexes": str(count.completed) if count.completed is not None else "",
        "uncountedTerminatedPods": uncounted,
    }
    status = {name: value for name, value in status.items() if value or name == _KEPT_EMPTY}
    status["ready"] = made.ready
    status["terminating"] = made.terminating
    if census.limits_each_index:
        status["failedIndexes"] = str(census.failed_indexes)
    return status


_KEPT_EMPTY: Final = "uncountedTerminatedPods"
