"""Kinds without rules of their own: metadata, status and generation as upstream treats them."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.strategies._metadata import (
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._required import required_check
from orchestrator.resources.strategies._strategy import Strategy, build

_GENERATIONS: Final = frozenset({"devicetaintrules.resource.k8s.io"})
_FIELDS: Final = {
    "podcertificaterequests.certificates.k8s.io": (
        "spec.signerName",
        "spec.podName",
        "spec.nodeName",
    ),
}


def strategy(kind: Kind) -> Strategy:
    """Build the rules of a kind that has no module."""
    return build(
        has_status="status" in kind.subresources,
        first_status={} if "status" in kind.subresources else None,
        generation=kind.resource in _GENERATIONS,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=kind.namespaced),
            required_check(kind),
        ),
        update_checks=(metadata_update_check(),),
        fields=_FIELDS.get(kind.resource, ()),
    )
