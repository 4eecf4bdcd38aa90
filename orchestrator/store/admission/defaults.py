"""Plugins that fill in what the cluster's classes say: storage, ingress, runtime and priority.

Source of words: k8s.io/kubernetes plugin/pkg/admission/{storage,network,runtimeclass,priority}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.resources.errors import forbidden
from orchestrator.resources.objects import Object, annotations_of, meta, name_of, spec_of, status_of
from orchestrator.resources.pod_resources import nano_of
from orchestrator.store.admission.examining import Examined
from orchestrator.store.identities import named

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
INGRESSES: Final = "ingresses.networking.k8s.io"
STORAGE_CLASSES: Final = "storageclasses.storage.k8s.io"
INGRESS_CLASSES: Final = "ingressclasses.networking.k8s.io"
RUNTIME_CLASSES: Final = "runtimeclasses.node.k8s.io"
PRIORITY_CLASSES: Final = "priorityclasses.scheduling.k8s.io"
_OWN_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_STORAGE: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _default(classes: Iterable[Object], marks: tuple[str, ...]) -> str | None:
    """Return the newest of the classes that are marked; of two as new, the first by name."""
    marked = [one for one in classes if any(annotations_of(one).get(m) == "true" for m in marks)]
    marked.sort(key=name_of)
    # Stable: among equals the first by name stays in front.
    newest = max(marked, key=lambda one: str(meta(one).get("creationTimestamp")), default=None)
    return name_of(newest) if newest is not None else None


def with_storage_class(claim: Object, reader: Any) -> Object:
    """Give a claim the default class, unless it names one; an empty name asks for none."""
    spec = spec_of(claim)
    if spec.get("storageClassName") is not None or _OWN_CLASS in annotations_of(claim):
        return claim
    name = _default(reader.list(STORAGE_CLASSES), _DEFAULT_STORAGE)
    return claim if name is None else {**claim, "spec": {**spec, "storageClassName": name}}


def with_claim_protection(claim: Object, _reader: Any) -> Object:
    """Keep a claim from being removed while pods use it; a controller lets it go."""
    return _with_finalizer(claim, "kubernetes.io/pvc-protection")


def with_volume_protection(volume: Object, _reader: Any) -> Object:
    """Keep a volume from being removed while it is bound; a controller lets it go."""
    return _with_finalizer(volume, "kubernetes.io/pv-protection")


def _with_finalizer(obj: Object, finalizer: str) -> Object:
    metadata = obj["metadata"]
    present = metadata.get("finalizers") or []
    if finalizer in present:
        return obj
    return {**obj, "metadata": {**metadata, "finalizers": [*present, finalizer]}}


def with_ingress_class(ingress: Object, reader: Any) -> Object:
    """Give an Ingress the default class, unless it names one."""
    spec = spec_of(ingress)
    if spec.get("ingressClassName") is not None:
        return ingress
    if "kubernetes.io/ingress.class" in annotations_of(ingress):
        return ingress
    marks = ("ingressclass.kubernetes.io/is-default-class",)
    name = _default(reader.list(INGRESS_CLASSES), marks)
    return ingress if name is None else {**ingress, "spec": {**spec, "ingressClassName": name}}


def with_runtime_class(pod: Object, reader: Any) -> Object:
    """Give a pod the overhead and the placement of its runtime.

    Raises:
        StatusError: 403 for a class that is not there or says otherwise.
    """
    spec = pod["spec"]
    name = spec.get("runtimeClassName")
    found = reader.get(RUNTIME_CLASSES, "", name) if name else None
    if name and found is None:
        raise forbidden("pods", named(pod), f'pod rejected: RuntimeClass "{name}" not found')
    overhead = ((found or {}).get("overhead") or {}).get("podFixed")
    if not overhead:
        if spec.get("overhead"):
            why = "Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise forbidden("pods", named(pod), f"pod rejected: {why}")
    elif spec.get("overhead") and nano_of(spec["overhead"]) != nano_of(overhead):
        why = "Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        raise forbidden("pods", named(pod), f"pod rejected: {why}")
    else:
        spec = {**spec, "overhead": overhead}
    if found is not None:
        spec = _placed(pod, spec, found.get("scheduling") or {})
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _placed(pod: Object, spec: dict[str, Any], scheduling: dict[str, Any]) -> dict[str, Any]:
    wanted = spec.get("nodeSelector") or {}
    for key, value in sorted((scheduling.get("nodeSelector") or {}).items()):
        if wanted.get(key, value) != value:
            why = (
                f"conflict: runtimeClass.Scheduling.NodeSelector[{key}] = {value}; "
                f"pod.Spec.NodeSelector[{key}] = {wanted[key]}"
            )
            raise forbidden("pods", named(pod), why)
    if scheduling.get("nodeSelector"):
        spec = {**spec, "nodeSelector": {**wanted, **scheduling["nodeSelector"]}}
    present = spec.get("tolerations") or []
    added = [one for one in scheduling.get("tolerations") or () if one not in present]
    return {**spec, "tolerations": [*present, *added]} if added else spec


def check_priority_class(examined: Examined) -> None:
    """Let one PriorityClass at most be the default.

    Raises:
        StatusError: 403.
    """
    if not examined.object.get("globalDefault"):
        return
    name = name_of(examined.object)
    for other in examined.reader.list(PRIORITY_CLASSES):
        if other.get("globalDefault") and (examined.old is None or name_of(other) != name):
            why = f"PriorityClass {name_of(other)} is already marked as default. "
            raise forbidden(PRIORITY_CLASSES, name, why + "Only one default can exist")


def check_claim_resize(examined: Examined) -> None:
    """Let a bound claim grow where its class allows it.

    Raises:
        StatusError: 403.
    """
    claim, old = examined.object, examined.old
    if old is None or examined.subresource or _storage(claim) <= _storage(old):
        return
    if status_of(old).get("phase") != "Bound":
        why = "Only bound persistent volume claims can be expanded"
        raise forbidden(CLAIMS, name_of(claim), why)
    name = annotations_of(claim).get(_OWN_CLASS) or spec_of(claim).get("storageClassName")
    found = examined.reader.get(STORAGE_CLASSES, "", name) if name else None
    if not (found or {}).get("allowVolumeExpansion"):
        why = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions "
            "the pvc must support resize"
        )
        raise forbidden(CLAIMS, name_of(claim), why)


def _storage(claim: Object) -> int:
    requests = (spec_of(claim).get("resources") or {}).get("requests")
    return nano_of(requests).get("storage", 0)
