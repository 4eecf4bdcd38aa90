"""Events, of the core group and of events.k8s.io."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    each_invalid,
    immutable,
    invalid,
    required,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build, meta_fields

_INVOLVED: Final = (
    "kind",
    "namespace",
    "name",
    "uid",
    "apiVersion",
    "resourceVersion",
    "fieldPath",
)

_SHORT: Final = 128
_LONG: Final = 1024
_OUTDATED: Final = {
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "deprecatedSource": "source",
}
"""Fields of the older form, and what upstream calls them."""
_FIXED: Final = {
    "regarding": "involvedObject",
    "reason": "reason",
    "note": "note",
    "type": "type",
    "eventTime": "eventTime",
    "action": "action",
    "related": "related",
    "reportingController": "reportingController",
    "reportingInstance": "reportingInstance",
}


def strategy(kind: Kind) -> Strategy:
    """Build the rules of Events."""
    reference = "regarding" if kind.group else "involvedObject"
    return build(
        has_status=False,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=True),
            _new_style if kind.group else _core_style,
        ),
        update_checks=(metadata_update_check(), *((_fixed,) if kind.group else ())),
        fields=(
            *(f"{reference}.{field}" for field in _INVOLVED),
            "reason",
            "type",
            *(("reportingController",) if kind.group else ("reportingComponent", "source")),
        ),
        selectable_fields=_selectable,
        create_on_update=True,
    )


def _core_style(obj: Object) -> list[FieldError]:
    """Check an Event of the core group; one without ``eventTime`` is of the old sort."""
    return _either(obj, "involvedObject", "message", "reportingComponent")


def _either(obj: Object, reference: str, message: str, controller: str) -> list[FieldError]:
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    involved = (obj.get(reference) or {}).get("namespace") or ""
    old = obj.get("eventTime") is None
    # An Event about something without a namespace belongs into the default one.
    homes = {"", "default"} if old else {"default", "kube-system"}
    found: list[FieldError] = []
    strays = involved != namespace if involved and old else not involved and namespace not in homes
    if strays:
        wrong = "does not match event.namespace"
        found.append(invalid("involvedObject.namespace", involved, wrong))
    return found if old else found + _reported(obj, message, controller)


def _reported(obj: Object, message: str, controller: str) -> list[FieldError]:
    name = obj.get(controller) or ""
    found = [] if name else [required(controller)]
    found += each_invalid(controller, name, names.qualified_name(name))
    for field, limit in (
        ("reportingInstance", _SHORT),
        ("action", _SHORT),
        ("reason", _SHORT),
        (message, _LONG),
    ):
        value = obj.get(field) or ""
        if not value and field != message:
            found.append(required(field))
        if len(value) > limit:
            found.append(invalid(field, "", f"can have at most {limit} characters"))
    return found


def _new_style(obj: Object) -> list[FieldError]:
    """Check an Event of ``events.k8s.io``."""
    found = _either(obj, "regarding", "note", "reportingController")
    if obj.get("eventTime") is None:
        found.append(required("eventTime"))
        found += _reported(obj, "note", "reportingController")
    found += _series(obj.get("series"))
    type_ = obj.get("type") or ""
    if type_ not in {"Normal", "Warning"}:
        found.append(invalid("type", "", f"has invalid value: {type_}"))
    found += [
        invalid(shown, "", "needs to be unset")
        for field, shown in _OUTDATED.items()
        if obj.get(field)
    ]
    return found


def _series(series: Object | None) -> list[FieldError]:
    if series is None:
        return []
    found: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        found.append(invalid("series.count", "", "should be at least 2"))
    if series.get("lastObservedTime") is None:
        found.append(required("series.lastObservedTime"))
    return found


def _fixed(new: Object, old: Object) -> list[FieldError]:
    """Keep everything but the series as it was."""
    return [
        problem
        for field, shown in _FIXED.items()
        for problem in immutable(shown, new.get(field), old.get(field))
    ]


def _selectable(obj: Object) -> dict[str, str]:
    """Return the fields under both groups' names: Events of both are stored in the core form."""
    involved = obj.get("involvedObject") or {}
    source = (obj.get("source") or {}).get("component") or ""
    reporting = obj.get("reportingComponent") or ""
    found = meta_fields(obj)
    for field in _INVOLVED:
        value = involved.get(field) or ""
        found[f"involvedObject.{field}"] = found[f"regarding.{field}"] = value
    found["reason"] = obj.get("reason") or ""
    found["reportingComponent"] = found["reportingController"] = reporting
    found["source"] = source or reporting
    found["type"] = obj.get("type") or ""
    return found
