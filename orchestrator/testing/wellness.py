"""Which objects a reader wants to see, and which of them are not well. Pure."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object, meta, name_of, namespace_of, spec_of, status_of

_EVERYWHERE: Final = {
    "configmaps": {"kube-root-ca.crt"},
    "namespaces": {"default", "kube-system", "kube-public", "kube-node-lease"},
    "serviceaccounts": {"default"},
    "services": {"kubernetes"},
    "endpoints": {"kubernetes"},
    "endpointslices.discovery.k8s.io": {"kubernetes"},
    "priorityclasses.scheduling.k8s.io": {"system-cluster-critical", "system-node-critical"},
}
"""Resource → names of objects that every cluster has."""
_NEVER: Final = frozenset(
    {
        "leases.coordination.k8s.io",
        "apiservices.apiregistration.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "csinodes.storage.k8s.io",
        "controllerrevisions.apps",
        "componentstatuses",
        "servicecidrs.networking.k8s.io",
        "ipaddresses.networking.k8s.io",
    }
)
"""Resources that tell nothing of how a test went."""
_STANDING: Final = ("Ready", "Available", "Established")
"""Conditions that are true of what is well."""


def is_of_interest(resource: str, obj: Object) -> bool:
    """Tell whether an object is of the test's own, or one it depends on."""
    if resource in _NEVER or namespace_of(obj).startswith("kube-"):
        return False
    if "kubernetes.io/bootstrapping" in (meta(obj).get("labels") or {}):
        return False
    if resource == "events":
        about = obj.get("involvedObject") or {}
        return about.get("kind") != "Node" or obj.get("type") == "Warning"
    if resource == "storageclasses.storage.k8s.io":
        return "storageclass.kubernetes.io/is-default-class" not in (
            meta(obj).get("annotations") or {}
        )
    if resource.endswith(".rbac.authorization.k8s.io") and name_of(obj).startswith("system:"):
        return False
    return name_of(obj) not in _EVERYWHERE.get(resource, ())


def is_unwell(obj: Object) -> bool:
    """Tell whether an object is not (yet) as it should be, or on its way out."""
    if meta(obj).get("deletionTimestamp"):
        return True
    status, kind = status_of(obj), obj.get("kind")
    if kind == "Pod":
        return status.get("phase") != "Succeeded" and not _holds(obj, "Ready")
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"):
        wanted = spec_of(obj).get("replicas", 1)
        return _number(status.get("readyReplicas")) < _number(wanted)
    if kind == "DaemonSet":
        wanted = _number(status.get("desiredNumberScheduled"))
        return _number(status.get("numberReady")) < wanted
    if kind == "Job":
        return not _holds(obj, "Complete")
    if kind == "PersistentVolumeClaim":
        return status.get("phase") != "Bound"
    if kind == "Node" and spec_of(obj).get("unschedulable"):
        return True
    if kind == "Namespace":
        return status.get("phase") == "Terminating"
    found = (find_condition(obj, name) for name in _STANDING)
    return any(each is not None and each.get("status") != "True" for each in found)


def _holds(obj: Object, name: str) -> bool:
    found = find_condition(obj, name)
    return found is not None and found.get("status") == "True"


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
