"""A container's mounts, made between fork and exec in a mount namespace of its own.

Nothing of it is seen on the machine, and all of it ends with the container's last process. A mount
point that does not exist is made without touching the disk: the directory that would hold it is
covered by a tmpfs in which everything it has is bound again (a *veil*), and there the mount point
is made. Where that directory is ``/``, the tmpfs becomes the container's root.

As root a mount namespace is enough. For other users it takes a user namespace around it, in which
the user is itself and nobody else.
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH101, PTH102, PTH115, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from typing import NamedTuple

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY = 0x1
_MS_NOSUID = 0x2
_MS_NODEV = 0x4
_MS_REMOUNT = 0x20
_MS_BIND = 0x1000
_MS_MOVE = 0x2000
_MS_REC = 0x4000
_MS_UNBINDABLE = 0x20000
_MS_PRIVATE = 0x40000
_MS_SLAVE = 0x80000
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
_MOST_ENTRIES = 10_000
"""Entries of a directory that is veiled: each is a mount, of which a namespace may have 100,000."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p),
    *(ctypes.c_ulong, ctypes.c_char_p),
)


class Mount(NamedTuple):
    """One mount.

    Attributes:
        source: Directory or file that exists.
        target: Where the container sees it; made when it does not exist.
        read_only: ``""``, ``flat`` (mounts below stay as they are), ``recursive``, or
            ``if-possible``: recursive where the kernel can, else flat.
        follows: Whether what is mounted below the source later is seen.
        owned: Whether mount points may be made in the source.
    """

    source: str
    target: str
    read_only: str = ""
    follows: bool = False
    owned: bool = False


class MountError(Exception):
    """A mount could not be made; the text says which, and why."""


def probe(directory: str) -> str:
    """Try in a fork whether containers can have mounts of their own.

    Args:
        directory: One to mount over.

    Returns:
        ``""``, or why not.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _isolate()
            _mount("tmpfs", directory, "tmpfs", 0, "size=4k")
            _mount(directory, directory, None, _MS_BIND)
        except BaseException as error:  # noqa: BLE001 - a fork must never return into the supervisor
            os.write(write, f"{error}".encode() or b"failed")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        text = file.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return text


def apply(mounts: list[Mount], scratch: str) -> None:
    """Give this process, which is about to become a container, its mounts.

    Args:
        mounts: In order, outer ones before those within them.
        scratch: A directory that may be covered.

    Raises:
        MountError: With the mount.
    """
    try:
        _isolate()
    except OSError as error:
        raise MountError(str(error)) from error
    view = _View(scratch)
    # Opened before anything is covered: one mount may hide where another comes from.
    opened = [_open(mount) for mount in mounts]
    for mount, source in zip(mounts, opened, strict=True):
        try:
            view.bind(mount, source)
        except OSError as error:
            why = error.strerror or str(error)
            raise MountError(f"mount {mount.source} at {mount.target}: {why}") from error
        finally:
            os.close(source)


def _open(mount: Mount) -> int:
    try:
        return os.open(mount.source, os.O_PATH)
    except OSError as error:
        raise MountError(f"mount {mount.source} at {mount.target}: {error.strerror}") from error


def _isolate() -> None:
    """Enter a mount namespace that takes what is mounted on the machine, and gives nothing."""
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    _check(_libc.unshare(flags), "unshare")
    if user != 0:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount(None, "/", None, _MS_REC | _MS_SLAVE)


class _View:
    """What this process sees, and which parts of it may be written to make mount points."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._made: set[str] = set()
        self._mounted: dict[str, bool] = {}

    def bind(self, mount: Mount, source: int) -> None:
        point = self._point(mount.target, stat.S_ISDIR(os.fstat(source).st_mode))
        _mount(f"/proc/self/fd/{source}", point, None, _MS_BIND | _MS_REC)
        if not mount.follows:
            _mount(None, point, None, _MS_REC | _MS_PRIVATE)
        if mount.read_only:
            _make_read_only(point, mount.read_only)
        self._made.discard(point)
        self._mounted[point] = mount.owned and not mount.read_only

    def _point(self, target: str, is_directory: bool) -> str:
        """Return where to mount, made if needed: the target with its symbolic links followed."""
        point = os.path.realpath(target)
        if os.path.lexists(point):
            return point
        parent = os.path.dirname(point)
        missing = []
        while not os.path.lexists(parent):
            missing.append(parent)
            parent = os.path.dirname(parent)
        if not self._may_write(parent):
            self._veil(parent)
        on_veil = parent in self._made
        if is_directory:
            missing.insert(0, point)
        for directory in reversed(missing):
            os.mkdir(directory, 0o755)
            if on_veil:
                self._made.add(directory)
        if not is_directory:
            os.close(os.open(point, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        return point

    def _may_write(self, directory: str) -> bool:
        if directory in self._made:
            return True
        while directory != "/":
            if directory in self._mounted:
                return self._mounted[directory]
            directory = os.path.dirname(directory)
        return False

    def _veil(self, directory: str) -> None:
        kept = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            names = os.listdir(kept)
            if len(names) > _MOST_ENTRIES:
                raise OSError(0, f"{directory} has too many entries to add one")
            place = self._scratch if directory == "/" else directory
            was = os.fstat(kept)
            flags = _MS_NOSUID if os.geteuid() == 0 else _MS_NOSUID | _MS_NODEV
            _mount("tmpfs", place, "tmpfs", flags, f"mode={was.st_mode & 0o7777:o}")
            _mount(None, place, None, _MS_UNBINDABLE)  # binding / must not bind the copy again
            with contextlib.suppress(OSError):
                os.chown(place, was.st_uid, was.st_gid)
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                    _copy(f"/proc/self/fd/{kept}/{name}", f"{place}/{name}")
            _mount(None, place, None, _MS_PRIVATE)
            if directory == "/":
                os.chdir(place)
                _mount(".", "/", None, _MS_MOVE)
                os.chroot(".")
                os.chdir("/")
        finally:
            os.close(kept)
        self._made.add(directory)


def _copy(source: str, target: str) -> None:
    """Let ``target`` be what ``source`` is.

    A device is made anew where that is allowed: it takes no mount, of which ``/dev`` would need a
    hundred, and ``ptmx`` finds its terminals by the directory that it is in.
    """
    was = os.lstat(source)
    mode = was.st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)
        return
    if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and _make_device(was, target):
        return
    if stat.S_ISDIR(mode):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    _mount(source, target, None, _MS_BIND | _MS_REC)


def _make_device(was: os.stat_result, target: str) -> bool:
    try:
        os.mknod(target, was.st_mode, was.st_rdev)
    except OSError:
        return False
    os.chown(target, was.st_uid, was.st_gid)
    os.chmod(target, was.st_mode & 0o7777)
    return True


def _make_read_only(point: str, how: str) -> None:
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    for flag in (0,) if how == "flat" else (_AT_RECURSIVE, 0):
        done = _libc.syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(point)),
            ctypes.c_uint(flag),
            ctypes.byref(attributes),
            ctypes.c_size_t(ctypes.sizeof(attributes)),
        )
        if done == 0:
            return
        if how == "recursive":
            _check(done, "recursive read-only mount")
    # A kernel before 5.12. The flags that the mount has must be said again: they may be locked.
    has = os.statvfs(point).f_flag & (_MS_NOSUID | _MS_NODEV | os.ST_NOEXEC)
    _mount(None, point, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | has)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    done = _libc.mount(
        None if source is None else os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        flags,
        data.encode() or None,
    )
    _check(done, "mount")


def _check(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
