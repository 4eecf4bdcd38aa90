"""PersistentVolumes: capacity, access and where the storage is, which never changes.

Source: pkg/apis/core/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    NOT_POSITIVE,
    each_invalid,
    forbidden,
    if_given,
    immutable,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.quantities import canonical, parse, whole
from orchestrator.resources.strategies._affinity import node_selector_problems
from orchestrator.resources.strategies._claims import VOLUME_MODES, access_mode_problems
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._differences import difference
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._persistent_sources import SOURCES
from orchestrator.resources.strategies._sharing import Part, changed, filled, put
from orchestrator.resources.strategies._strategy import Strategy, build

_RECLAIM: Final = ("Delete", "Recycle", "Retain")
_INLINE: Final = "may not be specified in the context of inline volumes"
_MAY_BE_ADDED: Final = "controllerExpandSecretRef"
_SOURCE_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "hostPath": {"type": ""},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "iscsi": {"iscsiInterface": "default"},
    "azureDisk": {
        "cachingMode": "ReadWrite",
        "kind": "Shared",
        "fsType": "ext4",
        "readOnly": False,
    },
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PersistentVolumes."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        default=in_spec(_default),
        first_status={"phase": "Pending"},
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update, _update),
        status_checks=(metadata_update,),
    )


def _default(spec: Part) -> Part:
    spec = filled(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    for source, values in _SOURCE_DEFAULTS.items():
        spec = changed(spec, source, _filler(values))
    return spec


def _filler(values: dict[str, Any]) -> Callable[[Part], Part]:
    return lambda source: filled(source, **values)


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = _modes(spec, "spec") + _capacity(spec.get("capacity"), "spec.capacity")
    policy = spec.get("persistentVolumeReclaimPolicy") or None
    found += if_given("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        found += _affinity(affinity, "spec.nodeAffinity")
    found += _sources(spec, "spec")
    root = (spec.get("hostPath") or {}).get("path")
    if root and posixpath.normpath(root).rstrip("/") == "" and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden("spec.persistentVolumeReclaimPolicy", why))
    storage_class = spec.get("storageClassName") or ""
    if storage_class:
        wrong = names.dns_subdomain(storage_class)
        found += each_invalid("spec.storageClassName", storage_class, wrong)
    found += if_given("spec.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
    return found + _attributes(spec, "spec")


def inline_volume_problems(spec: Part, at: str) -> list[FieldError]:
    """Check a volume that is written inside another object: of a CSI driver, and nothing else."""
    found = [
        forbidden(f"{at}.{field}", _INLINE) for field in ("claimRef", "capacity") if spec.get(field)
    ]
    if spec.get("csi") is None:
        found.append(required(f"{at}.csi", "has to be specified in the context of inline volumes"))
    found += _modes(spec, at)
    policy, mode = spec.get("persistentVolumeReclaimPolicy"), spec.get("volumeMode")
    if policy and policy != "Retain":
        why = "may only be Retain in the context of inline volumes"
        found.append(forbidden(f"{at}.persistentVolumeReclaimPolicy", why))
    if spec.get("nodeAffinity") is not None:
        found.append(forbidden(f"{at}.nodeAffinity", _INLINE))
    found += _sources(spec, at)
    if spec.get("storageClassName"):
        found.append(forbidden(f"{at}.storageClassName", _INLINE))
    if mode is not None and mode != "Filesystem":
        why = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        found.append(forbidden(f"{at}.volumeMode", why))
    return found


def _modes(spec: Part, at: str) -> list[FieldError]:
    modes = spec.get("accessModes") or ()
    found = [] if modes else [required(f"{at}.accessModes")]
    return found + access_mode_problems(modes, f"{at}.accessModes")


def _capacity(capacity: Part | None, at: str) -> list[FieldError]:
    given = capacity or {}
    found = [] if given else [required(at)]
    if "storage" not in given or len(given) > 1:
        found.append(not_supported(at, capacity or None, ("storage",)))
    for resource, amount in given.items():
        size = parse(amount).nano
        if size < 0:
            why = "must be a valid resource quantity"
            found.append(invalid(f"{at}[{resource}]", whole(amount), why))
        if size <= 0:
            found.append(invalid(f"{at}[{resource}]", canonical(amount), NOT_POSITIVE))
    return found


def _affinity(affinity: Part, at: str) -> list[FieldError]:
    selector = affinity.get("required")
    if selector is None:
        return [required(f"{at}.required", "must specify required node constraints")]
    return node_selector_problems(selector, f"{at}.required")


def _sources(spec: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    count = 0
    for name, check in SOURCES.items():
        source = spec.get(name)
        if source is None:
            continue
        count += 1
        if count > 1 and name != "flexVolume":
            why = "may not specify more than 1 volume type"
            found.append(forbidden(f"{at}.{'cephFS' if name == 'cephfs' else name}", why))
            continue
        found += check(source, f"{at}.{name}")
        if name == "local" and spec.get("nodeAffinity") is None:
            why = "Local volume requires node affinity"
            found.append(required(f"{at}.nodeAffinity", why))
    return found if count else [*found, required(at, "must specify a volume type")]


def _attributes(spec: Part, at: str) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    field = f"{at}.volumeAttributesClassName"
    found = (
        each_invalid(field, name, names.dns_subdomain(name))
        if name
        else [required(field, "an empty string is disallowed")]
    )
    if spec.get("csi") is None:
        why = "has to be specified when using volumeAttributesClassName"
        found.append(required(f"{at}.csi", why))
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new), spec_of(old)
    found: list[FieldError] = []
    now, was = _source(after), _source(before)
    if was.get("csi") and now.get("csi") and was["csi"].get(_MAY_BE_ADDED) is None:
        now = {**now, "csi": put(now["csi"], _MAY_BE_ADDED, None)}
    if now != was:
        why = f"spec.persistentvolumesource is immutable after creation\n{difference(was, now)}"
        found.append(forbidden("spec.persistentvolumesource", why))
    found += immutable("volumeMode", after.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") not in (None, after.get("nodeAffinity")):
        why = "field is immutable, except for updating from beta label to GA"
        found.append(forbidden("nodeAffinity", why))
    field = "volumeAttributesClassName"
    if before.get(field) is not None and after.get(field) is None:
        found.append(forbidden(f"spec.{field}", "update from non-nil value to nil is forbidden"))
    return found


def _source(spec: Part) -> Part:
    return {name: spec[name] for name in SOURCES if spec.get(name) is not None}
