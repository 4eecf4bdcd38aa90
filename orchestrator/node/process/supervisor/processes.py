"""Starting, identifying and ending process trees on Linux.

A container is a session of its own. What its processes leave behind when they fork twice and
call ``setsid`` is found all the same: the supervisor is their subreaper, so that every orphan
becomes its child, and each carries the container's id in its environment (`MARKER`). For one
that cleared its environment there is a third mark, which every fork inherits and every exec
keeps: a limit that concerns real-time threads only, set to a number of centuries that is the
container's own (`tag_of`).
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH116, PTH123, PTH208

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import termios
import warnings  # noqa: F401 - os.execvpe wants it when no file may be opened any more
from collections.abc import Iterator
from typing import NamedTuple

from .mounting import Mount, MountError, apply

MARKER = "ORCHESTRATOR_CONTAINER"
"""Environment variable with the container's id, by which stray descendants are known."""

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


class StartError(Exception):
    """The process could not be started; the text is what the container's status says."""


class Launch(NamedTuple):
    """What to execute.

    Attributes:
        argv: Command and arguments; the command is looked up in the ``PATH`` of ``env``.
        env: The whole environment.
        cwd: Working directory, or ``""`` for the supervisor's own (``/``).
        uid: User to become, or None to stay.
        gid: Group to become, or None to stay.
        no_new_privileges: Set the kernel flag that makes setuid programs harmless.
        tag: From `tag_of`, or 0 for none.
        enter: Process whose user and mount namespaces to enter where they are others, or 0.
        groups: Further groups; where there are none and no ``gid``, they stay as they are.
        mounts: What the container mounts, outer mounts before those within them.
        scratch: A directory that mounting may cover.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int | None
    gid: int | None
    no_new_privileges: bool
    tag: int = 0
    enter: int = 0
    groups: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    scratch: str = ""


class Streams(NamedTuple):
    """Descriptors that become a program's standard streams.

    Attributes:
        stdin: Or -1, to read nothing.
        stdout: Or -1, to discard what is written.
        stderr: The same.
        is_terminal: Whether ``stdin`` is a terminal that becomes the session's own.
    """

    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    is_terminal: bool = False


_SET_HERE = (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ)
"""Signals that this process, or Python, handles or ignores, which a program does not expect."""
_files = resource.getrlimit(resource.RLIMIT_NOFILE)
"""Open files that containers may have: what this process started with."""


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have: each container takes three."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_files[1], _files[1]))


def become_subreaper() -> None:
    """Make orphaned descendants children of this process; OSError where the kernel refuses."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def boot_id() -> str:
    """Return the kernel's id of this boot; a pid means nothing in another one."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def start_time(pid: int) -> int | None:
    """Return when ``pid`` started, in clock ticks since boot, or None when it is gone.

    Together with `boot_id` it tells a process from a later one with the same number.
    """
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """Fields of ``/proc/PID/stat`` from the state on: 0 state, 1 parent, 3 session, 19 start."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def tag_of(container: str) -> int:
    """Return the RLIMIT_RTTIME, in microseconds, that marks a container's processes.

    The lowest is 73,000 years. Nothing but a process that raises its own hard limit, which takes
    root, gets rid of it.
    """
    return (1 << 61) + int.from_bytes(container.encode(), "big") % ((1 << 61) - 1)


def _is_marked(pid: int, container: str) -> bool:
    # A zombie has no environment any more, but its limits: it has ended all the same.
    return _has_variable(pid, container) or (
        _has_tag(pid, tag_of(container)) and start_time(pid) is not None
    )


def _has_variable(pid: int, container: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{MARKER}={container}".encode() in file.read().split(b"\0")
    except OSError:
        return False


def _has_tag(pid: int, tag: int) -> bool:
    # The hard limit: a program may lower the soft one by accident, as with "ulimit -S".
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            for line in file:
                if line.startswith(b"Max realtime timeout"):
                    return line.split()[4] == str(tag).encode()
    except (OSError, IndexError):
        return False
    return False


def children() -> list[int]:
    """Return the pids whose parent is this process."""
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid in _pids() if (stat := _stat(pid)) and stat[1] == str(me)]


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def belongs(pid: int, session: int, container: str) -> bool:
    """Whether ``pid`` is of the container with this session and id."""
    stat = _stat(pid)
    return stat is not None and (stat[3] == str(session) or _is_marked(pid, container))


def marked(container: str) -> list[int]:
    """Find all processes of a container anywhere on the machine, by what they inherited."""
    me = os.getpid()
    return [pid for pid in _pids() if pid != me and _is_marked(pid, container)]


def send(pid: int, number: int, *, group: bool = False) -> None:
    """Send a signal to a process or to its group; that it is gone already is fine."""
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def spawn(launch: Launch, streams: Streams) -> int:
    """Start ``launch`` as leader of a new session and return its pid.

    Blocks until the new program has replaced the fork, which tells success from failure.

    Raises:
        StartError: With the reason in runc's words.
    """
    failure, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(launch, streams, report)
    os.close(report)
    with os.fdopen(failure, "rb") as file:
        text = file.read().decode(errors="replace")
    if text:
        os.waitpid(pid, 0)
        raise StartError(text)
    return pid


def _enter_namespaces(pid: int) -> None:
    """Enter the user and mount namespaces of a process, as far as they are not this one's."""
    entered = []
    for name, flag in (("user", _CLONE_NEWUSER), ("mnt", _CLONE_NEWNS)):
        descriptor = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        if not os.path.samestat(os.fstat(descriptor), os.stat(f"/proc/self/ns/{name}")):
            entered.append((descriptor, flag))
    for descriptor, flag in entered:
        if _libc.setns(descriptor, flag) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _become(launch: Launch, streams: Streams, report: int) -> None:
    """Turn the fork into the container; never returns."""
    what = ""
    try:
        os.setsid()
        for number in _SET_HERE:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if streams.is_terminal:
            fcntl.ioctl(streams.stdin, termios.TIOCSCTTY, 0)
        null = os.open("/dev/null", os.O_RDWR)
        for standard, descriptor in enumerate(streams[:3]):
            os.dup2(null if descriptor < 0 else descriptor, standard)
        os.umask(0o022)
        resource.setrlimit(resource.RLIMIT_NOFILE, _files)
        if launch.tag:
            with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
                resource.setrlimit(resource.RLIMIT_RTTIME, (launch.tag, launch.tag))
        if launch.enter:
            what = "enter the container's namespaces"
            _enter_namespaces(launch.enter)
        elif launch.mounts:
            apply(list(launch.mounts), launch.scratch)
        if launch.gid is not None or launch.groups:
            what = f"setgroups {launch.groups}"
            os.setgroups(launch.groups)
        if launch.gid is not None:
            what = f"setgid {launch.gid}"
            os.setgid(launch.gid)
        if launch.uid is not None:
            what = f"setuid {launch.uid}"
            os.setuid(launch.uid)
        if launch.no_new_privileges:
            _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if launch.cwd:
            what = f'chdir to cwd ("{launch.cwd}")'
            os.chdir(launch.cwd)
        what = f'exec: "{launch.argv[0]}"'
        os.execvpe(launch.argv[0], launch.argv, launch.env)  # noqa: S606 - executing what the user names is the job
    except FileNotFoundError:
        looked_up = what.startswith("exec") and "/" not in launch.argv[0]
        why = "executable file not found in $PATH" if looked_up else "no such file or directory"
        os.write(report, f"{what}: {why}".encode())
    except MountError as error:
        os.write(report, str(error).encode())
    except PermissionError:
        os.write(report, f"{what}: permission denied".encode())
    except BaseException as error:  # noqa: BLE001 - a fork must never return into the supervisor
        os.write(report, f"{what}: {error}".encode())
    finally:
        os._exit(127)
