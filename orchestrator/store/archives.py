"""Event logs as files, for those who look back: read into a `History`, written from a log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.log.files import open_log
from orchestrator.store.codec import Decoder, unpack_key
from orchestrator.store.history import History
from orchestrator.store.projection import Projection
from orchestrator.store.replaying import fold_event

LOG_NAME: Final = "cluster.db"
"""What the log is called in a data directory."""


def read_history(path: Path, *, note: Callable[[int, int], None] | None = None) -> History:
    """Read a log into a history.

    Args:
        path: A log, or a data directory; a running daemon goes on meanwhile.
        note: Called now and then with how many records were read, and how many there are.

    Raises:
        LogError: There is no log, or it cannot be read.
        UnknownPayload: It was written by a newer version.
    """
    file = path / LOG_NAME if path.is_dir() else path
    history, projection, decoder = History(), Projection(), Decoder()
    with open_log(file) as log:
        if log.snapshot_sequence:
            for entries in log.entries():
                for text, sequence, data in entries:
                    key = unpack_key(text)
                    projection.set(sequence, key, decoder.fold(sequence, key, data, None))
            history.begin(log.snapshot_sequence, projection.objects)
        done, total = 0, log.last_sequence - log.snapshot_sequence
        for records in log.records(log.snapshot_sequence):
            events = []
            for record in records:
                event = fold_event(decoder, projection, record)
                projection.apply(event)
                events.append(event)
            history.add(events, 0)
            done += len(records)
            if note is not None:
                note(done, total)
    return history
