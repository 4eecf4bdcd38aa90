"""Run simulations by the thousand: ``python -m tests.simulation.run --seed 1 --count 1000``."""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from multiprocessing import Pool
from pathlib import Path

import structlog

from tests.simulation.world import Report, command_for, simulate

TRACE_LINES = 40


def quiet() -> None:
    """Keep the log of injected faults out of the way."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def attempt(task: tuple[int, int]) -> tuple[int, Report | None, str, float]:
    """Run one seed; an exception is told as text, since it may not travel between processes."""
    seed, steps = task
    quiet()
    begun = time.perf_counter()
    try:
        report = simulate(seed, steps)
    except Exception:  # noqa: BLE001 - whatever it is, it is this seed's result
        return seed, None, traceback.format_exc(), time.perf_counter() - begun
    return seed, report, "", time.perf_counter() - begun


def main() -> int:
    """Run seeds, print what failed and how to repeat it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--steps", type=int, default=150, help="actions of the workload")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--trace", type=Path, help="write the events of a single seed there")
    parser.add_argument("--log", action="store_true", help="show the cluster's own log")
    options = parser.parse_args()
    tasks = [(options.seed + at, options.steps) for at in range(options.count)]
    if options.count == 1:
        if not options.log:
            quiet()
        report = simulate(options.seed, options.steps)
        if options.trace:
            options.trace.write_text("\n".join(report.history) + "\n")
        print(_summary(report))
        for failure in report.failures[:TRACE_LINES]:
            print(" ", failure)
        return bool(report.failures)
    failed = 0
    begun = time.perf_counter()
    with Pool(options.jobs) as pool:
        for seed, found, error, took in pool.imap_unordered(attempt, tasks):
            if found is not None and not found.failures:
                continue
            failed += 1
            print(f"FAILED {command_for(seed, options.steps)}  ({took:.1f} s)")
            if found is not None:
                print(" ", found.profile)
            lines = error.splitlines()[-12:] if found is None else found.failures[:6]
            print("\n".join(f"    {line}" for line in lines), flush=True)
    took = time.perf_counter() - begun
    print(f"{len(tasks)} seeds from {options.seed}, {failed} failed, {took:.1f} s")
    return bool(failed)


def _summary(report: Report) -> str:
    refused = dict(sorted(report.refusals.items()))
    return (
        f"seed {report.seed}: {len(report.history)} events, trace {report.trace}, "
        f"{report.seconds:.0f} virtual seconds, {report.lives} lives, "
        f"{report.acknowledged} writes acknowledged, refused {refused}, "
        f"{report.watched} events watched with {report.relists} lists\n  {report.profile}"
    )


if __name__ == "__main__":
    sys.exit(main())
