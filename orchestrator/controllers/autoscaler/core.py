"""One autoscaler: what becomes of its target, its conditions and its Events; pure.

Source of the rules and words: pkg/controller/podautoscaler/horizontal.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final, NamedTuple

from orchestrator.controllers.autoscaler.behaviours import (
    Bounds,
    Memory,
    Recommendation,
    behaviour_of,
    normalize,
    tolerances_of,
)
from orchestrator.controllers.autoscaler.calculator import Calculator
from orchestrator.controllers.autoscaler.evaluating import Answer, MetricFailedError, evaluate
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.controllers.plans import EventKind
from orchestrator.records import dataclass
from orchestrator.resources.conditions import Condition, find_condition, set_condition
from orchestrator.resources.objects import Object, namespace_of, spec_of, status_of
from orchestrator.resources.timestamps import format_time

ABLE: Final = "AbleToScale"
ACTIVE: Final = "ScalingActive"
LIMITED: Final = "ScalingLimited"
_UNABLE: Final = "the HPA was unable to compute the replica count: "
_ABOVE: Final = "Current number of replicas above Spec.MaxReplicas"
_BELOW: Final = "Current number of replicas below Spec.MinReplicas"


class Rescale(NamedTuple):
    """That replicas have to change.

    Attributes:
        before: Replicas now.
        after: Replicas wanted.
        reason: For the Event.
    """

    before: int
    after: int
    reason: str


class Said(NamedTuple):
    """An Event about the autoscaler."""

    type: EventKind
    reason: str
    message: str


@dataclass(slots=True)
class Verdict:
    """What was decided about an autoscaler.

    Attributes:
        status: Of it, as it will be once its target has changed, if that has to.
        moment: When, as text.
        before: The status that the autoscaler has.
        events: To be recorded.
        rescale: What has to be done about the target; None for nothing.
    """

    status: Object
    moment: str
    before: Object
    events: list[Said] = field(default_factory=list)
    rescale: Rescale | None = None

    def say(self, type_: EventKind, reason: str, message: str) -> None:
        """Add an Event."""
        self.events.append(Said(type_, reason, message))

    def condition(self, type_: str, status: str, reason: str, message: str) -> None:
        """Set a condition.

        One that turns back within one look, as ``AbleToScale`` does for a target that can be read
        and not changed, has not moved: upstream's does each time.
        """
        conditions: list[Condition] = self.status.get("conditions") or []
        known = find_condition({"status": self.before}, type_)
        moment = self.moment
        if known is not None and known.get("status") == status:
            moment = known.get("lastTransitionTime") or moment
        self._set(
            conditions=set_condition(
                conditions, type_, status, now=moment, reason=reason, message=message
            )
        )

    def tell(self, current: int, desired: int, metrics: Sequence[Object] | None) -> None:
        """Set replicas and metrics."""
        self._set(
            currentReplicas=current,
            desiredReplicas=desired,
            currentMetrics=list(metrics) if metrics else None,
        )

    def scaled(self, rescale: Rescale) -> None:
        """Note that the target was changed."""
        self.condition(
            ABLE,
            "True",
            "SucceededRescale",
            f"the HPA controller was able to update the target scale to {rescale.after}",
        )
        self._set(desiredReplicas=rescale.after, lastScaleTime=self.moment)

    def not_scaled(self, rescale: Rescale, why: str) -> None:
        """Note that the target could not be changed.

        Args:
            rescale: How it was to be.
            why: The error's text.
        """
        self.say(
            "Warning",
            "FailedRescale",
            f"New size: {rescale.after}; reason: {rescale.reason}; error: {why}",
        )
        self.condition(
            ABLE,
            "False",
            "FailedUpdateScale",
            f"the HPA controller was unable to update the target scale: {why}",
        )
        self._set(desiredReplicas=self.before.get("desiredReplicas") or 0)

    def _set(self, **fields: Any) -> None:
        merged = {**self.status, **fields}
        self.status = {key: value for key, value in merged.items() if value is not None}


class Target(NamedTuple):
    """What an autoscaler aims at.

    Attributes:
        replicas: ``spec.replicas`` of its scale.
        status_replicas: ``status.replicas`` of it.
        pods: What its selector selects.
        selector_problem: Reason and message of the Event, then those of the condition, if the
            selector cannot be used; None if it can.
    """

    replicas: int
    status_replicas: int
    pods: Sequence[Object] = ()
    selector_problem: tuple[str, str, str, str] | None = None


def opened(autoscaler: Object, now: float) -> Verdict:
    """Begin a verdict: all is as it was."""
    status = status_of(autoscaler)
    return Verdict(status, format_time(now), status)


def decide_without_target(autoscaler: Object, why: str, now: float) -> Verdict:
    """Decide about an autoscaler whose target has no scale."""
    verdict = opened(autoscaler, now)
    verdict.say("Warning", "FailedGetScale", why)
    verdict.condition(
        ABLE,
        "False",
        "FailedGetScale",
        f"the HPA controller was unable to get the target's current scale: {why}",
    )
    return verdict


def needs_metrics(autoscaler: Object, target: Target) -> bool:
    """Tell whether metrics have a say: replicas are within bounds, and the selector can be used."""
    least, most = bounds_of(autoscaler)
    if target.replicas == 0 and least != 0:
        return False
    return least <= target.replicas <= most and target.selector_problem is None


def bounds_of(autoscaler: Object) -> tuple[int, int]:
    """Return the least and the most replicas."""
    spec = spec_of(autoscaler)
    least = spec.get("minReplicas")
    return 1 if least is None else least, spec["maxReplicas"]


def decide_autoscaler(
    autoscaler: Object,
    target: Target,
    answers: Sequence[Answer],
    memory: Memory,
    settings: AutoscalerSettings,
    now: float,
    moment: float,
) -> Verdict:
    """Decide about an autoscaler.

    Args:
        autoscaler: In ``autoscaling/v2``.
        target: What it aims at.
        answers: One for each of ``spec.metrics``, where they are needed.
        memory: Of the autoscaler; gets the recommendation.
        settings: Of the controller.
        now: Wall seconds.
        moment: Seconds of the clock that nobody sets, for what is remembered.
    """
    verdict = opened(autoscaler, now)
    verdict.condition(
        ABLE,
        "True",
        "SucceededGetScale",
        "the HPA controller was able to get the target's current scale",
    )
    current = target.replicas
    if not memory.recommendations:
        memory.recommendations.append(Recommendation(moment, current))
    least, most = bounds_of(autoscaler)
    metrics: list[Object] | None = None
    if current == 0 and least != 0:
        verdict.condition(
            ACTIVE,
            "False",
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
        )
    elif current > most:
        verdict.rescale = Rescale(current, most, _ABOVE)
    elif current < least:
        verdict.rescale = Rescale(current, least, _BELOW)
    else:
        metrics = []
        found = _by_metrics(verdict, autoscaler, target, answers, metrics, settings, now)
        if found is None:
            desired = verdict.status.get("desiredReplicas") or 0
            verdict.tell(current, desired, metrics)
            return verdict
        verdict.rescale = _normal(
            verdict, autoscaler, found, Bounds(current, least, most), memory, settings, moment
        )
    verdict.tell(current, current, metrics)
    return verdict


def _normal(
    verdict: Verdict,
    autoscaler: Object,
    found: tuple[int, str],
    bounds: Bounds,
    memory: Memory,
    settings: AutoscalerSettings,
    moment: float,
) -> Rescale | None:
    recommended, name = found
    behaviour = behaviour_of(autoscaler, settings)
    normal = normalize(recommended, bounds, behaviour, memory, settings, moment)
    verdict.condition(ABLE, *normal.able)
    verdict.condition(LIMITED, *normal.limited)
    if normal.replicas == bounds.current:
        return None
    reason = ""
    if recommended > bounds.current:
        reason = f"{name} above target"
    elif recommended < bounds.current:
        reason = "All metrics below target"
    return Rescale(bounds.current, normal.replicas, reason)


def _by_metrics(
    verdict: Verdict,
    autoscaler: Object,
    target: Target,
    answers: Sequence[Answer],
    statuses: list[Object],
    settings: AutoscalerSettings,
    now: float,
) -> tuple[int, str] | None:
    """Return the replicas that metrics ask for, and whose proposal it is; None for nothing."""
    if target.selector_problem is not None:
        reason, message, condition, text = target.selector_problem
        verdict.say("Warning", reason, message)
        verdict.condition(ACTIVE, "False", condition, text)
        verdict.say("Warning", "FailedComputeMetricsReplicas", message)
        return None
    calculator = Calculator(
        target.pods,
        target.replicas,
        target.status_replicas,
        tolerances_of(autoscaler, settings),
        settings,
        now,
    )
    metrics = spec_of(autoscaler).get("metrics") or ()
    replicas, name = 0, ""
    failures: list[MetricFailedError] = []
    for metric, answer in zip(metrics, answers, strict=True):
        try:
            found = evaluate(metric, answer, calculator, namespace_of(autoscaler))
        except MetricFailedError as failure:
            verdict.say("Warning", failure.reason, failure.why)
            failures.append(failure)
            statuses.append({"type": ""})
            continue
        statuses.append(found.status)
        if replicas == 0 or found.replicas > replicas:
            replicas, name = found.replicas, found.name
    if failures and (len(failures) == len(metrics) or replicas < target.replicas):
        # What is not known must not lead to fewer replicas.
        first = failures[0]
        verdict.condition(ACTIVE, "False", first.reason, f"{_UNABLE}{first.why}")
        verdict.say(
            "Warning",
            "FailedComputeMetricsReplicas",
            f"invalid metrics ({len(failures)} invalid out of {len(metrics)}), first error is: "
            f"{first.text}",
        )
        return None
    verdict.condition(
        ACTIVE,
        "True",
        "ValidMetricFound",
        f"the HPA was able to successfully calculate a replica count from {name}",
    )
    return replicas, name
