"""Made-up traces: Poisson arrivals of a mix of pods, all drawn from one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from orchestrator.bench.traces.fields import Builder
from orchestrator.bench.traces.records import NodeComes, Place, PodComes, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of pod in a mix.

    Attributes:
        name: What its pods' names begin with.
        weight: How many of it arrive, beside the other shapes' weights.
        duration: Mean seconds that a pod runs, drawn from an exponential distribution.
        fields: Its fields, as in a line of a trace.
    """

    name: str
    weight: float
    duration: float
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What a trace is drawn from.

    Attributes:
        rate: Mean arrivals a second.
        pods: How many arrive in all.
        nodes: Lines of nodes, as in a trace.
        shapes: The kinds of pods.
    """

    rate: float
    pods: int
    nodes: tuple[Mapping[str, Any], ...] = field(default=())
    shapes: tuple[Shape, ...] = field(default=())


DEFAULT_SHAPES: Final = (
    Shape(name="web", weight=60, duration=1800, fields={"cpu": "500m", "memory": "512Mi"}),
    Shape(name="worker", weight=30, duration=600, fields={"cpu": "2", "memory": "4Gi"}),
    Shape(name="cache", weight=9, duration=3600, fields={"cpu": "1", "memory": "16Gi"}),
    Shape(name="batch", weight=1, duration=900, fields={"cpu": "12", "memory": "8Gi"}),
)
"""Many small pods, some that need memory, few that need most of a node."""

DEFAULT_NODE: Final[Mapping[str, Any]] = {"name": "node", "cpu": "16", "memory": "64Gi"}
_SHAPE_KEYS: Final = frozenset({"name", "weight", "mean_duration"})


def generate_trace(mix: Mix, seed: int) -> Iterator[Record]:
    """Draw a trace; the same mix and seed draw the same one."""
    random = Random(seed)  # noqa: S311 - a repeatable workload, no secret
    place = Place(Path("<mix>"))
    builder = Builder()
    for line in mix.nodes:
        yield from builder.build({"kind": "node", "time": 0, **line}, place)
    weights = [shape.weight for shape in mix.shapes]
    time = 0.0
    for number in range(mix.pods):
        time += random.expovariate(mix.rate)
        (shape,) = random.choices(mix.shapes, weights)
        line = {
            "kind": "pod",
            "time": round(time, 3),
            "name": f"{shape.name}-{number}",
            "duration": round(random.expovariate(1 / shape.duration), 3),
            **shape.fields,
        }
        yield from builder.build(line, place)


def read_mix(path: Path, mix: Mix) -> Mix:
    """Read ``nodes`` and ``pods`` of a mix from a YAML file (docs/traces.md).

    Raises:
        TraceError: The file does not say what a mix says.
    """
    place = Place(path)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise place.complain(f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise place.complain(f"not YAML: {error}") from error
    if not isinstance(value, dict) or not value.keys() <= {"nodes", "pods"}:
        raise place.complain("a mix has the keys nodes and pods, both lists")
    nodes = tuple(_lines(value, "nodes", place)) or mix.nodes
    shapes = tuple(_shape(line, place) for line in _lines(value, "pods", place)) or mix.shapes
    made = Mix(rate=mix.rate, pods=mix.pods, nodes=nodes, shapes=shapes)
    for record in generate_trace(Mix(rate=1, pods=0, nodes=nodes), 0):
        assert isinstance(record, NodeComes)
    builder = Builder()
    for shape in shapes:
        for record in builder.build({"kind": "pod", "name": shape.name, **shape.fields}, place):
            assert isinstance(record, PodComes)
    return made


def _lines(value: Mapping[str, Any], key: str, place: Place) -> Iterator[dict[str, Any]]:
    lines = value.get(key) or []
    if not isinstance(lines, list):
        raise place.complain(f"{key}: must be a list")
    for line in lines:
        if not isinstance(line, dict):
            raise place.complain(f"{key}: {line!r} must have fields, as a line of a trace has")
        yield line


def _shape(line: dict[str, Any], place: Place) -> Shape:
    try:
        weight, duration = float(line.get("weight", 1)), float(line.get("mean_duration", 600))
    except (TypeError, ValueError):
        raise place.complain("pods: weight and mean_duration must be numbers") from None
    if weight <= 0 or duration <= 0:
        raise place.complain("pods: weight and mean_duration must be above 0")
    fields = {key: value for key, value in line.items() if key not in _SHAPE_KEYS}
    return Shape(name=str(line.get("name", "pod")), weight=weight, duration=duration, fields=fields)
