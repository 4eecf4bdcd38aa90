"""What a failed test's report shows of the event log."""

from __future__ import annotations

import itertools
from typing import Any

from orchestrator.resources.objects import Key, Object
from orchestrator.store.codec import Stamp
from orchestrator.store.events import EventType, ObjectEvent
from orchestrator.testing.records import rows_of


def settings(generation: int = 1, **data: str) -> Object:
    """Return a ConfigMap's state."""
    head: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap"}
    return {**head, "metadata": {"name": "a", "generation": generation}, "data": data}


def event(
    sequence: int,
    change: EventType,
    now: Object,
    before: Object | None = None,
    *,
    by: str = "jane",
    name: str = "a",
) -> ObjectEvent:
    """Return a record of the log, of the first second of 1970."""
    stamp = Stamp(sequence / 1000, by)
    return ObjectEvent(sequence, change, Key("configmaps", "default", name), now, before, stamp)


def test_a_row_says_who_wrote_what_and_what_changed() -> None:
    """Old value and new one; what comes with every write is left out."""
    events = [
        event(5, "ADDED", settings(x="1")),
        event(6, "MODIFIED", settings(2, x="2"), settings(x="1"), by="joe"),
        event(7, "DELETED", settings(2, x="2")),
    ]
    assert rows_of(events, 10) == [
        ["5", "00:00:00.005", "jane", "ADDED", "configmaps default/a", ""],
        ["6", "00:00:00.006", "joe", "MODIFIED", "configmaps default/a", 'data.x: "1" -> "2"'],
        ["7", "00:00:00.007", "jane", "DELETED", "configmaps default/a", ""],
    ]


def test_what_one_writes_again_and_again_is_one_row() -> None:
    """As long as nobody writes between, to this object or another."""
    states = [settings(x=str(at)) for at in range(6)]
    steps = list(itertools.pairwise(states))
    events = [
        event(at + 2, "MODIFIED", now, before, by="ann" if at == 3 else "jane")
        for at, (before, now) in enumerate(steps)
    ]
    assert [(row[0], row[2], row[3], row[5]) for row in rows_of(events, 10)] == [
        ("2-4", "jane", "MODIFIED x3", 'data.x: "2" -> "3"'),
        ("5", "ann", "MODIFIED", 'data.x: "3" -> "4"'),
        ("6", "jane", "MODIFIED", 'data.x: "4" -> "5"'),
    ]
    assert [row[0] for row in rows_of(events, 2)] == ["5", "6"]


def test_a_row_stays_a_line_however_much_changed() -> None:
    """Two fields at most, how many more there are, and no line break."""
    word = "word\n" * 100
    ((*_, changed),) = rows_of(
        [event(3, "MODIFIED", settings(x=word, y=word, z=word), settings())], 10
    )
    assert len(changed) < 140
    assert "\n" not in changed
    assert changed.endswith("; 1 more")


def test_what_tells_nothing_of_a_test_is_left_out() -> None:
    """Such as the ConfigMap that every namespace has."""
    root = {**settings(), "metadata": {"name": "kube-root-ca.crt"}}
    assert rows_of([event(3, "ADDED", root, name="kube-root-ca.crt")], 10) == []


def test_programs_of_one_user_are_told_apart() -> None:
    """By the field manager that a write has noted."""
    fields = {"manager": "kopf", "operation": "Update", "fieldsV1": {"f:data": {"f:x": {}}}}
    now = settings(x="2")
    now = {**now, "metadata": {**now["metadata"], "managedFields": [fields]}}
    ((_, _, actor, *_),) = rows_of([event(3, "MODIFIED", now, settings(x="1"))], 10)
    assert actor == "kopf"


def test_a_node_s_own_word_is_left_out() -> None:
    """What others say of it is not: that it is lost, say."""
    node: Object = {"metadata": {"name": "n"}, "status": {}}
    lost: Object = {**node, "status": {"lost": True}}
    key = Key("nodes", "", "n")
    events = [
        ObjectEvent(3, "ADDED", key, node, None, Stamp(0, "kubelet")),
        ObjectEvent(4, "MODIFIED", key, lost, node, Stamp(0, "node-controller")),
    ]
    assert [row[2:5] for row in rows_of(events, 10)] == [["node-controller", "MODIFIED", "nodes n"]]


def test_a_new_condition_is_told_by_what_it_says() -> None:
    """One that is added, several at once; one that changed, by what changed in it."""
    ready, known = (
        {"type": name, "status": "True", "lastProbeTime": None, "message": "x" * 100}
        for name in ("Ready", "Known")
    )

    def pod(*conditions: Any) -> Object:
        return {"metadata": {"name": "a"}, "status": {"conditions": list(conditions)}}

    def changed(now: Object, before: Object) -> str:
        return rows_of([event(3, "MODIFIED", now, before)], 1)[0][-1]

    assert changed(pod(ready), {**pod(), "status": {}}) == "status.conditions: + Ready=True"
    assert changed(pod(ready, known), pod(ready)) == "status.conditions: + Known=True"
    lost = {**ready, "status": "False"}
    assert changed(pod(lost), pod(ready)) == 'status.conditions[Ready].status: "True" -> "False"'
