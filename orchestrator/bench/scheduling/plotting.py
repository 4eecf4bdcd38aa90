"""Results and curves as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.bench.plots import COLOURS, figure
from orchestrator.bench.scheduling.curves import Curve
from orchestrator.bench.scheduling.measuring import Result
from orchestrator.bench.tables import number

_BAR = 0.38


def plot_results(results: Sequence[Result], file: Path, caption: str) -> None:
    """Draw a bar for each result beside kube-scheduler's floor, on a logarithmic scale.

    Args:
        results: In any order; those of one workload and size share a row.
        file: Where the SVG goes.
        caption: Machine, commit and seed.
    """
    rows = list(dict.fromkeys((r.workload, r.size) for r in results))[::-1]
    nodes = {(r.workload, r.size): (r.nodes, r.pods) for r in results}
    with figure(file, 10, 1.6 + 0.5 * len(rows)) as (drawing, axes):
        for offset, path in ((_BAR / 2, "store"), (-_BAR / 2, "core")):
            found = [r for r in results if r.path == path]
            if not found:
                continue
            places = [rows.index((r.workload, r.size)) + offset for r in found]
            rates = [r.pods_per_second for r in found]
            what = "whole path" if path == "store" else "scheduler's core alone"
            colour = COLOURS[0] if path == "store" else COLOURS[2]
            axes.barh(places, rates, _BAR, color=colour, label=what)
            for place, rate in zip(places, rates, strict=True):
                axes.text(
                    rate * 1.08,
                    place,
                    number(rate),
                    va="center",
                    fontsize=8,
                    zorder=4,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
                )
        floors = {(r.workload, r.size): r.floor for r in results if r.floor}
        if floors:
            places = [rows.index(row) for row in floors]
            axes.scatter(
                list(floors.values()), places, marker="|", s=420, linewidths=2.5,
                color=COLOURS[1], label="kube-scheduler's floor (scheduler_perf)", zorder=3,
            )  # fmt: skip
        targets = {
            (r.workload, r.size): r.target for r in results if r.target and r.path == "store"
        }
        if targets:
            axes.scatter(
                list(targets.values()), [rows.index(row) + _BAR / 2 for row in targets],
                marker="|", s=150, linewidths=1.5, color="black", label="target", zorder=3,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [_row(row[0], *nodes[row]) for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.set_xscale("log")
        axes.margins(x=0.15)
        axes.set_xlabel("pods scheduled per second")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        drawing.legend(loc="outside upper center", ncols=4, frameon=False)
        drawing.supxlabel(caption, fontsize=7, color="#555555")


def _row(name: str, nodes: int, pods: int) -> str:
    return f"{name}\n{nodes:,} nodes, {pods:,} pods"


def plot_curve(curve: Curve, file: Path, caption: str) -> None:
    """Draw a curve; both scales are logarithmic.

    Args:
        curve: What was measured.
        file: Where the SVG goes.
        caption: Machine, commit and seed.
    """
    with figure(file, 7.5, 4.5) as (drawing, axes):
        sizes = [point.size for point in curve.points]
        rates = [point.pods_per_second for point in curve.points]
        axes.plot(sizes, rates, marker="o", color=COLOURS[0])
        for size, rate in zip(sizes, rates, strict=True):
            axes.annotate(
                number(rate), (size, rate), textcoords="offset points", xytext=(0, 8),
                ha="center", fontsize=8,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_ylim(0, 1.2 * max(rates))
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(curve.over)
        axes.set_ylabel("pods placed per second")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_title(curve.title, fontsize=11)
        drawing.supxlabel(caption, fontsize=7, color="#555555")
