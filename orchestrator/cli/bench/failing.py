"""How a command of the harness fails: one line on standard error, and a code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def failing_plainly() -> Iterator[None]:
    """Turn what a user can mend into ``orchestrator bench: ...`` and code 2."""
    from orchestrator.bench.failures import UserError
    from orchestrator.bench.plots import PlotError

    try:
        yield
    except (UserError, PlotError) as error:
        typer.echo(f"orchestrator bench: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"orchestrator bench: {where}{error.strerror or error}", err=True)
        raise typer.Exit(2) from None
