"""The border between a node and what runs its containers.

A runtime answers through events, never by a value that must be awaited: a node handles thousands
of pods in one turn, and what was asked for may come true at once (`simulated`) or later
(`process`). Events may arrive inside the call that causes them, so a listener only notes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from orchestrator.node.sessions import AttachRequest, ExecRequest, PortConnection, Session
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.node.images import SimulatedImage


class ContainerOf(NamedTuple):
    """Which container of which pod, and for the how-manieth time.

    Attributes:
        node: Node name.
        uid: The pod's uid.
        container: Name within the pod.
        attempt: 0 for the first start; equals the restart count.
    """

    node: str
    uid: str
    container: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Identity:
    """User and rights of a container's processes.

    Attributes:
        uid: None keeps the daemon's user.
        gid: None keeps the daemon's group.
        no_new_privileges: Whether setuid programs lose their effect.
        groups: Further groups; none keeps the daemon's, unless there is a ``gid``.
    """

    uid: int | None = None
    gid: int | None = None
    no_new_privileges: bool = False
    groups: tuple[int, ...] = ()


_SAME = Identity()
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Mount(NamedTuple):
    """Something of a volume that a container sees in a mount namespace of its own.

    Attributes:
        source: Directory or file that exists.
        target: Where the container sees it; need not exist.
        read_only: ``""``, ``flat`` (what is mounted below it stays as it is), ``recursive``, or
            ``if-possible``: recursive where the kernel can, else flat.
        follows: Whether what is mounted below the source later is seen.
        owned: Whether mount points of other mounts may be made in the source.
    """

    source: str
    target: str
    read_only: str = ""
    follows: bool = False
    owned: bool = False


class ContainerSpec(NamedTuple):
    """A container to start.

    Attributes:
        id: From `Runtime.identify`; part of ``containerID``.
        of: Whose it is.
        pod: The pod as it is now; runtimes read names and annotations from it.
        container: Its entry in the pod's spec.
        address: The pod's IP.
        argv: Command and arguments after expansion; empty for runtimes that execute nothing.
        env: The whole environment.
        working_directory: Or ``""``.
        identity: User and rights.
        init: Whether it is an init container that has to end, not a sidecar.
        message_path: Where it may leave its termination message, from `Runtime.message_path`;
            ``""`` where it is not told.
        mounts: Its mounts, outer ones before those within them; none where the runtime has no
            private mounts.
        since: When it began, in seconds since the epoch, where it is only known of by what is
            stored and runs on; None for one that begins.
    """

    id: str
    of: ContainerOf
    pod: Object
    container: Object
    address: str = ""
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = _NOTHING
    working_directory: str = ""
    identity: Identity = _SAME
    init: bool = False
    message_path: str = ""
    mounts: tuple[Mount, ...] = ()
    since: float | None = None


class Course(NamedTuple):
    """How far containers had come at some moment, beside what is stored of them.

    Attributes:
        moment: When, in seconds since the epoch.
        lags: Seconds by which containers were younger than their stored start says, by id.
        delays: Seconds until those would have begun that had not yet.
    """

    moment: float
    lags: Mapping[str, float]
    delays: Mapping[ContainerOf, float]


NOWHERE: Final = Course(0.0, {}, {})
"""Of where nothing was under way."""

Courses: TypeAlias = Mapping[str, Course]
"""A course for each runtime, by its name."""


class ContainerStarted(NamedTuple):
    """The container runs."""

    id: str
    of: ContainerOf
    started_at: float


@dataclass(frozen=True, slots=True)
class ContainerRefused:
    """The container could not be started, ``message`` says why; nothing of it is left."""

    id: str
    of: ContainerOf
    message: str


@dataclass(frozen=True, slots=True)
class ContainerExited:
    """The container and everything it started has ended.

    Attributes:
        exit_code: 128 + n after signal n.
        signal: The signal's number, or 0.
        started_at: Seconds since the epoch.
        finished_at: Seconds since the epoch.
        lost: Why the end was not seen (the exit code is a guess then), or ``""``.
    """

    id: str
    of: ContainerOf
    exit_code: int
    signal: int
    started_at: float
    finished_at: float
    lost: str = ""


class ContainerTurned(NamedTuple):
    """A running container says something else of its readiness than before."""

    id: str
    of: ContainerOf


RuntimeEvent: TypeAlias = ContainerStarted | ContainerRefused | ContainerExited | ContainerTurned
Listener: TypeAlias = Callable[[RuntimeEvent], None]


class ContainerRecord(NamedTuple):
    """A container that the runtime still knows, for a node that takes it over.

    Attributes:
        started: How it runs.
        exited: How it ended, or None while it runs.
        address: The pod's IP it was started with.
    """

    started: ContainerStarted
    exited: ContainerExited | None
    address: str


class Runtime(Protocol):
    """What runs containers for any number of nodes.

    Attributes:
        name: Prefix of ``containerID`` and of the node's ``containerRuntimeVersion``.
        executes: Whether commands, environment and users matter; where not, a node spares
            itself computing them.
    """

    @property
    def name(self) -> str:
        """Prefix of container ids: ``process``, ``simulated``."""

    @property
    def executes(self) -> bool:
        """Whether containers are programs that need a command and an environment."""

    @property
    def mounts(self) -> str:
        """Why `ContainerSpec.mounts` cannot be had, or ``""`` where they can; known once open."""

    async def open(self) -> None:
        """Get ready; find what an earlier daemon left running.

        Raises:
            RuntimeUnavailableError: With what is wrong and what to do.
        """

    async def close(self, *, grace: float | None) -> None:
        """Let go.

        Args:
            grace: Seconds that containers get to end after SIGTERM; None leaves them running
                for the next daemon. Returns when nothing is left, at most a few seconds later.
        """

    def attach(self, node: str, listener: Listener) -> None:
        """Send the events of a node's containers to ``listener`` from now on."""

    def detach(self, node: str) -> None:
        """Stop sending events to the node; its containers stay."""

    def pods(self, node: str) -> set[str]:
        """Return the uids of pods of which a node's containers are known."""

    def known(self, uid: str) -> Sequence[ContainerRecord]:
        """Return the containers of one pod, ended ones too, in any order."""

    def identify(self) -> str:
        """Return a new container id: letters and digits, never used before."""

    def runs_on(self, pod: Object) -> bool:
        """Tell whether every container of a pod runs as soon as it is started, and runs on."""

    def run(self, of: ContainerOf, address: str) -> ContainerStarted:
        """Start a container of a pod that `runs_on`, under a new id; it runs on return.

        Args:
            of: Which container.
            address: The pod's IP.
        """

    def halt(self, uid: str) -> Sequence[ContainerExited]:
        """End the containers of a pod that `runs_on` by SIGTERM, without telling its node.

        Returns:
            How they ended, in the order of their starts: they have ended on return.
        """

    def declared(self, container: Object) -> SimulatedImage | None:
        """Return what was said of the image of a pod's container; None where nothing was."""

    def readiness(self, id: str) -> bool | None:  # noqa: A002 - the protocol's word
        """Return what a running container says of its readiness itself; None: nothing."""

    def answers(self, id: str, probe: Object) -> bool:  # noqa: A002 - the protocol's word
        """Tell whether a probe finds somebody to ask in a running container."""

    def start(self, spec: ContainerSpec) -> ContainerStarted | None:
        """Start a container.

        Returns:
            The start, when the container runs already; None when `ContainerStarted` or
            `ContainerRefused` will follow as an event.
        """

    def stop(self, id: str, grace: float) -> None:  # noqa: A002 - the protocol's word
        """End a container, at once when ``grace`` seconds are 0; answered by `ContainerExited`.

        May be repeated: a shorter grace replaces a longer one. Unknown ids are ignored.
        """

    async def execute(self, id: str, request: ExecRequest) -> Session:  # noqa: A002 - the protocol's word
        """Start a command in a running container, with the container's environment and rights.

        It ends with the container. Returns once it runs.

        Raises:
            NotRunningError: There is no such container, or it does not run.
            CommandNotStartedError: With the reason.
            SessionError: Whatever else is in the way.
        """

    async def attach_streams(self, id: str, request: AttachRequest) -> Session:  # noqa: A002 - the protocol's word
        """Take part in the streams of a running container's main process.

        Raises:
            NotRunningError: There is no such container, or it does not run.
            SessionError: Whatever else is in the way.
        """

    def message_path(self, id: str) -> str:  # noqa: A002 - the protocol's word
        """Return the file that a container may leave its termination message in, or ``""``."""

    def termination_message(self, id: str) -> str:  # noqa: A002 - the protocol's word
        """Return what an ended container left in that file, or ``""``."""

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port of a pod that has a running container.

        Raises:
            SessionError: Nobody listens there, in Go's words, or ports mean nothing here.
        """

    def last_words(self, pod: Object, of: ContainerOf) -> str:
        """Return the end of a container's log, as ``FallbackToLogsOnError`` wants it, or ``""``."""

    def remove(self, id: str) -> None:  # noqa: A002 - the protocol's word
        """Forget an ended container and remove its logs; unknown ids are ignored."""

    def forget(self, uid: str) -> None:
        """Let a pod's containers never have been, without a word to its node.

        Only where containers are no more than records: ids that were in use may be used again.
        """

    def lag(self, id: str) -> float:  # noqa: A002 - the protocol's word
        """Return by how many seconds a container is younger than its start says."""

    def course(self, moment: float) -> Course:
        """Return how far containers had come at a moment; of the past, as far as that is known."""

    def put_back(self, course: Course) -> None:
        """Take note that what is started from now on by what is stored is as it was then."""

    def on_course(self) -> Collection[str]:
        """Return the uids of pods whose containers get somewhere of which nothing is stored."""


class RuntimeUnavailableError(Exception):
    """The runtime cannot work; the text says why and what to do."""
