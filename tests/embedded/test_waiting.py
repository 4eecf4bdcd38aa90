"""What is said of an object to who waited for it in vain."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.embedded.waiting import describe_state
from orchestrator.resources.objects import Object


def thing(status: dict[str, Any] | None = None, **fields: Any) -> Object:
    """Return an object."""
    body: dict[str, Any] = {"metadata": {"name": "a"}, **fields}
    return body if status is None else {**body, "status": status}


GOING = {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"]}
WAITING = {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
ENDED = {"name": "main", "state": {"terminated": {"reason": "Error", "exitCode": 1}}}
READY = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}


@pytest.mark.parametrize(
    ("obj", "condition", "said"),
    [
        (None, "Ready", "it does not exist"),
        (thing(), "Ready", "it has no status"),
        (thing({"step": 3}), "Ready", 'its status is {"step": 3}'),
        (thing({"step": 3}), "jsonpath={.status.step}=4", "{.status.step} is 3"),
        (thing({}), "jsonpath={.status.step}=4", "{.status.step} is not there"),
        (thing({"a": "x" * 300}), "jsonpath=.status.a=y", f'{{.status.a}} is "{"x" * 196}...'),
        (thing(metadata=GOING), "delete", "being deleted, held by the finalizers x/y"),
        (
            thing({"readyReplicas": 1, "replicas": 2}, spec={"replicas": 3}),
            "Available",
            "1 of 3 ready",
        ),
        (
            thing({"phase": "Pending", "conditions": [READY], "containerStatuses": [WAITING]}),
            "Ready",
            (
                "container main: waiting, ImagePullBackOff; phase Pending; "
                "Ready=False (ContainersNotReady)"
            ),
        ),
        (
            thing({"phase": "Failed", "containerStatuses": [ENDED]}),
            len,
            "container main: terminated, Error; phase Failed",
        ),
    ],
)
def test_how_an_object_stands(obj: Object | None, condition: Any, said: str) -> None:
    """What was asked for first, then what holds it up, then its conditions."""
    assert describe_state(obj, condition) == said
