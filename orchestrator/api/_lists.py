"""Lists and the start of watches."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.api._converted_watches import converted_chunks
from orchestrator.api._events import Encoder, View, bookmark_object, error_line
from orchestrator.api._fanout import Fanout
from orchestrator.api._negotiation import Accepted
from orchestrator.api._options import ListOptions, check_version_number, list_options
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream, dump_of, json_response
from orchestrator.api._routing import Target
from orchestrator.api._shapes import EncodedObjects, included, shape_list, watch_encoders
from orchestrator.api._watching import Watch
from orchestrator.resources.errors import StatusError, bad_request, not_acceptable
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies import check_field_selector, strategy_of

if TYPE_CHECKING:
    from orchestrator.api._encodings import Messages
    from orchestrator.store import Store
    from orchestrator.store.listing import ListPage

WATCH_SECONDS: Final = (1800.0, 3600.0)
"""A watch that names no timeout ends after a time drawn from here, as upstream: clients then come
back spread out instead of all at once."""


_BLUEPRINT: Final = "kubernetes.io/initial-events-list-blueprint"


class Lists:
    """Answers lists, and starts watches."""

    def __init__(
        self,
        store: Store,
        encoded: EncodedObjects,
        messages: Callable[[], Messages],
        chance: random.Random,
    ) -> None:
        self._store = store
        self._random = chance
        self._encoded = encoded
        self._messages = messages
        self._fanout = Fanout(lambda resource, wake: store.follow([resource], wake, relists=True))

    async def wait_for(self, version: str) -> None:
        """Wait for a version that is asked for as the least, as long as upstream does.

        Raises:
            StatusError: 400 for what is no version, 504 when it has not come.
        """
        check_version_number(version)
        if version and int(version) > self._store.sequence:
            await self._store.wait_sequence(int(version))

    async def page(self, request: Request, target: Target) -> ListPage:
        """Read one page as the request's options say."""
        return await self._page(target, list_options(request))

    async def _page(self, target: Target, options: ListOptions) -> ListPage:
        if options.fields is not None:
            check_field_selector(target.kind, options.fields)
        if not options.continue_:
            await self.wait_for(options.resource_version)
        return self._store.list_page(
            target.resource,
            target.namespace,
            labels=options.labels,
            fields=options.fields,
            limit=options.limit,
            continue_=options.continue_,
            resource_version=options.resource_version,
            match=options.match,
        )

    async def list(self, request: Request, target: Target) -> Response:
        """Answer with a list in the shape and encoding asked for."""
        options = list_options(request)
        return await self.respond(request, target.kind, await self._page(target, options))

    async def respond(self, request: Request, kind: Kind, page: ListPage) -> Response:
        """Answer with a page in the shape and encoding asked for."""
        accepted = request.accepted
        metadata: dict[str, Any] = {"resourceVersion": str(page.sequence)}
        if page.continue_:
            metadata["continue"] = page.continue_
            if page.remaining is not None:
                metadata["remainingItemCount"] = page.remaining
        items = page.items
        converted = self._store.registry.is_converted(kind)
        if converted:
            items = await self._store.conversion.convert(items, kind)
            # Objects that were in this version already are those that others are shown.
            converted = any(one is not other for one, other in zip(items, page.items, strict=True))
        if accepted.shape:
            now = self._store.clock.now()
            shaped = shape_list(kind, items, metadata, request, accepted, now)
            return json_response(shaped, 200, accepted, pretty=request.pretty)
        head = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": metadata}
        if accepted.encoding == "json" and not request.pretty:
            start = orjson.dumps(head)[:-1]
            # A converted object is made for this answer alone.
            encoded = map(orjson.dumps, items) if converted else self._encoded.many(items)
            body = b"".join((start, b',"items":[', b",".join(encoded), b"]}\n"))
            return Response(200, body)
        if accepted.encoding == "protobuf":
            return self._messages().respond_list(head, items, stored=not converted)
        return json_response({**head, "items": items}, 200, accepted, pretty=request.pretty)

    async def watch(self, request: Request, target: Target) -> Stream:
        """Start a watch.

        What is wrong with the request is answered as an error. What is wrong with the version is
        told by the first event, as upstream does: 410 for one that is no longer held.
        """
        accepted = request.accepted
        if accepted.encoding == "yaml":
            raise not_acceptable(
                "only the following media types are accepted: application/json;stream=watch, "
                "application/vnd.kubernetes.protobuf;stream=watch"
            )
        if accepted.shape == "Table":
            included(request)
        elif accepted.shape == "PartialObjectMetadataList":
            raise not_acceptable("a watch shows single objects: ask for PartialObjectMetadata")
        options = list_options(request, watch=True)
        kind = target.kind
        if options.fields is not None:
            check_field_selector(kind, options.fields)
            if target.name and options.fields.exact("metadata.name") != target.name:
                raise bad_request("fieldSelector metadata.name doesn't match requested name")
        version = int(options.resource_version or 0)
        view = self._view(request, target, accepted, options)
        if options.send_initial_events:
            try:
                await self.wait_for(options.resource_version)
            except StatusError as error:
                return Stream(_only(error_line(error, view)), accepted.watch_content_type)
        initial: list[Object] = []
        wants_initial = (
            options.send_initial_events if options.send_initial_events is not None else version == 0
        )
        after = version
        store = self._store
        if wants_initial:
            after = store.sequence
            initial = [
                obj for obj in store.list(target.resource, target.namespace) if view.sees(obj)
            ]
        elif version == 0:
            after = store.sequence
        if store.conversion.waits(kind):
            return self._converted_watch(request, target, view, options)
        first, encode = self._encoders(kind, request, accepted)
        timeout = options.timeout or self._random.uniform(*WATCH_SECONDS)
        watch = Watch(
            target.resource,
            replace(view, encode=encode),
            follow=lambda wake, sequence: store.follow(
                [target.resource], wake, after=sequence, relists=True
            ),
            after=after,
            initial=initial,
            fanout=self._fanout,
            encode_initial=encode or self._encoded,
            encode_first=first,
            bookmark=_bookmarks(kind, accepted) if options.bookmarks else None,
            mark_initial=bool(options.send_initial_events),
            timeout=timeout,
        )
        return Stream(
            watch.chunks(),
            accepted.watch_content_type,
            attach=watch.attach,
            seconds=timeout,
            custom=target.resource if kind.custom is not None else "",
        )

    def _converted_watch(
        self, request: Request, target: Target, view: View, options: ListOptions
    ) -> Stream:
        """Watch a kind that a webhook converts."""
        accepted, kind = request.accepted, target.kind
        first, encode = watch_encoders(kind, request, accepted, self._store.clock.now)
        watch = self._store.watch(
            target.resource,
            target.namespace,
            after=int(options.resource_version or 0),
            labels=options.labels,
            fields=options.fields,
            bookmarks=options.bookmarks,
            timeout=options.timeout or self._random.uniform(*WATCH_SECONDS),
            send_initial_events=options.send_initial_events,
        )
        chunks = converted_chunks(
            watch,
            view,
            _bookmarks(kind, accepted),
            lambda objects: self._store.conversion.convert(objects, kind),
            encode or dump_of(accepted),
            first,
        )
        return Stream(chunks, accepted.watch_content_type, custom=target.resource)

    def _view(
        self, request: Request, target: Target, accepted: Accepted, options: ListOptions
    ) -> View:
        """Describe what a watcher sees; equal requests give equal keys."""
        include = request.parameter("includeObject") if accepted.shape == "Table" else ""
        shape = (target.kind.api_version, id(target.kind), accepted, include)
        selectors = (request.parameter("labelSelector"), request.parameter("fieldSelector"))
        view = View(
            key=(shape, target.namespace, target.name, selectors),
            shape=shape,
            namespace=target.namespace,
            name=target.name,
            matches=self._store.matcher(target.resource, options.labels, options.fields),
            trigger=_trigger(target, options),
            fields_of=strategy_of(self._store.registry.by_key(target.resource)).selectable_fields,
        )
        if accepted.encoding == "protobuf":
            from orchestrator.api.protobuf import watch_frame

            return replace(view, line=watch_frame, dump=dump_of(accepted))
        return view

    def _encoders(
        self, kind: Kind, request: Request, accepted: Accepted
    ) -> tuple[Encoder | None, Encoder | None]:
        """Return how a watch encodes its first object and the others; None: as they are stored."""
        first, encode = watch_encoders(kind, request, accepted, self._store.clock.now)
        if not self._store.registry.is_converted(kind):
            if encode is None and accepted.encoding == "protobuf":
                encode = self._messages().object
            return first, encode
        now, plain = self._store.conversion.now, encode or dump_of(accepted)
        if first is None:
            return None, lambda obj: plain(now(obj, kind))
        begin = first
        return lambda obj: begin(now(obj, kind)), lambda obj: plain(now(obj, kind))


def _trigger(target: Target, options: ListOptions) -> tuple[str, str] | None:
    """Return a field and the one value that a watcher looks at, if there is such a field."""
    if target.name:
        return "metadata.name", target.name
    if options.fields is not None:
        for requirement in options.fields.requirements:
            if requirement.operator == "=":
                return requirement.field, requirement.value
    return ("metadata.namespace", target.namespace) if target.namespace else None


async def _only(line: bytes) -> AsyncIterator[bytes]:
    """Stream one piece."""
    yield line


def _bookmarks(kind: Kind, accepted: Accepted) -> Callable[[int, bool], bytes]:
    api_version, name = kind.api_version, kind.kind
    if accepted.shape == "PartialObjectMetadata":
        api_version, name = f"meta.k8s.io/{accepted.version}", accepted.shape

    dump = dump_of(accepted)

    def encode(sequence: int, initial: bool) -> bytes:
        bookmark = bookmark_object(api_version, name, sequence, initial)
        if initial and accepted.shape != "Table":
            listed = {"kind": f"{name}List", "apiVersion": api_version, "metadata": {}, "items": []}
            # Clients without types of their own make their list out of it.
            bookmark["metadata"]["annotations"][_BLUEPRINT] = b64encode(dump(listed)).decode()
        if accepted.shape == "Table":
            bookmark = {
                "kind": "Table",
                "apiVersion": f"meta.k8s.io/{accepted.version}",
                "metadata": {"resourceVersion": str(sequence)},
                "columnDefinitions": None,
                "rows": [{"cells": [], "object": bookmark}],
            }
        return dump(bookmark)

    return encode
