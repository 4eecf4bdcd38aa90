"""Reading and writing the project's own trace files: JSONL and CSV, gzipped or not.

Both are read as a stream, so a trace may be longer than memory. They must be sorted by time.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from orchestrator.bench.traces.fields import FIELDS, LISTS, MAPS, OBJECTS, Builder, split_amounts
from orchestrator.bench.traces.records import (
    NodeComes,
    NodeGoes,
    Place,
    PodComes,
    Record,
    TraceError,
)
from orchestrator.resources.objects import name_of, namespace_of


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file, unpacking it when its name ends in ``.gz``.

    Raises:
        TraceError: There is no such file, or it is no UTF-8, or no gzip.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8", newline="") as packed:
                yield packed
        else:
            with path.open(encoding="utf-8-sig", newline="") as plain:
                yield plain
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not UTF-8 text: {error}") from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceError(f"{path}: cannot be read: {reason}") from error


def rows_of(path: Path, text: IO[str]) -> Iterator[tuple[Place, dict[str, str]]]:
    """Yield a CSV file's rows by their column's name, each with its place.

    Raises:
        TraceError: The file has no header, or a row has more or fewer cells than it.
    """
    place = Place(path, 1)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if not header:
            raise place.complain("the file is empty; its first line must name the columns")
        header = [name.strip() for name in header]
        if len(set(header)) != len(header):
            raise place.complain("a column is named twice")
        for row in reader:
            place = Place(path, reader.line_num)
            if not row:
                continue
            if len(row) != len(header):
                raise place.complain(f"{len(row)} cells, but the header names {len(header)}")
            yield place, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise Place(path, reader.line_num).complain(f"not CSV: {error}") from error


def read_jsonl(path: Path) -> Iterator[Record]:
    """Read a JSONL trace; blank lines and lines that begin with ``#`` are passed over."""
    builder = Builder()
    with open_text(path) as text:
        yield from in_order(
            (place, builder.build(line, place)) for place, line in objects_of(path, text)
        )


def objects_of(path: Path, text: IO[str]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the JSON object on each line of a file, with its place."""
    for number, line in enumerate(text, 1):
        if not line.strip() or line.startswith("#"):
            continue
        place = Place(path, number)
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise place.complain(f"not JSON: {error.msg} (column {error.colno})") from error
        if not isinstance(value, dict):
            raise place.complain("each line must be a JSON object")
        yield place, value


def read_csv(path: Path) -> Iterator[Record]:
    """Read a CSV trace."""
    builder = Builder()
    with open_text(path) as text:
        yield from in_order(
            (place, builder.build(_line(row, place), place)) for place, row in rows_of(path, text)
        )


def _line(row: dict[str, str], place: Place) -> dict[str, Any]:
    """Turn cells into a line's values; an empty cell stands for a field that is not there."""
    line: dict[str, Any] = {}
    for field, cell in row.items():
        if not cell:
            continue
        if field in MAPS:
            pairs = [pair.partition("=") for pair in cell.split(";")]
            if not all(equals and key for key, equals, _ in pairs):
                raise place.complain(f"{field}: {cell!r} must be name=value;name=value")
            line[field] = {key: value for key, _, value in pairs}
        elif field in LISTS:
            line[field] = cell.split(";")
        elif field in OBJECTS:
            try:
                line[field] = orjson.loads(cell)
            except orjson.JSONDecodeError as error:
                raise place.complain(f"{field}: not JSON: {error.msg}") from error
        else:
            line[field] = cell
    return line


def in_order(lines: Iterable[tuple[Place, list[Record]]]) -> Iterator[Record]:
    """Hand on records as long as time does not go back.

    Raises:
        TraceError: A line is earlier than the one before.
    """
    before = 0.0
    for place, records in lines:
        for record in records:
            if record.time < before:
                raise place.complain(
                    f"time {record.time:g} is before {before:g} of the line above; "
                    "a trace must be sorted by time"
                )
            before = record.time
            yield record


def is_own(path: Path) -> str | None:
    """Return ``jsonl`` or ``csv`` when a file is in one of the project's own forms, else None."""
    with open_text(path) as text:
        first = next((line for line in text if line.strip() and not line.startswith("#")), "")
    if first.lstrip().startswith("{"):
        try:
            value = orjson.loads(first)
        except orjson.JSONDecodeError:
            return "jsonl"  # reading it says what is wrong
        return "jsonl" if isinstance(value, dict) and "kind" in value else None
    header = [name.strip() for name in first.split(",")]
    return "csv" if "kind" in header and set(header) <= set(FIELDS) else None


def read_trace(path: Path) -> Iterator[Record]:
    """Read a trace in one of the project's own forms, whichever it is.

    Raises:
        TraceError: It is in neither.
    """
    match is_own(path):
        case "jsonl":
            return read_jsonl(path)
        case "csv":
            return read_csv(path)
        case _:
            raise TraceError(
                f"{path}: neither a JSONL nor a CSV trace (docs/traces.md); "
                "other formats are turned into one by `orchestrator bench import`"
            )


def write_trace(records: Iterable[Record], path: Path) -> int:
    """Write a trace as JSONL, or as CSV if the name ends so (``.gz`` packs); return its length."""
    packed = path.suffix == ".gz"
    as_csv = (path.with_suffix("") if packed else path).suffix == ".csv"
    count = 0
    with gzip.GzipFile(path, "wb", mtime=0) if packed else path.open("wb") as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        if as_csv:
            writer.writerow(FIELDS)
        for record in records:
            line = line_of(record)
            if as_csv:
                writer.writerow([_cell(field, line.get(field)) for field in FIELDS])
            else:
                text.write(orjson.dumps(line).decode() + "\n")
            count += 1
        text.flush()
        text.detach()
    return count


def _cell(field: str, value: Any) -> Any:
    if value is None:
        return ""
    if field in OBJECTS:
        return orjson.dumps(value).decode()
    if field in MAPS:
        return ";".join(f"{key}={each}" for key, each in value.items())
    return value


def line_of(record: Record) -> dict[str, Any]:
    """Return a record as a line's fields; what has no field of its own stays in its spec."""
    line: dict[str, Any]
    match record:
        case NodeGoes(time=time, name=name):
            line = {"kind": "node-gone", "time": time, "name": name}
        case NodeComes(time=time, node=node):
            line = {"kind": "node", "time": time, "name": name_of(node)}
            labels = dict(node["metadata"].get("labels") or {})
            if labels.get("kubernetes.io/hostname") == name_of(node):
                del labels["kubernetes.io/hostname"]
            status = dict(node.get("status") or {})
            amounts = split_amounts(status.pop("allocatable", None) or {})
            line |= {"labels": labels, "spec": node.get("spec"), "status": status, **amounts}
        case PodComes(time=time, pod=pod, duration=duration, until=until):
            line = {"kind": "pod", "time": time, "name": name_of(pod)}
            line |= {"namespace": namespace_of(pod), "labels": pod["metadata"].get("labels")}
            line |= {"duration": duration, "until": until, **_split_spec(pod["spec"])}
    return {field: value for field, value in line.items() if value not in (None, {}, "default")}


def _split_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(spec)
    line: dict[str, Any] = {"priority": rest.pop("priority", None)}
    line["node_selector"] = rest.pop("nodeSelector", None)
    containers = rest.get("containers") or []
    if len(containers) == 1 and containers[0].keys() <= {"name", "resources"}:
        resources = containers[0].get("resources") or {}
        if resources.keys() <= {"requests"}:
            del rest["containers"]
            line |= split_amounts(resources.get("requests") or {})
    return {**line, "spec": rest}
