"""Paths of the machine that pods ask for: whether they are what their type says.

https://kubernetes.io/docs/concepts/storage/volumes/#hostpath
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from orchestrator.node.volumes.claims import HostPath
from orchestrator.node.volumes.files import VolumeError

_TYPES: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def settle_path(wanted: HostPath) -> None:
    """Check a path, and make it where its type says so.

    No type at all makes a directory where there is nothing, as container runtimes do.

    Raises:
        VolumeError: It is not there, or is something else, or cannot be made.
    """
    path = Path(wanted.path)
    try:
        if wanted.type in ("", "DirectoryOrCreate", "local"):
            _settle_directory(path, wanted)
        elif wanted.type == "FileOrCreate":
            if not path.exists():
                path.touch(mode=0o644)
            _check(path, "File", wanted)
        else:
            _check(path, wanted.type, wanted)
    except OSError as error:
        raise _failed(wanted, str(error)) from error


def _settle_directory(path: Path, wanted: HostPath) -> None:
    if path.exists():
        if wanted.type == "DirectoryOrCreate":
            _check(path, "Directory", wanted)
    elif wanted.type == "local":
        raise VolumeError(
            f'MountVolume.NewMounter initialization failed for volume "{wanted.volume}" : '
            f'path "{path}" does not exist',
            observed=False,
        )
    else:
        path.mkdir(mode=0o755, parents=True)


def _check(path: Path, kind: str, wanted: HostPath) -> None:
    is_kind, words = _TYPES[kind]
    if not path.exists() or not is_kind(path.stat().st_mode):
        raise _failed(wanted, f"hostPath type check failed: {path} is not {words}")


def _failed(wanted: HostPath, why: str) -> VolumeError:
    return VolumeError(
        f'MountVolume.SetUp failed for volume "{wanted.volume}" : {why}', observed=False
    )
