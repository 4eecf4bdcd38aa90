"""The present: every committed object by key, and the indexes that readers ask for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from orchestrator.resources.objects import Key, Object
from orchestrator.store.events import ObjectEvent

SortKey = tuple[str, str]


class Table:
    """The objects of one resource, and their order.

    The order is kept lazily: new keys gather at the end and are sorted when somebody lists.
    Sorting a sorted run with a short tail is linear and happens in C; 100,000 pods cost some
    milliseconds once, not a move of the whole index at every insert.

    Attributes:
        objects: By key; `Projection` changes them.
        namespaces: The parts, by namespace; empty in a part.
        order: The keys as far as they are known, to be asked for by `ordered`.
        fresh: Whether new keys stand at the end of the order, at which no other may be missing.
        stale: Whether there are keys in the order that have gone, and others perhaps missing.
    """

    __slots__ = ("fresh", "namespaces", "objects", "order", "stale")

    def __init__(self) -> None:
        self.objects: dict[SortKey, Object] = {}
        self.namespaces: dict[str, Table] = {}
        self.order: list[SortKey] = []
        self.fresh = False
        self.stale = False

    def drop(self, key: SortKey) -> None:
        """Remove one object, if it is there."""
        if self.objects.pop(key, None) is not None:
            self.stale = True

    def ordered(self) -> list[SortKey]:
        """Return the keys by (namespace, name); the caller must not change the list."""
        if self.stale:
            self.order = sorted(self.objects)
        elif self.fresh:
            self.order.sort()
        self.fresh = self.stale = False
        return self.order

    def values(self) -> list[Object]:
        """Return the objects by (namespace, name)."""
        objects = self.objects
        return [objects[key] for key in self.ordered()]

    def after(self, start: SortKey | None) -> Iterator[Object]:
        """Yield objects in order, from the one behind ``start``."""
        order = self.ordered()
        begin = 0 if start is None else bisect_right(order, start)
        objects = self.objects
        return (objects[order[at]] for at in range(begin, len(order)))


class Projection:
    """The fold of the log up to `sequence`. Changed only by `apply`, read by everyone."""

    def __init__(self) -> None:
        self.sequence = 0
        self.objects: dict[tuple[str, str, str], Object] = {}  # the keys are `Key`
        self._tables: dict[str, Table] = {}
        self._owned: dict[str, dict[Key, None]] = {}
        self._on_node: dict[str, dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def table(self, resource: str, namespace: str | None = None) -> Table | None:
        """Return the table of a resource, or its part in one namespace; None while empty."""
        table = self._tables.get(resource)
        if table is None or namespace is None:
            return table
        return table.namespaces.get(namespace)

    def resources(self) -> list[str]:
        """Return the resources that have or had objects."""
        return list(self._tables)

    def owned_by(self, uid: str) -> list[Key]:
        """Return the keys of the objects with an owner reference to ``uid``."""
        return list(self._owned.get(uid, ()))

    def on_node(self, node: str) -> list[Key]:
        """Return the keys of the pods bound to ``node``."""
        return list(self._on_node.get(node, ()))

    def apply(self, event: ObjectEvent) -> None:
        """Take one committed event in; events come in log order."""
        self.set(event.sequence, event.key, event.object if event.type != "DELETED" else None)

    def apply_all(self, events: Sequence[ObjectEvent]) -> None:
        """Take a committed batch in, in log order."""
        objects, tables = self.objects, self._tables
        for event in events:
            key, obj = event.key, event.object
            if event.type != "MODIFIED":
                if event.type == "DELETED":
                    self._remove(key)
                    self._index(key, event.previous, None)
                else:
                    objects[key] = obj
                    self._insert(key, obj)
                    # As `_index` does it, for an object that no index has.
                    for reference in obj["metadata"].get("ownerReferences") or ():
                        self._owned.setdefault(reference.get("uid", ""), {})[key] = None
                    if key[0] == "pods" and (node := obj["spec"].get("nodeName")):
                        self._on_node.setdefault(node, {})[key] = None
                continue
            # As `set` does it; nearly all events of a burst change an object that is there.
            before = event.previous
            assert before is not None
            objects[key] = obj
            resource, namespace, name = key
            table = tables[resource]
            short = (namespace, name)
            table.objects[short] = obj
            if namespace:
                table.namespaces[namespace].objects[short] = obj
            if before.get("spec") is not obj.get("spec") or before["metadata"].get(
                "ownerReferences"
            ) is not obj["metadata"].get("ownerReferences"):
                self._index(key, before, obj)
        self.sequence = events[-1].sequence

    def set(self, sequence: int, key: Key, obj: Object | None) -> None:
        """Set the state of one key as of ``sequence``; None removes it."""
        before = self.objects.get(key)
        if obj is None:
            self._remove(key)
            self._index(key, before, None)
        else:
            self.objects[key] = obj
            if before is None:
                self._insert(key, obj)
                self._index(key, None, obj)
            else:
                resource, namespace, name = key
                table = self._tables[resource]
                short = (namespace, name)
                table.objects[short] = obj
                if namespace:
                    table.namespaces[namespace].objects[short] = obj
                # Most writes change the status alone, which no index looks at.
                if before["metadata"].get("ownerReferences") is not obj["metadata"].get(
                    "ownerReferences"
                ) or before.get("spec") is not obj.get("spec"):
                    self._index(key, before, obj)
        self.sequence = sequence

    def _insert(self, key: Key, obj: Object) -> None:
        resource, namespace, name = key
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = Table()
        short = (namespace, name)
        table.objects[short] = obj
        if not table.stale:
            table.order.append(short)
            table.fresh = True
        if namespace:
            part = table.namespaces.get(namespace)
            if part is None:
                part = table.namespaces[namespace] = Table()
            part.objects[short] = obj
            if not part.stale:
                part.order.append(short)
                part.fresh = True

    def _remove(self, key: Key) -> None:
        if self.objects.pop(key, None) is None:
            return
        table = self._tables[key[0]]
        table.drop(key[1:])
        part = table.namespaces.get(key[1])
        if part is not None:
            part.drop(key[1:])
            if not part.objects:
                del table.namespaces[key[1]]

    def _index(self, key: Key, before: Object | None, after: Object | None) -> None:
        """Bring the indexes up to date; of an object and another one that shares parts with it."""
        owners = after["metadata"].get("ownerReferences") if after else None
        owners_before = before["metadata"].get("ownerReferences") if before else None
        if owners is not owners_before:
            for reference in owners_before or ():
                _discard(self._owned, reference.get("uid", ""), key)
            for reference in owners or ():
                self._owned.setdefault(reference.get("uid", ""), {})[key] = None
        if key[0] == "pods":
            node = after["spec"].get("nodeName") if after else None
            node_before = before["spec"].get("nodeName") if before else None
            if node != node_before:
                if node_before:
                    _discard(self._on_node, node_before, key)
                if node:
                    self._on_node.setdefault(node, {})[key] = None


def _discard(index: dict[str, dict[Key, None]], at: str, key: Key) -> None:
    keys = index.get(at)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del index[at]
