"""What ``orchestrator bench scheduling`` does and prints."""

from __future__ import annotations

import contextlib
import cProfile
import os
import pstats
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from orchestrator.bench.failures import UserError
from orchestrator.bench.plots import require
from orchestrator.bench.progress import Progress, progress
from orchestrator.bench.scheduling.baseline import Bare
from orchestrator.bench.scheduling.curves import measure_curve
from orchestrator.bench.scheduling.loading import built_in, read, select
from orchestrator.bench.scheduling.measuring import (
    PathName,
    PlacementsWrong,
    Result,
    Settings,
    bare_rate,
    measure,
)
from orchestrator.bench.scheduling.plotting import plot_curve, plot_results
from orchestrator.bench.scheduling.reporting import Failure, as_list, as_table, record_of
from orchestrator.bench.scheduling.workloads import Workload, WorkloadError
from orchestrator.bench.tables import Cell, Table, number
from orchestrator.cli.bench.output import about, origin, show, write_json
from orchestrator.cli.bench.tuning import as_the_daemon
from orchestrator.cli.logs import configure_logs

STORE = (
    "store: created, scheduled and bound in a store on SQLite (WAL, synchronous=FULL), {} Events; "
    "latency from the creation's commit to the binding's"
)
CORE = "core: the scheduler's decisions alone, in memory; latency of one decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for; see the options of ``orchestrator bench scheduling``."""

    workloads: Sequence[str]
    file: Path | None
    nodes: int | None
    pods: int | None
    paths: tuple[PathName, ...]
    seed: int
    events: bool
    json_file: Path | None
    plot: Path | None
    patience: float
    profile: bool

    @property
    def to_error(self) -> bool:
        """Whether standard output is taken by JSON."""
        return self.json_file == Path("-")


def show_list(options: Options) -> None:
    """Print the workloads there are."""
    show(as_list(_wanted(options)))


def run_scheduling(options: Options) -> bool:
    """Run workloads and print what they showed; tell whether all of them have figures."""
    configure_logs("error", as_json=False)
    workloads = _wanted(options)
    _prepare(options)
    settings = Settings(
        seed=options.seed,
        events=options.events,
        patience=options.patience,
        tune=as_the_daemon,
        watch=_profiled if options.profile else contextlib.nullcontext,
    )
    results: list[Result] = []
    failures: list[Failure] = []
    interrupted = False
    with progress() as bars:
        try:
            for workload in workloads:
                _run_both(options, workload, settings, bars, results, failures)
        except KeyboardInterrupt:  # what there is by now is told
            interrupted = True
            bars.note("interrupted: the workloads that are left were not run")
    known = about(seed=options.seed)
    if options.json_file is not None:
        write_json({**known, **record_of(results, failures)}, options.json_file)
    if results:
        _print(options, results, origin(known))
    if options.plot is not None and results:
        plot_results(results, options.plot, origin(known))
    return not failures and not interrupted


def _run_both(
    options: Options,
    workload: Workload,
    settings: Settings,
    bars: Progress,
    results: list[Result],
    failures: list[Failure],
) -> None:
    """Run a workload on the paths that are asked for, and say at once what came of it."""
    bars.title(workload.name)
    with bars.meter("bare loop", 0):
        bare = bare_rate(workload, settings)
    for path in options.paths:
        found = _run_one(workload, path, settings, bars, bare)
        what = f"{workload.full_name} ({path})"
        if isinstance(found, Result):
            results.append(found)
            bars.note(f"{what}: {number(found.pods_per_second)} pods/s")
        else:
            failures.append(found)
            bars.note(f"{what} has no figures: {found.why}")
            for violation in found.violations:
                bars.note(f"  {violation}")


def _run_one(
    workload: Workload,
    path: PathName,
    settings: Settings,
    bars: Progress,
    bare: Bare,
) -> Result | Failure:
    try:
        return measure(workload, path, settings, bars, bare)
    except WorkloadError as error:
        return Failure(workload=workload.name, size=workload.size, path=path, why=str(error))
    except PlacementsWrong as error:
        return Failure(
            workload=workload.name,
            size=workload.size,
            path=path,
            why="its placements are wrong",
            violations=tuple(map(str, error.violations)),
        )


def _wanted(options: Options) -> list[Workload]:
    there_are = built_in() if options.file is None else read(options.file, options.workloads)
    chosen = select(there_are, list(options.workloads))
    return [workload.resized(options.nodes, options.pods) for workload in chosen]


def _print(options: Options, results: list[Result], where: str) -> None:
    show(as_table(results), to_error=options.to_error)
    lines = [f"\n{where}"]
    paths = {result.path for result in results}
    if "store" in paths:
        lines.append(STORE.format("with" if options.events else "without"))
    if "core" in paths:
        lines.append(CORE)
    lines.append(f"All {sum(result.checked for result in results):,} placements were checked.")
    typer.echo("\n".join(lines), err=options.to_error)


@contextlib.contextmanager
def _profiled() -> Iterator[None]:
    """Print to standard error where the block's time went, in this thread."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(20)


def run_curve(options: Options, over: Literal["nodes", "classes"]) -> None:
    """Draw and print a curve."""
    _prepare(options)
    if options.file is not None or options.workloads:
        raise UserError("a curve has pods of its own: leave out --workload and --file")
    settings = Settings(seed=options.seed, tune=as_the_daemon)
    with progress() as bars:
        curve = measure_curve(over, settings, bars, pods=options.pods, nodes=options.nodes)
    heading = {"nodes": ["nodes"], "classes": ["classes", "nodes"]}[over]
    table = Table([*heading, "pods", "pods/s", "per CPU s"], left=())
    for point in curve.points:
        sizes = [f"{point.size:,}", f"{point.nodes:,}"][: len(heading)]
        table.add(
            *sizes,
            f"{point.pods:,}",
            Cell(number(point.pods_per_second), "bold"),
            number(point.pods_per_processor_second),
        )
    known = about(seed=options.seed)
    if options.json_file is not None:
        points = [
            {"workload": f"over {over}", "path": "core", **asdict(point)} for point in curve.points
        ]
        write_json({**known, "results": points}, options.json_file)
    typer.echo(f"{curve.title}, {curve.points[-1].pods:,} pods at most\n", err=options.to_error)
    show(table, to_error=options.to_error)
    typer.echo(f"\n{origin(known)}", err=options.to_error)
    if options.plot is not None:
        plot_curve(curve, options.plot, origin(known))


def _prepare(options: Options) -> None:
    """Find out before a long run whether its results can be kept.

    Raises:
        UserError: A file cannot be written.
        PlotError: Nothing can be drawn.
    """
    if options.plot is not None:
        require()
    for file in (options.json_file, options.plot):
        if file is None or file == Path("-"):
            continue
        directory = file.absolute().parent
        if not directory.is_dir():
            raise UserError(f"cannot write {file}: there is no directory {directory}; make it")
        if file.is_dir() or not os.access(file if file.exists() else directory, os.W_OK):
            raise UserError(f"cannot write {file}: it may not be written; name another file")
