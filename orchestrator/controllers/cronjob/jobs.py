"""The Jobs of a CronJob: their names, how they are made, which are over. Pure.

Rules: k8s.io/kubernetes/pkg/controller/cronjob.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from orchestrator.controllers._owners import controller_reference
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from orchestrator.resources.timestamps import parse_time

RESOURCE: Final = "cronjobs.batch"
JOBS: Final = "jobs.batch"
SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def job_name(cron_job: Object, time: float) -> str:
    """Return the name of the Job of a time: the same whoever makes it, so that it is made once."""
    return f"{name_of(cron_job)}-{int(time // 60)}"


def make_job(cron_job: Object, time: float, zone: tzinfo) -> Object:
    """Return the Job of a time of the schedule."""
    template = spec_of(cron_job).get("jobTemplate") or {}
    given = meta(template)
    metadata: Object = {
        "name": job_name(cron_job, time),
        "namespace": namespace_of(cron_job),
        "annotations": {**(given.get("annotations") or {}), SCHEDULED: _stamp(time, zone)},
        "ownerReferences": [controller_reference(cron_job)],
    }
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }


def _stamp(time: float, zone: tzinfo) -> str:
    text = datetime.fromtimestamp(int(time), zone).isoformat()
    return text.replace("+00:00", "Z") if zone is UTC or text.endswith("+00:00") else text


def scheduled_for(cron_job: Object, job: Object) -> float | None:
    """Return the time that a Job was made for by the controller; None for any other Job."""
    stamp = annotations_of(job).get(SCHEDULED)
    if stamp is None:
        return None
    try:
        time = parse_time(stamp)
    except ValueError:
        return None
    return time if name_of(job) == job_name(cron_job, time) else None


def ended(job: Object) -> str:
    """Return ``Complete`` or ``Failed`` for a Job that is over, else nothing."""
    for condition in status_of(job).get("conditions") or ():
        if condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True":
            type_: str = condition["type"]
            return type_
    return ""


def reference(job: Object) -> Object:
    """Return what ``status.active`` has of a Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": namespace_of(job),
        "name": name_of(job),
        "uid": uid_of(job),
        "resourceVersion": job["metadata"].get("resourceVersion", ""),
    }


def beyond(jobs: Iterable[Object], limit: int | None) -> Sequence[Object]:
    """Return the Jobs beyond a history limit, the oldest first; None is no limit."""
    if limit is None:
        return ()

    def key(job: Object) -> tuple[bool, float, str]:
        started = status_of(job).get("startTime")
        return (not started, parse_time(started) if started else 0.0, name_of(job))

    in_order = sorted(jobs, key=key)
    return in_order[: max(len(in_order) - limit, 0)]
