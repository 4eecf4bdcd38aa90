"""Probes: when they are due, what their results come to, and what is told of them; pure.

Numbers, words and the meaning of thresholds are the kubelet's (``prober/worker.go``).
https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

from __future__ import annotations

import enum
import math
from typing import NamedTuple

from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.resources.objects import Object


class Kind(enum.Enum):
    """What a probe is for; the value is its field of a container."""

    STARTUP = "startupProbe"
    READINESS = "readinessProbe"
    LIVENESS = "livenessProbe"

    @property
    def title(self) -> str:
        """How Events begin that tell of it."""
        return self.value.removesuffix("Probe").capitalize()


FIELDS = frozenset(kind.value for kind in Kind)


class Outcome(enum.Enum):
    """How one probing went."""

    SUCCESS = "success"
    WARNING = "warning"
    """A success that somebody should look at."""
    FAILURE = "failure"
    ERRORED = "errored"
    """It could not be done; the result is thrown away."""


class Finding(NamedTuple):
    """One probing's result, with what there is to say of it."""

    outcome: Outcome
    text: str = ""


SUCCESS = Finding(Outcome.SUCCESS)


class Probe:
    """One probe of one attempt of a container.

    Attributes:
        kind: What it is for.
        period: Seconds from one probing to the next.
        timeout: Seconds that one probing may take.
        delay: Seconds from the container's start to the first probing.
    """

    __slots__ = ("_needed", "_run", "_seen", "delay", "kind", "period", "timeout")

    def __init__(self, kind: Kind, spec: Object, known: bool | None = None) -> None:
        """Begin to count.

        Args:
            kind: What it is for.
            spec: The probe's entry in the pod, with or without defaults.
            known: What it came to before the pod was taken over; None when nothing is known.
        """
        self.kind = kind
        self.period = float(spec.get("periodSeconds") or 10)
        self.timeout = float(spec.get("timeoutSeconds") or 1)
        self.delay = float(spec.get("initialDelaySeconds") or 0)
        self._needed = {
            True: int(spec.get("successThreshold") or 1),
            False: int(spec.get("failureThreshold") or 3),
        }
        self._seen = known
        self._run = 0 if known is None else self._needed[known]

    def first_at(self, started_at: float, now: float) -> float:
        """Return when to probe first, seconds since the epoch."""
        return max(now, started_at + self.delay)

    def next_at(self, last: float, after: float) -> float:
        """Return the first turn at or after a moment, when the last one was at ``last``."""
        return last + self.period * max(1, math.ceil((after - last) / self.period))

    def take(self, outcome: Outcome) -> bool | None:
        """Count a result.

        Returns:
            What the probe comes to by now: success or failure; None while a threshold is not
            reached, which changes nothing.
        """
        if outcome is Outcome.ERRORED:
            return None
        good = outcome is not Outcome.FAILURE
        if good is self._seen:
            self._run += 1
        else:
            self._seen, self._run = good, 1
        return good if self._run >= self._needed[good] else None

    @property
    def is_settled(self) -> bool:
        """Whether more results like the last one would change nothing."""
        return self._seen is not None and self._run >= self._needed[self._seen]


def describe(kind: Kind, finding: Finding) -> tuple[str, str] | None:
    """Return reason and message of the Event that tells of a result, None for a success."""
    match finding.outcome:
        case Outcome.FAILURE:
            return "Unhealthy", f"{kind.title} probe failed: {finding.text}"
        case Outcome.WARNING:
            return "ProbeWarning", f"{kind.title} probe warning: {finding.text}"
        case Outcome.ERRORED:
            text = f"{kind.title} probe errored and resulted in unknown state: {finding.text}"
            return "Unhealthy", text
        case _:
            return None


def apply(container: ContainerState, kind: Kind, verdict: bool) -> bool:
    """Note what a probe has come to; tell whether that changed anything."""
    if kind is Kind.READINESS:
        changed = container.ready is not verdict
        container.ready = verdict
        return changed
    if not verdict:
        container.condemned = f"{kind.title.lower()} probe"
        return True
    changed = kind is Kind.STARTUP and not container.started
    container.started = True
    return changed


def due_kinds(state: PodState, container: ContainerState) -> tuple[Kind, ...]:
    """Return the kinds of probe that a container may have now, if it has them at all.

    Startup comes before the others; what is about to end is asked for readiness only.
    """
    if container.phase is not Phase.RUNNING:
        return ()
    ending = (
        container.stopping
        or container.condemned
        or state.failed
        or "deletionTimestamp" in state.pod["metadata"]
    )
    if not container.started:
        return () if ending else (Kind.STARTUP,)
    return (Kind.READINESS,) if ending else (Kind.READINESS, Kind.LIVENESS)
