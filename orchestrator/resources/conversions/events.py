"""Events: the core group's and those of ``events.k8s.io`` are one object under two sets of names.

Source: k8s.io/kubernetes pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.objects import Object

_TO_NEW: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_TO_CORE: Final = {new: core for core, new in _TO_NEW.items()}


def convert(obj: Object, api_version: str) -> Object:
    """Return an Event with the field names of ``api_version``."""
    names = _TO_CORE if api_version == "v1" else _TO_NEW
    converted = {names.get(field, field): value for field, value in obj.items()}
    converted["apiVersion"] = api_version
    if api_version != "v1":
        # Clients of the new group take it for granted; upstream writes null where there is none.
        converted.setdefault("eventTime", None)
    elif converted.get("eventTime", "") is None:
        del converted["eventTime"]
    return converted
