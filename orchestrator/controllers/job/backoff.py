"""How long a Job waits before it replaces a failed pod. Pure.

Rules and numbers: https://kubernetes.io/docs/concepts/workloads/controllers/job/
#pod-backoff-failure-policy and k8s.io/kubernetes/pkg/controller/job/backoff_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.controllers.job.pods import (
    all_failures,
    finished_at,
    has_failed,
    has_finalizer,
    has_succeeded,
)
from orchestrator.resources.objects import Object, uid_of

INITIAL: Final = 10.0
"""Seconds after the first failure."""
LIMIT: Final = 600.0
"""Seconds up to which the delay doubles."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """What is remembered of a Job's failures.

    Attributes:
        failures: In a row, since the last success.
        last: When the last of them was, in wall seconds.
        seen: Pods taken into account already that may be met again.
    """

    failures: int = 0
    last: float = 0.0
    seen: frozenset[str] = frozenset()

    def after(self, job: Object, pods: Sequence[Object]) -> Backoff:
        """Return the record with pods that ended since; ``JobController`` keeps it.

        Args:
            job: As committed.
            pods: All that it has. Those without a finalizer were counted long ago.
        """
        held = [pod for pod in pods if has_finalizer(pod)]
        fresh = [pod for pod in held if uid_of(pod) not in self.seen]
        return self.with_ended(job, fresh, held)

    @classmethod
    def recovered(cls, job: Object, pods: Sequence[Object]) -> Backoff:
        """Return the record that a controller has of a Job it meets first, after a restart too.

        Upstream forgets it then. Here the pods tell, as far as they are there.
        """
        ended = [
            pod for pod in pods if has_finalizer(pod) or "deletionTimestamp" not in pod["metadata"]
        ]
        return cls().with_ended(job, ended, [pod for pod in ended if has_finalizer(pod)])

    def with_ended(self, job: Object, fresh: Iterable[Object], held: Iterable[Object]) -> Backoff:
        """Return the record with those of ``fresh`` that ended; ``held`` may be met again."""
        succeeded: list[float] = []
        failed: list[float] = []
        for pod in fresh:
            if has_succeeded(pod):
                succeeded.append(finished_at(pod))
            elif has_failed(pod, job):
                failed.append(finished_at(pod))
        seen = frozenset(uid_of(pod) for pod in held if has_succeeded(pod) or has_failed(pod, job))
        if succeeded:
            failed = [moment for moment in failed if moment > max(succeeded)]
            return Backoff(len(failed), max(failed, default=0.0), seen)
        if failed:
            return Backoff(self.failures + len(failed), max(failed), seen)
        if seen == self.seen:
            return self
        return Backoff(self.failures, self.last, seen)

    def left(self, now: float) -> float:
        """Return the seconds until a pod may be made; 0 for at once."""
        return _left(self.failures, self.last, now)


def left_for_index(failed: Object | None, now: float) -> float:
    """Return the seconds until a pod may be made in place of the last failed one of an index."""
    if failed is None:
        return 0.0
    return _left(all_failures(failed) + 1, finished_at(failed), now)


def _left(failures: int, last: float, now: float) -> float:
    if failures <= 0:
        return 0.0
    delay = min(INITIAL * 2.0 ** min(failures - 1, 30), LIMIT)
    return max(0.0, last + delay - now)
