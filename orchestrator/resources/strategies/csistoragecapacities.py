"""CSIStorageCapacities: how much of a class there is in a part of the cluster.

Source: pkg/apis/storage/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    NOT_NEGATIVE,
    each_invalid,
    immutable,
    invalid,
)
from orchestrator.resources.quantities import canonical, parse
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of CSIStorageCapacities."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _capacity),
        update_checks=(metadata_update_check(), _update),
        rechecks=False,
    )


def _capacity(obj: Object) -> list[FieldError]:
    found = label_selector_problems("nodeTopology", obj.get("nodeTopology") or {})
    name = obj.get("storageClassName") or ""
    found += each_invalid("storageClassName", name, names.dns_subdomain(name))
    amount = obj.get("capacity")
    if amount is not None and parse(amount).nano < 0:
        found.append(invalid("capacity", canonical(amount), NOT_NEGATIVE))
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    return [
        *immutable("nodeTopology", new.get("nodeTopology"), old.get("nodeTopology")),
        *immutable("storageClassName", new.get("storageClassName"), old.get("storageClassName")),
    ]
