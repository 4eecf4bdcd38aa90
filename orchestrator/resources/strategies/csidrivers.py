"""CSIDrivers: what the cluster has to know of a storage driver.

Source: pkg/apis/storage/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    duplicate,
    if_given,
    immutable,
    invalid,
    not_supported,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_MODES: Final = ("Persistent", "Ephemeral")
_SHORTEST: Final = 10 * 60
_LONGEST: Final = 2**32
_PERIOD: Final = 10


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of CSIDrivers."""
    return build(
        has_status=False,
        generation=True,
        default=in_spec(_default),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update_check(), _update),
    )


def _default(spec: Part) -> Part:
    spec = filled(
        spec,
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
    )
    if spec.get("volumeLifecycleModes"):
        return spec
    return {**spec, "volumeLifecycleModes": ["Persistent"]}


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = if_given("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _GROUP_POLICIES)
    found += _tokens(spec.get("tokenRequests") or [])
    found += [
        not_supported("spec.volumeLifecycleModes", mode, _MODES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in _MODES
    ]
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _PERIOD:
        field = "spec.nodeAllocatableUpdatePeriodSeconds"
        found.append(invalid(field, period, "must be greater than or equal to 10 seconds"))
    return found


def _tokens(requests: list[Part]) -> list[FieldError]:
    found: list[FieldError] = []
    audiences: set[str] = set()
    for index, request in enumerate(requests):
        at = f"spec.tokenRequests[{index}]"
        audience = request.get("audience") or ""
        if audience in audiences:
            found.append(duplicate(f"{at}.audience", audience))
            continue
        audiences.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is None:
            continue
        field = f"{at}.expirationSeconds"
        if seconds < _SHORTEST:
            why = "may not specify a duration less than 10 minutes"
            found.append(invalid(field, seconds, why))
        if seconds > _LONGEST:
            why = "may not specify a duration larger than 2^32 seconds"
            found.append(invalid(field, seconds, why))
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new), spec_of(old)
    return [
        # The path is misspelt upstream.
        *immutable(
            "spec.attachedRequired", after.get("attachRequired"), before.get("attachRequired")
        ),
        *immutable(
            "spec.volumeLifecycleModes",
            after.get("volumeLifecycleModes"),
            before.get("volumeLifecycleModes"),
        ),
    ]
