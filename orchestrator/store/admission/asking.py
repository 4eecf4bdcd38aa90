"""Asking policies and webhooks about what the cluster's own actors write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object
from orchestrator.store.admission.chain import Admission, validated
from orchestrator.store.admission.hooks import AdmissionOperation, Attributes, Caller
from orchestrator.store.admission.patient import decided
from orchestrator.store.operations import Changed, Create, Delete, Modify, Operation, Raced

AT_ONCE: Final = 64
"""Objects of one batch about which hooks are asked at the same time."""

_VERBS: Final[dict[type, AdmissionOperation]] = {
    Create: "CREATE",
    Modify: "UPDATE",
    Delete: "DELETE",
}


class Asked(Protocol):
    """What is needed of the store."""

    admission: Admission

    @property
    def registry(self) -> KindRegistry:
        """The kinds that are served at the moment."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one committed object."""


def anything_asked(store: Asked, operations: Sequence[Operation]) -> bool:
    """Tell quickly whether any hook concerns any of the operations; hardly ever one does."""
    seen: set[tuple[type, str, str]] = set()
    for operation in operations:
        subresource = operation.subresource if type(operation) is Modify else ""
        alike = (type(operation), operation.resource, subresource)
        if alike in seen:
            continue
        seen.add(alike)
        kind = store.registry.by_key(operation.resource)
        if store.admission.asked(_VERBS[alike[0]], kind, subresource.removeprefix("*")):
            return True
    return False


async def ask_about(
    store: Asked, operations: Sequence[Operation], caller: Caller
) -> list[Operation | StatusError]:
    """Return what is to be proposed instead of each operation, or what it was refused with.

    A change is run on the committed object here, and proposed as that result for that object;
    it ends as `Raced` where the object has changed meanwhile.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(operation: Operation) -> Operation | StatusError:
        kind = store.registry.by_key(operation.resource)
        async with room:
            try:
                return await _ask(store, operation, kind, caller)
            except StatusError as error:
                return error

    return list(await asyncio.gather(*map(one, operations)))


async def _ask(store: Asked, operation: Operation, kind: Kind, caller: Caller) -> Operation:
    match operation:
        case Create():
            return await _ask_create(store.admission, operation, kind, caller)
        case Modify():
            return await _ask_modify(store, operation, kind, caller)
        case Delete():
            return await _ask_delete(store, operation, kind, caller)


async def _ask_create(
    admission: Admission, operation: Create, kind: Kind, caller: Caller
) -> Operation:
    hooks = admission.asked("CREATE", kind)
    if not hooks:
        return operation
    metadata = operation.object["metadata"]
    attributes = Attributes(
        operation="CREATE",
        kind=kind,
        namespace=metadata.get("namespace") or "",
        name=metadata.get("name") or "",
        object=operation.object,
        caller=caller,
    )
    obj = await admission.mutated(hooks, attributes)
    if obj is not operation.object:
        await decided(kind, lambda: admission.check_create(kind, obj))
    await validated(hooks, replace(attributes, object=obj))
    return Create(operation.resource, obj)


async def _ask_modify(store: Asked, operation: Modify, kind: Kind, caller: Caller) -> Operation:
    subresource = operation.subresource.removeprefix("*")
    hooks = store.admission.asked("UPDATE", kind, subresource)
    if not hooks:
        return operation
    seen = store.get(operation.resource, operation.namespace, operation.name)
    wanted = operation.change(seen) if seen is not None else None
    if isinstance(wanted, Changed):
        wanted = wanted.object
    if seen is None or wanted is None or wanted is seen:
        return operation  # the sequencer tells its caller what became of it
    attributes = _attributes("UPDATE", kind, operation, caller, subresource)
    attributes = replace(attributes, object=wanted, old=seen)
    final = await store.admission.mutated(hooks, attributes)
    await validated(hooks, replace(attributes, object=final))

    def swap(current: Object) -> Object:
        if current is not seen:
            raise Raced
        return final

    return operation._replace(change=swap)


async def _ask_delete(store: Asked, operation: Delete, kind: Kind, caller: Caller) -> Operation:
    hooks = store.admission.asked("DELETE", kind)
    old = store.get(operation.resource, operation.namespace, operation.name) if hooks else None
    if old is None:
        return operation
    await store.admission.ask(replace(_attributes("DELETE", kind, operation, caller), old=old))
    return operation._replace(seen=old)


def _attributes(
    operation: AdmissionOperation,
    kind: Kind,
    about: Modify | Delete,
    caller: Caller,
    subresource: str = "",
) -> Attributes:
    return Attributes(
        operation=operation,
        kind=kind,
        subresource=subresource,
        namespace=about.namespace,
        name=about.name,
        caller=caller,
    )
