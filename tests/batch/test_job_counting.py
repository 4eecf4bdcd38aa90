"""No count is ever wrong, wherever the controller is stopped.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers: "the
Job controller tracks Pods without relying on them remaining in the cluster indefinitely".

Every operation of every plan is a place where the controller may stop: what it had written stays,
what it remembered is gone. Or it is the one that is refused, and the others are not. The store here
is a dictionary and keeps the order of a plan.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from orchestrator.controllers.job.backoff import Backoff
from orchestrator.controllers.job.census import Observed
from orchestrator.controllers.job.core import decide_job
from orchestrator.controllers.job.pods import finished_condition
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0
FINALIZER = "batch.kubernetes.io/job-tracking"


class World:
    """A Job, its pods, and what happens to them."""

    def __init__(self, **spec: Any) -> None:
        self.now = NOW
        self.uids = itertools.count()
        self.made = 0
        self.ended: dict[str, str] = {}
        """Uid → ``Succeeded`` or ``Failed``: what truly happened to pods that may count."""
        template = {"metadata": {}, "spec": {"restartPolicy": "Never", "containers": [{}]}}
        self.job: Any = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "work", "namespace": "default", "uid": "job"},
            "spec": {
                "parallelism": 1,
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "podReplacementPolicy": "TerminatingOrFailed",
                "template": template,
                **spec,
            },
        }
        self.pods: dict[str, Any] = {}
        self.backoff: Backoff | None = None

    def look(self) -> list[Callable[[], None]]:
        """Let the controller look once; return its operations, not carried out."""
        pods = list(self.pods.values())
        record = self.backoff
        record = (
            Backoff.recovered(self.job, pods) if record is None else record.after(self.job, pods)
        )
        self.backoff = record
        observed = Observed(pods=pods, backoff=record, suffix=lambda: f"{next(self.uids):05}")
        plan = decide_job(self.job, observed, self.now)
        if plan.requeue_after:
            self.now += plan.requeue_after
        operations: list[Callable[[], None]] = []
        operations += [partial(self.create, item.object) for item in plan.create]
        operations += [partial(self.update, item) for item in plan.update]
        operations += [partial(self.delete, item.object) for item in plan.delete]
        return operations

    def create(self, pod: Any) -> None:
        self.made += 1
        name = pod["metadata"]["name"]
        stamp = format_time(self.now)
        metadata = {**pod["metadata"], "uid": name, "creationTimestamp": stamp}
        self.pods[name] = {**pod, "metadata": metadata, "status": {"phase": "Running"}}

    def update(self, item: Any) -> None:
        if item.subresource == "status":
            self.job = {**self.job, "status": copy.deepcopy(item.new["status"])}
            return
        name = item.base["metadata"]["name"]
        if name in self.pods:
            pod = {**self.pods[name], "metadata": dict(self.pods[name]["metadata"])}
            pod["metadata"]["finalizers"] = item.new["metadata"].get("finalizers")
            self.pods[name] = pod
            self.collect(name)

    def delete(self, pod: Any) -> None:
        name = pod["metadata"]["name"]
        if name in self.pods:
            held = dict(self.pods[name]["metadata"])
            held.setdefault("deletionTimestamp", format_time(self.now))
            self.pods[name] = {**self.pods[name], "metadata": held}
            self.collect(name)

    def collect(self, name: str) -> None:
        """Remove a pod that is being deleted and that nothing holds."""
        metadata = self.pods[name]["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            del self.pods[name]

    def end(self, name: str, phase: str) -> None:
        """Have a pod end by itself."""
        self.pods[name] = {**self.pods[name], "status": {"phase": phase}}
        self.ended[name] = phase

    @property
    def running(self) -> list[str]:
        """Names of pods that run."""
        return [
            name
            for name, pod in self.pods.items()
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    @property
    def status(self) -> Any:
        return self.job.get("status") or {}

    def count(self, phase: str) -> int:
        """Count what truly happened."""
        return sum(1 for found in self.ended.values() if found == phase)


def lose_terminating(world: World) -> None:
    """Have the pods that are being deleted stop, and their owners' finalizers seen to."""
    for name, pod in list(world.pods.items()):
        if "deletionTimestamp" in pod["metadata"] and pod["status"]["phase"] == "Running":
            world.pods[name] = {**pod, "status": {"phase": "Failed"}}


def live(
    world: World, step: Callable[[World, int], None], fault: int, *, refuse: bool = False
) -> tuple[int, bool]:
    """Live until the Job is over; stop the controller before operation ``fault``, or refuse it.

    Returns:
        How many operations there were, and whether the Job came to its end.
    """
    done = 0
    for turn in range(200):
        for operation in world.look():
            done += 1
            if done - 1 == fault:
                if refuse:
                    continue
                world.backoff = None
                break
            operation()
            check(world)
        if finished_condition(world.job) is not None:
            return done, True
        lose_terminating(world)
        step(world, turn)
        world.now += 1
    return done, False


def check(world: World) -> None:
    """What is counted, noted or still held is what happened: no more than that, and no less."""
    status = world.status
    uncounted = status.get("uncountedTerminatedPods") or {}
    for field, phase in (("succeeded", "Succeeded"), ("failed", "Failed")):
        noted = set(uncounted.get(field) or ())
        held = {
            name
            for name, pod in world.pods.items()
            if FINALIZER in (pod["metadata"].get("finalizers") or ())
        }
        counted = status.get(field, 0)
        if world.job["spec"]["completionMode"] == "NonIndexed" and world.ended:
            # One that lost its finalizer is a number or noted.
            lost = {name for name, end in world.ended.items() if end == phase and name not in held}
            assert counted + len(noted - held) >= len(lost), (field, status)
            assert counted <= world.count(phase), (field, status)


def one_fails_then_all_succeed(world: World, turn: int) -> None:
    """End pods one after the other; the third of all fails."""
    if turn % 3 == 2 and world.running:
        name = world.running[0]
        world.end(name, "Failed" if len(world.ended) == 2 else "Succeeded")


def every_fault(step: Callable[[World, int], None], **spec: Any) -> list[tuple[str, World]]:
    """Return the worlds with a fault at each operation, and one without any."""
    worlds = []
    for refuse in (False, True):
        for fault in itertools.count(-1):
            world = World(**copy.deepcopy(spec))
            operations, over = live(world, step, fault, refuse=refuse)
            what = f"{'refused' if refuse else 'stopped at'} operation {fault}"
            assert over, f"not over, {what}: {world.status}"
            worlds.append((what, world))
            if fault >= operations:
                break
    return worlds


@pytest.mark.parametrize("policy", ["TerminatingOrFailed", "Failed"])
def test_pods_of_a_job_are_counted_once(policy: str) -> None:
    """Five completions, two at a time, one failure in between."""
    worlds = every_fault(
        one_fails_then_all_succeed, completions=5, parallelism=2, podReplacementPolicy=policy
    )
    assert len(worlds) > 50
    for fault, world in worlds:
        status = world.status
        assert (status["succeeded"], status["failed"]) == (5, 1), fault
        assert world.made == 6, fault
        assert status["uncountedTerminatedPods"] == {}
        assert all(not pod["metadata"].get("finalizers") for pod in world.pods.values())


def test_indexes_are_completed_once() -> None:
    """Four indexes, the third pod fails and is replaced."""
    for fault, world in every_fault(
        one_fails_then_all_succeed, completions=4, parallelism=3, completionMode="Indexed"
    ):
        status = world.status
        assert (status["succeeded"], status["failed"]) == (4, 1), fault
        assert status["completedIndexes"] == "0-3"
        assert world.made == 5, fault


def test_failures_of_an_index_are_handed_on() -> None:
    """Index 0 fails twice, which is once more than it may; the others succeed."""

    def step(world: World, turn: int) -> None:
        if turn % 3 != 2:
            return
        for name in world.running:
            index = world.pods[name]["metadata"]["labels"][
                "batch.kubernetes.io/job-completion-index"
            ]
            world.end(name, "Failed" if index == "0" else "Succeeded")
            return

    for fault, world in every_fault(
        step, completions=3, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=1
    ):
        status = world.status
        assert status["failedIndexes"] == "0", fault
        assert status["completedIndexes"] == "1,2", fault
        assert (status["succeeded"], status["failed"]) == (2, 2), fault
        assert world.made == 4, fault


def test_the_back_off_limit_is_reached_once() -> None:
    """Three failures with a limit of two: not one pod more, whatever is forgotten."""

    def step(world: World, turn: int) -> None:
        if turn % 3 == 2 and world.running:
            world.end(world.running[0], "Failed")

    for fault, world in every_fault(step, completions=1, backoffLimit=2):
        assert world.status["failed"] == 3, fault
        assert world.made == 3, fault
        assert [item["reason"] for item in world.status["conditions"]] == [
            "BackoffLimitExceeded",
            "BackoffLimitExceeded",
        ]


def test_pods_sent_away_by_a_failure_count_as_failed() -> None:
    """A failing pod ends the Job; the three others with it, each counted once."""
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}]

    def step(world: World, turn: int) -> None:
        if turn == 2:
            name = world.running[0]
            world.end(name, "Failed")
            ended = {"name": "main", "state": {"terminated": {"exitCode": 3}}}
            world.pods[name]["status"]["containerStatuses"] = [ended]
            for other in world.running:
                world.ended[other] = "Failed"

    for fault, world in every_fault(
        step,
        completions=4,
        parallelism=4,
        podFailurePolicy={"rules": rules},
        podReplacementPolicy="Failed",
    ):
        assert world.status["failed"] == 4, fault
        assert "succeeded" not in world.status
        assert world.status["conditions"][-1]["reason"] == "PodFailurePolicy", fault


def test_more_pods_at_once_than_the_status_may_name() -> None:
    """At most 500 uids are noted at a time; all 1,200 are counted."""

    def step(world: World, turn: int) -> None:
        del turn
        for name in world.running:
            world.end(name, "Succeeded")

    world = World(completions=1200, parallelism=1200)
    most = 0

    def watching(world: World, turn: int) -> None:
        nonlocal most
        uncounted = world.status.get("uncountedTerminatedPods") or {}
        most = max(most, len(uncounted.get("succeeded") or ()))
        step(world, turn)

    _, over = live(world, watching, -1)
    assert over
    assert world.status["succeeded"] == 1200
    assert most == 500


@pytest.mark.parametrize("mode", ["NonIndexed", "Indexed"])
def test_a_pod_that_succeeds_as_it_is_noted_as_failed_counts_once(mode: str) -> None:
    """It was sent away, the Job noted a failure, and then it says that it had been done.

    Counted both ways the Job would be complete with no success to show.
    """
    world = World(completions=1, parallelism=1, completionMode=mode)
    for operation in world.look():
        operation()
    (name,) = world.running
    world.pods[name]["metadata"]["deletionTimestamp"] = format_time(world.now)
    note, *_ = world.look()
    note()  # the controller got no further
    assert world.status["uncountedTerminatedPods"] == {"failed": [name]}
    world.end(name, "Succeeded")
    for _ in range(6):
        for operation in world.look():
            operation()
        for other in world.running:
            world.end(other, "Succeeded")
    assert finished_condition(world.job) is not None
    assert (world.status["succeeded"], world.status["failed"]) == (1, 1)
