"""Validation of containers: names, images, ports, environment, mounts, probes, resources.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.strategies._problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    not_negative,
    not_supported,
    one_of,
    required,
)
from orchestrator.resources.strategies._resources import resource_problems
from orchestrator.resources.strategies._sharing import Part

_PULL: Final = ("Always", "IfNotPresent", "Never")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_ENV_SOURCES: Final = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
_FIELD_PATHS: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_ACTIONS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBE_NUMBERS: Final = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)


def container_problems(
    container: Part, at: str, *, volumes: frozenset[str], field: str
) -> list[FieldError]:
    """Return every complaint about a container.

    Args:
        container: Defaulted container.
        at: Its path.
        volumes: Names of the pod's volumes.
        field: The list it stands in: ``containers``, ``initContainers``, ``ephemeralContainers``.
    """
    name = container.get("name") or ""
    image = container.get("image") or ""
    found = each_invalid(f"{at}.name", name, names.dns_label(name)) if name else []
    if not name:
        found.append(required(f"{at}.name"))
    if not image:
        found.append(required(f"{at}.image"))
    elif image != image.strip():
        found.append(invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("terminationMessagePolicy")
    if policy not in {None, "File", "FallbackToLogsOnError"}:
        found.append(
            invalid(
                f"{at}.terminationMessagePolicy",
                policy,
                "must be 'File' or 'FallbackToLogsOnError'",
            )
        )
    found += one_of(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), _PULL)
    found += _ports(container.get("ports") or (), f"{at}.ports")
    for index, variable in enumerate(container.get("env") or ()):
        found += _env_var(variable, f"{at}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or ()):
        found += _env_from(source, f"{at}.envFrom[{index}]")
    found += _mounts(container.get("volumeMounts") or (), f"{at}.volumeMounts", volumes)
    if resources := container.get("resources"):
        found += resource_problems(resources, f"{at}.resources")
    found += _probes(container, at, field)
    return found


def _probes(container: Part, at: str, field: str) -> list[FieldError]:
    found: list[FieldError] = []
    restarts = container.get("restartPolicy")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        if field == "initContainers" and restarts != "Always":
            found.append(
                forbidden(
                    f"{at}.{name}",
                    "may not be set for init containers without restartPolicy=Always",
                )
            )
            continue
        found += probe_problems(probe, f"{at}.{name}")
        if name != "readinessProbe" and probe.get("successThreshold") not in {None, 1}:
            found.append(
                invalid(f"{at}.{name}.successThreshold", probe["successThreshold"], "must be 1")
            )
    lifecycle = container.get("lifecycle") or {}
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            found += _handler(lifecycle[name], f"{at}.lifecycle.{name}")
    return found


def _ports(ports: Any, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{at}[{index}]"
        if name := port.get("name"):
            problems = names.port_name(name)
            found += each_invalid(f"{here}.name", name, problems)
            if not problems and name in seen:
                found.append(duplicate(f"{here}.name", name))
            seen.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            found.append(required(f"{here}.containerPort"))
        else:
            found += each_invalid(f"{here}.containerPort", number, names.port_number(number))
        if host := port.get("hostPort"):
            found += each_invalid(f"{here}.hostPort", host, names.port_number(host))
        found += one_of(f"{here}.protocol", port.get("protocol"), _PROTOCOLS)
    return found


def port_conflicts(spec: Part, at: str) -> list[FieldError]:
    """Check host ports over all containers of a pod."""
    found: list[FieldError] = []
    seen: set[str] = set()
    host_network = spec.get("hostNetwork")
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            for number, port in enumerate(container.get("ports") or ()):
                host = port.get("hostPort")
                here = f"{at}.{field}[{index}].ports[{number}]"
                if host_network and host and host != port.get("containerPort"):
                    found.append(
                        invalid(
                            f"{here}.containerPort",
                            port.get("containerPort"),
                            "must match `hostPort` when `hostNetwork` is true",
                        )
                    )
                if not host or field != "containers":
                    continue
                taken = f"{port.get('protocol')}/{port.get('hostIP') or ''}/{host}"
                if taken in seen:
                    found.append(duplicate(f"{here}.hostPort", taken))
                seen.add(taken)
    return found


def _env_var(variable: Part, at: str) -> list[FieldError]:
    name = variable.get("name") or ""
    if not name:
        found = [required(f"{at}.name")]
    else:
        found = each_invalid(f"{at}.name", name, names.env_name(name))
    source = variable.get("valueFrom")
    if source is None:
        return found
    here = f"{at}.valueFrom"
    given = [kind for kind in _ENV_SOURCES if source.get(kind) is not None]
    if not given:
        found.append(
            invalid(
                here,
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                "`secretKeyRef`",
            )
        )
    elif variable.get("value"):
        found.append(invalid(here, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        found.append(invalid(here, "", "may not have more than one field specified at a time"))
    if reference := source.get("fieldRef"):
        found += _field_ref(reference, f"{here}.fieldRef")
    if (reference := source.get("resourceFieldRef")) and not reference.get("resource"):
        found.append(required(f"{here}.resourceFieldRef.resource"))
    for kind in ("configMapKeyRef", "secretKeyRef"):
        reference = source.get(kind)
        if reference is None:
            continue
        key = reference.get("key") or ""
        if not key:
            found.append(required(f"{here}.{kind}.key"))
        else:
            found += each_invalid(f"{here}.{kind}.key", key, names.config_key(key))
    return found


def _field_ref(reference: Part, at: str) -> list[FieldError]:
    path = reference.get("fieldPath") or ""
    if not path:
        return [required(f"{at}.fieldPath")]
    base, bracket, _ = path.partition("['")
    if bracket and path.endswith("']") and base in {"metadata.labels", "metadata.annotations"}:
        return []
    if path in _FIELD_PATHS:
        return []
    if path in {"metadata.labels", "metadata.annotations"} or path.startswith(("spec.", "status.")):
        return [not_supported(f"{at}.fieldPath", path, _FIELD_PATHS)]
    return [
        invalid(
            f"{at}.fieldPath",
            path,
            f"error converting fieldPath: field label not supported: {path}",
        )
    ]


def _env_from(source: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if prefix := source.get("prefix"):
        found += each_invalid(f"{at}.prefix", prefix, names.env_name(prefix))
    given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
    if not given:
        found.append(invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif len(given) > 1:
        found.append(invalid(at, "", "may not have more than one field specified at a time"))
    found += [required(f"{at}.{kind}.name") for kind in given if not source[kind].get("name")]
    return found


def _mounts(mounts: Any, at: str, volumes: frozenset[str]) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{at}[{index}]"
        name = mount.get("name") or ""
        path = mount.get("mountPath") or ""
        if not name:
            found.append(required(f"{here}.name"))
        if name not in volumes:
            found.append(not_found(f"{here}.name", name))
        if not path:
            found.append(required(f"{here}.mountPath"))
        if path in seen:
            found.append(invalid(f"{here}.mountPath", path, "must be unique"))
        seen.add(path)
    return found


def probe_problems(probe: Part, at: str) -> list[FieldError]:
    """Check a probe: one handler, no negative numbers."""
    found = _handler(probe, at)
    for field in _PROBE_NUMBERS:
        found += not_negative(f"{at}.{field}", probe.get(field))
    return found


def _handler(handler: Part, at: str) -> list[FieldError]:
    given = [action for action in _ACTIONS if handler.get(action) is not None]
    found: list[FieldError] = []
    if not given:
        found.append(required(at, "must specify a handler type"))
    found += [
        forbidden(f"{at}.{action}", "may not specify more than 1 handler type")
        for action in given[1:]
    ]
    if (action := handler.get("exec")) is not None and not action.get("command"):
        found.append(required(f"{at}.exec.command"))
    if (action := handler.get("httpGet")) is not None:
        if not action.get("path"):
            found.append(required(f"{at}.httpGet.path"))
        found += target_port(f"{at}.httpGet.port", action.get("port"))
        scheme = action.get("scheme")
        if scheme not in {None, "HTTP", "HTTPS"}:
            found.append(not_supported(f"{at}.httpGet.scheme", scheme, ("HTTP", "HTTPS")))
    if (action := handler.get("tcpSocket")) is not None:
        found += target_port(f"{at}.tcpSocket.port", action.get("port"))
    if (action := handler.get("grpc")) is not None:
        port = action.get("port") or 0
        found += each_invalid(f"{at}.grpc.port", port, names.port_number(port))
    return found


def target_port(field: str, port: Any) -> list[FieldError]:
    """Check a port that is a number or the name of one."""
    if isinstance(port, str):
        return each_invalid(field, port, names.port_name(port))
    return each_invalid(field, port or 0, names.port_number(port or 0))
