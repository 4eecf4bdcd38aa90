"""Whatever fits a kind's structure can be judged, defaulted, changed and printed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from orchestrator.resources.decoding import decode
from orchestrator.resources.definitions import SchemaNode, schema_of
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.printing import table
from orchestrator.resources.strategies import strategy_of

KINDS = [kind for version in ("1.35", "1.37") for kind in registry(version).kinds()]
TEXTS = ("", "a", "A/b", "a.b/c", "*", "10.0.0.1", "fd00::/64", "https://a.b/c", "true", "ü\n", "/")
AMOUNTS = ("1", "0", "-1", "1.5Gi", "100m", "1e3", 7)
OBJECTS = 60
"""Generated for each kind: enough to meet what a rule forgot within a few runs."""


class Maker:
    """Draws values that fit a structure, odd ones on purpose."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def value(self, node: SchemaNode | None, depth: int) -> Any:
        """Return a value for one place."""
        chance = self.random
        if node is None or node.is_quantity:
            return chance.choice(AMOUNTS)
        if node.is_int_or_string:
            return chance.choice([0, -1, 80, "50%", "http", ""])
        if node.type == "object" and node.fields:
            return self.fields(node, depth)
        match node.type:
            case "object" if node.additional is not None:
                keys = chance.sample(TEXTS, chance.randint(0, 2))
                return {key: self.value(node.additional, depth + 1) for key in keys}
            case "array":
                count = chance.choice([0, 1, 1, 2])
                return [self.value(node.items, depth + 1) for _ in range(count)]
            case "integer":
                return chance.choice([-1, 0, 1, 2, 80, 70000, 2**31 - 1])
            case "number":
                return chance.choice([0, 0.5, -1])
            case "boolean":
                return chance.choice([True, False])
            case "string":
                return self.text(node)
            case _:
                return chance.choice([{}, {"a": 1}, [], "a", 1])

    def text(self, node: SchemaNode) -> str:
        """Return text of a format."""
        if node.format == "date-time":
            return "2026-01-01T00:00:00Z"
        if node.format == "byte":
            return self.random.choice(["", "YQ==", "!"])
        return self.random.choice(TEXTS)

    def fields(self, node: SchemaNode, depth: int) -> dict[str, Any]:
        """Return an object with some of its fields; null is a value like others."""
        made: dict[str, Any] = {}
        for field, inner in node.fields.items():
            likely = 0.9 if field in node.required else max(0.08, 0.6 - depth * 0.13)
            if depth < 9 and self.random.random() < likely:
                empty = self.random.random() < 0.05
                made[field] = None if empty else self.value(inner, depth + 1)
        return made

    def object(self, kind: Kind) -> dict[str, Any]:
        """Return a whole object."""
        made = self.fields(schema_of(kind), 0)
        metadata = {"name": self.random.choice(["a", "a.b", "exempt", "A", ""])}
        if kind.namespaced:
            metadata["namespace"] = "default"
        given = made.get("metadata") or {}
        kept = {key: value for key, value in given.items() if key in ("labels", "annotations")}
        about = {"apiVersion": kind.api_version, "kind": kind.kind}
        return {**made, **about, "metadata": {**kept, **metadata}}


@pytest.mark.parametrize(
    "kind", KINDS, ids=[f"{kind.release}-{kind.resource}-{kind.version}" for kind in KINDS]
)
def test_no_object_is_too_odd_to_be_judged(kind: Kind) -> None:
    """Rules complain; they do not fail. Neither do defaults, changes, selection and tables."""
    strategy = strategy_of(kind)
    maker = Maker(f"{kind.release}/{kind.api_version}/{kind.kind}")
    before: dict[str, Any] | None = None
    judged = 0
    for _ in range(OBJECTS):
        try:
            obj = decode(maker.object(kind), kind, validation="Ignore").object
        except StatusError:
            continue  # a quantity or a time that is none
        full = strategy.default(obj)
        assert strategy.default(full) == full
        made = strategy.prepare_create(full)
        for problem in strategy.validate_create(made):
            assert problem.message
        strategy.selectable_fields(made)
        whole = {**made, "status": obj["status"]} if "status" in obj else made
        table(kind, [whole], now=1_700_000_000.0)
        if before is not None:
            for part in ("", *kind.subresources):
                strategy.problems(strategy.prepared(obj, before, part), before, part)
        before = whole
        judged += 1
    assert judged
