"""Log payloads: what is packed comes back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.store.codec import Decoder, Encoder, Stamp, UnknownPayload, diff_objects

KEY = Key("configmaps", "default", "a")
names = st.sampled_from(["a", "b", "c", "d"])
scalars = st.none() | st.sampled_from(["", "x", "y"]) | st.integers(0, 3)
flat = st.dictionaries(names, scalars, max_size=3)
values = scalars | flat | st.lists(scalars, max_size=2)
objects = st.builds(
    lambda metadata, parts: {**parts, "metadata": metadata},
    flat,
    st.dictionaries(
        st.sampled_from(["spec", "status", "data"]),
        values | st.dictionaries(names, values, max_size=3),
        max_size=3,
    ),
)


def at(obj: dict[str, Any], sequence: int) -> dict[str, Any]:
    """The object at a version."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(sequence)}}


@given(st.lists(objects, min_size=1, max_size=6))
def test_folding_what_was_encoded_gives_every_state(states: list[dict[str, Any]]) -> None:
    """A whole object first, then differences only."""
    encoder, decoder = Encoder(), Decoder()
    current = decoder.fold(1, KEY, encoder.create(at(states[0], 1)), None)
    assert current == at(states[0], 1)
    before = at(states[0], 1)
    for sequence, state in enumerate(states[1:], 2):
        delta = diff_objects(before, state)
        if delta is None:
            assert {**state["metadata"], "resourceVersion": "-"} == {
                **before["metadata"],
                "resourceVersion": "-",
            }
            continue
        before = at(state, sequence)
        current = decoder.fold(sequence, KEY, encoder.update(delta), current)
        assert current == before


def test_parts_that_were_shared_are_shared_again() -> None:
    """Packed once, unpacked once."""
    spec = {"containers": [{"name": "web"}]}
    encoder, decoder = Encoder(), Decoder()
    first = decoder.fold(1, KEY, encoder.create({"metadata": {}, "spec": spec}), None)
    second = decoder.fold(2, KEY, encoder.create({"metadata": {}, "spec": spec}), None)
    assert first is not None
    assert second is not None
    assert first["spec"] == spec
    assert first["spec"] is second["spec"]


def test_an_update_carries_only_what_changed() -> None:
    """The untouched part of a pod is not in the record of its binding."""
    spec = {"containers": [{"name": "web", "args": ["x" * 1000]}]}
    pod = {"metadata": {"resourceVersion": "1"}, "spec": spec}
    delta = diff_objects(pod, {**pod, "spec": {**spec, "nodeName": "n1"}})
    assert delta == ({"spec": {"nodeName": "n1"}}, {}, [])
    assert len(Encoder().update(delta)) < 40


def test_a_deletion_is_told_from_every_other_record() -> None:
    """Its fold is nothing."""
    assert Decoder().fold(3, KEY, Encoder().delete(), {"metadata": {}}) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[9,0,{},[]]", "payload format 9"),
        (msgpack.packb([9, 0, {}]), "payload format 9"),
        (b'[2,1,{"spec":{}}]', "never created"),
        (msgpack.packb([1, 1, {"spec": {}}]), "never created"),
    ],
)
def test_a_payload_that_cannot_be_read_is_named(data: bytes, words: str) -> None:
    """With what to do about a newer format."""
    with pytest.raises(UnknownPayload, match=words):
        Decoder().fold(7, KEY, data, None)


def test_conditions_that_were_shared_are_shared_again() -> None:
    """Pods that became ready together go on sharing their list after a restart."""
    conditions = [{"type": "Ready", "status": "True"}]
    encoder, decoder = Encoder(), Decoder()
    bare = {"metadata": {}, "status": {"phase": "Pending"}}
    found = []
    for sequence in (2, 3):
        delta = diff_objects(
            bare, {**bare, "status": {"phase": "Running", "conditions": conditions}}
        )
        assert delta is not None
        found.append(decoder.fold(sequence, KEY, encoder.update(delta), bare))
    first, second = found
    assert first is not None
    assert second is not None
    assert first["status"] == {"phase": "Running", "conditions": conditions}
    assert first["status"]["conditions"] is second["status"]["conditions"]


def test_records_of_the_first_format_are_read_beside_those_of_the_present_one() -> None:
    """A log that an earlier version began goes on; what was shared in it stays shared."""
    spec, conditions = {"containers": [{"name": "web"}]}, [{"type": "Ready", "status": "True"}]
    create = msgpack.packb([1, 0, {"metadata": {"uid": "u"}, "spec": msgpack.packb(spec)}])
    update = msgpack.packb([1, 1, {"status": {"conditions": msgpack.packb(conditions)}}])
    removal = msgpack.packb([1, 1, {"spec": {"x": 1}}, {"data": [1]}, [["metadata", "uid"]]])
    decoder = Decoder()
    found = []
    for _ in range(2):
        first = decoder.fold(1, KEY, create, None)
        assert first == {"metadata": {"uid": "u", "resourceVersion": "1"}, "spec": spec}
        assert first is not None
        second = decoder.fold(2, KEY, update, {**first, "status": {"phase": "Running"}})
        assert second is not None
        assert second["status"] == {"phase": "Running", "conditions": conditions}
        found.append((first, second))
    assert found[0][0]["spec"] is found[1][0]["spec"]
    assert found[0][1]["status"]["conditions"] is found[1][1]["status"]["conditions"]
    third = decoder.fold(3, KEY, removal, found[0][1])
    assert third is not None
    assert (third["metadata"], third["data"]) == ({"resourceVersion": "3"}, [1])
    assert third["spec"] == {**spec, "x": 1}
    assert decoder.fold(4, KEY, msgpack.packb([1, 2]), third) is None


def test_no_text_breaks_a_record_into_other_lines() -> None:
    """Newlines and their kin are escaped in JSON, or no newlines of a record."""
    text = "one\ntwo\r\u2028\u0085three"
    obj = {"metadata": {"a": text}, "spec": {"x": text}, "status": {"conditions": [text]}}
    found = Decoder().fold(1, KEY, Encoder().create(obj), None)
    assert found == at(obj, 1)
    assert found is not None
    assert list(found) == list(obj)


def test_a_record_says_when_it_was_written_and_by_whom() -> None:
    """Records of the format before said nothing of it, and are read all the same."""
    encoder, decoder = Encoder(), Decoder()
    encoder.stamp = Stamp(1_767_225_600.125, "alice")
    created = decoder.fold(1, KEY, encoder.create({"metadata": {}, "data": {}}), None)
    assert decoder.stamp == (1_767_225_600.125, "alice")
    changed = decoder.fold(2, KEY, b'[2,1,{"data":{"a":"1"}}]', created)
    assert changed == {"metadata": {"resourceVersion": "2"}, "data": {"a": "1"}}
    assert decoder.stamp == (0.0, "")
    assert decoder.fold(3, KEY, b"[2,2]", changed) is None
