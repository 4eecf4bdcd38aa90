"""VolumeAttachments: a volume that shall be attached to a node.

Source: pkg/apis/storage/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.problems import (
    MAX_INT32,
    each_invalid,
    forbidden,
    immutable,
    in_range,
    invalid,
    required,
    too_long,
)
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build, combined
from orchestrator.resources.strategies.persistentvolumes import inline_volume_problems

_METADATA_BYTES: Final = 256 * 1024
_MESSAGE_BYTES: Final = 1024
_ONE_OF: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of VolumeAttachments."""
    metadata = metadata_check(names.dns_subdomain, namespaced=False)
    whole = combined(metadata, _spec, _status)
    return build(
        has_status=True,
        first_status={"attached": False},
        create_checks=(metadata, _spec, _status),
        creation_checks=(_stable,),
        update_checks=(metadata_update_check(), _same_spec),
        status_metadata=(),
        status_checks=(metadata_update_check(), lambda new, _old: whole(new)),
    )


def _same_spec(new: Object, old: Object) -> list[FieldError]:
    return immutable("spec", spec_of(new), spec_of(old))


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = [] if spec.get("attacher") else [required("spec.attacher")]
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        found.append(required("spec.source", _ONE_OF))
    elif name is not None and inline is not None:
        found.append(forbidden("spec.source", _ONE_OF))
    elif inline is not None:
        found += inline_volume_problems(inline, "spec.source.inlineVolumeSpec")
    elif not name:
        why = "must specify non empty persistentVolumeName"
        found.append(required("spec.source.persistentVolumeName", why))
    node = spec.get("nodeName") or ""
    return found + each_invalid("spec.nodeName", node, names.dns_subdomain(node))


def _stable(obj: Object) -> list[FieldError]:
    """Check what only the stable version asks for, and only of new objects."""
    spec = spec_of(obj)
    found = driver_name("spec.attacher", spec.get("attacher") or "")
    name = (spec.get("source") or {}).get("persistentVolumeName")
    if name is not None:
        field = "spec.source.persistentVolumeName"
        found += each_invalid(field, name, names.dns_subdomain(name))
    return found


def _status(obj: Object) -> list[FieldError]:
    status = status_of(obj)
    metadata: dict[str, str] = status.get("attachmentMetadata") or {}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    found: list[FieldError] = []
    if size > _METADATA_BYTES:
        found.append(too_long("status.attachmentMetadata", _METADATA_BYTES))
    for field in ("attachError", "detachError"):
        error = status.get(field) or {}
        if len((error.get("message") or "").encode()) > _MESSAGE_BYTES:
            # Upstream names the limit of the metadata here.
            found.append(too_long(f"status.{field}.message", _METADATA_BYTES))
        code = error.get("errorCode")
        if code is not None and code < 0:
            found.append(invalid(f"status.{field}.errorCode", code, in_range(0, MAX_INT32)))
    return found
