"""``orchestrator bench scheduling``: its options."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from orchestrator.cli.bench.failing import failing_plainly


class PathChoice(enum.StrEnum):
    """What a workload is measured through."""

    core = "core"
    store = "store"
    both = "both"


_PATHS: Final[dict[PathChoice, tuple[Literal["core", "store"], ...]]] = {
    PathChoice.core: ("core",),
    PathChoice.store: ("store",),
    PathChoice.both: ("core", "store"),
}


class Curve(enum.StrEnum):
    """What a curve is drawn over."""

    nodes = "nodes"
    classes = "classes"


def scheduling(
    *,
    workload: Annotated[
        list[str] | None,
        typer.Option(help="A case, or case/size; again for more. Without it, all are run."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Workloads of your own, in place of the built-in ones.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what there is to run.")] = False,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="So many nodes; pods keep their ratio to them.")
    ] = None,
    pods: Annotated[int | None, typer.Option(min=1, help="So many measured pods.")] = None,
    path: Annotated[
        PathChoice, typer.Option(help="The scheduler's core alone, the whole path, or both.")
    ] = PathChoice.both,
    seed: Annotated[
        int, typer.Option(help="Of all choices; the same one gives the same placements.")
    ] = 1,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help="Whether the scheduler records Events.")
    ] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results here; - for standard output.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the results into this SVG.")] = None,
    curve: Annotated[
        Curve | None,
        typer.Option(
            help="Instead: the core's rate over 100 to 100,000 nodes, or 1 to 1,000 classes."
        ),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds without a binding until a workload is given up.")
    ] = 20.0,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print where each run's time goes; it runs slower.")
    ] = False,
) -> None:
    """Measure how many pods a second are scheduled, in the workloads of scheduler_perf.

    Placements are checked before a figure is printed; a broken rule ends the command with 1.
    """
    from orchestrator.cli.bench.measuring import Options, run_curve, run_scheduling, show_list

    options = Options(
        workloads=workload or [],
        file=file,
        nodes=nodes,
        pods=pods,
        paths=_PATHS[path],
        seed=seed,
        events=events,
        json_file=json_file,
        plot=plot,
        patience=patience,
        profile=profile,
    )
    with failing_plainly():
        if list_:
            show_list(options)
        elif curve is not None:
            run_curve(options, curve.value)
        elif not run_scheduling(options):
            raise typer.Exit(1)
