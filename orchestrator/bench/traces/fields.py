"""A line of a trace, as the JSONL and CSV forms share it, to and from records.

The names and meanings of the fields stand in docs/traces.md. Specs of pods that say the same are
one shared dictionary, which makes finding a pod's class quick and a long trace small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from orchestrator.bench.traces.records import (
    NodeComes,
    NodeGoes,
    Place,
    PodComes,
    Record,
    read_seconds,
)
from orchestrator.resources import quantities
from orchestrator.resources.objects import Object

GPU: Final = "nvidia.com/gpu"
"""What the field ``gpu`` counts: whole devices, as a device plugin offers them."""

KINDS: Final = ("node", "node-gone", "pod")
_COMMON: Final = ("kind", "time", "name")
_AMOUNTS: Final = ("cpu", "memory", "storage", "gpu", "resources")
_FIELDS: Final = {
    "node": (*_COMMON, *_AMOUNTS, "pods", "labels", "taints", "spec", "status", "count"),
    "node-gone": _COMMON,
    "pod": (
        *_COMMON, "namespace", *_AMOUNTS, "labels", "priority", "node_selector", "tolerations",
        "duration", "until", "spec", "count",
    ),
}  # fmt: skip
FIELDS: Final = tuple(dict.fromkeys(field for fields in _FIELDS.values() for field in fields))
"""Every field, in the order of a CSV file's columns."""

MAPS: Final = frozenset({"resources", "labels", "node_selector"})
LISTS: Final = frozenset({"taints", "tolerations"})
OBJECTS: Final = frozenset({"spec", "status"})
_SHAPE: Final = (*_AMOUNTS, "priority", "node_selector", "tolerations", "spec")
_NAMES: Final = {"cpu": "cpu", "memory": "memory", "storage": "ephemeral-storage", "gpu": GPU}
_SPECS_LIMIT: Final = 100_000
_PODS_ON_A_NODE: Final = 110  # a kubelet's default


class Builder:
    """Makes records out of lines; shares what lines have in common."""

    def __init__(self) -> None:
        self._specs: dict[bytes, Object] = {}

    def build(self, line: Mapping[str, Any], place: Place) -> list[Record]:
        """Return the records of a line: one, or as many as its ``count`` says.

        Raises:
            TraceError: The line does not say what it should.
        """
        kind = line.get("kind")
        if kind not in _FIELDS:
            raise place.complain(f"kind: {kind!r} must be one of {', '.join(KINDS)}")
        unknown = line.keys() - set(_FIELDS[kind])
        if unknown:
            known = ", ".join(_FIELDS[kind])
            raise place.complain(f"{kind} has no field {min(unknown)!r}; it has {known}")
        name = line.get("name")
        if not isinstance(name, str) or not name:
            raise place.complain(f"name: {name!r} must be a name")
        time = read_seconds(line.get("time", 0), "time", place)
        if kind == "node-gone":
            return [NodeGoes(time=time, name=name)]
        names = _names(name, line.get("count"), place)
        if kind == "node":
            return [NodeComes(time=time, node=_node(each, line, place)) for each in names]
        duration, until = (
            None if line.get(field) is None else read_seconds(line[field], field, place)
            for field in ("duration", "until")
        )
        if until is not None and until < time:
            raise place.complain(f"until: {until:g} is before the pod's time, {time:g}")
        spec = self._spec(line, place)
        namespace = line.get("namespace") or "default"
        labels = _texts(line, "labels", place)
        return [
            PodComes(
                time=time,
                pod=make_pod(each, namespace, labels, spec),
                duration=duration,
                until=until,
            )
            for each in names
        ]

    def _spec(self, line: Mapping[str, Any], place: Place) -> Object:
        shape = orjson.dumps([line.get(field) for field in _SHAPE], option=orjson.OPT_SORT_KEYS)
        spec = self._specs.get(shape)
        if spec is None:
            spec = _pod_spec(line, place)
            if len(self._specs) >= _SPECS_LIMIT:
                self._specs.clear()
            self._specs[shape] = spec
        return spec


def make_pod(name: str, namespace: str, labels: Mapping[str, str], spec: Object) -> Object:
    """Return a Pod object; its uid is its namespace and name."""
    uid = f"{namespace}/{name}"
    metadata = {"name": name, "namespace": namespace, "uid": uid, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def make_node(
    name: str,
    amounts: Mapping[str, str],
    labels: Mapping[str, str],
    spec: Object | None = None,
) -> Object:
    """Return a Node object; the label with its host name is added."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": spec or {},
        "status": {"allocatable": {"pods": str(_PODS_ON_A_NODE), **amounts}},
    }


def _names(name: str, count: object, place: Place) -> list[str]:
    if count is None:
        return [name]
    number = _integer(count, "count", place)
    if number < 1:
        raise place.complain(f"count: {count!r} must be 1 or more")
    return [f"{name}-{index}" for index in range(number)]


def _integer(value: object, field: str, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise place.complain(f"{field}: {value!r} is no whole number")
    try:
        return int(value)
    except ValueError:
        raise place.complain(f"{field}: {value!r} is no whole number") from None


def _amounts(line: Mapping[str, Any], place: Place) -> dict[str, str]:
    amounts: dict[str, str] = {}
    for field, resource in _NAMES.items():
        if line.get(field) is not None:
            amounts[resource] = _quantity(line[field], field, place)
    for resource, value in _texts(line, "resources", place).items():
        if resource in amounts:
            raise place.complain(f"resources: {resource} is given twice")
        amounts[resource] = _quantity(value, f"resources: {resource}", place)
    gpus = amounts.get(GPU)
    if gpus is not None and quantities.milli(gpus) % 1000:
        raise place.complain(f"gpu: {gpus!r} must be whole devices; see docs/traces.md on shares")
    return amounts


def split_amounts(amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Return amounts by resource as a line's fields: what `Builder` makes them of."""
    fields = {resource: field for field, resource in _NAMES.items()} | {"pods": "pods"}
    line: dict[str, Any] = {}
    resources: dict[str, Any] = {}
    for resource, value in amounts.items():
        if resource in fields:
            line[fields[resource]] = value
        else:
            resources[resource] = value
    if resources:
        line["resources"] = resources
    return line


def _quantity(value: object, field: str, place: Place) -> str:
    wrong = f"{field}: {value!r} is no quantity; write it as in a pod, such as 500m, 2 or 4Gi"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise place.complain(wrong)
    try:
        amount = quantities.milli(value)
    except quantities.QuantityError:
        raise place.complain(wrong) from None
    if amount < 0:
        raise place.complain(f"{field}: {value!r} is negative")
    return str(value)


def _texts(line: Mapping[str, Any], field: str, place: Place) -> dict[str, str]:
    value = line.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.complain(f"{field}: {value!r} must be names with their values")
    return {key: each if isinstance(each, str) else str(each) for key, each in value.items()}


def _object(line: Mapping[str, Any], field: str, place: Place) -> Object:
    value = line.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.complain(f"{field}: {value!r} must be an object, as in a manifest")
    return value


def _node(name: str, line: Mapping[str, Any], place: Place) -> Object:
    spec = _object(line, "spec", place)
    taints = [parse_taint(text, place) for text in line.get("taints") or ()]
    if taints:
        spec = {**spec, "taints": [*(spec.get("taints") or ()), *taints]}
    amounts = _amounts(line, place)
    if line.get("pods") is not None:
        amounts["pods"] = str(_integer(line["pods"], "pods", place))
    node = make_node(name, amounts, _texts(line, "labels", place), spec)
    status = _object(line, "status", place)
    if status:
        own = status.get("allocatable") or status.get("capacity") or {}
        node["status"] = {**status, "allocatable": {**node["status"]["allocatable"], **own}}
    return node


def _pod_spec(line: Mapping[str, Any], place: Place) -> Object:
    spec = dict(_object(line, "spec", place))
    if spec.get("nodeName"):
        raise place.complain("spec.nodeName: a pod of a trace is to be scheduled; leave it out")
    amounts = _amounts(line, place)
    if amounts and spec.get("containers"):
        raise place.complain("a pod has either cpu, memory, ... or spec.containers, not both")
    if not spec.get("containers"):
        spec["containers"] = [{"name": "main", "resources": {"requests": amounts}}]
    if line.get("priority") is not None:
        spec["priority"] = _integer(line["priority"], "priority", place)
    selector = _texts(line, "node_selector", place)
    if selector:
        spec["nodeSelector"] = selector
    tolerations = [parse_toleration(text, place) for text in line.get("tolerations") or ()]
    if tolerations:
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *tolerations]
    return spec


def parse_taint(text: object, place: Place) -> dict[str, str]:
    """Read ``key=value:Effect`` or ``key:Effect``, as ``kubectl taint`` takes it."""
    if not isinstance(text, str) or ":" not in text:
        raise place.complain(f"taints: {text!r} must be key=value:Effect or key:Effect")
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "value": value, "effect": effect}


def parse_toleration(text: object, place: Place) -> dict[str, str]:
    """Read a toleration written as the taint it puts up with; ``key:`` stands for any effect."""
    if not isinstance(text, str) or ":" not in text:
        raise place.complain(f"tolerations: {text!r} must be key=value:Effect, key:Effect or key:")
    pair, _, effect = text.rpartition(":")
    key, equals, value = pair.partition("=")
    found = {"key": key, "operator": "Equal" if equals else "Exists"}
    if equals:
        found["value"] = value
    if effect:
        found["effect"] = effect
    return found
