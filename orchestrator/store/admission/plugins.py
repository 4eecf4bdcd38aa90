"""Mutating plugins, by upstream's names."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from orchestrator.resources.errors import StatusError, forbidden
from orchestrator.resources.objects import Object
from orchestrator.store.admission.defaults import (
    CLAIMS,
    INGRESS_CLASSES,
    INGRESSES,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
    VOLUMES,
    check_claim_resize,
    check_priority_class,
    with_claim_protection,
    with_ingress_class,
    with_runtime_class,
    with_storage_class,
    with_volume_protection,
)
from orchestrator.store.admission.examining import Check
from orchestrator.store.admission.limits import (
    LIMIT_RANGES,
    check_limits,
    with_default_resources,
)
from orchestrator.store.admission.pod_security import NAMESPACES, WORKLOADS, check_pod_security
from orchestrator.store.identities import named

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io"
TOLERATION_SECONDS = 300
"""How long pods stay on a node that has failed, unless they say otherwise; upstream's default."""
_TOLERATIONS = tuple(
    {
        "key": taint,
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": TOLERATION_SECONDS,
    }
    for taint in _TAINTS
)


_TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - a name
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_TOKEN_SOURCES = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {
            "downwardAPI": {
                "items": [
                    {
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }
                ]
            }
        },
    ],
}
"""A token that is renewed after an hour, the CA and the namespace; one object for all pods."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Mutation(NamedTuple):
    """One plugin.

    Attributes:
        name: Upstream's.
        resources: What it looks at.
        apply: From a new, defaulted object (and a reader of the store) to the object; refuses
            with a `StatusError`.
        reads: Resources that it looks up with the reader.
    """

    name: str
    resources: tuple[str, ...]
    apply: Callable[[Object, Any], Object]
    reads: tuple[str, ...] = ()


def _service_account(pod: Object, reader: Any) -> Object:
    spec = pod["spec"]
    name = spec.get("serviceAccountName")
    if not name:
        name = "default"
        spec = {**spec, "serviceAccountName": name, "serviceAccount": name}
    namespace = pod["metadata"].get("namespace", "")
    account = reader.get("serviceaccounts", namespace, name)
    # The default account comes with its namespace, only a moment later; upstream makes users of a
    # new namespace try again until then.
    if account is None and name != "default":
        raise _refused(
            pod,
            f'error looking up service account {namespace}/{name}: serviceaccount "{name}" '
            "not found",
        )
    account = account or {}
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec = {**spec, "imagePullSecrets": account["imagePullSecrets"]}
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is not False:
        spec = _with_token(spec, pod["metadata"])
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _with_token(spec: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """Give every container its account's token where clients look for it."""
    volumes = spec.get("volumes") or []
    present = next((one["name"] for one in volumes if one["name"].startswith(_TOKEN_VOLUME)), "")
    name = present or _TOKEN_VOLUME + _suffix(metadata)
    changed = spec
    for field in ("initContainers", "containers"):
        containers = [_mounting(container, name) for container in spec.get(field) or ()]
        if any(new is not old for new, old in zip(containers, spec.get(field) or (), strict=True)):
            changed = {**changed, field: containers}
    if changed is not spec and not present:
        changed["volumes"] = [*volumes, {"name": name, "projected": _TOKEN_SOURCES}]
    return changed


def _mounting(container: dict[str, Any], volume: str) -> dict[str, Any]:
    mounts = container.get("volumeMounts") or []
    if any(mount.get("mountPath") == _TOKEN_PATH for mount in mounts):
        return container
    mount = {"name": volume, "readOnly": True, "mountPath": _TOKEN_PATH}
    return {**container, "volumeMounts": [*mounts, mount]}


def _suffix(metadata: dict[str, Any]) -> str:
    """Return five letters as upstream draws them at random; the same for the same pod.

    They need to differ from the other volumes of the pod only, and pods that share what admission
    made of their template share the name as well.
    """
    text = f"{metadata.get('namespace')}/{metadata.get('generateName') or metadata.get('name')}"
    number = zlib.crc32(text.encode())
    letters = []
    for _ in range(5):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    return "".join(letters)


def _default_toleration_seconds(pod: Object, _reader: Any) -> Object:
    spec = pod["spec"]
    present = spec.get("tolerations") or []
    added = [wanted for wanted in _TOLERATIONS if not any(_covers(one, wanted) for one in present)]
    if not added:
        return pod
    return {**pod, "spec": {**spec, "tolerations": [*present, *added]}}


def _covers(toleration: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return toleration.get("key") in {None, "", wanted["key"]} and toleration.get("effect") in {
        None,
        "",
        "NoExecute",
    }


_SYSTEM_PRIORITIES = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}


def _priority(pod: Object, reader: Any) -> Object:
    spec = pod["spec"]
    name = spec.get("priorityClassName") or ""
    policy = "PreemptLowerPriority"
    if name:
        found = reader.get(PRIORITY_CLASSES, "", name)
        if found is not None:
            value = int(found.get("value") or 0)
            policy = found.get("preemptionPolicy") or policy
        elif name in _SYSTEM_PRIORITIES:
            value = _SYSTEM_PRIORITIES[name]
        else:
            raise _refused(pod, f"no PriorityClass with name {name} was found")
    else:
        default = _default_class(reader)
        value = int(default.get("value") or 0) if default else 0
        if default:
            name = default["metadata"]["name"]
            policy = default.get("preemptionPolicy") or policy
    if spec.get("priority") not in {None, value}:
        raise _refused(
            pod,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod "
            f"spec; priority admission controller computed {value} from the given PriorityClass "
            "name",
        )
    if spec.get("preemptionPolicy") not in {None, policy}:
        raise _refused(
            pod,
            "the string value of PreemptionPolicy "
            f"({spec['preemptionPolicy']}) must not be provided in pod spec; priority admission "
            f"controller computed {policy} from the given PriorityClass name",
        )
    changes = {"priority": value, "preemptionPolicy": policy}
    if name:
        changes["priorityClassName"] = name
    return {**pod, "spec": {**spec, **changes}}


def _default_class(reader: Any) -> Object | None:
    classes = reader.list(PRIORITY_CLASSES)
    defaults = [found for found in classes if found.get("globalDefault")]
    # Of several, upstream takes the lowest.
    return min(defaults, key=lambda found: int(found.get("value") or 0), default=None)


def _refused(pod: Object, why: str) -> StatusError:
    return forbidden("pods", named(pod), why)


PLUGINS = (
    Mutation("LimitRanger", ("pods",), with_default_resources, (LIMIT_RANGES,)),
    Mutation("ServiceAccount", ("pods",), _service_account, ("serviceaccounts",)),
    Mutation("Priority", ("pods",), _priority, (PRIORITY_CLASSES,)),
    Mutation("DefaultTolerationSeconds", ("pods",), _default_toleration_seconds),
    Mutation("DefaultStorageClass", (CLAIMS,), with_storage_class, (STORAGE_CLASSES,)),
    Mutation("StorageObjectInUseProtection", (CLAIMS,), with_claim_protection),
    Mutation("StorageObjectInUseProtection", (VOLUMES,), with_volume_protection),
    Mutation("RuntimeClass", ("pods",), with_runtime_class, (RUNTIME_CLASSES,)),
    Mutation("DefaultIngressClass", (INGRESSES,), with_ingress_class, (INGRESS_CLASSES,)),
)
"""In upstream's order. NamespaceLifecycle, ResourceQuota and the service allocators run in the
sequencer, which alone knows the latest state."""

CHECKS = (
    Check("LimitRanger", ("pods", CLAIMS), check_limits, (LIMIT_RANGES,)),
    Check("PodSecurity", ("pods", NAMESPACES, *WORKLOADS), check_pod_security, (NAMESPACES,)),
    Check("Priority", (PRIORITY_CLASSES,), check_priority_class),
    Check("PersistentVolumeClaimResize", (CLAIMS,), check_claim_resize),
)
"""In upstream's order, run after validation."""
