"""Lists as the API offers them: at a version, in pages, to be continued.

Source of rules and words: k8s.io/apiserver pkg/storage (continue.go, etcd3/store.go).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import orjson

from orchestrator.resources.errors import (
    StatusError,
    bad_request,
    expired,
    resource_version_too_large,
)
from orchestrator.resources.objects import Object
from orchestrator.store.projection import Projection, SortKey
from orchestrator.store.window import Expired, Window

Matches = Callable[[Object], bool]

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - a version, no secret
_TOO_OLD = "The resourceVersion for the provided list is too old."
_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_LATEST = -1
"""The version in a token that goes on with whatever is there now."""


class ListPage(NamedTuple):
    """One page of a list.

    Attributes:
        items: By (namespace, name).
        sequence: The version that all pages of this list show.
        continue_: What to ask the next page with; empty after the last one.
        remaining: How many objects follow; None when a selector makes that unknown, or none do.
    """

    items: list[Object]
    sequence: int
    continue_: str = ""
    remaining: int | None = None


def encode_continue(sequence: int, last: SortKey) -> str:
    """Return the token for the page that begins behind ``last``."""
    namespace, name = last
    start = f"{namespace}/{name}\0" if namespace else f"{name}\0"
    data = orjson.dumps({"v": _TOKEN_VERSION, "rv": sequence, "start": start})
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[int, SortKey]:
    """Return the version and the key behind which the page begins.

    Raises:
        StatusError: 400.
    """
    try:
        data = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, sequence, start = data["v"], data["rv"], data["start"]
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise _bad_token(str(error)) from None
    if version != _TOKEN_VERSION:
        raise _bad_token(f'server does not recognize this encoded version "{version}"')
    if type(sequence) is not int or not sequence:
        raise _bad_token(f"incorrect encoded start resourceVersion (version {_TOKEN_VERSION})")
    if not isinstance(start, str) or not start:
        raise _bad_token(f"encoded start key empty (version {_TOKEN_VERSION})")
    namespace, slash, name = start.rstrip("\0").rpartition("/")
    return sequence, (namespace if slash else "", name)


def _bad_token(why: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")


def parse_version(text: str) -> int:
    """Return a ``resourceVersion`` parameter as a number; 0 when empty.

    Raises:
        StatusError: 400.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'resourceVersion: Invalid value: "{text}": must be a number')
    return int(text)


def read_page(
    projection: Projection,
    window: Window,
    resource: str,
    namespace: str | None,
    matches: Matches | None,
    *,
    limit: int = 0,
    continue_: str = "",
    resource_version: str = "",
    match: str = "",
) -> ListPage:
    """Return one page; see `orchestrator.store.Store.list_page`."""
    asked = parse_version(resource_version)
    start: SortKey | None = None
    if continue_:
        sequence, start = decode_continue(continue_)
        if asked:
            raise bad_request("specifying resource version is not allowed when using continue")
        exact = sequence > 0
        asked = max(sequence, 0)
    else:
        # A limit with a version and no match means exactly that version, for old clients.
        exact = asked > 0 and (match == "Exact" or (limit > 0 and not match))
    if asked > projection.sequence:
        raise resource_version_too_large(asked, projection.sequence)
    at = asked if exact else projection.sequence
    try:
        objects = _objects_at(projection, window, resource, namespace, at, start)
    except Expired:
        if start is None:
            raise expired(_TOO_OLD) from None
        raise expired(_INCONSISTENT, continue_=encode_continue(_LATEST, start)) from None
    return _page(objects, matches, limit, at)


def _objects_at(
    projection: Projection,
    window: Window,
    resource: str,
    namespace: str | None,
    sequence: int,
    start: SortKey | None,
) -> Iterator[Object]:
    if start is not None and sequence < window.floor:
        # As after upstream's compaction, even if nothing of this kind has changed since.
        raise Expired(sequence, window.floor)
    changed = _undo(window, resource, namespace, sequence) if sequence < projection.sequence else {}
    table = projection.table(resource, namespace)
    if not changed:
        return iter(()) if table is None else table.after(start)
    then: dict[SortKey, Object | None] = {**(table.objects if table else {}), **changed}
    keys = sorted(key for key, obj in then.items() if obj and (start is None or key > start))
    return (obj for key in keys if (obj := then[key]) is not None)


def _undo(
    window: Window, resource: str, namespace: str | None, sequence: int
) -> dict[SortKey, Object | None]:
    """Return what objects that changed after ``sequence`` were at ``sequence``; None for absent."""
    channel = window.channel(resource)
    before: dict[SortKey, Object | None] = {}
    for event in channel.read(channel.place_after(sequence)):
        if namespace is None or event.key[1] == namespace:
            before.setdefault(event.key[1:], event.previous)
    return before


def _page(objects: Iterable[Object], matches: Matches | None, limit: int, at: int) -> ListPage:
    if not limit:
        found = [obj for obj in objects if matches is None or matches(obj)]
        return ListPage(found, at)
    items: list[Object] = []
    rest = iter(objects)
    for obj in rest:
        if matches is not None and not matches(obj):
            continue
        if len(items) == limit:
            last = items[-1]["metadata"]
            token = encode_continue(at, (last.get("namespace") or "", last["name"]))
            remaining = None if matches is not None else 1 + sum(1 for _ in rest)
            return ListPage(items, at, token, remaining)
        items.append(obj)
    return ListPage(items, at)
