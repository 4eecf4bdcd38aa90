"""From records back to events: what a restart reads is what the followers saw."""

from __future__ import annotations

from actors.log import Record
from orchestrator.store.codec import Decoder, UnknownPayload, unpack_key
from orchestrator.store.events import EventType, ObjectEvent
from orchestrator.store.projection import Projection


def fold_event(decoder: Decoder, projection: Projection, record: Record) -> ObjectEvent:
    """Return the event that a record stands for, on top of the projection before it.

    Raises:
        UnknownPayload: The record cannot be read, or does not follow from what came before.
    """
    sequence = record.sequence
    key = unpack_key(record.key)
    before = projection.objects.get(key)
    after = decoder.fold(sequence, key, record.data, before)
    if after is not None:
        kind: EventType = "MODIFIED" if before else "ADDED"
        return ObjectEvent(sequence, kind, key, after, before, decoder.stamp)
    if before is None:
        raise UnknownPayload(f"record {sequence} deletes {key}, which the log never created")
    metadata = {**before["metadata"], "resourceVersion": str(sequence)}
    last = {**before, "metadata": metadata}
    return ObjectEvent(sequence, "DELETED", key, last, before, decoder.stamp)
