"""A directory whose files all change at once, by upstream's scheme of symbolic links.

``..data`` leads to a directory with one state of all files; each name in the volume leads through
it. Renaming a new ``..data`` over the old one is what a reader sees of a change. A process that has
read a file's path once more sees the new state; one that holds a file open keeps the old one.
https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator.node.volumes.files import File
from orchestrator.node.volumes.ownership import give_to_group

DATA = "..data"


def state_name(files: Mapping[str, File]) -> str:
    """Return the name of the directory for a state: equal states have equal names."""
    digest = hashlib.sha256()
    for path, file in sorted(files.items()):
        for part in (path.encode(), file.mode.to_bytes(4, "big"), file.content):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return f"..{digest.hexdigest()[:24]}"


def write_files(volume: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Make a volume hold ``files`` and nothing else; tell whether that changed anything.

    A write that was cut off at any point leaves the old state or the new one, and is repaired by
    the next.

    Args:
        volume: Its directory, made when it is missing.
        files: What it is to hold.
        group: Who may read them beside their owner, whatever their modes say; None for nobody.

    Raises:
        OSError: The disk is full, or the like; the old state is kept.
    """
    name = state_name(files)
    data = volume / DATA
    if data.is_symlink() and data.readlink() == Path(name):
        _link_names(volume, files)
        return False
    make_directory(volume)
    _write_state(volume / name, files)
    if group is not None:
        give_to_group(volume / name, group, read_only=True)
    temporary = volume / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    temporary.replace(data)
    _link_names(volume, files)
    for entry in list(volume.iterdir()):
        if entry.name.startswith("..") and entry.name not in (name, DATA):
            shutil.rmtree(entry, ignore_errors=True)
    return True


def make_directory(directory: Path, mode: int = 0o755) -> None:
    """Make a directory unless it is there, with exactly this mode, whatever the umask."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(mode)


def _write_state(state: Path, files: Mapping[str, File]) -> None:
    shutil.rmtree(state, ignore_errors=True)
    make_directory(state)
    for path, file in files.items():
        place = state / path
        for parent in reversed(Path(path).parents[:-1]):
            make_directory(state / parent)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.content)
            os.fchmod(descriptor, file.mode & 0o777)


def _link_names(volume: Path, files: Mapping[str, File]) -> None:
    """Have every first part of a path lead through ``..data``; take away those that are gone."""
    wanted = {path.partition("/")[0] for path in files}
    present = {entry.name for entry in volume.iterdir() if not entry.name.startswith("..")}
    for name in wanted - present:
        (volume / name).symlink_to(f"{DATA}/{name}")
    for name in present - wanted:
        if (volume / name).is_symlink():
            (volume / name).unlink()
