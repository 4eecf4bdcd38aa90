"""How a command of the harness fails: one line on standard error, and a code."""

from __future__ import annotations

import os
import sys
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
    except BrokenPipeError:
        # Who read it has enough. The rest of the buffer must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"orchestrator bench: {where}{error.strerror or error}", err=True)
        raise typer.Exit(2) from None
