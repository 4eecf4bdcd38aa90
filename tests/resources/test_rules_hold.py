"""Whatever the schema lets through is accepted or complained about, for every kind there is."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest

from orchestrator.resources.decoding import decode
from orchestrator.resources.definitions import SchemaNode, schema_of
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]

OBJECTS: Final = 12
_WORDS: Final = (
    "", "a", "A_", "a/b", "x" * 300, "100%", "-1", "1", "10.0.0.1", "::1", "10.0.0.0/8", "a.b",
    "a=b", "..", "/x", "*", "é", "\n", "Always", "Never", "RollingUpdate", "Indexed", "In",
    "Exists", "ClusterIP", "LoadBalancer", "ExternalName", "None", "Localhost", "TCP", "1Gi",
    "Container", "Pod", "cpu", "Resource", "v1", "windows", "linux", "NoExecute", "YQ==",
    "kubernetes.io/tls", "* * * * *", "metadata.labels['a']", "limits.cpu", "self.x > 1",
    "https://a.b/c",
)  # fmt: skip
_NUMBERS: Final = (0, 1, -1, 2, 80, 100, 3600, 2**31 - 1, -(2**31))
_AMOUNTS: Final = ("1", "100m", "1Gi", "-5", "0", "0.5Ki", 3, "1e3")
_EITHER: Final = (0, 1, -1, 70000, "a", "50%", "101%", "")
_TIMES: Final = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z")


class _Shapes:
    """Random values of the shape of a schema; the deeper, the sparser."""

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)

    def value(self, node: SchemaNode, depth: int = 0) -> Any:
        if self.chance.random() < 0.03:
            return None
        if node.is_quantity or node.is_int_or_string:
            return self.chance.choice(_AMOUNTS if node.is_quantity else _EITHER)
        match node.type:
            case "string":
                known = {"date-time": _TIMES, "byte": ("", "YQ==")}
                return self.chance.choice(known.get(node.format, _WORDS))
            case "integer" | "number":
                return self.chance.choice(_NUMBERS)
            case "boolean":
                return self.chance.random() < 0.5
            case "array":
                assert node.items is not None
                count = 0 if depth > 9 else self.chance.choice((0, 1, 1, 2))
                return [self.value(node.items, depth + 1) for _ in range(count)]
            case _:
                return self.structure(node, depth)

    def structure(self, node: SchemaNode, depth: int) -> Object:
        if node.fields:
            share = 0.7 if depth < 3 else 0.4 if depth < 6 else 0.15
            return {
                field: self.value(inner, depth + 1)
                for field, inner in node.fields.items()
                if field in node.required or self.chance.random() < share
            }
        if node.additional is not None:
            inner = node.additional
            return {self.chance.choice(_WORDS): self.value(inner, depth + 1) for _ in range(2)}
        return {"a": 1}

    def object(self, kind: Kind) -> Object:
        """Return an object of a kind, with metadata as the API would have it."""
        metadata: Object = {"name": "a", "uid": "u", "resourceVersion": "1"}
        if kind.namespaced:
            metadata["namespace"] = "default"
        metadata["annotations"] = {self.chance.choice(_WORDS): "x"}
        shape = self.structure(schema_of(kind), 0)
        return {**shape, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


_STORED: Final = [kind for kind in registry().kinds() if "list" in kind.verbs]


@pytest.mark.parametrize("kind", _STORED, ids=lambda kind: f"{kind.api_version} {kind.kind}")
def test_no_object_of_the_right_shape_is_too_odd_for_the_rules(kind: Kind) -> None:
    """Defaults are idempotent; creation, updates of every part and warnings come to an answer."""
    shapes = _Shapes(f"{kind.api_version} {kind.kind}")
    rules = strategy_of(kind)
    old: Object | None = None
    for _ in range(OBJECTS):
        try:
            given = decode(shapes.object(kind), kind, validation="Ignore").object
        except StatusError:
            continue  # refused before any rule sees it
        made = rules.default(given)
        assert rules.default(made) == made
        made = rules.prepare_create(made)
        assert all(map(str, rules.validate_create(made)))
        assert rules.grace_period(made) >= 0
        rules.selectable_fields(made)
        if old is not None:
            for part in ("", "status", *rules.subresources):
                rules.problems(rules.prepared(given, old, part), old, part)
        if rules.warnings is not None:
            assert all(rules.warnings(made, old))
        old = made
