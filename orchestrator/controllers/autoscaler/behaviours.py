"""From what metrics recommend to what is done: limits, rates and stabilisation; pure.

Source of the rules:
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior
and pkg/controller/podautoscaler/horizontal.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from math import ceil
from typing import Any, Final, NamedTuple

from orchestrator.controllers.autoscaler.calculator import Tolerances
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.quantities import parse

_LARGEST: Final = 2**31 - 1
_FACTOR: Final = 2
_AT_LEAST: Final = 4
"""Without a behaviour, replicas at most double in one step, or become four."""

_UP_POLICIES: Final = (
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
)
_DOWN_POLICIES: Final = ({"type": "Percent", "value": 100, "periodSeconds": 15},)

_FASTER: Final = "the desired replica count is increasing faster than the maximum scale rate"
_SLOWER: Final = "the desired replica count is decreasing faster than the maximum scale rate"
_TOO_MANY: Final = "the desired replica count is more than the maximum replica count"
_TOO_FEW: Final = "the desired replica count is less than the minimum replica count"
_LOWEST: Final = (
    "recent recommendations were lower than current one, applying the lowest recent recommendation"
)
_HIGHEST: Final = (
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation"
)


class Said(NamedTuple):
    """A condition's status, reason and message."""

    status: str
    reason: str
    message: str


READY_FOR_SCALE: Final = Said("True", "ReadyForNewScale", "recommended size matches current size")
WITHIN_RANGE: Final = Said(
    "False", "DesiredWithinRange", "the desired count is within the acceptable range"
)


class Change(NamedTuple):
    """Replicas that were added or removed at some moment, and how many."""

    at: float
    number: int


class Recommendation(NamedTuple):
    """How many replicas metrics asked for at some moment."""

    at: float
    replicas: int


@dataclass(slots=True)
class Memory:
    """What is remembered of one autoscaler; upstream's controller forgets it as well when it ends.

    Attributes:
        recommendations: As far back as a window goes.
        added: Where replicas were added, as far back as a policy looks.
        removed: Likewise removed.
    """

    recommendations: list[Recommendation] = field(default_factory=list)
    added: list[Change] = field(default_factory=list)
    removed: list[Change] = field(default_factory=list)


class Rules(NamedTuple):
    """How one direction is scaled.

    Attributes:
        window: Seconds of stabilisation.
        select: ``Max``, ``Min`` or ``Disabled``.
        policies: As in the spec.
    """

    window: float
    select: str
    policies: tuple[dict[str, Any], ...]

    @property
    def longest(self) -> int:
        """The longest period of a policy, in seconds."""
        return max((policy["periodSeconds"] for policy in self.policies), default=0)


class Behaviour(NamedTuple):
    """How an autoscaler scales that has a ``behavior``."""

    up: Rules
    down: Rules


class Normal(NamedTuple):
    """What is done about a recommendation, and what the conditions say.

    Attributes:
        replicas: So many.
        able: ``AbleToScale``.
        limited: ``ScalingLimited``.
    """

    replicas: int
    able: Said
    limited: Said


def behaviour_of(autoscaler: Object, settings: AutoscalerSettings) -> Behaviour | None:
    """Read an autoscaler's behaviour, with upstream's defaults; None for one without."""
    given = spec_of(autoscaler).get("behavior")
    if given is None:
        return None
    up, down = given.get("scaleUp") or {}, given.get("scaleDown") or {}
    return Behaviour(
        _rules(up, 0.0, _UP_POLICIES),
        _rules(down, settings.downscale_stabilization, _DOWN_POLICIES),
    )


def _rules(given: Object, window: float, policies: tuple[dict[str, Any], ...]) -> Rules:
    seconds = given.get("stabilizationWindowSeconds")
    return Rules(
        window if seconds is None else float(seconds),
        given.get("selectPolicy") or "Max",
        tuple(given.get("policies") or policies),
    )


def tolerances_of(autoscaler: Object, settings: AutoscalerSettings) -> Tolerances:
    """Return an autoscaler's tolerances."""
    given = spec_of(autoscaler).get("behavior") or {}

    def read(direction: str) -> float:
        text = (given.get(direction) or {}).get("tolerance")
        return settings.tolerance if text is None else parse(text).nano / 10**9

    return Tolerances(read("scaleUp"), read("scaleDown"))


class Bounds(NamedTuple):
    """Where an autoscaler stands: replicas now, at least and at most."""

    current: int
    least: int
    most: int


def normalize(
    recommended: int,
    bounds: Bounds,
    behaviour: Behaviour | None,
    memory: Memory,
    settings: AutoscalerSettings,
    now: float,
) -> Normal:
    """Decide what is done about a recommendation, which is remembered.

    Args:
        recommended: By the metrics.
        bounds: Of the autoscaler.
        behaviour: Of the autoscaler.
        memory: Of the autoscaler; gets the recommendation.
        settings: Of the controller.
        now: Seconds.
    """
    if behaviour is None:
        stable = _stabilized_down(recommended, memory, settings.downscale_stabilization, now)
        able = READY_FOR_SCALE
        if stable != recommended:
            able = Said("True", "ScaleDownStabilized", _HIGHEST)
        replicas, limited = _limit_plainly(stable, bounds)
    else:
        stable = _stabilized(recommended, bounds.current, behaviour, memory, now)
        able = READY_FOR_SCALE
        if stable != recommended:
            upwards = recommended >= bounds.current
            able = (
                Said("True", "ScaleUpStabilized", _LOWEST)
                if upwards
                else Said("True", "ScaleDownStabilized", _HIGHEST)
            )
        replicas, limited = _limit_by_rates(stable, bounds, behaviour, memory, now)
    return Normal(replicas, able, limited)


def _stabilized_down(recommended: int, memory: Memory, window: float, now: float) -> int:
    """Return the highest recommendation of the window."""
    recent = [one for one in memory.recommendations if one.at >= now - window]
    memory.recommendations = [*recent, Recommendation(now, recommended)]
    return max(one.replicas for one in memory.recommendations)


def _stabilized(
    recommended: int, current: int, behaviour: Behaviour, memory: Memory, now: float
) -> int:
    """Return the size nearest to the current one that recent recommendations agree on."""
    lowest = highest = recommended
    for one in memory.recommendations:
        if one.at > now - behaviour.up.window:
            lowest = min(lowest, one.replicas)
        if one.at > now - behaviour.down.window:
            highest = max(highest, one.replicas)
    longest = max(behaviour.up.window, behaviour.down.window)
    recent = [one for one in memory.recommendations if one.at >= now - longest]
    memory.recommendations = [*recent, Recommendation(now, recommended)]
    return min(max(current, lowest), highest)


def _limit_plainly(desired: int, bounds: Bounds) -> tuple[int, Said]:
    fastest = max(_FACTOR * bounds.current, _AT_LEAST)
    most, limit = bounds.most, Said("True", "TooManyReplicas", _TOO_MANY)
    if bounds.most > fastest:
        most, limit = fastest, Said("True", "ScaleUpLimit", _FASTER)
    if desired < bounds.least:
        return bounds.least, Said("True", "TooFewReplicas", _TOO_FEW)
    if desired > most:
        return most, limit
    return desired, WITHIN_RANGE


def _limit_by_rates(
    desired: int, bounds: Bounds, behaviour: Behaviour, memory: Memory, now: float
) -> tuple[int, Said]:
    current = bounds.current
    if desired > current:
        fastest = max(current, _most_by_policies(current, behaviour.up, memory, now))
        most, limit = bounds.most, Said("True", "TooManyReplicas", _TOO_MANY)
        if bounds.most > fastest:
            most, limit = fastest, Said("True", "ScaleUpLimit", _FASTER)
        if desired > most:
            return most, limit
    elif desired < current:
        fastest = min(current, _least_by_policies(current, behaviour.down, memory, now))
        least, limit = bounds.least, Said("True", "TooFewReplicas", _TOO_FEW)
        if bounds.least < fastest:
            least, limit = fastest, Said("True", "ScaleDownLimit", _SLOWER)
        if desired < least:
            return least, limit
    return desired, WITHIN_RANGE


def _most_by_policies(current: int, rules: Rules, memory: Memory, now: float) -> int:
    if rules.select == "Disabled":
        return current
    choose = min if rules.select == "Min" else max
    proposed = []
    for policy in rules.policies:
        start = _at_start(current, policy["periodSeconds"], memory, now)
        value = policy["value"]
        if policy["type"] == "Pods":
            proposed.append(start + value)
        else:
            # Rounded up: a small share of few replicas must not mean none, for ever.
            proposed.append(ceil(start * (1 + value / 100)))
    return choose(proposed, default=current)


def _least_by_policies(current: int, rules: Rules, memory: Memory, now: float) -> int:
    if rules.select == "Disabled":
        return current
    choose = max if rules.select == "Min" else min
    proposed = []
    for policy in rules.policies:
        start = _at_start(current, policy["periodSeconds"], memory, now)
        value = policy["value"]
        proposed.append(
            start - value if policy["type"] == "Pods" else int(start * (1 - value / 100))
        )
    return choose(proposed, default=current)


def _at_start(current: int, period: int, memory: Memory, now: float) -> int:
    """Return the replicas at the start of a policy's period."""
    return current - _changed(memory.added, now - period) + _changed(memory.removed, now - period)


def _changed(changes: Iterable[Change], since: float) -> int:
    return sum(change.number for change in changes if change.at > since)


def remember_change(
    before: int, after: int, behaviour: Behaviour | None, memory: Memory, now: float
) -> None:
    """Remember that replicas were changed, as long as a policy looks back."""
    if behaviour is None:
        return
    longest = max(behaviour.up.longest, behaviour.down.longest)
    memory.added = [one for one in memory.added if one.at >= now - longest]
    memory.removed = [one for one in memory.removed if one.at >= now - longest]
    if after > before:
        memory.added.append(Change(now, after - before))
    else:
        memory.removed.append(Change(now, before - after))
