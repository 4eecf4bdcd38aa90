"""Rules that take long: they decide as others do, and the server works on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from orchestrator.store import Create

RULE = "self.all(x, self.all(y, x + y < 1000000))"
SCHEMA = {
    "type": "object",
    "properties": {
        "numbers": {
            "type": "array",
            "maxItems": 400,
            "items": {"type": "integer"},
            "x-kubernetes-validations": [{"rule": RULE, "message": "too much"}],
        }
    },
}


async def turns_during(work: Awaitable[httpx.Response]) -> tuple[httpx.Response, int]:
    """Return an answer, and how often others had their turn until it came."""
    task = asyncio.ensure_future(work)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return task.result(), turns


@pytest.mark.parametrize(("last", "code"), [(1, 201), (500_000, 422)])
async def test_the_loop_goes_on_while_a_rule_is_evaluated(
    api: Any, made: Any, last: int, code: int
) -> None:
    """A hundred thousand comparisons are made beside it, for a creation and for a change."""
    await api.define(made.definition(SCHEMA))
    short = made.instance("short", spec={"numbers": [1]})
    answer, ordinary = await turns_during(api.client.post(api.path(), json=short))
    assert answer.status_code == 201, answer.text
    body = made.instance(spec={"numbers": [1] * 349 + [last]})
    answer, turns = await turns_during(api.client.post(api.path(), json=body))
    assert answer.status_code == code, answer.text
    assert turns > 5 * ordinary
    small = made.instance("small", spec={"numbers": [1]})
    made_small = await api.create(small)
    made_small["spec"] = body["spec"]
    answer, turns = await turns_during(api.client.put(api.path("small"), json=made_small))
    assert answer.status_code == (200 if code == 201 else 422), answer.text
    assert turns > 5 * ordinary
    if code == 422:
        assert answer.json()["details"]["causes"] == [
            {
                "reason": "FieldValueInvalid",
                "message": 'Invalid value: "array": too much',
                "field": "spec.numbers",
            }
        ]


async def test_a_rule_that_costs_too_much_is_broken_off(api: Any, made: Any) -> None:
    """With upstream's words, for the limit of one rule."""
    await api.define(made.definition(SCHEMA))
    refused = await api.create(made.instance(spec={"numbers": [1] * 400}), 422)
    assert (
        "'operation cancelled: actual cost limit exceeded': no further validation rules will be "
        "run due to call cost exceeds limit for rule: too much"
    ) in refused["message"]


async def test_the_clusters_own_objects_are_not_asked_about(api: Any, made: Any) -> None:
    """What controllers make is not validated, so rules cost them nothing."""
    await api.define(made.definition(SCHEMA))
    obj = made.instance(spec={"numbers": [1] * 400})
    obj["metadata"]["namespace"] = "default"
    (result,) = await api.store.write([Create(f"crontabs.{made.GROUP}", obj)])
    assert result["metadata"]["uid"]
