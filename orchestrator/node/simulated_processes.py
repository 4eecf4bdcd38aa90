"""Functions that run as main processes of simulated containers: a task each, and its owner."""

from __future__ import annotations

import asyncio
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Final

from actors import Clock, TimerHandle
from orchestrator.node.runtime import ContainerRecord, ContainerSpec
from orchestrator.resources.objects import Object, spec_of

if TYPE_CHECKING:
    from orchestrator.node.images import Images, Line, Main, SimulatedImage
    from orchestrator.node.simulated_commands import Program
    from orchestrator.node.simulated_logs import MemoryLog, StreamName

_PATIENCE: Final = 1.0
"""Real seconds that cancelled functions get to end when the runtime closes."""


class Exit(Exception):  # noqa: N818 - it is no error, as SystemExit is none
    """Ends a container's function, and with it the container."""

    def __init__(self, code: int = 0) -> None:
        """Args: code: The exit code, 0 to 255."""
        if not isinstance(code, int):
            raise TypeError(f"an exit code is a whole number from 0 to 255, not {code!r}")
        super().__init__(code)
        self.code = code


class SimulatedProcess:
    """A container's main process, as its function sees it.

    Attributes:
        spec: What it was started with.
        log: What it has written.
        clock: The cluster's.
        terminated: Set when it is told to end (SIGTERM).
        program: Answers commands in the container before those of its image do.
        face: What its function is given to see, made by whoever calls the function.
        images: Where its runtime looks images up.
        message: Its termination message.
        ready: What it has said of its readiness; None while it has said nothing.
    """

    __slots__ = (
        "_note",
        "clock",
        "face",
        "images",
        "killed",
        "log",
        "message",
        "program",
        "ready",
        "spec",
        "task",
        "terminated",
        "timers",
    )

    def __init__(
        self,
        spec: ContainerSpec,
        log: MemoryLog,
        clock: Clock,
        images: Images,
        note: Callable[[SimulatedProcess], None],
    ) -> None:
        """Prepare; ``note`` hears of changes of ``ready``."""
        self.images = images
        self.message = ""
        self.spec = spec
        self.log = log
        self.clock = clock
        self.terminated = asyncio.Event()
        self.program: Program | None = None
        self.face: object = None
        self.ready: bool | None = None
        self.task: asyncio.Task[int] | None = None
        self.timers: list[TimerHandle] = []
        self.killed = False
        self._note = note

    def write(self, text: str, stream: StreamName = "stdout") -> None:
        """Write to the container's log; after its end nothing is written."""
        if not self.killed:
            self.log.write(text, self.clock.now(), stream)

    def set_ready(self, ready: bool) -> None:
        """Say whether the container is ready."""
        if self.ready is not ready and not self.killed:
            self.ready = ready
            self._note(self)

    def write_lines(self, lines: list[Line]) -> None:
        """Write lines, those with a time when it has come."""
        for line in lines:
            if isinstance(line, str):
                self.write(line)
            else:
                self.timers.append(self.clock.call_later(line[0], self.write, line[1]))

    def end(self) -> None:
        """Let go: the container has ended."""
        self.killed = True
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        if self.task is not None:
            self.task.cancel()


class Processes:
    """All functions and logs of one runtime, by container id."""

    def __init__(
        self,
        clock: Clock,
        images: Images,
        ended: Callable[[str, int], None],
        noted: Callable[[SimulatedProcess], None],
    ) -> None:
        """Prepare.

        Args:
            clock: The cluster's.
            images: Where the runtime looks images up.
            ended: Called with id and exit code when a function has ended by itself.
            noted: Called when a container's readiness has changed.
        """
        self._clock = clock
        self._images = images
        self._messages: dict[str, str] = {}
        self._ended = ended
        self._noted = noted
        self._running: dict[str, SimulatedProcess] = {}
        self._ending: set[asyncio.Task[int]] = set()
        self._logs: dict[str, MemoryLog] = {}

    def __iter__(self) -> Iterator[SimulatedProcess]:
        return iter(self._running.values())

    def get(self, container: str) -> SimulatedProcess | None:
        """Return a running container's process, None where nothing stands behind it."""
        return self._running.get(container)

    def log(self, container: str) -> MemoryLog:
        """Return a container's log; one that has written nothing gets an empty one."""
        found = self._logs.get(container)
        if found is None:
            from orchestrator.node.simulated_logs import MemoryLog

            found = self._logs[container] = MemoryLog()
        return found

    def last_words(self, container: str) -> str:
        """Return the end of a container's log, or ``""``."""
        found = self._logs.get(container)
        return "" if found is None else found.last_words()

    def start(self, spec: ContainerSpec, image: SimulatedImage) -> None:
        """Begin what an image's containers do by themselves."""
        process = self._make(spec)
        process.ready = image.ready
        self._running[spec.id] = process
        if image.lines is not None:
            try:
                process.write_lines(list(image.lines(process)))
            except Exception as error:  # noqa: BLE001 - it is the container's, and stands in its log
                process.write(_describe(error), "stderr")
        if image.main is None:
            return
        of = spec.of
        task = asyncio.get_running_loop().create_task(
            _run(process, image.main), name=f"container:{of.uid}:{of.container}:{of.attempt}"
        )
        process.task = task
        self._ending.add(task)
        task.add_done_callback(lambda task: self._hear(process, task))

    def _make(self, spec: ContainerSpec) -> SimulatedProcess:
        return SimulatedProcess(spec, self.log(spec.id), self._clock, self._images, self._noted)

    def stand_in(self, record: ContainerRecord, pod: Object) -> SimulatedProcess | None:
        """Return a running container's process, also of one that was started without."""
        started = record.started
        found = self._running.get(started.id)
        if found is None:
            for field in ("containers", "initContainers", "ephemeralContainers"):
                for item in spec_of(pod).get(field) or ():
                    if item["name"] == started.of.container:
                        spec = ContainerSpec(started.id, started.of, pod, item, record.address)
                        found = self._running[started.id] = self._make(spec)
        return found

    def _hear(self, process: SimulatedProcess, task: asyncio.Task[int]) -> None:
        self._ending.discard(task)
        if process.killed:
            if not task.cancelled():
                task.exception()  # nobody asks any more
            return
        if task.cancelled():
            process.write("the container's function was cancelled", "stderr")
        self._ended(process.spec.id, 1 if task.cancelled() else task.result())

    def terminate(self, container: str) -> None:
        """Tell a container's function to end."""
        process = self._running.get(container)
        if process is not None:
            process.terminated.set()

    def end(self, container: str) -> None:
        """Let a container's function end, which is over for all others."""
        process = self._running.pop(container, None)
        if process is not None:
            process.end()
            if process.message:
                self._messages[container] = process.message
        self.wake(container)

    def wake(self, container: str) -> None:
        """Let those go who follow a log that has ended."""
        log = self._logs.get(container)
        if log is not None:
            log.wake()

    def message(self, container: str) -> str:
        """Return the termination message that an ended container left, or ``""``."""
        return self._messages.get(container, "")

    def remove(self, container: str) -> None:
        """Forget a container."""
        if container in self._running:
            self.end(container)
        self._messages.pop(container, None)
        log = self._logs.pop(container, None)
        if log is not None:
            log.wake()

    async def close(self) -> None:
        """End all functions; one that does not is told of."""
        for container in list(self._running):
            self.end(container)
        if not self._ending:
            return
        _, left = await asyncio.wait(tuple(self._ending), timeout=_PATIENCE)
        for task in left:
            warnings.warn(
                f"the function of {task.get_name()} does not end: it holds back its cancellation, "
                f"and stands at {_place(task)}",
                RuntimeWarning,
                stacklevel=2,
            )


def _place(task: asyncio.Task[int]) -> str:
    """Return file and line at which a container's function waits."""
    coroutine: object = task.get_coro()
    while isinstance(coroutine, CoroutineType):
        frame = coroutine.cr_frame
        if frame is not None and frame.f_code.co_filename not in _OWN:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        coroutine = coroutine.cr_await
    return "its end"


async def _run(process: SimulatedProcess, main: Main) -> int:
    try:
        code = await main(process)
    except Exit as error:
        return error.code & 0xFF
    except SystemExit as error:  # asyncio would end the whole loop
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        process.write(str(error.code), "stderr")
        return 1
    except Exception as error:  # noqa: BLE001 - it is the container's, and stands in its log
        process.write(_describe(error), "stderr")
        return 1
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    process.write(f"the function returned {code!r}, which is no exit code", "stderr")
    return 1


def _describe(error: Exception) -> str:
    """Return an error with its traceback, from the function on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


_OWN: set[str] = {__file__}
"""Files whose frames say nothing to who reads a traceback."""


def hide_frames(file: str) -> None:
    """Leave a file's frames out at the beginning of tracebacks in logs."""
    _OWN.add(file)
