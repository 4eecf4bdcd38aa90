"""Which Events are new, which repeat one, and which are too many: pure, no I/O.

The numbers are client-go's (tools/record/events_cache.go).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from orchestrator.resources.objects import Object, meta
from orchestrator.resources.timestamps import format_time

SPAM_BURST = 25
SPAM_SECONDS = 300.0
"""One object's events from one source: 25 at once, then one in five minutes."""
CACHE = 4096


class Occurrence(NamedTuple):
    """Something happened to an object.

    Attributes:
        component: Who reports it, ``kubelet``.
        instance: Which of them: the node's name, or empty.
        involved: The object, or an ``ObjectReference``; see `reference`.
        field_path: Which part of it, ``spec.containers{web}``, or empty.
        type: ``Normal`` or ``Warning``.
        reason: One CamelCase word.
        message: For a person.
        time: Seconds since the epoch.
    """

    component: str
    instance: str
    involved: dict[str, Any]
    field_path: str
    type: str
    reason: str
    message: str
    time: float


class Known(NamedTuple):
    """An Event that was written before.

    Attributes:
        namespace: Where it is.
        name: Its name.
        object: As it was first written.
    """

    namespace: str
    name: str
    object: Object


def reference(involved: Object, field_path: str = "") -> dict[str, Any]:
    """Return the ``ObjectReference`` of an object, or the reference itself when given one."""
    if "metadata" not in involved:
        return involved
    metadata = meta(involved)
    found = {
        "kind": involved.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "apiVersion": involved.get("apiVersion"),
        "resourceVersion": metadata.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {field: value for field, value in found.items() if value}


def new_event(occurrence: Occurrence, number: int) -> Object:
    """Return the first Event of its kind; ``number`` sets apart those of one moment."""
    involved = occurrence.involved
    when = format_time(occurrence.time)
    source = {"component": occurrence.component}
    if occurrence.instance:
        source["host"] = occurrence.instance
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{involved.get('name', '')}.{int(occurrence.time * 1e9) + number:x}",
            "namespace": involved.get("namespace") or "default",
        },
        "involvedObject": involved,
        "reason": occurrence.reason,
        "message": occurrence.message,
        "source": source,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
        "type": occurrence.type,
        "eventTime": None,
        "reportingComponent": occurrence.component,
        "reportingInstance": occurrence.instance,
    }


def counted(event: Object, occurrence: Occurrence) -> Object:
    """Return a repeated Event with one more on its count."""
    return {
        **event,
        "count": (event.get("count") or 0) + 1,
        "lastTimestamp": format_time(occurrence.time),
    }


class Correlator:
    """Remembers what was reported, in bounded caches that forget the longest unused."""

    def __init__(self) -> None:
        self.filtered = 0
        self._known: OrderedDict[tuple[str, ...], Known] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()
        self._number = 0

    def decide(self, occurrence: Occurrence) -> Known | Object | None:
        """Return what to do: count up a known Event, create one, or (None) leave it out."""
        involved = occurrence.involved
        identity = (
            occurrence.component,
            occurrence.instance,
            involved.get("kind", ""),
            involved.get("namespace", ""),
            involved.get("name", ""),
            involved.get("uid", ""),
            involved.get("apiVersion", ""),
        )
        if not self._allowed(identity, occurrence.time):
            self.filtered += 1
            return None
        same = (
            *identity,
            involved.get("fieldPath", ""),
            occurrence.type,
            occurrence.reason,
            occurrence.message,
        )
        known = self._known.get(same)
        if known is not None:
            self._known.move_to_end(same)
            return known
        return self.create(occurrence, same)

    def create(self, occurrence: Occurrence, same: tuple[str, ...]) -> Object:
        """Make a new Event and remember it."""
        self._number += 1
        event = new_event(occurrence, self._number)
        metadata = event["metadata"]
        self._known[same] = Known(metadata["namespace"], metadata["name"], event)
        if len(self._known) > CACHE:
            self._known.popitem(last=False)
        return event

    def _allowed(self, identity: tuple[str, ...], now: float) -> bool:
        tokens, since = self._buckets.pop(identity, (float(SPAM_BURST), now))
        tokens = min(SPAM_BURST, tokens + (now - since) / SPAM_SECONDS)
        allowed = tokens >= 1
        self._buckets[identity] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > CACHE:
            self._buckets.popitem(last=False)
        return allowed
