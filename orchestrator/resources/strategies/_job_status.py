"""What a Job's status may say, whichever controller writes it.

Source of rules, words and order: pkg/apis/batch/validation and pkg/registry/batch/job upstream.
Most rules hold only when a write changes what they are about, so that what was stored before a rule
came can still be updated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    invalid,
    invalid_somehow,
    not_negative,
    required,
)
from orchestrator.resources.strategies._job_policies import count_indexes
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.timestamps import parse_time

_NUMBERS: Final = ("active", "succeeded", "failed", "ready", "terminating")
_CONDITIONS: Final = "status.conditions"


class _Write:
    """A write of a status: what it was, what it shall be, and what changes."""

    def __init__(self, new: Object, old: Object) -> None:
        self.new, self.old = new, old
        self.spec: Part = new.get("spec") or {}
        self.status: Part = new.get("status") or {}
        self.before: Part = old.get("status") or {}
        self.complete = is_condition_true(new, "Complete")
        self.failed = is_condition_true(new, "Failed")
        self.finished = self.complete or self.failed
        self.target = is_condition_true(new, "FailureTarget")
        self.criteria = is_condition_true(new, "SuccessCriteriaMet")
        self.indexed = self.spec.get("completionMode") == "Indexed"
        self.turns = {
            type_
            for type_ in ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
            if is_condition_true(new, type_) != is_condition_true(old, type_)
        }

    def changes(self, *fields: str) -> bool:
        """Tell whether one of some fields of the status changes."""
        return any(self.status.get(field) != self.before.get(field) for field in fields)

    @property
    def finishes(self) -> bool:
        """Whether the Job is finished by this write, or is no longer."""
        before = any(is_condition_true(self.old, type_) for type_ in ("Complete", "Failed"))
        return self.finished != before


def job_status_problems(new: Object, old: Object) -> list[FieldError]:
    """Return every complaint about a write to a Job's status, metadata apart."""
    write = _Write(new, old)
    return [
        *_numbers(write),
        *_uncounted(write),
        *_ends(write),
        *_finished(write),
        *_indexes(write),
        *_pods(write),
        *_criteria(write),
        *_steps(write),
    ]


def _numbers(write: _Write) -> Iterator[FieldError]:
    for field in _NUMBERS:
        yield from not_negative(f"status.{field}", write.status.get(field))


def _uncounted(write: _Write) -> Iterator[FieldError]:
    seen: set[str] = set()
    uncounted: Part = write.status.get("uncountedTerminatedPods") or {}
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(uncounted.get(field) or ()):
            at = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                yield invalid(at, uid, "must not be empty")
            elif uid in seen:
                yield duplicate(at, uid)
            seen.add(uid)


def _ends(write: _Write) -> Iterator[FieldError]:
    """Check what the terminal conditions have to do with one another and with the times."""
    status, turns = write.status, write.turns
    completed, started = status.get("completionTime"), status.get("startTime")
    at = "status.completionTime"
    if turns & {"Complete", "Failed"} and write.complete and write.failed:
        wrong = "cannot set Complete=True and Failed=true conditions"
        yield invalid_somehow(_CONDITIONS, wrong)
    if turns & {"Complete", "FailureTarget"} and write.complete and write.target:
        wrong = "cannot set Complete=True and FailureTarget=true conditions"
        yield invalid_somehow(_CONDITIONS, wrong)
    if "Complete" in turns or write.changes("completionTime"):
        if completed and not write.complete:
            wrong = "cannot set completionTime when there is no Complete=True condition"
            yield invalid(at, completed, wrong)
        if not completed and write.complete:
            yield required(at, "completionTime is required for Complete jobs")
    times = write.changes("startTime", "completionTime") and completed and started
    if times and parse_time(completed) < parse_time(started):
        yield invalid(at, completed, "completionTime cannot be set before startTime")
    if turns & {"Failed", "FailureTarget"} and write.failed and not write.target:
        wrong = "cannot set Failed=True condition without the FailureTarget=true condition"
        yield invalid_somehow(_CONDITIONS, wrong)
    met = turns & {"Complete", "SuccessCriteriaMet"}
    if met and write.complete and not write.criteria:
        wrong = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        yield invalid_somehow(_CONDITIONS, wrong)


def _finished(write: _Write) -> Iterator[FieldError]:
    """Check that a finished Job has nothing left to do."""
    if not write.finished:
        return
    status = write.status
    if (write.finishes or write.changes("active")) and status.get("active"):
        yield invalid("status.active", status["active"], "active>0 is invalid for finished job")
    if (write.finishes or write.changes("startTime")) and not status.get("startTime"):
        yield required("status.startTime", "startTime is required for finished job")
    uncounted = status.get("uncountedTerminatedPods") or {}
    if (write.finishes or write.changes("uncountedTerminatedPods")) and any(
        uncounted.get(field) for field in ("succeeded", "failed")
    ):
        wrong = "uncountedTerminatedPods needs to be empty for finished job"
        yield invalid("status.uncountedTerminatedPods", uncounted, wrong)


def _indexes(write: _Write) -> Iterator[FieldError]:
    spec, status = write.spec, write.status
    completions = spec.get("completions")
    done, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    limited = spec.get("backoffLimitPerIndex") is not None
    at, at_failed = "status.completedIndexes", "status.failedIndexes"
    if write.changes("completedIndexes") and completions is not None:
        _, wrong = count_indexes(done, completions)
        if wrong:
            yield invalid(at, done, f"error parsing completedIndexes: {wrong}")
    fails = write.changes("failedIndexes")
    if fails and completions is not None and limited and failed is not None:
        _, wrong = count_indexes(failed, completions)
        if wrong:
            yield invalid(at_failed, failed, f"error parsing failedIndexes: {wrong}")
    if write.changes("completedIndexes") and done and not write.indexed:
        wrong = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield invalid(at, done, wrong)
    if fails and failed is not None and not limited:
        wrong = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield invalid(at_failed, failed, wrong)
    if write.changes("failedIndexes", "completedIndexes") and completions is not None and failed:
        common = _common_index(done, failed)
        if common is not None:
            wrong = f"failedIndexes and completedIndexes overlap at index: {common}"
            yield invalid(at_failed, failed, wrong)


def _common_index(one: str, other: str) -> int | None:
    """Return the lowest index that two texts like ``1,3-5`` both name; None when they are wrong."""
    try:
        left, right = _intervals(one), _intervals(other)
    except ValueError:
        return None
    here = there = 0
    while here < len(left) and there < len(right):
        first = max(left[here][0], right[there][0])
        if first <= min(left[here][1], right[there][1]):
            return first
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1
    return None


def _intervals(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.append((int(first), int(last or first)))
    return found


def _pods(write: _Write) -> Iterator[FieldError]:
    status = write.status
    terminating, ready = status.get("terminating"), status.get("ready")
    if write.finished and terminating and (write.finishes or write.changes("terminating")):
        wrong = "terminating>0 is invalid for finished job"
        yield invalid("status.terminating", terminating, wrong)
    if write.changes("ready", "active") and (ready or 0) > (status.get("active") or 0):
        yield invalid("status.ready", ready, "cannot set more ready pods than active")


def _criteria(write: _Write) -> Iterator[FieldError]:
    if write.criteria and write.failed:
        wrong = "cannot set SuccessCriteriaMet=True and Failed=true conditions"
        yield invalid_somehow(_CONDITIONS, wrong)
    if write.criteria and write.target:
        wrong = "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"
        yield invalid_somehow(_CONDITIONS, wrong)
    if write.spec.get("successPolicy") is not None and write.complete and not write.criteria:
        wrong = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        yield invalid_somehow(_CONDITIONS, wrong)


def _steps(write: _Write) -> Iterator[FieldError]:
    """Check what may not be taken back."""
    status, before = write.status, write.before
    for type_ in ("Failed", "Complete", "FailureTarget"):
        if type_ in write.turns and is_condition_true(write.old, type_):
            wrong = f"cannot disable the terminal {type_}=True condition"
            yield invalid_somehow(_CONDITIONS, wrong)
    failed, succeeded = status.get("failed") or 0, status.get("succeeded") or 0
    if failed < (before.get("failed") or 0):
        yield invalid("status.failed", failed, "cannot decrease the failed counter")
    # An indexed Job may shrink, and what was completed beyond its new size is forgotten.
    shrinks = write.indexed and write.spec.get("completions") == write.spec.get("parallelism")
    if not shrinks and succeeded < (before.get("succeeded") or 0):
        yield invalid("status.succeeded", succeeded, "cannot decrease the succeeded counter")
    completed, was = status.get("completionTime"), before.get("completionTime")
    if completed and was and completed != was:
        yield invalid("status.completionTime", completed, "completionTime cannot be mutated")
    resumed = write.spec.get("suspend") or is_condition_true(write.old, "Suspended")
    if before.get("startTime") and write.changes("startTime") and not resumed:
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")
    if "SuccessCriteriaMet" in write.turns:
        if not write.criteria:
            wrong = "cannot disable the SuccessCriteriaMet=True condition"
            yield invalid_somehow(_CONDITIONS, wrong)
        elif is_condition_true(write.old, "Complete"):
            wrong = (
                "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
            )
            yield invalid_somehow(_CONDITIONS, wrong)
