"""From a container's entry in a pod to something a runtime can start, and back to its state."""

from __future__ import annotations

from typing import Any

from orchestrator.node.credentials import MissingCredentialsError, token_volume
from orchestrator.node.environment import (
    ConfigError,
    PodFacts,
    command_of,
    container_environment,
)
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerSpec,
    Identity,
)
from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.node.statuses import terminated_record
from orchestrator.node.support import COURSE, Unsupported, find_unsupported
from orchestrator.node.surroundings import Surroundings
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of
from orchestrator.resources.service_environment import service_environment
from orchestrator.resources.timestamps import parse_time

START_ERROR = 128
"""Exit code of a container that could not be started, as containerd has it."""
NO_COMMAND = "NoCommand"
"""Reason a container without ``command`` waits with."""


class WaitingError(Exception):
    """A container cannot be started for now; becomes its ``waiting`` state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unsupported_of(pod: Object, executes: bool, user: int) -> tuple[Unsupported, ...]:
    """List what the node cannot honour; quick for a simulated pod without specialities."""
    if not executes and COURSE.isdisjoint(pod["spec"]):
        for container in pod["spec"]["containers"]:
            if "restartPolicy" in container:
                break
        else:
            return ()
    return find_unsupported(pod, executes=executes, user=user)


def prepare(
    around: Surroundings, state: PodState, container: Object, identity: str, of: ContainerOf
) -> ContainerSpec:
    """Compute everything a process needs.

    Raises:
        WaitingError: No command, a reference that leads nowhere, or a user it must not be.
    """
    pod = state.pod
    if not container.get("command"):
        index = pod["spec"]["containers"].index(container)
        raise WaitingError(
            NO_COMMAND,
            f'container "{container["name"]}" has no command: a process node has no images, so '
            f"there is no image entrypoint to fall back on; set spec.containers[{index}].command",
        )
    facts = PodFacts(
        address=state.address,
        host=state.host,
        allocatable=around.allocatable,
        services=service_environment(
            around.reader.list("services"),
            namespace_of(pod),
            spec_of(pod).get("enableServiceLinks", True) is not False,
        ),
        path=around.path,
    )
    identified = _identity(pod, container, around.user)
    try:
        variables = container_environment(pod, container, facts, around.reader)
        variables = {**_credentials(around, pod, container, identified), **variables}
    except (ConfigError, MissingCredentialsError) as error:
        raise WaitingError("CreateContainerConfigError", str(error)) from error
    except OSError as error:
        why = f"the service account's token cannot be written: {error}"
        raise WaitingError("CreateContainerConfigError", why) from error
    return ContainerSpec(
        id=identity,
        of=of,
        pod=pod,
        container=container,
        address=state.address,
        argv=command_of(container, variables),
        env=variables,
        working_directory=container.get("workingDir") or "",
        identity=identified,
    )


def _credentials(
    around: Surroundings, pod: Object, container: Object, identity: Identity
) -> dict[str, str]:
    """Write the token that a container mounts; return the variables that lead to it.

    A container that becomes another user gets none: it could not enter the daemon's directory.
    """
    volume = token_volume(pod, container)
    if volume is None or around.credentials is None or identity.uid is not None:
        return {}
    return around.credentials.write(pod, volume)


def _identity(pod: Object, container: Object, user: int) -> Identity:
    security: dict[str, Any] = {
        **(spec_of(pod).get("securityContext") or {}),
        **(container.get("securityContext") or {}),
    }
    wanted = security.get("runAsUser")
    if security.get("runAsNonRoot") and (user if wanted is None else wanted) == 0:
        raise WaitingError(
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root "
            f'(pod: "{name_of(pod)}_{namespace_of(pod)}({pod["metadata"]["uid"]})", '
            f"container: {container['name']})",
        )
    return Identity(
        uid=None if wanted == user else wanted,
        gid=security.get("runAsGroup"),
        no_new_privileges=security.get("allowPrivilegeEscalation") is False,
    )


def tell_started(around: Surroundings, pod: Object, container: str) -> None:
    """Record what a kubelet tells of a container that runs."""
    for reason, message in (
        ("Created", f"Created container: {container}"),
        ("Started", f"Started container {container}"),
    ):
        around.recorder.event(
            pod,
            "Normal",
            reason,
            message,
            field_path=f"spec.containers{{{container}}}",
            instance=around.config.name,
        )


def adopt(container: ContainerState, record: ContainerRecord, runtime: str) -> None:
    """Take over one attempt; to be called in the order of attempts."""
    if container.id:
        container.last = terminated_record(container, runtime)
        container.older = container.id
    container.id = record.started.id
    container.attempt = record.started.of.attempt
    container.started_at = record.started.started_at
    container.phase = Phase.RUNNING
    container.reason = container.message = ""
    if record.exited is not None:
        end(container, record.exited)


def restore(state: PodState) -> None:
    """Rebuild containers from the stored status, where the runtime knows nothing of them.

    What was running then is lost: the kubelet's ``ContainerStatusUnknown``.
    """
    stored = {item["name"]: item for item in state.pod["status"]["containerStatuses"]}
    for container in state.containers:
        status = stored.get(container.name)
        if status is None:
            continue
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
            container.signal = int(ended.get("signal") or 0)
            container.reason = ended.get("reason") or ""
            container.message = ended.get("message") or ""
            container.started_at = _seconds(ended.get("startedAt"))
            container.finished_at = _seconds(ended.get("finishedAt"))
            container.id = _id_of(ended) or _id_of(status)


def resume(state: PodState, around: Surroundings) -> None:
    """Let simulated containers run on that ran before the daemon was restarted.

    They have no processes that could have been lost, so nothing has to change for anyone.
    """
    pod = state.pod
    stored = {item["name"]: item for item in pod["status"]["containerStatuses"]}
    for container, spec in zip(state.containers, pod["spec"]["containers"], strict=True):
        status = stored.get(container.name)
        running = ((status or {}).get("state") or {}).get("running")
        if status is None or running is None:
            continue
        of = ContainerOf(
            around.config.name, pod["metadata"]["uid"], container.name, container.attempt
        )
        container.id = _id_of(status)
        launch = ContainerSpec(container.id, of, pod, spec, state.address)
        container.phase = Phase.STARTING
        container.reason = container.message = ""
        container.exit_code = 0
        if around.runtime.start(launch) is not None:
            container.phase = Phase.RUNNING


def _id_of(status: Object) -> str:
    return str(status.get("containerID") or "").rpartition("/")[2]


def _seconds(text: str | None) -> float:
    try:
        return parse_time(text) if text else 0.0
    except ValueError:
        return 0.0


def end(container: ContainerState, exited: ContainerExited) -> None:
    """Note how a container ended."""
    container.phase = Phase.EXITED
    container.exit_code = exited.exit_code
    container.signal = exited.signal
    container.started_at = exited.started_at
    container.finished_at = exited.finished_at
    container.reason = "ContainerStatusUnknown" if exited.lost else ""
    container.message = exited.lost


def refuse(container: ContainerState, message: str, now: float) -> None:
    """Note that the runtime could not start a container."""
    container.phase = Phase.EXITED
    container.exit_code = START_ERROR
    container.signal = 0
    container.started_at = 0.0
    container.finished_at = now
    container.reason = "StartError"
    container.message = message


def give_up(container: ContainerState, now: float) -> None:
    """Note that a container was stopped before it began."""
    container.phase = Phase.EXITED
    container.exit_code = 137
    container.signal = 0
    container.started_at = 0.0
    container.finished_at = now
    container.reason = "ContainerStatusUnknown"
    container.message = "The container was stopped before it had started"
