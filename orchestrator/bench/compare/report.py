"""Results of a comparison, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from orchestrator.bench.compare.amounts import RESOURCES
from orchestrator.bench.compare.measures import Result, percentile
from orchestrator.bench.compare.series import Moment
from orchestrator.bench.tables import Table
from orchestrator.bench.words import duration, percent

_REASONS: Final = 3
"""Reasons that are printed for a policy; JSON has all of them."""

_PERCENTILES: Final = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))


def as_table(results: Sequence[Result]) -> Table:
    """Return a table with a row for each measure and a column for each policy."""
    table = Table(["", *(result.policy for result in results)], left=(0,))
    for row in _rows(results):
        table.add(*row)
    return table


def reasons_of(results: Sequence[Result]) -> list[str]:
    """Return why pods had no node at the end: for each policy its most frequent reasons."""
    return [
        f"{result.policy}: {count:,} without a node at the end: {reason}"
        for result in results
        for reason, count in list(result.reasons.items())[:_REASONS]
    ]


def _rows(results: Sequence[Result]) -> list[list[str]]:
    rows = [
        _row(results, "pods arrived", lambda result: f"{result.pods:,}"),
        _row(results, "placements", lambda result: f"{result.placements:,}"),
        _row(results, "unplaced", lambda result: f"{result.unplaced:,}"),
        _row(results, "preempted", lambda result: f"{result.preemptions:,}"),
    ]
    if any(result.lost for result in results):
        rows.append(_row(results, "lost with their node", lambda result: f"{result.lost:,}"))
    rows += [_row(results, f"pending {name}", _pending(share)) for name, share in _PERCENTILES]
    for index, resource in enumerate(RESOURCES):
        if any(result.used_peak[index] is not None for result in results):
            rows.append(_row(results, f"{resource} used, mean", _share("used", index)))
            rows.append(_row(results, f"{resource} used, peak", _share("used_peak", index)))
            rows.append(
                _row(results, f"{resource} used at first refusal", _share("used_at_refusal", index))
            )
            rows.append(_row(results, f"{resource} fragmented", _share("fragmentation", index)))
    rows.append(_row(results, "nodes", lambda result: f"{result.nodes:,}"))
    rows.append(_row(results, "nodes used, mean", lambda result: f"{result.nodes_used:,.1f}"))
    rows.append(_row(results, "nodes used, peak", lambda result: f"{result.nodes_used_peak:,}"))
    rows.append(_row(results, "trace ends after", lambda result: duration(result.end)))
    return rows


def _row(results: Sequence[Result], name: str, cell: Callable[[Result], str]) -> list[str]:
    return [name, *(cell(result) for result in results)]


def _pending(share: float) -> Callable[[Result], str]:
    return lambda result: duration(percentile(result.pending, share))


def _share(field: str, index: int) -> Callable[[Result], str]:
    def cell(result: Result) -> str:
        shares = getattr(result, field)
        return percent(None if shares is None else shares[index])

    return cell


def as_json(results: Sequence[Result], about: dict[str, Any]) -> dict[str, Any]:
    """Return everything as one JSON object: what was run, and a result for each policy."""
    return {**about, "results": [_result(result) for result in results]}


def _result(result: Result) -> dict[str, Any]:
    refusal = result.used_at_refusal
    return {
        "policy": result.policy,
        "pods": result.pods,
        "placements": result.placements,
        "unplaced": result.unplaced,
        "preemptions": result.preemptions,
        "lost": result.lost,
        "pending_seconds": {
            name: percentile(result.pending, share) for name, share in _PERCENTILES
        },
        "used_mean": result.used._asdict(),
        "used_peak": result.used_peak._asdict(),
        "used_at_first_refusal": None if refusal is None else refusal._asdict(),
        "fragmentation_mean": result.fragmentation._asdict(),
        "nodes": result.nodes,
        "nodes_used_mean": result.nodes_used,
        "nodes_used_peak": result.nodes_used_peak,
        "end_seconds": result.end,
        "reasons": result.reasons,
        "moments": [_moment(moment) for moment in result.moments],
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "time": moment.time,
        "used": moment.used._asdict(),
        "fragmentation": moment.fragmentation._asdict(),
        "waiting": moment.waiting,
        "nodes_used": moment.nodes_used,
    }
