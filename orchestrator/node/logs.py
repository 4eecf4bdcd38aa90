"""Container logs for those who ask: ``kubectl logs`` and its options."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from actors import Clock
from orchestrator.node.runtime import ContainerRecord
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, uid_of

if TYPE_CHECKING:
    from orchestrator.node._logfiles import EntryFormatter, LogCursor
    from orchestrator.node.simulated_logs import MemoryCursor

_POLL = 0.1
"""Seconds between looks at a followed log; one ``stat`` and one ``read`` each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What ``PodLogOptions`` of the API asks for.

    Attributes:
        follow: Go on until the container ends.
        tail_lines: Only so many lines from the end; None for all.
        since_seconds: Only what is not older than this.
        since_time: Only what was written at or after it, seconds since the epoch.
        previous: The attempt before the present one.
        timestamps: Put the time before each line.
        limit_bytes: At most so many bytes in all.
    """

    follow: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: float | None = None
    previous: bool = False
    timestamps: bool = False
    limit_bytes: int | None = None


class PodLogs(Protocol):
    """Where the API gets logs from."""

    async def open(self, pod: Object, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Open a container's log.

        Returns:
            Chunks of some kilobytes; close the iterator to let go early.

        Raises:
            StatusError: 400, with the kubelet's words for why there is no log.
        """


class LogSource(Protocol):
    """The part of the process runtime that logs need."""

    @property
    def directory(self) -> Path:
        """Where the logs are."""

    def known(self, uid: str) -> Sequence[ContainerRecord]:
        """Return the containers of one pod."""


class Keeper(Protocol):
    """The part of the simulated runtime that logs need."""

    def known(self, uid: str) -> Sequence[ContainerRecord]:
        """Return the containers of one pod."""

    def cursor(self, id: str) -> MemoryCursor:  # noqa: A002 - the runtime protocol's word
        """Return the beginning of a container's log."""


class NodeLogs:
    """Logs of process nodes from their files, and of simulated containers from memory."""

    def __init__(
        self,
        runtime: LogSource | None,
        clock: Clock,
        simulated: Keeper | None = None,
        unreachable: Callable[[Object], str | None] = lambda _: None,
    ) -> None:
        """Read what ``runtime`` writes, or what is kept of simulated containers; None for none.

        ``unreachable`` returns where a pod's node does not answer; None: it does.
        """
        self._unreachable = unreachable
        self._runtime = runtime
        self._simulated = simulated
        self._clock = clock

    async def open(self, pod: Object, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Open a container's log; see `PodLogs.open`."""
        from orchestrator.node._logfiles import EntryFormatter, cri_time
        from orchestrator.node.states import Role, specs_of
        from orchestrator.resources.log_refusals import container_status

        name = container or _only_container(pod)
        if (address := self._unreachable(pod)) is not None:
            place = f"{namespace_of(pod)}/{name_of(pod)}/{name}"
            url = f"https://{address}/containerLogs/{place}"
            raise StatusError(500, "", f'Get "{url}": dial tcp {address}: i/o timeout')
        if all(
            item["name"] != name for role in Role for item in spec_of(pod).get(specs_of(role)) or ()
        ):
            raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
        status = container_status(pod, name)
        simulated = str(status.get("containerID") or "").startswith("simulated:")
        if simulated and not self._known(pod):
            return _nothing()  # nobody remembers what it wrote
        record = self._choose(pod, name, status, previous=options.previous)
        cursor = self._cursor(pod, record)
        if options.tail_lines is not None:
            cursor.seek_tail(options.tail_lines)
        since = options.since_time
        if options.since_seconds is not None:
            since = self._clock.now() - options.since_seconds
        formatter = EntryFormatter(
            timestamps=options.timestamps,
            since=None if since is None else cri_time(since),
            limit=options.limit_bytes,
        )
        follow = options.follow and not options.previous
        return _read(cursor, formatter, self._clock, self._runs(record) if follow else None)

    def _choose(
        self, pod: Object, container: str, status: Object, *, previous: bool
    ) -> ContainerRecord:
        from orchestrator.resources.log_refusals import last_id, no_log, no_previous_log

        records = [item for item in self._known(pod) if item.started.of.container == container]
        records.sort(key=lambda item: item.started.of.attempt)
        if previous:
            told = last_id(status)
            for record in records:
                if record.started.id == told:  # also the newest, while it waits for its restart
                    return record
            if len(records) < 2:
                raise bad_request(no_previous_log(pod, container))
            return records[-2]
        if not records:
            raise bad_request(no_log(pod, container))
        return records[-1]

    def _known(self, pod: Object) -> Sequence[ContainerRecord]:
        source = self._runtime or self._simulated
        return source.known(uid_of(pod)) if source else ()

    def _cursor(self, pod: Object, record: ContainerRecord) -> LogCursor | MemoryCursor:
        if self._simulated is not None:
            return self._simulated.cursor(record.started.id)
        from orchestrator.node._logfiles import LogCursor

        return LogCursor(self._path(pod, record))

    def _path(self, pod: Object, record: ContainerRecord) -> Path:
        from orchestrator.node._logfiles import pod_log_directory

        assert self._runtime is not None
        of = record.started.of
        directory = pod_log_directory(
            self._runtime.directory, namespace_of(pod), name_of(pod), of.uid
        )
        return directory / of.container / f"{of.attempt}.log"

    def _runs(self, record: ContainerRecord) -> Callable[[], bool]:
        identity, uid = record.started.id, record.started.of.uid
        source = self._runtime or self._simulated

        def runs() -> bool:
            known = source.known(uid) if source else ()
            return any(item.started.id == identity and item.exited is None for item in known)

        return runs


def _only_container(pod: Object) -> str:
    containers = [spec["name"] for spec in spec_of(pod).get("containers") or ()]
    if len(containers) != 1:
        raise bad_request(
            f"a container name must be specified for pod {name_of(pod)}, "
            f"choose one of: [{' '.join(containers)}]"
        )
    return str(containers[0])


async def _nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for chunk in empty:
        yield chunk


async def _read(
    cursor: LogCursor | MemoryCursor,
    formatter: EntryFormatter,
    clock: Clock,
    runs: Callable[[], bool] | None,
) -> AsyncIterator[bytes]:
    """Read to the end; with ``runs``, wait there for more until it says no."""
    from orchestrator.node.simulated_logs import MemoryCursor

    try:
        while not formatter.is_full:
            # Asked before reading: what was written before the end is then read after it.
            more = runs is not None and runs()
            entries = cursor.read()
            if entries:
                if chunk := formatter.format(entries):
                    yield chunk
            elif more and isinstance(cursor, MemoryCursor):
                await cursor.wait_more()
            elif more:
                await clock.sleep(_POLL)
            else:
                return
    finally:
        cursor.close()
