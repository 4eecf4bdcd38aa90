"""What every benchmark has in common: it times, and it says on what it ran.

A benchmark builds a ``Report``, adds one ``Row`` for each thing it measured, and hands it to
``show``. Figures from different machines must not be compared; ratios within one run may.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.bench.machine import describe_commit, describe_machine

_BEGAN = time.perf_counter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure.

    ``target`` is what the project promises (None: nothing); ``at_least`` says on which side of
    it the figure has to be.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(slots=True, kw_only=True)
class Report:
    """A table of figures and where they come from."""

    benchmark: str
    seed: int | None = None
    tiny: bool = False
    rows: list[Row] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=describe_machine)
    commit: str = field(default_factory=describe_commit)

    def add(self, name: str, value: float, unit: str, **rest: Any) -> None:
        """Add a row; ``rest`` as in ``Row``. Who waits at a terminal sees it at once."""
        self.rows.append(Row(name=name, value=value, unit=unit, **rest))
        if sys.stderr.isatty():
            spent = time.perf_counter() - _BEGAN
            print(f"{spent:6.1f} s  {name}: {_number(value)} {unit}", file=sys.stderr, flush=True)

    def as_json(self) -> str:
        """The whole report for a machine to read."""
        record = asdict(self)
        for row, source in zip(record["rows"], self.rows, strict=True):
            row["met"] = source.met
        return json.dumps(record, indent=2)

    def as_table(self) -> str:
        """The whole report for a person to read."""
        lines = [("what", "measured", "unit", "target", "", "note")]
        for row in self.rows:
            target = ""
            if row.target is not None:
                target = f"{'>=' if row.at_least else '<='} {_number(row.target)}"
            verdict = {True: "ok", False: "MISSED", None: ""}[row.met]
            lines.append((row.name, _number(row.value), row.unit, target, verdict, row.note))
        widths = [max(len(line[i]) for line in lines) for i in range(6)]
        right = {1, 3}
        text = [
            "  ".join(
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        machine = ", ".join(f"{key} {value}" for key, value in self.machine.items())
        head = f"{self.benchmark} at {self.commit}{' (tiny)' if self.tiny else ''}; {machine}"
        return "\n".join([head, *text])


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def options(description: str) -> argparse.ArgumentParser:
    """The options every benchmark takes; a benchmark may add its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--tiny", action="store_true", help="a small run that only shows it works")
    parser.add_argument("--seed", type=int, default=1, help="what random choices begin with")
    return parser


def show(report: Report, *, as_json: bool) -> None:
    """Print the report."""
    print(report.as_json() if as_json else report.as_table(), flush=True)


def rate(count: int, work: Callable[[], object]) -> float:
    """How many of ``count`` things a second ``work`` did."""
    begin = time.perf_counter()
    work()
    return count / (time.perf_counter() - begin)


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` (0..1) of the values do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
