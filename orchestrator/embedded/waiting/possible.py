"""What objects of a kind can come to, so that nobody waits for what cannot be. Pure.

Conditions are open to everyone: an operator may set one of its own on any object that has them. So
only kinds that have none are refused, and of others it is said what they usually have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.embedded.guessing import nearest
from orchestrator.embedded.waiting.paths import PREFIX, read_path
from orchestrator.resources.definitions import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.embedded.waiting.conditions import Condition
    from orchestrator.embedded.waiting.paths import Steps
    from orchestrator.resources.definitions import SchemaNode
    from orchestrator.resources.kinds import Kind

CONDITIONS: Final[dict[str, tuple[str, ...]]] = {
    "APIService": ("Available",),
    "CertificateSigningRequest": ("Approved", "Denied", "Failed"),
    "CustomResourceDefinition": ("Established", "NamesAccepted"),
    "DaemonSet": (),
    "Deployment": ("Available", "Progressing", "ReplicaFailure"),
    "HorizontalPodAutoscaler": ("AbleToScale", "ScalingActive", "ScalingLimited"),
    "Job": ("Complete", "Failed", "Suspended", "SuccessCriteriaMet", "FailureTarget"),
    "Node": ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"),
    "Pod": (
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
        "DisruptionTarget",
    ),
    "PodDisruptionBudget": ("DisruptionAllowed",),
    "ReplicaSet": ("ReplicaFailure",),
    "ReplicationController": ("ReplicaFailure",),
    "StatefulSet": (),
}
"""What the controllers of a kind set on its objects."""

WANTED: Final = {
    "APIService": "Available",
    "CustomResourceDefinition": "Established",
    "DaemonSet": "rollout",
    "Deployment": "Available",
    "Job": "Complete",
    "StatefulSet": "rollout",
}
"""What is waited for where nothing is said, of kinds that are never ``Ready``."""

ROLL_OUT: Final = ("Deployment", "DaemonSet", "StatefulSet")
STATUSES: Final = ("true", "false", "unknown")
_WORDS: Final = ("delete", "deleted", "exists", "create", "created")
_INSTEAD: Final = (
    "wait for 'exists', 'delete', 'jsonpath={.PATH}=VALUE', or a function of the object"
)


def wanted_of(kind: Kind) -> str:
    """Return the condition that is waited for where nothing is said."""
    return "Ready" if kind.custom is not None else WANTED.get(kind.kind, "Ready")


def refuse_impossible(kind: Kind, condition: Condition) -> None:
    """Refuse a condition that no object of a kind can ever come to.

    Raises:
        ValueError: It is one; the text says why, and what can be waited for.
    """
    if not isinstance(condition, str):
        return
    text = condition.removeprefix("condition=").strip()
    if text in _WORDS:
        return
    if text.startswith(PREFIX):
        _refuse_path(kind, read_path(text).steps)
    elif text == "rollout":
        if kind.kind not in ROLL_OUT and kind.custom is None:
            raise ValueError(
                f"a {kind.kind} does not roll out: Deployments, DaemonSets and StatefulSets do"
            )
    else:
        name, _, status = text.partition("=")
        _refuse_condition(kind, name, status)


def _refuse_condition(kind: Kind, name: str, status: str) -> None:
    known = kind.custom is None and kind.kind in CONDITIONS
    if not known and missing_from(schema_of(kind), ("status", "conditions")) is not None:
        raise ValueError(
            f"a {kind.kind} has no conditions, so it cannot come to {name!r}: {_INSTEAD}"
        )
    if status and kind.custom is None and status.lower() not in STATUSES:
        raise ValueError(f"a condition is True, False or Unknown, never {status!r}")


def _refuse_path(kind: Kind, steps: Steps | None) -> None:
    if not steps or (kind.custom is not None and steps[0] == "metadata"):
        return  # metadata is the same everywhere, and schemas of custom kinds don't name its fields
    missing = missing_from(schema_of(kind), steps)
    if missing is None:
        return
    at, there = missing
    path = _written(steps[: at + 1])
    near = nearest(steps[at], there)
    if near:
        hint = f"did you mean {_written((*steps[:at], near))}?"
    elif there:
        hint = f"there are {', '.join(sorted(there))}"
    else:
        hint = "there are no fields at that place"
    raise ValueError(f"a {kind.kind} has no field {path}: {hint}")


def missing_from(schema: SchemaNode, steps: Steps) -> tuple[int, Iterable[str]] | None:
    """Look a path up in a structure.

    Returns:
        Which of its steps is not there, and what there is; None: it may be there.
    """
    node: SchemaNode | None = schema
    for at, step in enumerate(steps):
        if node is None or node.is_free_form or node.keeps_unknown or node.open:
            return None
        if node.type == "array":
            node = node.items
        elif node.additional is not None:
            node = node.additional
        elif step in node.fields:
            node = node.fields[str(step)]
        elif node.type != "object":
            return at, ()
        elif isinstance(step, str):
            return at, node.fields.keys()
        else:
            return at, ()
    return None


def _written(steps: Steps) -> str:
    """Write steps as a path: ``.spec.containers[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def not_seen(kind: str, name: str, there: Iterable[str], phase: str = "") -> str:
    """Say that an object does not have a condition, and what was probably meant.

    Args:
        kind: Of the object.
        name: Of the condition.
        there: Conditions that it has.
        phase: Of the object, which is no condition though many take it for one.
    """
    usual = CONDITIONS.get(kind, ())
    said = f"it has no condition {name}"
    if phase and name.lower() in (phase.lower(), *_PHASES):
        return f"{said}; a phase is waited for as jsonpath={{.status.phase}}={name}"
    near = nearest(name, {*usual, *there})
    if near:
        return f"{said}: did you mean {near}?"
    if not usual and kind in ROLL_OUT:
        return f"{said}: a {kind} has none unless somebody else sets it; wait for 'rollout'"
    return f"{said}: a {kind} has {', '.join(usual)}" if usual else said


_PHASES: Final = ("pending", "running", "succeeded", "failed", "bound", "active", "terminating")
