"""Azure's trace for packing of 2020: requests for virtual machines, and their types' sizes.

Published as an SQLite file with the tables ``vm`` and ``vmType``; both exported as CSV will do as
well. A type's size is a fraction of each kind of machine it can be on, and machines themselves are
not listed: so one kind of machine is chosen, types that cannot be on it are left out, and nodes are
as many machines of that kind as asked for.

Source of the columns: github.com/Azure/AzurePublicDataset, AzureTracesForPacking2020.md.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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
    Place,
    PodComes,
    Record,
    TraceError,
    sort_records,
)
from orchestrator.resources.objects import Object

VM_COLUMNS: Final = frozenset({"vmId", "vmTypeId", "priority", "starttime", "endtime"})
TYPE_COLUMNS: Final = frozenset({"vmTypeId", "machineId", "core", "memory"})
DAY: Final = 86_400.0
HIGH_PRIORITY: Final = 1000
"""The Kubernetes priority of high-priority requests (0 in the trace); low ones (1) have 0."""

_CORES: Final = 64
_MEMORY_MIB: Final = 512 * 1024
_DISK_MIB: Final = 4 * 1024 * 1024
_NETWORK: Final = "azure.com/nic-milli"
_HDD: Final = "azure.com/hdd-milli"


def is_sqlite(path: Path) -> bool:
    """Tell whether a file is an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def import_azure(paths: list[Path], *, nodes: int, machine: str | None = None) -> Imported:
    """Import the SQLite file, or both tables as CSV.

    Args:
        paths: The files.
        nodes: How many machines there are.
        machine: Their kind (``machineId``); None takes the one that the most requests can be on.

    Raises:
        TraceError: A table is missing, or a cell is not what it should be.
    """
    requests, types = _tables(paths)
    sizes: dict[str, dict[str, tuple[Place, Row]]] = {}
    for place, row in types:
        sizes.setdefault(str(row["machineId"]), {})[str(row["vmTypeId"])] = place, row
    vms = list(requests)
    if machine is None:
        asked = Counter(str(row["vmTypeId"]) for _, row in vms)
        machine = max(
            sorted(sizes), key=lambda kind: sum(asked[each] for each in sizes[kind]), default=""
        )
    if machine not in sizes:
        raise TraceError(f"machineId {machine!r} is not in the table vmType")
    specs = {kind: _spec(row, place) for kind, (place, row) in sizes[machine].items()}
    omitted = Omissions()
    records: list[Record] = [
        NodeComes(time=0.0, node=_node(f"machine-{index}", machine)) for index in range(nodes)
    ]
    for place, row in vms:
        pod = _pod(place, row, specs, omitted)
        if pod is not None:
            records.append(pod)
    size = f"{_CORES} cores and {_MEMORY_MIB // 1024}Gi of memory"
    notes = [
        f"{nodes:,} machines of kind {machine}; all of one is written as {size}",
        "requests from before the trace's beginning arrive at 0",
    ]
    return Imported(sort_records(records), notes + omitted.notes())


Rows = Iterator[tuple[Place, Row]]


def _tables(paths: list[Path]) -> tuple[Rows, Rows]:
    if len(paths) == 1 and is_sqlite(paths[0]):
        return _query(paths[0], "vm", VM_COLUMNS), _query(paths[0], "vmType", TYPE_COLUMNS)
    tables: dict[str, Rows] = {}
    for path in paths:
        found = columns(path)
        if found >= VM_COLUMNS:
            tables["vm"] = rows(path)
        elif found >= TYPE_COLUMNS:
            tables["vmType"] = rows(path)
        else:
            raise TraceError(f"{path}: its first line names neither vm's nor vmType's columns")
    if len(tables) != 2:
        raise TraceError(
            "azure needs both tables, vm and vmType: two CSV files, or the SQLite file"
        )
    return tables["vm"], tables["vmType"]


def _query(path: Path, table: str, wanted: frozenset[str]) -> Rows:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            cursor = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of two constants
            names = [column[0] for column in cursor.description]
            if not set(names) >= wanted:
                raise TraceError(f"{path}: table {table} lacks {', '.join(wanted - set(names))}")
            for count, values in enumerate(cursor, 1):
                yield Place(path, count), dict(zip(names, values, strict=True))
        finally:
            database.close()
    except sqlite3.Error as error:
        raise TraceError(f"{path}: table {table}: {error}") from error


def _node(name: str, machine: str) -> Object:
    amounts = {
        "cpu": str(_CORES),
        "memory": f"{_MEMORY_MIB}Mi",
        "ephemeral-storage": f"{_DISK_MIB}Mi",
        _NETWORK: "1000",
        _HDD: "1000",
        "pods": "1000",
    }
    return make_node(name, amounts, {"azure.com/machine": machine})


def _spec(row: Row, place: Place) -> Object:
    share = {
        name: number(row, name, place, 0.0) for name in ("core", "memory", "ssd", "hdd", "nic")
    }
    requests = {
        "cpu": f"{round(share['core'] * _CORES * 1000)}m",
        "memory": f"{round(share['memory'] * _MEMORY_MIB)}Mi",
    }
    rest = {
        "ephemeral-storage": f"{round(share['ssd'] * _DISK_MIB)}Mi",
        _NETWORK: str(round(share["nic"] * 1000)),
        _HDD: str(round(share["hdd"] * 1000)),
    }
    requests |= {name: amount for name, amount in rest.items() if amount not in {"0", "0Mi"}}
    return {"containers": [{"name": "main", "resources": {"requests": requests}}]}


def _pod(place: Place, row: Row, specs: dict[str, Object], omitted: Omissions) -> PodComes | None:
    spec = specs.get(str(row["vmTypeId"]))
    if spec is None:
        omitted.add("requests left out: their type cannot be on that kind of machine")
        return None
    start = _days(row, "starttime", place)
    end = _days(row, "endtime", place)
    if start is None:
        raise place.complain("starttime: a number of days is needed here")
    if end is not None and end <= max(start, 0.0):
        omitted.add("requests left out: over before the trace's beginning, or at once")
        return None
    high = number(row, "priority", place, 0) == 0
    spec = specs.setdefault(
        f"{row['vmTypeId']}\0{high}", {**spec, "priority": HIGH_PRIORITY if high else 0}
    )
    time = max(start, 0.0)
    pod = make_pod(f"vm-{row['vmId']}", "default", {}, spec)
    return PodComes(time=time, pod=pod, duration=None if end is None else end - time)


def _days(row: Row, column: str, place: Place) -> float | None:
    value = row.get(column)
    if value is None or value in {"", "NULL", "None"}:
        return None
    try:
        return float(value) * DAY
    except (TypeError, ValueError):
        raise place.complain(f"{column}: {value!r} is no number of days") from None
