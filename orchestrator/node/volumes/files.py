"""Volumes that are made of files: what is in them, pure, from the pod and the objects they name.

Messages are the kubelet's.
https://kubernetes.io/docs/concepts/storage/projected-volumes/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from orchestrator.node.environment import ConfigError, PodFacts, field_value, resource_value
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    labels_of,
    namespace_of,
    spec_of,
)

DEFAULT_MODE = 0o644


class File(NamedTuple):
    """A file of a volume.

    Attributes:
        content: All of it.
        mode: Permission bits.
    """

    content: bytes
    mode: int


Files: TypeAlias = Mapping[str, File]
"""By path within the volume."""


class Sources(Protocol):
    """Where references lead; reads of committed state."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return the object, or None."""


class VolumeError(Exception):
    """A volume cannot be set up for now; the text is the kubelet's.

    Attributes:
        observed: Whether a change in the cluster will tell when to try again; where not, it is
            something of the machine's, which tells nobody.
    """

    def __init__(self, message: str, *, observed: bool = True) -> None:
        super().__init__(message)
        self.observed = observed


class Context(NamedTuple):
    """What the content of a pod's volumes is made from.

    Attributes:
        pod: As it is now.
        facts: What the node adds to it.
        sources: The cluster's objects.
        token: Makes a ServiceAccount's token for an entry ``serviceAccountToken``.
    """

    pod: Object
    facts: PodFacts
    sources: Sources
    token: Callable[[Object], str]


KINDS = frozenset(("configMap", "secret", "downwardAPI", "projected"))
"""Types of volumes that `volume_files` makes."""


def volume_files(volume: Object, context: Context) -> dict[str, File]:
    """Return the files of a volume.

    Raises:
        VolumeError: With what is missing, as in ``configmap "settings" not found``.
    """
    namespace = namespace_of(context.pod)
    if (source := volume.get("configMap")) is not None:
        return object_files("configmap", source, namespace, context.sources, _mode_of(source))
    if (source := volume.get("secret")) is not None:
        named = {**source, "name": source.get("secretName")}
        return object_files("secret", named, namespace, context.sources, _mode_of(source))
    if (source := volume.get("downwardAPI")) is not None:
        return _downward_files(source, context, _mode_of(source))
    return _projected_files(volume["projected"], context)


def _mode_of(source: Object) -> int:
    mode = source.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def object_files(
    kind: str, source: Object, namespace: str, sources: Sources, mode: int
) -> dict[str, File]:
    """Return the entries of a ConfigMap or Secret, all of them or its ``items``.

    Args:
        kind: ``configmap`` or ``secret``.
        source: With ``name``, and perhaps ``items`` and ``optional``.
        namespace: The pod's.
        sources: Where it is looked up.
        mode: Of entries that name none.
    """
    name, optional = source.get("name") or "", bool(source.get("optional"))
    found = sources.get(f"{kind}s", namespace, name)
    if found is None:
        if optional:
            return {}
        raise VolumeError(f'{kind} "{name}" not found')
    entries = _entries(kind, found)
    items = source.get("items")
    if not items:
        return {key: File(content, mode) for key, content in entries.items()}
    files = {}
    for item in items:
        key = item["key"]
        if key in entries:
            own = item.get("mode")
            files[item["path"]] = File(entries[key], mode if own is None else int(own))
        elif not optional:
            what = "configmap references non-existent config key"
            if kind == "secret":
                what = "references non-existent secret key"
            raise VolumeError(f"{what}: {key}")
    return files


def _entries(kind: str, found: Object) -> dict[str, bytes]:
    data = found.get("data") or {}
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = found.get("binaryData") or {}
    return {key: value.encode() for key, value in data.items()} | {
        key: base64.b64decode(value) for key, value in binary.items()
    }


def _downward_files(source: Object, context: Context, mode: int) -> dict[str, File]:
    files = {}
    for item in source.get("items") or ():
        own = item.get("mode")
        content = _downward_value(item, context).encode()
        files[item["path"]] = File(content, mode if own is None else int(own))
    return files


def _downward_value(item: Object, context: Context) -> str:
    pod, facts = context.pod, context.facts
    try:
        if reference := item.get("resourceFieldRef"):
            owner = _container(pod, reference.get("containerName") or "")
            return resource_value({**reference, "containerName": ""}, pod, owner, facts)
        path = (item.get("fieldRef") or {}).get("fieldPath") or ""
        if path == "metadata.labels":
            return format_map(labels_of(pod))
        if path == "metadata.annotations":
            return format_map(annotations_of(pod))
        return field_value(path, pod, facts)
    except ConfigError as error:
        raise VolumeError(str(error)) from error


def _container(pod: Object, name: str) -> Object:
    spec = spec_of(pod)
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            if container["name"] == name:
                found: Object = container
                return found
    raise VolumeError(f"container {name} not found")


def format_map(values: Mapping[str, str]) -> str:
    """Return labels or annotations as a downwardAPI file has them: sorted ``key="value"`` lines."""
    return "\n".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(values.items())
    )


def _projected_files(projected: Object, context: Context) -> dict[str, File]:
    """Put all sources together; what is wrong with them is told at once, as upstream does."""
    mode = _mode_of(projected)
    namespace = namespace_of(context.pod)
    files: dict[str, File] = {}
    errors: list[VolumeError] = []
    for source in projected.get("sources") or ():
        try:
            for kind in ("configMap", "secret"):
                if (reference := source.get(kind)) is not None:
                    lower = kind.lower()
                    files |= object_files(lower, reference, namespace, context.sources, mode)
            if (reference := source.get("downwardAPI")) is not None:
                files |= _downward_files(reference, context, mode)
            if (reference := source.get("serviceAccountToken")) is not None:
                files[reference["path"]] = File(context.token(reference).encode(), mode)
        except VolumeError as error:
            errors.append(error)
    if not errors:
        return files
    texts = list(dict.fromkeys(map(str, errors)))
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    raise VolumeError(text, observed=all(error.observed for error in errors))
