"""kubectl with custom resources: a session from the definition to its end, with every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def _definition(plural: str, kind: str, short: str) -> dict[str, Any]:
    """Build a definition with status, scale, columns and a category of its own."""
    spec = {
        "type": "object",
        "description": "What the tab should be like.",
        "required": ["cronSpec"],
        "properties": {
            "cronSpec": {"type": "string", "description": "When to run, in cron's form."},
            "image": {"type": "string", "maxLength": 20},
            "replicas": {"type": "integer", "minimum": 0, "default": 1},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
                },
            },
        },
        "x-kubernetes-validations": [
            {"rule": "self.replicas <= 10", "message": "replicas must be at most 10"}
        ],
    }
    status = {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer"},
            "selector": {"type": "string"},
            "conditions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                },
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.stable.example.com"},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "kind": kind,
                "shortNames": [short],
                "categories": [f"{short}all"],
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": f"{kind} runs something now and then.",
                            "properties": {"spec": spec, "status": status},
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                        {
                            "name": "Ready",
                            "type": "string",
                            "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                        },
                        {
                            "name": "Image",
                            "type": "string",
                            "jsonPath": ".spec.image",
                            "priority": 1,
                        },
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                }
            ],
        },
    }


def _written(path: Path, *objects: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return str(path)


def test_a_session_with_a_custom_resource(kube: Any, tmp_path: Path) -> None:
    """Define, wait, apply, print, explain, scale, patch, watch out for errors, delete."""
    tag = kube.namespace.replace("-", "")[-12:]
    plural, kind, short = f"crontabs{tag}", f"CronTab{tag}", f"ct{tag}"
    crd = _written(tmp_path / "crd.yaml", _definition(plural, kind, short))
    obj: dict[str, Any] = {
        "apiVersion": "stable.example.com/v1",
        "kind": kind,
        "metadata": {"name": "one"},
        "spec": {"cronSpec": "* * * * */5", "image": "cron:1", "ports": [{"name": "a", "port": 1}]},
    }
    one = _written(tmp_path / "one.yaml", obj)

    assert "created" in kube.run("apply", "-f", crd)
    assert "condition met" in kube.run(
        "wait", "--for=condition=Established", "--timeout=20s", f"crd/{plural}.stable.example.com"
    )
    assert "created" in kube.run("apply", "-f", one)
    assert "unchanged" in kube.run("apply", "-f", one)
    row = kube.run("get", plural).splitlines()
    assert row[0].split() == ["NAME", "SPEC", "REPLICAS", "READY", "AGE"]
    assert row[1].split()[:6] == ["one", "*", "*", "*", "*", "*/5"]
    assert "cron:1" in kube.run("get", short, "-o", "wide")
    assert "one" in kube.run("get", f"{short}all")
    assert kube.run("get", f"{kind.lower()}", "one", "-o", "jsonpath={.spec.replicas}") == "1"

    assert f"{plural}" in kube.run("api-resources", "--api-group=stable.example.com")
    if kube.minor > 20:
        assert "When to run, in cron's form." in kube.run("explain", f"{plural}.spec")
        refused = kube.run(
            "apply",
            "-f",
            _written(tmp_path / "bad.yaml", {**obj, "spec": {**obj["spec"], "unknown": 1}}),
            code=1,
        )
        assert 'unknown field "spec.unknown"' in refused

    assert "scaled" in kube.run("scale", plural, "one", "--replicas=3")
    assert kube.run("get", plural, "one", "-o", "jsonpath={.spec.replicas}") == "3"
    too_many = kube.run(
        "patch", plural, "one", "--type=merge", "-p", '{"spec":{"replicas":11}}', code=1
    )
    assert "replicas must be at most 10" in too_many
    kube.run(
        "patch",
        plural,
        "one",
        "--type=json",
        "-p",
        '[{"op":"replace","path":"/spec/image","value":"cron:2"}]',
    )
    wrong = kube.run("patch", plural, "one", "--type=strategic", "-p", '{"spec":{}}', code=1)
    assert "strategic merge patch is not supported" in wrong or "unknown format" in wrong
    wrong = kube.run(
        "patch", plural, "one", "--type=merge", "-p", '{"spec":{"cronSpec":1}}', code=1
    )
    assert "spec.cronSpec in body must be of type string" in wrong
    if kube.minor > 20:
        applied = kube.run("apply", "--server-side", "--force-conflicts", "-f", one)
        assert "serverside-applied" in applied
        kube.run(
            "patch",
            plural,
            "one",
            "--subresource=status",
            "--type=merge",
            "-p",
            '{"status":{"replicas":2,"conditions":[{"type":"Ready","status":"True"}]}}',
        )
        assert "True" in kube.run("get", plural, "one")
    found = json.loads(kube.run("get", plural, "-o", "json"))
    assert found["items"][0]["metadata"]["name"] == "one"

    assert "deleted" in kube.run("delete", "-f", crd, "--timeout=20s")
    gone = kube.run("get", plural, code=1)
    assert "doesn't have a resource type" in gone or "could not find the requested" in gone


def test_a_definition_and_its_object_in_one_file(newest: Any, tmp_path: Path) -> None:
    """Two applications right after another find the kind there already."""
    tag = newest.namespace.replace("-", "")[-8:]
    crd = _definition(f"pairs{tag}", f"Pair{tag}", f"pr{tag}")
    obj = {
        "apiVersion": "stable.example.com/v1",
        "kind": f"Pair{tag}",
        "metadata": {"name": "one"},
        "spec": {"cronSpec": "* * * * *"},
    }
    newest.run("apply", "-f", _written(tmp_path / "crd.yaml", crd))
    assert "created" in newest.run("apply", "-f", _written(tmp_path / "one.yaml", obj))


def test_a_definition_is_applied_changed_and_replaced(newest: Any, tmp_path: Path) -> None:
    """Server-side apply of a definition twice, a new version, a diff, a replacement."""
    tag = newest.namespace.replace("-", "")[-8:]
    plural, kind = f"gears{tag}", f"Gear{tag}"
    crd = _definition(plural, kind, f"gr{tag}")
    first = _written(tmp_path / "crd.yaml", crd)
    for _ in range(2):
        assert "serverside-applied" in newest.run("apply", "--server-side", "-f", first)
    newest.run("wait", "--for=condition=Established", f"crd/{plural}.stable.example.com")
    obj: dict[str, Any] = {
        "apiVersion": "stable.example.com/v1",
        "kind": kind,
        "metadata": {"name": "one"},
        "spec": {"cronSpec": "* * * * *"},
    }
    one = _written(tmp_path / "one.yaml", obj)
    newest.run("apply", "--server-side", "-f", one)
    versions = crd["spec"]["versions"]
    versions.append({**versions[0], "name": "v2", "storage": False})
    second = _written(tmp_path / "crd2.yaml", crd)
    differs = newest.run("diff", "--server-side", "-f", second, code=1)
    assert "name: v2" in differs
    newest.run("apply", "--server-side", "-f", second)
    assert (
        newest.run("get", f"{plural}.v2.stable.example.com", "one", "-o", "jsonpath={.apiVersion}")
        == "stable.example.com/v2"
    )
    assert plural in newest.run("get", "crd", f"{plural}.stable.example.com")
    explained = newest.run("explain", plural, "--recursive", "--api-version=stable.example.com/v2")
    assert "cronSpec" in explained
    live = json.loads(newest.run("get", plural, "one", "-o", "json"))
    live["spec"]["image"] = "cron:3"
    newest.run("replace", "-f", _written(tmp_path / "live.yaml", live))
    assert newest.run("get", plural, "one", "-o", "jsonpath={.spec.image}") == "cron:3"
    assert newest.run("get", plural, "one", "-o", "jsonpath={.metadata.generation}") == "2"
    conflict = newest.run(
        "apply",
        "--server-side",
        "-f",
        _written(tmp_path / "c.yaml", {**obj, "spec": {**obj["spec"], "image": "cron:4"}}),
        code=1,
    )
    assert ".spec.image" in conflict
    assert "condition met" in newest.run(
        "wait", "--for=jsonpath={.spec.image}=cron:3", f"{plural}/one", "--timeout=5s"
    )
    newest.run("label", plural, "one", "a=b")
    assert "one" in newest.run("get", plural, "-l", "a=b")
    newest.run("annotate", plural, "one", "c=d")
    assert "one" in newest.run("describe", plural, "one")
    newest.run("delete", plural, "--all")
    newest.run("delete", "crd", f"{plural}.stable.example.com")
