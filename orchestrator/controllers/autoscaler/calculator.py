"""How many replicas a metric asks for; pure.

All amounts are thousandths, as upstream counts. Source of the rules:
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details and
pkg/controller/podautoscaler/replica_calculator.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.resources.conditions import find_condition, is_condition_true
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of
from orchestrator.resources.quantities import milli
from orchestrator.resources.timestamps import parse_time


class CalculationError(Exception):
    """Nothing can be calculated; the text is upstream's."""


class PodValue(NamedTuple):
    """A metric of one pod.

    Attributes:
        value: Thousandths.
        timestamp: End of the window, seconds since the epoch.
        window: Seconds.
    """

    value: int
    timestamp: float = 0.0
    window: float = 0.0


class Tolerances(NamedTuple):
    """How far a ratio may be above and below 1 without a change."""

    up: float
    down: float

    def hold(self, ratio: float) -> bool:
        """Tell whether a ratio is near enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Proposal(NamedTuple):
    """What a metric asks for.

    Attributes:
        replicas: So many.
        value: Thousandths: the average of the pods, or of what was measured as a whole.
        utilization: Per cent of what is requested, where that is the target.
    """

    replicas: int
    value: int
    utilization: int | None = None


class Groups(NamedTuple):
    """Pods by what is known of them.

    Attributes:
        ready: How many count.
        unready: Names of those that do not count yet.
        missing: Names of those without metrics.
        ignored: Names of those that are going or failed.
    """

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


class Calculator(NamedTuple):
    """What proposals are calculated from beside the metric.

    Attributes:
        pods: All that the target's selector selects.
        replicas: ``spec.replicas`` of the scale.
        status_replicas: ``status.replicas`` of the scale.
        tolerances: Of the autoscaler.
        settings: Of the controller.
        now: Seconds since the epoch.
    """

    pods: Sequence[Object]
    replicas: int
    status_replicas: int
    tolerances: Tolerances
    settings: AutoscalerSettings
    now: float

    def by_utilization(
        self, values: Mapping[str, PodValue], target: int, resource: str, container: str = ""
    ) -> Proposal:
        """Aim at per cent of what pods, or one container of each, request of a resource.

        Raises:
            CalculationError: No pod, no metric that counts, or no request.
        """
        groups = self._group(values, resource)
        counted = _counted(values, groups)
        requests = requests_of(self.pods, resource, container)
        if not counted:
            raise CalculationError(
                "did not receive metrics for targeted pods (pods might be unready)"
            )
        ratio, utilization, average = _utilization(counted, requests, target)
        found = Proposal(self.replicas, average, utilization)
        more_unready = bool(groups.unready) and ratio > 1.0
        if not more_unready and not groups.missing:
            if self.tolerances.hold(ratio):
                return found
            return found._replace(replicas=ceil(ratio * groups.ready))
        for name in groups.missing:
            if ratio < 1.0:
                # Fewer pods only if it is safe even with those one knows nothing of.
                share = max(100, target)
                counted[name] = PodValue(requests[name] * share // 100)
            elif ratio > 1.0:
                counted[name] = PodValue(0)
        if more_unready:
            counted |= dict.fromkeys(groups.unready, PodValue(0))
        new_ratio, _, _ = _utilization(counted, requests, target)
        return self._corrected(found, ratio, new_ratio, len(counted))

    def by_value(self, values: Mapping[str, PodValue], target: int, resource: str = "") -> Proposal:
        """Aim at an average over pods.

        Raises:
            CalculationError: No pod, or no metric that counts.
        """
        groups = self._group(values, resource)
        counted = _counted(values, groups)
        if not counted:
            raise CalculationError(
                "did not receive metrics for targeted pods (pods might be unready)"
            )
        ratio, average = _average(counted, target)
        found = Proposal(self.replicas, average)
        more_unready = bool(groups.unready) and ratio > 1.0
        if not more_unready and not groups.missing:
            if self.tolerances.hold(ratio):
                return found
            return found._replace(replicas=ceil(ratio * groups.ready))
        filler = PodValue(target if ratio < 1.0 else 0)
        counted |= dict.fromkeys(groups.missing, filler)
        if more_unready:
            counted |= dict.fromkeys(groups.unready, PodValue(0))
        new_ratio, _ = _average(counted, target)
        return self._corrected(found, ratio, new_ratio, len(counted))

    def by_whole(self, value: int, target: int) -> Proposal:
        """Aim at a value that is measured as a whole and falls as pods are added.

        Raises:
            CalculationError: There are replicas, but no pod.
        """
        ratio = value / target
        if self.replicas == 0:
            return Proposal(ceil(ratio), value)
        if self.tolerances.hold(ratio):
            return Proposal(self.replicas, value)
        self._require_pods()
        ready = sum(
            status_of(pod).get("phase") == "Running" and is_condition_true(pod, "Ready")
            for pod in self.pods
        )
        return Proposal(ceil(ratio * ready), value)

    def by_share(self, value: int, target: int) -> Proposal:
        """Aim at a value for each pod of something that is measured as a whole."""
        replicas = self.status_replicas
        shared = target * replicas
        if not shared or not self.tolerances.hold(value / shared):
            replicas = ceil(value / target)
        average = ceil(value / self.status_replicas) if self.status_replicas else value
        return Proposal(replicas, average)

    def _corrected(self, found: Proposal, ratio: float, new_ratio: float, counted: int) -> Proposal:
        """Decide again with those pods that were taken for idle or busy."""
        if (
            self.tolerances.hold(new_ratio)
            or (ratio < 1.0 < new_ratio)
            or (new_ratio < 1.0 < ratio)
        ):
            return found  # too small a change, or one in the other direction
        replicas = ceil(new_ratio * counted)
        current = self.replicas
        if (new_ratio < 1.0 and replicas > current) or (new_ratio > 1.0 and replicas < current):
            return found
        return found._replace(replicas=replicas)

    def _require_pods(self) -> None:
        if not self.pods:
            raise CalculationError("no pods returned by selector while calculating replica count")

    def _group(self, values: Mapping[str, PodValue], resource: str) -> Groups:
        self._require_pods()
        ready = 0
        unready, missing, ignored = set(), set(), set()
        for pod in self.pods:
            name, phase = name_of(pod), status_of(pod).get("phase")
            if is_deleting(pod) or phase == "Failed":
                ignored.add(name)
            elif phase in (None, "Pending"):
                unready.add(name)
            elif (value := values.get(name)) is None:
                missing.add(name)
            elif resource == "cpu" and self._starts(pod, value):
                unready.add(name)
            else:
                ready += 1
        return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))

    def _starts(self, pod: Object, value: PodValue) -> bool:
        """Tell whether a pod's CPU says nothing yet: it only starts."""
        condition = find_condition(pod, "Ready")
        begun = status_of(pod).get("startTime")
        if condition is None or begun is None:
            return True
        start = parse_time(begun)
        turned = parse_time(condition.get("lastTransitionTime") or begun)
        if start + self.settings.cpu_initialization_period > self.now:
            # Not ready, or not for a whole window.
            return condition.get("status") == "False" or value.timestamp < turned + value.window
        # Not ready, and never was.
        return (
            condition.get("status") == "False"
            and start + self.settings.initial_readiness_delay > turned
        )


def _counted(values: Mapping[str, PodValue], groups: Groups) -> dict[str, PodValue]:
    out = groups.unready | groups.ignored
    return {name: value for name, value in values.items() if name not in out}


def requests_of(pods: Iterable[Object], resource: str, container: str = "") -> dict[str, int]:
    """Return what pods request, or one container of each, in thousandths.

    Raises:
        CalculationError: A container has no request.
    """
    found = {}
    for pod in pods:
        spec = spec_of(pod)
        whole = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
        if whole is not None and not container:
            found[name_of(pod)] = milli(whole)
            continue
        sidecars = [
            item
            for item in spec.get("initContainers") or ()
            if item.get("restartPolicy") == "Always"
        ]
        total = 0
        for item in (*(spec.get("containers") or ()), *sidecars):
            if container and item["name"] != container:
                continue
            request = ((item.get("resources") or {}).get("requests") or {}).get(resource)
            if request is None:
                raise CalculationError(
                    f"missing request for {resource} in container {item['name']} of Pod "
                    f"{name_of(pod)}"
                )
            total += milli(request)
        found[name_of(pod)] = total
    return found


def _utilization(
    values: Mapping[str, PodValue], requests: Mapping[str, int], target: int
) -> tuple[float, int, int]:
    """Return the ratio to the target, per cent of the requests, and the average."""
    known = [(value.value, requests[name]) for name, value in values.items() if name in requests]
    used, requested = sum(one for one, _ in known), sum(other for _, other in known)
    if requested == 0:
        raise CalculationError("no metrics returned matched known pods")
    utilization = used * 100 // requested
    return utilization / target, utilization, used // len(known)


def _average(values: Mapping[str, PodValue], target: int) -> tuple[float, int]:
    average = sum(value.value for value in values.values()) // len(values)
    return average / target, average
