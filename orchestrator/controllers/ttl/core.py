"""When a finished Job is to be deleted. Pure.

`orchestrator.controllers.ttl.actor` applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/ttlafterfinished.
"""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.plans import Deletion, Plan
from orchestrator.resources.objects import Object, is_deleting, spec_of, status_of
from orchestrator.resources.timestamps import parse_time

RESOURCE: Final = "jobs.batch"


def expires_at(job: Object) -> float | None:
    """Return when a Job is to be deleted, in wall seconds; None when it is not, or not yet."""
    seconds = spec_of(job).get("ttlSecondsAfterFinished")
    if seconds is None or is_deleting(job):
        return None
    for condition in status_of(job).get("conditions") or ():
        if condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True":
            moment = condition.get("lastTransitionTime")
            return parse_time(moment) + float(seconds) if moment else None
    return None


def decide_expiry(job: Object, now: float) -> Plan:
    """Return what to do about one Job; ``FinishedJobController`` applies it.

    Args:
        job: As committed.
        now: Wall seconds.
    """
    plan = Plan()
    due = expires_at(job)
    if due is None:
        return plan
    if due > now:
        plan.look_again(due - now)
    else:
        # With its pods: while they are there, so is the Job.
        plan.delete.append(Deletion(RESOURCE, job, policy="Foreground", current=True))
    return plan
