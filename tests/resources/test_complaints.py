"""Whole lists of complaints about objects of every kind, in upstream's words, paths and order.

The tables lie in ``complaints/``, a file for each resource. A case says how an object differs from
the valid example (of a pod: how its one container and its spec do) and all that is said of it:
``new`` for a new object; ``old`` and ``new`` for an update, at ``subresource`` if it names one.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]
Case = dict[str, Any]

_FIELDS = {"what", "new", "old", "subresource", "container", "spec", "expected"}


def _cases() -> list[Any]:
    found = []
    for path in sorted((Path(__file__).parent / "complaints").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            assert set(case) <= _FIELDS, case
            found.append(pytest.param(path.stem, case, id=f"{path.stem}: {case['what']}"))
    return found


def _merged(base: Object, change: Object) -> Object:
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = _merged(base[key], value)
        else:
            result[key] = value
    return result


def _complaints(resource: str, example: Object, case: Case) -> list[FieldError]:
    rules = strategy_of(registry().by_key(resource))
    if "old" not in case:
        new = rules.prepare_create(rules.default(_merged(example, case.get("new", {}))))
        return rules.validate_create(new)
    old = rules.prepare_create(rules.default(_merged(example, case["old"])))
    if "status" in case["old"]:
        old = {**old, "status": case["old"]["status"]}
    subresource = case.get("subresource", "")
    wanted = rules.prepared(_merged(old, case["new"]), old, subresource)
    return rules.problems(wanted, old, subresource)


@pytest.mark.parametrize(("resource", "case"), _cases())
def test_complaints_are_upstreams(resource: str, case: Case, examples: dict[str, Object]) -> None:
    """All at once, nothing else, in upstream's order."""
    example = copy.deepcopy(examples[resource])
    example["metadata"]["resourceVersion"] = "1"
    if resource == "pods":
        example["spec"]["serviceAccountName"] = "default"
        example["spec"]["containers"][0].update(case.get("container", {}))
        example["spec"].update(case.get("spec", {}))
    assert [str(problem) for problem in _complaints(resource, example, case)] == case["expected"]
