"""Watches of kinds that a webhook converts: each batch of events waits for the webhook's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from orchestrator.api._events import Encoder, View, error_line
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.watching import Watch

Convert = Callable[[Sequence[Object]], Awaitable[list[Object]]]
_PLAIN = frozenset({"BOOKMARK", "ERROR"})


async def converted_chunks(
    watch: Watch,
    view: View,
    bookmark: Callable[[int, bool], bytes],
    convert: Convert,
    encode: Encoder,
    first: Encoder | None,
) -> AsyncIterator[bytes]:
    """Yield framed events with their objects in the version asked for.

    A webhook that fails ends the watch with an ERROR event, as upstream does.

    Args:
        watch: What happens, in the stored version.
        view: How events are framed.
        bookmark: Encodes a bookmark for a sequence; the flag tells that it ends the initial events.
        convert: Converts objects, in order.
        encode: Encodes a converted object.
        first: Encodes the very first one; None where that is as all others.
    """
    try:
        while batch := await watch.batch():
            events = [event for event in batch if event.type in _PLAIN or view.names(event.object)]
            stored = [event.object for event in events if event.type not in _PLAIN]
            try:
                converted = iter(await convert(stored) if stored else ())
            except StatusError as error:
                yield error_line(error, view)
                return
            lines = []
            for event in events:
                if event.type in _PLAIN:
                    told = event.object
                    if event.type == "BOOKMARK":
                        metadata = told["metadata"]
                        data = bookmark(int(metadata["resourceVersion"]), "annotations" in metadata)
                    else:
                        data = view.dump(told)
                    lines.append(view.line(event.type, data))
                    continue
                data = (first or encode)(next(converted))
                first = None
                lines.append(view.line(event.type, data))
            if lines:
                yield b"".join(lines)
    finally:
        watch.close()
