"""Two states of an object, compared field by field."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.differences import ABSENT, changed_fields


def pod(**spec: Any) -> dict[str, Any]:
    """Build something with a spec."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2}, [("spec.a", 1, 2)], id="a value"),
        pytest.param({"a": 1}, {"a": True}, [("spec.a", 1, True)], id="a type"),
        pytest.param({}, {"a": None}, [("spec.a", ABSENT, None)], id="added, though null"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, [("spec.a.b", 1, ABSENT)], id="removed"),
        pytest.param(
            {"l": {"x.io/y": "1"}},
            {"l": {"x.io/y": "2"}},
            [("spec.l[x.io/y]", "1", "2")],
            id="dots",
        ),
        pytest.param(
            {"c": [{"name": "a", "i": 1}, {"name": "b", "i": 1}]},
            {"c": [{"name": "b", "i": 2}, {"name": "a", "i": 1}]},
            [("spec.c[b].i", 1, 2)],
            id="items by name, wherever they stand",
        ),
        pytest.param(
            {"c": [{"name": "a"}]},
            {"c": []},
            [("spec.c[a]", {"name": "a"}, ABSENT)],
            id="an item that is gone",
        ),
        pytest.param(
            {"c": [{"type": "Ready", "status": "False"}]},
            {"c": [{"type": "Ready", "status": "True"}]},
            [("spec.c[Ready].status", "False", "True")],
            id="conditions by type",
        ),
        pytest.param(
            {"c": ["x", "y"]}, {"c": ["x", "z"]}, [("spec.c[1]", "y", "z")], id="by place"
        ),
        pytest.param({"c": ["x"]}, {"c": ["y", "x"]}, [("spec.c", ["x"], ["y", "x"])], id="whole"),
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
    ],
)
def test_the_deepest_fields_that_differ_are_told(
    old: dict[str, Any], new: dict[str, Any], expected: list[Any]
) -> None:
    """With the values on both sides; what is not there is told from what is null."""
    assert [tuple(change) for change in changed_fields(pod(**old), pod(**new))] == expected


def test_what_changes_with_every_write_is_left_out() -> None:
    """The version, and who set what."""
    old, new = pod(), pod()
    new["metadata"] = {"name": "a", "resourceVersion": "2", "managedFields": [{"manager": "x"}]}
    assert changed_fields(old, new) == ()


def test_of_an_object_that_was_not_there_all_parts_are_told() -> None:
    """One by one, not field by field."""
    assert [tuple(item) for item in changed_fields(None, pod(a=1))] == [("spec", ABSENT, {"a": 1})]
    assert [tuple(item) for item in changed_fields(pod(a=1), None)] == [("spec", {"a": 1}, ABSENT)]
