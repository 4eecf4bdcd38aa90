"""Objects as protobuf: whole, in lists and in watches, each encoded once for all readers.

Kept apart from JSON, for which an object's bytes are the same wherever it stands: a protobuf
message is in an envelope of its own when it is alone or in a watch, and bare in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from orchestrator.api._responses import Response
from orchestrator.api._shapes import EncodedObjects
from orchestrator.api.protobuf import (
    MEDIA_TYPE,
    encode_list,
    encode_object,
    enveloped,
    message_of,
    sharing_encoder,
)
from orchestrator.resources.objects import Object

_CONTENT_TYPE: Final = MEDIA_TYPE.encode()
_SPECS: Final = 1024
"""Specs whose bytes are kept; of ordinary size they take a megabyte."""

Dump = Callable[[Any], bytes]
"""From an object of any kind to bytes."""


class Messages:
    """The protobuf messages of committed objects.

    Pods made from one template share their spec, and so do the revisions of an object whose status
    alone changes: a spec is encoded once while it is among those seen last.
    """

    def __init__(self) -> None:
        self._kept = EncodedObjects(self._message)
        self._encoders: dict[tuple[str, str], Dump] = {}
        self._specs: dict[int, tuple[Any, bytes]] = {}

    def _message(self, obj: Object) -> bytes:
        kind = obj["apiVersion"], obj["kind"]
        encode = self._encoders.get(kind)
        if encode is None:
            name = message_of(*kind)
            if name is None:
                raise KeyError(kind)
            encode = self._encoders[kind] = sharing_encoder(name, "spec", self._spec)
        return encode(obj)

    def _spec(self, write: Dump, spec: Any) -> bytes:
        known = self._specs.get(id(spec))
        if known is not None:
            return known[1]  # the entry holds the spec, so its id cannot have been given away
        data = write(spec)
        if len(self._specs) >= _SPECS:
            self._specs.clear()
        self._specs[id(spec)] = (spec, data)
        return data

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
        messages = self._kept.many(items) if stored else list(map(self._message, items))
        data = encode_list(head["apiVersion"], head["kind"], head["metadata"], messages)
        return Response(200, data, _CONTENT_TYPE)
