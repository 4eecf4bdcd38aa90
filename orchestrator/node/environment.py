"""The environment of a container: pure, from the pod and the objects it refers to.

What the kubelet does in ``makeEnvironmentVariables``; messages are its own.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Protocol

from orchestrator.node.expansion import expand
from orchestrator.records import dataclass
from orchestrator.resources import quantities
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)


class Sources(Protocol):
    """Where references lead; reads of committed state."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return the object, or None."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the node adds to what the pod says.

    Attributes:
        address: The pod's IP.
        host: The node's IP.
        allocatable: The node's quantities, the limit of containers that set none.
        services: Service variables (``NAME_SERVICE_HOST``).
        path: ``PATH`` of containers that set none.
    """

    address: str
    host: str
    allocatable: Mapping[str, str]
    services: Mapping[str, str]
    path: str


class ConfigError(Exception):
    """A reference leads nowhere; the container waits with ``CreateContainerConfigError``."""


_INDEXED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def container_environment(
    pod: Object, container: Object, facts: PodFacts, sources: Sources
) -> dict[str, str]:
    """Compute the whole environment; nothing of the daemon's own gets in but ``PATH``.

    Later entries win: PATH, HOSTNAME and POD_IP, then service variables, ``envFrom`` in order,
    ``env`` in order. A value may refer to what stands before it.

    Raises:
        ConfigError: A ConfigMap, Secret or key that is not optional is missing.
    """
    found: dict[str, str] = {
        "PATH": facts.path,
        "HOSTNAME": spec_of(pod).get("hostname") or name_of(pod),
        "POD_IP": facts.address,
        **facts.services,
    }
    for source in container.get("envFrom") or ():
        found.update(_all_of(source, namespace_of(pod), sources))
    for entry in container.get("env") or ():
        if entry.get("valueFrom"):
            value = _value_from(entry["valueFrom"], pod, container, facts, sources)
            if value is not None:
                found[entry["name"]] = value
        else:
            found[entry["name"]] = expand(entry.get("value") or "", found)
    return found


def _read(kind: str, reference: Object, namespace: str, sources: Sources) -> dict[str, str] | None:
    """Texts of a ConfigMap or Secret, or None when it is missing and optional."""
    resource = "configmaps" if kind == "ConfigMap" else "secrets"
    name = reference.get("name") or ""
    target = sources.get(resource, namespace, name)
    if target is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = target.get("data") or {}
    if kind == "ConfigMap":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def _all_of(source: Object, namespace: str, sources: Sources) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        if reference := source.get(field):
            texts = _read(kind, reference, namespace, sources) or {}
            return {f"{prefix}{key}": value for key, value in texts.items()}
    return {}


def _value_from(
    source: Object, pod: Object, container: Object, facts: PodFacts, sources: Sources
) -> str | None:
    if reference := source.get("fieldRef"):
        return field_value(reference.get("fieldPath") or "", pod, facts)
    if reference := source.get("resourceFieldRef"):
        return resource_value(reference, pod, container, facts)
    for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if reference := source.get(field):
            texts = _read(kind, reference, namespace_of(pod), sources)
            key = reference.get("key") or ""
            if texts is not None and key in texts:
                return texts[key]
            if reference.get("optional"):
                return None
            where = f"{namespace_of(pod)}/{reference.get('name') or ''}"
            raise ConfigError(f"couldn't find key {key} in {kind} {where}")
    raise ConfigError("valueFrom names a source that this node does not know")


def field_value(path: str, pod: Object, facts: PodFacts) -> str:
    """Return what a ``fieldRef`` points to; a label or annotation that is missing is empty."""
    if match := _INDEXED.fullmatch(path):
        return (labels_of if match[1] == "labels" else annotations_of)(pod).get(match[2], "")
    match path:
        case "metadata.name":
            return name_of(pod)
        case "metadata.namespace":
            return namespace_of(pod)
        case "metadata.uid":
            return uid_of(pod)
        case "spec.nodeName":
            return str(spec_of(pod).get("nodeName") or "")
        case "spec.serviceAccountName":
            return str(spec_of(pod).get("serviceAccountName") or "")
        case "status.hostIP" | "status.hostIPs":
            return facts.host
        case "status.podIP" | "status.podIPs":
            return facts.address
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(reference: Object, pod: Object, container: Object, facts: PodFacts) -> str:
    """Return what a ``resourceFieldRef`` points to, in whole units of its divisor, rounded up.

    A limit that is not set is the node's allocatable, a request that is not set is 0.
    """
    owner = container
    if wanted := reference.get("containerName"):
        containers = spec_of(pod).get("containers") or ()
        found = next((item for item in containers if item["name"] == wanted), None)
        if found is None:
            raise ConfigError(f"container {wanted} not found")
        owner = found
    part, _, resource = (reference.get("resource") or "").partition(".")
    values = (owner.get("resources") or {}).get(part) or {}
    amount = values.get(resource)
    if amount is None:
        amount = facts.allocatable.get(resource, "0") if part == "limits" else "0"
    divisor = quantities.milli(str(reference.get("divisor") or "1")) or 1000
    return str(math.ceil(quantities.milli(str(amount)) / divisor))


def command_of(container: Object, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return command and arguments, expanded."""
    words = (*(container.get("command") or ()), *(container.get("args") or ()))
    return tuple(expand(word, variables) for word in words)
