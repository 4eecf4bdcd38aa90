"""Whatever is patched onto an object, it stays one: decodable, itself, with lists that merge."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication
from orchestrator.resources.decoding import decode
from orchestrator.resources.definitions import SchemaNode, definitions, schema_of
from orchestrator.resources.kinds import registry
from orchestrator.resources.patches import check_typed, field_sets
from orchestrator.store import Store

KIND = registry("1.35").by_key("deployments.apps")
SCHEMA = definitions("1.35").definition("io.k8s.api.apps.v1.Deployment")
PATH = "/apis/apps/v1/namespaces/default/deployments"
IDENTITY = ("name", "namespace", "uid", "creationTimestamp")

RARE = {"apiVersion", "kind", "name", "namespace", "uid", "resourceVersion", "selector"}
"""Fields that make nearly every patch one that is refused at once."""

LABELS = {"app": "web"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": LABELS, "finalizers": ["example.com/a"]},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"cpu": "1"}},
                    },
                    {"name": "side", "image": "side:1"},
                ],
                "volumes": [{"name": "data", "emptyDir": {}}],
                "tolerations": [{"key": "a", "operator": "Exists"}],
            },
        },
    },
}

words = st.sampled_from(
    ["web", "side", "app", "a", "A", "1", "1Gi", "Recreate", "", "$patch", "delete", "replace", "é"]
)
scalars = st.none() | st.booleans() | st.integers(-1, 70000) | st.floats(0, 3) | words
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
directives = st.sampled_from(["delete", "replace", "merge", "other"])


@st.composite
def fitting(draw: st.DrawFn, schema: SchemaNode | None, depth: int = 0) -> Any:
    """Draw a value that mostly fits a schema, with strategic directives and junk in between."""
    if schema is None or depth > 6 or draw(st.integers(0, 19)) == 0:
        return draw(junk)
    if schema.is_quantity or schema.is_int_or_string:
        return draw(st.sampled_from([1, "1", "25%", "100m", "x"]))
    if schema.type == "array":
        size = draw(st.integers(0, 2))
        items = [draw(fitting(schema.items, depth + 1)) for _ in range(size)]
        if items and isinstance(items[0], dict) and draw(st.integers(0, 4)) == 0:
            items[0]["$patch"] = draw(directives)
        return items
    if schema.type == "object":
        return draw(_fitting_object(schema, depth))
    if schema.type == "string":
        return draw(words)
    if schema.type == "boolean":
        return draw(st.booleans())
    return draw(st.integers(-1, 70000)) if schema.type in {"integer", "number"} else draw(junk)


@st.composite
def _fitting_object(draw: st.DrawFn, schema: SchemaNode, depth: int) -> Any:
    if not schema.fields:
        return draw(st.dictionaries(words, fitting(schema.additional, depth + 1), max_size=2))
    rare = RARE if depth < 2 and draw(st.integers(0, 9)) else set()
    known = sorted(set(schema.fields) - rare)
    chosen = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
    value = {name: draw(fitting(schema.fields[name], depth + 1)) for name in chosen}
    roll = draw(st.integers(0, 29))
    if roll == 0:
        value["$patch"] = draw(directives)
    elif roll == 1:
        value["$retainKeys"] = draw(st.lists(st.sampled_from(sorted(schema.fields)), max_size=3))
    elif roll == 2 and chosen:
        value[f"$setElementOrder/{chosen[0]}"] = draw(junk)
    elif roll == 3 and chosen:
        value[f"$deleteFromPrimitiveList/{chosen[0]}"] = draw(junk)
    return value


def pointers(value: Any, path: str = "") -> list[str]:
    """The JSON pointers into a document."""
    found = [path]
    if isinstance(value, dict):
        for name, item in value.items():
            found += pointers(item, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += pointers(item, f"{path}/{index}")
        found.append(f"{path}/-")
    return found


places = st.sampled_from(
    [*pointers(DEPLOYMENT), "/status", "/metadata/uid", "/metadata/managedFields", "/nowhere/x"]
)
operations = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
            "path": places,
            "from": places,
            "value": junk | fitting(SCHEMA.fields["spec"].fields["template"]),
        }
    ),
    max_size=4,
)
FORMS = {
    "application/json-patch+json": operations,
    "application/merge-patch+json": fitting(SCHEMA),
    "application/strategic-merge-patch+json": fitting(SCHEMA),
    "application/apply-patch+yaml": fitting(SCHEMA),
}
patches = st.one_of(*(st.tuples(st.just(form), strategy) for form, strategy in FORMS.items()))


def check(obj: dict[str, Any], before: dict[str, Any]) -> None:
    """Hold an object to what every reader relies on."""
    decoded = decode(obj, KIND, validation="Strict").object
    assert orjson.dumps(decoded) == orjson.dumps(obj)
    check_typed(obj, schema_of(KIND))  # no item of a list by key comes twice
    for field in IDENTITY:
        assert obj["metadata"].get(field) == before["metadata"].get(field), field
    assert obj["spec"]["selector"] == before["spec"]["selector"]
    for entry in obj["metadata"].get("managedFields", []):
        fields = field_sets.decode(entry["fieldsV1"])
        assert fields is not None
        assert field_sets.size(fields) > 0
        assert entry["operation"] in {"Apply", "Update"}


async def run(sent: list[tuple[str, Any]]) -> None:
    """Patch an object again and again, and look at it each time."""
    async with ActorSystem("fuzz") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=ApiApplication(store)), base_url="http://api"
        ) as client:
            created = await client.post(PATH, json=DEPLOYMENT)
            assert created.status_code == 201, created.text
            before = created.json()
            for form, patch in sent:
                body = patch
                if form == "application/apply-patch+yaml" and isinstance(patch, dict):
                    body = {**patch, "apiVersion": "apps/v1", "kind": "Deployment"}
                query = "?fieldManager=fuzz&force=true" if "apply" in form else ""
                answer = await client.patch(
                    f"{PATH}/web{query}",
                    content=orjson.dumps(body),
                    headers={"content-type": form},
                )
                assert answer.status_code < 500, answer.text
                obj = (await client.get(f"{PATH}/web")).json()
                check(obj, before)
                if answer.status_code == 200:
                    assert answer.json() == obj
                else:
                    assert answer.json()["kind"] == "Status"


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sent=st.lists(patches, min_size=1, max_size=6))
def test_a_fuzzed_patch_never_corrupts_an_object(sent: list[tuple[str, Any]]) -> None:
    """It is applied to a sound object, or refused and the object is as it was."""
    asyncio.run(run(sent))
