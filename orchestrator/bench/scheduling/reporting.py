"""Results as a table for people and as JSON for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from orchestrator.bench.scheduling.measuring import PathName, Result
from orchestrator.bench.scheduling.workloads import Workload
from orchestrator.bench.tables import Cell, Table, number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A workload without figures: why, and the rules that its placements broke."""

    workload: str
    size: str
    path: PathName
    why: str
    violations: tuple[str, ...] = ()


def as_table(results: Sequence[Result]) -> Table:
    """Return the results side by side."""
    table = Table(
        ["workload", "nodes", "pods", "path", "pods/s", "p50 ms", "p90 ms", "p99 ms",
         "per CPU s", "floor", "of floor", "bare/s", "of bare", "target", "", "placements"],
        left={0, 3, 14, 15},
        dispensable=(15, 6, 11, 5, 8, 12, 13, 9),
    )  # fmt: skip
    for result in results:
        rate, bare = result.pods_per_second, result.baseline_pods_per_second
        verdict = {
            True: Cell("reached", "green"), False: Cell("missed", "red"), None: Cell(""),
        }[result.met]  # fmt: skip
        table.add(
            result.workload,
            f"{result.nodes:,}",
            f"{result.pods:,}",
            result.path,
            Cell(number(rate), "bold"),
            number(result.p50_ms),
            number(result.p90_ms),
            number(result.p99_ms),
            number(result.pods / max(1e-9, result.processor_seconds)),
            number(result.floor),
            "" if not result.floor else f"{rate / result.floor:.1f} x",
            number(bare),
            f"{100 * rate / bare:.0f} %",
            number(result.target),
            verdict,
            result.placements,
        )
    return table


def as_list(workloads: Sequence[Workload]) -> Table:
    """Return what there is to run."""
    table = Table(["workload/size", "nodes", "pods", "floor", "what it is about"], left={0, 4})
    for workload in workloads:
        table.add(
            workload.full_name,
            f"{workload.nodes:,}",
            f"{workload.measured_pods:,}",
            number(workload.floor),
            workload.about,
        )
    return table


def record_of(results: Sequence[Result], failures: Sequence[Failure]) -> dict[str, Any]:
    """Return results and failures for JSON; figures are unrounded."""
    return {
        "results": [dataclasses.asdict(result) for result in results],
        "failures": [dataclasses.asdict(failure) for failure in failures],
    }
