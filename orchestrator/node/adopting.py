"""A pod's containers as they were: from the runtime's records, else from the stored status.

What has been done is not done again: init containers that have ended, and hooks of what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.node.admission import is_terminal
from orchestrator.node.launching import WaitingError, end, simulate
from orchestrator.node.runtime import ContainerOf, ContainerRecord
from orchestrator.node.states import ContainerState, Phase, PodState, Role, statuses_of
from orchestrator.node.statuses import terminated_record
from orchestrator.node.surroundings import Surroundings
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time


def take_over(
    state: PodState,
    around: Surroundings,
    records: Sequence[ContainerRecord],
    begin: Callable[[ContainerState], None],
) -> None:
    """Put every container of a pod where it stands.

    Simulated containers that nobody knows of run on, if they ran: they have no processes that
    could have been lost, so nothing has to change for anyone.

    Args:
        state: The pod.
        around: What the node's pods share.
        records: What the runtime knows of it.
        begin: Sets what holds for a container of which no probe has told anything.
    """
    status = state.status or state.pod.get("status") or {}
    resumes = not (records or around.runtime.executes or is_terminal(state.pod) or state.gone)
    if resumes:
        state.address = status.get("podIP") or ""
    stored = {
        item["name"]: item
        for role in (Role.INIT, Role.MAIN, Role.EPHEMERAL)
        for item in status.get(statuses_of(role)) or ()
    }
    for container in state.all():
        known = stored.get(container.name)
        mine = [item for item in records if item.started.of.container == container.name]
        if len(mine) > 1:
            mine = _attempts(mine, _id_of(known or {}), around)
        if mine:
            container.image = (known or {}).get("image") or ""
            for record in mine:
                adopt(container, record, state.runtime)
            for record in mine[:-2]:
                around.runtime.remove(record.started.id)
        elif known is not None:
            restore(container, known)
            if resumes and "running" in (known.get("state") or {}):
                _resume(container, state, around)
        if container.phase is Phase.RUNNING:
            begin(container)
            if known is not None:
                _recall(container, known)


def _recall(container: ContainerState, status: Object) -> None:
    """Keep what probes have told of a container, and when it was started."""
    running = (status.get("state") or {}).get("running")
    if running is None or _id_of(status) != container.id:
        return
    container.started = container.started or bool(status.get("started"))
    container.ready = container.ready or bool(status.get("ready"))


def _attempts(
    records: Sequence[ContainerRecord], told: str, around: Surroundings
) -> list[ContainerRecord]:
    """Return one record for each attempt, in their order, and end the others.

    There are others where an actor failed that had asked for a start: its successor asked again,
    and both came true.

    Args:
        records: Of one container.
        told: The id that its status tells of.
        around: With the runtime to end the others.
    """
    chosen: dict[int, ContainerRecord] = {}
    for record in sorted(records, key=lambda item: _likely(item, told)):
        attempt = record.started.of.attempt
        other = chosen.get(attempt)
        if other is not None and other.exited is None:
            around.runtime.stop(other.started.id, 0)
        elif other is not None:
            around.runtime.remove(other.started.id)
        chosen[attempt] = record
    return [chosen[attempt] for attempt in sorted(chosen)]


def _likely(record: ContainerRecord, told: str) -> tuple[bool, bool, bool, float]:
    """Rank a record among those of one attempt: what was told, what runs, what ended well."""
    exited = record.exited
    return (
        record.started.id == told,
        exited is None,
        exited is not None and exited.exit_code == 0,
        record.started.started_at,
    )


def adopt(container: ContainerState, record: ContainerRecord, runtime: str) -> None:
    """Take over one attempt; to be called in the order of attempts."""
    if container.id:
        container.last = terminated_record(container, runtime)
        container.older = container.id
        container.ended_before = container.finished_at
    container.id = record.started.id
    container.attempt = record.started.of.attempt
    container.started_at = record.started.started_at
    container.phase = Phase.RUNNING
    container.reason = container.message = ""
    if record.exited is not None:
        end(container, record.exited)


def restore(container: ContainerState, status: Object) -> None:
    """Rebuild a container from its stored status, where the runtime knows nothing of it.

    What was running then is lost: the kubelet's ``ContainerStatusUnknown``.
    """
    container.attempt = int(status.get("restartCount") or 0)
    container.image = status.get("image") or ""
    shown, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if "running" in shown:
        container.phase = Phase.EXITED
        container.exit_code = 137
        container.reason = "ContainerStatusUnknown"
        container.message = "The container could not be located when the node was started again"
        container.started_at = _seconds(shown["running"].get("startedAt"))
        container.finished_at = container.started_at
        container.last = last
        container.id = _id_of(status)
    elif ended := shown.get("terminated") or last:
        container.phase = Phase.EXITED
        container.exit_code = int(ended.get("exitCode") or 0)
        container.reason = ended.get("reason") or ""
        container.message = ended.get("message") or ""
        container.started_at = _seconds(ended.get("startedAt"))
        container.finished_at = _seconds(ended.get("finishedAt"))
        container.id = _id_of(ended) or _id_of(status)


def _resume(container: ContainerState, state: PodState, around: Surroundings) -> None:
    pod = state.pod
    of = ContainerOf(around.config.name, pod["metadata"]["uid"], container.name, container.attempt)
    try:
        launch = simulate(around, state, container, container.id, of)
    except WaitingError:
        return  # it is started again, as one that was lost, once it can be
    container.phase = Phase.STARTING
    container.reason = container.message = ""
    container.exit_code = 0
    if around.runtime.start(launch._replace(since=container.started_at)) is not None:
        container.phase = Phase.RUNNING


def _id_of(status: Object) -> str:
    return str(status.get("containerID") or "").rpartition("/")[2]


def _seconds(text: str | None) -> float:
    try:
        return parse_time(text) if text else 0.0
    except ValueError:
        return 0.0
