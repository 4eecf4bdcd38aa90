"""JSON patch: every operation, every refusal."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.resources.patches import PatchRejectedError, apply_json_patch
from orchestrator.resources.patches.json_patch import MAX_OPERATIONS

BASE: dict[str, Any] = {"a": {"b": [1, 2, 3]}, "x/y": {"~z": True}, "n": None}

APPLIED: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "add a member": ([{"op": "add", "path": "/a/c", "value": 1}], {"a": {"b": [1, 2, 3], "c": 1}}),
    "add replaces a member": ([{"op": "add", "path": "/a/b", "value": 1}], {"a": {"b": 1}}),
    "add inserts": ([{"op": "add", "path": "/a/b/1", "value": 9}], {"a": {"b": [1, 9, 2, 3]}}),
    "add appends": ([{"op": "add", "path": "/a/b/-", "value": 9}], {"a": {"b": [1, 2, 3, 9]}}),
    "add at the end": ([{"op": "add", "path": "/a/b/3", "value": 9}], {"a": {"b": [1, 2, 3, 9]}}),
    "remove a member": ([{"op": "remove", "path": "/a/b"}], {"a": {}}),
    "remove an item": ([{"op": "remove", "path": "/a/b/0"}], {"a": {"b": [2, 3]}}),
    "remove the last item": ([{"op": "remove", "path": "/a/b/-1"}], {"a": {"b": [1, 2]}}),
    "replace an item": ([{"op": "replace", "path": "/a/b/1", "value": 7}], {"a": {"b": [1, 7, 3]}}),
    "replace by null": ([{"op": "replace", "path": "/a", "value": None}], {"a": None}),
    "move": ([{"op": "move", "from": "/a/b/0", "path": "/a/c"}], {"a": {"b": [2, 3], "c": 1}}),
    "move to itself": ([{"op": "move", "from": "/a", "path": "/a"}], {"a": {"b": [1, 2, 3]}}),
    "copy": (
        [{"op": "copy", "from": "/a/b", "path": "/a/c"}, {"op": "remove", "path": "/a/c/0"}],
        {"a": {"b": [1, 2, 3], "c": [2, 3]}},
    ),
    "test passes": ([{"op": "test", "path": "/a/b/0", "value": 1}], {"a": {"b": [1, 2, 3]}}),
    "test of nothing for null": ([{"op": "test", "path": "/gone", "value": None}], {}),
    "escaped pointer": ([{"op": "replace", "path": "/x~1y/~0z", "value": 0}], {"x/y": {"~z": 0}}),
}

REFUSED: dict[str, dict[str, Any]] = {
    "test fails": {"op": "test", "path": "/a/b/0", "value": 2},
    "true is not one": {"op": "test", "path": "/a/b/0", "value": True},
    "test of nothing": {"op": "test", "path": "/gone", "value": 1},
    "remove nothing": {"op": "remove", "path": "/gone"},
    "remove below nothing": {"op": "remove", "path": "/gone/too"},
    "replace nothing": {"op": "replace", "path": "/gone", "value": 1},
    "add below a scalar": {"op": "add", "path": "/a/b/0/c", "value": 1},
    "index too high": {"op": "add", "path": "/a/b/4", "value": 1},
    "index too low": {"op": "remove", "path": "/a/b/-4"},
    "index with a leading zero": {"op": "remove", "path": "/a/b/01"},
    "index of other digits": {"op": "remove", "path": "/a/b/²"},
    "enormous index": {"op": "remove", "path": "/a/b/" + "9" * 5000},
    "no slash": {"op": "add", "path": "a", "value": 1},
    "unknown operation": {"op": "merge", "path": "/a"},
    "operation of a wrong type": {"op": ["add"], "path": "/a"},
    "no path": {"op": "remove"},
    "no value": {"op": "add", "path": "/a"},
    "no from": {"op": "move", "path": "/a"},
    "move into itself": {"op": "move", "from": "/a", "path": "/a/b"},
    "whole document removed": {"op": "remove", "path": ""},
    "whole document a list": {"op": "replace", "path": "", "value": []},
}


@pytest.mark.parametrize("case", APPLIED)
def test_operations_do_what_the_rfc_says(case: str) -> None:
    """Each operation changes its place and nothing else, and the input stays as it was."""
    operations, expected = APPLIED[case]
    before = copy.deepcopy(BASE)
    assert apply_json_patch(BASE, operations) == {**BASE, **expected}
    assert before == BASE


@pytest.mark.parametrize("case", REFUSED)
def test_operations_that_do_not_fit_are_refused(case: str) -> None:
    """The answer is 422 with upstream's general sentence, and the input stays as it was."""
    before = copy.deepcopy(BASE)
    with pytest.raises(PatchRejectedError) as caught:
        apply_json_patch(BASE, [REFUSED[case]])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == "the server rejected our request due to an error in our request"
    assert caught.value.why
    assert before == BASE


@pytest.mark.parametrize("body", [{}, "add", None, [1], [None]])
def test_a_body_that_is_no_patch_is_malformed(body: Any) -> None:
    """What is not a list of objects is answered with 400."""
    with pytest.raises(StatusError) as caught:
        apply_json_patch(BASE, body)
    assert caught.value.code == 400


def test_too_many_operations_are_refused() -> None:
    """Upstream's limit and words."""
    operations = [{"op": "test", "path": "/n", "value": None}] * (MAX_OPERATIONS + 1)
    with pytest.raises(StatusError) as caught:
        apply_json_patch(BASE, operations)
    assert caught.value.code == 413
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in str(caught.value)


def test_copies_of_copies_are_bounded() -> None:
    """Doubling a value forty times is refused, not tried."""
    grow = [{"op": "copy", "from": "/a", "path": f"/a/c{index}"} for index in range(40)]
    with pytest.raises(PatchRejectedError) as caught:
        apply_json_patch(BASE, grow)
    assert "accumulated size" in caught.value.why


def test_thousands_of_operations_on_one_list_are_quick() -> None:
    """The list is copied once, not once for each operation."""
    operations = [{"op": "add", "path": "/a/b/-", "value": index} for index in range(10_000)]
    assert len(apply_json_patch(BASE, operations)["a"]["b"]) == 10_003
    assert BASE["a"]["b"] == [1, 2, 3]


def test_absurd_nesting_is_refused() -> None:
    """Deep JSON is answered with 400, not with a stack that overflows."""
    left: Any = 1
    right: Any = 1
    for _ in range(50_000):
        left, right = [left], [right]
    with pytest.raises(StatusError) as caught:
        apply_json_patch({"a": left}, [{"op": "test", "path": "/a", "value": right}])
    assert caught.value.code == 400
