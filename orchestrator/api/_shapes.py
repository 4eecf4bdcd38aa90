"""The shapes a client can ask for: the object itself, a Table row, only the metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson

from orchestrator.api._negotiation import Accepted
from orchestrator.api._requests import Request
from orchestrator.api._responses import encode as encode_as
from orchestrator.resources import printing
from orchestrator.resources.errors import bad_request, not_acceptable
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object

_INCLUDES = {"": "Metadata", "None": "None", "Metadata": "Metadata", "Object": "Object"}


class EncodedObjects:
    """Objects' bytes, kept as long as room allows: frozen objects are encoded once for all readers.

    Keyed by identity, which is safe because an entry keeps its object alive. When full, all goes:
    simple, and what is read often is back at once. Answers to writes do not come here, since most
    of them are never read again.
    """

    def __init__(
        self, encode: Callable[[Object], bytes] = orjson.dumps, limit: int = 16 * 1024 * 1024
    ) -> None:
        """Keep at most ``limit`` bytes of what ``encode`` makes."""
        self._encode = encode
        self._limit = limit
        self._size = 0
        self._entries: dict[int, tuple[Object, bytes]] = {}

    def __call__(self, obj: Object) -> bytes:
        """Return the bytes of a committed object."""
        entry = self._entries.get(id(obj))
        if entry is not None:
            return entry[1]
        data = self._encode(obj)
        self._size += len(data)
        if self._size > self._limit:
            self._entries.clear()
            self._size = len(data)
        self._entries[id(obj)] = (obj, data)
        return data

    def many(self, objects: Iterable[Object]) -> list[bytes]:
        """Return the bytes of committed objects; those that are known cost no call each."""
        find = self._entries.get
        return [self(obj) if (entry := find(id(obj))) is None else entry[1] for obj in objects]


def included(request: Request) -> str:
    """Return how much of each object a Table's rows carry.

    Raises:
        StatusError: 400 for an unknown ``includeObject``.
    """
    asked = request.parameter("includeObject")
    found = _INCLUDES.get(asked)
    if found is None:
        raise bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{asked}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
    return found


def make_table(
    kind: Kind,
    objects: Iterable[Object],
    request: Request,
    accepted: Accepted,
    now: float,
    *,
    columns: bool = True,
) -> Object:
    """Build the Table of some objects in the version asked for.

    Raises:
        StatusError: 400 for an unknown ``includeObject``.
    """
    include = included(request)
    built = printing.table(kind, objects, now=now, include_object=include, columns=columns)
    return {**built, "apiVersion": f"meta.k8s.io/{accepted.version}"}


def shape_object(
    kind: Kind,
    obj: Object,
    request: Request,
    accepted: Accepted,
    now: float,
    *,
    columns: bool = True,
) -> Object:
    """Return one object in the shape asked for."""
    match accepted.shape:
        case "Table":
            return make_table(kind, (obj,), request, accepted, now, columns=columns)
        case "PartialObjectMetadata":
            return {
                **printing.partial_object_metadata(obj),
                "apiVersion": f"meta.k8s.io/{accepted.version}",
            }
        case "PartialObjectMetadataList":
            raise not_acceptable(
                "you requested PartialObjectMetadataList, but the requested object is not a list "
                f"(*{kind.version}.{kind.kind})"
            )
        case _:
            return obj


def shape_list(
    kind: Kind,
    items: list[Object],
    metadata: dict[str, Any],
    request: Request,
    accepted: Accepted,
    now: float,
) -> Object:
    """Return a list in another shape than the plain one."""
    version = f"meta.k8s.io/{accepted.version}"
    if accepted.shape == "PartialObjectMetadata":
        raise not_acceptable(
            "you requested PartialObjectMetadata, but the requested object is a list "
            f"(*{kind.version}.{kind.kind}List)"
        )
    if accepted.shape == "Table":
        built = make_table(kind, items, request, accepted, now)
        return {**built, "metadata": metadata}
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": version,
        "metadata": metadata,
        "items": [
            {**printing.partial_object_metadata(item), "apiVersion": version} for item in items
        ],
    }


def watch_encoders(
    kind: Kind, request: Request, accepted: Accepted, now: Callable[[], float]
) -> tuple[Callable[[Object], bytes] | None, Callable[[Object], bytes] | None]:
    """Return the encoders of a watch's first object and of all others; None for the object itself.

    Only the first Table of a watch describes its columns, as upstream does.
    """
    if not accepted.shape:
        return None, None

    def encode(obj: Object, *, columns: bool = False) -> bytes:
        shaped = shape_object(kind, obj, request, accepted, now(), columns=columns)
        return encode_as(shaped, accepted)

    return (partial(encode, columns=True) if accepted.shape == "Table" else None), encode
