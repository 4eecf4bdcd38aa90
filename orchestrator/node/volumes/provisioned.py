"""Deleting the directory of a volume that was made for a claim: that one, and nothing else.

What stands in a volume was written by pods, and whose path it is says an object that users can
make; so the path has to be one that the provisioner gives out, and no link is followed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path, PurePosixPath
from typing import Final

TIMEOUT: Final = 600.0
"""Seconds for one directory; one that takes longer is found smaller when it is tried again."""


class ProvisionedVolumes:
    """The directories of provisioned volumes, all right below one directory."""

    def __init__(self, directory: Path) -> None:
        """Delete below ``directory`` only; nothing is touched before `remove`."""
        self._directory = directory.absolute()

    async def remove(self, volume: str, path: str) -> None:
        """Delete a volume's directory; one that is gone, or never was, is fine.

        Args:
            volume: The name of the PersistentVolume, with which the directory's name begins.
            path: Of the directory.

        Raises:
            ValueError: The path is none that was given out for this volume.
            OSError: Something in it could not be deleted, or not within `TIMEOUT`.
        """
        async with asyncio.timeout(TIMEOUT):
            await asyncio.to_thread(self._remove, volume, path)

    def _remove(self, volume: str, path: str) -> None:
        place = PurePosixPath(path)
        right = str(place) == path and place.parent == PurePosixPath(self._directory)
        if not right or not place.name.startswith(f"{volume}_"):
            raise ValueError(
                f"the directory {path} is not deleted: it is none of those that are made for "
                f"volume {volume} in {self._directory}; delete it by hand if it is to go"
            )
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        try:
            parent = os.open(self._directory, flags)
        except FileNotFoundError:
            return  # no pod ever mounted a volume
        try:
            kind = os.lstat(place.name, dir_fd=parent).st_mode
            if stat.S_ISDIR(kind):
                # With descriptors throughout, so that no directory can become a link meanwhile.
                shutil.rmtree(place.name, dir_fd=parent)
            else:
                os.unlink(place.name, dir_fd=parent)
        except FileNotFoundError:
            pass
        finally:
            os.close(parent)
