"""Sizes: how many replicas each ReplicaSet of a Deployment should have. Numbers in, numbers out.

Rules: k8s.io/kubernetes/pkg/controller/deployment/{rolling,sync}.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a Deployment allows while its ReplicaSets change size.

    Attributes:
        desired: ``spec.replicas``.
        surge: Pods allowed above ``desired``.
        unavailable: Pods allowed to be missing of ``desired``.
    """

    desired: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """The most pods there may be in all ReplicaSets together."""
        return self.desired + self.surge

    @property
    def floor(self) -> int:
        """The fewest available pods a rollout may leave by its own action."""
        return self.desired - self.unavailable


@dataclass(frozen=True, slots=True)
class Sized:
    """One ReplicaSet as the arithmetic sees it.

    Attributes:
        name: For the result.
        replicas: ``spec.replicas``.
        available: ``status.availableReplicas`` as last reported.
        created: Position in age, 0 for the oldest.
        most_before: The ``max-replicas`` annotation, 0 when there is none.
    """

    name: str
    replicas: int
    available: int = 0
    created: int = 0
    most_before: int = 0

    @property
    def surely_available(self) -> int:
        """Available pods once pending scale-downs happen.

        The report may be older than the wanted size. A ReplicaSet removes pods that are not ready
        first, so what remains available is the smaller of the two numbers.
        """
        return min(self.available, self.replicas)


def resolve(value: int | str | None, total: int, *, up: bool) -> int:
    """Return an int-or-percent as a number of pods, a fraction rounded up or down."""
    if value is None:
        return 0
    if isinstance(value, str):
        if not value.endswith("%"):
            return int(value)
        share = int(value[:-1]) * total
        return -(-share // 100) if up else share // 100
    return value


def rolling_limits(desired: int, surge: int | str | None, unavailable: int | str | None) -> Limits:
    """Return the limits of a rolling update.

    Surge is rounded up and unavailable down; where both come out as zero nothing could ever move,
    so one pod may be unavailable.
    """
    above = resolve(surge, desired, up=True)
    missing = resolve(unavailable, desired, up=False)
    if above == 0 and missing == 0:
        missing = 1
    return Limits(desired, above, min(missing, desired))


def plan_new(limits: Limits, new: Sized, old: Iterable[Sized]) -> int:
    """Return the size of the new ReplicaSet: as much as surge leaves room for."""
    if new.replicas >= limits.desired:
        return limits.desired
    total = new.replicas + sum(rs.replicas for rs in old)
    room = limits.most - total
    if room <= 0:
        return new.replicas
    return new.replicas + min(room, limits.desired - new.replicas)


def plan_old(limits: Limits, new: Sized, old: Sequence[Sized]) -> dict[str, int]:
    """Return the sizes of the old ReplicaSets, oldest first, after one step of a rollout.

    Replicas that are not available go first, so that a broken revision does not hold up its
    successor; then as many available ones as the floor leaves over.
    """
    sets = [rs for rs in old if rs.replicas > 0]
    total = new.replicas + sum(rs.replicas for rs in sets)
    missing_new = new.replicas - new.surely_available
    spare = total - limits.floor - missing_new
    if spare <= 0:
        return {}
    sets = _clean_unhealthy(sets, spare)
    available = new.surely_available + sum(rs.surely_available for rs in sets)
    spare = available - limits.floor
    sizes: dict[str, int] = {}
    for rs in sets:
        down = max(0, min(rs.replicas, spare))
        spare -= down
        sizes[rs.name] = rs.replicas - down
    before = {rs.name: rs.replicas for rs in old}
    return {name: size for name, size in sizes.items() if size != before[name]}


def _clean_unhealthy(sets: list[Sized], spare: int) -> list[Sized]:
    cleaned: list[Sized] = []
    for rs in sets:
        down = min(spare, rs.replicas - rs.surely_available)
        spare -= down
        cleaned.append(replace(rs, replicas=rs.replicas - down) if down else rs)
    return cleaned


def plan_proportional(limits: Limits, sets: Sequence[Sized], actual: int) -> dict[str, int]:
    """Return sizes when a Deployment is scaled while several ReplicaSets have pods.

    Each takes its share by size, the largest gets what rounding leaves over.

    Args:
        limits: For the new ``spec.replicas``.
        sets: The active ReplicaSets.
        actual: ``status.replicas`` of the Deployment, used where an annotation is missing.
    """
    allowed = limits.most if limits.desired > 0 else 0
    to_add = allowed - sum(rs.replicas for rs in sets)
    newer_first = to_add > 0
    order = sorted(sets, key=lambda rs: (-rs.replicas, -rs.created if newer_first else rs.created))
    sizes = {rs.name: rs.replicas for rs in order}
    added = 0
    for rs in order:
        share = _share(rs, limits, actual, to_add - added)
        sizes[rs.name] += share
        added += share
    if order and to_add != added:
        largest = order[0].name
        sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(rs: Sized, limits: Limits, actual: int, left: int) -> int:
    if rs.replicas == 0 or left == 0:
        return 0
    if limits.desired == 0:
        fraction = -rs.replicas
    else:
        before = rs.most_before or actual
        if before == 0:
            return 0
        fraction = math.floor(rs.replicas * limits.most / before + 0.5) - rs.replicas
    return min(fraction, left) if left > 0 else max(fraction, left)
