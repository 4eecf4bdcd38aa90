"""Whose a pod is, by its events: what the workload controllers share."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers._belonging import Belonging
from orchestrator.resources.objects import Key
from orchestrator.store import ObjectEvent

STATUS: Any = {"phase": "Running"}
LABELS: Any = {"app": "web"}
FINALIZERS: Any = ["batch.kubernetes.io/job-tracking"]


def owned(uid: str) -> list[Any]:
    """Build references to a controller."""
    return [{"kind": "ReplicaSet", "name": uid, "uid": uid, "controller": True}]


MINE = owned("mine")


def pod(references: Any = MINE, *, status: Any = STATUS, spec: Any = None, **metadata: Any) -> Any:
    """Build a pod; what is not named is shared with the other ones, as the store shares it."""
    shared = {"name": "a", "labels": LABELS, "finalizers": FINALIZERS}
    return {
        "metadata": {**shared, "ownerReferences": references, **metadata},
        "spec": spec or {},
        "status": status,
    }


def event(now: Any, before: Any = None, type_: Any = "MODIFIED") -> ObjectEvent:
    """Build an event."""
    return ObjectEvent(1, type_, Key("pods", "default", "a"), now, before)


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (pod(spec={"nodeName": "n"}), False),
        (pod(annotations={"x": "y"}), False),
        (pod(status={"phase": "Failed"}), True),
        (pod(labels={"app": "other"}), True),
        (pod(finalizers=None), True),
        (pod(deletionTimestamp="2026-01-01T00:00:00Z"), True),
        (pod(owned("other")), True),
    ],
)
def test_being_bound_or_annotated_counts_for_nobody(now: Any, counts: bool) -> None:
    """Everything else is to be looked at."""
    assert Belonging().see(event(now, pod())) is counts


def test_the_end_of_a_pod_always_counts() -> None:
    """Even if nothing about it has changed."""
    assert Belonging().see(event(pod(), pod(), "DELETED"))


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (pod(), None, ("mine", False)),
        (pod(None), None, (None, False)),
        (pod(owned("other")), pod(), ("other", True, "mine")),
        (pod(None), pod(), (None, True, "mine")),
        (pod(), pod(None), ("mine", True, None)),
        (pod(owned("mine"), status={}), pod(), ("mine", False)),
    ],
)
def test_a_change_of_owners_names_the_former_one(now: Any, before: Any, expected: Any) -> None:
    """References that are equal are no change."""
    belonging = Belonging()
    belonging.see(event(now, before, "MODIFIED" if before else "ADDED"))
    found = (belonging.controller, belonging.moved, belonging.former)
    assert found[: len(expected)] == expected


def test_each_pod_is_judged_by_its_own_references() -> None:
    """What was found out for one is taken for another only if they share their references."""
    belonging = Belonging()
    found = []
    for references in (MINE, MINE, owned("other"), None, MINE):
        belonging.see(event(pod(references), None, "ADDED"))
        found.append(belonging.controller)
    assert found == ["mine", "mine", "other", None, "mine"]
