"""What to do about a CronJob: from what was observed to a plan. Pure.

`orchestrator.controllers.cronjob.actor` gathers the observation and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/cronjob.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from orchestrator.controllers.cronjob.jobs import (
    JOBS,
    RESOURCE,
    beyond,
    ended,
    job_name,
    make_job,
    reference,
    scheduled_for,
)
from orchestrator.controllers.cronjob.timing import MANY, InvalidScheduleError, Timing
from orchestrator.controllers.plans import Creation, Deletion, Emit, EventKind, Plan, Update
from orchestrator.resources.objects import (
    Object,
    controller_of,
    is_deleting,
    name_of,
    spec_of,
    status_of,
    uid_of,
)
from orchestrator.resources.schedule_times import UnknownTimeZoneError, time_zone
from orchestrator.resources.schedules import ScheduleError, parse_schedule
from orchestrator.resources.timestamps import format_time, parse_time


class _Look:
    """One look at a CronJob: its status in the making, and what is to be done."""

    def __init__(self, cron_job: Object) -> None:
        self.cron_job = cron_job
        self.plan = Plan()
        status = status_of(cron_job)
        self.active: list[Object] = list(status.get("active") or ())
        self.last_schedule: str | None = status.get("lastScheduleTime")
        self.last_success: str | None = status.get("lastSuccessfulTime")

    def tell(self, kind: EventKind, reason: str, message: str) -> None:
        """Record an Event."""
        self.plan.events.append(Emit(self.cron_job, kind, reason, message))

    def drop(self, uid: str) -> None:
        """Take a Job from those that are active."""
        self.active = [one for one in self.active if one.get("uid") != uid]

    def remove(self, job: Object) -> None:
        """Delete a Job, and its pods after it."""
        self.drop(uid_of(job))
        if is_deleting(job):
            return
        event = Emit(self.cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name_of(job)}")
        self.plan.delete.append(Deletion(JOBS, job, policy="Background", event=event))

    def note(self, job: Object, time: float) -> None:
        """Take note of a Job that was made for a time of the schedule."""
        self.active.append(reference(job))
        if self.last_schedule is None or time > parse_time(self.last_schedule):
            self.last_schedule = format_time(time)

    def as_noted(self) -> Object:
        """Return the CronJob with the status made so far."""
        made = {
            "active": self.active,
            "lastScheduleTime": self.last_schedule,
            "lastSuccessfulTime": self.last_success,
        }
        status = {**status_of(self.cron_job), **made}
        return {
            **self.cron_job,
            "status": {name: value for name, value in status.items() if value},
        }

    def finish(self) -> Plan:
        """Return the plan, with the status if it changed."""
        new = self.as_noted()
        if new["status"] != status_of(self.cron_job):
            self.plan.update.append(Update(RESOURCE, self.cron_job, new, "status"))
        return self.plan


def decide_cron_job(
    cron_job: Object, jobs: Sequence[Object], now: float, find: Callable[[str], Object | None]
) -> Plan:
    """Return what to do about one CronJob; ``CronJobController`` applies it.

    A Job is made in one look and noted in the status in the next, from its being there: whatever
    crashes in between, it is neither forgotten nor made again.

    Args:
        cron_job: As committed.
        jobs: Those that it controls.
        now: Wall seconds.
        find: Returns a Job of its namespace by name, or None.
    """
    look = _Look(cron_job)
    _keep_history(look, jobs)
    _note_jobs(look, jobs)
    _drop_missing(look, jobs, find)
    if not is_deleting(cron_job) and (timing := timing_of(cron_job, look.tell)) is not None:
        _start(look, timing, now, find)
    return look.finish()


def _keep_history(look: _Look, jobs: Sequence[Object]) -> None:
    spec = spec_of(look.cron_job)
    for condition, field in (
        ("Complete", "successfulJobsHistoryLimit"),
        ("Failed", "failedJobsHistoryLimit"),
    ):
        over = [job for job in jobs if ended(job) == condition]
        for job in beyond(over, spec.get(field)):
            look.remove(job)


def _note_jobs(look: _Look, jobs: Sequence[Object]) -> None:
    known = {one.get("uid") for one in look.active}
    since = parse_time(look.last_schedule) if look.last_schedule else 0.0
    for job in jobs:
        uid, condition = uid_of(job), ended(job)
        if uid not in known:
            time = scheduled_for(look.cron_job, job)
            if time is not None and time > since:
                look.note(job, time)
                known.add(uid)
            elif not condition:
                text = f"Saw a job that the controller did not create or forgot: {name_of(job)}"
                look.tell("Warning", "UnexpectedJob", text)
        if condition and uid in known:
            look.drop(uid)
            text = f"Saw completed job: {name_of(job)}, condition: {condition}"
            look.tell("Normal", "SawCompletedJob", text)
        completed = status_of(job).get("completionTime") if condition == "Complete" else None
        if completed and (look.last_success is None or completed > look.last_success):
            look.last_success = completed


def _drop_missing(
    look: _Look, jobs: Sequence[Object], find: Callable[[str], Object | None]
) -> None:
    owned = {uid_of(job) for job in jobs}
    for one in list(look.active):
        if one.get("uid") not in owned and find(one.get("name") or "") is None:
            look.drop(one.get("uid") or "")
            look.tell("Normal", "MissingJob", f"Active job went missing: {one.get('name')}")


def timing_of(
    cron_job: Object, tell: Callable[[EventKind, str, str], None] = lambda *_: None
) -> Timing | None:
    """Return a CronJob's schedule in its zone; None when it is suspended or cannot be read.

    Args:
        cron_job: As committed.
        tell: Takes type, reason and message of what a user should hear.
    """
    spec = spec_of(cron_job)
    name = spec.get("timeZone")
    try:
        zone = time_zone(name or "")
    except UnknownTimeZoneError as error:
        tell("Warning", "UnknownTimeZone", f'invalid timeZone: "{name}": {error}')
        return None
    if spec.get("suspend"):
        return None
    text = spec.get("schedule") or ""
    if "TZ" in text:
        tell(
            "Warning",
            "UnsupportedSchedule",
            f'CRON_TZ or TZ used in schedule "{text}" is not officially supported, see '
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
        )
    try:
        schedule = parse_schedule(text)
        if schedule.zone:
            time_zone(schedule.zone)
    except (ScheduleError, UnknownTimeZoneError) as error:
        tell("Warning", "UnparseableSchedule", f'unparseable schedule: "{text}" : {error}')
        return None
    return Timing(schedule, zone)


def _start(look: _Look, timing: Timing, now: float, find: Callable[[str], Object | None]) -> None:
    """Make the Job that is due, if one is and may be made; look again when the next one is."""
    cron_job = look.as_noted()
    try:
        due = timing.due(cron_job, now, by_deadline=True)
    except InvalidScheduleError as error:
        text = f"invalid schedule: {spec_of(cron_job).get('schedule')} : {error}"
        look.tell("Warning", "InvalidSchedule", text)
        return
    if due.missed > MANY and due.time is not None:
        look.tell(
            "Warning",
            "TooManyMissedTimes",
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check "
            "clock skew",
        )
    if due.time is not None and not _make(look, timing, due.time, now, find):
        return  # what was begun has to be answered first
    wait = timing.wait(cron_job, now)
    if wait is not None:
        look.plan.look_again(wait)


def _make(
    look: _Look, timing: Timing, time: float, now: float, find: Callable[[str], Object | None]
) -> bool:
    """Make the Job of a time, or what has to come before; tell whether the next may be awaited."""
    cron_job = look.cron_job
    spec = spec_of(cron_job)
    seconds = spec.get("startingDeadlineSeconds")
    name = job_name(cron_job, time)
    if seconds is not None and time + seconds < now:
        moment = datetime.fromtimestamp(time, UTC).strftime("%a, %d %b %Y %H:%M:%S %z")
        look.tell("Warning", "MissSchedule", f"Missed scheduled time to start a job: {moment}")
        return True
    if any(one.get("name") == name for one in look.active):
        return True
    if look.last_schedule is not None and parse_time(look.last_schedule) == time:
        return True
    policy = spec.get("concurrencyPolicy")
    if policy == "Forbid" and look.active:
        look.tell(
            "Normal",
            "JobAlreadyActive",
            "Not starting job because prior execution is running and concurrency policy is Forbid",
        )
        return True
    if policy == "Replace" and look.active:
        _replace(look, find)
        return False  # the change of the status brings the next look
    there = find(name)
    if there is not None:
        owner = controller_of(there)
        if owner is not None and owner.get("uid") == uid_of(cron_job):
            look.note(there, time)
        return True
    event = Emit(cron_job, "Normal", "SuccessfulCreate", f"Created job {name}")
    look.plan.create.append(Creation(JOBS, make_job(cron_job, time, timing.zone), event))
    return True


def _replace(look: _Look, find: Callable[[str], Object | None]) -> None:
    for one in list(look.active):
        job = find(one.get("name") or "")
        if job is not None and uid_of(job) == one.get("uid"):
            look.remove(job)
        else:
            look.drop(one.get("uid") or "")
