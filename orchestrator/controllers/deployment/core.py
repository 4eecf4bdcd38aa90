"""What to do about a Deployment: from what was observed to a plan. Pure.

`orchestrator.controllers.deployment.actor` gathers the observation and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.controllers._claims import claim
from orchestrator.controllers.deployment import progress, revisions, rollback, sizes
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    name_of,
    spec_of,
    status_of,
    with_meta,
)
from orchestrator.resources.selectors import LabelSelector

RESOURCE = "deployments.apps"
REPLICA_SETS = "replicasets.apps"


def decide_deployment(
    deployment: Object,
    candidates: Sequence[Object],
    selector: LabelSelector,
    now: float,
    is_taken: Callable[[str], bool],
    refusal: str = "",
) -> Plan:
    """Return what to do about one Deployment; ``DeploymentController`` applies it.

    One call makes one step: the next is decided when the writes of this one were answered.

    Args:
        deployment: As committed.
        candidates: ReplicaSets of its namespace that it controls or that nobody controls.
        selector: Its parsed ``spec.selector``.
        now: Wall seconds.
        is_taken: Whether a ReplicaSet of that name exists in the namespace.
        refusal: Why the new ReplicaSet could not be created the last time; empty when it could.
    """
    if selector.empty:
        warning = Emit(
            deployment,
            "Warning",
            "SelectingAll",
            "This deployment is selecting all pods. A non-empty selector is required.",
        )
        return Plan(events=[warning])
    mine, claims = claim(deployment, candidates, selector, REPLICA_SETS)
    if claims:
        return Plan(update=claims)
    revision = rollback.wanted_revision(deployment)
    held = is_deleting(deployment) or spec_of(deployment).get("paused")
    if revision is not None and not held:
        return rollback.decide_rollback(deployment, mine, revision)
    return _Decision(deployment, mine, now, is_taken, refusal).decide()


class _Decision:
    """One decision in the making: the ReplicaSets as they will be, and the plan so far."""

    def __init__(
        self,
        deployment: Object,
        mine: Sequence[Object],
        now: float,
        is_taken: Callable[[str], bool],
        refusal: str,
    ) -> None:
        self.refusal = refusal
        self.deployment = deployment
        self.spec = spec_of(deployment)
        self.now = now
        self.is_taken = is_taken
        self.plan = Plan()
        self.committed = {name_of(rs): rs for rs in mine}
        self.sets = {name_of(rs): rs for rs in revisions.by_age(mine)}
        self.scaled: dict[str, Emit] = {}
        found = revisions.find_new(deployment, mine)
        self.new_name = name_of(found) if found else None
        self.conditions = list(status_of(deployment).get("conditions") or ())
        self.annotations = annotations_of(deployment)
        self.collisions: int = status_of(deployment).get("collisionCount") or 0
        self.desired: int = self.spec.get("replicas", 1)
        strategy = self.spec.get("strategy") or {}
        self.rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
        if self.rolling:
            allowed = strategy.get("rollingUpdate") or {}
            self.limits = sizes.rolling_limits(
                self.desired, allowed.get("maxSurge", "25%"), allowed.get("maxUnavailable", "25%")
            )
        else:
            self.limits = sizes.Limits(self.desired, 0, 0)

    @property
    def new(self) -> Object | None:
        return self.sets[self.new_name] if self.new_name else None

    @property
    def old(self) -> list[Object]:
        return [rs for name, rs in self.sets.items() if name != self.new_name]

    @property
    def active(self) -> list[Object]:
        return [rs for rs in self.sets.values() if _replicas(rs) > 0]

    # -- the steps -------------------------------------------------------------------------

    def decide(self) -> Plan:
        if is_deleting(self.deployment):
            self.finish(rollout=False)
            return self.plan
        self.conditions = progress.with_pause(self.deployment, self.conditions, self.now)
        if self.spec.get("paused") or self.is_scaling_event():
            self.sync()
        elif self.rolling:
            self.roll()
        else:
            self.recreate()
        return self.plan

    def is_scaling_event(self) -> bool:
        """Tell whether ``spec.replicas`` changed since the active ReplicaSets were sized."""
        for rs in self.active:
            desired = annotations_of(rs).get(revisions.DESIRED, "")
            if desired.isdigit() and int(desired) != self.desired:
                return True
        return False

    def sync(self) -> None:
        """Bring sizes in line with ``spec.replicas`` without rolling anything out."""
        if not self.note_revision(create=False):
            return
        only = self.only_active_or_latest()
        if only is not None:
            self.scale(only, self.desired)
        elif self.is_saturated():
            for rs in self.old:
                if _replicas(rs) > 0:
                    self.scale(rs, 0)
        elif self.rolling:
            sets = [self.sized(rs) for rs in self.active]
            actual = status_of(self.deployment).get("replicas") or 0
            for name, size in sizes.plan_proportional(self.limits, sets, actual).items():
                self.scale(self.sets[name], size)
        if self.spec.get("paused"):
            self.clean_up()
        self.finish(rollout=False)

    def roll(self) -> None:
        if not self.note_revision(create=True):
            return
        new = self.new
        assert new is not None, "note_revision(create=True) leaves a new ReplicaSet"
        old = [self.sized(rs) for rs in self.old]
        size = sizes.plan_new(self.limits, self.sized(new), old)
        if size != _replicas(new):
            self.scale(new, size)
        elif not any(map(_is_outdated, (new, *self.old))):
            for name, smaller in sizes.plan_old(self.limits, self.sized(new), old).items():
                self.scale(self.sets[name], smaller)
            if not self.scaled and self.reported_complete():
                self.clean_up()
        self.finish(rollout=True)

    def recreate(self) -> None:
        running = [rs for rs in self.old if _replicas(rs) > 0]
        waiting = any(not _is_empty(rs) for rs in self.old)
        if not self.note_revision(create=not running and not waiting):
            return
        if running:
            for rs in running:
                self.scale(rs, 0)
        elif not waiting and self.new is not None:
            if _replicas(self.new) != self.desired:
                self.scale(self.new, self.desired)
            elif self.reported_complete():
                self.clean_up()
        self.finish(rollout=True)

    # -- parts of steps --------------------------------------------------------------------

    def note_revision(self, *, create: bool) -> bool:
        """Give the new ReplicaSet its revision, and make it if allowed; False ends the step."""
        revision = max((revisions.revision_of(rs) for rs in self.old), default=0) + 1
        if self.new is None and (not create or not self.make_new(revision)):
            return not create
        new = self.new
        assert new is not None, "it was found or just made"
        annotations = revisions.revision_annotations(self.deployment, new, revision)
        updated = with_meta(new, annotations=annotations)
        seconds = self.spec.get("minReadySeconds") or 0
        if (spec_of(new).get("minReadySeconds") or 0) != seconds:
            updated = {**updated, "spec": {**updated["spec"], "minReadySeconds": seconds}}
        self.sets[name_of(new)] = updated
        given = annotations[revisions.REVISION]
        if self.annotations.get(revisions.REVISION) != given:
            self.annotations = {**self.annotations, revisions.REVISION: given}
        has_deadline = progress.deadline_of(self.deployment) is not None
        if has_deadline and progress.find(self.conditions, "Progressing") is None:
            text = f'Found new replica set "{name_of(new)}"'
            self.note_progress(progress.FOUND, text)
        return True

    def make_new(self, revision: int) -> bool:
        """Add the ReplicaSet of the present template; False when its name is taken."""
        pod_hash = revisions.template_hash(self.spec["template"], self.collisions)
        name = f"{name_of(self.deployment)}-{pod_hash}"
        if self.is_taken(name):
            self.collisions += 1
            self.finish(rollout=False)
            return False
        new = revisions.new_replica_set(self.deployment, name, pod_hash)
        old = [self.sized(rs) for rs in self.old]
        size = self.desired
        if self.rolling:
            size = sizes.plan_new(self.limits, sizes.Sized(name, 0), old)
        annotations = revisions.revision_annotations(self.deployment, new, revision)
        annotations = revisions.with_size_annotations(annotations, self.desired, self.limits.most)
        new = with_meta(new, annotations=annotations)
        self.sets[name] = {**new, "spec": {**new["spec"], "replicas": size}}
        self.new_name = name
        if size:
            self.scaled[name] = self.scaling_event(name, 0, size)
        if progress.deadline_of(self.deployment) is None:
            return True
        if self.refusal:
            self.conditions = progress.put(
                self.conditions,
                "Progressing",
                "False",
                progress.REFUSED,
                self.refusal,
                now=self.now,
            )
        else:
            self.note_progress(progress.CREATED, f'Created new replica set "{name}"')
        return True

    def note_progress(self, reason: str, text: str) -> None:
        self.conditions = progress.put(
            self.conditions, "Progressing", "True", reason, text, now=self.now
        )

    def scale(self, rs: Object, size: int) -> None:
        """Set a ReplicaSet's size, and note the Deployment's on it."""
        name = name_of(rs)
        annotations = revisions.with_size_annotations(
            annotations_of(rs), self.desired, self.limits.most
        )
        before = _replicas(rs)
        updated = with_meta(rs, annotations=annotations)
        if size != before:
            updated = {**updated, "spec": {**updated["spec"], "replicas": size}}
            self.scaled[name] = self.scaling_event(name, before, size)
        self.sets[name] = updated

    def scaling_event(self, name: str, before: int, size: int) -> Emit:
        way = "up" if size > before else "down"
        text = f"Scaled {way} replica set {name} from {before} to {size}"
        return Emit(self.deployment, "Normal", "ScalingReplicaSet", text)

    def only_active_or_latest(self) -> Object | None:
        active = self.active
        if len(active) == 1:
            return active[0]
        if active:
            return None
        old = self.old
        return self.new or (old[-1] if old else None)

    def is_saturated(self) -> bool:
        new = self.new
        return (
            new is not None
            and _replicas(new) == self.desired
            and annotations_of(new).get(revisions.DESIRED) == str(self.desired)
            and (status_of(new).get("availableReplicas") or 0) == self.desired
        )

    def sized(self, rs: Object) -> sizes.Sized:
        most = annotations_of(rs).get(revisions.MAX, "")
        return sizes.Sized(
            name=name_of(rs),
            replicas=_replicas(rs),
            available=status_of(rs).get("availableReplicas") or 0,
            created=list(self.sets).index(name_of(rs)) if name_of(rs) in self.sets else 0,
            most_before=int(most) if most.isdigit() else 0,
        )

    def reported_complete(self) -> bool:
        """Tell whether the status last written says that the rollout is over."""
        status = status_of(self.deployment)
        counts = {field: status.get(field) or 0 for field in progress.COUNTS}
        seen = status.get("observedGeneration") or 0
        current = seen >= (self.deployment["metadata"].get("generation") or 0)
        return current and progress.is_complete(self.deployment, counts)

    def clean_up(self) -> None:
        """Delete old ReplicaSets beyond ``revisionHistoryLimit``, the lowest revisions first."""
        limit = self.spec.get("revisionHistoryLimit")
        if limit is None or limit == progress.NO_DEADLINE:
            return
        kept = [rs for rs in self.old if not is_deleting(rs)]
        excess = len(kept) - limit
        if excess <= 0:
            return
        for rs in sorted(kept, key=revisions.revision_of)[:excess]:
            if _replicas(rs) == 0 and _is_empty(rs):
                self.plan.delete.append(Deletion(REPLICA_SETS, rs))

    # -- the result ------------------------------------------------------------------------

    def finish(self, *, rollout: bool) -> None:
        """Write what changed: ReplicaSets, annotations, status."""
        for name, rs in self.sets.items():
            base = self.committed.get(name)
            event = self.scaled.get(name)
            if base is None:
                self.plan.create.append(Creation(REPLICA_SETS, rs, event))
            elif rs != base:
                # What is taken away was decided from this report of what is available, no later.
                smaller = _replicas(rs) < _replicas(base)
                self.plan.update.append(Update(REPLICA_SETS, base, rs, event=event, strict=smaller))
        if self.annotations is not annotations_of(self.deployment) and (
            self.annotations != annotations_of(self.deployment)
        ):
            annotated = with_meta(self.deployment, annotations=self.annotations)
            self.plan.update.append(Update(RESOURCE, self.deployment, annotated))
        status = self.status(rollout=rollout)
        if status != status_of(self.deployment):
            reported = {**self.deployment, "status": status}
            self.plan.update.append(Update(RESOURCE, self.deployment, reported, "status"))

    def status(self, *, rollout: bool) -> Object:
        sets = list(self.sets.values())
        counts = progress.count(sets, self.new)
        conditions = progress.with_availability(
            self.conditions, counts["availableReplicas"], self.limits, self.now
        )
        if rollout:
            conditions = progress.with_progress(
                self.deployment, self.new, conditions, counts, self.now
            )
            conditions = progress.with_failure(conditions, sets, self.new, self.now)
            wait = progress.seconds_to_deadline(self.deployment, conditions, counts, self.now)
            if wait is not None:
                self.plan.look_again(wait)
        status: Object = {
            "observedGeneration": self.deployment["metadata"].get("generation") or 0,
            **{field: number for field, number in counts.items() if number},
            "conditions": conditions,
        }
        if "terminatingReplicas" not in status:
            status["terminatingReplicas"] = 0
        if self.collisions:
            status["collisionCount"] = self.collisions
        return status


def _is_outdated(replica_set: Object) -> bool:
    """Tell whether the available pods reported are those of a size before the present one.

    A ReplicaSet that was made smaller and larger again, as a rollback in the middle of a rollout
    does, may still report pods that are going. Nothing may be taken away on the strength of them;
    its next report wakes the Deployment.
    """
    status = status_of(replica_set)
    observed: int = status.get("observedGeneration") or 0
    generation: int = replica_set["metadata"].get("generation") or 0
    return bool(status.get("availableReplicas")) and observed < generation


def _replicas(rs: Object) -> int:
    found: int | None = spec_of(rs).get("replicas")
    return 1 if found is None else found


def _is_empty(rs: Object) -> bool:
    """Tell whether a ReplicaSet surely has no pod left, not even a terminating one."""
    status = status_of(rs)
    return (
        not status.get("replicas")
        and not status.get("terminatingReplicas")
        and (status.get("observedGeneration") or 0) >= (rs["metadata"].get("generation") or 0)
    )
