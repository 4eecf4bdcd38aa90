"""Manifests as the pods that they would make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.sources import load_yaml
from orchestrator.resources.decoding import decode
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.strategies import strategy_of

_REPLICATED: Final = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"})
_SYSTEM_PRIORITIES: Final = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}


@dataclass(slots=True)
class Load:
    """What some manifests ask for.

    Attributes:
        pods: One object for each pod.
        daemons: One pod for each DaemonSet, which each node has to bear.
        notes: What of the manifests makes no pods.
    """

    pods: list[Object] = field(default_factory=list)
    daemons: list[Object] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_load(path: Path, priorities: Iterable[Object] = ()) -> Load:
    """Read manifests: Pods, and what makes pods.

    Args:
        path: A YAML or JSON file of any number of documents; lists are taken apart.
        priorities: The cluster's PriorityClasses.

    Raises:
        UserError: It is no manifest, or makes no pods.
    """
    values = _Priorities(priorities)
    load = Load()
    for document in documents_of(path):
        _add(load, document, values, path)
    if not load.pods and not load.daemons:
        raise UserError(f"{path}: nothing in it makes pods")
    return load


def read_template(path: Path, priorities: Iterable[Object] = ()) -> Object:
    """Read the one pod that a file is about: a Pod, or a workload's template.

    Raises:
        UserError: It is none, or has several.
    """
    values = _Priorities(priorities)
    found = [pod for document in documents_of(path) for pod in _template_of(document, values, path)]
    if len(found) != 1:
        raise UserError(f"{path}: one pod or workload is needed here, and there are {len(found)}")
    return found[0]


def documents_of(path: Path) -> Iterator[Object]:
    """Yield a file's objects.

    Raises:
        UserError: A document is no object.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    for document in load_yaml(text, path):
        items = document.get("items") if isinstance(document, dict) else None
        for item in items if isinstance(items, list) else [document]:
            if not isinstance(item, dict) or not item.get("kind"):
                raise UserError(f"{path}: a document has no kind: it is no Kubernetes object")
            yield _checked(item, path)


def _checked(item: Object, path: Path) -> Object:
    """Refuse misspelt fields and wrong types: they would silently ask for something else."""
    kind = registry().by_kind(str(item.get("apiVersion")), item["kind"])
    if kind is None:
        return item  # a custom resource: it makes no pods that this knows of
    try:
        return decode(item, kind, validation="Strict").object
    except StatusError as error:
        raise UserError(f"{path}: {error}") from error


class _Priorities:
    """What a priority class is worth."""

    def __init__(self, classes: Iterable[Object]) -> None:
        self._values = dict(_SYSTEM_PRIORITIES)
        self._policies: dict[str, str] = {}
        self._default = ""
        for each in classes:
            name = name_of(each)
            self._values[name] = int(each.get("value") or 0)
            self._policies[name] = each.get("preemptionPolicy") or "PreemptLowerPriority"
            if each.get("globalDefault"):
                self._default = name

    def resolve(self, spec: Object, path: Path) -> Object:
        """Return a spec with the number that its class stands for, as admission does it."""
        name = spec.get("priorityClassName") or self._default
        if not name or spec.get("priority") is not None:
            return spec
        if name not in self._values:
            raise UserError(
                f"{path}: no PriorityClass with name {name} was found; "
                "a dump has them if made by: kubectl get nodes,pods,priorityclasses -A -o json"
            )
        policy = spec.get("preemptionPolicy") or self._policies.get(name)
        more = {"preemptionPolicy": policy} if policy else {}
        return {**spec, "priority": self._values[name], **more}


def _add(load: Load, document: Object, priorities: _Priorities, path: Path) -> None:
    kind = document["kind"]
    pods = list(_template_of(document, priorities, path))
    if not pods:
        load.notes.append(f"{path}: a {kind} makes no pods")
        return
    (pod,) = pods
    if kind == "DaemonSet":
        load.daemons.append(pod)
        return
    count = _count(document, path)
    name = name_of(pod)
    load.pods.extend([pod] if kind == "Pod" else copies(pod, name, count))
    claims = (document.get("spec") or {}).get("volumeClaimTemplates")
    if claims:
        load.notes.append(f"{path}: the volumes that {kind} {name} would claim are left out")


def copies(pod: Object, name: str, count: int, first: int = 0) -> Iterator[Object]:
    """Yield copies of a pod under names of their own; they share their spec."""
    metadata = pod["metadata"]
    namespace = metadata.get("namespace") or "default"
    for number in range(first, first + count):
        own = f"{name}-{number}"
        yield {**pod, "metadata": {**metadata, "name": own, "uid": f"new {namespace}/{own}"}}


def _count(document: Object, path: Path) -> int:
    kind, spec = document["kind"], document.get("spec") or {}
    if kind in _REPLICATED:
        count = spec.get("replicas", 1)
    elif kind == "Job":
        parallel, completions = spec.get("parallelism", 1), spec.get("completions")
        count = parallel if completions is None else min(parallel, completions)
    else:
        count = 1
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UserError(f"{path}: {kind} {name_of(document)}: {count!r} is no number of pods")
    return count


def _template_of(document: Object, priorities: _Priorities, path: Path) -> Iterator[Object]:
    kind = document["kind"]
    spec = document.get("spec") or {}
    name = (document.get("metadata") or {}).get("name") or kind.lower()
    namespace = (document.get("metadata") or {}).get("namespace") or "default"
    template: Any
    owner: dict[str, Any] | None
    if kind == "Pod":
        template, owner = document, None
    elif kind in _REPLICATED or kind in {"DaemonSet", "Job"}:
        template = spec.get("template")
        owner = {"kind": kind, "name": name, "uid": f"new {kind} {namespace}/{name}"}
    elif kind == "CronJob":
        template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
        owner = {"kind": "Job", "name": name, "uid": f"new Job {namespace}/{name}"}
    else:
        return
    if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
        raise UserError(f"{path}: {kind} {name} has no pod's spec")
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "uid": f"new {namespace}/{name}",
        "labels": (template.get("metadata") or {}).get("labels") or {},
    }
    if owner is not None:
        metadata["ownerReferences"] = [{**owner, "apiVersion": "v1", "controller": True}]
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": without_place(template["spec"]),
    }
    pod = defaulted(pod, f"{path}: {kind} {name}")
    yield {**pod, "spec": priorities.resolve(pod["spec"], path)}


def without_place(spec: Mapping[str, Any]) -> Object:
    """Return a spec without the node it was bound to."""
    return {key: value for key, value in spec.items() if key != "nodeName"}


def defaulted(pod: Object, what: str) -> Object:
    """Return a pod with the API's defaults, such as requests that only limits were given for.

    Raises:
        UserError: The pod is not valid; with the API's words.
    """
    kinds = registry()
    strategy = strategy_of(kinds.by_key("pods"))
    try:
        made = strategy.default(pod)
        problems = strategy.validate_create(made)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise UserError(f"{what}: no valid pod: {error}") from error
    if problems:
        raise UserError(f"{what}: no valid pod: " + "; ".join(map(str, problems)))
    return made
