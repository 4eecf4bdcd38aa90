"""CSINodes: the drivers that run on a node.

Source: pkg/apis/storage/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    IMMUTABLE,
    duplicate,
    each_invalid,
    invalid,
    not_negative,
    required,
)
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build

_ID_LIMIT: Final = 256
_CHANGING_COUNTS: Final = (1, 34)
"""Kubernetes version since which the number of volumes a driver can attach may change."""


def strategy(kind: Kind) -> Strategy:
    """Build the rules of CSINodes."""
    major, _, minor = kind.release.partition(".")
    counts_change = (int(major), int(minor)) >= _CHANGING_COUNTS

    def same_drivers(new: Object, old: Object) -> list[FieldError]:
        after = {driver.get("name"): driver for driver in spec_of(new).get("drivers") or ()}
        return [
            invalid("spec.drivers", _shown(now, counts_change), IMMUTABLE)
            for driver in spec_of(old).get("drivers") or ()
            if (now := after.get(driver.get("name"))) is not None
            and _shown(now, counts_change) != _shown(driver, counts_change)
        ]

    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update_check(), same_drivers),
    )


def _shown(driver: Part, counts_change: bool) -> dict[str, Any]:
    count = (driver.get("allocatable") or {}).get("count")
    return {
        "Name": driver.get("name") or "",
        "NodeID": driver.get("nodeID") or "",
        "TopologyKeys": driver.get("topologyKeys"),
        "Allocatable": None if counts_change or count is None else {"Count": count},
    }


def _spec(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate(spec_of(obj).get("drivers") or ()):
        at = f"spec.drivers[{index}]"
        name = driver.get("name") or ""
        found += driver_name(f"{at}.name", name)
        identity = driver.get("nodeID") or ""
        if not identity:
            found.append(required(f"{at}.nodeID"))
        if len(identity.encode()) > _ID_LIMIT:
            why = f"must be {_ID_LIMIT} characters or less"
            found.append(invalid(f"{at}.nodeID", identity, why))
        count = (driver.get("allocatable") or {}).get("count")
        found += not_negative(f"{at}.allocatable.count", count)
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        found += _topology(driver.get("topologyKeys") or [], at)
    return found


def _topology(keys: list[str], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for index, key in enumerate(keys):
        if not key:
            found.append(required(at))
        if key in keys[:index]:
            found.append(duplicate(at, key))
        found += each_invalid(at, key, names.qualified_name(key))
    return found
