"""Environment variables by which a container finds services: ``WEB_SERVICE_HOST`` and so on.

Names and values are those that the kubelet gives a container when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of

_MASTER_NAMESPACE = "default"
_MASTER_SERVICES = frozenset({"kubernetes"})


def service_environment(
    services: Iterable[Object], namespace: str, enable_links: bool
) -> dict[str, str]:
    """Return the variables for a pod of ``namespace``.

    The ``kubernetes`` service of the default namespace is always in; a service of the same name
    in the pod's own namespace takes its place. Services without an address are left out.

    Args:
        services: Any services, of all namespaces.
        namespace: The pod's namespace.
        enable_links: ``spec.enableServiceLinks``: whether the other services of the pod's
            namespace are in too.
    """
    chosen: dict[str, Object] = {}
    for service in services:
        if spec_of(service).get("clusterIP") in {None, "", "None"}:
            continue
        name, home = name_of(service), namespace_of(service)
        if home == namespace and enable_links:
            chosen[name] = service
        elif home == _MASTER_NAMESPACE and name in _MASTER_SERVICES:
            chosen.setdefault(name, service)
    variables: dict[str, str] = {}
    for name in sorted(chosen):
        variables.update(_variables_of(chosen[name]))
    return variables


def _variables_of(service: Object) -> dict[str, str]:
    prefix = name_of(service).upper().replace("-", "_")
    host = spec_of(service)["clusterIP"]
    ports = spec_of(service).get("ports") or []
    variables = {f"{prefix}_SERVICE_HOST": host}
    if not ports:
        return variables
    variables[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            label = port["name"].upper().replace("-", "_")
            variables[f"{prefix}_SERVICE_PORT_{label}"] = str(port["port"])
    bracketed = f"[{host}]" if ":" in host else host
    for index, port in enumerate(ports):
        number, protocol = port["port"], port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{bracketed}:{number}"
        if index == 0:
            variables[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{number}_{protocol.upper()}"
        variables[link] = url
        variables[f"{link}_PROTO"] = protocol.lower()
        variables[f"{link}_PORT"] = str(number)
        variables[f"{link}_ADDR"] = host
    return variables
