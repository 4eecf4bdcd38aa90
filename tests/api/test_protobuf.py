"""The protobuf form of the built-in kinds, against a real client's bytes and the definitions."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.protobuf import (
    ProtobufError,
    decode_object,
    encode_list,
    encode_message,
    encode_object,
    enveloped,
    message_of,
    watch_frame,
)
from orchestrator.api.protobuf.decoding import decoder
from orchestrator.api.protobuf.encoding import encoder
from orchestrator.api.protobuf.tables import Field, message
from orchestrator.api.protobuf.values import READERS, format_duration, parse_duration
from orchestrator.resources.definitions import SchemaNode, available_versions, definitions
from orchestrator.resources.kinds import Kind, registry

GOLDEN: Final = Path(__file__).parent / "golden"
TYPES: Final = {"s": "string", "b": "string", "i": "integer", "t": "boolean", "d": "number"}
CHOICES: Final = ("OrBool", "OrArray", "OrStringArray")
GAPS: Final = {
    # Alpha fields that one version had.
    "core.v1.NodeAllocatableResourceClaimStatus.resources",
    "resource.v1.Device.nodeAllocatableResourceMappings",
}
SERVED: Final = [version for version in available_versions() if int(version[2:]) >= 31]


def fields_of(name: str) -> dict[str, Field]:
    """A message's fields by JSON name, with those that stand in the parent's JSON."""
    found: dict[str, Field] = {}
    for field in message(name):
        if field.form == "inline":
            found |= fields_of(field.type)
        else:
            found[field.name] = field
    return found


def special(type_: str) -> bool:
    """Tell whether a message's JSON is not an object of its fields."""
    return type_ in READERS or type_.endswith(("*", *CHOICES))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.bin")), ids=lambda path: path.stem)
def test_a_real_clients_bytes_come_back(path: Path) -> None:
    """What kubectl 1.35 sent is decoded and encoded to the same bytes."""
    data = path.read_bytes()
    assert encode_object(decode_object(data)) == data


def test_an_object_reads_as_go_writes_its_json() -> None:
    """Zeros without omitempty are there, others are not; bytes are base64; targetPort a number."""
    deployment = decode_object((GOLDEN / "create-deployment.bin").read_bytes())
    labels = {"app": "made"}
    assert deployment == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "made", "namespace": "gold", "labels": labels},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "x",
                            "image": "x",
                            "ports": [{"containerPort": 80}],
                            "resources": {},
                        }
                    ]
                },
            },
            "strategy": {},
        },
        "status": {},
    }
    secret = decode_object((GOLDEN / "create-secret.bin").read_bytes())
    assert secret["data"] == {"a": "Yg=="}
    service = decode_object((GOLDEN / "create-service.bin").read_bytes())
    port = {"name": "80-8080", "port": 80, "targetPort": 8080, "nodePort": 30001}
    assert service["spec"]["ports"] == [{"protocol": "TCP", **port}]


@pytest.mark.parametrize("version", SERVED)
def test_the_table_has_every_field(version: str) -> None:
    """Every kind, list and field of the definitions has its place in the table, of its type."""
    missing: set[str] = set()
    seen: set[tuple[str, str]] = set()

    def walk(schema: SchemaNode, name: str) -> None:
        if (schema.name, name) in seen or special(name):
            return
        seen.add((schema.name, name))
        fields = fields_of(name)
        for child, below in schema.fields.items():
            field = fields.get(child)
            if field is None:
                if child not in ("apiVersion", "kind"):
                    missing.add(f"{name}.{child}")
                continue
            inner: SchemaNode | None = below
            if field.form == "list":
                inner = below.items
            elif field.form == "map":
                inner = below.additional
            assert inner is not None, (name, child)
            if field.type in TYPES:
                assert inner.type == TYPES[field.type], (name, child)
                assert (inner.format == "byte") is (field.type == "b"), (name, child)
            else:
                walk(inner, field.type)

    for kind in registry(version).kinds():
        name = message_of(kind.api_version, kind.kind)
        if name is None:
            missing.add(f"{kind.api_version} {kind.kind}")
            continue
        walk(definitions(version).schema_of(kind), name)
        if "list" in kind.verbs and not message_of(kind.api_version, f"{kind.kind}List"):
            missing.add(f"{kind.api_version} {kind.kind}List")
    assert missing <= GAPS


MADE: Final = {
    "meta.v1.Time": st.integers(0, 4_000_000_000).map(
        lambda second: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
    ),
    "meta.v1.MicroTime": st.integers(0, 999_999).map(
        lambda micro: f"2026-01-02T03:04:05.{micro:06d}Z"
    ),
    "meta.v1.Duration": st.integers(-(2**62), 2**62).map(format_duration),
    "meta.v1.FieldsV1": st.just({"f:metadata": {"f:labels": {".": {}}}}),
    "runtime.RawExtension": st.just({"kind": "X", "spec": {"a": [1, 2.5, None, "é"]}}),
    "apiextensions.v1.JSON": st.sampled_from([1, "x", {"a": []}, [True], 0.5]),
    "resource.Quantity": st.sampled_from(["1", "500m", "128Mi", "0"]),
    "intstr.IntOrString": st.one_of(st.integers(-(2**31), 2**31 - 1), st.text(max_size=9)),
}
SCALARS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "s": st.text(st.characters(exclude_categories=["Cs"]), max_size=150),
    "b": st.binary(min_size=1, max_size=20).map(lambda data: base64.b64encode(data).decode()),
    "i": st.integers(-(2**63), 2**63 - 1),
    "t": st.booleans(),
    "d": st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer()),
}


def values(type_: str, depth: int) -> st.SearchStrategy[Any]:
    """Make JSON of a type, a few levels deep."""
    if type_ in SCALARS:
        return SCALARS[type_]
    if type_ in MADE:
        return MADE[type_]
    if type_.endswith("*"):
        return st.lists(st.text(max_size=5), max_size=3)
    if type_.endswith(CHOICES):
        schema = objects(f"{type_.rpartition('.')[0]}.JSONSchemaProps", min(depth, 1))
        if type_.endswith("OrBool"):
            return st.one_of(st.booleans(), schema)
        items = st.text(max_size=5) if type_.endswith("OrStringArray") else schema
        return st.one_of(schema, st.lists(items, max_size=2))
    return objects(type_, depth)


def objects(name: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects of a message: some of its fields, by the table's forms."""
    if depth == 0:
        return st.just({})

    @st.composite
    def make(draw: st.DrawFn) -> dict[str, Any]:
        fields = fields_of(name)
        if not fields:
            return {}
        found = {}
        for key in draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)):
            field = fields[key]
            value = values(field.type, depth - 1)
            if field.form == "list":
                value = st.lists(value, min_size=1, max_size=2)
            elif field.form == "map":
                value = st.dictionaries(st.text(max_size=8), value, min_size=1, max_size=2)
            found[key] = draw(value)
        return found

    return make()


def check_kept(sent: Any, back: Any, type_: str) -> None:
    """Compare, but for what Go's JSON does with zeros of fields that are no pointers."""
    if type_ in SCALARS or special(type_):
        if not type_.endswith(CHOICES):
            assert back == sent
        return
    fields = fields_of(type_)
    assert back.keys() <= fields.keys()
    for name, field in fields.items():
        if name not in sent:
            assert name not in back or (field.form == "one" and field.shown)
            continue
        if name not in back:
            # A zero that omitempty leaves out, or a list that stands for nothing.
            assert field.form == "one", name
            assert not field.shown, name
            assert encoder(type_)({name: sent[name]}) == encoder(type_)({}) or not sent[name]
            continue
        if field.form == "list":
            assert len(back[name]) == len(sent[name])
            for one, other in zip(sent[name], back[name], strict=True):
                check_kept(one, other, field.type)
        elif field.form == "map":
            assert back[name].keys() == sent[name].keys()
            for key, one in sent[name].items():
                check_kept(one, back[name][key], field.type)
        else:
            check_kept(sent[name], back[name], field.type)


@pytest.mark.parametrize("kind", registry("1.35").kinds(), ids=lambda kind: kind.kind)
def test_every_kind_comes_back(kind: Kind) -> None:
    """JSON to protobuf to JSON keeps everything, and protobuf to JSON to protobuf every byte."""
    name = message_of(kind.api_version, kind.kind)
    assert name is not None

    @settings(max_examples=12)
    @given(objects(name, 5))
    def check(sent: dict[str, Any]) -> None:
        data = encoder(name)(sent)
        back = decoder(name)(data)
        check_kept(sent, back, name)
        assert encoder(name)(back) == data

    check()


@pytest.mark.parametrize(
    "name",
    ["meta.v1.Status", "meta.v1.DeleteOptions", "autoscaling.v1.Scale", "policy.v1.Eviction"],
)
def test_shared_kinds_come_back(name: str) -> None:
    """So do the kinds that no path of their own has."""

    @settings(max_examples=30)
    @given(objects(name, 4))
    def check(sent: dict[str, Any]) -> None:
        data = encoder(name)(sent)
        check_kept(sent, decoder(name)(data), name)

    check()


def test_pointers_keep_their_zeros() -> None:
    """A field that may be unset differs from its zero, and others do not."""
    pod = {"spec": {"hostNetwork": False, "priority": 0, "enableServiceLinks": False}}
    spec = decoder("core.v1.Pod")(encoder("core.v1.Pod")(pod))["spec"]
    assert spec == {"priority": 0, "enableServiceLinks": False}


def test_unknown_fields_are_skipped() -> None:
    """Fields of every wire type that the table does not have change nothing."""
    known = encoder("core.v1.ConfigMap")({"data": {"a": "b"}})
    unknown = (
        b"\xa0\x06\x96\x01"  # 100: a number
        b"\xa1\x06" + bytes(8) + b"\xa5\x06" + bytes(4) + b"\xa2\x06\x03abc"
    )
    assert decoder("core.v1.ConfigMap")(unknown + known + unknown)["data"] == {"a": "b"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"nothing", "expected prefix 6b387300"),
        (b"k8s\x00\x0a", "unexpected EOF"),
        (enveloped("v1", "Pod", b"\x0a\x7f"), "unexpected EOF"),
        (enveloped("v1", "Pod", b"\x08\x01"), "wrong wireType = 0 for field metadata"),
        (enveloped("v1", "Pod", b"\x0a\x03\x0a\x01\xff"), "invalid UTF-8"),
        (enveloped("v1", "Pod", b"\xa7\x06"), "illegal wireType 7"),
        (enveloped("v1", "Nothing", b""), 'no kind "Nothing" is registered for version "v1"'),
        (enveloped("apps.example.com/v1", "Deployment"), 'no kind "Deployment" is registered'),
        (b"k8s\x00\x1a\x04gzip", 'content encoding "gzip" is not supported'),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, why: str) -> None:
    """With words that say what is wrong."""
    with pytest.raises(ProtobufError, match=why.replace("(", r"\(")):
        decode_object(data)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_message_never_breaks_the_decoder(data: st.DataObject) -> None:
    """Any change of a byte gives an object or the one error."""
    whole = bytearray((GOLDEN / "create-deployment.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_object(bytes(whole[: data.draw(st.integers(4, len(whole)))]))
    except (ProtobufError, orjson.JSONDecodeError):
        return


def test_a_list_is_made_of_its_items_messages() -> None:
    """The bytes of items that were encoded alone make the same list as encoding it whole."""
    items = [{"metadata": {"name": name}} for name in "ab"]
    metadata = {"resourceVersion": "7", "remainingItemCount": 0}
    whole = {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items}
    parts = [encode_message("v1", "Pod", item) for item in items]
    assert encode_list("v1", "PodList", metadata, parts) == encode_object(whole)


def test_a_watch_frame_is_a_length_and_an_event() -> None:
    """Four bytes of length, then the event with the object in its envelope."""
    obj = encode_object({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x" * 200}})
    frame = watch_frame("ADDED", obj)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert frame[4:11] == b"\x0a\x05ADDED"
    assert frame.endswith(obj)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (-90_061_000_000_000, "-25h1m1s"),
    ],
)
def test_durations_are_written_as_go_does(nanoseconds: int, text: str) -> None:
    """And read back."""
    assert format_duration(nanoseconds) == text
    assert parse_duration(text) == nanoseconds
