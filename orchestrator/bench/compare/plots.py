"""SVG plots of a comparison, drawn by matplotlib; the same results give the same files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestrator.bench.compare.amounts import RESOURCES
from orchestrator.bench.compare.measures import Result
from orchestrator.bench.compare.series import Moment
from orchestrator.bench.plots import COLOURS, figure

_DASHES: Final = ("-", "--", "-.", ":")
_STEPS: Final = (
    (86_400.0 * 2, 86_400.0, "days"),
    (7200.0, 3600.0, "hours"),
    (120.0, 60.0, "minutes"),
)


def draw(results: Sequence[Result], directory: Path) -> list[Path]:
    """Draw every plot into a directory, which is made; return the files.

    Raises:
        PlotError: matplotlib is not installed.
        OSError: A file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return [
        _shares(results, directory, "utilisation", "requested of capacity", lambda m: m.used),
        _shares(
            results,
            directory,
            "fragmentation",
            "of what is free, useless to typical pods",
            lambda moment: moment.fragmentation,
        ),
        _numbers(results, directory, "waiting", "pods waiting", lambda m: m.waiting),
        _numbers(results, directory, "nodes", "nodes in use", lambda m: m.nodes_used),
        _pending(results, directory),
        _counts(results, directory),
    ]


@contextmanager
def _figure(path: Path, rows: int = 1, height: float = 3.2) -> Iterator[list[Any]]:
    """Give axes to draw on, and write the file afterwards."""
    with figure(path, 9, 0.6 + height * rows) as (drawing, axes):
        axes.remove()
        grid = drawing.subplots(rows, 1, squeeze=False, sharex=True)
        yield [row[0] for row in grid]


def _style(index: int) -> dict[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "linewidth": 1.6,
    }


def _clock(results: Sequence[Result]) -> tuple[float, str]:
    """Return by what to divide seconds, and what they are then."""
    end = max((result.end for result in results), default=0.0)
    for above, length, name in _STEPS:
        if end >= above:
            return length, name
    return 1.0, "seconds"


def _shares(
    results: Sequence[Result],
    directory: Path,
    name: str,
    label: str,
    shares: Callable[[Moment], Sequence[float | None]],
) -> Path:
    unit, unit_name = _clock(results)
    there = [
        index
        for index in range(len(RESOURCES))
        if any(shares(moment)[index] is not None for result in results for moment in result.moments)
    ] or [0]
    path = directory / f"{name}.svg"
    with _figure(path, len(there), 2.4) as axes:
        for plot, index in zip(axes, there, strict=True):
            for number, result in enumerate(results):
                plot.step(
                    [moment.time / unit for moment in result.moments],
                    [_percent(shares(moment)[index]) for moment in result.moments],
                    where="post",
                    label=result.policy,
                    **_style(number),
                )
            plot.set_ylim(-2, 102)
            plot.set_ylabel(f"{RESOURCES[index]}, %")
        axes[0].set_title(f"{name}: {label}", loc="left")
        axes[0].legend(loc="best", frameon=False)
        axes[-1].set_xlabel(f"time, {unit_name}")
    return path


def _percent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share


def _numbers(
    results: Sequence[Result],
    directory: Path,
    name: str,
    label: str,
    number_of: Callable[[Moment], int],
) -> Path:
    unit, unit_name = _clock(results)
    path = directory / f"{name}.svg"
    with _figure(path) as (plot,):
        for number, result in enumerate(results):
            plot.step(
                [moment.time / unit for moment in result.moments],
                [number_of(moment) for moment in result.moments],
                where="post",
                label=result.policy,
                **_style(number),
            )
        plot.set_ylim(bottom=0)
        plot.set_title(label, loc="left")
        plot.legend(loc="best", frameon=False)
        plot.set_xlabel(f"time, {unit_name}")
    return path


def _pending(results: Sequence[Result], directory: Path) -> Path:
    """Draw how many pods had waited for how long at most: the higher, the better."""
    path = directory / "pending.svg"
    longest = max((result.pending[-1] for result in results if result.pending), default=0.0)
    with _figure(path) as (plot,):
        for number, result in enumerate(results):
            count = len(result.pending)
            step = max(1, count // 2000)
            ranks = [*range(0, count, step), count - 1] if count else []
            plot.step(
                [result.pending[rank] for rank in ranks] + ([longest] if ranks else []),
                [100 * (rank + 1) / count for rank in ranks] + ([100] if ranks else []),
                where="post",
                label=result.policy,
                **_style(number),
            )
        if longest > 10:
            plot.set_xscale("symlog", linthresh=1)
        plot.set_xlim(left=0)
        plot.set_ylim(-2, 102)
        plot.set_ylabel("pods, %")
        plot.set_xlabel("waited at most, seconds")
        plot.set_title("pending time, cumulative", loc="left")
        plot.legend(loc="lower right", frameon=False)
    return path


def _counts(results: Sequence[Result], directory: Path) -> Path:
    """Draw what should be few: pods that were left unplaced, and pods that were preempted."""
    path = directory / "unplaced.svg"
    counts = [
        ("unplaced", [result.unplaced for result in results]),
        ("preempted", [result.preemptions for result in results]),
    ]
    width = 0.8 / max(1, len(results))
    with _figure(path) as (plot,):
        for number, result in enumerate(results):
            places = [
                group + (number - (len(results) - 1) / 2) * width for group in range(len(counts))
            ]
            bars = plot.bar(
                places,
                [numbers[number] for _, numbers in counts],
                width,
                label=result.policy,
                color=COLOURS[number % len(COLOURS)],
            )
            plot.bar_label(bars, padding=2)
        plot.set_xticks(range(len(counts)), [name for name, _ in counts])
        plot.grid(visible=False, axis="x")
        plot.set_ylim(0, max(1.0, 1.15 * max(max(numbers, default=0) for _, numbers in counts)))
        plot.set_ylabel("pods")
        plot.set_title("pods that got no node, or lost it", loc="left")
        plot.legend(loc="best", frameon=False)
    return path
