"""The chain: default, mutate, prepare, validate; in the request's own task, on a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeAlias

import orjson

from orchestrator.resources.errors import bad_request, invalid
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.strategies import Strategy, strategy_of
from orchestrator.store.admission.examining import Check, Examined
from orchestrator.store.admission.hooks import AdmissionOperation, Attributes, Caller, Hook
from orchestrator.store.admission.patient import decided
from orchestrator.store.admission.plugins import CHECKS, PLUGINS, Mutation


class Reader(Protocol):
    """What plugins may look at: the committed state."""

    @property
    def registry(self) -> KindRegistry:
        """The kinds that are served at the moment."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one object."""

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Return all objects of a resource, or those of a namespace."""


class _Template(NamedTuple):
    """What admission made of one pod template's spec, for every pod made from it."""

    source: dict[str, Any]
    spec: dict[str, Any]
    status: dict[str, Any] | None
    metadata: dict[str, Any]
    annotations: dict[str, str]


_CLUSTER = Caller()
_TEMPLATES = 512
_LEVELS_KEPT = 24
"""Levels of nesting that lists, watch events and tables may put around an object."""
Strategies: TypeAlias = Callable[[Kind], Strategy]


class Admission:
    """Runs the chain. Remembers what it made of pod templates, by identity of their spec.

    What it remembers is void as soon as anything changes that a plugin looks up.

    Attributes:
        hooks: Policies and webhooks, in the order in which they are asked; set by whoever
            composes the cluster.
    """

    def __init__(
        self,
        reader: Reader,
        plugins: Iterable[Mutation] = PLUGINS,
        checks: Iterable[Check] = CHECKS,
    ) -> None:
        self.hooks: tuple[Hook, ...] = ()
        self._reader = reader
        self._plugins: dict[str, list[Callable[[Object, Reader], Object]]] = {}
        self._read: set[str] = set()
        self._generation = 0
        for plugin in plugins:
            for resource in plugin.resources:
                self._plugins.setdefault(resource, []).append(plugin.apply)
            self._read.update(plugin.reads)
        self._checks: dict[str, list[Callable[[Examined], None]]] = {}
        for check in checks:
            for resource in check.resources:
                self._checks.setdefault(resource, []).append(check.apply)
            self._read.update(check.reads)
        self._templates: dict[tuple[int, str], _Template] = {}

    def mutate(self, resource: str, obj: Object) -> Object:
        """Run the mutating plugins of a resource on a new object."""
        for apply in self._plugins.get(resource, ()):
            obj = apply(obj, self._reader)
        return obj

    def examine(
        self,
        kind: Kind,
        obj: Object,
        old: Object | None = None,
        subresource: str = "",
        caller: Caller = _CLUSTER,
    ) -> None:
        """Let the plugins that only look see what is going to be written.

        Raises:
            StatusError: What one refuses with.
        """
        checks = self._checks.get(kind.resource)
        if checks is not None:
            examined = Examined(kind, obj, old, subresource, caller, self._reader)
            for check in checks:
                check(examined)

    @property
    def generation(self) -> int:
        """A number that grows when what plugins look up has changed; what was made is void then."""
        return self._generation

    def note(self, changed: Iterable[str]) -> None:
        """Take note of the resources of a commit."""
        if not self._read.isdisjoint(changed):
            self._generation += 1
            self._templates.clear()

    def asked(self, operation: AdmissionOperation, kind: Kind, subresource: str = "") -> list[Hook]:
        """Return the hooks that such a request concerns."""
        if not self.hooks:
            return []
        return [hook for hook in self.hooks if hook.concerns(operation, kind, subresource)]

    async def admit_create(
        self,
        attributes: Attributes,
        obj: Object,
        track: Callable[[Object], Object] | None = None,
    ) -> Object:
        """Return what a user's new object becomes.

        Args:
            attributes: The request; without its object.
            obj: The object.
            track: Notes who set which field; sees the object with its defaults, before the
                plugins and hooks, whose fields are nobody's.

        Raises:
            StatusError: 400, 403 or 422, or whatever a hook refuses with.
        """
        kind = attributes.kind
        size = check_writable(obj)
        obj = _placed(kind, attributes.namespace, obj)
        strategy = strategy_of(kind)
        obj = strategy.prepare_create(strategy.default(obj))
        if strategy.requested_by is not None:
            obj = strategy.requested_by(obj, attributes.caller.user)
        if track is not None:
            obj = track(obj)
        obj = self.mutate(kind.resource, obj)
        hooks = self.asked("CREATE", kind) if self.hooks else None
        if hooks:
            attributes = replace(attributes, name=obj["metadata"].get("name") or "", object=obj)
            obj = await self.mutated(hooks, attributes)
        final = obj
        await decided(kind, lambda: self.check_create(kind, final), size)
        self.examine(kind, final, caller=attributes.caller)
        if hooks:
            await validated(hooks, replace(attributes, object=obj))
        return obj

    @staticmethod
    def check_create(kind: Kind, obj: Object) -> None:
        """Hold a new object, which has its defaults, to the rules of its kind.

        Raises:
            StatusError: 422 with every cause.
        """
        problems = strategy_of(kind).validate_create(obj)
        if problems:
            name = obj["metadata"].get("name") or obj["metadata"].get("generateName") or ""
            raise invalid(kind.kind, kind.group, name, problems)

    async def admit_change(
        self,
        attributes: Attributes,
        current: Object,
        wanted: Object,
        shown: Callable[[Object], Object] | None = None,
    ) -> Object:
        """Return what a changed object becomes, with the hooks that it concerns.

        Args:
            attributes: The request; without its objects.
            current: The object before.
            wanted: The object as the request has it.
            shown: What hooks see of an object, where the subresource has a kind of its own; they
                can refuse it, but not change it.

        Raises:
            StatusError: As `admit_update`, or whatever a hook refuses with.
        """
        kind, subresource = attributes.kind, attributes.subresource
        hooks = self.asked("UPDATE", kind, subresource)
        if hooks and shown is not None:
            wanted = await self._admit_update(attributes, current, wanted)
            await self.ask(replace(attributes, object=shown(wanted), old=shown(current)))
            return wanted
        if hooks:
            check_writable(wanted)
            wanted = strategy_of(kind).prepared(wanted, current, subresource)
            attributes = replace(attributes, object=wanted, old=current)
            wanted = await self.mutated(hooks, attributes)
        wanted = await self._admit_update(attributes, current, wanted)
        if hooks:
            await validated(hooks, replace(attributes, object=wanted))
        return wanted

    async def ask(self, attributes: Attributes) -> Object | None:
        """Ask the hooks about a request whose object is not stored: DELETE, CONNECT, an Eviction.

        Returns:
            The request's object as the hooks made it.

        Raises:
            StatusError: What a hook refuses with.
        """
        hooks = self.asked(attributes.operation, attributes.kind, attributes.subresource)
        for hook in hooks:
            changed = await hook.mutate(attributes)
            if changed is not attributes.object and attributes.object is not None:
                attributes = replace(attributes, object=changed)
        await validated(hooks, attributes)
        return attributes.object

    @staticmethod
    async def mutated(hooks: list[Hook], attributes: Attributes) -> Object:
        """Return what hooks make of the object of a request, with its defaults.

        Raises:
            StatusError: What a hook refuses with.
        """
        default = strategy_of(attributes.kind).default
        for hook in hooks:
            assert attributes.object is not None
            changed = await hook.mutate(attributes)
            if changed is not None and changed is not attributes.object:
                check_writable(changed)
                attributes = replace(attributes, object=default(changed))
        assert attributes.object is not None
        return attributes.object

    async def _admit_update(
        self, attributes: Attributes, current: Object, wanted: Object
    ) -> Object:
        kind, subresource, caller = attributes.kind, attributes.subresource, attributes.caller
        return await decided(
            kind, lambda: self.admit_update(kind, current, wanted, subresource, caller)
        )

    def admit_update(
        self,
        kind: Kind,
        current: Object,
        wanted: Object,
        subresource: str,
        caller: Caller = _CLUSTER,
    ) -> Object:
        """Return what a user's changed object becomes.

        Raises:
            StatusError: 422; 400 when it cannot be written as JSON.
        """
        check_writable(wanted)
        strategy = strategy_of(kind)
        wanted = strategy.prepared(wanted, current, subresource)
        problems = strategy.problems(wanted, current, subresource)
        if problems:
            raise invalid(kind.kind, kind.group, current["metadata"]["name"], problems)
        if kind.resource in self._checks:
            self.examine(kind, wanted, current, subresource, caller)
        return wanted

    def prepare(self, resource: str, obj: Object) -> Object:
        """Return what an internal actor's new object becomes: defaulted, not validated.

        A pod whose spec is the same object as that of an earlier one in its namespace shares the
        result of the whole chain with it.
        """
        if resource != "pods":
            return self._prepare(resource, obj)
        spec = obj["spec"]
        metadata = obj["metadata"]
        at = (id(spec), metadata.get("namespace", ""))
        template = self._templates.get(at)
        if template is None:
            prepared = self._prepare(resource, obj)
            if prepared["spec"].get("affinity") is not spec.get("affinity"):
                return prepared  # made of the pod's own labels
            added = {
                field: value
                for field, value in prepared["metadata"].items()
                if field not in metadata and field != "annotations"
            }
            noted = metadata.get("annotations") or {}
            annotations = {
                name: value
                for name, value in (prepared["metadata"].get("annotations") or {}).items()
                if name not in noted
            }
            if len(self._templates) >= _TEMPLATES:
                del self._templates[next(iter(self._templates))]
            # Holding the source keeps its id from being given away.
            self._templates[at] = _Template(
                spec, prepared["spec"], prepared.get("status"), added, annotations
            )
            return prepared
        merged = {**metadata, **template.metadata}
        if template.annotations:
            merged["annotations"] = {**(metadata.get("annotations") or {}), **template.annotations}
        pod = {**obj, "metadata": merged, "spec": template.spec}
        if template.status is not None:
            pod["status"] = template.status
        else:
            pod.pop("status", None)
        return pod

    def _prepare(self, resource: str, obj: Object) -> Object:
        kind = self._reader.registry.by_key(resource)
        strategy = strategy_of(kind)
        prepared = strategy.prepare_create(self.mutate(resource, strategy.default(obj)))
        if resource in self._checks:
            self.examine(kind, prepared)
        return prepared


async def validated(hooks: list[Hook], attributes: Attributes) -> None:
    """Let hooks look at what is going to be written.

    Raises:
        StatusError: What a hook refuses with.
    """
    for hook in hooks:
        await hook.validate(attributes)


def check_writable(obj: Object) -> int:
    """Refuse an object that could be stored but never be written out as JSON again.

    Of any other the number of its bytes is returned.

    One such object would fail every list it is in. What fails is a nesting of 255 levels, of
    which answers need some for themselves, or a number of more than 64 bits.

    Raises:
        StatusError: 400.
    """
    wrapped: Any = obj
    for _ in range(_LEVELS_KEPT):
        wrapped = [wrapped]
    try:
        return len(orjson.dumps(wrapped))
    except TypeError as error:
        raise bad_request(f"the object cannot be written as JSON: {error}") from error


def _placed(kind: Kind, namespace: str, obj: Object) -> Object:
    """Put an object into the namespace of its request.

    Raises:
        StatusError: 400 when it says it belongs elsewhere.
    """
    metadata = obj.get("metadata") or {}
    given = metadata.get("namespace") or ""
    if not kind.namespaced:
        return obj if "metadata" in obj else {**obj, "metadata": metadata}
    if given and given != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if given:
        return obj
    return {**obj, "metadata": {**metadata, "namespace": namespace}}


def key_of(resource: str, obj: Object) -> Key:
    """Return the key that an object will have."""
    metadata = obj["metadata"]
    return Key(resource, metadata.get("namespace") or "", metadata.get("name") or "")
