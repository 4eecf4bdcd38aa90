"""Which pods a Job needs made and which deleted, as long as it goes on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.controllers.job.backoff import left_for_index
from orchestrator.controllers.job.census import BURST, Census, Observed
from orchestrator.controllers.job.indexes import Indexes
from orchestrator.controllers.job.pods import (
    completion_index,
    is_suspended,
    rank_for_removal,
    replaces_only_failed,
)
from orchestrator.controllers.job.templates import PodMaker
from orchestrator.resources.objects import Object, spec_of


@dataclass(slots=True)
class Sizing:
    """What to do about the number of pods.

    Attributes:
        create: Pods to make.
        delete: Pods to delete; they are not counted as failed.
        wait: Seconds until more pods may be made, None when none wait.
    """

    create: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    wait: float | None = None


def decide_sizing(census: Census, observed: Observed, now: float) -> Sizing:
    """Return which pods to make or delete: one or the other, deleting goes first."""
    job = census.job
    active = len(census.active)
    if is_suspended(job):
        return Sizing(delete=_superfluous(census, active))
    wanted = _wanted(census)
    excess = _superfluous(census, max(active - wanted, 0))
    if excess:
        return Sizing(delete=excess[:BURST])
    missing = wanted - active
    if replaces_only_failed(job):
        missing -= len(census.terminating)
    if missing <= 0 or census.ending:
        return Sizing()
    missing = min(missing, BURST)
    if not census.limits_each_index:
        left = observed.backoff.left(now)
        if left > 0:
            return Sizing(wait=left)
    maker = PodMaker(job, observed.suffix)
    if not census.indexed:
        return Sizing(create=[maker.make() for _ in range(min(missing, observed.burst))])
    return _indexed(census, observed, maker, missing, now)


def _wanted(census: Census) -> int:
    """Return how many pods should be active."""
    parallelism: int = spec_of(census.job).get("parallelism", 1)
    if census.completions is None:
        # A work queue: once one pod has succeeded the others finish, and none is made.
        return len(census.active) if census.succeeded else parallelism
    return max(min(census.completions - census.succeeded, parallelism), 0)


def _indexed(
    census: Census, observed: Observed, maker: PodMaker, missing: int, now: float
) -> Sizing:
    taken = census.succeeded_indexes | Indexes.of(census.active_indexes) | census.failed_indexes
    if replaces_only_failed(census.job):
        taken |= Indexes.of(
            {index for pod in census.terminating if (index := completion_index(pod)) is not None}
        )
    sizing = Sizing()
    for index in taken.first_missing(missing, census.completions or 0):
        replaced = census.delayed.get(index)
        left = left_for_index(replaced, now)
        if left > 0:
            sizing.wait = left if sizing.wait is None else min(sizing.wait, left)
        elif len(sizing.create) < observed.burst:
            sizing.create.append(maker.make_for(index, replaced))
    return sizing


def _superfluous(census: Census, excess: int) -> list[Object]:
    """Return pods to delete: at least ``excess``, and all that share an index or have none."""
    if not census.indexed:
        return rank_for_removal(census.active)[:excess] if excess else []
    remove: list[Object] = []
    keep: list[Object] = []
    by_index: dict[int, list[Object]] = {}
    for pod in census.active:
        index = census.index_of(pod)
        if index is None:
            remove.append(pod)
        else:
            by_index.setdefault(index, []).append(pod)
    for pods in by_index.values():
        *others, last = rank_for_removal(pods) if len(pods) > 1 else pods
        remove += others
        keep.append(last)
    if excess > len(remove):
        remove += rank_for_removal(keep)[: excess - len(remove)]
    return remove
