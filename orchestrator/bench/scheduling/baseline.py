"""The bare loop to compare with: pods created and bound by nothing but a dictionary and a log.

No actors, no API, no scheduling: each pod is packed whole by msgpack when it is created and again
when it is bound, and both go into SQLite with the store's own settings and commit size.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from orchestrator.resources.objects import Object

COMMIT = 500
MOST = 20_000
"""Pods from which on the rate no longer changes; more would only take longer."""


class Bare(NamedTuple):
    """What the bare loop reached: pods a second by the clock, and by this process's own time."""

    rate: float
    processor_rate: float


def create_and_bind(pods: list[Object], directory: Path) -> Bare:
    """Return how many pods a second the bare loop creates and binds.

    Args:
        pods: Some of the pods to make, as a client sends them; the first `MOST` are made.
        directory: For the log.
    """
    pods = pods[:MOST]
    database = sqlite3.connect(directory / "bare.db", isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, key TEXT, data BLOB)")
        pack = msgpack.Packer().pack
        objects: dict[str, dict[str, Any]] = {}
        sequence = 0

        def commit(changed: list[dict[str, Any]]) -> None:
            nonlocal sequence
            rows = []
            for pod in changed:
                sequence += 1
                metadata = {**pod["metadata"], "resourceVersion": str(sequence)}
                name = metadata["name"]
                objects[name] = made = {**pod, "metadata": metadata}
                rows.append((sequence, name, pack(made)))
            database.execute("BEGIN")
            database.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
            database.execute("COMMIT")

        portions = [pods[start : start + COMMIT] for start in range(0, len(pods), COMMIT)]
        began, used = time.perf_counter(), time.process_time()
        for portion in portions:
            commit([{**pod, "status": {"phase": "Pending"}} for pod in portion])
        for number, portion in enumerate(portions):
            commit([_bound(objects[pod["metadata"]["name"]], number) for pod in portion])
        seconds, used = time.perf_counter() - began, time.process_time() - used
        return Bare(len(pods) / seconds, len(pods) / max(used, 1e-9))
    finally:
        database.close()


def _bound(pod: Object, node: int) -> Object:
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": f"node-{node}"},
        "status": {**pod["status"], "conditions": [condition]},
    }
