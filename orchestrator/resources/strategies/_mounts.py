"""Validation of what a container sees of the pod's volumes: mounts and block devices.

Several complaints about a mount name the list and not the item: these are upstream's paths.
Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from orchestrator.resources.strategies._paths import descending_path, no_backsteps
from orchestrator.resources.strategies._sharing import Part

_PROPAGATIONS: Final = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE: Final = ("Disabled", "Enabled", "IfPossible")


def mount_problems(container: Part, at: str, volumes: dict[str, Part]) -> list[FieldError]:
    """Check ``volumeMounts`` against the pod's volumes and the container's devices."""
    devices = {
        device.get("name"): device.get("devicePath")
        for device in container.get("volumeDevices") or ()
    }
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        here = f"{at}[{index}]"
        name, path = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            found.append(required(f"{here}.name"))
        if name not in volumes:
            found.append(not_found(f"{here}.name", name))
        if not path:
            found.append(required(f"{here}.mountPath"))
        if path in seen:
            found.append(invalid(f"{here}.mountPath", path, "must be unique"))
        seen.add(path)
        if devices:
            found += _beside_devices(name, path, here, devices)
        if len(mount) > 2:
            found += _details(mount, container, here, at)
    return found


def _beside_devices(name: str, path: str, at: str, devices: dict[Any, Any]) -> list[FieldError]:
    found: list[FieldError] = []
    if name in devices:
        found.append(invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
    if path in devices.values():
        found.append(
            invalid(f"{at}.mountPath", path, "must not already exist as a path in volumeDevices")
        )
    return found


def _details(mount: Part, container: Part, at: str, everywhere: str) -> list[FieldError]:
    found: list[FieldError] = []
    below, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if below:
        found += descending_path(f"{everywhere}.subPath", below)
    if expression:
        if below:
            found.append(
                invalid(
                    f"{at}.subPathExpr",
                    expression,
                    "subPathExpr and subPath are mutually exclusive",
                )
            )
        found += descending_path(f"{everywhere}.subPathExpr", expression)
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        field = f"{everywhere}.mountPropagation"
        if propagation not in _PROPAGATIONS:
            found.append(not_supported(field, propagation, _PROPAGATIONS))
        privileged = (container.get("securityContext") or {}).get("privileged")
        if propagation == "Bidirectional" and not privileged:
            found.append(
                forbidden(
                    field,
                    "Bidirectional mount propagation is available only to privileged containers",
                )
            )
    if (recursive := mount.get("recursiveReadOnly")) is not None:
        found += _recursion(recursive, mount, f"{everywhere}.recursiveReadOnly")
    return found


def _recursion(recursive: str, mount: Part, at: str) -> list[FieldError]:
    if recursive == "Disabled":
        return []
    if recursive not in _RECURSIVE:
        return [not_supported(at, recursive, _RECURSIVE)]
    found: list[FieldError] = []
    if not mount.get("readOnly"):
        found.append(forbidden(at, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in {None, "None"}:
        found.append(
            forbidden(at, "may only be specified when mountPropagation is None or not specified")
        )
    return found


def device_problems(container: Part, at: str, volumes: dict[str, Part]) -> list[FieldError]:
    """Check ``volumeDevices`` against the pod's volumes and the container's mounts."""
    mounts = {
        mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()
    }
    found: list[FieldError] = []
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        here = f"{at}[{index}]"
        name, path = device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            found.append(required(f"{here}.name"))
        if name in names:
            found.append(invalid(f"{here}.name", name, "must be unique"))
        if volume is None:
            found.append(not_found(f"{here}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            found.append(
                invalid(
                    f"{here}.name",
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for "
                    "block mode",
                )
            )
        if not path:
            found.append(required(f"{here}.devicePath"))
        if path in paths:
            found.append(invalid(f"{here}.devicePath", path, "must be unique"))
        if path and no_backsteps(here, path):
            found.append(invalid(f"{here}.devicePath", path, "can not contain backsteps ('..')"))
        else:
            paths.add(path)
        if name in mounts:
            found.append(invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if path in mounts.values():
            found.append(
                invalid(
                    f"{here}.devicePath", path, "must not already exist as a path in volumeMounts"
                )
            )
        if name:
            names.add(name)
    return found
