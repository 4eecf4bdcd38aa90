"""Custom objects through the API: created, refused, pruned, defaulted, scaled, printed."""

from __future__ import annotations

from typing import Any

SCHEMA = {
    "type": "object",
    "required": ["cronSpec"],
    "properties": {
        "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "image": {"type": "string", "maxLength": 10, "minLength": 1},
        "policy": {"type": "string", "enum": ["Allow", "Forbid"]},
    },
}


async def test_an_object_is_created_with_its_defaults(api: Any, made: Any) -> None:
    """The schema's defaults are stored."""
    await api.define(made.definition(SCHEMA))
    obj = await api.create(made.instance(spec={"cronSpec": "* * * * */5"}))
    assert obj["spec"] == {"cronSpec": "* * * * */5", "replicas": 1}
    assert obj["metadata"]["generation"] == 1
    assert obj["metadata"]["uid"]


async def test_wrong_values_are_refused_in_upstreams_words(api: Any, made: Any) -> None:
    """All causes at once, in the validator's words."""
    await api.define(made.definition(SCHEMA))
    wrong = {"replicas": "string", "image": "", "policy": "Never"}
    status = await api.create(made.instance(spec=wrong), 422)
    assert status["reason"] == "Invalid"
    assert [(c["field"], c["message"]) for c in status["details"]["causes"]] == [
        (
            "spec.replicas",
            'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        ),
        ("spec.image", 'Invalid value: "": spec.image in body should be at least 1 chars long'),
        ("spec.policy", 'Unsupported value: "Never": supported values: "Allow", "Forbid"'),
        ("spec.cronSpec", "Required value"),
    ]
    assert status["message"].startswith('CronTab.stable.example.com "one" is invalid: [spec.')
