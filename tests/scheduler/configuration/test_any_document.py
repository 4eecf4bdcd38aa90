"""Whatever is given as a configuration is read or refused: no other error comes out."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest

from orchestrator.scheduler.configuration import (
    BUILT_IN,
    ConfigurationError,
    SchedulerConfiguration,
    parse_configuration,
)
from orchestrator.scheduler.configuration.structure import _DEFINITIONS as DEFINITIONS

ARGUMENTS = [name for name in DEFINITIONS if name.endswith("Args")]
TEXTS = [*BUILT_IN, "*", "", "a b", "EBSLimits", "List", "System", "MostAllocated", "5s", "cpu"]
NUMBERS = [0, 1, 2, 10, 50, 100, 101, -1]
ODD: list[Any] = [None, True, 2**40, 1.5, "text", [], [None], {}, {"": None}, [[1]]]


class Documents:
    """Makes documents that are mostly of the right structure."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def record(self, name: str) -> dict[str, Any]:
        """Make a value of a definition, with some of its fields."""
        fields = DEFINITIONS.get(name, {}).get("properties", {})
        return {
            field: self.value(schema)
            for field, schema in fields.items()
            if self._random.random() < 0.5
        }

    def value(self, schema: dict[str, Any]) -> Any:
        """Make a value for a place, now and then of another type."""
        chance = self._random
        if chance.random() < 0.03:
            return chance.choice(ODD)
        if "$ref" in schema:
            return self.record(schema["$ref"].removeprefix("#/$defs/"))
        match schema["type"]:
            case "array":
                return [self.value(schema["items"]) for _ in range(chance.randrange(3))]
            case "string":
                return chance.choice(TEXTS)
            case "boolean":
                return chance.random() < 0.5
            case "object":
                return self.record(chance.choice(ARGUMENTS))
            case _:
                return chance.choice(NUMBERS)


@pytest.mark.parametrize("seed", range(4))
def test_every_document_is_read_or_refused(seed: int) -> None:
    """Some of each."""
    documents = Documents(seed)
    read: list[SchedulerConfiguration] = []
    for _ in range(300):
        document = documents.record("KubeSchedulerConfiguration")
        document["apiVersion"] = "kubescheduler.config.k8s.io/v1"
        document["kind"] = "KubeSchedulerConfiguration"
        with contextlib.suppress(ConfigurationError):
            read.append(parse_configuration(document))
    assert 5 < len(read) < 290
    assert all(one.profiles for one in read)
