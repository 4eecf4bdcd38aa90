"""The directories of pods' volumes on this machine: made, found again, and taken away.

``DIRECTORY/UID/volumes/NAME`` has what is in a volume, ``DIRECTORY/UID/roots/CONTAINER`` the paths
of a container that cannot mount. Volumes of memory are below ``/dev/shm``, which is a tmpfs of the
machine's: a tmpfs mounted for a pod would be left mounted by a daemon that is killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import shutil
import stat
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final

from orchestrator.access import AccountTokens
from orchestrator.node.volumes.atomic import make_directory
from orchestrator.node.volumes.planning import Link

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a tmpfs by convention of Linux, checked before use
_TRASH: Final = ".trash"
_REMOVING: Final = 10.0
"""Seconds that the end waits for removals; the next start goes on with what is left."""


class VolumeDirectories:
    """All pods' volumes of one data directory; nothing is touched before the first pod.

    Attributes:
        tokens: Issues ServiceAccount tokens; None where there are none to be had.
    """

    def __init__(self, directory: Path, tokens: AccountTokens | None = None) -> None:
        """Keep everything below ``directory``, and in a directory of `MEMORY` named after it."""
        self.tokens = tokens
        self._directory = directory.absolute()
        name = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
        self._memory = MEMORY / f"orchestrator-{os.getuid()}-{name}"
        self._removing: set[asyncio.Future[None]] = set()

    def volume(self, uid: str, name: str) -> Path:
        """Return where a volume's content is; the directory above exists."""
        parent = self._directory / uid / "volumes"
        if not parent.is_dir():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_directory(parent.parent)
            make_directory(parent)
        return parent / name

    def memory(self, uid: str, name: str) -> Path | None:
        """Return where a volume of memory is; None on a machine without a place for it.

        Raises:
            OSError: The directory is somebody else's.
        """
        if not os.path.ismount(MEMORY) or not os.access(MEMORY, os.W_OK | os.X_OK):
            return None
        self._memory.mkdir(mode=0o700, exist_ok=True)
        if self._memory.lstat().st_uid != os.getuid() or not stat.S_ISDIR(
            self._memory.lstat().st_mode
        ):
            raise PermissionError(f"{self._memory} is not a directory of this user")
        make_directory(self._memory / uid)
        return self._memory / uid / name

    def link(self, uid: str, container: str, links: Sequence[Link]) -> Path:
        """Make a container's root directory of paths that stand for mounts, and return it."""
        root = self._directory / uid / "roots" / container
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for link in links:
            place = root / link.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link.target)
        return root

    # -- ends

    def remove(self, uid: str) -> None:
        """Take away all that a pod has; large directories go on in the background."""
        for base in (self._directory, self._memory):
            if os.path.lexists(base / uid):
                trash = base / _TRASH
                trash.mkdir(mode=0o700, exist_ok=True)
                names = (f"{uid}.{number}" for number in itertools.count())
                name = next(name for name in names if not os.path.lexists(trash / name))
                (base / uid).rename(trash / name)
                self._empty(trash, name)

    def sweep(self, present: Container[str]) -> None:
        """Take away what an earlier daemon left of pods that are no longer there.

        Args:
            present: Uids of the pods that are.
        """
        for base in (self._directory, self._memory):
            if not base.is_dir():
                continue
            for entry in sorted(base.iterdir()):
                if entry.name == _TRASH:
                    for left in sorted(entry.iterdir()):
                        self._empty(entry, left.name)
                elif entry.name not in present:
                    self.remove(entry.name)

    def _empty(self, trash: Path, name: str) -> None:
        running = asyncio.get_running_loop().run_in_executor(None, _remove_tree, trash / name)
        self._removing.add(running)
        running.add_done_callback(self._removing.discard)

    async def close(self, *, clean: bool = False) -> None:
        """Wait until everything that was taken away is gone, for a while.

        Args:
            clean: No container runs any more: volumes of memory are lost, as when a machine is
                switched off.
        """
        if clean and self._memory.is_dir():
            for entry in sorted(self._memory.iterdir()):
                if entry.name != _TRASH:
                    _remove_tree(entry)
        if self._removing:
            await asyncio.wait(set(self._removing), timeout=_REMOVING)
        for directory in (self._memory / _TRASH, self._memory):
            try:
                directory.rmdir()
            except OSError:  # not there, or pods that go on have volumes in it
                continue


def _remove_tree(directory: Path) -> None:
    """Remove a tree, also where a container took the right to away from its own directories."""
    shutil.rmtree(directory, ignore_errors=True)
    if not directory.exists():
        return
    for parent, names, _ in os.walk(directory):
        for name in names:
            place = Path(parent, name)
            if not place.is_symlink():
                place.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)
