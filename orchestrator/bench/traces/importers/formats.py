"""Which formats there are, and which one some files are in."""

from __future__ import annotations

from pathlib import Path

from orchestrator.bench.traces.files import is_own, read_trace
from orchestrator.bench.traces.importers import azure, google, openb
from orchestrator.bench.traces.importers.base import Imported, columns
from orchestrator.bench.traces.published import Format
from orchestrator.bench.traces.records import TraceError, merge_records, sort_records


def detect_format(paths: list[Path]) -> Format:
    """Tell the format of files that belong together, by their first lines.

    Raises:
        TraceError: They are in none, or in different ones.
    """
    found = {path: _format_of(path) for path in paths}
    if len(set(found.values())) > 1:
        said = ", ".join(f"{path} is {each}" for path, each in found.items())
        raise TraceError(f"these files are not in one format: {said}")
    return next(iter(found.values()))


def _format_of(path: Path) -> Format:
    if azure.is_sqlite(path):
        return Format.AZURE
    if is_own(path):
        return Format.OWN
    names = columns(path)
    if names >= openb.NODE_COLUMNS or names >= openb.POD_COLUMNS:
        return Format.OPENB
    if names >= azure.VM_COLUMNS or names >= azure.TYPE_COLUMNS:
        return Format.AZURE
    if (
        names >= google.INSTANCE_COLUMNS
        or names >= google.MACHINE_COLUMNS
        or names >= google.COLLECTION_COLUMNS
    ):
        return Format.GOOGLE
    raise TraceError(
        f"{path}: its first line is of no known format; known are {', '.join(Format)} "
        "(docs/traces.md has their columns)"
    )


def import_trace(
    paths: list[Path],
    format_: Format | None = None,
    *,
    shares: openb.Shares = "milli",
    nodes: int | None = None,
    machine: str | None = None,
) -> Imported:
    """Import files of one trace.

    Args:
        paths: The files, in any order.
        format_: What they are in; None finds out.
        shares: For openb: how shares of a GPU are written.
        nodes: For azure: how many machines.
        machine: For azure: which kind of machine; None takes the most useful.

    Raises:
        TraceError: They cannot be read as that.
    """
    match format_ or detect_format(paths):
        case Format.OPENB:
            return openb.import_openb(paths, shares=shares)
        case Format.GOOGLE:
            return google.import_google(paths)
        case Format.AZURE:
            if nodes is None:
                raise TraceError("azure lists no machines: say how many there are (--nodes N)")
            return azure.import_azure(paths, nodes=nodes, machine=machine)
        case Format.OWN:
            return Imported(sort_records(merge_records(map(read_trace, paths))))
