"""The index of containers that a runtime knows."""

from __future__ import annotations

from orchestrator.node._index import RecordIndex
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerStarted,
)


def record(container: str, uid: str = "u", node: str = "n", attempt: int = 0) -> ContainerRecord:
    """Make the record of a container that runs."""
    of = ContainerOf(node, uid, "c", attempt)
    return ContainerRecord(ContainerStarted(container, of, 1.0), None, "10.0.0.1")


def test_containers_are_found_by_id_by_pod_and_by_node() -> None:
    """A pod has several, a node has several pods."""
    index = RecordIndex()
    records = [record("a"), record("b", attempt=1), record("c", uid="v"), record("d", "w", "m")]
    for item in records:
        index.put(item)
    assert index.get("b") is records[1]
    assert index.of_pod("u") == (records[0], records[1])
    assert (index.pods("n"), index.pods("m"), index.pods("x")) == ({"u", "v"}, {"w"}, set())
    assert len(index) == 4


def test_a_record_replaces_the_one_with_its_id() -> None:
    """As when the container has ended."""
    index = RecordIndex()
    first, second = record("a"), record("b", attempt=1)
    index.put(first)
    index.put(second)
    exited = ContainerExited("a", first.started.of, 1, 0, 1.0, 2.0)
    ended = first._replace(exited=exited)
    index.put(ended)
    assert set(index.of_pod("u")) == {second, ended}
    assert index.get("a") is ended
    assert len(index) == 2


def test_what_is_removed_leaves_nothing() -> None:
    """The pod goes with its last container; what is unknown is ignored."""
    index = RecordIndex()
    index.put(record("a"))
    index.put(record("b", attempt=1))
    assert index.remove("a") is not None
    assert [item.started.id for item in index.of_pod("u")] == ["b"]
    assert index.remove("a") is None
    index.remove("b")
    assert (index.of_pod("u"), index.pods("n"), len(index)) == ((), set(), 0)
