"""The Job controller: gathers pods, decides, applies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.controllers._belonging import Belonging
from orchestrator.controllers._claims import claim
from orchestrator.controllers._names import random_suffix
from orchestrator.controllers._orphans import Orphans
from orchestrator.controllers._owners import controlled, controller_uid
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.job.pods import (
    PODS,
    RESOURCE,
    finished_condition,
    has_finalizer,
    is_foreign,
    with_finalizer,
    without_finalizer,
)
from orchestrator.controllers.job.unsettled import Unsettled, is_settled
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.errors import StatusError
from orchestrator.resources.job_selectors import UID_LABEL
from orchestrator.resources.objects import (
    Key,
    Object,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)
from orchestrator.resources.selectors import label_selector
from orchestrator.store import ObjectEvent

if TYPE_CHECKING:
    from orchestrator.controllers.job.backoff import Backoff

_BATCH_FROM: Final = 250
"""Pods that are not settled from which a Job's pods are looked at together."""
_BATCH_SECONDS: Final = 1.0
"""How long such a Job waits for more of them; upstream's SyncJobBatchPeriod, for any Job."""


class JobController(Controller[Key]):
    """Runs the pods of every Job and counts them; lets go of pods whose Job is gone.

    Its keys are Jobs, and pods that hold a finalizer for nobody.
    """

    resources = (RESOURCE, PODS)

    def reset(self) -> None:
        """Forget the Jobs, and what was remembered of each."""
        self._jobs: dict[str, Key] = {}
        self._manual: dict[str, set[str]] = {}
        self._orphans = Orphans()
        self._labelled: dict[str, dict[str, None]] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._unsettled: dict[str, Unsettled] = {}
        self._refused: set[Key] = set()
        self._bursts: dict[Key, int] = {}
        self._belonging = Belonging()

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Mark a Job, the Job of a pod, or a pod that nobody waits for."""
        if event.key[0] == RESOURCE:
            self._observe_job(event)
        else:
            self._observe_pod(event)

    def _observe_job(self, event: ObjectEvent) -> None:
        key, job = event.key, event.object
        uid = uid_of(job)
        self.queue.mark(key)
        if event.type == "DELETED":
            self._forget(uid, key)
            self._mark_held(uid)
            return
        self._jobs[uid] = key
        if spec_of(job).get("manualSelector"):
            self._manual.setdefault(key.namespace, set()).add(key.name)
        if finished_condition(job) is not None:
            before = event.previous
            if before is not None and finished_condition(before) is None:
                self._mark_held(uid)

    def _forget(self, uid: str, key: Key) -> None:
        self._jobs.pop(uid, None)
        self._backoffs.pop(uid, None)
        self._unsettled.pop(uid, None)
        self._bursts.pop(key, None)
        self._refused.discard(key)
        self._manual.get(key.namespace, set()).discard(key.name)

    def _mark_held(self, uid: str) -> None:
        """Mark the pods that wait for a Job that is over or gone."""
        for pod in self.store.by_owner(uid, PODS):
            if has_finalizer(pod):
                self.queue.mark(Key(PODS, namespace_of(pod), name_of(pod)))

    def _observe_pod(self, event: ObjectEvent) -> None:
        belonging = self._belonging
        if not belonging.see(event):
            return  # nothing that counts: it was bound, or annotated
        gone = event.type == "DELETED"
        if belonging.moved:
            self._see(belonging.former, event.key.name, None)
            self._mark_job_of(belonging.former)
        self._see(belonging.controller, event.key.name, None if gone else event.object)
        if belonging.controller is None or gone:
            self._observe_orphan(event)
        held = has_finalizer(event.object) and not gone
        if held and not self._is_awaited(belonging.controller):
            self.queue.mark(event.key)
        else:
            self._mark_job_of(belonging.controller)

    def _see(self, uid: str | None, name: str, pod: Object | None) -> None:
        unsettled = self._unsettled.get(uid) if uid is not None else None
        if unsettled is not None:
            unsettled.see(name, pod)

    def _is_awaited(self, uid: str | None) -> bool:
        """Tell whether a Job is known to go on, so that it will let go of its pods."""
        key = self._jobs.get(uid) if uid is not None else None
        job = self.store.get(*key) if key is not None else None
        return job is not None and uid_of(job) == uid and _goes_on(job)

    def _mark_job_of(self, uid: str | None) -> None:
        key = self._jobs.get(uid) if uid is not None else None
        if key is None or uid is None:
            return
        if len(self._unsettled.get(uid, ())) < _BATCH_FROM:
            self.queue.mark(key)
        else:
            self.queue.after(key, self.context.clock.monotonic() + _BATCH_SECONDS)

    def _observe_orphan(self, event: ObjectEvent) -> None:
        key = event.key
        uid = labels_of(event.object).get(UID_LABEL, "")
        before = labels_of(event.previous).get(UID_LABEL, "") if event.previous else ""
        for label in {uid, before} - {""}:
            names = self._labelled.get(label)
            if names is not None:
                names.pop(key.name, None)
                if not names:
                    del self._labelled[label]
        if not self._orphans.observe(event):
            return
        if uid:
            self._labelled.setdefault(uid, {})[key.name] = None
            self._mark_job_of(uid)
        for name in sorted(self._manual.get(key.namespace, ())):
            self.queue.mark(Key(RESOURCE, key.namespace, name))

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one Job, or about one pod that nobody waits for."""
        if key.resource == PODS:
            return self._let_go(key)
        job = self.store.get(*key)
        if job is None or not _goes_on(job):
            if job is not None:
                self._backoffs.pop(uid_of(job), None)
                self._unsettled.pop(uid_of(job), None)
            return None
        # The decisions are read with the first Job: a start does not wait for them.
        from orchestrator.controllers.job.backoff import Backoff
        from orchestrator.controllers.job.census import BURST, Observed
        from orchestrator.controllers.job.core import decide_job

        uid = uid_of(job)
        pods = self._pods(job, key.namespace)
        selector = label_selector(spec_of(job).get("selector"))
        claimed = claim(job, [*pods, *self._candidates(job, key.namespace)], selector, PODS)
        unsettled = self._unsettled[uid]
        if claimed.updates:
            plan = Plan(update=[_tracked(update, uid) for update in claimed.updates])
            unsettled.expect(plan)
            return plan
        record = self._backoffs.get(uid)
        if record is None:
            record = Backoff.recovered(job, controlled(self.store.by_owner(uid, PODS), uid))
        else:
            record = record.after(job, claimed.mine)
        self._backoffs[uid] = record
        refused = key in self._refused
        self._refused.discard(key)
        burst = 1 if refused else min(self._bursts.get(key, BURST) * 2, BURST)
        self._bursts[key] = burst
        observed = Observed(
            pods=claimed.mine,
            backoff=record,
            suffix=partial(random_suffix, self.context.random),
            burst=burst,
            refused=refused,
            ending=self._is_ending(key.namespace),
        )
        plan = decide_job(job, observed, now)
        unsettled.expect(plan)
        return plan

    def _pods(self, job: Object, namespace: str) -> list[Object]:
        """Return the Job's pods that are not settled; all are looked through the first time."""
        uid = uid_of(job)
        unsettled = self._unsettled.get(uid)
        if unsettled is None:
            owned = controlled(self.store.by_owner(uid, PODS), uid)
            unsettled = self._unsettled[uid] = Unsettled(owned)
        pods: list[Object] = []
        for name in unsettled.names():
            pod = self.store.get(PODS, namespace, name)
            if pod is None or controller_uid(pod) != uid or is_settled(pod):
                unsettled.see(name, None)
            else:
                pods.append(pod)
        return pods

    def _candidates(self, job: Object, namespace: str) -> list[Object]:
        """Return pods without a controller that may be the Job's."""
        names = list(self._labelled.get(uid_of(job), ()))
        if spec_of(job).get("manualSelector"):
            names = [name_of(pod) for pod in self._orphans.of(namespace)]
        # As they are now: not every event of theirs is taken note of.
        found = (self.store.get(PODS, namespace, name) for name in names)
        return [pod for pod in found if pod is not None and controller_uid(pod) is None]

    def _let_go(self, key: Key) -> Plan | None:
        """Remove the finalizer of a pod, unless there is a Job that has yet to count it."""
        pod = self.store.get(*key)
        if pod is None or not has_finalizer(pod):
            return None
        owner = controller_of(pod)
        if owner is not None and owner.get("kind") == "Job":
            job = self.store.get(RESOURCE, key.namespace, owner["name"])
            if job is not None and uid_of(job) == owner["uid"]:
                if is_foreign(job):
                    return None
                if finished_condition(job) is None:
                    self.queue.mark(Key(RESOURCE, key.namespace, owner["name"]))
                    return None
        return Plan(update=[Update(PODS, pod, without_finalizer(pod))])

    def _is_ending(self, namespace: str) -> bool:
        found = self.store.get("namespaces", "", namespace)
        return found is None or is_deleting(found)

    # -- refusals --------------------------------------------------------------------------

    def namespace_ends(self, key: Key) -> None:
        """Look again: failed pods that waited for those refused need wait no longer."""
        self.queue.mark(key)

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report pods that could not be created or deleted."""
        if item.resource != PODS or isinstance(item, Update) or error.reason == "AlreadyExists":
            return
        creating = isinstance(item, Creation)
        if creating and key in self._refused:
            return  # one Event says it for all of a plan
        if creating:
            self._refused.add(key)
        job = self.store.get(*key)
        if job is None:
            return
        reason, verb = ("FailedCreate", "creating") if creating else ("FailedDelete", "deleting")
        self._record(Emit(job, "Warning", reason, f"Error {verb}: {error.message}"))


def _goes_on(job: Object) -> bool:
    """Tell whether this controller has a Job still to bring to its end."""
    return finished_condition(job) is None and not is_foreign(job)


def _tracked(update: Update, uid: str) -> Update:
    """Have a pod that is adopted held until it is counted, and one that is released let go."""
    mine = controller_uid(update.new) == uid
    new = with_finalizer(update.new) if mine else without_finalizer(update.new)
    return Update(update.resource, update.base, new, strict=update.strict)
