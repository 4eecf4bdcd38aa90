"""Leases: leader election and the heartbeats of nodes."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import invalid, not_negative
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import put
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Leases."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(),),
        prepare_create=_uncoordinated,
        prepare_update=lambda new, _old: _uncoordinated(new),
        create_on_update=True,
    )


def _uncoordinated(obj: Object) -> Object:
    """Drop what coordinated leader election uses, which is off by default."""
    spec = obj.get("spec") or {}
    kept = put(put(spec, "strategy", None), "preferredHolder", None)
    return obj if kept is spec else {**obj, "spec": kept}


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    found: list[FieldError] = []
    if seconds is not None and seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    return [*found, *not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))]
