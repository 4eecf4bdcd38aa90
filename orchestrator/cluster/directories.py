"""Where a cluster keeps its files: a directory that it is given, or one that goes with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from orchestrator.cluster.config import ClusterError


def temporary_directory(owner: object, exits: contextlib.AsyncExitStack) -> Path:
    """Make a directory that is removed when ``exits`` close.

    Also when nobody ever closes them and ``owner`` is gone; only by who made it, not by a fork of
    this process.
    """
    directory = Path(tempfile.mkdtemp(prefix="orchestrator-"))
    exits.callback(weakref.finalize(owner, _remove_own, directory, os.getpid()))
    return directory


def _remove_own(directory: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(directory, ignore_errors=True)


def data_directory(path: Path) -> Path:
    """Return a directory that stays, made if need be.

    Raises:
        ClusterError: There can be none.
    """
    directory = path.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        why = "it is not a directory" if directory.exists() else error.strerror
        raise ClusterError(
            f"cannot keep the cluster's state in {directory}: {why}; choose another data directory"
        ) from error
    return directory
