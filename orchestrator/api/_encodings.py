"""Objects as protobuf: whole, in lists and in watches, each encoded once for all readers.

Kept apart from JSON, for which an object's bytes are the same wherever it stands: a protobuf
message is in an envelope of its own when it is alone or in a watch, and bare in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from orchestrator.api._negotiation import Accepted
from orchestrator.api._responses import Response
from orchestrator.api._shapes import EncodedObjects
from orchestrator.api.protobuf import (
    MEDIA_TYPE,
    encode_list,
    encode_message,
    encode_object,
    enveloped,
)
from orchestrator.resources.objects import Object

_CONTENT_TYPE = MEDIA_TYPE.encode()

Dump = Callable[[Any], bytes]
"""From an object of any kind to bytes."""


def dump_of(accepted: Accepted) -> Dump:
    """Return what encodes single objects of a watch, bookmarks and errors."""
    return encode_object if accepted.encoding == "protobuf" else orjson.dumps


def _message(obj: Object) -> bytes:
    return encode_message(obj["apiVersion"], obj["kind"], obj)


class Messages:
    """The protobuf messages of committed objects."""

    def __init__(self) -> None:
        self._kept = EncodedObjects(_message)

    def object(self, obj: Object) -> bytes:
        """Return a committed object in its envelope."""
        return enveloped(obj["apiVersion"], obj["kind"], self._kept(obj))

    def respond(self, obj: Object, status: int, *, stored: bool) -> Response:
        """Answer with an object; ``stored`` if others may read it again."""
        data = self.object(obj) if stored else encode_object(obj)
        return Response(status, data, _CONTENT_TYPE)

    def respond_list(
        self, head: dict[str, Any], items: Iterable[Object], *, stored: bool
    ) -> Response:
        """Answer with a list.

        Args:
            head: ``apiVersion``, ``kind`` and ``metadata`` of the list.
            items: Its objects.
            stored: Others may read them again.
        """
        messages = self._kept.many(items) if stored else list(map(_message, items))
        data = encode_list(head["apiVersion"], head["kind"], head["metadata"], messages)
        return Response(200, data, _CONTENT_TYPE)
