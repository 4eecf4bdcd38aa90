"""The verbs that write: create, update, patch, delete and deletion of collections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._bodies import check_object_type, is_json, is_protobuf, parse_object
from orchestrator.api._callers import caller_of, deleter_of
from orchestrator.api._creating import Creating, warn_of
from orchestrator.api._lists import Lists
from orchestrator.api._managers import Managers
from orchestrator.api._options import delete_options, write_options
from orchestrator.api._owners import with_owners_once
from orchestrator.api._patching import Patching
from orchestrator.api._placing import check_name, place
from orchestrator.api._requests import Request, has_protobuf
from orchestrator.api._responses import Response, encode
from orchestrator.api._routing import Target
from orchestrator.resources.decoding import decode
from orchestrator.resources.deletions import RETURNS_DELETED
from orchestrator.resources.errors import StatusError, not_found
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta
from orchestrator.resources.strategies import strategy_of
from orchestrator.store.operations import DeleteOptions
from orchestrator.store.rules import is_unsaid

if TYPE_CHECKING:
    from orchestrator.api._access import Access
    from orchestrator.api._resources import Resources
    from orchestrator.store import Store

_DELETED_TOGETHER: Final = 100
"""Objects of a collection that are deleted at once: the store's queue is everyone's."""

_PODS_STAY: Final = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Writing:
    """Answers requests that change objects.

    Attributes:
        managers: Track who set which field.
    """

    def __init__(self, resources: Resources, store: Store, lists: Lists, access: Access) -> None:
        self.managers = Managers(store)
        self._resources = resources
        self._store = store
        self._lists = lists
        self._access = access
        self._creating = Creating(store, self.managers)
        self._patching = Patching(store, self.managers, access)

    async def read_object(self, request: Request, kind: Kind, validation: str) -> Object:
        """Read a body that holds an object of ``kind``; unknown fields as ``validation`` says."""
        content_type = request.content_type
        check_object_type(content_type, protobuf=has_protobuf(kind))
        data = await request.body()
        body = parse_object(data, content_type, kind.kind)
        if is_protobuf(content_type):
            validation = "Ignore"  # its unknown fields have no names
        raw = data if is_json(content_type) else None
        decoded = decode(body, kind, validation=validation, raw=raw)
        request.warnings += decoded.warnings
        return decoded.object

    async def create(self, request: Request, target: Target) -> Response:
        """Create an object."""
        options = write_options(request, "CreateOptions")
        caller = caller_of(request, "CreateOptions", options)
        admitted = await self._creating.read(request, target, options, caller)
        created = await self._store.create_admitted(
            admitted,
            resource=target.resource,
            dry_run=options.dry_run,
            by=caller.user.name,
        )
        return await self._resources.respond(request, target.kind, created, 201)

    async def update(self, request: Request, target: Target, subresource: str = "") -> Response:
        """Replace an object, or the part of it a subresource stands for."""
        options = write_options(request, "UpdateOptions")
        obj = await self.read_object(request, target.kind, options.validation)
        obj = with_owners_once(request, place(obj, target))
        check_name(obj, target)
        current = self._store.get(target.resource, target.scope, target.name)
        if current is None and not subresource and strategy_of(target.kind).create_on_update:
            self._access.require_create(request)
            created_by = caller_of(request, "CreateOptions", options)
            admitted = await self._creating.admit(target, obj, options, created_by)
            warn_of(request, target.kind, admitted)
            created = await self._store.create_admitted(
                admitted,
                resource=target.resource,
                dry_run=options.dry_run,
                by=created_by.user.name,
            )
            return await self._resources.respond(request, target.kind, created, 201)
        if current is None:
            raise not_found(target.resource, target.name)
        if self._store.registry.is_converted(target.kind):
            current = await self._store.conversion.one(current, target.kind)
        tracked = self.managers.updated(target.kind, current, obj, options.manager, subresource)
        updated = await self._store.update(
            tracked,
            resource=target.resource,
            namespace=target.scope,
            name=target.name,
            subresource=subresource,
            dry_run=options.dry_run,
            kind=target.kind,
            caller=caller_of(request, "UpdateOptions", options),
        )
        if not subresource:
            warn_of(request, target.kind, updated, current)
        return await self._resources.respond(request, target.kind, updated)

    async def patch(self, request: Request, target: Target, subresource: str = "") -> Response:
        """Patch an object; server-side apply also creates one."""
        before = self._store.get(target.resource, target.scope, target.name)
        patched, created = await self._patching.patch(request, target, subresource)
        if not subresource:
            warn_of(request, target.kind, patched, None if created else before)
        return await self._resources.respond(request, target.kind, patched, 201 if created else 200)

    async def delete(self, request: Request, target: Target) -> Response:
        """Delete one object; the answer tells whether it is gone or going."""
        body = await self._delete_body(request)
        options, dry_run = delete_options(request, body)
        warn_of_leaving(request, target, options)
        deleted = await self._store.delete(
            target.resource,
            target.scope,
            target.name,
            options=options,
            dry_run=dry_run,
            kind=target.kind,
            caller=deleter_of(request, body),
        )
        going = meta(deleted).get("deletionTimestamp") is not None
        remains = going and self._store.get(target.resource, target.scope, target.name) is not None
        if remains or target.resource in RETURNS_DELETED:
            return await self._resources.respond(request, target.kind, deleted)
        details = {"name": target.name, "kind": target.kind.plural, "uid": meta(deleted).get("uid")}
        if target.kind.group:
            details["group"] = target.kind.group
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
        accepted = request.accepted
        return Response(200, encode(status, accepted, pretty=request.pretty), accepted.content_type)

    async def _delete_body(self, request: Request) -> dict[str, Any] | None:
        data = await request.body()
        if not data.strip():
            return None
        content_type = request.content_type
        check_object_type(content_type)
        return parse_object(data, content_type, "DeleteOptions")

    async def delete_collection(self, request: Request, target: Target) -> Response:
        """Delete what a list would show, and answer with that."""
        body = await self._delete_body(request)
        options, dry_run = delete_options(request, body)
        warn_of_leaving(request, target, options)
        caller = deleter_of(request, body)
        page = await self._lists.page(request, target)

        async def remove(obj: Object) -> None:
            metadata = meta(obj)
            try:
                await self._store.delete(
                    target.resource,
                    metadata.get("namespace", ""),
                    metadata["name"],
                    options=options,
                    dry_run=dry_run,
                    kind=target.kind,
                    caller=caller,
                )
            except StatusError as error:
                if error.code != 404:
                    raise

        for begin in range(0, len(page.items), _DELETED_TOGETHER):
            await asyncio.gather(*map(remove, page.items[begin : begin + _DELETED_TOGETHER]))
        return await self._lists.respond(request, target.kind, page)


def warn_of_leaving(request: Request, target: Target, options: DeleteOptions) -> None:
    """Say that a Job's pods stay; source: pkg/registry/batch/job/storage."""
    if target.resource == "jobs.batch" and is_unsaid(options):
        request.warnings.append(_PODS_STAY)
