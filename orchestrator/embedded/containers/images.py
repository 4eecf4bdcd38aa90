"""What the images of an embedded cluster do: functions as containers, and declared behaviour."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from orchestrator.embedded.arguments import check_function
from orchestrator.embedded.containers.commands import (
    Connection,
    ExecFunction,
    PortFunction,
    program_of,
)
from orchestrator.embedded.containers.containers import Container, MainFunction, container_for
from orchestrator.embedded.errors import ClusterError
from orchestrator.node.images import Line, Lines, SimulatedImage
from orchestrator.node.simulated_processes import hide_frames
from orchestrator.node.usage.courses import parse_course

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from orchestrator.embedded.containers.serving import HttpFunction
    from orchestrator.node.simulated_ports import Visit
    from orchestrator.node.simulated_processes import SimulatedProcess

Logs = Iterable[Line] | Callable[[Container], Iterable[Line]]
Amount = str | float | Callable[[float], str | float]

_REMEMBERED: Final = 4096
"""Names of images whose declaration is remembered."""
_PULL_REASONS: Final = ("ErrImagePull", "ImagePullBackOff")

hide_frames(__file__)


class Image:
    """An image of simulated containers; made by `Cluster.image`.

    Called with a function it makes that function the main process of its containers.

    Attributes:
        name: As it was declared.
    """

    def __init__(self, name: str, declared: SimulatedImage) -> None:
        """Made by `ImageBook.declare`."""
        self.name = name
        self.declared = declared
        self._ports: dict[int, PortFunction] = {}

    def __repr__(self) -> str:
        return f"<Image {self.name}>"

    def __call__(self, function: MainFunction) -> Image:
        """Let an async function of a `Container` be what its containers do.

        It runs each time that one is started, in every pod; containers that run already are not
        affected.
        """
        _check_async(function, "a container")

        async def main(process: SimulatedProcess) -> object:
            return await function(container_for(process))

        self.declared.main = main
        return self

    def exec(self, function: ExecFunction) -> ExecFunction:
        """Let a function of a `Command` answer commands in its containers, and ``exec`` probes.

        It returns the exit code, or a text to be written. ``NotImplemented`` leaves a command to
        the built-in ones (``echo``, ``cat``, ``sh -c`` and so on), which answer all without it.

        ```python
        @worker.exec
        async def run(command):
            if command.argv[0] == "psql":
                return "1 row"
            return NotImplemented
        ```
        """
        check_function(function, "answers commands")
        self.declared.program = program_of(function)
        return function

    def port(self, number: int) -> Callable[[PortFunction], PortFunction]:
        """Let an async function of a `Connection` serve a port of its containers.

        ``kubectl port-forward`` reaches it, the API's proxies of pods and Services (without TLS),
        and ``httpGet`` and ``tcpSocket`` probes. All of them then find nobody on ports that no
        function serves.
        """
        if not isinstance(number, int) or not 0 < number < 1 << 16:  # type: ignore[redundant-expr] # users' types
            raise ValueError(f"there is no port {number!r}: give a number from 1 to 65535")

        def declare(function: PortFunction) -> PortFunction:
            _check_async(function, "a port")
            self._ports[number] = function
            self.declared.ports = frozenset(self._ports)
            self.declared.server = self._serve
            return function

        return declare

    def http(self, number: int) -> Callable[[HttpFunction], HttpFunction]:
        """Let a function of a `Request` answer HTTP at a port of its containers; see `port`.

        ```python
        @worker.http(8080)
        def answer(request):
            return {"path": request.path} if request.path != "/healthz" else 200
        ```
        """
        from orchestrator.embedded.containers.serving import serve_http

        def declare(function: HttpFunction) -> HttpFunction:
            check_function(function, "answers HTTP")
            self.port(number)(serve_http(function))
            return function

        return declare

    def _serve(self, visit: Visit) -> Awaitable[None] | None:
        function = self._ports.get(visit.port)
        if function is None or visit.process is None:
            return None
        connection = Connection(visit, container_for(visit.process))

        async def serve() -> None:
            await function(connection)

        return serve()


class ImageBook:
    """What was said of images; where a cluster's runtime looks them up."""

    def __init__(self, images: Mapping[str, Image] | None = None) -> None:
        """Begin with those of another book, or with none."""
        self._images: dict[str, Image] = dict(images or {})
        self._found: dict[str, SimulatedImage | None] = {}

    def copy(self) -> ImageBook:
        """Return one that says the same, until more is said to either."""
        return ImageBook(self._images)

    def __bool__(self) -> bool:
        """Whether anything was said of any image."""
        return bool(self._images)

    def declare(self, name: str, declared: SimulatedImage) -> Image:
        """Say what an image does, in place of what was said of it before."""
        if not isinstance(name, str) or not name:  # type: ignore[redundant-expr] # users' types
            raise ClusterError(f'image {name!r}: an image has a name: cluster.image("worker:1")')
        image = Image(name, declared)
        self._images.pop(name, None)
        self._images[name] = image
        self._found.clear()
        return image

    def find(self, image: str) -> SimulatedImage | None:
        """Return what was said of an image.

        The name as it was given goes first, then one without a tag, then patterns: the one that
        was declared last.
        """
        if image in self._found:
            return self._found[image]
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        found = self._images.get(image) or self._images.get(without_tag(image))
        if found is None:
            patterns = [name for name in self._images if "*" in name]
            fitting = [name for name in reversed(patterns) if fnmatchcase(image, name)]
            found = self._images[fitting[0]] if fitting else None
        declared = self._found[image] = None if found is None else found.declared
        return declared


def without_tag(image: str) -> str:
    """Return an image's name without its tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def describe(
    *,
    start_seconds: float | None = None,
    ready_seconds: float | None = None,
    ready: bool | None = None,
    run_seconds: float | None = None,
    exit_code: int | None = None,
    crash_after: float | None = None,
    stop_seconds: float | None = None,
    refuse: str = "",
    logs: Logs = (),
    termination_message: str = "",
    cpu: Amount | None = None,
    memory: Amount | None = None,
) -> SimulatedImage:
    """Put what `Cluster.image` was told into the runtime's words.

    Raises:
        ClusterError: Two of them contradict each other.
        ValueError: An amount cannot be read.
    """
    if crash_after is not None:
        if run_seconds is not None:
            raise ClusterError("crash_after and run_seconds both say when a container ends: choose")
        run_seconds, exit_code = crash_after, 1 if exit_code is None else exit_code
    elif exit_code is not None and run_seconds is None:
        run_seconds = 0.0
    _check_words(exit_code, ready, refuse, termination_message)
    reason, _, why = refuse.partition(":")
    pull_error = ""
    if reason in _PULL_REASONS:
        pull_error, refuse = why.strip() or "the image cannot be pulled", ""
    given = {
        "start-seconds": start_seconds,
        "ready-after-seconds": ready_seconds,
        "run-seconds": run_seconds,
        "exit-code": exit_code,
        "stop-seconds": "never" if stop_seconds == float("inf") else stop_seconds,
        "refuse": refuse or None,
        "termination-message": termination_message or None,
    }
    for word in ("start-seconds", "ready-after-seconds", "run-seconds", "stop-seconds"):
        value = given[word]
        if value is not None and value != "never" and not _is_span(value):
            raise ClusterError(f"{word.replace('-', '_')}: {value!r} seconds are none")
    usage: dict[str, Callable[[float], object]] = {}
    for resource, amount in (("cpu", cpu), ("memory", memory)):
        if callable(amount):
            usage[resource] = amount
        elif amount is not None:
            text = str(amount)
            parse_course(text)
            given[f"{resource}-usage"] = text
    words = {word: str(value) for word, value in given.items() if value is not None}
    return SimulatedImage(
        words=words,
        pull_error=pull_error,
        ready=ready,
        lines=_lines(logs),
        usage=usage,
    )


def _check_words(exit_code: Any, ready: Any, refuse: Any, message: Any) -> None:
    if exit_code is not None and (
        not isinstance(exit_code, int) or isinstance(exit_code, bool) or not 0 <= exit_code < 256
    ):
        raise ClusterError(f"exit_code={exit_code!r}: give a whole number from 0 to 255")
    if ready is not None and not isinstance(ready, bool):
        raise ClusterError(f"ready={ready!r}: give True or False")
    for name, text in (("refuse", refuse), ("termination_message", message)):
        if not isinstance(text, str):
            raise ClusterError(f"{name}={text!r}: give a text")


def _is_late_line(line: Any) -> bool:
    return (
        isinstance(line, tuple | list)
        and len(line) == 2
        and _is_span(line[0])
        and isinstance(line[1], str)
    )


def _lines(logs: Logs) -> Lines | None:
    if callable(logs):
        function = logs
        return lambda process: function(container_for(process))
    if not isinstance(logs, Iterable):
        raise ClusterError(f"logs={logs!r}: give lines, or pairs of seconds and a line")
    lines = [logs] if isinstance(logs, str) else list(logs)
    for line in lines:
        if not isinstance(line, str) and not _is_late_line(line):
            raise ClusterError(f"logs: {line!r} is no line, nor a pair of seconds and a line")
    return (lambda _: lines) if lines else None


def _check_async(function: Any, what: str) -> None:
    check_function(function, f"can be {what}")
    if inspect.isfunction(function) and not inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{function.__qualname__} cannot be {what}: make it `async def`, since it lives on the "
            "cluster's loop and must let others have their turn"
        )


__all__ = ["Image", "ImageBook", "describe", "without_tag"]


def _is_span(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value >= 0  # type: ignore[operator] # NaN is not
