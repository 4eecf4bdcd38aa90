"""The process runtime: asks the supervisor, and tells nodes what became of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Clock, get_logger
from orchestrator.node._index import RecordIndex
from orchestrator.node._logfiles import pod_log_directory, read_last_words
from orchestrator.node.process import sessions
from orchestrator.node.process.client import DisconnectedError, RefusedError, SupervisorClient
from orchestrator.node.process.messages import TerminationMessages
from orchestrator.node.process.ports import connect
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
    Course,
    Listener,
    RuntimeEvent,
    RuntimeUnavailableError,
)
from orchestrator.node.sessions import (
    AttachRequest,
    ExecRequest,
    NotRunningError,
    PortConnection,
    Session,
)
from orchestrator.node.usage.measuring import Reading, read_trees
from orchestrator.resources.objects import Object, name_of, namespace_of

if TYPE_CHECKING:
    from orchestrator.node.images import SimulatedImage

_RETRY = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to bring a lost supervisor back; the last one repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessConfig:
    """Settings of the process runtime.

    Attributes:
        directory: For the supervisor's socket and records, and for logs; private to one daemon.
        log_limit: Bytes of one log file, the kubelet's ``containerLogMaxSize`` by default.
        log_files: Log files kept for a container, ``containerLogMaxFiles``.
        hold: Abstract socket name that the supervisor holds while it lives, or ``""``: others can
            see by it that its containers' addresses are taken.
        private_mounts: Whether containers get mounts in a namespace of their own where the kernel
            lets them; False acts as on a machine whose kernel does not.
    """

    directory: Path
    log_limit: int = 10 * 1024 * 1024
    log_files: int = 5
    hold: str = ""
    private_mounts: bool = True


class ProcessRuntime:
    """Containers of all process nodes of a data directory, behind one supervisor process.

    When the supervisor dies, a new one is started; it ends what is left of its predecessor's
    containers and the nodes hear that they are lost.
    """

    name = "process"
    executes = True

    def __init__(self, config: ProcessConfig, clock: Clock) -> None:
        """Prepare; nothing is started before `open`."""
        self._config = config
        self._clock = clock
        self._listeners: dict[str, Listener] = {}
        self._records = RecordIndex()
        self._removed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._messages = TerminationMessages(config.directory / "messages")
        self._no_mounts = "they are switched off"
        self._log = get_logger("orchestrator.node")
        self._client = self._new_client()

    def _new_client(self) -> SupervisorClient:
        return SupervisorClient(
            self._config.directory,
            hold=self._config.hold,
            on_exit=self._exited,
            on_lost=self._supervisor_lost,
        )

    @property
    def directory(self) -> Path:
        """Where records and logs are."""
        return self._config.directory

    @property
    def mounts(self) -> str:
        """Why containers cannot have private mounts, or ``""``."""
        return self._no_mounts

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process id, 0 before `open`."""
        return self._client.pid

    async def usage(self) -> dict[str, Reading]:
        """Read what every running container has used so far, by container id.

        Empty while the supervisor is away.
        """
        try:
            records = await self._client.ask({"op": "list"})
        except (RefusedError, DisconnectedError):
            return {}
        roots = {item["pid"]: item["id"] for item in records if item["state"] == "running"}
        return await asyncio.to_thread(read_trees, roots, self.supervisor_pid)

    # -- life

    async def open(self) -> None:
        """Connect to the supervisor, starting it when needed, and learn what it knows."""
        self._config.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._client.connect()
        if self._config.private_mounts:
            await self._probe()
        await self._learn(adopt=True)
        self._messages.sweep({record.started.id for record in self._records})

    async def _probe(self) -> None:
        try:
            answer = await self._client.ask({"op": "probe"})
        except (RefusedError, DisconnectedError) as error:  # one that an older version started
            self._no_mounts = f"the process supervisor: {error}"
        else:
            self._no_mounts = str(answer["mounts"])

    async def _learn(self, *, adopt: bool) -> None:
        """Take over the supervisor's records; tell of ends that were not heard of.

        Args:
            adopt: Whether running containers that this daemon does not know are taken over.
                After a lost connection they are starts that were given up: they are ended.
        """
        try:
            records = await self._client.ask({"op": "list"})
        except (RefusedError, DisconnectedError) as error:
            raise RuntimeUnavailableError(f"the process supervisor: {error}") from error
        present = set()
        for record in records:
            present.add(record["id"])
            known = self._records.get(record["id"])
            if known is None:
                self._records.put(_parse(record)._replace(exited=None))
                if not adopt:
                    self.stop(record["id"], 0)
            if record["state"] == "exited":
                self._exited(record)
        for known in list(self._records):
            if known.started.id not in present and known.exited is None:
                self._note_exit(_lost(known.started, self._clock.now()))

    def _supervisor_lost(self) -> None:
        if not self._closing:
            self._log.error("the process supervisor ended", pid=self._client.pid)
            self._run(self._recover())

    async def _recover(self) -> None:
        for attempt in range(1 << 30):
            self._client = self._new_client()
            try:
                await self._client.connect()
                await self._learn(adopt=False)
            except (RuntimeUnavailableError, RefusedError, DisconnectedError, OSError) as error:
                self._log.error("the process supervisor does not start", error=str(error))
                await self._client.close()
                await self._clock.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            else:
                return

    async def close(self, *, grace: float | None) -> None:
        """Let go; with a grace, end all containers and the supervisor too."""
        self._closing = True
        if grace is not None and self._client.is_connected:
            try:
                await self._client.ask({"op": "shutdown", "grace": grace})
                if not await self._client.wait_gone(grace + 15):
                    self._log.error("the process supervisor does not end", pid=self._client.pid)
            except (RefusedError, DisconnectedError) as error:
                self._log.error("the process supervisor was not told to end", error=str(error))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the protocol

    def attach(self, node: str, listener: Listener) -> None:
        """Send the events of a node's containers to ``listener`` from now on."""
        self._listeners[node] = listener

    def detach(self, node: str) -> None:
        """Stop sending events to the node; its containers stay."""
        self._listeners.pop(node, None)

    def pods(self, node: str) -> set[str]:
        """Return the uids of pods of which a node's containers are known."""
        return self._records.pods(node)

    def known(self, uid: str) -> Sequence[ContainerRecord]:
        """Return the containers of one pod, ended ones too."""
        return self._records.of_pod(uid)

    def identify(self) -> str:
        """Return 64 hexadecimal digits from the operating system: ids outlive daemons."""
        return os.urandom(32).hex()

    def runs_on(self, pod: Object) -> bool:  # noqa: ARG002 - the protocol's
        """Say no: a process may fail to start, and may end."""
        return False

    def run(self, of: ContainerOf, address: str) -> ContainerStarted:
        """Never called: see `runs_on`."""
        raise NotImplementedError(f"a process does not just run: {of}, {address}")

    def lag(self, id: str) -> float:  # noqa: A002, ARG002 - the protocol's
        """Return none: what a process has done is not undone."""
        return 0.0

    def course(self, moment: float) -> Course:
        """Return that nothing can be put back."""
        return Course(moment, {}, {})

    def put_back(self, course: Course) -> None:
        """Do nothing: what a process has done is not undone."""

    def on_course(self) -> Collection[str]:
        """Return none: what a process has done is not undone."""
        return ()

    def forget(self, uid: str) -> None:
        """Never called: what a process has done cannot be undone."""
        raise NotImplementedError(f"processes are not undone: pod {uid}")

    def halt(self, uid: str) -> Sequence[ContainerExited]:
        """Never called: see `runs_on`."""
        raise NotImplementedError(f"a process does not just end: {uid}")

    def start(self, spec: ContainerSpec) -> ContainerStarted | None:
        """Ask the supervisor for a container; the answer follows as an event."""
        self._run(self._start(spec))
        return None

    async def _start(self, spec: ContainerSpec) -> None:
        of = spec.of
        if spec.message_path:
            self._messages.create(spec.id)
        request = {
            "op": "start",
            "container": spec.id,
            "argv": spec.argv,
            "env": {"TERM": "xterm", **spec.env} if spec.container.get("tty") else dict(spec.env),
            "cwd": spec.working_directory,
            "uid": spec.identity.uid,
            "gid": spec.identity.gid,
            "groups": spec.identity.groups,
            "no_new_privileges": spec.identity.no_new_privileges,
            "labels": {**of._asdict(), "attempt": str(of.attempt), "address": spec.address},
            "mounts": spec.mounts,
            "scratch": str(self._config.directory.absolute()) if spec.mounts else "",
            "stdin": bool(spec.container.get("stdin")),
            "stdin_once": bool(spec.container.get("stdinOnce")),
            "tty": bool(spec.container.get("tty")),
            "log": str(self._log_path(spec.pod, of)),
            "log_limit": self._config.log_limit,
            "log_files": self._config.log_files,
        }
        try:
            record = await self._client.ask(request)
        except (RefusedError, DisconnectedError) as error:
            self._tell(ContainerRefused(spec.id, of, str(error)))
            return
        parsed = _parse(record)
        if self._records.get(spec.id) is None:  # else its end was heard of first
            self._records.put(parsed._replace(exited=None))
        self._tell(parsed.started)

    def _log_path(self, pod: Object, of: ContainerOf) -> Path:
        directory = pod_log_directory(
            self._config.directory, namespace_of(pod), name_of(pod), of.uid
        )
        return directory / of.container / f"{of.attempt}.log"

    def last_words(self, pod: Object, of: ContainerOf) -> str:
        """Return the end of a container's log."""
        try:
            return read_last_words(self._log_path(pod, of))
        except OSError as error:
            self._log.warning("no last words", container=of.container, error=str(error))
            return ""

    def declared(self, container: Object) -> SimulatedImage | None:  # noqa: ARG002 - the protocol's
        """Nothing is said of images where programs are."""
        return None

    def readiness(self, id: str) -> bool | None:  # noqa: A002, ARG002 - the protocol's
        """Processes are asked by probes only."""
        return None

    def answers(self, id: str, probe: Object) -> bool:  # noqa: A002, ARG002 - the protocol's
        """Tell that processes are there to be asked."""
        return True

    def message_path(self, id: str) -> str:  # noqa: A002 - the protocol's word
        """Return where a container may leave its termination message."""
        return str(self._messages.path(id))

    def termination_message(self, id: str) -> str:  # noqa: A002 - the protocol's word
        """Return what a container left as its termination message."""
        try:
            return self._messages.read(id)
        except OSError as error:
            self._log.warning("no termination message", container=id, error=str(error))
            return ""

    def stop(self, id: str, grace: float) -> None:  # noqa: A002 - the protocol's word
        """Ask for a container's end."""
        self._run(self._ask_quietly({"op": "stop", "container": id, "grace": grace}))

    async def execute(self, id: str, request: ExecRequest) -> Session:  # noqa: A002 - the protocol's word
        """Start a command in a running container."""
        self._check_running(id)
        return await sessions.execute(self._config.directory, id, request)

    async def attach_streams(self, id: str, request: AttachRequest) -> Session:  # noqa: A002 - the protocol's word
        """Take part in the streams of a container's main process."""
        self._check_running(id)
        return await sessions.attach(self._config.directory, id, request)

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to the pod's own address."""
        addresses = {record.address for record in self._records.of_pod(pod["metadata"]["uid"])}
        return await connect(next(iter(addresses), ""), port)

    def _check_running(self, container: str) -> None:
        record = self._records.get(container)
        if record is None or record.exited is not None:
            raise NotRunningError("the container does not run")

    def remove(self, id: str) -> None:  # noqa: A002 - the protocol's word
        """Forget an ended container and remove its logs."""
        if self._records.remove(id) is not None:
            self._messages.remove(id)
            self._run(self._ask_quietly({"op": "remove", "container": id}))

    async def _ask_quietly(self, request: dict[str, Any]) -> None:
        """Ask; what a lost supervisor did not hear, its successor finds out."""
        try:
            await self._client.ask(request)
        except RefusedError as error:
            self._log.warning("the process supervisor refused", op=request["op"], error=str(error))
        except DisconnectedError:
            return

    # -- events

    def _exited(self, record: dict[str, Any]) -> None:
        parsed = _parse(record)
        known = self._records.get(parsed.started.id)
        if known is not None and known.exited is not None:
            return
        if known is None:  # it ended before its start was answered
            self._records.put(parsed._replace(exited=None))
        if parsed.exited is not None:
            self._note_exit(parsed.exited)

    def _note_exit(self, exited: ContainerExited) -> None:
        known = self._records.get(exited.id)
        if known is not None:
            self._records.put(known._replace(exited=exited))
        self._tell(exited)

    def _tell(self, event: RuntimeEvent) -> None:
        listener = self._listeners.get(event.of.node)
        if listener is not None:
            listener(event)


def _parse(record: dict[str, Any]) -> ContainerRecord:
    labels = record["labels"]
    of = ContainerOf(labels["node"], labels["uid"], labels["container"], int(labels["attempt"]))
    started = ContainerStarted(record["id"], of, record["started_at"])
    exited = None
    if record["state"] == "exited":
        exited = ContainerExited(
            record["id"],
            of,
            record["exit_code"],
            record["signal"],
            record["started_at"],
            record["finished_at"],
            record["lost"],
        )
    return ContainerRecord(started, exited, labels.get("address", ""))


def _lost(started: ContainerStarted, now: float) -> ContainerExited:
    return ContainerExited(
        started.id,
        started.of,
        137,
        9,
        started.started_at,
        now,
        "The container could not be located when its supervisor was restarted",
    )
