"""Termination messages of processes: a file for each, since they have no private ``/dev``.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

_LIMIT = 4096
"""Bytes of a message that are told, as upstream's ``MaxContainerTerminationMessageLength``."""


class TerminationMessages:
    """The files of one data directory, by container id."""

    def __init__(self, directory: Path) -> None:
        """Keep files in ``directory``, which is made when the first one is."""
        self._directory = directory

    def path(self, container: str) -> Path:
        """Return where a container writes."""
        return self._directory / container

    def create(self, container: str) -> None:
        """Make the file, so that a container can open it whatever way it opens files."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path(container)
        path.touch()
        path.chmod(0o666)  # it may be mounted for another user; the directory is closed

    def read(self, container: str) -> str:
        """Return what a container has written, or ``""``."""
        try:
            with self.path(container).open("rb") as file:
                return file.read(_LIMIT).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def remove(self, container: str) -> None:
        """Forget a message."""
        self.path(container).unlink(missing_ok=True)

    def sweep(self, known: Container[str]) -> None:
        """Remove what containers have left that nobody knows any more."""
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                if path.name not in known:
                    path.unlink(missing_ok=True)
