"""``orchestrator diff``: what is different between two versions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import typer

from orchestrator.bench.tables import Cell, Table
from orchestrator.cli.past.reading import fields_json, load, run, show, write_json
from orchestrator.embedded.travel.changes import difference, value_text
from orchestrator.resources.differences import ABSENT

_STYLES: Final = {"added": "green", "removed": "red", "changed": ""}


def run_diff(path: Path, before: int, after: int, *, as_json: bool) -> int:
    """Print what is different; return the exit code."""

    def body() -> None:
        found = difference(load(path), before, after)
        if as_json:
            write_json(
                [
                    {
                        "change": item.change,
                        "kind": item.kind,
                        "namespace": item.key.namespace,
                        "name": item.key.name,
                        "fields": fields_json(item.fields),
                    }
                    for item in found
                ]
            )
            return
        if not found:
            typer.echo(str(found), err=True)
            return
        table = Table(("CHANGE", "NAMESPACE", "OBJECT", "FIELD", "OLD", "NEW"), range(6))
        for item in found:
            head: list[str | Cell] = [
                Cell(item.change, _STYLES[item.change]),
                item.key.namespace,
                Cell(item.name, _STYLES[item.change]),
            ]
            fields = item.fields if item.change == "changed" else ()
            if not fields:
                table.add(*head, "", "", "")
            for field in fields:
                old, new = (
                    "" if value is ABSENT else value_text(value) for value in (field.old, field.new)
                )
                table.add(*head, field.path, old, new)
                head = ["", "", ""]
        show(table)

    return run("diff", body)
