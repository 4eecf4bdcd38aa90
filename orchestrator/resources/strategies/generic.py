"""Kinds without rules of their own: metadata, status and generation as upstream treats them."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.strategies._defaults import DEFAULTS
from orchestrator.resources.strategies._metadata import (
    NameCheck,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._required import required_check
from orchestrator.resources.strategies._strategy import Strategy, build, unchanged

_GENERATIONS: Final = frozenset(
    {
        "csidrivers.storage.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "ingressclasses.networking.k8s.io",
        "ingresses.networking.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "networkpolicies.networking.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "resourceslices.resource.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
    }
)
_PATH_NAMES: Final = frozenset({"clusterrolebindings", "clusterroles", "rolebindings", "roles"})
_FIELDS: Final = {
    "clustertrustbundles.certificates.k8s.io": ("spec.signerName",),
    "resourceslices.resource.k8s.io": ("spec.nodeName", "spec.driver"),
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
        default=DEFAULTS.get(kind.resource, unchanged),
        create_checks=(
            metadata_check(name_check(kind), namespaced=kind.namespaced),
            required_check(kind),
        ),
        update_checks=(metadata_update_check(),),
        fields=_FIELDS.get(kind.resource, ()),
    )


def name_check(kind: Kind) -> NameCheck:
    """Return the form that names of a kind must have."""
    return names.path_segment if kind.plural in _PATH_NAMES else names.dns_subdomain
