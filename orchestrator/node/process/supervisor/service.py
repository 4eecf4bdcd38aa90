"""The supervisor's loop: clients on a Unix socket, pipes, signals and deadlines in one selector.

Requests are ``{"id": n, "op": ...}``, answered by ``{"id": n, "ok": ...}`` or
``{"id": n, "error": text}``; a container's end is told to every client as
``{"event": "exited", "container": record}``. Records stay until ``remove``, so a client that
was away learns from ``list`` what it missed.

A connection whose first request is ``exec`` or ``attach`` is that session's from then on: the
answer carries the descriptors of its streams, and the one event is
``{"event": "ended", "exit_code": n}``. What may follow is ``kill`` for a command and ``end_input``
for who attached, who may be told ``{"event": "input_ended"}`` when another's end was the input's.
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH106, PTH108, PTH110, PTH112, PTH120, PTH208

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time

from . import attaching, executions, mounting, processes, records, recovery, wire
from .attaching import STALLED, Attachment, Tee
from .containers import Container
from .executions import Execution

PROTOCOL = 1
"""Raised when a daemon of another version could not work with this supervisor."""

_BACKLOG = 8 * 1024 * 1024
"""Bytes that may wait for a client that does not read, before it is dropped."""
LONELY = 60.0
"""Seconds without a client and without a container after which the supervisor leaves."""
_TICK = 10.0
"""Seconds between looks at whether the data directory still exists."""
_AFTER_FAULT = 0.1
"""Seconds to wait after a fault of this program, so that one that repeats does not spin."""
_OVERDUE = 10.0
"""Seconds that SIGKILLed descendants (in the kernel, perhaps) may hold up a container's end."""


class _Client:
    __slots__ = ("attachment", "decoder", "execution", "fresh", "out", "socket")

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.decoder = wire.Decoder()
        self.out = bytearray()
        self.fresh = True
        self.execution: Execution | None = None
        self.attachment: Attachment | None = None

    @property
    def is_session(self) -> bool:
        return self.execution is not None or self.attachment is not None


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
        self._readers: dict[int, Container] = {}
        self._executions: dict[int, tuple[Execution, _Client]] = {}
        self._held: dict[int, Container] = {}
        self._tees: dict[int, Tee] = {}
        self._clients: dict[int, _Client] = {}
        self._poll = select.epoll()
        self._listener = _listen(directory)
        self._poll.register(self._listener.fileno(), select.EPOLLIN)
        self._wake = _signal_pipe()
        self._poll.register(self._wake, select.EPOLLIN)
        self._alone_since = time.monotonic()
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
                _complain(f"a fault: {type(error).__name__}: {error}")
                time.sleep(_AFTER_FAULT)
        self._flush_all()

    def _turn(self, ready: list[tuple[int, int]]) -> None:
        """Do what the poll found, and what is due."""
        for descriptor, events in ready:
            if descriptor == self._listener.fileno():
                self._accept()
            elif descriptor == self._wake:
                if bytes((signal.SIGHUP,)) in os.read(self._wake, 4096):
                    self._reachable_at = 0.0
            elif descriptor in self._readers:
                self._pump(descriptor)
            elif descriptor in self._tees:
                self._copy(self._tees[descriptor], events)
            elif descriptor in self._clients:
                self._serve(self._clients[descriptor], events)
        self._reap()
        self._enforce(time.monotonic())

    def _is_over(self) -> bool:
        if self._live:
            return False
        alone = not self._clients and time.monotonic() - self._alone_since > self._lonely
        return self._leaving or alone

    def _timeout(self) -> float:
        """Seconds to the next deadline, at most a tick."""
        deadlines = [
            at for item in self._live.values() for at in (item.kill_at, item.overdue_at) if at
        ]
        deadlines += [one.kill_at for one, _ in self._executions.values() if one.kill_at]
        if not self._clients and not self._live:
            deadlines.append(self._alone_since + self._lonely)
        if not deadlines:
            return _TICK
        return min(_TICK, max(0.0, min(deadlines) - time.monotonic() + 0.001))

    # -- clients

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", peer)[1] not in (0, os.getuid()):
            connection.close()
            return
        client = _Client(connection)
        self._clients[connection.fileno()] = client
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _stay_reachable(self) -> None:
        """Listen anew when somebody removed the socket; a daemon that starts asks by SIGHUP."""
        path = f"{self._directory}/supervisor.sock"
        if os.path.exists(path) or not os.path.isdir(self._directory):
            return
        try:
            listener = _listen(self._directory)
        except OSError as error:
            _complain(f"cannot listen on {path}: {error}")
            return
        self._poll.unregister(self._listener.fileno())
        self._listener.close()
        self._listener = listener
        self._poll.register(listener.fileno(), select.EPOLLIN)

    def _drop(self, client: _Client) -> None:
        descriptor = client.socket.fileno()
        if self._clients.pop(descriptor, None):
            self._poll.unregister(descriptor)
            client.socket.close()
            if client.execution is not None and client.execution.pid in self._executions:
                client.execution.hang_up(time.monotonic())
            if client.attachment is not None:
                self._detach(client.attachment)
        if not self._clients:
            self._alone_since = time.monotonic()

    def _serve(self, client: _Client, events: int) -> None:
        if events & select.EPOLLOUT:
            self._flush(client)
        if not events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            return
        try:
            data = client.socket.recv(1 << 18)
            if not data:
                self._drop(client)
                return
            requests = client.decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._drop(client)
            return
        for request in requests:
            if client.is_session:
                self._serve_session(client, request)
            elif request.get("op") in ("exec", "attach"):
                self._begin_session(client, request)
            else:
                self._send(client, {"id": request.get("id"), **self._answer(request)})
            client.fresh = False

    def _send(self, client: _Client, message: wire.Message) -> None:
        client.out += wire.encode(message)
        if len(client.out) > _BACKLOG:
            self._drop(client)
        else:
            self._flush(client)

    def _flush(self, client: _Client) -> None:
        if client.socket.fileno() not in self._clients:
            return
        try:
            sent = client.socket.send(client.out)
            del client.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        wanted = select.EPOLLIN | (select.EPOLLOUT if client.out else 0)
        self._poll.modify(client.socket.fileno(), wanted)

    def _flush_all(self) -> None:
        for client in list(self._clients.values()):
            client.socket.settimeout(1.0)
            try:
                client.socket.sendall(client.out)
            except OSError:
                continue

    def _tell_exited(self, record: records.Record) -> None:
        for client in list(self._clients.values()):
            if not client.is_session:
                self._send(client, {"event": "exited", "container": record})

    # -- sessions

    def _serve_session(self, client: _Client, request: wire.Message) -> None:
        execution, attachment = client.execution, client.attachment
        if request.get("op") == "kill" and execution and execution.pid in self._executions:
            execution.kill()
        elif request.get("op") == "end_input" and attachment and attachment.has_input:
            self._end_input(attachment)

    def _begin_session(self, client: _Client, request: wire.Message) -> None:
        descriptors: list[int] = []
        try:
            container = self._live.get(request["container"])
            if not client.fresh:
                answer: wire.Message = {"error": "a command needs a connection of its own"}
            elif container is None or container.status is not None or self._leaving:
                answer = {"error": "the container does not run", "kind": "gone"}
            elif request["op"] == "attach":
                wanted = [str(name) for name in request["streams"]]
                client.attachment, names, descriptors = attaching.attach(container, wanted)
                for tee in client.attachment.tees:
                    self._tees[tee.descriptor] = tee
                    self._poll.register(tee.descriptor, 0)  # tells of its reader's end
                answer = {"ok": {"streams": names, "input": client.attachment.has_input}}
            else:
                client.execution, descriptors = executions.execute(
                    container,
                    [str(word) for word in request["argv"]],
                    [str(name) for name in request["streams"]],
                    tty=bool(request["tty"]),
                )
                self._executions[client.execution.pid] = client.execution, client
                answer = {"ok": {"pid": client.execution.pid}}
        except processes.StartError as error:
            answer = {"error": str(error), "kind": "refused"}
        except (KeyError, TypeError, ValueError, OSError) as error:
            answer = {"error": str(error) or repr(error), "kind": "failed"}
        frame = wire.encode({"id": request.get("id"), **answer})
        try:
            # The first bytes of a connection: its buffer has room for them.
            socket.send_fds(client.socket, [frame], descriptors)
        except OSError:
            self._drop(client)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _end_input(self, attachment: Attachment) -> None:
        attachment.has_input = False
        container = attachment.container
        if not container.stdin_once or container.is_terminal:
            return
        container.close_input()
        for client in list(self._clients.values()):
            other = client.attachment
            if other is not None and other.container is container and other.has_input:
                other.has_input = False
                self._send(client, {"event": "input_ended"})  # it has a descriptor of its own

    def _detach(self, attachment: Attachment) -> None:
        if attachment.has_input:
            self._end_input(attachment)
        for tee in attachment.tees:
            self._drop_tee(tee)
            if tee in attachment.container.tees:
                attachment.container.tees.remove(tee)
        self._release(attachment.container)

    def _copy(self, tee: Tee, events: int) -> None:
        """Write on to someone who attached and takes bytes again, or has left."""
        if events & select.EPOLLOUT:
            tee.flush(time.monotonic())
        else:
            self._drop_tee(tee)
        self._settle_tee(tee)

    def _settle_tee(self, tee: Tee) -> None:
        """Watch a tee as its state has it, and let its pipe go on that waited for it."""
        if tee.descriptor < 0 or (tee.ending and not tee.rest):
            self._drop_tee(tee)
        else:
            self._poll.modify(tee.descriptor, select.EPOLLOUT if tee.rest else 0)
        container = self._held.get(tee.source)
        if container is not None:
            self._release(container)

    def _drop_tee(self, tee: Tee) -> None:
        """Let go of a tee; the kernel forgets a descriptor that is closed."""
        for descriptor, known in list(self._tees.items()):
            if known is tee:
                del self._tees[descriptor]
        tee.close()

    def _hold(self, descriptor: int) -> None:
        """Read no more from a pipe until all who attached have taken what it gave."""
        self._held[descriptor] = self._readers.pop(descriptor)
        self._poll.unregister(descriptor)

    def _release(self, container: Container) -> None:
        for descriptor in [one for one, whose in self._held.items() if whose is container]:
            if not container.is_held(descriptor):
                self._readers[descriptor] = self._held.pop(descriptor)
                self._poll.register(descriptor, select.EPOLLIN)

    def _end_execution(self, pid: int, status: int) -> None:
        _, client = self._executions.pop(pid)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        if client.socket.fileno() in self._clients:
            self._send(client, {"event": "ended", "exit_code": code})

    # -- requests

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
        for descriptor in container.pipes:
            self._readers[descriptor] = container
            self._poll.register(descriptor, select.EPOLLIN)
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

    def _pump(self, descriptor: int) -> None:
        container = self._readers[descriptor]
        if not container.pump(descriptor, time.monotonic()):
            # Its process may close stdout and run on: the pipe is only no longer watched.
            del self._readers[descriptor]
            self._poll.unregister(descriptor)
            self._end_tees([tee for tee in container.tees if tee.source == descriptor])
        elif container.tees:
            for tee in container.tees:
                if tee in self._tees.values():
                    self._settle_tee(tee)
            if container.is_held(descriptor):
                self._hold(descriptor)

    def _end_tees(self, tees: list[Tee]) -> None:
        for tee in tees:
            tee.ending = True
            if tee in self._tees.values():
                self._settle_tee(tee)

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
            if pid in self._executions:
                self._end_execution(pid, status)
            elif pid in leaders:
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
        for descriptor in container.pipes:
            if self._readers.pop(descriptor, None):
                self._poll.unregister(descriptor)
            self._held.pop(descriptor, None)
        container.finish(time.monotonic())
        self._end_tees(container.tees)
        for client in list(self._clients.values()):
            if client.attachment is not None and client.attachment.container is container:
                self._send(client, {"event": "ended", "exit_code": 0})
        del self._live[container.record["id"]]
        self._save(container.record)
        self._tell_exited(container.record)
        if not self._live:
            self._alone_since = time.monotonic()

    def _save(self, record: records.Record) -> None:
        """Save a record now, or, when the disk is full, as soon as it can be.

        Until then it is known here only, which is enough as long as this process lives.
        """
        try:
            records.save(self._directory, record)
        except OSError as error:
            if not self._unsaved:
                _complain(f"records cannot be saved, trying again: {error}")
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
            self._stay_reachable()
        for container in list(self._live.values()):
            if container.kill_at is not None and now >= container.kill_at:
                container.kill()
        for execution, _ in list(self._executions.values()):
            if execution.kill_at is not None and now >= execution.kill_at:
                execution.kill()
        for tee in list(self._tees.values()):
            if tee.stalled_at is not None and now >= tee.stalled_at + STALLED:
                self._drop_tee(tee)
                self._settle_tee(tee)
        if any(item.overdue_at and now >= item.overdue_at for item in self._live.values()):
            self._settle()
        if not self._clients and not os.path.exists(f"{self._directory}/containers"):
            self._leaving = True
            for container in self._live.values():
                container.kill()


def _complain(text: str) -> None:
    """Write to ``supervisor.log``, unless its disk is full."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        return


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


def _listen(directory: str) -> socket.socket:
    """Listen on ``supervisor.sock``, for the owner only.

    The path goes through a descriptor, because a socket's path may have 107 bytes at most.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    path = f"/proc/self/fd/{descriptor}/supervisor.sock"
    try:
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        previous = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(previous)
        listener.listen(128)
    finally:
        os.close(descriptor)
    return listener


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
