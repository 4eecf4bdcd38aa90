"""Counting each ended pod once, whatever crashes in between. Pure.

Three writes, each from what the one before has left in the store: the pod's uid goes into the
status (``uncountedTerminatedPods``; for an index, ``completedIndexes`` is enough); its finalizer
goes; the uid becomes a number. A pod without the finalizer is in the status in one form or the
other. https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from orchestrator.controllers.job.census import Census
from orchestrator.controllers.job.indexes import Indexes
from orchestrator.controllers.job.outcomes import Outcome
from orchestrator.controllers.job.pods import (
    has_failed,
    has_finalizer,
    has_succeeded,
)
from orchestrator.controllers.job.policies import judge_failure
from orchestrator.resources.objects import Object, is_deleting, status_of, uid_of

MOST_UNCOUNTED: Final = 500
"""Uids in the status at a time; upstream's MaxUncountedPods."""


@dataclass(slots=True)
class Count:
    """What to write down, and who may go.

    Attributes:
        succeeded: For the status.
        failed: For the status.
        uncounted_succeeded: Uids for the status.
        uncounted_failed: Uids for the status.
        completed: Completed indexes for the status; None for a Job without indexes.
        release: Pods that are in the status as it is stored: their finalizers may go.
        open: Whether pods are left that have to be noted or let go first.
    """

    succeeded: int
    failed: int
    uncounted_succeeded: list[str] = field(default_factory=list)
    uncounted_failed: list[str] = field(default_factory=list)
    completed: Indexes | None = None
    release: list[Object] = field(default_factory=list)
    open: bool = False


def count_pods(census: Census, outcome: Outcome | None) -> Count:
    """Return the numbers of a Job and the pods to let go; ``decide_job`` writes them.

    Args:
        census: Its pods.
        outcome: How it ends, if that is decided; then all of its pods may go.
    """
    status = status_of(census.job)
    held = {uid_of(pod) for pod in census.pods if has_finalizer(pod)}
    count = Count(status.get("succeeded") or 0, status.get("failed") or 0)
    for uid in census.uncounted_succeeded:
        if uid in held:
            count.uncounted_succeeded.append(uid)
        else:
            count.succeeded += 1
    for uid in census.uncounted_failed:
        if uid in held:
            count.uncounted_failed.append(uid)
        else:
            count.failed += 1
    completed = _note(census, outcome, count)
    if census.indexed:
        count.completed = census.counted_indexes | Indexes.of(completed)
        count.succeeded = len(count.completed)
    return count


def _note(census: Census, outcome: Outcome | None, count: Count) -> set[int]:
    """Note pods that ended; return the indexes they completed."""
    completed: set[int] = set()
    noted_succeeded = set(census.uncounted_succeeded)
    noted_failed = set(census.uncounted_failed)
    # The reason is in the status before the pods that could tell it are gone.
    may_release = outcome is None or outcome.said
    for pod in census.pods:
        if not has_finalizer(pod) or not _may_go(census, outcome, pod):
            continue
        count.open = True
        uid = uid_of(pod)
        index = census.index_of(pod) if census.indexed else None
        stored = True
        if uid in noted_failed or uid in noted_succeeded:
            pass
        elif _noted(completed, count) >= MOST_UNCOUNTED:
            continue  # the next look notes it
        elif has_succeeded(pod):
            if not census.indexed:
                count.uncounted_succeeded.append(uid)
                stored = False
            elif index is not None and index not in census.counted_indexes:
                completed.add(index)
                stored = False
        elif _counts_as_failed(census, outcome, pod):
            countable = not census.indexed or index is not None
            if countable and judge_failure(census.job, pod).counts:
                count.uncounted_failed.append(uid)
                stored = False
            elif index is not None and _fails_unsaid(census, pod, index):
                stored = False
        if stored and may_release:
            count.release.append(pod)
    return completed


def _noted(completed: set[int], count: Count) -> int:
    return len(completed) + len(count.uncounted_succeeded) + len(count.uncounted_failed)


def _counts_as_failed(census: Census, outcome: Outcome | None, pod: Object) -> bool:
    """Tell whether a pod that has not succeeded has failed.

    When a Job has failed, so have its pods that had not ended. When it has succeeded, those that
    are deleted for that have not.
    """
    if outcome is not None and outcome.said and outcome.success:
        return has_failed(pod, census.job) and "deletionTimestamp" not in pod["metadata"]
    return has_failed(pod, census.job) or (outcome is not None and not outcome.success)


def _fails_unsaid(census: Census, pod: Object, index: int) -> bool:
    return (
        census.limits_each_index
        and index not in census.counted_failed_indexes
        and census.fails_index(pod)
    )


def _may_go(census: Census, outcome: Outcome | None, pod: Object) -> bool:
    """Tell whether a pod need not be held any longer once it is counted."""
    if is_deleting(census.job) or outcome is not None or has_succeeded(pod):
        return True
    if not has_failed(pod, census.job):
        return False
    index = census.index_of(pod)
    delayed = census.delayed.get(index) if index is not None else None
    # The last failed pod of an index waits for the next one, which is told how often it failed.
    return delayed is None or uid_of(delayed) != uid_of(pod)
