"""Taking over a pod's containers: which record is believed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.node.adopting import take_over
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerStarted,
)
from orchestrator.node.states import PodState, containers_of


def record(identity: str, attempt: int, started: float, code: int | None = None) -> ContainerRecord:
    """A container's record; with an exit code it has ended."""
    of = ContainerOf("n", "u", "c", attempt)
    exited = None
    if code is not None:
        exited = ContainerExited(identity, of, code, 0, started, started + 1)
    return ContainerRecord(ContainerStarted(identity, of, started), exited, "a")


class Runtime:
    """Keeps what it is asked for."""

    executes = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def stop(self, identity: str, _grace: float) -> None:
        self.asked.append(("stop", identity))

    def remove(self, identity: str) -> None:
        self.asked.append(("remove", identity))


@pytest.mark.parametrize(
    ("told", "records", "believed", "asked"),
    [
        ("", [record("a", 0, 1)], "a", []),
        ("", [record("a", 0, 1, 3), record("b", 1, 5)], "b", []),
        ("a", [record("a", 0, 1), record("b", 0, 5)], "a", [("stop", "b")]),
        ("", [record("a", 0, 1), record("b", 0, 5, 137)], "a", [("remove", "b")]),
        ("", [record("a", 0, 1, 0), record("b", 0, 5, 137)], "a", [("remove", "b")]),
        ("b", [record("a", 0, 1, 0), record("b", 0, 5, 137)], "b", [("remove", "a")]),
        ("", [record(str(n), n, n, 1) for n in range(4)], "3", [("remove", "0"), ("remove", "1")]),
    ],
)
def test_one_record_of_each_attempt_is_believed(
    told: str, records: list[ContainerRecord], believed: str, asked: list[tuple[str, str]]
) -> None:
    """Of two starts of one attempt, which a failed actor leaves, the one that others know of."""
    spec = {"containers": [{"name": "c"}]}
    status: dict[str, Any] = {"containerStatuses": [{"name": "c", "state": {}}]}
    if told:
        status["containerStatuses"][0]["containerID"] = f"r://{told}"
    state = PodState({"spec": spec, "status": status}, containers_of(spec), "h", "r", 0.0)
    runtime = Runtime()
    around: Any = SimpleNamespace(runtime=runtime)
    take_over(state, around, records[::-1], lambda _: None)
    assert state.containers[0].id == believed
    assert sorted(runtime.asked) == asked
