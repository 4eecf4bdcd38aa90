"""Kinds of models and of kopf: defined by one call, then known by their names.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter

from orchestrator import ApplyError, Cluster, StatusError
from orchestrator.embedded.kinds.definitions import definition_of, kopf_peerings, plural_of
from orchestrator.embedded.kinds.schemas import structural
from tests.embedded.kit import config_map, on_a_real_loop

FREE = {"x-kubernetes-preserve-unknown-fields": True}


class Size(StrEnum):
    """How large."""

    SMALL = "small"
    LARGE = "large"


class Shelf(BaseModel):
    """Where things stand."""

    label: str = Field(min_length=1, pattern="^[a-z]+$")
    places: int = Field(default=4, ge=1, lt=100)


class Branch(BaseModel):
    """A shop may have branches, which may have branches."""

    name: str
    branches: list[Branch] = []


class ShopSpec(BaseModel):
    """What a shop should be."""

    owner: str
    size: Size = Size.SMALL
    shelves: list[Shelf] = Field(default_factory=list, max_length=3)
    door: Shelf | None = None
    port: int | str = 80
    ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    prices: dict[str, int] = {}
    extra: dict[str, Any] = {}
    whatever: Any = None
    mode: Literal["a", "b"] | None = None
    opened: dt.datetime | None = None
    patience: dt.timedelta | None = None
    home: AnyUrl | None = None
    tags: set[str] = set()
    tree: Branch | None = None
    either: Shelf | Branch | None = None
    pair: tuple[int, str] | None = None


class ShopStatus(BaseModel):
    """What a shop is."""

    phase: str | None = None


class Gadget(BaseModel):
    """A model of the whole object."""

    apiVersion: str = "example.com/v2"  # noqa: N815 - the API's name
    kind: str = "Gadget"
    metadata: dict[str, Any]
    spec: Shelf
    status: ShopStatus | None = None


@on_a_real_loop
async def test_a_pydantic_model_becomes_a_kind_that_the_api_holds_its_objects_to() -> None:
    """Defaults are filled in, unknown fields go, and what the model refuses is refused."""
    async with Cluster(nodes=0, listen=None) as cluster:
        made = await cluster.install_crd(
            ShopSpec, group="example.com", kind="Shop", status=ShopStatus, short_names=["sh"]
        )
        assert made["metadata"]["name"] == "shops.example.com"
        kept = {
            condition["type"]: condition["status"] for condition in made["status"]["conditions"]
        }
        assert kept.get("NonStructuralSchema", "False") == "False"
        shop: dict[str, Any] = {
            "apiVersion": "example.com/v1",
            "kind": "Shop",
            "metadata": {"name": "a"},
            "spec": {
                "owner": "me",
                "shelves": [{"label": "top", "unknown": 1}],
                "door": None,
                "port": "http",
                "mode": None,
                "prices": {"apple": 3},
                "extra": {"deep": [{"any": "thing"}]},
                "whatever": [1, "two"],
                "patience": "PT5S",
                "either": {"label": "x", "more": 1},
                "tree": {"name": "t", "branches": [{"name": "u", "branches": []}]},
                "pair": [1, "x"],
            },
        }
        stored = (await cluster.api.create(shop))["spec"]
        assert stored["size"] == "small"
        assert stored["shelves"] == [{"label": "top", "places": 4}]
        assert stored["door"] is None
        assert stored["mode"] is None
        assert stored["extra"] == shop["spec"]["extra"]
        assert stored["tree"] == shop["spec"]["tree"]
        assert stored["either"] == {"label": "x", "more": 1}
        assert stored["pair"] == [1, "x"]
        assert (await cluster.api.list("sh"))[0]["metadata"]["name"] == "a"
        status = await cluster.api.patch(
            "shop", "a", {"status": {"phase": "Open"}}, subresource="status"
        )
        assert status["status"] == {"phase": "Open"}
        for change, complaint in (
            ({"owner": None}, "spec.owner: Required value"),
            ({"size": "huge"}, 'spec.size: Unsupported value: "huge"'),
            ({"mode": "c"}, 'spec.mode: Unsupported value: "c"'),
            ({"shelves": [{"label": "TOP"}]}, "spec.shelves[0].label: Invalid value"),
            ({"shelves": [{"label": "a", "places": 100}]}, "should be less than 100"),
            ({"ratio": 0}, "should be greater than 0"),
            ({"shelves": [{"label": "a"}] * 4}, "spec.shelves: Too many"),
            ({"port": 1.5}, "spec.port"),
            ({"opened": "yesterday"}, "spec.opened"),
            ({"tags": ["x", "x"]}, 'spec.tags[1]: Duplicate value: "x"'),
            ({"prices": {"apple": "dear"}}, "spec.prices.apple"),
        ):
            with pytest.raises(StatusError) as caught:
                await cluster.api.patch("shop", "a", {"spec": change})
            assert caught.value.code == 422
            assert complaint in caught.value.message


@on_a_real_loop
async def test_kinds_come_from_files_and_from_kopf_as_well() -> None:
    """A definition is applied as it is; kopf's peerings are one call away."""
    async with Cluster(nodes=0, listen=None) as cluster:
        await cluster.install_kopf_peering()
        (found,) = await cluster.api.list("kopfpeerings")
        assert found["metadata"]["name"] == "default"
        patch = {"status": {"operator-1": {"priority": 0}}}
        kept = await cluster.api.patch("clusterkopfpeering", "default", patch)
        assert kept["status"] == patch["status"]
        made = await cluster.install_crd(
            definition_of(Gadget, group="example.com", version="v2", scope="Cluster")
        )
        assert made["spec"]["scope"] == "Cluster"
        assert cluster.api.kind("Gadget").api_version == "example.com/v2"
        gadget = Gadget(metadata={"name": "g"}, spec=Shelf(label="top", places=2))
        (stored,) = await cluster.apply(gadget)
        assert stored["spec"] == {"label": "top", "places": 2}
        assert "status" not in stored
        with pytest.raises(ApplyError, match="no CustomResourceDefinition"):
            await cluster.install_crd(config_map())
        with pytest.raises(ApplyError, match="has no JSON Schema"):
            await cluster.install_crd(7, group="example.com", kind="Seven")


def test_a_model_of_the_whole_object_is_told_by_its_spec() -> None:
    """Its metadata are the API's own business."""
    whole = definition_of(Gadget, group="example.com")["spec"]["versions"][0]["schema"]
    schema = whole["openAPIV3Schema"]
    assert set(schema["properties"]) == {"apiVersion", "kind", "spec", "status"}
    assert schema["required"] == ["spec"]
    assert schema["properties"]["status"]["nullable"] is True
    spec = schema["properties"]["spec"]
    assert spec["properties"]["places"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "exclusiveMaximum": True,
        "default": 4,
    }


class _OldModel:
    """Described as pydantic did before its version 2."""

    @staticmethod
    def schema() -> dict[str, Any]:
        return {
            "title": "Old",
            "properties": {"door": {"allOf": [{"$ref": "#/definitions/Door"}], "default": None}},
            "definitions": {"Door": {"type": "object", "properties": {"w": {"type": "integer"}}}},
        }


def test_old_models_adapters_and_plain_schemas_do_as_well() -> None:
    """Whatever has a JSON Schema."""

    def spec_of(model: Any) -> Any:
        made = definition_of(model, group="example.com", kind="Old")
        return made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    door = {"type": "object", "properties": {"w": {"type": "integer"}}}
    expected = {"type": "object", "properties": {"door": door}}
    assert spec_of(_OldModel) == expected
    assert spec_of(_OldModel.schema()) == expected
    assert spec_of(TypeAdapter(dict[str, int])) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, FREE),
        ({"type": "string", "title": "T", "examples": ["a"]}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"type": "number"}),
        (
            {"anyOf": [{"const": "a"}, {"enum": ["b", "c"]}]},
            {"type": "string", "enum": ["a", "b", "c"]},
        ),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, FREE),
        ({"enum": ["a", None]}, {"nullable": True, "enum": ["a"], "type": "string"}),
        ({"const": True}, {"type": "boolean", "enum": [True]}),
        ({"type": "object"}, {"type": "object", **FREE}),
        (
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
            {"type": "object", "properties": {"a": FREE}},
        ),
        ({"type": "array", "prefixItems": [{}]}, {"type": "array", "items": FREE}),
        ({"type": "string", "format": "duration"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        (
            {"exclusiveMinimum": 0, "maximum": 1, "type": "number"},
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
        ),
        ({"type": "object", "x-kubernetes-map-type": "atomic"}, None),
    ],
)
def test_json_schema_becomes_structural(given: Any, expected: Any) -> None:
    """Each thing that OpenAPI 3.0 or a definition says in another way."""
    if expected is None:
        expected = {**given, **FREE}
    assert structural(given) == expected


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    """It names the reference."""
    with pytest.raises(ValueError, match="refers to #/\\$defs/None"):
        structural({"$ref": "#/$defs/None"})


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Shop", "shops"), ("Policy", "policies"), ("Box", "boxes"), ("Key", "keys")],
)
def test_plurals_are_those_that_people_would_give(kind: str, plural: str) -> None:
    """And may be given where they are not."""
    assert plural_of(kind) == plural


def test_kopf_s_peerings_are_those_of_its_documentation() -> None:
    """Names and scopes: https://docs.kopf.dev/en/stable/peering ."""
    names = [obj["metadata"]["name"] for obj in kopf_peerings()]
    assert names == ["clusterkopfpeerings.kopf.dev", "kopfpeerings.kopf.dev", "default", "default"]
