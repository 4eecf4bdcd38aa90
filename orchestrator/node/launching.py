"""From a container's entry in a pod to something a runtime can start, and what became of it."""

from __future__ import annotations

import shutil
from typing import Any

from orchestrator.node.environment import (
    ConfigError,
    PodFacts,
    command_of,
    container_environment,
)
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerSpec,
    Identity,
    Mount,
)
from orchestrator.node.states import ContainerState, Phase, PodState, Role, specs_of
from orchestrator.node.support import COURSE, Unsupported, find_unsupported
from orchestrator.node.surroundings import Surroundings
from orchestrator.node.volumes.planning import PlanError
from orchestrator.node.volumes.pods import PodVolumes
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of
from orchestrator.resources.service_environment import service_environment

START_ERROR = 128
"""Exit code of a container that could not be started, as containerd has it."""
MESSAGE_VARIABLE = "ORCHESTRATOR_TERMINATION_LOG"
"""Tells a process where to leave its termination message, since its path may not be mounted. Where
it is not, one that becomes another user is not told: it could not enter the daemon's directory."""
_MAIN = Role.MAIN
NO_COMMAND = "NoCommand"
"""Reason a container waits with that has neither ``command`` nor ``args`` that are one."""


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""``PATH`` of simulated containers, as most images have it: this machine's is none of theirs."""
_MESSAGE_PATH = "/dev/termination-log"
"""Where containers leave it if they do not say otherwise. It is mounted where the daemon is root,
who can make the ``/dev`` of its own that this takes with all of its devices."""


def _begins_with_a_program(container: Object, path: str) -> bool:
    """Whether arguments are a command, as they are for an image that has no entrypoint."""
    first = next(iter(container.get("args") or ()), "")
    return bool(first) and shutil.which(first, path=path) is not None


class WaitingError(Exception):
    """A container cannot be started for now; becomes its ``waiting`` state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unsupported_of(pod: Object, executes: bool, user: int) -> tuple[Unsupported, ...]:
    """List what the node cannot honour; quick for a simulated pod without specialities."""
    if not executes and COURSE.isdisjoint(pod["spec"]):
        return ()
    return find_unsupported(pod, executes=executes, user=user)


def prepare(
    around: Surroundings,
    state: PodState,
    volumes: PodVolumes,
    which: ContainerState,
    identity: str,
    of: ContainerOf,
) -> ContainerSpec:
    """Compute everything a process needs.

    Raises:
        WaitingError: No command, a reference or path that leads nowhere, or a user it must not be.
    """
    pod, container = state.pod, state.spec(which)
    if not (container.get("command") or _begins_with_a_program(container, around.path)):
        raise WaitingError(
            NO_COMMAND,
            f'container "{container["name"]}" has no command: a process node has no images, so '
            "there is no image entrypoint to fall back on; "
            f"set spec.{specs_of(which.role)}[{which.index}].command",
        )
    facts = _facts(around, state, around.path)
    identified = _identity(pod, container, around.user)
    try:
        variables = container_environment(pod, container, facts, around.reader)
        other = identified.uid is not None
        path = container.get("terminationMessagePath") or _MESSAGE_PATH
        own = not around.runtime.mounts and (path != _MESSAGE_PATH or around.user == 0)
        message = around.runtime.message_path(identity) if own or not other else ""
        told = {MESSAGE_VARIABLE: path if own else message} if message else {}
        mounted = volumes.mounted(pod, container, variables, other=other)
        variables = {**mounted.variables, **told, **variables}
    except (ConfigError, PlanError, OSError) as error:
        raise WaitingError("CreateContainerConfigError", str(error)) from error
    return ContainerSpec(
        id=identity,
        of=of,
        pod=pod,
        container=container,
        address=state.address,
        argv=command_of(container, variables),
        env=variables,
        working_directory=mounted.working_directory,
        identity=identified,
        init=which.role is Role.INIT,
        message_path=message,
        mounts=(*mounted.mounts, Mount(message, path)) if own else mounted.mounts,
    )


def simulate(
    around: Surroundings,
    state: PodState,
    which: ContainerState,
    identity: str,
    of: ContainerOf,
) -> ContainerSpec:
    """Compute what a simulated container needs; its environment only if a function will see it.

    Raises:
        WaitingError: It needs its environment, and a reference leads nowhere.
    """
    pod, container = state.pod, state.spec(which)
    spec = ContainerSpec(identity, of, pod, container, state.address, init=which.role is Role.INIT)
    image = around.runtime.declared(container)
    if image is None or not image.sees_environment:
        return spec
    try:
        variables = container_environment(
            pod, container, _facts(around, state, _PATH), around.reader
        )
    except ConfigError as error:
        raise WaitingError("CreateContainerConfigError", str(error)) from error
    return spec._replace(argv=command_of(container, variables), env=variables)


def _facts(around: Surroundings, state: PodState, path: str) -> PodFacts:
    pod = state.pod
    return PodFacts(
        address=state.address,
        host=state.host,
        allocatable=around.allocatable,
        services=service_environment(
            around.reader.list("services"),
            namespace_of(pod),
            spec_of(pod).get("enableServiceLinks", True) is not False,
        ),
        path=path,
    )


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
        groups=_groups(security),
    )


def tell_started(around: Surroundings, pod: Object, container: str, role: Role = _MAIN) -> None:
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
            field_path=f"spec.{specs_of(role)}{{{container}}}",
            instance=around.config.name,
        )


def tell_stopping(around: Surroundings, pod: Object, container: str) -> None:
    """Record what a kubelet tells of a main container that is to end with its pod."""
    around.recorder.event(
        pod,
        "Normal",
        "Killing",
        f"Stopping container {container}",
        field_path=f"spec.containers{{{container}}}",
        instance=around.config.name,
    )


def end(container: ContainerState, exited: ContainerExited) -> None:
    """Note how a container ended."""
    container.phase = Phase.EXITED
    container.exit_code = exited.exit_code
    container.started_at = exited.started_at
    container.finished_at = exited.finished_at
    container.reason = "ContainerStatusUnknown" if exited.lost else ""
    container.message = exited.lost


def refuse(container: ContainerState, message: str, now: float) -> None:
    """Note that the runtime could not start a container."""
    container.phase = Phase.EXITED
    container.exit_code = START_ERROR
    container.started_at = 0.0
    container.finished_at = now
    container.reason = "StartError"
    container.message = message


def refuse_field(container: ContainerState, message: str, now: float) -> None:
    """Note that a container asks for what the node cannot do, and is not started."""
    refuse(container, message, now)
    container.reason = "UnsupportedField"


def give_up(container: ContainerState, now: float) -> None:
    """Note that a container was stopped before it began."""
    container.phase = Phase.EXITED
    container.exit_code = 137
    container.started_at = 0.0
    container.finished_at = now
    container.reason = "ContainerStatusUnknown"
    container.message = "The container was stopped before it had started"


def _groups(security: Object) -> tuple[int, ...]:
    """Return a pod's further groups, that of its volumes among them."""
    groups = list(security.get("supplementalGroups") or ())
    if security.get("fsGroup"):
        groups.append(security["fsGroup"])
    return tuple(dict.fromkeys(groups))
