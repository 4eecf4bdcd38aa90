"""What custom kinds cost: creations beside those of ConfigMaps, and definitions of ordinary size.

    python benchmarks/custom.py [--json] [--tiny]

Requests go to the application without a socket. The small kind has 30 fields with limits and
defaults, and its objects about as many bytes as the ConfigMaps beside them. The large one is the
published structure of a pod's spec, more than a thousand places: what operators bring along.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import ActorSystem
from actors.log import MemoryLog
from benchmarks._report import Report, options, show
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.resources.definitions import published_definitions
from orchestrator.resources.kinds import registry
from orchestrator.store import EventRecorder, Store

GROUP = "bench.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MAPS = "/api/v1/namespaces/default/configmaps"
AT_ONCE = 50
DEPTH = 12


def definition(plural: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Build a definition around the schema of a spec."""
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


def small_schema() -> dict[str, Any]:
    """Return 30 fields: texts with patterns, bounded numbers, choices with defaults."""
    fields: dict[str, Any] = {}
    for at in range(10):
        fields[f"text{at}"] = {"type": "string", "maxLength": 50, "pattern": "^[a-z0-9]+$"}
        fields[f"number{at}"] = {"type": "integer", "minimum": 0, "maximum": 100}
        fields[f"choice{at}"] = {"type": "string", "enum": ["a", "b", "c"], "default": "a"}
    return {"type": "object", "required": ["text0"], "properties": fields}


def large_schema(name: str = "io.k8s.api.core.v1.PodSpec") -> dict[str, Any]:
    """Return the structure of a built-in type as a structural schema, references written out."""
    return _expanded({"$ref": f"#/$defs/{name}"}, published_definitions("1.35"), 0)


def _expanded(schema: dict[str, Any], known: dict[str, Any], depth: int) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        if "Quantity" in name or "IntOrString" in name:
            return {"x-kubernetes-int-or-string": True}
        if depth > DEPTH:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return _expanded(known[name], known, depth + 1)
    given = schema.get("type")
    type_ = given[0] if isinstance(given, list) else given
    made: dict[str, Any] = {"type": type_ or "object"}
    if "description" in schema:
        made["description"] = schema["description"]
    if "properties" in schema:
        below = schema["properties"].items()
        made["properties"] = {key: _expanded(one, known, depth + 1) for key, one in below}
    if "items" in schema:
        made["items"] = _expanded(schema["items"], known, depth + 1)
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _expanded(schema["additionalProperties"], known, depth + 1)
    if schema.get("required"):
        made["required"] = schema["required"]
    if type_ is None and "properties" not in made:
        made["x-kubernetes-preserve-unknown-fields"] = True
    return made


async def call(app: ApiApplication, method: str, path: str, body: Any = None) -> Any:
    """Make one request of the application; it must be accepted."""
    data = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    assert sent[0]["status"] < 300, answer
    return orjson.loads(answer)


async def creations(app: ApiApplication, path: str, obj: dict[str, Any], count: int) -> float:
    """Return creations a second; the objects are counted afterwards."""
    kind = obj["kind"].lower()
    bodies = [orjson.dumps({**obj, "metadata": {"name": f"{kind}-{n}"}}) for n in range(count)]
    before = len((await call(app, "GET", path))["items"])
    started = time.perf_counter()
    for begin in range(0, count, AT_ONCE):
        some = bodies[begin : begin + AT_ONCE]
        await asyncio.gather(*(call(app, "POST", path, body) for body in some))
    seconds = time.perf_counter() - started
    assert len((await call(app, "GET", path))["items"]) == before + count
    return count / seconds


async def define(app: ApiApplication, store: Store, crd: dict[str, Any]) -> float:
    """Return the milliseconds from the request to a kind that is served."""
    started = time.perf_counter()
    await call(app, "POST", CRDS, crd)
    while store.registry.by_kind(f"{GROUP}/v1", crd["spec"]["names"]["kind"]) is None:
        await store.wait_sequence(store.sequence + 1)
    return (time.perf_counter() - started) * 1000


async def measure(report: Report) -> None:
    """Measure everything in one store."""
    count = 200 if report.tiny else 5000
    async with ActorSystem("bench") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        recorder = EventRecorder(store, "bench")
        system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        app = ApiApplication(store, ApiConfig())
        await define(app, store, definition("smalls", "Small", small_schema()))
        spec = {f"text{n}": f"value{n}" for n in range(10)} | {f"number{n}": n for n in range(10)}
        small = {"apiVersion": f"{GROUP}/v1", "kind": "Small", "spec": spec}
        data = {key: str(value) for key, value in spec.items()}
        data |= {f"choice{n}": "a" for n in range(10)}
        maps = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
        plain = await creations(app, MAPS, maps, count)
        custom = await creations(app, f"/apis/{GROUP}/v1/namespaces/default/smalls", small, count)
        report.add("ConfigMap creations", plain, "1/s")
        report.add("custom creations", custom, "1/s")
        report.add("custom / ConfigMap", custom / plain * 100, "%", target=50)
        ready = await define(app, store, definition("larges", "Large", large_schema()))
        report.add("large definition served", ready, "ms", target=2000, at_least=False)
        pod = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 1}]}]}
        large = {"apiVersion": f"{GROUP}/v1", "kind": "Large", "spec": pod}
        path = f"/apis/{GROUP}/v1/namespaces/default/larges"
        started = time.perf_counter()
        await call(app, "POST", path, {**large, "metadata": {"name": "first"}})
        report.add("first large object", (time.perf_counter() - started) * 1000, "ms")
        report.add("large creations", await creations(app, path, large, count // 5), "1/s")
        started = time.perf_counter()
        await call(app, "GET", f"/openapi/v3/apis/{GROUP}/v1")
        report.add("OpenAPI of both", (time.perf_counter() - started) * 1000, "ms")


def main() -> int:
    """Run the benchmark."""
    chosen = options("custom kinds beside built-in ones").parse_args()
    report = Report(benchmark="custom", tiny=chosen.tiny)
    asyncio.run(measure(report))
    show(report, as_json=chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
