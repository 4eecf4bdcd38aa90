"""A pod's status, as the kubelet would write it: pure, from the node's state of the pod."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from itertools import count

from orchestrator.node.core import describe_backoff, is_terminal
from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.node.support import unsupported_debugger
from orchestrator.resources.objects import Object, is_deleting, status_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store.operations import Changed, KnownChange

OWN_CONDITIONS = frozenset(
    ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
)
"""Condition types the node writes; others on the pod are kept as they are."""
_KEPT = ("qosClass", "reason", "message", "nominatedNodeName", "resourceClaimStatuses")
_NO_STATE: Object = {}
_NEVER = "1970-01-01T00:00:00Z"


def terminated_record(container: ContainerState, runtime: str) -> Object:
    """Return the ``terminated`` state of an ended container."""
    record: Object = {
        "exitCode": container.exit_code,
        "reason": container.reason or ("Completed" if container.exit_code == 0 else "Error"),
        "startedAt": format_time(container.started_at) if container.started_at else _NEVER,
        "finishedAt": format_time(container.finished_at),
        "containerID": f"{runtime}://{container.id}",
    }
    if container.signal:
        record["signal"] = container.signal
    if container.message:
        record["message"] = container.message
    return record


def _container_status(container: ContainerState, spec: Object, state: PodState) -> Object:
    running = container.phase is Phase.RUNNING
    last = container.last
    # What is not started again does not wait: a pod on its way out shows how its containers ended.
    held = container.held and not state.failed and not is_deleting(state.pod)
    if running:
        shown = _running(format_time(container.started_at))
    elif container.phase is Phase.EXITED and not held:
        shown = {"terminated": terminated_record(container, state.runtime)}
    else:
        if held:
            last = terminated_record(container, state.runtime)
        shown = {"waiting": _waiting(container, state)}
    status: Object = {
        "name": container.name,
        "state": shown,
        "lastState": {"terminated": last} if last else _NO_STATE,
        "ready": running,
        "restartCount": container.attempt,
        "image": container.image or spec.get("image") or "",
        "imageID": "",
        "started": running,
    }
    if container.id:
        status["containerID"] = f"{state.runtime}://{container.id}"
    return status


def _debugger_status(index: int, spec: Object) -> Object:
    """Return the status of an ephemeral container, which has ended without a start."""
    refusal = {
        "exitCode": 128,
        "reason": "UnsupportedField",
        "message": str(unsupported_debugger(index)),
    }
    return {
        "name": spec["name"],
        "state": {"terminated": refusal},
        "lastState": _NO_STATE,
        "ready": False,
        "restartCount": 0,
        "image": spec.get("image") or "",
        "imageID": "",
        "started": False,
    }


@lru_cache(maxsize=64)
def _running(since: str) -> Object:
    """One dictionary for all that started in a second: objects share what is alike."""
    return {"running": {"startedAt": since}}


def _waiting(container: ContainerState, state: PodState) -> Object:
    if state.unsupported:
        text = "; ".join(str(item) for item in state.unsupported)
        return {"reason": "UnsupportedField", "message": text}
    if state.waiting:
        return {"reason": state.waiting[0], "message": state.waiting[1]}
    if container.held:
        return {
            "reason": "CrashLoopBackOff",
            "message": describe_backoff(state.pod, container),
        }
    if container.phase is Phase.NEW and container.reason:
        return {"reason": container.reason, "message": container.message}
    return {"reason": "ContainerCreating"}


def pod_phase(state: PodState) -> str:
    """Return the phase by the kubelet's rules (``getPhase``)."""
    if is_terminal(state.pod):
        return str(state.pod["status"]["phase"])
    if state.failed:
        return "Failed"
    waiting = running = stopped = succeeded = 0
    for container in state.containers:
        if container.phase is Phase.RUNNING:
            running += 1
        elif container.phase is Phase.EXITED:
            stopped += 1
            succeeded += container.exit_code == 0 and not container.held
        elif container.last:
            stopped += 1
        else:
            waiting += 1
    if waiting:
        return "Pending"
    if running:
        return "Running"
    policy = state.pod["spec"].get("restartPolicy") or "Always"
    ended = all(item.phase is Phase.EXITED for item in state.containers)
    if not ended:
        return "Running"
    if policy == "Always":
        return _ended_by_deletion(state, stopped, succeeded)
    if stopped == succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else _ended_by_deletion(state, stopped, succeeded)


def _ended_by_deletion(state: PodState, stopped: int, succeeded: int) -> str:
    """A pod that would restart its containers is over only when it is being deleted."""
    if "deletionTimestamp" not in state.pod["metadata"]:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def pod_status(state: PodState, now: float) -> Object:
    """Return the whole status.

    Parts that did not change since ``state.status`` are not compared here: the writer does that
    once for the whole.
    """
    pod = state.pod
    stored = status_of(pod)
    present = state.status or stored
    phase = pod_phase(state)
    specs = pod["spec"]["containers"]
    statuses = [
        _container_status(container, spec, state)
        for container, spec in zip(state.containers, specs, strict=True)
    ]
    generation = pod["metadata"].get("generation")
    status: Object = {
        "conditions": _conditions(state, present, stored, phase, format_time(now), generation),
        "containerStatuses": statuses,
        "hostIP": state.host,
        "hostIPs": _host_addresses(state.host),
        "phase": phase,
        "startTime": present.get("startTime") or format_time(state.started_at),
    }
    if debuggers := pod["spec"].get("ephemeralContainers"):
        status["ephemeralContainerStatuses"] = list(map(_debugger_status, count(), debuggers))
    if generation is not None:
        status["observedGeneration"] = generation
    if state.failed:
        status["reason"], status["message"] = state.failed
    if state.address:
        status["podIP"] = state.address
        status["podIPs"] = [{"ip": state.address}]
    for kept in _KEPT:
        if kept in stored:
            status[kept] = stored[kept]
    return status


@lru_cache(maxsize=1024)
def _host_addresses(host: str) -> list[Object]:
    """One list for all pods of a node: objects share what is alike."""
    return [{"ip": host}]


def _conditions(
    state: PodState, present: Object, stored: Object, phase: str, now: str, generation: int | None
) -> list[Object]:
    """Return own conditions, dated by the last ones proposed, then others' as they are stored."""
    old = present.get("conditions") or ()
    sandbox = bool(state.address) and (
        phase not in ("Succeeded", "Failed") or any(item.is_live for item in state.containers)
    )
    unready = [item.name for item in state.containers if item.phase is not Phase.RUNNING]
    if not unready and sandbox and _is_fresh(old) and not state.pod["spec"].get("readinessGates"):
        return [*_ready_conditions(now, generation), *old]
    foreign = stored.get("conditions") or ()
    reason, message = _unready(phase, unready)
    wanted = [
        _condition("PodReadyToStartContainers", sandbox),
        _condition("Initialized", True, "PodCompleted" if phase == "Succeeded" else ""),
        _ready(state, reason, message, foreign),
        _condition("ContainersReady", not reason, reason, message),
        _condition("PodScheduled", True),
    ]
    by_type = {item["type"]: item for item in (*foreign, *old)}
    conditions = [_dated(item, by_type.get(item["type"]), now, generation) for item in wanted[:-1]]
    scheduled = by_type.get("PodScheduled")
    conditions.append(scheduled or _dated(wanted[-1], None, now, generation))
    return conditions + [item for item in foreign if item["type"] not in OWN_CONDITIONS]


def _is_fresh(old: Sequence[Object]) -> bool:
    """Whether no node has written conditions yet: the scheduler's only."""
    return len(old) == 1 and old[0]["type"] == "PodScheduled"


@lru_cache(maxsize=16)
def _ready_conditions(now: str, generation: int | None) -> tuple[Object, ...]:
    """All conditions of a pod that is ready at its first status; shared by all of that second."""
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
    return tuple(_dated(_condition(kind, True), None, now, generation) for kind in types)


def _unready(phase: str, unready: list[str]) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if phase == "Failed":
        return "PodFailed", ""
    if unready:
        return "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "", ""


def _ready(state: PodState, reason: str, message: str, old: Iterable[Object]) -> Object:
    gates = state.pod["spec"].get("readinessGates") or ()
    if gates and not reason:
        states = {item["type"]: item["status"] for item in old}
        for gate in gates:
            kind = gate["conditionType"]
            if kind not in states:
                text = f'corresponding condition of pod readiness gate "{kind}" does not exist.'
                return _condition("Ready", False, "ReadinessGatesNotReady", text)
            if states[kind] != "True":
                text = (
                    f'the status of pod readiness gate "{kind}" is not "True", but {states[kind]}'
                )
                return _condition("Ready", False, "ReadinessGatesNotReady", text)
    return _condition("Ready", not reason, reason, message)


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    condition: Object = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _dated(wanted: Object, old: Object | None, now: str, generation: int | None) -> Object:
    """Add the times; the old condition itself comes back when nothing changed."""
    moved = old is None or old.get("status") != wanted["status"]
    since = now if old is None or moved else old.get("lastTransitionTime", now)
    new: Object = {"lastProbeTime": None, "lastTransitionTime": since, **wanted}
    if generation is not None:
        new["observedGeneration"] = generation
    return old if old is not None and new == old else new


def status_change(
    status: Object, seen: Object | None, kept: Container[str] | None = None
) -> KnownChange:
    """Return the function that puts ``status`` into the stored pod.

    Args:
        status: From `pod_status`.
        seen: The stored status that ``status`` was computed from; where the store has another
            one by now, conditions that are not the node's are taken from there.
        kept: Fields of ``status`` that are as in ``seen``, of which it has all; None: unknown.
    """

    def change(current: Object) -> Object | Changed | None:
        present = current.get("status")
        if present is seen or not present:
            after = {**current, "status": status}
            if kept is None or not present:
                return after
            fields = {field: value for field, value in status.items() if field not in kept}
            return Changed(after, {"status": fields})
        if present == status or is_terminal(current):
            # What was over, by whoever's word, keeps its phase; the containers' ends are news.
            if present == status:
                return None
            merged = {**status, "phase": present["phase"]}
            merged.update({key: present[key] for key in ("reason", "message") if key in present})
            return {**current, "status": _with_foreign(merged, present)}
        return {**current, "status": _with_foreign(status, present)}

    return change


def _with_foreign(status: Object, present: Object) -> Object:
    own = [item for item in status["conditions"] if item["type"] in OWN_CONDITIONS]
    foreign = [
        item for item in present.get("conditions") or () if item["type"] not in OWN_CONDITIONS
    ]
    kept: Object = {key: present[key] for key in ("qosClass", "resize") if key in present}
    return {**kept, **status, "conditions": own + foreign}
