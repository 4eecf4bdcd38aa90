"""``orchestrator bench compare``: one trace under several policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.bench.failing import failing_plainly


def compare(
    *,
    trace: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="What happens: a trace, or several that are merged; published ones as they are.",
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="A KubeSchedulerConfiguration, or `default`; give it several times.",
        ),
    ] = None,
    from_cluster: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Begin with a cluster's nodes and pods: its kubeconfig, or a dump by kubectl.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same placements.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything as JSON here; - is the output.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(file_okay=False, help="Draw SVG plots into this directory.")
    ] = None,
) -> None:
    """Replay the same arrivals and departures under several scheduler configurations.

    Time is virtual: a month passes in seconds. Each policy gets the same trace and the same seed.
    """
    from orchestrator.bench.compare.plots import draw
    from orchestrator.bench.compare.report import as_json, as_table, reasons_of
    from orchestrator.bench.compare.running import Trace
    from orchestrator.bench.compare.running import compare as compare_policies
    from orchestrator.bench.planning.sources import read_cluster
    from orchestrator.bench.planning.starting import records_of
    from orchestrator.bench.plots import require
    from orchestrator.bench.policies import load_policies
    from orchestrator.bench.progress import progress
    from orchestrator.bench.traces.records import Record
    from orchestrator.cli.bench.output import about, note_all, show, write_json

    with failing_plainly():
        if plot is not None:
            require()
        policies = load_policies(policy or [])
        with progress() as shown:
            notes: list[str] = []
            before: list[Record] = []
            if from_cluster is not None:
                observed = read_cluster(from_cluster, shown)
                before = records_of(observed)
                notes += observed.notes
            with shown.meter("reading the trace", 0):
                records = Trace(trace, before)
            results = compare_policies(policies, records, seed, shown)
        note_all([*notes, *records.notes])
        to_error = json_file == Path("-")
        names = ", ".join(path.name for path in trace)
        typer.echo(f"{names}: {records.count:,} records, seed {seed}\n", err=to_error)
        show(as_table(results), to_error=to_error)
        for reason in reasons_of(results):
            typer.echo(reason, err=to_error)
        if plot is not None:
            for path in draw(results, plot):
                typer.echo(f"drawn: {path}", err=to_error)
        if json_file is not None:
            write_json(as_json(results, about(seed=seed, trace=list(map(str, trace)))), json_file)
