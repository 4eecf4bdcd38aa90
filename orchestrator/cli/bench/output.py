"""What the harness's commands have in common when they tell their results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import typer

from orchestrator.bench.tables import Table


def about(**parts: Any) -> dict[str, Any]:
    """Return what every JSON result begins with: the machine, the commit, and ``parts``."""
    from orchestrator.bench.machine import describe_commit, describe_machine

    return {"machine": describe_machine(), "commit": describe_commit(), **parts}


def origin(known: dict[str, Any]) -> str:
    """Return in one line what `about` says, for under a table or a plot."""
    machine = known["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}"
    return f"{where}; commit {known['commit']}; seed {known['seed']}"


def write_json(value: Any, path: Path) -> None:
    """Write JSON to a file, or to standard output if it is called ``-``."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if str(path) == "-":
        sys.stdout.write(text.decode())
    else:
        path.write_bytes(text)


def show(table: Table, *, to_error: bool = False) -> None:
    """Print a table: coloured and as wide as it fits on a terminal, plain and whole otherwise."""
    stream = sys.stderr if to_error else sys.stdout
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    coloured = terminal and "NO_COLOR" not in os.environ
    typer.echo(table.text(coloured=coloured, width=width), err=to_error)


def note_all(notes: Iterable[str]) -> None:
    """Tell notes on standard error, so that they are in nobody's way."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)
