"""Defaults of kinds that have no module of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._sharing import Part, changed, each, filled
from orchestrator.resources.strategies._strategy import Default

_RBAC: Final = "rbac.authorization.k8s.io"


def spec_defaults(**values: object) -> Default:
    """Make a default that fills scalar fields of the spec."""
    return in_spec(lambda spec: filled(spec, **values))


def in_spec(change: Callable[[Part], Part]) -> Default:
    """Make a default out of a change of the spec."""
    return lambda obj: changed(obj, "spec", change)


def default_claim(claim: Part) -> Part:
    """Default a PersistentVolumeClaim, also inside a StatefulSet."""
    claim = changed(claim, "spec", lambda spec: filled(spec, volumeMode="Filesystem"))
    return filled(claim, status={"phase": "Pending"})


def _subject(subject: Part) -> Part:
    return subject if subject.get("kind") == "ServiceAccount" else filled(subject, apiGroup=_RBAC)


def _binding(obj: Object) -> Object:
    obj = changed(obj, "roleRef", lambda reference: filled(reference, apiGroup=_RBAC))
    return changed(obj, "subjects", each(_subject))


def _rule(rule: Part) -> Part:
    return filled(rule, scope="*")


def _client(config: Part) -> Part:
    return changed(config, "service", lambda service: filled(service, port=443))


def _webhook(webhook: Part) -> Part:
    webhook = filled(
        webhook,
        failurePolicy="Fail",
        matchPolicy="Equivalent",
        namespaceSelector={},
        objectSelector={},
        timeoutSeconds=10,
    )
    webhook = changed(webhook, "rules", each(_rule))
    return changed(webhook, "clientConfig", _client)


def _mutating(obj: Object) -> Object:
    return changed(
        obj,
        "webhooks",
        each(lambda webhook: filled(_webhook(webhook), reinvocationPolicy="Never")),
    )


def _validating(obj: Object) -> Object:
    return changed(obj, "webhooks", each(_webhook))


def _volume(obj: Object) -> Object:
    obj = changed(
        obj,
        "spec",
        lambda spec: filled(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem"),
    )
    return filled(obj, status={"phase": "Pending"})


def _custom_resource(spec: Part) -> Part:
    spec = filled(spec, conversion={"strategy": "None"})

    def names(given: Part) -> Part:
        kind = given.get("kind", "")
        return filled(given, singular=kind.lower(), listKind=f"{kind}List")

    return changed(spec, "names", names)


DEFAULTS: Final[dict[str, Default]] = {
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "csidrivers.storage.k8s.io": spec_defaults(
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        volumeLifecycleModes=["Persistent"],
        seLinuxMount=False,
    ),
    "customresourcedefinitions.apiextensions.k8s.io": in_spec(_custom_resource),
    "horizontalpodautoscalers.autoscaling": spec_defaults(minReplicas=1),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _mutating,
    "persistentvolumeclaims": default_claim,
    "persistentvolumes": _volume,
    "priorityclasses.scheduling.k8s.io": lambda obj: filled(
        obj, preemptionPolicy="PreemptLowerPriority"
    ),
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "storageclasses.storage.k8s.io": lambda obj: filled(
        obj, reclaimPolicy="Delete", volumeBindingMode="Immediate"
    ),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _validating,
}
"""Store resource to default."""
