"""What a failed test wants to know of its cluster, as text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.embedded import Cluster
from orchestrator.embedded.sync import SyncCluster
from orchestrator.node.logs import LogOptions
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, meta, name_of, namespace_of, status_of
from orchestrator.resources.printing import table
from orchestrator.testing.operator_logs import failures_beside, note_as_told
from orchestrator.testing.records import HEADS, rows_of
from orchestrator.testing.wellness import is_of_interest, is_unwell

if TYPE_CHECKING:
    from orchestrator.resources.kinds import Kind

ROWS: Final = 15
"""Objects of a kind that are shown."""
EVENTS: Final = 20
"""Events that are shown, the latest."""
RECORDS: Final = 50
"""Records of the event log that are shown, the latest."""
LOGS: Final = 6
"""Containers whose logs are shown."""
LOG_LINES: Final = 15
"""Lines of each log, the last."""
_LOOKED_AT: Final = 10 * RECORDS
"""Records among which those are that tell of the test."""
_PATIENCE: Final = 0.5
"""Real seconds for the cluster to come to rest."""
_MESSAGE: Final = 160
"""Characters of a cell."""


def describe(cluster: Cluster | SyncCluster) -> str:
    """Return how a cluster stands: objects, Events, the end of the event log, pods' logs, faults.

    What is not well comes first; what every cluster has is left out; it is a page or two, however
    large the cluster. It needs no ``await`` and lets no time pass: the Events of the last second,
    which components have not told yet, are not among them.

    Args:
        cluster: One that has been started, and not stopped.
    """
    if isinstance(cluster, SyncCluster):
        return cluster.call(_described, cluster.asynchronous)
    parts = (
        _head(cluster),
        _operators(cluster),
        *_objects(cluster),
        _events(cluster),
        _records(cluster),
        *_logs(cluster),
        _faults(cluster),
    )
    return "\n\n".join(part for part in parts if part)


async def _described(cluster: Cluster) -> str:
    # Events are on their way to the store. An operator in trouble may never keep still.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await cluster.clock.settle()
    return describe(cluster)


def sections(clusters: Iterable[Cluster | SyncCluster]) -> list[tuple[str, str]]:
    """Return the sections of a failed test's report: title and text."""
    return titled(map(told, clusters))


def titled(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return descriptions with their titles."""
    return [(f"cluster {at + 1}" if at else "cluster", text) for at, text in enumerate(texts)]


def told(cluster: Any) -> str:
    """Return a description, or why there is none."""
    note_as_told(cluster.asynchronous if isinstance(cluster, SyncCluster) else cluster)
    try:
        return describe(cluster)
    except Exception as error:  # noqa: BLE001 - the test's own failure must be seen all the same
        return f"it cannot be described: {error!r}"


def is_there(cluster: object) -> bool:
    """Tell whether it is a cluster that has started, and was not stopped."""
    if isinstance(cluster, SyncCluster):
        return is_there(cluster.asynchronous)
    return isinstance(cluster, Cluster) and cluster._presence.stage == "begun"  # noqa: SLF001 - nobody else has to know


def _head(cluster: Cluster) -> str:
    seed, now = cluster.seed, cluster.clock.time
    nodes = cluster.store.list("nodes")
    unwell = sum(map(is_unwell, nodes))
    count = f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"
    state = f" ({unwell} not well)" if unwell else ""
    return (
        f"Kubernetes {cluster.config.kubernetes_version}, {count}{state}, "
        f"version {cluster.version}, time {now:%Y-%m-%dT%H:%M:%S}Z ({cluster.clock.mode})\n"
        f"seed {seed}: repeat it with pytest --cluster-seed={seed}, or Cluster(seed={seed}"
        f"{_epoch(cluster)})"
    )


def _epoch(cluster: Cluster) -> str:
    """Return where a clock began that is not real: with it, timestamps repeat too."""
    if cluster.clock.mode == "real":
        return ""
    return f", epoch={cluster.clock.now() - cluster.store.clock.monotonic():.6f}"


def _operators(cluster: Cluster) -> str:
    failures = [f"  {failure}" for failure in failures_beside(cluster)]
    return "\n".join(("failed in operators beside it:", *failures)) if failures else ""


# -- objects


def _objects(cluster: Cluster) -> Iterator[str]:
    store = cluster.store
    found: list[tuple[bool, Kind, list[Object]]] = []
    for kind in store.registry.kinds():
        if kind.resource in ("events", "events.events.k8s.io"):
            continue
        objects = [obj for obj in store.list(kind.resource) if is_of_interest(kind.resource, obj)]
        if kind.resource == "nodes" and not any(map(is_unwell, objects)):
            continue  # how many there are stands above
        if objects and not any(kind.resource == other.resource for _, other, _ in found):
            objects.sort(key=lambda obj: not is_unwell(obj))
            found.append((is_unwell(objects[0]), kind, objects))
    found.sort(key=lambda item: not item[0])
    for _, kind, objects in found:
        yield f"{kind.plural}:\n{_table_of(kind, objects, cluster.clock.now())}"


def _table_of(kind: Kind, objects: Sequence[Object], now: float) -> str:
    made = table(kind, objects[:ROWS], now=now, include_object="None")
    columns = made["columnDefinitions"] or ()
    shown = [at for at, column in enumerate(columns) if not column.get("priority")]
    heads = [str(columns[at]["name"]).upper() for at in shown]
    rows = [[_cell(row["cells"][at]) for at in shown] for row in made["rows"]]
    if kind.namespaced:
        heads.insert(0, "NAMESPACE")
        for row, obj in zip(rows, objects, strict=False):
            row.insert(0, namespace_of(obj))
    more = len(objects) - ROWS
    return aligned([heads, *rows]) + (f"\n  ... and {more} more" if more > 0 else "")


def _cell(value: Any) -> str:
    text = "<none>" if value is None else str(value).replace("\n", " ")
    return text if len(text) <= _MESSAGE else f"{text[: _MESSAGE - 3]}..."


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns that stand below one another, two spaces in."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


# -- what happened


def _events(cluster: Cluster) -> str:
    events = [event for event in cluster.store.list("events") if is_of_interest("events", event)]
    if not events:
        return ""
    events.sort(key=lambda event: int(meta(event).get("resourceVersion") or 0))
    rows = [["TYPE", "REASON", "OBJECT", "MESSAGE"]]
    for event in events[-EVENTS:]:
        about = event.get("involvedObject") or {}
        rows.append(
            [
                str(event.get("type") or ""),
                str(event.get("reason") or ""),
                f"{str(about.get('kind') or '').lower()}/{about.get('name')}",
                _cell(event.get("message") or ""),
            ]
        )
    return f"events, the last {len(rows) - 1} of {len(events)}:\n{aligned(rows)}"


def _records(cluster: Cluster) -> str:
    history = cluster.store.history
    if history is None:
        return ""
    last = history.last
    rows = rows_of(history.between(max(history.floor, last - _LOOKED_AT), last), RECORDS)
    if not rows:
        return ""
    return f"event log, the last {len(rows)} records:\n{aligned([HEADS, *rows])}"


# -- logs


def _logs(cluster: Cluster) -> Iterator[str]:
    pods = [pod for pod in cluster.store.list("pods") if is_of_interest("pods", pod)]
    pods.sort(key=lambda pod: not is_unwell(pod))
    shown = 0
    for pod in pods:
        every = status_of(pod)
        containers = (
            *(every.get("initContainerStatuses") or ()),
            *(every.get("containerStatuses") or ()),
        )
        for status in containers:
            text = _log_of(cluster, pod, status["name"])
            if text and shown < LOGS:
                shown += 1
                lines = "\n".join(f"  {line}" for line in text.splitlines())
                name = f"{namespace_of(pod)}/{name_of(pod)}"
                yield f"log of {name}, container {status['name']}:\n{lines}"


def _log_of(cluster: Cluster, pod: Object, container: str) -> str:
    options = LogOptions(tail_lines=LOG_LINES)

    async def read() -> bytes:
        chunks = await cluster.core.logs.open(pod, container, options)
        return b"".join([chunk async for chunk in chunks])

    try:
        return at_once(read).decode("utf-8", "replace")
    except (StatusError, OSError, BlockingIOError, RuntimeError):
        return ""  # none was written, or it is not at hand


def at_once(work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
    """Run a coroutine that has nothing to wait for, with or without a running loop.

    Raises:
        BlockingIOError: It does wait.
    """
    running = work()
    try:
        running.send(None)
    except StopIteration as done:
        result: bytes = done.value
        return result
    finally:
        running.close()
    raise BlockingIOError("it waits for something")


def _faults(cluster: Cluster) -> str:
    active = cluster.faults.active
    return "faults in force:\n" + "\n".join(f"  {fault!r}" for fault in active) if active else ""
