"""Whether the objects that a pod's volumes name are there: pure, and quick for pods without any.

This is all that a simulated pod has of its volumes.
"""

from __future__ import annotations

from orchestrator.node.volumes.accounts import PREFIX
from orchestrator.node.volumes.claims import claim_name, claimed_volume
from orchestrator.node.volumes.files import Sources, VolumeError, object_files
from orchestrator.node.volumes.followers import Key
from orchestrator.resources.objects import Object, namespace_of

_REFERRING = ("configMap", "secret", "persistentVolumeClaim", "ephemeral", "projected")


def refers(spec: Object) -> bool:
    """Whether a pod has a volume that may have to be waited for.

    The one that admission adds to every pod is none: its content is nothing a simulated pod reads.
    """
    for volume in spec.get("volumes") or ():
        for kind in _REFERRING:
            if kind in volume and not (kind == "projected" and volume["name"].startswith(PREFIX)):
                return True
    return False


def find_kind(volume: Object) -> str:
    """Return a volume's type; one that says nothing is an ``emptyDir``."""
    return next((key for key in volume if key != "name"), "emptyDir")


def references_of(pod: Object) -> frozenset[Key]:
    """Return the objects of which a pod's volumes are made."""
    namespace = namespace_of(pod)
    found: set[Key] = set()
    for volume in pod["spec"].get("volumes") or ():
        if (claim := claim_name(pod, volume)) is not None:
            found.add(("persistentvolumeclaims", namespace, claim))
        if secret := volume.get("secret"):
            found.add(("secrets", namespace, secret.get("secretName") or ""))
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if reference := source.get("configMap"):
                found.add(("configmaps", namespace, reference.get("name") or ""))
            if source is not volume and (reference := source.get("secret")):
                found.add(("secrets", namespace, reference.get("name") or ""))
            if "serviceAccountToken" in source:
                name = pod["spec"].get("serviceAccountName") or "default"
                found.add(("serviceaccounts", namespace, name))
    return frozenset(found)


def missing_of(pod: Object, sources: Sources) -> list[str]:
    """Return what the kubelet would say of each volume that cannot be set up for now."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        try:
            _check(pod, volume, sources)
        except VolumeError as error:
            text = str(error)
            if not text.startswith("Unable"):
                text = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {text}'
            found.append(text)
    return found


def _check(pod: Object, volume: Object, sources: Sources) -> None:
    namespace = namespace_of(pod)
    if volume.get("persistentVolumeClaim") or volume.get("ephemeral"):
        claimed_volume(pod, volume, sources)
    elif source := volume.get("configMap"):
        object_files("configmap", source, namespace, sources, 0)
    elif source := volume.get("secret"):
        named = {**source, "name": source.get("secretName")}
        object_files("secret", named, namespace, sources, 0)
    elif "projected" in volume and not volume["name"].startswith(PREFIX):
        for source in volume["projected"].get("sources") or ():
            for kind in ("configMap", "secret"):
                if reference := source.get(kind):
                    object_files(kind.lower(), reference, namespace, sources, 0)
