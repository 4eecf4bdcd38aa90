"""``fsGroup``: volumes that a group may use, whoever the container's user is; takes root.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_READ = 0o440
_READ_WRITE = 0o660
_ENTER = stat.S_ISGID | 0o110
"""Of directories: what is made in them later is the group's too."""


def give_to_group(root: Path, group: int, *, read_only: bool = False, unless: bool = False) -> None:
    """Let a group use everything in a volume.

    Args:
        root: The volume's directory.
        group: The ``fsGroup``.
        read_only: Whether reading is enough, as with volumes made of files.
        unless: Leave a volume alone whose root is the group's already, as
            ``fsGroupChangePolicy: OnRootMismatch`` says.

    Raises:
        OSError: The file system does not let it.
    """
    more = _READ if read_only else _READ_WRITE
    if unless:
        had = root.stat()
        wanted = more | _ENTER
        if had.st_gid == group and had.st_mode & wanted == wanted:
            return
    for parent, _, names in os.walk(root):
        for name in names:
            _give(Path(parent, name), group, more)
        _give(Path(parent), group, more | _ENTER)


def _give(path: Path, group: int, more: int) -> None:
    os.chown(path, -1, group, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(stat.S_IMODE(path.stat().st_mode) | more)
