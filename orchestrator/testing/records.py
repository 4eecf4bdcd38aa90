"""The end of an event log, for who has a failed test to understand: who did what, and how often."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.embedded.travel.changes import field_text, manager_of
from orchestrator.resources.differences import changed_fields
from orchestrator.testing.wellness import is_of_interest

if TYPE_CHECKING:
    from orchestrator.resources.differences import FieldChange
    from orchestrator.store.events import ObjectEvent

HEADS: Final = ("VERSION", "TIME", "ACTOR", "TYPE", "OBJECT", "CHANGED")
_FIELDS: Final = 2
"""Changed fields that a row shows."""
_CHANGED: Final = 120
"""Characters of what has changed."""
_SHOWN_ELSEWHERE: Final = frozenset({"events", "events.events.k8s.io"})
_DULL: Final = frozenset({"metadata.generation", "status.observedGeneration"})
"""Fields that come with others, which tell more."""


def rows_of(events: Iterable[ObjectEvent], most: int) -> list[list[str]]:
    """Return the last rows of a table of what was written, with `HEADS` above it.

    What one wrote to one object again and again, with nobody between, is one row, so that an
    operator that goes in circles does not fill them all. Pure.

    Args:
        events: In the order of the log.
        most: Rows.
    """
    runs: list[list[ObjectEvent]] = []
    for event in events:
        resource = event.key[0]
        if resource in _SHOWN_ELSEWHERE or _is_a_node_s_own(event):
            continue
        if not is_of_interest(resource, event.object):
            continue
        if runs and _alike(runs[-1][-1], event):
            runs[-1].append(event)
        else:
            runs.append([event])
    return [_row(run) for run in runs[-most:]]


def _alike(one: ObjectEvent, other: ObjectEvent) -> bool:
    return (
        one.type == other.type == "MODIFIED"
        and one.key == other.key
        and _actor(one) == _actor(other)
    )


def _is_a_node_s_own(event: ObjectEvent) -> bool:
    """Tell whether a node says of itself that it is there, as all nodes of all clusters do."""
    return event.key[0] == "nodes" and event.stamp.by == "kubelet"


def _actor(event: ObjectEvent) -> str:
    """Return the field manager, which tells programs of one user apart; the user without one."""
    return manager_of(event.previous, event.object) or event.stamp.by


def _row(run: Sequence[ObjectEvent]) -> list[str]:
    first, last = run[0], run[-1]
    resource, namespace, name = last.key
    plural = resource.partition(".")[0]
    stamp = last.stamp
    when = dt.datetime.fromtimestamp(stamp.time, dt.UTC) if stamp.time else None
    several = len(run) > 1
    return [
        f"{first.sequence}-{last.sequence}" if several else str(last.sequence),
        f"{when:%H:%M:%S}.{when.microsecond // 1000:03}" if when else "",
        _actor(last),
        f"{last.type} x{len(run)}" if several else last.type,
        f"{plural} {namespace}/{name}" if namespace else f"{plural} {name}",
        _changed(last),
    ]


def _changed(event: ObjectEvent) -> str:
    if event.type != "MODIFIED" or event.previous is None:
        return ""
    fields = changed_fields(event.previous, event.object)
    telling = [field for field in fields if field.path not in _DULL] or fields
    text = "; ".join(map(_told, telling[:_FIELDS])).replace("\n", " ")
    more = f"; {len(telling) - _FIELDS} more" if len(telling) > _FIELDS else ""
    if len(text) > _CHANGED:
        text = f"{text[: _CHANGED - 3]}..."
    return f"{text}{more}"


def _told(field: FieldChange) -> str:
    """Return a change in a line; of a condition that is new, what it says."""
    new = field.new if isinstance(field.new, list) else [field.new]
    if ".conditions" not in field.path or not all(map(_is_condition, new)):
        return field_text(field)
    said = (f"{each['type']}={each['status']}" for each in new)
    return f"{field.path.partition('[')[0]}: + {', '.join(said)}"


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value and "status" in value
