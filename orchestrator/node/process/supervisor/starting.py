"""Going to the background: one supervisor per directory, ready when its starter returns."""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH100, PTH103, PTH208

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys

from .service import LONELY, Supervisor


def main(arguments: list[str]) -> int:
    """Go to the background and serve ``--directory DIR [--lonely SECONDS] [--hold NAME]``.

    ``--hold`` names an abstract socket that is held until the supervisor ends.

    Returns in the starting process once the socket accepts: 0, or 1 with the reason on stderr.
    One directory has one supervisor; where one runs already, that is success too.
    """
    _close_inherited()
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    directory = os.path.abspath(options["--directory"])
    os.makedirs(directory, mode=0o700, exist_ok=True)
    lock = os.open(f"{directory}/supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _wake_holder(lock)
        return 0
    os.ftruncate(lock, 0)
    ready, report = os.pipe()
    if os.fork():
        os.close(report)
        with os.fdopen(ready, "rb") as file:
            problem = file.read().decode(errors="replace")
        if problem != "ready":
            sys.stderr.write(problem or "the supervisor ended before it was ready\n")
            return 1
        return 0
    os.close(ready)
    os.setsid()
    os.chdir("/")
    try:
        held = _hold(options.get("--hold", ""))
        supervisor = Supervisor(directory, float(options.get("--lonely", LONELY)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the starter must be told
        os.write(report, f"cannot supervise {directory}: {error}\n".encode())
        return 1
    # Not before: from here on SIGHUP has its meaning.
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    _detach(directory)
    os.write(report, b"ready")
    os.close(report)
    supervisor.run()
    held.close()
    return 0


def _hold(name: str) -> socket.socket:
    """Bind an abstract socket that nobody connects to; its name says that this process lives."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if name:
        held.bind(f"\0{name}")
    return held


def _wake_holder(lock: int) -> None:
    """Have the supervisor that runs check that its socket is still there."""
    text = os.pread(lock, 20, 0)
    if text.isdigit():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(text), signal.SIGHUP)


def _close_inherited() -> None:
    """Let go of whatever descriptors the starter left open.

    uvloop hands a child its pipes twice, under their own numbers too; one that this process kept
    would hold the starter's end open as long as it runs.
    """
    os.closerange(3, max(int(number) for number in os.listdir("/proc/self/fd")) + 1)


def _detach(directory: str) -> None:
    """Leave the starter's standard streams; errors go to ``supervisor.log``."""
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(f"{directory}/supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(null)
    os.close(log)
