"""Where the storage of PersistentVolumes is: a check for each type, in upstream's order.

Source of rules and words: pkg/apis/core/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import each_invalid, invalid, required
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._paths import no_backsteps
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._volume_sources import (
    SourceCheck,
    aws_problems,
    azure_disk_problems,
    fc_problems,
    flex_problems,
    flocker_problems,
    gce_problems,
    host_path_problems,
    iscsi_problems,
    needs,
    nfs_problems,
    quobyte_problems,
    storage_os_problems,
)

_SECRETS: Final = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)


def _glusterfs(source: Part, at: str) -> list[FieldError]:
    found = needs("endpoints", "path")(source, at)
    namespace = source.get("endpointsNamespace")
    field = f"{at}.endpointsNamespace"
    if namespace == "":
        why = "if the endpointnamespace is set, it must be a valid namespace name"
        found.append(invalid(field, namespace, why))
    elif namespace is not None:
        found += each_invalid(field, namespace, names.dns_label(namespace))
    return found


def _cinder(source: Part, at: str) -> list[FieldError]:
    return needs("volumeID")(source, at) + _secret(source, at)


def _secret(source: Part, at: str) -> list[FieldError]:
    """Check that a secret is named whole, where there is one."""
    reference = source.get("secretRef")
    return [] if reference is None else needs("name", "namespace")(reference, f"{at}.secretRef")


def _storage_os(source: Part, at: str) -> list[FieldError]:
    found = storage_os_problems(source, at)
    reference = source.get("secretRef")
    if reference is not None and not reference.get("namespace"):
        found.append(required(f"{at}.secretRef.namespace"))
    return found


def _azure_file(source: Part, at: str) -> list[FieldError]:
    found = needs("secretName", "shareName")(source, at)
    if source.get("secretNamespace") == "":
        found.append(required(f"{at}.secretNamespace"))
    return found


def _local(source: Part, at: str) -> list[FieldError]:
    path = source.get("path") or ""
    return no_backsteps(f"{at}.path", path) if path else [required(f"{at}.path")]


def _csi(source: Part, at: str) -> list[FieldError]:
    found = driver_name(f"{at}.driver", source.get("driver") or "")
    found += needs("volumeHandle")(source, at)
    for field in _SECRETS:
        reference = source.get(field)
        if reference is not None:
            found += _whole_secret(reference, f"{at}.{field}")
    return found


def _whole_secret(reference: Part, at: str) -> list[FieldError]:
    name, namespace = reference.get("name") or "", reference.get("namespace") or ""
    found = (
        each_invalid(f"{at}.name", name, names.dns_subdomain(name))
        if name
        else [required(f"{at}.name")]
    )
    if not namespace:
        return [*found, required(f"{at}.namespace")]
    return found + each_invalid(f"{at}.namespace", namespace, names.dns_label(namespace))


SOURCES: Final[dict[str, SourceCheck]] = {
    "hostPath": host_path_problems,
    "gcePersistentDisk": gce_problems,
    "awsElasticBlockStore": aws_problems,
    "glusterfs": _glusterfs,
    "flocker": flocker_problems,
    "nfs": nfs_problems,
    "rbd": needs("monitors", "image"),
    "quobyte": quobyte_problems,
    "cephfs": needs("monitors"),
    "iscsi": iscsi_problems,
    "cinder": _cinder,
    "fc": fc_problems,
    "flexVolume": flex_problems,
    "azureFile": _azure_file,
    "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"),
    "portworxVolume": needs("volumeID"),
    "azureDisk": azure_disk_problems,
    "scaleIO": needs("gateway", "system", "volumeName"),
    "local": _local,
    "storageos": _storage_os,
    "csi": _csi,
}
