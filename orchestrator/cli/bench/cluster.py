"""``orchestrator bench cluster``: a Deployment's way to Running."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.bench.failing import failing_plainly


def cluster(
    *,
    nodes: Annotated[int, typer.Option(min=1, help="How many simulated nodes.")] = 100,
    pods: Annotated[int, typer.Option(min=1, help="How many replicas of one Deployment.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of all choices.")] = 1,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help="Whether nodes record Events too.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result here; - for standard output.")
    ] = None,
) -> None:
    """Measure how fast a Deployment's pods get Running in a whole cluster, and what a pod takes.

    Controllers, scheduler and log are real, the nodes simulated; every write is on disk.
    """
    from dataclasses import asdict

    from orchestrator.bench.deploying import Settings, measure
    from orchestrator.bench.progress import progress
    from orchestrator.bench.tables import Cell, Table, number
    from orchestrator.cli.bench.output import about, origin, show, write_json
    from orchestrator.cli.bench.tuning import as_the_daemon
    from orchestrator.cli.logs import configure_logs

    configure_logs("error", as_json=False)
    with failing_plainly():
        settings = Settings(nodes=nodes, pods=pods, seed=seed, events=events, tune=as_the_daemon)
        with progress() as bars:
            result = measure(settings, bars)
        known = about(seed=seed)
        if json_file is not None:
            write_json({**known, "results": [asdict(result)]}, json_file)
    to_error = json_file == Path("-")
    table = Table(
        ["nodes", "pods", "pods/s", "p50 ms", "p90 ms", "p99 ms", "per CPU s", "bare/s", "of bare",
         "memory/pod", "log/pod"],
        left=(),
    )  # fmt: skip
    table.add(
        f"{result.nodes:,}",
        f"{result.pods:,}",
        Cell(number(result.pods_per_second), "bold"),
        number(result.p50_ms),
        number(result.p90_ms),
        number(result.p99_ms),
        number(result.pods / max(1e-9, result.processor_seconds)),
        number(result.baseline_pods_per_second),
        f"{100 * result.pods_per_second / result.baseline_pods_per_second:.0f} %",
        f"{result.memory_bytes_per_pod / 1024:.1f} KiB",
        f"{result.log_bytes_per_pod / 1024:.1f} KiB",
    )
    show(table, to_error=to_error)
    told = "the scheduler's, the controllers' and the nodes'" if events else "all but the nodes'"
    typer.echo(
        f"\n{origin(known)}\n"
        f"From the Deployment to its last pod Running, after {result.start_seconds:.1f} s of "
        f"start; SQLite (WAL, synchronous=FULL); Events: {told}; latency from a pod's creation",
        err=to_error,
    )
