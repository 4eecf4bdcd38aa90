"""Sessions in pods for those who ask from outside: ``kubectl exec`` and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orchestrator.node.runtime import Runtime
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from orchestrator.node.sessions import AttachRequest, ExecRequest, PortConnection, Session


class PodSessions(Protocol):
    """Where the API gets sessions from; what answers may be on another machine."""

    def require(self, pod: Object) -> None:
        """Look whether a pod's node can be reached.

        Raises:
            StatusError: 500, in upstream's words.
        """

    def find(self, pod: Object, container: str) -> str:
        """Return the id of a container that runs.

        Raises:
            NotRunningError: It does not; in the kubelet's words.
        """

    async def execute(self, container: str, request: ExecRequest) -> Session:
        """Run a command in the container of that id; see `Runtime.execute`."""

    async def attach(self, container: str, request: AttachRequest) -> Session:
        """Attach to the container of that id; see `Runtime.attach_streams`."""

    def check(self, pod: Object) -> None:
        """Look whether a pod has a container that runs, so that ports of it may be open.

        Raises:
            NotRunningError: It has none; in the kubelet's words.
        """

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port of a pod; see `Runtime.connect`."""


class NodeSessions:
    """Sessions with the containers of this daemon's nodes."""

    def __init__(
        self, runtime: Runtime, unreachable: Callable[[Object], str | None] = lambda _: None
    ) -> None:
        """Look in ``runtime``, which runs them all.

        Args:
            runtime: What runs containers.
            unreachable: Returns where a pod's node does not answer; None: it does.
        """
        self._runtime = runtime
        self._unreachable = unreachable

    def require(self, pod: Object) -> None:
        """Look whether a pod's node can be reached."""
        address = self._unreachable(pod)
        if address is not None:
            message = f"error dialing backend: dial tcp {address}: i/o timeout"
            raise StatusError(500, "", message)

    def find(self, pod: Object, container: str) -> str:
        """Return the id of a container that runs."""
        for record in self._runtime.known(uid_of(pod)):
            if record.started.of.container == container and record.exited is None:
                return record.started.id
        from orchestrator.node.sessions import NotRunningError

        raise NotRunningError(f'container not found ("{container}")')

    async def execute(self, container: str, request: ExecRequest) -> Session:
        """Run a command in the container of that id."""
        return await self._runtime.execute(container, request)

    async def attach(self, container: str, request: AttachRequest) -> Session:
        """Attach to the container of that id."""
        return await self._runtime.attach_streams(container, request)

    def check(self, pod: Object) -> None:
        """Look whether a pod has a container that runs."""
        if all(record.exited is not None for record in self._runtime.known(uid_of(pod))):
            from orchestrator.node.sessions import NotRunningError

            raise NotRunningError(f'pod not found ("{name_of(pod)}_{namespace_of(pod)}")')

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port of a pod."""
        self.check(pod)
        return await self._runtime.connect(pod, port)
