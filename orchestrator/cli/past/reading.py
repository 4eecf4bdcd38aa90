"""What the commands that look back share: the log that is read, errors, tables, JSON."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import typer

from actors.log import LogError
from orchestrator.bench.progress import progress
from orchestrator.bench.tables import Table
from orchestrator.embedded.travel.changes import UnknownObjectError
from orchestrator.resources.differences import ABSENT, FieldChange
from orchestrator.resources.errors import StatusError
from orchestrator.resources.selectors import SelectorError
from orchestrator.store.archives import read_history
from orchestrator.store.codec import UnknownPayload
from orchestrator.store.history import History, VersionError

_SOON: Final = 1.0
"""Seconds of reading after which a bar is shown."""


class PastError(ValueError):
    """Something that was asked for cannot be had; the text says what, and what can."""


def load(path: Path) -> History:
    """Read a log or a data directory, with a bar where that takes more than a second."""
    with contextlib.ExitStack() as stack:
        return read_history(path, note=_bar(path, stack))


def _bar(path: Path, stack: contextlib.ExitStack) -> Callable[[int, int], None]:
    began = time.monotonic()
    shown = 0
    meter: Any = None

    def note(done: int, total: int) -> None:
        nonlocal meter, shown
        if meter is None:
            if time.monotonic() - began < _SOON:
                return
            bars = stack.enter_context(progress())
            meter = stack.enter_context(bars.meter(f"reading {path.name}", total))
        meter.advance(done - shown)
        shown = done

    return note


def run(command: str, body: Callable[[], None]) -> int:
    """Do what a command does; return the exit code: 0, or 2 where a user has something to mend."""
    try:
        body()
    except StatusError as error:
        typer.echo(f"orchestrator {command}: {error.message}", err=True)
        return 2
    except (
        LogError,
        PastError,
        SelectorError,
        UnknownObjectError,
        UnknownPayload,
        ValueError,
        VersionError,
    ) as error:
        typer.echo(f"orchestrator {command}: {error}", err=True)
        return 2
    return 0


def show(table: Table) -> None:
    """Print a table: coloured and as wide as it fits on a terminal, plain and whole otherwise."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    typer.echo(table.text(coloured=terminal and "NO_COLOR" not in os.environ, width=width))


def write_json(value: Any) -> None:
    """Print JSON, indented."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    typer.echo(text.decode(), nl=False)


def fields_json(fields: tuple[FieldChange, ...]) -> list[dict[str, Any]]:
    """Return changed fields as JSON data; a side on which a field is absent is left out."""
    return [dict(_sides(field)) for field in fields]


def _sides(field: FieldChange) -> Iterator[tuple[str, Any]]:
    yield "path", field.path
    if field.old is not ABSENT:
        yield "old", field.old
    if field.new is not ABSENT:
        yield "new", field.new
