"""The supervisor's loop: clients on a Unix socket, pipes, signals and deadlines in one selector.

Here containers begin and end; see `clients` for connections, `pumping` for what is written and
`sessions` for commands and consoles.

Requests are ``{"id": n, "op": ...}``, answered by ``{"id": n, "ok": ...}`` or
``{"id": n, "error": text}``; a container's end is told to every client as
``{"event": "exited", "container": record}``. Records stay until ``remove``, so a client that
was away learns from ``list`` what it missed.
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH106, PTH108, PTH110, PTH120, PTH208

from __future__ import annotations

import os
import select
import signal
import time

from . import mounting, processes, records, recovery, sessions, wire
from .clients import Client, Clients
from .complaints import complain
from .containers import Container
from .pumping import Pumps
from .sessions import Sessions

PROTOCOL = 1
"""Raised when a daemon of another version could not work with this supervisor."""

LONELY = 60.0
"""Seconds without a client and without a container after which the supervisor leaves."""
_TICK = 10.0
"""Seconds between looks at whether the data directory still exists."""
_AFTER_FAULT = 0.1
"""Seconds to wait after a fault of this program, so that one that repeats does not spin."""
_OVERDUE = 10.0
"""Seconds that SIGKILLed descendants (in the kernel, perhaps) may hold up a container's end."""


class Supervisor:
    """All containers of one directory; `run` until told to shut down or left alone."""

    def __init__(self, directory: str, lonely: float = LONELY) -> None:
        """Recover what an earlier supervisor left and listen.

        Args:
            directory: Private to this supervisor; holds socket, records and logs.
            lonely: Seconds without client and container after which to exit.
        """
        self._directory = directory
        self._lonely = lonely
        self._boot = processes.boot_id()
        processes.become_subreaper()
        processes.raise_file_limit()
        self._records = recovery.recover(directory, self._boot)
        self._live: dict[str, Container] = {}
        self._poll = select.epoll()
        self._pumps = Pumps(self._poll)
        self._clients = Clients(directory, self._poll, self._serve, self._leave)
        self._sessions = Sessions(self._clients, self._pumps)
        self._wake = _signal_pipe()
        self._poll.register(self._wake, select.EPOLLIN)
        self._empty_since = time.monotonic()
        self._leaving = False
        self._unsaved: dict[str, records.Record] = {}
        self._reachable_at = time.monotonic() + _TICK

    def run(self) -> None:
        """Serve until the last container is gone after ``shutdown``, or until left alone."""
        while not self._is_over():
            try:
                ready = self._poll.poll(self._timeout())
            except InterruptedError:
                continue
            try:
                self._turn(ready)
            except Exception as error:  # noqa: BLE001 - this process's end would be the containers'
                complain(f"a fault: {type(error).__name__}: {error}")
                time.sleep(_AFTER_FAULT)
        self._clients.flush_all()

    def _turn(self, ready: list[tuple[int, int]]) -> None:
        """Do what the poll found, and what is due."""
        for descriptor, events in ready:
            if descriptor == self._wake:
                if bytes((signal.SIGHUP,)) in os.read(self._wake, 4096):
                    self._reachable_at = 0.0
            elif not self._pumps.serve(descriptor, events):
                self._clients.serve(descriptor, events)
        self._reap()
        self._enforce(time.monotonic())

    def _is_over(self) -> bool:
        if self._live:
            return False
        alone = not self._clients and time.monotonic() - self._alone_since() > self._lonely
        return self._leaving or alone

    def _alone_since(self) -> float:
        """Monotonic seconds since when there is neither a client nor a container."""
        return max(self._empty_since, self._clients.alone_since)

    def _timeout(self) -> float:
        """Seconds to the next deadline, at most a tick."""
        deadlines = [
            at for item in self._live.values() for at in (item.kill_at, item.overdue_at) if at
        ]
        deadlines += self._sessions.deadlines()
        if not self._clients and not self._live:
            deadlines.append(self._alone_since() + self._lonely)
        if not deadlines:
            return _TICK
        return min(_TICK, max(0.0, min(deadlines) - time.monotonic() + 0.001))

    # -- requests

    def _serve(self, client: Client, request: wire.Message) -> None:
        if client.is_session:
            self._sessions.serve(client, request)
        elif request.get("op") in sessions.OPERATIONS:
            self._sessions.begin(client, request, self._running(request.get("container")))
        else:
            self._clients.send(client, {"id": request.get("id"), **self._answer(request)})

    def _leave(self, client: Client) -> None:
        self._sessions.leave(client)

    def _running(self, identity: object) -> Container | None:
        container = self._live.get(str(identity))
        if container is None or container.status is not None or self._leaving:
            return None
        return container

    def _answer(self, request: wire.Message) -> wire.Message:
        try:
            match request.get("op"):
                case "hello":
                    return {"ok": {"protocol": PROTOCOL, "pid": os.getpid(), "boot": self._boot}}
                case "probe":
                    return {"ok": {"mounts": mounting.probe(self._directory)}}
                case "list":
                    return {"ok": list(self._records.values())}
                case "start":
                    return self._start(request)
                case "stop":
                    return self._stop(request["container"], float(request["grace"]))
                case "remove":
                    return self._remove(request["container"])
                case "shutdown":
                    return self._shutdown(float(request["grace"]))
                case other:
                    return {"error": f"unknown operation {other!r}"}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"malformed request: {error!r}"}
        except OSError as error:
            return {"error": str(error)}

    def _start(self, request: wire.Message) -> wire.Message:
        identity = str(request["container"])
        if identity in self._records:
            return {"ok": self._records[identity]}
        if self._leaving:
            return {"error": "the supervisor is shutting down"}
        if not identity.isalnum():
            raise ValueError("a container's id is letters and digits")
        record = records.Record(
            id=identity,
            labels=dict(request["labels"]),
            log=str(request["log"]),
            state="created",
            pid=0,
            start_time=0,
            boot=self._boot,
            started_at=0.0,
            finished_at=0.0,
            exit_code=0,
            signal=0,
            lost="",
        )
        launch = processes.Launch(
            argv=[str(word) for word in request["argv"]],
            env={**request["env"], processes.MARKER: identity},
            cwd=str(request["cwd"]),
            uid=request.get("uid"),
            gid=request.get("gid"),
            groups=tuple(int(group) for group in request.get("groups") or ()),
            no_new_privileges=bool(request.get("no_new_privileges")),
            tag=processes.tag_of(identity),
            mounts=tuple(mounting.Mount(*item) for item in request.get("mounts") or ()),
            scratch=str(request.get("scratch") or ""),
        )
        # Saved before the fork: should this process die in between, the id in the environment
        # still finds the container.
        records.save(self._directory, record)
        try:
            container = Container(record, int(request["log_limit"]), int(request["log_files"]))
            container.stdin_once = bool(request.get("stdin_once"))
            container.start(
                launch,
                self._boot,
                stdin=bool(request.get("stdin")),
                tty=bool(request.get("tty")),
            )
        except (processes.StartError, OSError) as error:
            records.forget(self._directory, identity)
            _remove_logs(record["log"])
            return {"error": str(error), "refused": True}
        self._save(record)
        self._records[identity] = record
        self._live[identity] = container
        self._pumps.add(container)
        return {"ok": record}

    def _stop(self, identity: str, grace: float) -> wire.Message:
        container = self._live.get(identity)
        if container is None:
            return {"ok": self._records.get(identity)}
        deadline = time.monotonic() + grace
        if grace <= 0:
            container.kill()
        else:
            if container.status is None and container.kill_at is None:
                processes.send(container.pid, signal.SIGTERM)
            container.kill_at = min(container.kill_at or deadline, deadline)
        return {"ok": container.record}

    def _remove(self, identity: str) -> wire.Message:
        if identity in self._live:
            return {"error": "the container runs; stop it first"}
        record = self._records.pop(identity, None)
        self._unsaved.pop(identity, None)
        records.forget(self._directory, identity)
        if record is not None:
            _remove_logs(record["log"])
        return {"ok": None}

    def _shutdown(self, grace: float) -> wire.Message:
        self._leaving = True
        for identity in list(self._live):
            self._stop(identity, grace)
        return {"ok": None}

    # -- ends

    def _reap(self) -> None:
        leaders = {item.pid: item for item in self._live.values()}
        reaped = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            reaped = True
            if not self._sessions.reap(pid, status) and pid in leaders:
                leader = leaders[pid]
                leader.status = status
                leader.overdue_at = time.monotonic() + _OVERDUE
                leader.kill()
        if reaped:
            self._settle()

    def _settle(self) -> None:
        """Finish the containers whose main process ended and that left nobody behind."""
        ending = [item for item in self._live.values() if item.status is not None]
        if not ending:
            return
        leaders = {item.pid for item in self._live.values() if item.status is None}
        orphans = [pid for pid in processes.children() if pid not in leaders]
        now = time.monotonic()
        for container in ending:
            identity = container.record["id"]
            theirs = [pid for pid in orphans if processes.belongs(pid, container.pid, identity)]
            if len(self._live) == 1:
                theirs = orphans  # whatever hides from both marks: nobody else is left to own it
            for pid in theirs:
                processes.send(pid, signal.SIGKILL)
            if not theirs or now >= (container.overdue_at or now):
                self._finish(container)

    def _finish(self, container: Container) -> None:
        self._pumps.finish(container)
        self._sessions.end(container)
        del self._live[container.record["id"]]
        self._save(container.record)
        self._clients.tell({"event": "exited", "container": container.record})
        if not self._live:
            self._empty_since = time.monotonic()

    def _save(self, record: records.Record) -> None:
        """Save a record now, or, when the disk is full, as soon as it can be.

        Until then it is known here only, which is enough as long as this process lives.
        """
        try:
            records.save(self._directory, record)
        except OSError as error:
            if not self._unsaved:
                complain(f"records cannot be saved, trying again: {error}")
            self._unsaved[record["id"]] = record
        else:
            self._unsaved.pop(record["id"], None)

    def _save_again(self) -> None:
        for record in list(self._unsaved.values()):
            self._save(record)
            if record["id"] in self._unsaved:
                return

    def _enforce(self, now: float) -> None:
        """Kill what is past its grace; end everything when the directory was removed."""
        if self._unsaved:
            self._save_again()
        if self._reachable_at <= now:
            self._reachable_at = now + _TICK
            self._clients.stay_reachable()
        for container in list(self._live.values()):
            if container.kill_at is not None and now >= container.kill_at:
                container.kill()
        self._sessions.enforce(now)
        self._pumps.enforce(now)
        if any(item.overdue_at and now >= item.overdue_at for item in self._live.values()):
            self._settle()
        if not self._clients and not os.path.exists(f"{self._directory}/containers"):
            self._leaving = True
            for container in self._live.values():
                container.kill()


def _remove_logs(path: str) -> None:
    """Remove a log with its rotated parts, and the directories that this empties."""
    directory, _, name = path.rpartition("/")
    try:
        for entry in os.listdir(directory):
            if entry == name or entry.startswith(f"{name}."):
                os.unlink(f"{directory}/{entry}")
        os.rmdir(directory)
        os.rmdir(os.path.dirname(directory))
    except OSError:  # not empty: other attempts, other containers
        return


def _signal_pipe() -> int:
    """Make SIGCHLD readable, and ignore what would end a daemon's companion by accident."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return read
