"""Validation of containers: regular, init and ephemeral ones.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.records import dataclass
from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    not_supported,
    one_listed,
    required,
)
from orchestrator.resources.strategies._environment import (
    environment_source_problems,
    variable_problems,
)
from orchestrator.resources.strategies._mounts import device_problems, mount_problems
from orchestrator.resources.strategies._probes import PROBES, probes_problems
from orchestrator.resources.strategies._resources import resource_problems
from orchestrator.resources.strategies._restarts import restart_problems
from orchestrator.resources.strategies._security import container_security_problems
from orchestrator.resources.strategies._sharing import Part

_PULL: Final = ("Always", "IfNotPresent", "Never")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_RESIZED: Final = ("cpu", "memory")
_RESIZES: Final = ("NotRequired", "RestartContainer")
_NOT_IN_INIT: Final = "may not be set for init containers without restartPolicy=Always"
_NOT_EPHEMERAL: Final = "cannot be set for an Ephemeral Container"
_EPHEMERAL_LACK: Final = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
"""Fields that ephemeral containers share with others but may not set, in upstream's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container's validity depends on in its pod.

    Attributes:
        volumes: The pod's faultless volumes by name.
        claims: Names of the pod's resource claims.
        grace: The pod's seconds of grace.
        restart_policy: The pod's.
        host_users: The pod has no user namespace of its own.
    """

    volumes: dict[str, Part]
    claims: frozenset[str]
    grace: int | None
    restart_policy: str
    host_users: bool


def containers_problems(spec: Part, around: Surroundings, at: str) -> list[FieldError]:
    """Check the regular containers."""
    containers = spec.get("containers") or ()
    here = f"{at}.containers"
    if not containers:
        return [required(here)]
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        place = f"{here}[{index}]"
        found += _common(container, around, place)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{place}.name", name))
        seen.add(name)
        found += probes_problems(container, place, around.grace)
        if "restartPolicy" in container or "restartPolicyRules" in container:
            found += restart_problems(container, place)
    return found + _port_conflicts(containers, here)


def init_containers_problems(spec: Part, around: Surroundings, at: str) -> list[FieldError]:
    """Check the init containers."""
    here = f"{at}.initContainers"
    seen = {container.get("name") or "" for container in spec.get("containers") or ()}
    found: list[FieldError] = []
    for index, container in enumerate(spec["initContainers"]):
        place = f"{here}[{index}]"
        found += _common(container, around, place)
        if "restartPolicy" in container or "restartPolicyRules" in container:
            found += restart_problems(container, place)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{place}.name", name))
        elif name:
            seen.add(name)
        # One by one, since init containers run one by one; upstream counts from 0 for each.
        found += _port_conflicts([container], here)
        if container.get("restartPolicy") == "Always":
            found += probes_problems(container, place, around.grace)
        else:
            found += [
                forbidden(f"{place}.{field}", _NOT_IN_INIT)
                for field in ("lifecycle", *PROBES)
                if container.get(field) is not None
            ]
    return found


def ephemeral_containers_problems(spec: Part, around: Surroundings, at: str) -> list[FieldError]:
    """Check the ephemeral containers."""
    here = f"{at}.ephemeralContainers"
    others = {
        container.get("name") or ""
        for field in ("containers", "initContainers")
        for container in spec.get(field) or ()
    }
    seen = set(others)
    found: list[FieldError] = []
    for index, container in enumerate(spec["ephemeralContainers"]):
        place = f"{here}[{index}]"
        found += _common(container, around, place)
        found += image_space_problems(container, place)
        name = container.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{place}.name", name))
        seen.add(name)
        target = container.get("targetContainerName") or ""
        if target and target not in others:
            found.append(not_found(f"{place}.targetContainerName", target))
        found += [
            forbidden(f"{place}.{field}", _NOT_EPHEMERAL)
            for field in _EPHEMERAL_LACK
            if container.get(field)
        ]
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            found += [
                forbidden(f"{place}.volumeMounts[{number}].{field}", _NOT_EPHEMERAL)
                for field in ("subPath", "subPathExpr")
                if mount.get(field)
            ]
    return found


def image_space_problems(container: Part, at: str) -> list[FieldError]:
    """Check what is asked of images in pods only, not in templates."""
    image = container.get("image") or ""
    if image == image.strip():
        return []
    return [invalid(f"{at}.image", image, "must not have leading or trailing whitespace")]


def _common(container: Part, around: Surroundings, at: str) -> list[FieldError]:
    """Check what all containers have in common."""
    name = container.get("name") or ""
    found = each_invalid(f"{at}.name", name, names.dns_label(name)) if name else []
    if not name:
        found.append(required(f"{at}.name"))
    if not container.get("image"):
        found.append(required(f"{at}.image"))
    found += one_listed(
        f"{at}.terminationMessagePolicy",
        container.get("terminationMessagePolicy"),
        _MESSAGE_POLICIES,
    )
    if ports := container.get("ports"):
        found += _ports(ports, f"{at}.ports")
    if variables := container.get("env"):
        found += variable_problems(variables, f"{at}.env", around.volumes)
    if sources := container.get("envFrom"):
        found += environment_source_problems(sources, f"{at}.envFrom")
    if container.get("volumeMounts"):
        found += mount_problems(container, f"{at}.volumeMounts", around.volumes)
    if container.get("volumeDevices"):
        found += device_problems(container, f"{at}.volumeDevices", around.volumes)
    found += one_listed(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), _PULL)
    if resources := container.get("resources"):
        found += resource_problems(resources, f"{at}.resources", around.claims)
    if policies := container.get("resizePolicy"):
        found += _resize(policies, around.restart_policy, f"{at}.resizePolicy")
    if (context := container.get("securityContext")) is not None:
        found += container_security_problems(
            context, f"{at}.securityContext", host_users=around.host_users
        )
    return found


def _ports(ports: Any, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{at}[{index}]"
        if name := port.get("name"):
            if problems := names.port_name(name):
                found += each_invalid(f"{here}.name", name, problems)
            elif name in seen:
                found.append(duplicate(f"{here}.name", name))
            else:
                seen.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            found.append(required(f"{here}.containerPort"))
        else:
            found += each_invalid(f"{here}.containerPort", number, names.port_number(number))
        if host := port.get("hostPort"):
            found += each_invalid(f"{here}.hostPort", host, names.port_number(host))
        protocol = port.get("protocol")
        if not protocol:
            found.append(required(f"{here}.protocol"))
        elif protocol not in _PROTOCOLS:
            found.append(not_supported(f"{here}.protocol", protocol, _PROTOCOLS))
    return found


def _port_conflicts(containers: Iterable[Part], at: str) -> list[FieldError]:
    """Check that no two of these containers take the same port of the node."""
    found: list[FieldError] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort")
            if not host:
                continue
            key = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{host}"
            if key in taken:
                found.append(duplicate(f"{at}[{index}].ports[{number}].hostPort", key))
            taken.add(key)
    return found


def _resize(policies: list[Part], restart_policy: str, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            found.append(duplicate(f"{at}[{index}]", name))
        seen.add(name)
        found += one_listed(at, name, _RESIZED)
        found += one_listed(at, restart, _RESIZES)
        if restart_policy == "Never" and restart != "NotRequired":
            found.append(
                invalid(at, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'")
            )
    return found
