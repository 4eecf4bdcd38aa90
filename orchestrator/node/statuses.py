"""A pod's status, as the kubelet would write it: pure, from the node's state of the pod."""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache

from orchestrator.node.admission import is_terminal, refused_status
from orchestrator.node.conditions import OWN_CONDITIONS, pod_conditions
from orchestrator.node.phases import is_held, pod_phase
from orchestrator.node.restarting import describe_backoff
from orchestrator.node.states import (
    BEGINNING,
    ContainerState,
    Phase,
    PodState,
    Role,
    statuses_of,
)
from orchestrator.resources.objects import Object, status_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store.operations import Changed, KnownChange

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
    }
    if container.id:
        record["containerID"] = f"{runtime}://{container.id}"
    if container.message:
        record["message"] = container.message
    return record


def _container_status(container: ContainerState, state: PodState) -> Object:
    if container.last is not None and container.phase in BEGINNING:
        return _status_before(container, state, container.last)
    running = container.phase is Phase.RUNNING
    last = container.last
    held = is_held(state, container)
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
        "ready": is_ready(container),
        "restartCount": container.attempt,
        "image": container.image or state.spec(container).get("image") or "",
        "imageID": "",
    }
    if container.role is not Role.EPHEMERAL:
        status["started"] = running and container.started
    if container.id:
        status["containerID"] = f"{state.runtime}://{container.id}"
    return status


def _status_before(container: ContainerState, state: PodState, last: Object) -> Object:
    """Return what holds while a container is started again: what was told of the attempt before."""
    told = (state.status or state.pod.get("status") or {}).get(statuses_of(container.role)) or ()
    before: Object = told[container.index] if container.index < len(told) else {}
    if before and "running" not in before["state"]:
        return before
    return {
        "name": container.name,
        "state": {"terminated": last},
        "lastState": before.get("lastState") or _NO_STATE,
        "ready": False,
        "restartCount": container.attempt - 1,
        "image": before.get("image") or container.image,
        "imageID": "",
        "started": False,
        "containerID": last.get("containerID") or "",
    }


def is_ready(container: ContainerState) -> bool:
    """Whether a container counts as ready.

    An init container does when it has ended well, an ephemeral one never: nobody asks.
    """
    if container.role is Role.INIT:
        return container.is_done
    if container.role is Role.EPHEMERAL:
        return False
    return container.phase is Phase.RUNNING and container.started and container.ready


@lru_cache(maxsize=64)
def _running(since: str) -> Object:
    """One dictionary for all that started in a second: objects share what is alike."""
    return {"running": {"startedAt": since}}


def _waiting(container: ContainerState, state: PodState) -> Object:
    reason = "PodInitializing" if state.inits else "ContainerCreating"
    if container.role is Role.EPHEMERAL:
        reason = "ContainerCreating"
    if state.unsupported:
        text = "; ".join(str(item) for item in state.unsupported)
        return {"reason": "UnsupportedField", "message": text}
    if container.held:
        return {
            "reason": "CrashLoopBackOff",
            "message": describe_backoff(state.pod, container),
        }
    if container.phase is Phase.NEW and container.reason:
        return {"reason": container.reason, "message": container.message}
    if state.waiting:
        why, message = state.waiting
        shown = {"reason": reason if state.inits else why}
        return {**shown, "message": message} if message else shown
    return {"reason": reason}


def pod_status(state: PodState, now: float) -> Object:
    """Return the whole status.

    Parts that did not change since ``state.status`` are not compared here: the writer does that
    once for the whole.
    """
    pod = state.pod
    stored = status_of(pod)
    present = state.status or stored
    if state.refused is not None:
        observed = pod["metadata"].get("generation")
        return refused_status(stored, state.refused, observed, format_time(state.started_at))
    if is_terminal(pod) and "containerStatuses" not in stored and not _has_begun(state):
        return stored  # refused before the daemon's restart, say: there is nothing to tell of it
    phase = pod_phase(state)
    generation = pod["metadata"].get("generation")
    status: Object = {
        "conditions": pod_conditions(state, present, stored, phase, format_time(now)),
        "containerStatuses": [_container_status(item, state) for item in state.containers],
        "hostIP": state.host,
        "hostIPs": _host_addresses(state.host),
        "phase": phase,
        "startTime": present.get("startTime") or format_time(state.started_at),
    }
    if state.inits:
        status["initContainerStatuses"] = [_container_status(item, state) for item in state.inits]
    if state.debuggers:
        status["ephemeralContainerStatuses"] = [
            _container_status(item, state) for item in state.debuggers
        ]
    if generation is not None:
        status["observedGeneration"] = generation
    for kept in _KEPT:
        if kept in stored:
            status[kept] = stored[kept]
    if state.failed and phase == "Failed":
        status["reason"], status["message"] = state.failed
    if state.address:
        status["podIP"] = state.address
        status["podIPs"] = [{"ip": state.address}]
    return status


def _has_begun(state: PodState) -> bool:
    return any(item.phase is not Phase.NEW or item.last is not None for item in state.all())


@lru_cache(maxsize=1024)
def _host_addresses(host: str) -> list[Object]:
    """One list for all pods of a node: objects share what is alike."""
    return [{"ip": host}]


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
