"""What a program says of the images of its simulated containers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from orchestrator.node.scripts import NOTHING_SAID
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.node.simulated_commands import Program
    from orchestrator.node.simulated_ports import Server
    from orchestrator.node.simulated_processes import SimulatedProcess

Main: TypeAlias = "Callable[[SimulatedProcess], Awaitable[object]]"
"""Runs as a container's main process; what it returns is the exit code, None for 0."""
Line: TypeAlias = str | tuple[float, str]
"""A line of a log, or one with the seconds after the container's start at which it is written."""
Lines: TypeAlias = "Callable[[SimulatedProcess], Iterable[Line]]"
Usage: TypeAlias = Callable[[float], object]
"""From a container's age in seconds to what it then uses, a quantity."""
_NONE: Mapping[str, Usage] = MappingProxyType({})


class SimulatedImage:
    """One image, or all that a pattern fits.

    Attributes:
        words: What its containers do, in the words of annotations (`orchestrator.node.scripts`);
            a pod's own annotations go before them.
        pull_error: Why it cannot be pulled, or ``""``.
        ready: Whether a container is ready before its function has said so; None leaves it to
            probes and ``words``.
        lines: What a container writes by itself.
        main: Its main process, None where it only takes time.
        program: Answers commands in its containers; None leaves them to the built-in ones.
        server: Answers connections to ``ports``.
        ports: On which its containers listen.
        usage: What they use, by resource (``cpu``, ``memory``), where ``words`` do not say.
    """

    __slots__ = (
        "lines",
        "main",
        "ports",
        "program",
        "pull_error",
        "ready",
        "server",
        "usage",
        "words",
    )

    def __init__(
        self,
        *,
        words: Mapping[str, str] = NOTHING_SAID,
        pull_error: str = "",
        ready: bool | None = None,
        lines: Lines | None = None,
        main: Main | None = None,
        usage: Mapping[str, Usage] = _NONE,
    ) -> None:
        """Say something of an image; the rest may be added later."""
        self.words = words
        self.pull_error = pull_error
        self.ready = ready
        self.lines = lines
        self.main = main
        self.program: Program | None = None
        self.server: Server | None = None
        self.ports: Collection[int] = ()
        self.usage = usage

    @property
    def sees_environment(self) -> bool:
        """Whether anybody looks at its containers' environment."""
        return bool(self.main or self.program or self.lines)


class Images(Protocol):
    """Where a simulated runtime looks images up."""

    def __bool__(self) -> bool:
        """Whether anything was said of any image: where not, nobody needs to ask."""

    def find(self, image: str) -> SimulatedImage | None:
        """Return what was said of an image; None where nothing was."""


Declared: TypeAlias = Callable[[Object], SimulatedImage | None]
"""From a container's entry in a pod to what was said of its image."""


def words_of(image: SimulatedImage | None) -> Mapping[str, str]:
    """Return an image's words; none where nothing was said of it."""
    return NOTHING_SAID if image is None else image.words
