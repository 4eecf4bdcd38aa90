"""What everyone may read: the committed state, its past as far as it is kept, and what comes."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Collection, Iterable

from actors import Clock
from orchestrator.resources.errors import not_served, resource_version_too_large
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.selectors import FieldSelector, LabelSelector
from orchestrator.resources.strategies import strategy_of
from orchestrator.store.following import Follower, Followers
from orchestrator.store.listing import ListPage, read_page
from orchestrator.store.projection import Projection
from orchestrator.store.watching import Watch
from orchestrator.store.window import Window, WindowLimits


class Reads:
    """The reading side of the store; nothing here changes an object.

    Reads are synchronous and see committed state only; what they return is frozen.

    Attributes:
        registry: The kinds that are served.
        clock: The system's.
    """

    def __init__(self, registry: KindRegistry, clock: Clock, limits: WindowLimits | None) -> None:
        """Begin empty."""
        self.registry = registry
        self.clock = clock
        self._projection = Projection()
        self._window = Window(0, limits)
        self._followers = Followers(self._window, 0)

    @property
    def sequence(self) -> int:
        """The last committed sequence."""
        return self._projection.sequence

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""
        return self._projection.objects.get((resource, namespace, name))

    def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
    ) -> builtins.list[Object]:
        """Return objects by (namespace, name); ``namespace`` None or empty means all."""
        table = self._projection.table(resource, namespace or None)
        if table is None:
            return []
        matches = self.matcher(resource, labels, fields)
        objects = table.values()
        return objects if matches is None else [obj for obj in objects if matches(obj)]

    def each(self, resource: str) -> Collection[Object]:
        """Return the objects of a resource in no order, to be looked at before the next write.

        What `list` does beside costs more than a quick look at each of 100,000 objects.
        """
        table = self._projection.table(resource)
        return table.objects.values() if table is not None else ()

    def by_owner(self, uid: str, resource: str | None = None) -> builtins.list[Object]:
        """Return the objects with an owner reference to ``uid``."""
        objects = self._projection.objects
        return [
            objects[key]
            for key in self._projection.owned_by(uid)
            if resource is None or key[0] == resource
        ]

    def keys_by_owner(self, uid: str) -> builtins.list[Key]:
        """Return the keys of the objects with an owner reference to ``uid``."""
        return list(self._projection.owned_by(uid))

    def by_node(self, node: str) -> builtins.list[Object]:
        """Return the pods that are bound to a node."""
        objects = self._projection.objects
        return [objects[key] for key in self._projection.on_node(node)]

    def list_page(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
        match: str = "",
    ) -> ListPage:
        """Return a page of a list, at a version.

        Args:
            resource: Which objects.
            namespace: Only there; None or empty for all.
            labels: Only these.
            fields: Only these.
            limit: Objects of one page; 0 for all.
            continue_: From the page before; the version is in it.
            resource_version: Empty for the latest.
            match: ``Exact``, ``NotOlderThan`` or empty, as upstream's ``resourceVersionMatch``.

        Raises:
            StatusError: 400; 410 when the version is no longer held; 504 when it is in the
                future (`wait_sequence` waits for it first).
        """
        return read_page(
            self._projection,
            self._window,
            resource,
            namespace or None,
            self.matcher(resource, labels, fields),
            limit=limit,
            continue_=continue_,
            resource_version=resource_version,
            match=match,
        )

    async def wait_sequence(self, sequence: int, *, timeout: float = 3.0) -> None:
        """Wait until everything to ``sequence`` is committed; upstream's patience is 3 seconds.

        Raises:
            StatusError: 504 ResourceVersionTooLarge when it has not come.
        """
        if sequence <= self.sequence:
            return
        woken = asyncio.Event()
        timer = self.clock.call_later(timeout, woken.set)
        wake = woken.set
        self._followers.await_any(wake)
        deadline = self.clock.monotonic() + timeout
        try:
            while self.sequence < sequence:
                if self.clock.monotonic() >= deadline:
                    raise resource_version_too_large(sequence, self.sequence)
                await woken.wait()
                woken.clear()
        finally:
            timer.cancel()
            self._followers.stop_waiting(wake)

    def matcher(
        self, resource: str, labels: LabelSelector | None, fields: FieldSelector | None
    ) -> Callable[[Object], bool] | None:
        """Return both selectors as one function; None when they select everything."""
        by_labels = labels is not None and not labels.empty
        by_fields = fields is not None and not fields.empty
        if not by_labels and not by_fields:
            return None
        values = strategy_of(self.registry.by_key(resource)).selectable_fields

        def matches(obj: Object) -> bool:
            if by_labels and labels and not labels.matches(obj["metadata"].get("labels")):
                return False
            return not (by_fields and fields) or fields.matches(values(obj))

        return matches

    def follow(
        self,
        resources: Iterable[str],
        notify: Callable[[], None],
        *,
        after: int | None = None,
        relists: bool = False,
    ) -> Follower:
        """Follow the committed changes of some resources.

        Args:
            resources: Which.
            notify: Called, without waiting, when there is something to take; not called again
                before `Follower.take`. Must not raise.
            after: Begin behind this sequence; None begins now.
            relists: Get `Expired` when earlier states are put back, as clients have to, and not
                the changes that come of it.

        Raises:
            Expired: ``after`` lies before what is kept.
        """
        begin = self.sequence if after is None else after
        return self._followers.add(resources, notify, begin, relists=relists)

    def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        after: int | None = None,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
        bookmarks: bool = False,
        timeout: float | None = None,
        send_initial_events: bool | None = None,
    ) -> Watch:
        """Watch the objects of a resource.

        Args:
            resource: Which objects.
            namespace: Only there; None or empty for all.
            after: Begin behind this version. None or 0: the present objects come first, as ADDED.
            labels: Only these; an object that comes to match is ADDED, one that no longer does
                is DELETED.
            fields: Likewise.
            bookmarks: Send a BOOKMARK about once a minute.
            timeout: Seconds after which the watch ends; None for no end.
            send_initial_events: True sends the present objects whatever ``after`` is, then a
                bookmark that says so (upstream's watch-list); False sends none.

        Returns:
            An iterator of `WatchEvent`; a version that is no longer held gives one ERROR event
            with a 410 Status.
        """
        begin = after or 0
        initial: list[Object] = []
        if send_initial_events or (send_initial_events is None and not begin):
            initial = self.list(resource, namespace, labels=labels, fields=fields)
            begin = max(begin, self.sequence)
        elif not begin:
            begin = self.sequence
        return Watch(
            self.clock,
            self._kind(resource),
            lambda notify: self.follow([resource], notify, after=begin, relists=True),
            initial=initial,
            initial_end=bool(send_initial_events),
            namespace=namespace or None,
            matches=self.matcher(resource, labels, fields),
            after=begin,
            bookmarks=bookmarks,
            timeout=timeout,
        )

    def _kind(self, resource: str) -> Kind:
        try:
            return self.registry.by_key(resource)
        except KeyError:
            raise not_served() from None
