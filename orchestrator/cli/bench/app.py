"""The commands under ``orchestrator bench`` and their options."""

from __future__ import annotations

import typer

from orchestrator.cli.bench.cluster import cluster
from orchestrator.cli.bench.comparing import compare
from orchestrator.cli.bench.planning import plan
from orchestrator.cli.bench.scheduling import scheduling
from orchestrator.cli.bench.traces import generate, import_

bench = typer.Typer(
    help="Measure scheduling and whole clusters on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench.command()(scheduling)
bench.command()(cluster)
bench.command()(compare)
bench.command()(plan)
bench.command("import")(import_)
bench.command()(generate)
