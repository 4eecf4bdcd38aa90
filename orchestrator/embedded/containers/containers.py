"""Containers that are functions: what a function sees of the container that it is."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

from orchestrator.embedded.arguments import check_function, number_of
from orchestrator.embedded.client.calls import Caller
from orchestrator.embedded.client.client import Client
from orchestrator.embedded.clock.clocks import ClusterClock
from orchestrator.node.expansion import expand
from orchestrator.node.simulated_processes import Exit, SimulatedProcess
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, uid_of

if TYPE_CHECKING:
    from orchestrator.api._requests import Receive, Scope, Send
    from orchestrator.embedded.cluster.life import ClusterLife
    from orchestrator.embedded.containers.commands import ExecFunction
    from orchestrator.embedded.presence import Presence
    from orchestrator.store import Store

__all__ = ["Container", "Exit", "Termination"]

_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


class Termination:
    """SIGTERM: set once the container is told to end. Await it, or ask ``is_set``."""

    def __init__(self, process: SimulatedProcess) -> None:
        """Made by `Container`."""
        self._event = process.terminated

    def is_set(self) -> bool:
        """Whether it has come."""
        return self._event.is_set()

    __bool__ = is_set

    async def wait(self) -> None:
        """Wait for it."""
        await self._event.wait()

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for it."""
        return self.wait().__await__()


class Home:
    """What the containers of one cluster share."""

    def __init__(self, cluster: ClusterLife, presence: Presence) -> None:
        """Made by the cluster, which has started."""
        self._cluster = cluster
        self._presence = presence
        self.clock = ClusterClock(cluster.store.clock, cluster.clock.mode, presence)
        """The cluster's time; waiting for it moves nothing, as waiting for the cluster's does."""

    @property
    def store(self) -> Store:
        """The cluster's objects."""
        return self._cluster.store

    def client(self, namespace: str, user: str, node: str) -> Client:
        """Return a client for a container, which lets time pass only as others do."""
        core = self._cluster.core
        caller = Caller(_Way(self._cluster, node), user=user, presence=self._presence)
        return Client(caller, lambda: core.store.registry, self.clock, namespace)


class _Way:
    """The way from a node to the API, while there is one."""

    def __init__(self, cluster: ClusterLife, node: str) -> None:
        self._cluster = cluster
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._cluster.core.nodes.reaches(self._node):
            raise ConnectionError(f"the API does not answer: node {self._node} is cut off")
        await self._cluster.asgi(scope, receive, send)

    def close(self) -> None:
        """Nothing is its own."""


class _Housed(Protocol):
    """What images are looked up by in an embedded cluster."""

    @property
    def home(self) -> Home:
        """What its containers share."""


class Container:
    """The container that a function runs as.

    The function is its main process: when it returns, the container has ended, with the integer it
    returns (None is 0), with that of `Exit`, or with 1 after an exception, whose traceback is in
    the log. It is told to end by `terminated`; if it goes on, it is cancelled when the pod's grace
    is over, and at once when its node or the cluster ends.

    Time is the cluster's. It moves when everything is at rest: a function that waits for `sleep`,
    for `terminated`, for a watch or a lock holds nothing up. Neither does one that waits for
    something real, a socket, a thread or ``asyncio.sleep``: time passes it by, unless it does so in
    ``with container.held():``.
    """

    def __init__(self, home: Home, process: SimulatedProcess) -> None:
        """Made by the cluster for each start of the container."""
        self._home = home
        self._process = process
        self._spec = process.spec
        self.terminated = Termination(process)

    def __repr__(self) -> str:
        return (
            f"<Container {self.name} of {self.namespace}/{name_of(self._spec.pod)}, "
            f"restart {self.restart_count}>"
        )

    # -- what it is

    @property
    def name(self) -> str:
        """Its name within the pod."""
        return self._spec.of.container

    @property
    def image(self) -> str:
        """The image it was started from."""
        return str(self._spec.container.get("image") or "")

    @property
    def node(self) -> str:
        """The node it runs on."""
        return self._spec.of.node

    @property
    def namespace(self) -> str:
        """The namespace of its pod."""
        return namespace_of(self._spec.pod)

    @property
    def restart_count(self) -> int:
        """How often it was started before: 0 the first time."""
        return self._spec.of.attempt

    @property
    def address(self) -> str:
        """The pod's IP."""
        return self._spec.address

    @property
    def pod(self) -> Object:
        """Its pod as it is now; as it was last seen, if it is gone by now."""
        started = self._spec.pod
        now = self._home.store.get("pods", namespace_of(started), name_of(started))
        return now if now is not None and uid_of(now) == uid_of(started) else started

    @property
    def spec(self) -> Object:
        """Its entry in the pod's spec, as it was when it was started."""
        return self._spec.container

    @property
    def env(self) -> Mapping[str, str]:
        """Its environment: ``env`` and ``envFrom``, the downward API, Services; nothing else."""
        return self._spec.env

    @cached_property
    def command(self) -> list[str]:
        """Its ``command``, variables replaced."""
        return [expand(word, self.env) for word in self._spec.container.get("command") or ()]

    @cached_property
    def args(self) -> list[str]:
        """Its ``args``, variables replaced."""
        return [expand(word, self.env) for word in self._spec.container.get("args") or ()]

    # -- what it does

    def log(self, *values: object, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """Write a line to its log, as ``print`` would."""
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"stream={stream!r}: choose stdout or stderr")
        self._process.write(" ".join(map(str, values)), stream)

    def error(self, *values: object) -> None:
        """Write a line to its log as an error."""
        self.log(*values, stream="stderr")

    @property
    def ready(self) -> bool:
        """Whether it says that it is ready; it does unless told otherwise."""
        return self._process.ready is not False

    @ready.setter
    def ready(self, ready: bool) -> None:
        self.set_ready(ready)

    def set_ready(self, ready: bool) -> None:
        """Say whether it is ready: the answer of its readiness probe, or in place of one.

        A probe that a function answers (`Image.exec`, `Image.port`) is not asked here.
        """
        if not isinstance(ready, bool):
            raise TypeError(f"say True or False of being ready, not {ready!r}")
        self._process.set_ready(ready)

    def on_exec(self, function: ExecFunction) -> ExecFunction:
        """Let a function answer commands in this container; see `Image.exec`."""
        from orchestrator.embedded.containers.commands import program_of

        check_function(function, "answers commands")
        self._process.program = program_of(function)
        return function

    @property
    def termination_message(self) -> str:
        """What it leaves in the status when it ends; set it before."""
        return self._process.message

    @termination_message.setter
    def termination_message(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"give the termination message as text, not {text!r}")
        self._process.message = text

    # -- time

    @property
    def clock(self) -> ClusterClock:
        """The cluster's time."""
        return self._home.clock

    def now(self) -> dt.datetime:
        """The cluster's time as a moment in UTC."""
        return self.clock.time

    async def sleep(self, seconds: float) -> None:
        """Wait for so much of the cluster's time; after infinity for ever."""
        if seconds != math.inf:
            number_of(seconds, "sleep")
        await self._process.clock.sleep(seconds)

    def held(self) -> AbstractContextManager[object]:
        """Let no time of the cluster pass while the block waits for something real.

        ```py
        with container.held():
            answer = await http.get("https://example.com")
        ```

        For some seconds: who holds the clock longer is not waited for.
        """
        return self._process.clock.held()

    # -- the API

    @cached_property
    def client(self) -> Client:
        """A client as the pod's ServiceAccount, in the pod's namespace; roles and bindings count.

        Without a mounted token (``automountServiceAccountToken: false``) it is anonymous. While the
        node is cut off, requests end in a ``ConnectionError``.
        """
        mounts = self._spec.container.get("volumeMounts") or ()
        account = spec_of(self._spec.pod).get("serviceAccountName") or "default"
        user = f"system:serviceaccount:{self.namespace}:{account}"
        if not any(mount.get("mountPath") == _TOKEN for mount in mounts):
            user = "system:anonymous"
        return self._home.client(self.namespace, user, self.node)


def container_for(process: SimulatedProcess) -> Container:
    """Return what a container's functions see of it, always the same."""
    if process.face is None:
        process.face = Container(cast("_Housed", process.images).home, process)
    assert isinstance(process.face, Container)
    return process.face


MainFunction = Callable[[Container], Awaitable[object]]
