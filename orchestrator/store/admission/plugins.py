"""Mutating plugins, by upstream's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from orchestrator.resources.errors import StatusError, forbidden
from orchestrator.resources.objects import Object

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
        added = {"serviceAccountName": "default", "serviceAccount": "default"}
        return {**pod, "spec": {**spec, **added}}
    # The default account comes with its namespace, only a moment later; upstream makes users of a
    # new namespace try again until then.
    if name != "default":
        namespace = pod["metadata"].get("namespace", "")
        if reader.get("serviceaccounts", namespace, name) is None:
            raise _refused(
                pod,
                f'error looking up service account {namespace}/{name}: serviceaccount "{name}" '
                "not found",
            )
    return pod


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
    metadata = pod["metadata"]
    # A controller has chosen its pods' names already. Upstream's server chooses them, after
    # admission, so one refusal reads the same every time and is counted as one Event.
    return forbidden("pods", metadata.get("generateName") or metadata.get("name") or "", why)


PLUGINS = (
    Mutation("ServiceAccount", ("pods",), _service_account, ("serviceaccounts",)),
    Mutation("DefaultTolerationSeconds", ("pods",), _default_toleration_seconds),
    Mutation("Priority", ("pods",), _priority, (PRIORITY_CLASSES,)),
)
"""In upstream's order. NamespaceLifecycle and the service allocators run in the sequencer, which
alone knows the latest state."""
