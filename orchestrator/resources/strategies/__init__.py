"""Defaults, validation and life-cycle rules of every kind; see `Strategy`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from orchestrator.resources.errors import bad_request
from orchestrator.resources.kinds import Kind
from orchestrator.resources.selectors import FieldSelector
from orchestrator.resources.strategies._strategy import Strategy

__all__ = ["Strategy", "check_field_selector", "strategy_of"]

_MODULES: Final = {
    "apiservices.apiregistration.k8s.io": "apiservices",
    "certificatesigningrequests.certificates.k8s.io": "certificatesigningrequests",
    "clusterrolebindings.rbac.authorization.k8s.io": "rolebindings",
    "clusterroles.rbac.authorization.k8s.io": "roles",
    "clustertrustbundles.certificates.k8s.io": "clustertrustbundles",
    "configmaps": "configmaps",
    "controllerrevisions.apps": "controllerrevisions",
    "cronjobs.batch": "cronjobs",
    "csidrivers.storage.k8s.io": "csidrivers",
    "csinodes.storage.k8s.io": "csinodes",
    "csistoragecapacities.storage.k8s.io": "csistoragecapacities",
    "customresourcedefinitions.apiextensions.k8s.io": "customresourcedefinitions",
    "daemonsets.apps": "daemonsets",
    "deployments.apps": "deployments",
    "deviceclasses.resource.k8s.io": "deviceclasses",
    "endpoints": "endpoints",
    "endpointslices.discovery.k8s.io": "endpointslices",
    "events": "events",
    "events.events.k8s.io": "events",
    "flowschemas.flowcontrol.apiserver.k8s.io": "flowschemas",
    "horizontalpodautoscalers.autoscaling": "horizontalpodautoscalers",
    "ingressclasses.networking.k8s.io": "ingressclasses",
    "ingresses.networking.k8s.io": "ingresses",
    "ipaddresses.networking.k8s.io": "ipaddresses",
    "jobs.batch": "jobs",
    "leases.coordination.k8s.io": "leases",
    "limitranges": "limitranges",
    "mutatingadmissionpolicies.admissionregistration.k8s.io": "admissionpolicies",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": "admissionpolicybindings",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": "webhookconfigurations",
    "namespaces": "namespaces",
    "networkpolicies.networking.k8s.io": "networkpolicies",
    "nodes": "nodes",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "persistentvolumes": "persistentvolumes",
    "poddisruptionbudgets.policy": "poddisruptionbudgets",
    "pods": "pods",
    "podtemplates": "podtemplates",
    "priorityclasses.scheduling.k8s.io": "priorityclasses",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": "prioritylevelconfigurations",
    "replicasets.apps": "replicasets",
    "replicationcontrollers": "replicasets",
    "resourceclaims.resource.k8s.io": "resourceclaims",
    "resourceclaimtemplates.resource.k8s.io": "resourceclaims",
    "resourcequotas": "resourcequotas",
    "resourceslices.resource.k8s.io": "resourceslices",
    "rolebindings.rbac.authorization.k8s.io": "rolebindings",
    "roles.rbac.authorization.k8s.io": "roles",
    "runtimeclasses.node.k8s.io": "runtimeclasses",
    "secrets": "secrets",
    "serviceaccounts": "serviceaccounts",
    "servicecidrs.networking.k8s.io": "servicecidrs",
    "services": "services",
    "statefulsets.apps": "statefulsets",
    "storageclasses.storage.k8s.io": "storageclasses",
    "validatingadmissionpolicies.admissionregistration.k8s.io": "admissionpolicies",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": "admissionpolicybindings",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": "webhookconfigurations",
    "volumeattachments.storage.k8s.io": "volumeattachments",
    "volumeattributesclasses.storage.k8s.io": "storageclasses",
}
"""Modules of kinds with rules of their own; each has ``strategy(kind)``. Others are `generic`."""

_PLAIN_WORDS: Final = (
    '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'
)
_CUSTOM_WORDS: Final = "field label not supported: {}"
_NOT_BY_NAMESPACE: Final = frozenset(
    {
        "certificatesigningrequests.certificates.k8s.io",
        "clustertrustbundles.certificates.k8s.io",
        "namespaces",
        "nodes",
        "resourceslices.resource.k8s.io",
    }
)
"""Kinds that name their fields upstream, and the namespace is not among them."""
_FIELD_WORDS: Final = {
    **dict.fromkeys(
        (
            "certificatesigningrequests.certificates.k8s.io",
            "clustertrustbundles.certificates.k8s.io",
            "events",
            "namespaces",
            "nodes",
            "podcertificaterequests.certificates.k8s.io",
            "pods",
            "replicationcontrollers",
            "secrets",
            "services",
        ),
        _CUSTOM_WORDS,
    ),
    "jobs.batch": 'field label "{}" not supported for batchv1.Job',
    "resourceslices.resource.k8s.io": (
        "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}"
    ),
    "statefulsets.apps": "field label not supported for appsv1.StatefulSet: {}",
}
"""What is said of fields that a kind does not offer, where it differs."""


def strategy_of(kind: Kind) -> Strategy:
    """Return the rules of a kind."""
    if kind.custom is not None:
        return kind.custom.strategy
    return _built_in(kind)


@cache
def _built_in(kind: Kind) -> Strategy:
    module = import_module(f"{__name__}.{_MODULES.get(kind.resource, 'generic')}")
    strategy: Strategy = module.strategy(kind)
    return strategy


def check_field_selector(kind: Kind, selector: FieldSelector) -> None:
    """Refuse a selector on fields that a kind does not offer.

    Raises:
        StatusError: 400 in upstream's words, which differ between kinds.
    """
    fields = strategy_of(kind).fields
    if kind.resource in _NOT_BY_NAMESPACE:
        fields = fields - {"metadata.namespace"}
    unknown = selector.unsupported(fields.__contains__)
    if unknown is None:
        return
    words = _CUSTOM_WORDS if kind.custom is not None else _FIELD_WORDS.get(kind.resource)
    raise bad_request((words or _PLAIN_WORDS).format(unknown))
