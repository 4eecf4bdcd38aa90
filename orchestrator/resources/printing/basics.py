"""Rows of the core kinds that run nothing themselves: nodes, events, configuration, limits."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import (
    Object,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    status_of,
)
from orchestrator.resources.printing.columns import (
    AGE,
    CREATED_AT,
    NAME,
    NONE,
    Column,
    Printer,
    age,
    boolean,
    created_at,
    integer,
    named,
    wide,
)
from orchestrator.resources.printing.durations import UNKNOWN, since

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE = "kubernetes.io/role"


def _node_status(node: Object) -> str:
    ready = [
        "Ready" if condition.get("status") == "True" else "NotReady"
        for condition in status_of(node).get("conditions") or ()
        if condition.get("type") == "Ready"
    ]
    found = ready or ["Unknown"]
    if spec_of(node).get("unschedulable"):
        found.append("SchedulingDisabled")
    return ",".join(found)


def _node_roles(node: Object) -> str:
    roles = set()
    for key, value in labels_of(node).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE and value:
            roles.add(value)
    return ",".join(sorted(roles)) or NONE


def _node(node: Object, now: float) -> list[Any]:
    status = status_of(node)
    info = status.get("nodeInfo") or {}
    addresses: dict[str, str] = {}
    for address in status.get("addresses") or ():
        addresses.setdefault(address.get("type"), address.get("address"))
    return [
        name_of(node),
        _node_status(node),
        _node_roles(node),
        age(node, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP") or NONE,
        addresses.get("ExternalIP") or NONE,
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _namespace(obj: Object, now: float) -> list[Any]:
    return [name_of(obj), status_of(obj).get("phase", ""), age(obj, now)]


def _event_source(event: Object) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _event(event: Object, now: float) -> list[Any]:
    first_time = event.get("firstTimestamp") or event.get("eventTime")
    first = since(first_time, now)
    last = since(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    series = event.get("series")
    if series:
        last = since(series.get("lastObservedTime"), now)
        count = series.get("count", count)
    involved = event.get("involvedObject") or event.get("regarding") or {}
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name")
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath", ""),
        _event_source(event),
        str(event.get("message") or event.get("note") or "").strip(),
        first,
        count,
        name_of(event),
    ]


def _config_map(obj: Object, _now: float) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


def _quota_part(obj: Object, limits: bool) -> str:
    """Return used and hard amounts, of limits or of everything else, as upstream joins them."""
    status = status_of(obj)
    used, hard = status.get("used") or {}, status.get("hard") or {}
    return ", ".join(
        f"{name}: {used.get(name, '0')}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits.") is limits
    )


def _component(obj: Object, _now: float) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for condition in obj.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = "Healthy" if condition.get("status") == "True" else "Unhealthy"
            message, error = condition.get("message", ""), condition.get("error", "")
    return [name_of(obj), status, message, error]


def _modes(modes: list[str] | None) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    return ",".join(text for mode, text in short.items() if mode in (modes or ()))


def _volume(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    claim = spec.get("claimRef")
    return [
        name_of(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if is_deleting(obj) else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or "<unset>",
        status.get("reason", ""),
        age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _claim(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    bound = bool(spec.get("volumeName"))
    return [
        name_of(obj),
        "Terminating" if is_deleting(obj) else status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or "<unset>",
        age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


_ADDRESSES = "core.v1.NodeStatus/addresses"
_INFO = "core.v1.NodeSystemInfo"
_VOLUME = "core.v1.PersistentVolume"

_EVENTS = Printer(
    (
        Column("Last Seen", "core.v1.Event/lastTimestamp"),
        Column("Type", "core.v1.Event/type"),
        Column("Reason", "core.v1.Event/reason"),
        Column("Object", "core.v1.Event/involvedObject"),
        wide("Subobject", "core.v1.ObjectReference/fieldPath"),
        wide("Source", "core.v1.Event/source"),
        Column("Message", "core.v1.Event/message"),
        wide("First Seen", "core.v1.Event/firstTimestamp"),
        wide("Count", "core.v1.Event/count"),
        Column("Name", "meta/name", wide=True, format="name"),
    ),
    _event,
)

PRINTERS = {
    "nodes": Printer(
        (
            NAME,
            Column("Status", "The status of the node"),
            Column("Roles", "The roles of the node"),
            AGE,
            Column("Version", f"{_INFO}/kubeletVersion"),
            wide("Internal-IP", _ADDRESSES),
            wide("External-IP", _ADDRESSES),
            wide("OS-Image", f"{_INFO}/osImage"),
            wide("Kernel-Version", f"{_INFO}/kernelVersion"),
            wide("Container-Runtime", f"{_INFO}/containerRuntimeVersion"),
        ),
        _node,
    ),
    "namespaces": Printer((NAME, Column("Status", "The status of the namespace"), AGE), _namespace),
    "events": _EVENTS,
    "events.events.k8s.io": _EVENTS,
    "configmaps": Printer(
        (NAME, Column("Data", "core.v1.ConfigMap/data"), AGE), named(_config_map, age)
    ),
    "secrets": Printer(
        (
            NAME,
            Column("Type", "core.v1.Secret/type"),
            Column("Data", "core.v1.Secret/data"),
            AGE,
        ),
        named(
            lambda obj, _now: obj.get("type", ""),
            lambda obj, _now: len(obj.get("data") or ()),
            age,
        ),
    ),
    "serviceaccounts": Printer(
        (NAME, Column("Secrets", "core.v1.ServiceAccount/secrets"), AGE),
        named(lambda obj, _now: len(obj.get("secrets") or ()), age),
    ),
    "resourcequotas": Printer(
        (
            NAME,
            Column(
                "Request",
                "Request represents a minimum amount of cpu/memory that a container may consume.",
            ),
            Column(
                "Limit",
                "Limits control the maximum amount of cpu/memory that a container may use "
                "independent of contention on the node.",
            ),
            AGE,
        ),
        named(
            lambda obj, _now: _quota_part(obj, False),
            lambda obj, _now: _quota_part(obj, True),
            age,
        ),
    ),
    "limitranges": Printer((NAME, CREATED_AT), named(lambda obj, _now: created_at(obj))),
    "componentstatuses": Printer(
        (
            NAME,
            Column("Status", "Status of the component conditions"),
            Column("Message", "Message of the component conditions"),
            Column("Error", "Error of the component conditions"),
        ),
        _component,
    ),
    "persistentvolumes": Printer(
        (
            NAME,
            Column("Capacity", f"{_VOLUME}Spec/capacity"),
            Column("Access Modes", f"{_VOLUME}Spec/accessModes"),
            Column("Reclaim Policy", f"{_VOLUME}Spec/persistentVolumeReclaimPolicy"),
            Column("Status", f"{_VOLUME}Status/phase"),
            Column("Claim", f"{_VOLUME}Spec/claimRef"),
            Column("StorageClass", "StorageClass of the pv"),
            Column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
            Column("Reason", f"{_VOLUME}Status/reason"),
            AGE,
            wide("VolumeMode", f"{_VOLUME}Spec/volumeMode"),
        ),
        _volume,
    ),
    "persistentvolumeclaims": Printer(
        (
            NAME,
            Column("Status", f"{_VOLUME}ClaimStatus/phase"),
            Column("Volume", f"{_VOLUME}ClaimSpec/volumeName"),
            Column("Capacity", f"{_VOLUME}ClaimStatus/capacity"),
            Column("Access Modes", f"{_VOLUME}ClaimStatus/accessModes"),
            Column("StorageClass", "StorageClass of the pvc"),
            Column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
            AGE,
            wide("VolumeMode", f"{_VOLUME}ClaimSpec/volumeMode"),
        ),
        _claim,
    ),
    "priorityclasses.scheduling.k8s.io": Printer(
        (
            NAME,
            integer("Value", "scheduling.v1.PriorityClass/value"),
            boolean("Global-Default", "scheduling.v1.PriorityClass/globalDefault"),
            AGE,
            Column("PreemptionPolicy", "scheduling.v1.PriorityClass/preemptionPolicy"),
        ),
        named(
            lambda obj, _now: obj.get("value", 0),
            lambda obj, _now: bool(obj.get("globalDefault")),
            age,
            lambda obj, _now: obj.get("preemptionPolicy", ""),
        ),
    ),
    "leases.coordination.k8s.io": Printer(
        (NAME, Column("Holder", "coordination.v1.LeaseSpec/holderIdentity"), AGE),
        named(lambda obj, _now: spec_of(obj).get("holderIdentity") or "", age),
    ),
    "runtimeclasses.node.k8s.io": Printer(
        (NAME, Column("Handler", "node.v1.RuntimeClass/handler"), AGE),
        named(lambda obj, _now: obj.get("handler", ""), age),
    ),
}
