"""The containers a runtime knows, found by id, by pod and by node."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.node.runtime import ContainerRecord


class RecordIndex:
    """Records by container id, with the pods of each node beside them."""

    __slots__ = ("_by_id", "_by_pod", "_pods")

    def __init__(self) -> None:
        self._by_id: dict[str, ContainerRecord] = {}
        self._by_pod: dict[str, tuple[ContainerRecord, ...]] = {}
        self._pods: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[ContainerRecord]:
        return iter(self._by_id.values())

    def get(self, container: str) -> ContainerRecord | None:
        """Return the record of an id, or None."""
        return self._by_id.get(container)

    def put(self, record: ContainerRecord) -> None:
        """Add a record, or replace the one with its id."""
        container, of = record.started.id, record.started.of
        self._by_id[container] = record
        siblings = self._by_pod.get(of.uid)
        if siblings is None:
            self._by_pod[of.uid] = (record,)
            pods = self._pods.get(of.node)
            if pods is None:
                pods = self._pods[of.node] = set()
            pods.add(of.uid)
        else:
            others = (item for item in siblings if item.started.id != container)
            self._by_pod[of.uid] = (*others, record)

    def remove(self, container: str) -> ContainerRecord | None:
        """Take a record out and return it."""
        record = self._by_id.pop(container, None)
        if record is not None:
            of = record.started.of
            left = tuple(item for item in self._by_pod[of.uid] if item.started.id != container)
            if left:
                self._by_pod[of.uid] = left
            else:
                del self._by_pod[of.uid]
                self._pods[of.node].discard(of.uid)
        return record

    def of_pod(self, uid: str) -> tuple[ContainerRecord, ...]:
        """Return a pod's records, the one that changed last at the end."""
        return self._by_pod.get(uid, ())

    def pods(self, node: str) -> set[str]:
        """Return the uids of a node's pods."""
        return set(self._pods.get(node, ()))
