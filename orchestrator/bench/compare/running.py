"""Comparing policies: each replays the same trace from the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final

from orchestrator.bench.compare.measures import Result
from orchestrator.bench.compare.replay import Replay
from orchestrator.bench.policies import Policy
from orchestrator.bench.progress import Meter, Progress
from orchestrator.bench.traces.files import is_own, read_trace
from orchestrator.bench.traces.importers.formats import import_trace
from orchestrator.bench.traces.records import Record, TraceError, merge_records

IN_MEMORY: Final = 200_000
"""Records up to which a trace is read once and kept; a longer one is read anew for each policy."""


class Trace:
    """The records of one or several files, as often as they are asked for.

    Attributes:
        count: How many records there are.
        notes: What an importer has to say.
    """

    def __init__(self, paths: Sequence[Path], before: Sequence[Record] = ()) -> None:
        """Read the trace once, so that whatever is wrong with it is told at once.

        Args:
            paths: Its files, in the project's own forms, which are merged by time, or all of
                them in one published format.
            before: Records to put in front, such as a real cluster's nodes.

        Raises:
            TraceError: It cannot be read, or has no pods.
        """
        self._paths = list(paths)
        self._before = list(before)
        self.notes: list[str] = []
        self._records: list[Record] | None = None
        if any(is_own(path) is None for path in self._paths):
            imported = import_trace(self._paths)
            self._records = [*self._before, *imported.records]
            self.notes = imported.notes
            self.count = len(self._records)
        else:
            stream = self._stream()
            head = list(islice(stream, IN_MEMORY + 1))
            if len(head) <= IN_MEMORY:
                self._records = head
            self.count = len(head) + sum(1 for _ in stream)
        if not self.count:
            raise TraceError(f"{', '.join(map(str, self._paths))}: the trace is empty")

    def __iter__(self) -> Iterator[Record]:
        return self._stream() if self._records is None else iter(self._records)

    def _stream(self) -> Iterator[Record]:
        return chain(self._before, merge_records(map(read_trace, self._paths)))


def compare(
    policies: Iterable[Policy], trace: Trace, seed: int, progress: Progress
) -> list[Result]:
    """Replay a trace under each policy; the same seed gives the same placements.

    Raises:
        TraceError: The trace contradicts itself.
    """
    results = []
    for policy in policies:
        progress.title(policy.name)
        with progress.meter("records", trace.count) as meter:
            results.append(_replay(policy, trace, seed, meter))
    return results


def _replay(policy: Policy, trace: Trace, seed: int, meter: Meter) -> Result:
    simulation = policy.simulate(seed)
    return Replay(iter(trace), simulation).run(policy.name, meter.advance)
