"""Decisions about Jobs and CronJobs as tables: no loop, no store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.controllers.cronjob.core import decide_cron_job, timing_of
from orchestrator.controllers.cronjob.timing import Due
from orchestrator.controllers.job.backoff import Backoff, left_for_index
from orchestrator.controllers.job.census import Observed
from orchestrator.controllers.job.core import decide_job
from orchestrator.controllers.job.indexes import Indexes
from orchestrator.controllers.job.pods import finished_at, rank_for_removal
from orchestrator.controllers.job.policies import judge_failure, judge_success
from orchestrator.controllers.ttl.core import expires_at
from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0
FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


def job(status: Object | None = None, **spec: Any) -> Object:
    """Build a Job as it is after defaulting."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "default", "uid": "u"},
        "spec": {
            "parallelism": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "podReplacementPolicy": "TerminatingOrFailed",
            "template": template,
            **spec,
        },
        "status": status or {},
    }


def pod(
    name: str,
    phase: str = "Running",
    *,
    index: int | None = None,
    at: float = NOW,
    code: int | None = None,
    **metadata: Any,
) -> Object:
    """Build a pod that is still to be counted."""
    annotations = {} if index is None else {INDEX: str(index)}
    status: Object = {"phase": phase}
    if phase in {"Succeeded", "Failed"}:
        ended = {"exitCode": code or 0, "finishedAt": format_time(at)}
        status["containerStatuses"] = [{"name": "main", "state": {"terminated": ended}}]
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "creationTimestamp": format_time(NOW - 100),
            "finalizers": [FINALIZER],
            "annotations": annotations,
            **metadata,
        },
        "spec": {"nodeName": "n1"},
        "status": status,
    }


# -- indexes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ([], ""),
        ([3], "3"),
        ([1, 2], "1,2"),
        ([1, 2, 3], "1-3"),
        ([1, 3, 4, 5, 7], "1,3-5,7"),
    ],
)
def test_completed_indexes_are_written_as_upstream_does(indexes: list[int], text: str) -> None:
    """Intervals of three and more with a hyphen, of two with a comma."""
    assert str(Indexes.of(indexes)) == text
    assert Indexes.parse(text, 100).intervals == Indexes.of(indexes).intervals


@pytest.mark.parametrize(
    ("text", "completions", "expected"),
    [
        ("0-9", 5, "0-4"),
        ("0-2,7", 5, "0-2"),
        ("x,1-y,4", 9, "4"),
        ("1,2,3", 9, "1-3"),
    ],
)
def test_indexes_are_read_as_far_as_they_make_sense(
    text: str, completions: int, expected: str
) -> None:
    """What a Job that shrank does not have any more is left out."""
    assert str(Indexes.parse(text, completions)) == expected


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.integers(0, 40))
def test_sets_of_indexes_are_sets(left: set[int], right: set[int], count: int) -> None:
    """Against Python's own, with which they must agree."""
    one, other = Indexes.of(left), Indexes.of(right)
    assert len(one | other) == len(left | right)
    assert one.common(other) == len(left & right)
    assert [index for index in range(31) if index in one] == sorted(left)
    missing = [index for index in range(25) if index not in left][:count]
    assert one.first_missing(count, 25) == missing


# -- policies ------------------------------------------------------------------------------

CODES = {"onExitCodes": {"operator": "In", "values": [1, 2]}}
NOT_CODES = {"onExitCodes": {"operator": "NotIn", "values": [1, 2]}}
DISRUPTED = {"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize(
    ("rules", "code", "conditions", "action"),
    [
        ([{**CODES, "action": "FailJob"}], 1, [], "FailJob"),
        ([{**CODES, "action": "FailJob"}], 3, [], None),
        ([{**NOT_CODES, "action": "Count"}], 3, [], "Count"),
        ([{**NOT_CODES, "action": "Count"}], 0, [], None),  # 0 is no failure
        ([{**DISRUPTED, "action": "Ignore"}], 3, [("DisruptionTarget", "True")], "Ignore"),
        ([{**DISRUPTED, "action": "Ignore"}], 3, [("DisruptionTarget", "False")], None),
        (
            [{**DISRUPTED, "action": "Ignore"}, {**CODES, "action": "FailIndex"}],
            2,
            [("Ready", "True")],
            "FailIndex",
        ),
        (
            [
                {
                    "onExitCodes": {**CODES["onExitCodes"], "containerName": "other"},
                    "action": "FailJob",
                }
            ],
            1,
            [],
            None,
        ),
    ],
)
def test_the_first_rule_that_fits_a_failure_decides(
    rules: list[Object], code: int, conditions: list[tuple[str, str]], action: str | None
) -> None:
    """Exit codes other than 0, or conditions with a status."""
    failed = pod("p", "Failed", code=code)
    failed["status"]["conditions"] = [
        {"type": type_, "status": status} for type_, status in conditions
    ]
    assert judge_failure(job(podFailurePolicy={"rules": rules}), failed).action == action


@pytest.mark.parametrize(
    ("rule", "succeeded", "enough"),
    [
        ({"succeededIndexes": "1,3"}, [1], False),
        ({"succeededIndexes": "1,3"}, [1, 2, 3], True),
        ({"succeededIndexes": "0-4", "succeededCount": 2}, [1, 7], False),
        ({"succeededIndexes": "0-4", "succeededCount": 2}, [1, 4], True),
        ({"succeededCount": 3}, [7, 8], False),
        ({"succeededCount": 3}, [7, 8, 9], True),
        ({"succeededCount": 0}, [], False),
    ],
)
def test_a_success_policy_asks_for_indexes_and_numbers(
    rule: Object, succeeded: list[int], enough: bool
) -> None:
    """Only indexes, only a number, or a number of the indexes."""
    body = job(completions=10, completionMode="Indexed", successPolicy={"rules": [rule]})
    message = judge_success(body, Indexes.of(succeeded))
    assert message == ("Matched rules at index 0" if enough else "")


# -- back-off ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (40, 600)]
)
def test_the_delay_doubles_up_to_ten_minutes(failures: int, seconds: float) -> None:
    """From the last failure on."""
    assert Backoff(failures, NOW).left(NOW) == seconds
    assert Backoff(failures, NOW).left(NOW + 5) == max(seconds - 5, 0)


def test_failures_count_since_the_last_success() -> None:
    """And once each, however often they are met."""
    body = job()
    ended = [pod("a", "Failed", at=NOW), pod("b", "Succeeded", at=NOW + 1)]
    record = Backoff().after(body, ended)
    assert record.failures == 0
    ended.append(pod("c", "Failed", at=NOW + 2))
    record = record.after(body, ended).after(body, ended)
    assert (record.failures, record.last) == (1, NOW + 2)
    uncounted = [{**one, "metadata": {**one["metadata"], "finalizers": []}} for one in ended]
    assert Backoff.recovered(body, uncounted).failures == 1


def test_an_index_has_a_delay_of_its_own() -> None:
    """By how often it failed before, ignored failures too."""
    failed = pod("a", "Failed", index=1)
    assert left_for_index(None, NOW) == 0
    assert left_for_index(failed, NOW) == 10
    failed["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] = "2"
    failed["metadata"]["annotations"]["batch.kubernetes.io/job-index-ignored-failure-count"] = "1"
    assert left_for_index(failed, NOW) == 80


def test_a_pod_ended_when_the_first_sign_says() -> None:
    """Containers, then readiness, then deletion, then creation."""
    ended = pod("a", "Failed", at=NOW + 7, deletionTimestamp=format_time(NOW + 40))
    ended["metadata"]["deletionGracePeriodSeconds"] = 30
    assert finished_at(ended) == NOW + 7
    ended["status"] = {
        "conditions": [
            {"type": "Ready", "status": "False", "lastTransitionTime": format_time(NOW + 8)}
        ]
    }
    assert finished_at(ended) == NOW + 8
    ended["status"] = {}
    assert finished_at(ended) == NOW + 10
    assert finished_at(pod("b", "Failed") | {"status": {"phase": "Failed"}}) == NOW - 100


# -- sizes ---------------------------------------------------------------------------------


def decide(
    body: Object, *pods: Object, backoff: Backoff | None = None
) -> tuple[list[str], list[str]]:
    """Return the names of pods to make (or their indexes) and to delete."""
    names = iter("abcdefghij")
    observed = Observed(pods=pods, backoff=backoff or Backoff(), suffix=lambda: next(names))
    plan = decide_job(body, observed, NOW)
    return (
        [item.object["metadata"].get("labels", {}).get(INDEX, "") for item in plan.create],
        sorted(name_of(item.object) for item in plan.delete),
    )


def deleted(name: str, **more: Any) -> Object:
    """Build a pod that is being deleted and still runs."""
    return pod(name, deletionTimestamp=format_time(NOW + 30), **more)


@pytest.mark.parametrize(
    ("body", "pods", "create", "delete"),
    [
        (job(completions=3, parallelism=2), [], 2, []),
        (job(completions=3, parallelism=2), [pod("p")], 1, []),
        (job(completions=3, parallelism=0), [], 0, []),
        (job(completions=3, parallelism=5), [pod("p", "Succeeded")], 2, []),
        (job(completions=1, parallelism=1), [pod("p"), pod("q")], 0, ["p"]),
        (job(parallelism=3), [pod("p")], 2, []),
        (job(parallelism=3), [pod("p", "Succeeded"), pod("q")], 0, []),
        (job(completions=1, suspend=True), [pod("p")], 0, ["p"]),
        (job(completions=1), [deleted("p")], 1, []),
        (job(completions=1, podReplacementPolicy="Failed"), [deleted("p")], 0, []),
        (job(completions=2, activeDeadlineSeconds=5, status={"startTime": format_time(NOW - 5)}),
         [pod("p")], 0, ["p"]),
        (job(completions=1, backoffLimit=0), [pod("p", "Failed"), pod("q")], 0, ["q"]),
    ],
)  # fmt: skip
def test_a_job_has_as_many_pods_as_it_needs(
    body: Object, pods: list[Object], create: int, delete: list[str]
) -> None:
    """No more than parallelism, and than what is left to do."""
    made, removed = decide(body, *pods)
    assert (len(made), removed) == (create, delete)


INDEXED: Any = {"completions": 4, "parallelism": 3, "completionMode": "Indexed"}


@pytest.mark.parametrize(
    ("more", "pods", "create", "delete"),
    [
        ({}, [], ["0", "1", "2"], []),
        ({}, [pod("a", index=0), pod("b", index=2)], ["1"], []),
        ({}, [pod("a", index=1), pod("b", "Succeeded", index=0)], ["2", "3"], []),
        # Two of an index, one without, one beyond.
        (
            {},
            [pod("a", index=1), pod("b", index=1), pod("c"), pod("d", index=9)],
            [],
            ["a", "c", "d"],
        ),
        ({"podReplacementPolicy": "Failed"}, [deleted("a", index=0)], ["1", "2"], []),
        ({"backoffLimitPerIndex": 0}, [pod("a", "Failed", index=0)], ["1", "2", "3"], []),
        ({"backoffLimitPerIndex": 1}, [pod("a", "Failed", index=0)], ["1", "2"], []),
        (
            {"backoffLimitPerIndex": 1},
            [pod("a", "Failed", index=0, at=NOW - 11)],
            ["0", "1", "2"],
            [],
        ),
    ],
)
def test_an_indexed_job_works_on_its_lowest_indexes(
    more: Object, pods: list[Object], create: list[str], delete: list[str]
) -> None:
    """One pod for each, and none for those that are done, failed or wait."""
    assert decide(job(**INDEXED, **more), *pods) == (create, delete)


def test_pods_wait_for_the_delay_after_a_failure() -> None:
    """And the Job is looked at again when it is over."""
    observed = Observed(pods=[], backoff=Backoff(2, NOW - 5), suffix=lambda: "x")
    plan = decide_job(job(completions=1), observed, NOW)
    assert plan.create == []
    assert plan.requeue_after == 15


def test_a_pod_that_succeeds_while_a_failed_job_sends_it_away_has_failed() -> None:
    """It was noted as failed with the Job's end; it is let go, not noted again."""
    status = {
        "startTime": format_time(NOW - 10),
        "conditions": [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}],
        "uncountedTerminatedPods": {"failed": ["p"]},
        "terminating": 1,
        "ready": 0,
    }
    late = pod("p", "Succeeded", deletionTimestamp=format_time(NOW))
    observed = Observed(pods=[late], backoff=Backoff(), suffix=lambda: "x")
    plan = decide_job(job(status, completions=1), observed, NOW)
    told, released = plan.update
    assert told.new["status"]["uncountedTerminatedPods"] == {"failed": ["p"]}
    assert "finalizers" not in released.new["metadata"]


def test_what_got_least_far_is_deleted_first() -> None:
    """Not assigned, then pending, then not ready, then the youngest."""
    unbound = pod("a") | {"spec": {}}
    pending = pod("b", "Pending")
    young = pod("c", creationTimestamp=format_time(NOW))
    old = pod("d")
    ready = pod("e")
    ready["status"]["conditions"] = [
        {"type": "Ready", "status": "True", "lastTransitionTime": format_time(NOW)}
    ]
    ranked = rank_for_removal([ready, old, young, pending, unbound])
    assert [name_of(one) for one in ranked] == ["a", "b", "c", "d", "e"]


# -- CronJobs ------------------------------------------------------------------------------


def cron_job(schedule: str, created: str, last: str = "", **spec: Any) -> Object:
    """Build a CronJob."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": "tick",
            "namespace": "default",
            "uid": "u",
            "creationTimestamp": f"2026-01-01T{created}:00Z",
        },
        "spec": {"schedule": schedule, "jobTemplate": {"spec": {}}, **spec},
        "status": {"lastScheduleTime": f"2026-01-01T{last}:00Z"} if last else {},
    }


def moment(text: str) -> float:
    """Return wall seconds of a time on the first day of 2026."""
    return datetime.fromisoformat(f"2026-01-01T{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("body", "now", "due", "missed", "wait"),
    [
        (cron_job("0 * * * *", "09:30"), "09:59:59", None, 0, 1.1),
        (cron_job("0 * * * *", "09:30"), "10:00:00", "10:00", 0, 3600.1),
        (cron_job("0 * * * *", "09:30", "10:00"), "10:30", None, 0, 1800.1),
        (cron_job("0 * * * *", "09:30"), "13:10", "13:00", 4, 3000.1),
        # Not at equal distances: the times in between are found all the same.
        (cron_job("30 6-16/4 * * *", "05:00"), "15:00", "14:30", 3, 56_700 - 1800 + 900.1),
        (cron_job("@every 40m", "09:30"), "10:11", "10:10", 0, 2340.1),
        (cron_job("@every 1h30m", "00:00"), "23:59", "22:30", 15, 60.1),
        (cron_job("* * * * *", "00:00"), "02:00", "02:00", 120, 60.1),
        (cron_job("* * * * *", "00:00", startingDeadlineSeconds=90), "02:00", "02:00", 2, 60.1),
        (cron_job("0 * * * *", "09:30", startingDeadlineSeconds=60), "10:05", None, 0, 3300.1),
    ],
)
def test_the_latest_time_that_is_due_is_found(
    body: Object, now: str, due: str | None, missed: int, wait: float
) -> None:
    """With about how many there were, and the seconds until the next."""
    timing = timing_of(body)
    assert timing is not None
    at = moment(now)
    found = timing.due(body, at, by_deadline=True)
    assert isinstance(found, Due)
    assert (found.time, found.missed) == (moment(due) if due else None, missed)
    assert timing.wait(body, at) == pytest.approx(wait)


def test_a_job_that_was_made_and_not_noted_is_noted() -> None:
    """The controller stopped in between: it is neither forgotten nor made again."""
    body = cron_job("0 * * * *", "09:30")
    at = moment("10:00:01")
    plan = decide_cron_job(body, [], at, lambda _: None)
    (creation,) = plan.create
    assert plan.update == []
    made = creation.object
    made["metadata"]["uid"] = "made"
    plan = decide_cron_job(body, [made], at, lambda _: made)
    assert plan.create == []
    assert plan.events == []
    (update,) = plan.update
    assert update.new["status"]["lastScheduleTime"] == "2026-01-01T10:00:00Z"
    assert [one["uid"] for one in update.new["status"]["active"]] == ["made"]


def test_a_job_of_somebody_else_in_the_way_is_left_alone() -> None:
    """Its name is taken: nothing is made, the next time is waited for."""
    body = cron_job("0 * * * *", "09:30")
    other = {"metadata": {"name": "tick-29454360", "uid": "x"}}
    plan = decide_cron_job(body, [], moment("10:00:01"), lambda _: other)
    assert len(plan) == 0
    assert plan.requeue_after == pytest.approx(3599.1)


# -- time to live --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "condition", "deleting", "expected"),
    [
        (100, ("Complete", "True"), False, NOW + 100),
        (0, ("Failed", "True"), False, NOW),
        (100, ("Failed", "False"), False, None),
        (100, ("FailureTarget", "True"), False, None),
        (None, ("Complete", "True"), False, None),
        (100, ("Complete", "True"), True, None),
    ],
)
def test_a_finished_job_expires(
    seconds: int | None, condition: tuple[str, str], deleting: bool, expected: float | None
) -> None:
    """From the transition of its last condition on."""
    type_, status = condition
    stamp = format_time(NOW)
    body = job({"conditions": [{"type": type_, "status": status, "lastTransitionTime": stamp}]})
    if seconds is not None:
        body["spec"]["ttlSecondsAfterFinished"] = seconds
    if deleting:
        body["metadata"]["deletionTimestamp"] = stamp
    assert expires_at(body) == expected
