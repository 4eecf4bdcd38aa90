"""``orchestrator bench import`` and ``generate``: making traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.bench.traces.published import Format
from orchestrator.cli.bench.failing import failing_plainly

Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", dir_okay=False, help="The trace: .jsonl or .csv, with .gz if packed."
    ),
]


def import_(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="All files of one trace.")
    ],
    *,
    output: Output,
    format_: Annotated[
        Format | None, typer.Option("--format", help="What they are in; detected if not said.")
    ] = None,
    gpu_shares: Annotated[
        str,
        typer.Option(
            help="openb: a share of a GPU counts as thousandths, added up over a node's devices "
            "(milli), or as a whole device (whole).",
            metavar="milli|whole",
        ),
    ] = "milli",
    nodes: Annotated[
        int | None, typer.Option(min=1, help="azure: how many machines there are.")
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            help="azure: their kind; the one that the most requests can be on if not said."
        ),
    ] = None,
) -> None:
    """Turn a published trace into one that `compare` replays.

    Known are Alibaba's GPU trace of 2023 (openb's lists of nodes and pods), Google's cluster data
    of 2019 (instance_events, machine_events, collection_events) and Azure's trace for packing of
    2020 (its SQLite file, or vm and vmType as CSV).
    """
    from orchestrator.bench.progress import counted, progress
    from orchestrator.bench.traces.files import write_trace
    from orchestrator.bench.traces.importers.formats import import_trace

    if gpu_shares not in {"milli", "whole"}:
        raise typer.BadParameter("milli or whole", param_hint="--gpu-shares")
    with failing_plainly(), progress() as shown:
        with shown.meter("reading", 0):
            imported = import_trace(
                files,
                format_,
                shares="whole" if gpu_shares == "whole" else "milli",
                nodes=nodes,
                machine=machine,
            )
        with shown.meter("writing records", len(imported.records)) as meter:
            count = write_trace(counted(imported.records, meter), output)
    for note in imported.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{output}: {count:,} records")


def generate(
    *,
    output: Output,
    seed: Annotated[int, typer.Option(help="The same seed draws the same trace.")] = 1,
    pods: Annotated[int, typer.Option(min=1, help="How many arrive.")] = 1000,
    rate: Annotated[float, typer.Option(help="Mean arrivals a second.")] = 0.15,
    nodes: Annotated[
        int, typer.Option(min=0, help="How many nodes of 16 CPUs and 64Gi there are.")
    ] = 20,
    mix: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A YAML file with other nodes and pods (docs/traces.md).",
        ),
    ] = None,
) -> None:
    """Draw a trace: arrivals at random (Poisson) of a mix of pods that run for random times."""
    from orchestrator.bench.progress import counted, progress
    from orchestrator.bench.traces.files import write_trace
    from orchestrator.bench.traces.synthetic import (
        DEFAULT_NODE,
        DEFAULT_SHAPES,
        Mix,
        generate_trace,
        read_mix,
    )

    if not 0 < rate < float("inf"):
        raise typer.BadParameter("must be above 0", param_hint="--rate")
    made = Mix(
        rate=rate,
        pods=pods,
        nodes=({**DEFAULT_NODE, "count": nodes},) if nodes else (),
        shapes=DEFAULT_SHAPES,
    )
    with failing_plainly(), progress() as shown:
        if mix is not None:
            made = read_mix(mix, made)
        with shown.meter("drawing records", pods) as meter:
            count = write_trace(counted(generate_trace(made, seed), meter), output)
    typer.echo(f"{output}: {count:,} records")
