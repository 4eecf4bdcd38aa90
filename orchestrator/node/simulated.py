"""The simulated runtime: containers that only take time, and end as a script says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from actors import Clock, TimerHandle
from orchestrator.node._index import RecordIndex
from orchestrator.node.annotations import PREFIX
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
    ContainerTurned,
    Course,
    Listener,
    RuntimeEvent,
)
from orchestrator.node.simulated_ages import Ages
from orchestrator.node.simulated_processes import Processes, SimulatedProcess
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.node.images import Images, SimulatedImage
    from orchestrator.node.sessions import AttachRequest, ExecRequest, PortConnection, Session
    from orchestrator.node.simulated_commands import Program
    from orchestrator.node.simulated_logs import MemoryCursor
    from orchestrator.node.simulated_ports import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a simulated container does.

    Attributes:
        start_seconds: From being asked to running.
        run_seconds: From running to ending by itself, or None to run on.
        exit_code: With which it ends by itself.
        stop_seconds: From SIGTERM to its end, or None to ignore SIGTERM.
        refuse: Why it cannot be started, or ``""``.
    """

    start_seconds: float = 0.0
    run_seconds: float | None = None
    exit_code: int = 0
    stop_seconds: float | None = 0.0
    refuse: str = ""


class _Starting(NamedTuple):
    """A container that has not begun yet, and when it will, in seconds since the epoch."""

    spec: ContainerSpec
    due: float


RUNS_ON = Behaviour()
ENDS = Behaviour(run_seconds=0.0)
"""What an init container does."""
RUNS_ITS_COURSE = Behaviour(stop_seconds=None)
"""What one does that has a function: it ends when that ends, and may ignore SIGTERM."""
# What named tuples' own constructors do, in half the time.
_started: Callable[[tuple[str, ContainerOf, float]], ContainerStarted] = partial(
    tuple.__new__, ContainerStarted
)
_record: Callable[[tuple[ContainerStarted, None, str]], ContainerRecord] = partial(
    tuple.__new__, ContainerRecord
)
_DRAWN = 64
"""Container ids drawn from the generator at once."""
Script = Callable[[ContainerSpec], Behaviour | None]
"""Says what a container does; None leaves it to annotations and the default."""


def behaviour_of(
    spec: ContainerSpec, default: Behaviour = RUNS_ON, image: SimulatedImage | None = None
) -> Behaviour:
    """Read a pod's annotations, then what is said of its image; the rest is the default's.

    Raises:
        ValueError: An annotation is not a number.
    """
    from orchestrator.node.images import words_of
    from orchestrator.node.scripts import script_of

    found = script_of(spec.pod, spec.container, words_of(image))
    if not found:
        return default
    stop = found.get("stop-seconds")
    run = found.get("run-seconds")
    return Behaviour(
        start_seconds=float(found.get("start-seconds", default.start_seconds)),
        run_seconds=float(run) if run is not None else default.run_seconds,
        exit_code=int(found.get("exit-code", default.exit_code)),
        stop_seconds=(None if stop == "never" else float(stop))
        if stop is not None
        else default.stop_seconds,
        refuse=found.get("refuse", default.refuse),
    )


class _NoImages:
    def __bool__(self) -> bool:
        return False

    def find(self, image: str) -> SimulatedImage | None:
        del image
        return None


class SimulatedRuntime:
    """Containers of any number of simulated nodes; at rest one costs a record, no task."""

    name = "simulated"
    executes = False
    mounts = "simulated containers have none"

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        *,
        default: Behaviour = RUNS_ON,
        jitter: float = 0.0,
        script: Script | None = None,
        program: Program | None = None,
        server: Server | None = None,
        images: Images | None = None,
    ) -> None:
        """Simulate on ``clock``.

        Args:
            clock: Real or virtual.
            chance: Seeded generator for ids and jitter.
            default: What containers do that nothing else is said of.
            jitter: Part by which start seconds vary, 0.1 for ten percent up or down.
            script: Asked first for every container.
            program: Answers commands in containers (``exec``); what it leaves, and all without
                it, is answered by the few built-in ones of `simulated_commands`.
            server: Answers connections to pods' ports (``port-forward``); None refuses all.
            images: What was said of images; asked for containers that no script speaks of.
        """
        self._images: Images = images if images is not None else _NoImages()
        self._processes = Processes(clock, self._images, self.end, self._turn)
        self._program = program
        self._server = server
        self._commands: dict[str, set[asyncio.Task[int]]] = {}
        self._clock = clock
        self._chance = chance
        self._default = default
        self._jitter = jitter
        self._script = script
        self._identities: list[str] = []
        self._listeners: dict[str, Listener] = {}
        self._records = RecordIndex()
        self._specs: dict[str, Behaviour] = {}
        self._starting: dict[str, _Starting] = {}
        self._timers: dict[str, TimerHandle] = {}
        self._ages = Ages(clock)

    async def open(self) -> None:
        """Nothing to get ready."""

    async def close(self, *, grace: float | None) -> None:  # noqa: ARG002 - the protocol's
        """End everything at once; with ``grace`` None too, since nothing could outlive it."""
        for timer in self._timers.values():
            timer.cancel()
        for container in list(self._commands):
            self._end_commands(container)
        self._timers.clear()
        self._listeners.clear()
        await self._processes.close()

    def attach(self, node: str, listener: Listener) -> None:
        """Send the events of a node's containers to ``listener`` from now on."""
        self._listeners[node] = listener

    def detach(self, node: str) -> None:
        """Stop sending events to the node; its containers stay, those that had not begun don't."""
        self._listeners.pop(node, None)
        for spec, _ in [item for item in self._starting.values() if item.spec.of.node == node]:
            self._timers.pop(spec.id).cancel()
            del self._starting[spec.id]

    def pods(self, node: str) -> set[str]:
        """Return the uids of pods of which a node's containers are known."""
        return self._records.pods(node)

    def known(self, uid: str) -> Sequence[ContainerRecord]:
        """Return the containers of one pod, ended ones too."""
        return self._records.of_pod(uid)

    def identify(self) -> str:
        """Return 64 hexadecimal digits from the seeded generator."""
        if not self._identities:
            drawn = self._chance.randbytes(32 * _DRAWN).hex()
            self._identities = [drawn[at : at + 64] for at in range(0, len(drawn), 64)]
        return self._identities.pop()

    def runs_on(self, pod: Object) -> bool:
        """Tell whether nothing scripts the pod, and the default is to run on."""
        return (
            self._default is RUNS_ON
            and self._script is None
            and not (self._images and any(map(self.declared, pod["spec"]["containers"])))
            and not any(key.startswith(PREFIX) for key in pod["metadata"].get("annotations") or ())
        )

    def run(self, of: ContainerOf, address: str) -> ContainerStarted:
        """Start a container of a pod that `runs_on`."""
        started = _started((self.identify(), of, self._clock.now()))
        self._records.put(_record((started, None, address)))
        return started

    def halt(self, uid: str) -> Sequence[ContainerExited]:
        """End the containers of a pod that `runs_on`."""
        records = self._records.of_pod(uid)
        return [self._ended(item, 143, 15) for item in records if item.exited is None]

    def start(self, spec: ContainerSpec) -> ContainerStarted | None:
        """Start a container; without start seconds it runs at once."""
        behaviour = self._script(spec) if self._script else None
        image = self.declared(spec.container)
        if behaviour is None:
            behaviour = ENDS if spec.init else self._default
            if image is not None and image.main is not None:
                behaviour = RUNS_ITS_COURSE
            if image is not None or spec.pod["metadata"].get("annotations"):
                try:
                    behaviour = behaviour_of(spec, behaviour, image)
                except ValueError as error:
                    behaviour = Behaviour(refuse=f"annotation under {PREFIX}: {error}")
        if behaviour is RUNS_ON:
            return self._begin(spec, behaviour)
        if behaviour.refuse:
            self._tell(ContainerRefused(spec.id, spec.of, behaviour.refuse))
            return None
        if not behaviour.start_seconds:
            return self._begin(spec, behaviour)
        delay = self._ages.delay_left(spec.of)
        if delay is None:
            delay = behaviour.start_seconds * (1 + self._jitter * self._chance.uniform(-1, 1))
        self._starting[spec.id] = _Starting(spec, self._clock.now() + delay)
        self._timers[spec.id] = self._clock.call_later(delay, self._begin_late, spec, behaviour)
        return None

    def _begin_late(self, spec: ContainerSpec, behaviour: Behaviour) -> None:
        del self._timers[spec.id], self._starting[spec.id]
        self._tell(self._begin(spec, behaviour))

    def _begin(self, spec: ContainerSpec, behaviour: Behaviour) -> ContainerStarted:
        now = self._clock.now()
        age = 0.0 if spec.since is None else self._ages.resume(spec.id, spec.since)
        started = ContainerStarted(spec.id, spec.of, now if spec.since is None else spec.since)
        self._records.put(ContainerRecord(started, None, spec.address))
        if behaviour is not RUNS_ON:
            self._specs[spec.id] = behaviour
            if behaviour.run_seconds is not None:
                left = max(0.0, behaviour.run_seconds - age)
                self._end_after(spec.id, left, behaviour.exit_code, 0)
        if self._images:
            image = self.declared(spec.container)
            if image is not None:
                self._processes.start(spec, image)
        return started

    def _end_after(self, container: str, seconds: float, code: int, signal: int) -> None:
        if timer := self._timers.pop(container, None):
            timer.cancel()
        self._timers[container] = self._clock.call_later(seconds, self.end, container, code, signal)

    def end(self, container: str, exit_code: int, signal: int = 0) -> None:
        """End a running container now, as if by itself; for scripts and tests."""
        if timer := self._timers.pop(container, None):
            timer.cancel()
        record = self._records.get(container)
        if record is None or record.exited is not None:
            return
        self._tell(self._ended(record, exit_code, signal))

    def _ended(self, record: ContainerRecord, exit_code: int, signal: int) -> ContainerExited:
        started = record.started
        exited = ContainerExited(
            started.id, started.of, exit_code, signal, started.started_at, self._clock.now()
        )
        self._records.put(ContainerRecord(started, exited, record.address))
        self._end_commands(started.id)
        self._processes.end(started.id)
        return exited

    def stop(self, id: str, grace: float) -> None:  # noqa: A002 - the protocol's word
        """End a container: SIGTERM obeyed after its stop seconds, SIGKILL after the grace."""
        record = self._records.get(id)
        if record is None:
            if timer := self._timers.pop(id, None):  # it has not begun and never will
                timer.cancel()
                del self._starting[id]
            return
        behaviour = self._specs.get(id, RUNS_ON)
        seconds = behaviour.stop_seconds
        if record.exited is None and grace > 0:
            self._processes.terminate(id)
        if grace <= 0:
            self.end(id, 137, 9)
        elif seconds is None or seconds > grace:
            self._end_after(id, grace, 137, 9)
        elif seconds:
            self._end_after(id, seconds, 143, 15)
        else:
            self.end(id, 143, 15)

    async def execute(self, id: str, request: ExecRequest) -> Session:  # noqa: A002 - the protocol's word
        """Let a function answer a command; it ends with the container."""
        # Few clusters of simulated nodes ever need it.
        from orchestrator.node.sessions import NotRunningError
        from orchestrator.node.simulated_commands import Invocation
        from orchestrator.node.simulated_sessions import SimulatedSession, invocation_pipes

        record = self._records.get(id)
        if record is None or record.exited is not None:
            raise NotRunningError("the container does not run")
        pipes = invocation_pipes(stdin=request.stdin, tty=request.tty)
        process, program = self._processes.get(id), self._program
        if process is None and self._images and request.pod:
            process = self._processes.stand_in(record, request.pod)
        if process is not None:
            image = self.declared(process.spec.container)
            program = process.program or (image and image.program) or program
        asked = Invocation(
            request.command,
            record.started.of,
            request.pod or {},
            *pipes,
            self._clock,
            request.tty,
            process,
        )
        session = SimulatedSession(asked, program, stdout=request.stdout, stderr=request.stderr)
        running = self._commands.setdefault(id, set())
        running.add(session.task)
        session.task.add_done_callback(lambda task: self._forget_command(id, task))
        return session

    async def attach_streams(self, id: str, request: AttachRequest) -> Session:  # noqa: A002 - the protocol's word
        """Take part in a container that says nothing, unless a function speaks for it."""
        from orchestrator.node.sessions import ExecRequest

        asked = ExecRequest(
            command=(), stdin=request.stdin, stdout=request.stdout, stderr=request.stderr
        )
        return await self.execute(id, asked)

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Let a function answer a connection; where there is none, nobody listens."""
        from orchestrator.node.sessions import SessionError
        from orchestrator.node.simulated_ports import connect

        address = (pod.get("status") or {}).get("podIP") or ""
        refused = f"dial tcp {address}:{port}: connect: connection refused"
        listens = False
        for record in self._records.of_pod(pod["metadata"]["uid"]) if self._images else ():
            process = self._processes.stand_in(record, pod) if record.exited is None else None
            image = self.declared(process.spec.container) if process is not None else None
            if image is not None and image.server is not None:
                listens = True
                made = connect(image.server, pod, port, process) if port in image.ports else None
                if made is not None:
                    return made
        if self._server is None and not listens:
            raise SessionError(f"{refused} (simulated containers listen on no ports)")
        made = connect(self._server, pod, port) if self._server is not None else None
        if made is None:
            raise SessionError(refused)
        return made

    async def dial(self, address: str, port: int) -> PortConnection | None:
        """Connect to a port of the pod at an address; None: no function listens at it at all.

        Raises:
            ConnectionError: Some function does, but not on this port.
        """
        from orchestrator.node.sessions import SessionError

        for process in self._processes:
            image = self.declared(process.spec.container)
            if process.spec.address == address and image is not None and image.server is not None:
                try:
                    return await self.connect(process.spec.pod, port)
                except SessionError as error:
                    raise ConnectionRefusedError(str(error)) from error
        return None

    def _forget_command(self, container: str, task: asyncio.Task[int]) -> None:
        running = self._commands.get(container)
        if running is not None:
            running.discard(task)
            if not running:
                del self._commands[container]

    def _end_commands(self, container: str) -> None:
        for task in tuple(self._commands.get(container, ())):
            task.cancel()

    def declared(self, container: Object) -> SimulatedImage | None:
        """Return what was said of the image of a pod's container; None where nothing was."""
        images = self._images
        return images.find(container.get("image") or "") if images else None

    def readiness(self, id: str) -> bool | None:  # noqa: A002 - the protocol's word
        """Return what a container's function says of its readiness."""
        process = self._processes.get(id)
        return None if process is None else process.ready

    def _turn(self, process: SimulatedProcess) -> None:
        self._tell(ContainerTurned(process.spec.id, process.spec.of))

    def answers(self, id: str, probe: Object) -> bool:  # noqa: A002 - the protocol's word
        """Tell whether a function is there for a probe; where none is, scripts say how it goes."""
        process = self._processes.get(id)
        if process is None:
            return False
        image = self.declared(process.spec.container)
        if probe.get("exec"):
            return bool(process.program or (image and image.program))
        return image is not None and bool(image.ports)

    def message_path(self, id: str) -> str:  # noqa: A002, ARG002 - the protocol's
        """Name no file."""
        return ""

    def termination_message(self, id: str) -> str:  # noqa: A002 - the protocol's word
        """Return what a container's function left; annotations are read by who asks."""
        return self._processes.message(id)

    def last_words(self, pod: Object, of: ContainerOf) -> str:  # noqa: ARG002 - the protocol's
        """Return the end of what a container wrote."""
        for record in self._records.of_pod(of.uid):
            if record.started.of == of:
                return self._processes.last_words(record.started.id)
        return ""

    def cursor(self, id: str) -> MemoryCursor:  # noqa: A002 - the protocol's word
        """Return the beginning of a container's log."""
        from orchestrator.node.simulated_logs import MemoryCursor

        return MemoryCursor(self._processes.log(id))

    def remove(self, id: str) -> None:  # noqa: A002 - the protocol's word
        """Forget an ended container."""
        self._records.remove(id)
        self._specs.pop(id, None)
        self._processes.remove(id)

    def lag(self, id: str) -> float:  # noqa: A002 - the protocol's word
        """Return by how much a container that was put back is younger than its start says."""
        return self._ages.lag(id)

    def course(self, moment: float) -> Course:
        """Return how far containers had come that were put back, or have not begun."""
        return self._ages.course(moment, {spec.of: due for spec, due in self._starting.values()})

    def put_back(self, course: Course) -> None:
        """Let what is started from now on go on as from there."""
        self._ages.put_back(course, self._records.get)

    def on_course(self) -> Collection[str]:
        """Return the pods of containers that something is said of: they may change with time."""
        records = map(self._records.get, {**self._timers, **self._specs})
        uids = {record.started.of.uid for record in records if record is not None}
        uids.update(item.spec.of.uid for item in self._starting.values())
        uids.update(process.spec.of.uid for process in self._processes)
        return uids

    def forget(self, uid: str) -> None:
        """Let a pod's containers never have been; nobody is told."""
        starting = [spec.id for spec, _ in self._starting.values() if spec.of.uid == uid]
        for container in [*starting, *(record.started.id for record in self.known(uid))]:
            if timer := self._timers.pop(container, None):
                timer.cancel()
            self._starting.pop(container, None)
            self._end_commands(container)
            self._processes.end(container)
            self.remove(container)

    def _tell(self, event: RuntimeEvent) -> None:
        listener = self._listeners.get(event.of.node)
        if listener is not None:
            listener(event)
