"""``orchestrator history``: what became of one object, revision by revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from orchestrator.bench.tables import Cell, Table
from orchestrator.cli.past.reading import fields_json, load, run, show, write_json
from orchestrator.embedded.travel.changes import Revision, field_text, revisions, time_text
from orchestrator.resources.kinds import registry

_STYLES: Final = {"added": "green", "removed": "red", "changed": "", "held": "dim"}


def run_history(path: Path, target: str, *, namespace: str, as_json: bool) -> int:
    """Print the revisions; return the exit code."""

    def body() -> None:
        found = revisions(load(path), registry(), target, namespace)
        if as_json:
            write_json([_json(item) for item in found])
            return
        table = Table(("VERSION", "TIME", "BY", "CHANGE"), (1, 2, 3))
        for item in found:
            when = "" if item.time is None else time_text(item.time)
            lines: list[str] = [item.change]
            if item.change == "changed":
                lines = [field_text(field) for field in item.fields] or ["(no field)"]
            style = _STYLES[item.change]
            table.add(str(item.version), when, item.actor, Cell(lines[0], style))
            for line in lines[1:]:
                table.add("", "", "", Cell(line, style))
        show(table)

    return run("history", body)


def _json(item: Revision) -> dict[str, Any]:
    return {
        "version": item.version,
        "time": None if item.time is None else time_text(item.time),
        "change": item.change,
        "user": item.user,
        "manager": item.manager,
        "fields": fields_json(item.fields) if item.change == "changed" else [],
        "object": item.object,
    }
