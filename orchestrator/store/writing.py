"""The writing side of the store: admission in the caller's own task, then a proposal."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import partial

from actors import ActorRef, ActorStopped, AskTimeout, Clock, MailboxFull
from orchestrator.resources.errors import (
    STALE,
    FieldError,
    StatusError,
    conflict,
    invalid,
    service_unavailable,
    too_many_requests,
)
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object, with_meta
from orchestrator.resources.strategies import strategy_of
from orchestrator.store.admission import Admission, Attributes, Caller
from orchestrator.store.admission.asking import anything_asked, ask_about
from orchestrator.store.admission.patient import decided
from orchestrator.store.conversion import Conversion
from orchestrator.store.operations import (
    NO_OPTIONS,
    Change,
    Commit,
    Create,
    Delete,
    DeleteOptions,
    Modify,
    Operation,
    Raced,
)
from orchestrator.store.reading import Reads
from orchestrator.store.rules import check_identity
from orchestrator.store.window import WindowLimits

VERSIONED_UPDATES = frozenset(
    {
        "apiservices.apiregistration.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "poddisruptionbudgets.policy",
        "runtimeclasses.node.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)
"""Kinds whose replacement has to name the version it replaces, as upstream's strategies have it."""
_NO_VERSION = FieldError(
    "FieldValueInvalid",
    "metadata.resourceVersion",
    "Invalid value: 0: must be specified for an update",
)
_CLUSTER = Caller()
_PATIENCE = 10
"""How often a change is asked about again, where hooks take longer than other writers leave it
alone, before its caller gets the conflict."""
_RACES = 3
"""How often a user's change is admitted again after losing a race, before the sequencer itself
applies it."""


class Writes(Reads):
    """Writes are proposals to the sequencer and return when they are durable.

    Attributes:
        admission: What every object passes on its way in.
        conversion: Between the versions of a resource.
    """

    _ref: ActorRef[Commit]

    def __init__(self, registry: KindRegistry, clock: Clock, limits: WindowLimits | None) -> None:
        """Begin without a sequencer."""
        super().__init__(registry, clock, limits)
        self.admission = Admission(self)
        self.conversion = Conversion()

    async def create(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        namespace: str = "",
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Admit and create an object.

        Args:
            object: The object.
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            dry_run: Decide, but write nothing.
            kind: The version that the object is in; None for the one it is stored in.
            caller: Who writes; None for the cluster itself.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: 400, 403, 404 (no such namespace), 409 (the name is taken), 422, 429, 503.
        """
        attributes = Attributes(
            operation="CREATE",
            kind=kind or self._kind(resource),
            namespace=namespace,
            dry_run=dry_run,
            caller=caller or Caller(),
        )
        admitted = await self.admission.admit_create(attributes, object)
        return await self.create_admitted(
            admitted, resource=resource, dry_run=dry_run, by=_name_of(caller)
        )

    async def create_admitted(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        dry_run: bool = False,
        by: str = "",
    ) -> Object:
        """Create an object that `Admission.admit_create` returned; ``by`` says who does.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: 403, 404 (no such namespace), 409 (the name is taken), 429, 503.
        """
        stored = await self.conversion.one(object, self._kind(resource))
        return await self._one(Create(resource, stored), dry_run=dry_run, by=by)

    async def update(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        namespace: str = "",
        name: str,
        subresource: str = "",
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Replace an object, or the part of it that is behind a subresource; see `modify`.

        ``metadata.resourceVersion`` and ``metadata.uid`` are preconditions when they are set.

        Raises:
            StatusError: As `create`, and 409 for a stale version.
        """
        metadata = object.get("metadata") or {}
        version, uid = metadata.get("resourceVersion"), metadata.get("uid")
        key = Key(resource, namespace, name)

        def replace(current: Object) -> Object:
            check_identity(key, current, uid)
            if version and version != current["metadata"]["resourceVersion"]:
                raise _stale(key)
            return object

        kind = kind or self._kind(resource)
        versioned = resource in VERSIONED_UPDATES or kind.custom is not None
        if not version and versioned and self.get(*key) is not None:
            raise invalid(kind.kind, kind.group, name, [_NO_VERSION])
        try:
            return await self.modify(
                resource,
                namespace,
                name,
                replace,
                subresource=subresource,
                dry_run=dry_run,
                kind=kind,
                caller=caller,
            )
        except StatusError as error:
            if error.code != 404 or subresource or not strategy_of(kind).create_on_update:
                raise
        fresh = with_meta(object, name=name, resourceVersion=None, uid=None)
        return await self.create(
            fresh,
            resource=resource,
            namespace=namespace,
            dry_run=dry_run,
            kind=kind,
            caller=caller,
        )

    async def modify(
        self,
        resource: str,
        namespace: str,
        name: str,
        change: Change,
        *,
        subresource: str = "",
        dry_run: bool = False,
        admit: bool = True,
        kind: Kind | None = None,
        caller: Caller | None = None,
        shown: Callable[[Object], Object] | None = None,
    ) -> Object:
        """Change the latest state of an object.

        ``change`` may run several times: it is applied again when the object has changed since.

        Args:
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            name: Of the object.
            change: From the current object to the wanted one; None leaves it as it is.
            subresource: What is written: ``status``, ``scale``, ...; empty for the object.
            dry_run: Decide, but write nothing.
            admit: Default and validate the result, as for a user's request.
            kind: The version in which ``change`` sees the object; None for the one it is stored
                in.
            caller: Who writes; None for the cluster itself.
            shown: What policies and webhooks see of an object, where the subresource has a kind
                of its own.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: As `update`, and what ``change`` raises.
        """
        by = _name_of(caller)
        if not admit:
            operation = Modify(resource, namespace, name, change, subresource)
            return await self._one(operation, dry_run=dry_run, by=by)
        stored = self._kind(resource)
        kind = kind or stored
        if self.conversion.waits(kind) or self.admission.asked("UPDATE", kind, subresource):
            attributes = Attributes(
                operation="UPDATE",
                kind=kind,
                subresource=subresource,
                namespace=namespace,
                name=name,
                dry_run=dry_run,
                caller=caller or Caller(),
            )
            return await self._modify_asking(attributes, change, shown)
        converted = self.registry.is_converted(kind)
        writer = caller or _CLUSTER

        def admitted(current: Object) -> Object | None:
            seen = Conversion.now(current, kind) if converted else current
            wanted = change(seen)
            if wanted is None or wanted is seen:
                return None
            wanted = self.admission.admit_update(kind, seen, wanted, subresource, writer)
            return Conversion.now(wanted, stored) if converted else wanted

        for _ in range(_RACES):
            found = self.get(resource, namespace, name)
            if found is None:
                break  # it may be pending: the sequencer knows
            wanted = await decided(kind, partial(admitted, found))
            try:
                return await self._swap(
                    resource, found, wanted, subresource, dry_run=dry_run, by=by
                )
            except Raced:
                continue
        operation = Modify(resource, namespace, name, admitted, subresource or "*")
        return await self._one(operation, dry_run=dry_run, by=by)

    async def _modify_asking(
        self, attributes: Attributes, change: Change, shown: Callable[[Object], Object] | None
    ) -> Object:
        """Change an object that hooks have a say in, for whom the sequencer can't wait."""
        kind = attributes.kind
        at = Key(kind.resource, attributes.namespace, attributes.name)
        stored = self._kind(kind.resource)
        for _ in range(_PATIENCE):
            found = self.get(*at)
            if found is None:  # it may be pending: the sequencer knows
                found = await self._one(Modify(*at, _unchanged), dry_run=False)
            seen = await self.conversion.one(found, kind)
            wanted = change(seen)
            if wanted is None or wanted is seen:
                return found
            admitted = await self.admission.admit_change(attributes, seen, wanted, shown)
            final = await self.conversion.one(admitted, stored)
            try:
                return await self._swap(
                    kind.resource,
                    found,
                    final,
                    attributes.subresource,
                    dry_run=attributes.dry_run,
                    by=attributes.caller.user.name,
                )
            except Raced:
                continue
        raise _stale(at)

    async def _swap(
        self,
        resource: str,
        seen: Object,
        wanted: Object | None,
        subresource: str,
        *,
        dry_run: bool,
        by: str,
    ) -> Object:
        """Write ``wanted`` unless the object is no longer the one that was seen.

        Raises:
            Raced: It is not.
            StatusError: The write was refused.
        """

        def swap(current: Object) -> Object | None:
            if current is not seen:
                raise Raced
            return wanted

        metadata = seen["metadata"]
        operation = Modify(
            resource, metadata.get("namespace") or "", metadata["name"], swap, subresource or "*"
        )
        return await self._one(operation, dry_run=dry_run, by=by)

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        options: DeleteOptions | None = None,
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Delete an object, or mark it for deletion; returns its last (or marked) state.

        Args:
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            name: Of the object.
            options: How.
            dry_run: Decide, but write nothing.
            kind: The version that policies and webhooks see; None for the one it is stored in.
            caller: Who deletes; None for the cluster itself.

        Raises:
            StatusError: 403, 404, 409, 422, 429, 503, or whatever a hook refuses with.
        """
        kind = kind or self._kind(resource)
        operation = Delete(resource, namespace, name, options or NO_OPTIONS)
        by = _name_of(caller)
        if not self.admission.asked("DELETE", kind):
            return await self._one(operation, dry_run=dry_run, by=by)
        at = Key(resource, namespace, name)
        for _ in range(_PATIENCE):
            found = self.get(*at)
            if found is None:  # it may be pending: the sequencer knows
                found = await self._one(Modify(*at, _unchanged), dry_run=False)
            attributes = Attributes(
                operation="DELETE",
                kind=kind,
                namespace=namespace,
                name=name,
                old=await self.conversion.one(found, kind),
                dry_run=dry_run,
                caller=caller or Caller(),
            )
            await self.admission.ask(attributes)
            try:
                return await self._one(operation._replace(seen=found), dry_run=dry_run, by=by)
            except Raced:
                continue
        raise _stale(at)

    async def write(
        self,
        operations: Sequence[Operation],
        *,
        timeout: float = 30.0,
        caller: Caller | None = None,
        by: str = "",
    ) -> builtins.list[Object | StatusError]:
        """Propose many changes at once; for actors of the cluster, whose objects are trusted.

        New objects are defaulted but not validated, unless policies or webhooks have a say. Results
        come in order, refusals as values.

        Args:
            operations: In order; a later one sees what an earlier one did.
            timeout: Seconds to wait for the sequencer.
            caller: Who writes, for policies and webhooks; None for the controllers.
            by: Who writes, for the history: a component's name.

        Raises:
            StatusError: 429 when the sequencer has no room, 503 when the commit failed.
        """
        if not operations:
            return []
        prepare = self.admission.prepare
        early: dict[int, StatusError] = {}
        proposals: list[Operation] = []
        for at, operation in enumerate(operations):
            if type(operation) is Create:
                try:
                    prepared = prepare(operation.resource, operation.object)
                except StatusError as error:
                    early[at] = error
                    continue
                proposals.append(Create(operation.resource, prepared))
            else:
                proposals.append(operation)
        if self.admission.hooks and anything_asked(self, proposals):
            with self.clock.held():  # webhooks answer in real time, policies may take a thread
                results = await self._write_asking(proposals, timeout, caller or Caller(), by)
        else:
            results = await self._ask(Commit(operations=tuple(proposals), by=by), timeout)
        for at, refusal in early.items():
            results.insert(at, refusal)
        return results

    async def ended(self) -> None:
        """Wait until it writes no more: its cluster stops, or its control plane starts anew."""
        await self._ref.stopped()

    async def settle(self, *, timeout: float = 30.0) -> None:
        """Wait until all that was proposed before has been committed or refused, and is seen.

        For whoever was not told in time what became of a write: afterwards the objects tell.

        Raises:
            StatusError: 429 when the sequencer has no room, 503 when it does not answer in time.
        """
        await self._ask(Commit(operations=()), timeout)

    async def _write_asking(
        self, operations: Sequence[Operation], timeout: float, caller: Caller, by: str
    ) -> builtins.list[Object | StatusError]:
        """Write what hooks have agreed to; what raced with another write is asked about again."""
        results: dict[int, Object | StatusError] = {}
        left = dict(enumerate(operations))
        for _ in range(_PATIENCE):
            asked = await ask_about(self, tuple(left.values()), caller)
            agreed: dict[int, Operation] = {}
            for at, answer in zip(left, asked, strict=True):
                if isinstance(answer, StatusError):
                    results[at] = answer
                else:
                    agreed[at] = answer
            if not agreed:
                break
            commit = Commit(operations=tuple(agreed.values()), by=by)
            written = await self._ask(commit, timeout)
            raced = {}
            for at, result in zip(agreed, written, strict=True):
                if isinstance(result, Raced):
                    raced[at] = operations[at]
                    key = _key_of(operations[at])
                    results[at] = _stale(key)
                else:
                    results[at] = result
            left = raced
            if not left:
                break
        return [results[at] for at in range(len(operations))]

    async def _one(self, operation: Operation, *, dry_run: bool, by: str = "") -> Object:
        commit = Commit(operations=(operation,), dry_run=dry_run, by=by)
        results = await self._ask(commit, 30.0)
        result = results[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def _ask(self, commit: Commit, timeout: float) -> builtins.list[Object | StatusError]:
        try:
            results: list[Object | StatusError] = await self._ref.ask(commit, timeout=timeout)
        except MailboxFull:
            raise too_many_requests(
                "the store has too many writes waiting, please try again later"
            ) from None
        except AskTimeout:
            raise service_unavailable(
                f"the store did not answer within {timeout:g} s; the write may still happen"
            ) from None
        except ActorStopped:
            raise service_unavailable(
                "the store has stopped; the write may have happened just before"
            ) from None
        return results


def _name_of(caller: Caller | None) -> str:
    return "" if caller is None else caller.user.name


def _unchanged(_current: Object) -> None:
    """Leave an object as it is."""


def _key_of(operation: Operation) -> Key:
    assert not isinstance(operation, Create), "a creation does not race"
    return Key(operation.resource, operation.namespace, operation.name)


def _stale(key: Key) -> StatusError:
    return conflict(key.resource, key.name, STALE)
