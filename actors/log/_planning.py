"""Pure decisions that all logs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import is_not, itemgetter
from typing import NamedTuple

from actors.log.protocol import Append, Appended, Conflict, Payload

_KEY, _DATA, _EXPECTED = map(itemgetter, range(3))
_APPENDED: Callable[[tuple[int]], Appended] = partial(tuple.__new__, Appended)
_IS_EXPECTED = partial(is_not, None)


class Plan(NamedTuple):
    """What one commit writes, and what its callers are told when it is durable.

    Attributes:
        results: One per item.
        keys: Keys of the records to write; the first gets the sequence after the last one.
        data: Their payloads, in the same order.
    """

    results: list[Appended | Conflict]
    keys: list[str]
    data: list[Payload]


def needs_heads(batch: Iterable[Append]) -> bool:
    """Tell whether some item states what it expects."""
    return any(map(_IS_EXPECTED, map(_EXPECTED, batch)))


def plan_appends(batch: Sequence[Append], last: int, heads: Mapping[str, int]) -> Plan:
    """Decide which items of ``batch`` are written after sequence ``last``.

    ``heads`` has the last sequence of every key; it may be empty when no item expects anything.
    """
    if not needs_heads(batch):
        # The way of almost every batch, so it runs in C throughout.
        sequences = zip(range(last + 1, last + 1 + len(batch)))
        return Plan(
            list(map(_APPENDED, sequences)), list(map(_KEY, batch)), list(map(_DATA, batch))
        )
    results: list[Appended | Conflict] = []
    keys = []
    data: list[Payload] = []
    written: dict[str, int] = {}
    for item in batch:
        key = item.key
        if item.expected is not None:
            actual = written.get(key) or heads.get(key, 0)
            if actual != item.expected:
                results.append(Conflict(key, actual))
                continue
        last += 1
        written[key] = last
        results.append(Appended(last))
        keys.append(key)
        data.append(item.data)
    return Plan(results, keys, data)


def check_snapshot(sequence: int, last: int, present: int | None) -> None:
    """Raise ValueError unless a snapshot as of ``sequence`` may replace the one of ``present``."""
    if not 0 <= sequence <= last:
        raise ValueError(f"snapshot of sequence {sequence}, but the last record is {last}")
    if present is not None and sequence < present:
        raise ValueError(
            f"snapshot of sequence {sequence} is older than the present one, {present}"
        )


def check_compaction(before: int, snapshot: int | None) -> None:
    """Raise ValueError when records before ``before`` are in no snapshot."""
    covered = snapshot or 0
    if before > covered + 1:
        raise ValueError(
            f"compacting before sequence {before} would lose the records from {covered + 1} on: "
            "no snapshot covers them; take one first"
        )
