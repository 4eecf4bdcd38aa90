"""Google's cluster data of 2019: machine events, instance events and, if wanted, collections.

The tables are published in BigQuery. Exported as JSON a line each, they are read as they come;
exported as CSV, which cannot nest, ``resource_request`` and ``capacity`` are columns of their own:
``resource_request.cpus``, ``resource_request.memory``, ``capacity.cpus``, ``capacity.memory`` (an
underscore will do for the dot). Resources are fractions of the largest machine.

Tasks inside an alloc instance take nothing of a machine beyond the instance's own reservation: the
alloc instances are imported, the tasks in them are not.

Source of the columns: github.com/google/cluster-data, clusterdata_trace_format_v3.proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from orchestrator.bench.traces.fields import make_node, make_pod
from orchestrator.bench.traces.importers.base import (
    Imported,
    Omissions,
    Row,
    columns,
    number,
    rows,
)
from orchestrator.bench.traces.records import (
    NodeComes,
    NodeGoes,
    Place,
    PodComes,
    Record,
    TraceError,
    sort_records,
)
from orchestrator.resources.objects import Object

INSTANCE_COLUMNS: Final = frozenset({"time", "type", "collection_id", "instance_index"})
COLLECTION_COLUMNS: Final = frozenset({"time", "type", "collection_id", "collection_name"})
MACHINE_COLUMNS: Final = frozenset({"time", "machine_id", "type"})
CORES: Final = 64
MEMORY_MIB: Final = 256 * 1024
"""What 1.0 of the normalised units is written as: a machine of this size."""

PLATFORM: Final = "google.com/platform"
SWITCH: Final = "google.com/switch"
_MICROSECONDS: Final = 1e6
_END_OF_TIME: Final = float(2**63 - 1)
_MACHINE_EVENTS: Final = ("EVENT_TYPE_UNKNOWN", "ADD", "REMOVE", "UPDATE")
_EVENTS: Final = (
    "SUBMIT", "QUEUE", "ENABLE", "SCHEDULE", "EVICT", "FAIL", "FINISH", "KILL", "LOST",
    "UPDATE_PENDING", "UPDATE_RUNNING",
)  # fmt: skip
_ENDS: Final = frozenset({"EVICT", "FAIL", "FINISH", "KILL", "LOST"})


def import_google(paths: list[Path]) -> Imported:
    """Import tables, told apart by their columns; of each as many files as there are.

    Raises:
        TraceError: A file is none of the tables, or a cell is not what it should be.
    """
    omitted = Omissions()
    records: list[Record] = []
    instances: list[tuple[float, int, Place, Row]] = []
    machines: list[tuple[float, int, Place, Row]] = []
    alone: set[str] = set()
    for path in paths:
        found = columns(path)
        if found >= INSTANCE_COLUMNS:
            instances.extend(_timed(path, omitted))
        elif found >= MACHINE_COLUMNS:
            machines.extend(_timed(path, omitted))
        elif found >= COLLECTION_COLUMNS:
            alone.update(_collections(path, omitted))
        else:
            raise TraceError(
                f"{path}: its first line names the columns of none of instance_events, "
                "collection_events and machine_events"
            )
    records.extend(_machines(sorted(machines, key=_time)))
    records.extend(_instances(sorted(instances, key=_time), alone, omitted))
    notes = [f"1.0 of cpus and memory is written as {CORES} cores and {MEMORY_MIB // 1024}Gi"]
    return Imported(sort_records(records), notes + omitted.notes())


def _time(row: tuple[float, int, Place, Row]) -> tuple[float, int]:
    return row[:2]


def _timed(path: Path, omitted: Omissions) -> Iterator[tuple[float, int, Place, Row]]:
    """Yield rows with their time in seconds and their number, by which they are sorted."""
    for count, (place, row) in enumerate(rows(path)):
        time = number(row, "time", place)
        if time >= _END_OF_TIME:
            omitted.add("events left out: after the trace's end")
            continue
        yield time / _MICROSECONDS, count, place, row


def _event(row: Row, names: tuple[str, ...], place: Place) -> str:
    """Return an event's type by name: exports have the name or its number."""
    value = row.get("type")
    if value in names:
        return str(value)
    try:
        return names[int(str(value))]
    except (ValueError, IndexError):
        raise place.complain(f"type: {value!r} is none of {', '.join(names)}") from None


def _amount(row: Row, outer: str, inner: str, place: Place) -> float | None:
    for column in (f"{outer}.{inner}", f"{outer}_{inner}"):
        if row.get(column) is not None and row[column] != "":
            return number(row, column, place)
    return None


def _machines(events: list[tuple[float, int, Place, Row]]) -> Iterator[Record]:
    present: dict[str, tuple[float, float]] = {}
    for time, _, place, row in events:
        name = f"machine-{row['machine_id']}"
        event = _event(row, _MACHINE_EVENTS, place)
        if event == "REMOVE":
            if present.pop(name, None) is not None:
                yield NodeGoes(time=time, name=name)
            continue
        known = present.get(name, (0.0, 0.0))
        cpus = _amount(row, "capacity", "cpus", place)
        memory = _amount(row, "capacity", "memory", place)
        size = (known[0] if cpus is None else cpus, known[1] if memory is None else memory)
        present[name] = size
        labels = {
            label: str(row[column])
            for label, column in ((PLATFORM, "platform_id"), (SWITCH, "switch_id"))
            if row.get(column)
        }
        amounts = {**_amounts(*size), "pods": "1000"}  # Borg has no limit of a kubelet's kind
        yield NodeComes(time=time, node=make_node(name, amounts, labels))


def _amounts(cpus: float, memory: float) -> dict[str, str]:
    return {"cpu": f"{round(cpus * CORES * 1000)}m", "memory": f"{round(memory * MEMORY_MIB)}Mi"}


def _collections(path: Path, omitted: Omissions) -> Iterator[str]:
    """Yield the collections of which a machine may have one instance only."""
    for place, row in rows(path):
        limit = number(row, "max_per_machine", place, 0)
        if limit == 1:
            yield str(row["collection_id"])
        elif limit or number(row, "max_per_switch", place, 0):
            omitted.add("collection events: limits of several per machine, or per switch, left out")


def _instances(
    events: list[tuple[float, int, Place, Row]], alone: set[str], omitted: Omissions
) -> Iterator[PodComes]:
    waiting: dict[str, _Instance] = {}
    runs: Counter[str] = Counter()
    specs: dict[tuple[Any, ...], Object] = {}
    for time, _, place, row in events:
        if str(row.get("alloc_collection_id") or "0") != "0":
            omitted.add("events left out: of tasks inside an alloc instance")
            continue
        collection = str(row["collection_id"])
        name = f"instance-{collection}-{row['instance_index']}"
        event = _event(row, _EVENTS, place)
        instance = waiting.get(name)
        if instance is None and event not in _ENDS:
            cpus = _amount(row, "resource_request", "cpus", place)
            memory = _amount(row, "resource_request", "memory", place)
            if cpus is None or memory is None:
                omitted.add("events left out: nothing says what their instance requests")
                continue
            if row.get("constraint"):
                omitted.add("instances imported without their machine constraints")
            only = collection if collection in alone else ""
            shape = (cpus, memory, number(row, "priority", place, 0), only)
            spec = specs.get(shape)
            if spec is None:
                spec = specs[shape] = _spec(*shape)
            runs[name] += 1
            unique = name if runs[name] == 1 else f"{name}-run{runs[name]}"
            labels = {"collection": collection} if only else {}
            instance = waiting[name] = _Instance(unique, time, spec, labels)
        if instance is None:
            continue
        if event == "SCHEDULE":
            instance.scheduled = time
        elif event in _ENDS:
            yield instance.finish(time)
            del waiting[name]
    for instance in waiting.values():
        yield instance.finish(None)


def _spec(cpus: float, memory: float, priority: float, alone: str) -> Object:
    spec: Object = {
        "containers": [{"name": "main", "resources": {"requests": _amounts(cpus, memory)}}],
        "priority": int(priority),
    }
    if alone:
        term = {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"collection": alone}},
        }
        required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        spec["affinity"] = {"podAntiAffinity": required}
    return spec


class _Instance:
    """One run of an instance, from its submission to its end."""

    __slots__ = ("labels", "name", "scheduled", "spec", "submitted")

    def __init__(self, name: str, submitted: float, spec: Object, labels: dict[str, str]) -> None:
        self.name = name
        self.submitted = submitted
        self.spec = spec
        self.labels = labels
        self.scheduled: float | None = None

    def finish(self, time: float | None) -> PodComes:
        """Return the pod: it ran from its scheduling to its end, or waited until then."""
        duration = until = None
        if time is not None:
            if self.scheduled is None:
                until = time
            else:
                duration = time - self.scheduled
        pod = make_pod(self.name, "default", self.labels, self.spec)
        return PodComes(time=self.submitted, pod=pod, duration=duration, until=until)
