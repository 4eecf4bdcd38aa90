"""A Job's pods sorted by what they mean to it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from orchestrator.controllers._pods import is_active, is_ready, is_terminating
from orchestrator.controllers.job.backoff import Backoff
from orchestrator.controllers.job.indexes import Indexes
from orchestrator.controllers.job.pods import (
    all_failures,
    completion_index,
    counted_failures,
    finished_at,
    has_failed,
    has_finalizer,
    has_succeeded,
    is_indexed,
    valid_index,
)
from orchestrator.controllers.job.policies import judge_failure
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import Object, spec_of, status_of, uid_of

BURST: Final = 500
"""Pods made or deleted in one plan; upstream's MaxPodCreateDeletePerSync."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a decision about a Job looks at beside the Job.

    Attributes:
        pods: Those that it controls, or those of them that are not over and counted.
        backoff: What is remembered of its failures, these pods included.
        suffix: Draws five random characters for a pod's name.
        burst: How many pods may be made at once: fewer after refusals.
        refused: The last attempt to make pods was refused: none is taken for made in advance.
        ending: Their namespace is going away, so that no pod can be made any more.
    """

    pods: Sequence[Object]
    backoff: Backoff
    suffix: Callable[[], str]
    burst: int = BURST
    refused: bool = False
    ending: bool = False


class Census:
    """The pods of one Job, and what follows from them and from what its status has counted."""

    def __init__(self, job: Object, pods: Sequence[Object], *, ending: bool = False) -> None:
        """Sort the pods that a Job controls; ``ending`` as in `Observed`."""
        self.job = job
        self.ending = ending
        self.indexed = is_indexed(job)
        self.completions: int | None = spec_of(job).get("completions")
        self.pods = list(pods)
        if self.indexed:
            self.pods.sort(key=lambda pod: _or_first(completion_index(pod)))
        self.active = [pod for pod in self.pods if is_active(pod)]
        self.terminating = [pod for pod in self.pods if is_terminating(pod)]
        self.ready = sum(1 for pod in self.active if is_ready(pod))
        self.decided = any(
            is_condition_true(job, type_) for type_ in ("FailureTarget", "SuccessCriteriaMet")
        )
        uncounted = status_of(job).get("uncountedTerminatedPods") or {}
        self.uncounted_succeeded: list[str] = uncounted.get("succeeded") or []
        self.uncounted_failed: list[str] = uncounted.get("failed") or []

    def index_of(self, pod: Object) -> int | None:
        """Return the index of a pod if it is one of the Job's."""
        return valid_index(pod, self.completions or 0)

    @cached_property
    def counted_indexes(self) -> Indexes:
        """Indexes that the status has as completed, as far as they are the Job's still."""
        return Indexes.parse(status_of(self.job).get("completedIndexes", ""), self.completions or 0)

    @cached_property
    def succeeded_indexes(self) -> Indexes:
        """Those and the ones that pods have completed since."""
        failed = set(self.uncounted_failed)
        return self.counted_indexes | Indexes.of(
            {
                index
                for pod in self.pods
                if has_succeeded(pod) and has_finalizer(pod) and uid_of(pod) not in failed
                if (index := self.index_of(pod)) is not None
            }
        )

    @property
    def limits_each_index(self) -> bool:
        """Whether failures are limited for each index."""
        return self.indexed and spec_of(self.job).get("backoffLimitPerIndex") is not None

    @cached_property
    def counted_failed_indexes(self) -> Indexes:
        """Indexes that the status has as failed."""
        return Indexes.parse(status_of(self.job).get("failedIndexes") or "", self.completions or 0)

    @cached_property
    def failed_indexes(self) -> Indexes:
        """Those and the ones that have failed since; none unless each index has its limit."""
        if not self.limits_each_index:
            return Indexes()
        return self.counted_failed_indexes | Indexes.of(
            {
                index
                for pod in self.pods
                if has_finalizer(pod)
                if (index := self.index_of(pod)) is not None and self.fails_index(pod)
            }
        )

    def fails_index(self, pod: Object) -> bool:
        """Tell whether a pod's failure is its index's last."""
        if not has_failed(pod, self.job):
            return False
        if self.decided and "deletionTimestamp" in pod["metadata"]:
            return False  # it was sent away, since the Job is over
        verdict = judge_failure(self.job, pod)
        if verdict.action == "FailIndex":
            return True
        limit: int = spec_of(self.job)["backoffLimitPerIndex"]
        return verdict.counts and counted_failures(pod) >= limit

    @cached_property
    def succeeded(self) -> int:
        """Pods, or indexes, that did their part."""
        if self.indexed:
            return len(self.succeeded_indexes)
        fresh = self._fresh(has_succeeded)
        counted: int = status_of(self.job).get("succeeded") or 0
        return counted + len(self.uncounted_succeeded) + len(fresh)

    @cached_property
    def failed(self) -> int:
        """Failures that count towards the back-off limit."""
        fresh = self._fresh(lambda pod: has_failed(pod, self.job))
        counted: int = status_of(self.job).get("failed") or 0
        return (
            counted
            + len(self.uncounted_failed)
            + sum(1 for pod in fresh if judge_failure(self.job, pod).counts)
        )

    def _fresh(self, ended: Callable[[Object], bool]) -> list[Object]:
        """Return pods that ended in a way and are not noted in the status.

        One that is noted as failed, since it was sent away, may have succeeded in the same moment:
        it counts once, as what it was noted as.
        """
        known = {*self.uncounted_succeeded, *self.uncounted_failed}
        return [
            pod
            for pod in self.pods
            if has_finalizer(pod)
            and uid_of(pod) not in known
            and (not self.indexed or self.index_of(pod) is not None)
            and ended(pod)
        ]

    @cached_property
    def active_indexes(self) -> set[int]:
        """Indexes that a pod works on."""
        return {index for pod in self.active if (index := completion_index(pod)) is not None}

    @cached_property
    def delayed(self) -> dict[int, Object]:
        """The last failed pod of each index that waits for another, which is told its failures."""
        # In a namespace that ends no pod will come that could be told anything. (There upstream
        # waits on, and with it the end of the namespace, which takes pods before Jobs.)
        if not self.limits_each_index or self.ending:
            return {}
        found: dict[int, Object] = {}
        for pod in self.pods:
            index = self.index_of(pod)
            if (
                index is None
                or not has_finalizer(pod)
                or not has_failed(pod, self.job)
                or index in self.succeeded_indexes
                or index in self.failed_indexes
                or index in self.active_indexes
            ):
                continue
            last = found.get(index)
            if last is None or (all_failures(last), finished_at(last)) <= (
                all_failures(pod),
                finished_at(pod),
            ):
                found[index] = pod
        return found


def _or_first(index: int | None) -> int:
    return -1 if index is None else index
