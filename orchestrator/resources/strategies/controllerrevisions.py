"""ControllerRevisions: what a StatefulSet or DaemonSet looked like once."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import immutable, not_negative, required
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ControllerRevisions."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _revision),
        update_checks=(metadata_update_check(), _data_stays),
    )


def _revision(obj: Object) -> list[FieldError]:
    found = [] if obj.get("data") is not None else [required("data", "data is mandatory")]
    return found + not_negative("revision", obj.get("revision"))


def _data_stays(new: Object, old: Object) -> list[FieldError]:
    return immutable("data", new.get("data"), old.get("data"))
