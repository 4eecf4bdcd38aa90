"""The controller of finished Jobs' time to live."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.ttl.core import RESOURCE, decide_expiry, expires_at
from orchestrator.resources.objects import Key
from orchestrator.store import ObjectEvent


class FinishedJobController(Controller[Key]):
    """Deletes Jobs ``ttlSecondsAfterFinished`` seconds after their end, with all that is theirs."""

    resources = (RESOURCE,)

    def observe(self, event: ObjectEvent) -> None:
        """Mark a Job that will have to go."""
        if event.type != "DELETED" and expires_at(event.object) is not None:
            self.queue.mark(event.key)

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one Job."""
        job = self.store.get(*key)
        return decide_expiry(job, now) if job is not None else None
