"""Defaults of pods and pod templates.

Source of the values: pkg/apis/core/v1/defaults.go of Kubernetes and the API reference.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.quantities import QuantityError
from orchestrator.resources.strategies._aggregates import requested_together
from orchestrator.resources.strategies._sharing import Part, changed, each, filled, put

_FIELD_REF: Final = {"apiVersion": "v1"}
_MODE: Final = {"defaultMode": 0o644}
_HANDLERS: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_CONTAINER_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")


def default_pod_spec(spec: Part) -> Part:
    """Default a pod's or a template's spec: what both have in common."""
    spec = filled(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec = filled(spec, serviceAccountName=account)
        spec = put(spec, "serviceAccount", spec["serviceAccountName"])
    for field in _CONTAINER_LISTS:
        spec = changed(spec, field, _containers)
    return changed(spec, "volumes", _volumes)


def default_template(template: Part) -> Part:
    """Default a pod template."""
    return changed(filled(template, spec={}), "spec", default_pod_spec)


def default_lone_pod_spec(spec: Part) -> Part:
    """Default what only a pod has, not a template: service links, requests, host ports."""
    spec = filled(default_pod_spec(spec), enableServiceLinks=True)
    for field in ("containers", "initContainers"):
        spec = changed(spec, field, _requests)
        if spec.get("hostNetwork"):
            spec = changed(spec, field, _host_ports)
    if spec.get("resources"):
        spec = changed(spec, "resources", lambda whole: _whole_requests(whole, spec))
    return spec


def _container(container: Part) -> Part:
    pull = container.get("imagePullPolicy") or pull_policy(container.get("image") or "")
    container = filled(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=pull,
    )
    container = changed(container, "ports", _ports)
    container = changed(container, "env", _env)
    for field in _HANDLERS:
        container = changed(container, field, _probe)
    return changed(container, "lifecycle", _lifecycle)


def pull_policy(image: str) -> str:
    """Return the policy of an image: ``Always`` for ``latest`` or no tag, else ``IfNotPresent``."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return "Always" if tag in {"", "latest"} else "IfNotPresent"


def _port(port: Part) -> Part:
    return filled(port, protocol="TCP")


def _env_var(variable: Part) -> Part:
    return changed(variable, "valueFrom", _value_source)


def _value_source(source: Part) -> Part:
    source = changed(source, "fileKeyRef", lambda reference: filled(reference, optional=False))
    return _field_reference(source)


def _field_reference(source: Part) -> Part:
    source = changed(source, "resourceFieldRef", lambda reference: filled(reference, divisor="0"))
    return changed(source, "fieldRef", lambda reference: filled(reference, **_FIELD_REF))


def _http_get(action: Part) -> Part:
    return filled(action, path="/", scheme="HTTP")


def _probe(probe: Part) -> Part:
    probe = filled(
        probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3
    )
    for field in ("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe[field] == 0:  # upstream takes 0 for unset here
            probe = {**probe, field: {"periodSeconds": 10, "failureThreshold": 3}.get(field, 1)}
    probe = changed(probe, "httpGet", _http_get)
    return changed(probe, "grpc", lambda grpc: filled(grpc, service=""))


def _lifecycle(lifecycle: Part) -> Part:
    for field in ("postStart", "preStop"):
        lifecycle = changed(
            lifecycle, field, lambda handler: changed(handler, "httpGet", _http_get)
        )
    return lifecycle


def _requests_of(container: Part) -> Part:
    """Let a request that is not given be its limit."""
    resources: dict[str, Any] = container.get("resources") or {}
    limits = resources.get("limits")
    if not limits:
        return container
    requests = filled(resources.get("requests") or {}, **limits)
    if requests is resources.get("requests"):
        return container
    return {**container, "resources": {**resources, "requests": requests}}


def _whole_requests(resources: Part, spec: Part) -> Part:
    """Let a pod's request be that of its containers together, or else its limit."""
    given: dict[str, Any] = resources.get("requests") or {}
    try:
        together = requested_together(spec)
    except QuantityError:
        return resources  # validation tells
    asked = {
        name: str(amount)
        for name, amount in together.items()
        if name in {"cpu", "memory"} and name not in given
    }
    limits = {
        name: amount
        for name, amount in (resources.get("limits") or {}).items()
        if name not in given and (name in {"cpu", "memory"} or name.startswith("hugepages-"))
    }
    more = {**limits, **asked}
    return {**resources, "requests": {**given, **more}} if more else resources


def _host_port(port: Part) -> Part:
    return port if port.get("hostPort") else {**port, "hostPort": port.get("containerPort")}


def _volume(volume: Part) -> Part:
    if len(volume) == 1 and "name" in volume:
        return {**volume, "emptyDir": {}}
    volume = changed(volume, "secret", lambda source: filled(source, **_MODE))
    volume = changed(volume, "configMap", lambda source: filled(source, **_MODE))
    volume = changed(volume, "downwardAPI", _downward)
    volume = changed(volume, "projected", _projected)
    volume = changed(volume, "hostPath", lambda source: filled(source, type=""))
    volume = changed(volume, "ephemeral", _ephemeral)
    volume = changed(volume, "image", _image)
    volume = changed(volume, "iscsi", lambda source: filled(source, iscsiInterface="default"))
    volume = changed(
        volume,
        "rbd",
        lambda source: filled(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    )
    volume = changed(
        volume,
        "azureDisk",
        lambda source: filled(
            source, cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False
        ),
    )
    return changed(
        volume,
        "scaleIO",
        lambda source: filled(source, storageMode="ThinProvisioned", fsType="xfs"),
    )


def _image(source: Part) -> Part:
    return filled(source, pullPolicy=pull_policy(source.get("reference") or ""))


def _downward(source: Part) -> Part:
    return changed(filled(source, **_MODE), "items", each(_field_reference))


def _projected(source: Part) -> Part:
    return changed(filled(source, **_MODE), "sources", each(_projection))


def _projection(source: Part) -> Part:
    source = changed(
        source, "serviceAccountToken", lambda token: filled(token, expirationSeconds=3600)
    )
    return changed(
        source,
        "downwardAPI",
        lambda downward: changed(downward, "items", each(_field_reference)),
    )


def _ephemeral(source: Part) -> Part:
    return changed(
        source,
        "volumeClaimTemplate",
        lambda template: changed(
            template, "spec", lambda spec: filled(spec, volumeMode="Filesystem")
        ),
    )


_containers = each(_container)
_ports = each(_port)
_env = each(_env_var)
_requests = each(_requests_of)
_host_ports = each(lambda container: changed(container, "ports", each(_host_port)))
_volumes = each(_volume)
