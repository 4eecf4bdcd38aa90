"""Validation of volumes that lie on some storage: one check for each type.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    if_given,
    in_range,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.quantities import QuantityError, parse
from orchestrator.resources.strategies._paths import descending_path, no_backsteps
from orchestrator.resources.strategies._sharing import Part

SourceCheck: TypeAlias = Callable[[Part, str], list[FieldError]]

_HOST_PATH_TYPES: Final = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_INITIATORS: Final = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([0-9A-Za-z\-.]+)(:[^,;*&$|\s]+)$", re.ASCII),
    "eui": re.compile(r"^eui.[0-9A-Za-z]{16}$"),
    "naa": re.compile(r"^naa.[0-9A-Za-z]{32}$"),
}
_BYTE: Final = 255
_HOST_PORT: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:]*")
_REGISTRY_WRONG: Final = "must be a host:port pair or multiple pairs separated by commas"


def needs(*fields: str) -> SourceCheck:
    """Make the check that some fields are there."""

    def check(source: Part, at: str) -> list[FieldError]:
        return [required(f"{at}.{field}") for field in fields if not source.get(field)]

    return check


def empty_dir_problems(source: Part, at: str) -> list[FieldError]:
    """Check an empty directory."""
    limit = source.get("sizeLimit")
    if limit is None:
        return []
    try:
        negative = parse(limit).nano < 0
    except QuantityError:
        return []  # decoding refuses it
    wrong = "SizeLimit field must be a valid resource quantity"
    return [forbidden(f"{at}.sizeLimit", wrong)] if negative else []


def host_path_problems(source: Part, at: str) -> list[FieldError]:
    """Check a directory or file of the node."""
    path = source.get("path") or ""
    if not path:
        return [required(f"{at}.path")]
    found = no_backsteps(f"{at}.path", path)
    return found + if_given(f"{at}.type", source.get("type"), _HOST_PATH_TYPES)


def git_repo_problems(source: Part, at: str) -> list[FieldError]:
    """Check a Git repository."""
    found = [] if source.get("repository") else [required(f"{at}.repository")]
    return found + descending_path(f"{at}.directory", source.get("directory") or "")


def nfs_problems(source: Part, at: str) -> list[FieldError]:
    """Check a share of an NFS server."""
    found = needs("server", "path")(source, at)
    path = source.get("path") or ""
    if not path.startswith("/"):
        found.append(invalid(f"{at}.path", path, "must be an absolute path"))
    return found


def iscsi_problems(source: Part, at: str) -> list[FieldError]:
    """Check an iSCSI disk."""
    found = [] if source.get("targetPortal") else [required(f"{at}.targetPortal")]
    name = source.get("iqn") or ""
    if not name:
        found.append(required(f"{at}.iqn"))
    else:
        found += _initiator(f"{at}.iqn", name)
    lun = source.get("lun") or 0
    if not 0 <= lun <= _BYTE:
        found.append(invalid(f"{at}.lun", lun, in_range(0, _BYTE)))
    asks = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    if asks and source.get("secretRef") is None:
        found.append(required(f"{at}.secretRef"))
    initiator = source.get("initiatorName")
    if initiator is not None:
        found += _initiator(f"{at}.initiatorname", initiator)
    return found


def _initiator(field: str, name: str) -> list[FieldError]:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        return [invalid(field, name, "must be valid format starting with iqn, eui, or naa")]
    return [] if pattern.search(name) else [invalid(field, name, "must be valid format")]


def fc_problems(source: Part, at: str) -> list[FieldError]:
    """Check a Fibre Channel disk."""
    targets, wwids = source.get("targetWWNs"), source.get("wwids")
    found: list[FieldError] = []
    if not targets and not wwids:
        found.append(
            required(f"{at}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
        )
    if targets and wwids:
        found.append(
            invalid(
                f"{at}.targetWWNs",
                targets,
                "targetWWNs and wwids can not be specified simultaneously",
            )
        )
    if targets:
        lun = source.get("lun")
        if lun is None:
            found.append(required(f"{at}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= _BYTE:
            found.append(invalid(f"{at}.lun", lun, in_range(0, _BYTE)))
    return found


def partition_problems(source: Part, at: str, name: str) -> list[FieldError]:
    """Check a cloud's disk of which a partition may be named."""
    found = [] if source.get(name) else [required(f"{at}.{name}")]
    partition = source.get("partition") or 0
    if not 0 <= partition <= _BYTE:
        found.append(invalid(f"{at}.partition", partition, in_range(1, _BYTE)))
    return found


def gce_problems(source: Part, at: str) -> list[FieldError]:
    """Check a Google persistent disk; upstream names the path so."""
    return partition_problems(source, at.replace("gcePersistentDisk", "persistentDisk"), "pdName")


def aws_problems(source: Part, at: str) -> list[FieldError]:
    """Check an Amazon disk."""
    return partition_problems(source, at, "volumeID")


def flocker_problems(source: Part, at: str) -> list[FieldError]:
    """Check a Flocker dataset."""
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID")
    found: list[FieldError] = []
    if not name and not uuid:
        found.append(required(at, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        found.append(
            invalid(
                at, "resource", "datasetName and datasetUUID can not be specified simultaneously"
            )
        )
    if "/" in name:
        found.append(invalid(f"{at}.datasetName", name, "must not contain '/'"))
    return found


def quobyte_problems(source: Part, at: str) -> list[FieldError]:
    """Check a Quobyte volume."""
    registry = source.get("registry") or ""
    found: list[FieldError] = []
    if not registry:
        found.append(required(f"{at}.registry", _REGISTRY_WRONG))
    elif len(source.get("tenant") or "") >= 65:
        found.append(
            required(f"{at}.tenant", "must be a UUID and may not exceed a length of 64 characters")
        )
    else:
        found += [
            invalid(f"{at}.registry", registry, _REGISTRY_WRONG)
            for pair in registry.split(",")
            if not _HOST_PORT.fullmatch(pair)
        ]
    if not source.get("volume"):
        found.append(required(f"{at}.volume"))
    return found


def cinder_problems(source: Part, at: str) -> list[FieldError]:
    """Check an OpenStack disk."""
    found = [] if source.get("volumeID") else [required(f"{at}.volumeID")]
    reference = source.get("secretRef")
    if reference is not None and not reference.get("name"):
        found.append(required(f"{at}.secretRef.name"))
    return found


def flex_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume of an exec-based driver."""
    found = [] if source.get("driver") else [required(f"{at}.driver")]
    for key in source.get("options") or ():
        namespace = f".{key.partition('/')[0].lower()}"
        if namespace.endswith((".kubernetes.io", ".k8s.io")):
            found.append(
                invalid(
                    f"{at}.options[{key}]",
                    key,
                    "kubernetes.io and k8s.io namespaces are reserved",
                )
            )
    return found


def azure_disk_problems(source: Part, at: str) -> list[FieldError]:
    """Check an Azure disk."""
    found = needs("diskName", "diskURI")(source, at)
    found += if_given(
        f"{at}.cachingMode", source.get("cachingMode"), ("None", "ReadOnly", "ReadWrite")
    )
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    found += if_given(f"{at}.kind", kind, ("Dedicated", "Managed", "Shared"))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        known = (
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/"
            "disks/{disk-id}"
        )
        found.append(not_supported(f"{at}.diskURI", uri, (known,)))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        known = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        found.append(not_supported(f"{at}.diskURI", uri, (known,)))
    return found


def storage_os_problems(source: Part, at: str) -> list[FieldError]:
    """Check a StorageOS volume."""
    name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
    if name:
        found = each_invalid(f"{at}.volumeName", name, names.dns_label(name))
    else:
        found = [required(f"{at}.volumeName")]
    if namespace:
        found += each_invalid(f"{at}.volumeNamespace", namespace, names.dns_label(namespace))
    reference = source.get("secretRef")
    if reference is not None and not reference.get("name"):
        found.append(required(f"{at}.secretRef.name"))
    return found


def image_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume out of an image."""
    found = [] if source.get("reference") else [required(f"{at}.reference")]
    policy = source.get("pullPolicy")
    if not policy:
        return [*found, required(f"{at}.pullPolicy")]
    return found + if_given(f"{at}.pullPolicy", policy, ("Always", "IfNotPresent", "Never"))
