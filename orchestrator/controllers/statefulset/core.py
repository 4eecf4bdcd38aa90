"""What to do about a StatefulSet: from what was observed to a plan. Pure.

`orchestrator.controllers.statefulset.actor` gathers the observation and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_control.go.

Where one write must not be tried before another has succeeded (a pod without its claims, a
scaled-away pod before its claims have their owner) the plan holds the first only; that it happened
is an event, after which the set is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from orchestrator.controllers._revisions import (
    in_order,
    plan_writing,
    resolve_revision,
    surplus,
)
from orchestrator.controllers.plans import Creation, Deletion, Emit, EventKind, Plan, Update
from orchestrator.controllers.statefulset.census import Counts, Member
from orchestrator.controllers.statefulset.identity import (
    CLAIMS,
    PODS,
    RESOURCE,
    PodMaker,
    claim_names,
    claim_templates,
    corrected,
    make_claim,
    pod_name,
)
from orchestrator.controllers.statefulset.retention import (
    Retention,
    has_conflict,
    is_stale,
    owned_claim,
)
from orchestrator.controllers.statefulset.row import Row
from orchestrator.controllers.statefulset.updating import is_for_current, plan_update
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of

HASH_LABEL: Final = "controller.kubernetes.io/hash"
"""On revisions."""

BURST: Final = 500
"""Pods made or deleted in one plan; upstream's MaxBatchSize."""

EVENTS: Final = 25
"""Pods of one plan that get an Event each; of more about one object client-go drops the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a decision about a StatefulSet looks at.

    Attributes:
        row: The pods it controls, judged by its present spec.
        revisions: Its ControllerRevisions.
        revision: Returns the ControllerRevision of a name, whoever's it is, or None.
        claim: Returns the claim of a name, or None.
        burst: Pods or claims to make in one plan: fewer than `BURST` after a refusal.
    """

    row: Row
    revisions: Sequence[Object]
    revision: Callable[[str], Object | None]
    claim: Callable[[str], Object | None]
    burst: int = BURST


def decide_stateful_set(stateful_set: Object, observed: Observed, now: float) -> Plan:
    """Return what to do about one StatefulSet; ``StatefulSetController`` applies it.

    Args:
        stateful_set: As committed.
        observed: Its pods, revisions and claims.
        now: Wall seconds.
    """
    revisions = in_order(observed.revisions)
    resolved = resolve_revision(stateful_set, revisions, HASH_LABEL, observed.revision)
    if resolved.write is not None:
        if is_deleting(stateful_set):
            return Plan()  # its revisions may be going before it: none is to come back
        return plan_writing(stateful_set, RESOURCE, resolved)
    update = resolved.revision
    named = status_of(stateful_set).get("currentRevision")
    current = next((one for one in revisions if name_of(one) == named), update)
    decision = _Decision(stateful_set, observed, current, update, now)
    if not is_deleting(stateful_set):
        decision.act()
    plan = decision.plan
    decision.report(resolved.collisions)
    live = {name_of(current), name_of(update)}
    live.update(observed.row.revisions())
    plan.delete += surplus(revisions, live, spec_of(stateful_set).get("revisionHistoryLimit"))
    return plan


class _Decision:
    """One decision in the making."""

    def __init__(
        self, stateful_set: Object, observed: Observed, current: Object, update: Object, now: float
    ) -> None:
        self.set = stateful_set
        self.spec = spec_of(stateful_set)
        self.observed = observed
        self.current, self.update = current, update
        self.now = now
        self.ordered = self.spec.get("podManagementPolicy", "OrderedReady") != "Parallel"
        self.plan = Plan()
        self.row = observed.row
        self.start = observed.row.terms.start
        self.retention = Retention.of(stateful_set)
        self.templates = claim_templates(stateful_set)
        self.makers: dict[str, PodMaker] = {}
        self.updating = 0

    # -- the steps -------------------------------------------------------------------------

    def act(self) -> None:
        """Make, correct, scale away, then update; each only when the one before allows it."""
        if not self.keep_replicas() or not self.scale_down():
            return
        victims = plan_update(self.set, self.row, name_of(self.update), BURST)
        for member in victims:
            self.delete(member)
        self.updating = sum(member.revision == name_of(self.current) for member in victims)

    def keep_replicas(self) -> bool:
        """See to every pod in the row; False when the rest has to wait."""
        if self.ordered:
            for ordinal, member in self.row.to_see_to():
                if member is None:
                    self.make(ordinal)
                    return False
                if not self.keep(member):
                    return False
            return True
        for member in self.row.unsettled():
            self.keep(member)
        for ordinal in self.row.gaps():
            if len(self.plan.create) >= self.observed.burst:
                break
            self.make(ordinal)
        return True

    def keep(self, member: Member) -> bool:
        """See to one pod that is there; False when it is not as it should be."""
        if member.ended:
            if not member.terminating:
                self.delete(member)
            return False
        if member.phase == "Pending" and self.templates:
            self.make_claims(member.ordinal, member.pod)
        if self.row.is_unavailable(member) and (self.ordered or member.terminating):
            return False
        if self.templates or not member.named:
            self.correct(member)
        return True

    def correct(self, member: Member) -> None:
        pod = member.pod
        new = corrected(self.set, pod, member.ordinal)
        changed = self.own_claims(member, condemned=False)
        if new is not None:
            self.plan.update.append(Update(PODS, pod, new, event=self.said("update", name_of(pod))))
        elif changed:
            self.plan.events.append(self.said("update", name_of(pod)))

    def scale_down(self) -> bool:
        """Delete pods that are too many, the highest ordinal first; False: wait."""
        changed = [self.own_claims(member, condemned=True) for member in self.row.misfits()]
        if any(changed):
            return False
        for member in self.row.condemned():
            if len(self.plan.delete) >= BURST:
                break
            if not self.ordered:
                if not member.terminating:
                    self.delete(member)
            else:
                self.delete_last(member)
                return False
        return True

    def delete_last(self, member: Member) -> None:
        """Delete the pod of the highest ordinal, if the others have come up or it is the first.

        Here all pods of the row are available, so that the first that is not stands behind it.
        """
        if member.terminating:
            return
        if not self.row.is_unavailable(member) or member is self.row.first_weak():
            self.delete(member)

    # -- pods and claims -------------------------------------------------------------------

    def make(self, ordinal: int) -> None:
        """Make a pod, or first what it needs."""
        name = pod_name(self.set, ordinal)
        if not self.make_claims(ordinal, None):
            return
        revision = self.current if is_for_current(self.set, ordinal - self.start) else self.update
        maker = self.makers.get(name_of(revision))
        if maker is None:
            maker = self.makers[name_of(revision)] = PodMaker.of(self.set, revision)
        event = self.said("create", name) if len(self.plan.create) < EVENTS else None
        self.plan.create.append(Creation(PODS, maker.make(ordinal), event))

    def make_claims(self, ordinal: int, pod: Object | None) -> bool:
        """Make a pod's missing claims; tell whether all were there, and are to stay."""
        if not self.templates:
            return True
        ready = True
        name = pod_name(self.set, ordinal)
        for template, claim_name in zip(
            self.templates, claim_names(self.set, ordinal), strict=True
        ):
            claim = self.observed.claim(claim_name)
            if claim is None:
                ready = False
                made = make_claim(self.set, template, claim_name)
                made = owned_claim(made, self.set, pod or made, condemned=False)
                event = self.said("create", f"{claim_name} Pod {name}", "Claim", "success")
                self.plan.create.append(Creation(CLAIMS, made, event))
            elif pod is None and self.retention.with_scale and is_stale(claim, name):
                ready = False  # the garbage collector takes it; its end is an event
            elif is_deleting(claim):
                ready = False
                if pod is None:
                    text = failure(
                        self.set, "create", "Pod", name, f"pvc {claim_name} is being deleted"
                    )
                    self.tell("Warning", "FailedCreate", text)
        return ready

    def own_claims(self, member: Member, *, condemned: bool) -> bool:
        """Give a pod's claims the owners they should have; tell whether one had to change."""
        if not self.templates:
            return False
        changed = False
        for name in claim_names(self.set, member.ordinal):
            claim = self.observed.claim(name)
            if claim is None or is_deleting(claim):
                continue
            new = owned_claim(claim, self.set, member.pod, condemned=condemned)
            if new is claim:
                continue
            changed = True
            self.plan.update.append(Update(CLAIMS, claim, new))
            if any(self.retention) and has_conflict(claim, self.set, member.pod):
                text = (
                    f"PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a "
                    "managing controller, the retention policy is ignored for this claim"
                )
                self.tell("Warning", "ConflictingController", text)
        return changed

    def delete(self, member: Member) -> None:
        if len(self.plan.delete) >= BURST:
            return
        event = None
        if len(self.plan.delete) < EVENTS:
            event = self.said("delete", name_of(member.pod))
        self.plan.delete.append(Deletion(PODS, member.pod, event=event))

    def said(self, verb: str, what: str, kind: str = "Pod", end: str = "successful") -> Emit:
        text = f"{verb} {kind} {what} in StatefulSet {name_of(self.set)} {end}"
        return Emit(self.set, "Normal", f"Successful{verb.title()}", text)

    def tell(self, kind: EventKind, reason: str, message: str) -> None:
        self.plan.events.append(Emit(self.set, kind, reason, message))

    # -- the status ------------------------------------------------------------------------

    def report(self, collisions: int) -> None:
        """Write the status if it changed, and come back when the next pod is available."""
        current, update = name_of(self.current), name_of(self.update)
        counts = self.row.counts(current, update)
        soonest = self.row.next_available(self.now)
        if soonest is not None:
            self.plan.look_again(soonest)
        status = status_for(self.set, counts, current, update, self.updating)
        status["collisionCount"] = collisions
        kept = status_of(self.set).get("conditions")
        if kept:
            status["conditions"] = kept
        if status != status_of(self.set):
            reported = {**self.set, "status": status}
            self.plan.update.append(Update(RESOURCE, self.set, reported, "status"))


def failure(stateful_set: Object, verb: str, kind: str, what: str, error: str) -> str:
    """Return upstream's words for a write that was refused."""
    return f"{verb} {kind} {what} in StatefulSet {name_of(stateful_set)} failed error: {error}"


def status_for(
    stateful_set: Object, counts: Counts, current: str, update: str, updating: int
) -> Object:
    """Return a StatefulSet's status, in upstream's order.

    An update is complete when every pod has the update revision and is ready: that revision is
    the current one from then on.

    Args:
        stateful_set: As committed.
        counts: Its pods in numbers.
        current: Name of the current revision.
        update: Name of the update revision.
        updating: Pods of the current revision that were counted and are being deleted for the
            update.
    """
    size = spec_of(stateful_set).get("replicas", 1)
    on_current = counts.current - updating
    strategy = (spec_of(stateful_set).get("updateStrategy") or {}).get("type")
    if strategy == "RollingUpdate" and counts.updated == counts.ready == counts.replicas == size:
        current, on_current = update, counts.updated
    numbers = {
        "readyReplicas": counts.ready,
        "currentReplicas": on_current,
        "updatedReplicas": counts.updated,
    }
    return {
        "observedGeneration": stateful_set["metadata"].get("generation") or 0,
        "replicas": counts.replicas,
        **{field: number for field, number in numbers.items() if number},
        "currentRevision": current,
        "updateRevision": update,
        "availableReplicas": counts.available,
    }
