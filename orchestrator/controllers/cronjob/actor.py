"""The CronJob controller: gathers Jobs, decides, applies. One timer for each CronJob."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.cronjob.jobs import JOBS, RESOURCE, ended
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import (
    Key,
    Object,
    controller_of,
    is_deleting,
    spec_of,
    uid_of,
)
from orchestrator.store import ObjectEvent


class CronJobController(Controller[Key]):
    """Makes a Job at each time of a schedule, and keeps the history short."""

    resources = (RESOURCE, JOBS)

    def observe(self, event: ObjectEvent) -> None:
        """Mark the CronJob, or the one whose Job came, ended or went."""
        if event.key[0] == RESOURCE:
            self._observe_cron_job(event)
            return
        previous = event.previous
        owner = _owner(event.object)
        if previous is not None:
            before = _owner(previous)
            if before is not None and before != owner:
                self.queue.mark(before)
            elif (
                event.type == "MODIFIED"
                and ended(previous) == ended(event.object)
                and is_deleting(previous) == is_deleting(event.object)
            ):
                return
        if owner is not None:
            self.queue.mark(owner)

    def _observe_cron_job(self, event: ObjectEvent) -> None:
        before = event.previous
        if event.type == "MODIFIED" and before is not None:
            old, new = spec_of(before), spec_of(event.object)
            if (old.get("schedule"), old.get("timeZone")) != (
                new.get("schedule"),
                new.get("timeZone"),
            ):
                from orchestrator.controllers.cronjob.core import timing_of

                # A time that the new schedule would have had before is not made up for.
                timing = timing_of(event.object)
                now = self.context.clock.now()
                wait = timing.wait(event.object, now) if timing is not None else None
                if wait is not None:
                    self.queue.after(event.key, self.context.clock.monotonic() + wait)
                    return
        self.queue.mark(event.key)

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one CronJob; one that is gone is the garbage collector's affair."""
        cron_job = self.store.get(*key)
        if cron_job is None:
            return None
        # Read with the first CronJob: a start does not wait for it.
        from orchestrator.controllers.cronjob.core import decide_cron_job

        uid = uid_of(cron_job)
        jobs = [
            job
            for job in self.store.by_owner(uid, JOBS)
            if (owner := controller_of(job)) is not None and owner.get("uid") == uid
        ]
        return decide_cron_job(
            cron_job, jobs, now, lambda name: self.store.get(JOBS, key.namespace, name)
        )

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report a Job that could not be created or deleted."""
        cron_job = self.store.get(*key)
        if cron_job is None or item.resource != JOBS or error.reason == "AlreadyExists":
            return
        if isinstance(item, Creation):
            self._record(
                Emit(cron_job, "Warning", "FailedCreate", f"Error creating job: {error.message}")
            )
        elif isinstance(item, Deletion):
            self._record(Emit(cron_job, "Warning", "FailedDelete", f"Deleted job: {error.message}"))


def _owner(job: Object) -> Key | None:
    """Return the CronJob that controls a Job."""
    owner = controller_of(job)
    if owner is None or owner.get("kind") != "CronJob":
        return None
    return Key(RESOURCE, job["metadata"].get("namespace", ""), owner["name"])
