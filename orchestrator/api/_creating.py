"""Creation of objects: decoded, admitted and tracked, or made from a template that was before.

Programs that create many pods create them from a template: the body is the same each time but for
the name. What decoding, defaulting, field management, the plugins and validation made of such a
body is remembered, keyed by all that went into it, and used for the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from orchestrator.api._bodies import check_object_type, is_json, is_protobuf, parse_object
from orchestrator.api._managers import Managers
from orchestrator.api._options import WriteOptions
from orchestrator.api._owners import with_owners_once
from orchestrator.api._placing import place
from orchestrator.api._requests import Request, has_protobuf
from orchestrator.api._routing import Target
from orchestrator.resources.decoding import decode, same_fields
from orchestrator.resources.kinds import Kind
from orchestrator.resources.names import dns_subdomain
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies import strategy_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store.admission import Attributes, Caller

if TYPE_CHECKING:
    from orchestrator.store import Store

TEMPLATES: Final = 256
FINGERPRINT_LIMIT: Final = 8192
"""Bytes; the templates, full of the largest, take a few MiB."""

_NAMES: Final[dict[str, Callable[[str], list[str]]]] = {"pods": dns_subdomain}
"""Resources made from templates, with the rule of their names. It has to be one of which nothing
else depends on the name: not the defaults (a namespace's labels) and no other check."""

_NAMED_AFTER: Final = b'"ephemeral":'
"""In a body with volumes whose claims are named after the pod."""

_Key: TypeAlias = tuple[str, str, str, str, bytes, int]


def warn_of(request: Request, kind: Kind, new: Object, old: Object | None = None) -> None:
    """Add the warnings about a written object to the answer."""
    warnings = strategy_of(kind).warnings
    if warnings is not None:
        request.warnings += warnings(new, old)


class _Template(NamedTuple):
    """What became of a body.

    Attributes:
        object: As it was admitted.
        metadata: Its metadata without the name and ``managedFields``.
        entries: Its ``managedFields`` by the time in them; one second's objects share the list.
    """

    object: Object
    metadata: dict[str, Any]
    entries: dict[str, list[dict[str, Any]]]

    def made(self, name: str, now: str) -> Object:
        """Return the object of another name, written at another time."""
        entries = self.entries.get(now)
        if entries is None:
            _, last = self.entries.popitem()
            entries = self.entries[now] = [{**entry, "time": now} for entry in last]
        metadata = {"name": name, **self.metadata}
        if entries:
            metadata["managedFields"] = entries
        return {**self.object, "metadata": metadata}


class Creating:
    """Makes admitted objects out of requests."""

    def __init__(self, store: Store, managers: Managers) -> None:
        self._store = store
        self._managers = managers
        self._templates: dict[_Key, _Template] = {}

    async def read(
        self, request: Request, target: Target, options: WriteOptions, caller: Caller
    ) -> Object:
        """Return the admitted object that a request wants created.

        Raises:
            StatusError: It is refused.
        """
        content_type = request.content_type
        check_object_type(content_type, protobuf=has_protobuf(target.kind))
        data = await request.body()
        body = parse_object(data, content_type, target.kind.kind)
        json, protobuf = is_json(content_type), is_protobuf(content_type)
        # What policies and webhooks say of one object need not hold for the next.
        alike = (json or protobuf) and not self._store.admission.asked("CREATE", target.kind)
        key = self._key(target, options.manager, body) if alike else None
        if key is not None:
            template = self._templates.get(key)
            name = body["metadata"]["name"]
            # Everything else, a bad name and fields given twice too, is the long way's to tell.
            if (
                template is not None
                and not _NAMES[target.resource](name)
                and (
                    protobuf or options.validation == "Ignore" or same_fields(data, key[4], more=1)
                )
            ):
                return template.made(name, format_time(self._managers.now()))
        decoded = decode(
            body,
            target.kind,
            # Fields that nobody knows are skipped in protobuf, whatever was asked.
            validation="Warn" if protobuf else options.validation,
            raw=data if json else None,
        )
        if not protobuf:
            request.warnings += decoded.warnings
        obj = with_owners_once(request, decoded.object)
        admitted = await self.admit(target, obj, options, caller)
        warn_of(request, target.kind, admitted)
        looked = protobuf or options.validation != "Ignore"
        if key is not None and looked and not decoded.warnings and not request.warnings:
            self._remember(key, admitted)
        return admitted

    async def admit(
        self, target: Target, obj: Object, options: WriteOptions, caller: Caller
    ) -> Object:
        """Return what a decoded new object becomes.

        Raises:
            StatusError: It is refused.
        """
        kind = target.kind
        attributes = Attributes(
            operation="CREATE",
            kind=kind,
            namespace=target.scope,
            dry_run=options.dry_run,
            caller=caller,
        )
        return await self._store.admission.admit_create(
            attributes,
            place(obj, target),
            lambda full: self._managers.created(kind, full, options.manager),
        )

    def _key(self, target: Target, manager: str, body: dict[str, Any]) -> _Key | None:
        """Return all that the outcome depends on besides the name; None: not from a template."""
        metadata = body.get("metadata")
        if target.resource not in _NAMES or type(metadata) is not dict:
            return None
        if type(metadata.get("name")) is not str or "managedFields" in metadata:
            return None
        alike = {key: value for key, value in metadata.items() if key != "name"}
        fingerprint = orjson.dumps({**body, "metadata": alike})
        if len(fingerprint) > FINGERPRINT_LIMIT or _NAMED_AFTER in fingerprint:
            return None
        state = self._store.admission.generation
        kind = target.kind
        return kind.resource, kind.api_version, target.scope, manager, fingerprint, state

    def _remember(self, key: _Key, admitted: Object) -> None:
        metadata = dict(admitted["metadata"])
        metadata.pop("name", None)  # a generated one is not there yet
        entries = metadata.pop("managedFields", [])
        time = entries[0]["time"] if entries else ""
        if len(self._templates) >= TEMPLATES:
            del self._templates[next(iter(self._templates))]
        self._templates[key] = _Template(admitted, metadata, {time: entries})
