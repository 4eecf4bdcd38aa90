"""Real kubectls, the oldest and the newest at hand, against the API alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import Kubectl

pytestmark = pytest.mark.e2e

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "web:1", ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "1"]}]
"""


def manifest(directory: Path, text: str = MANIFEST) -> str:
    """Write a manifest; returns its path."""
    path = directory / "manifest.yaml"
    path.write_text(text)
    return str(path)


def test_apply_and_get_in_every_form(kube: Kubectl, tmp_path: Path) -> None:
    """Apply is idempotent, and get prints tables, YAML, JSON, columns and paths."""
    file = manifest(tmp_path)
    created = kube.run("apply", "-f", file)
    assert "deployment.apps/web created" in created
    assert "Warning" not in created
    again = kube.run("apply", "-f", file)
    assert again.count("unchanged") == 3, again
    assert kube.run("get", "pods").split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert "SELECTOR" in kube.run("get", "deploy,svc", "-o", "wide")
    assert "kind: Deployment" in kube.run("get", "deploy", "web", "-o", "yaml")
    listed = json.loads(kube.run("get", "all", "-o", "json"))
    assert {item["kind"] for item in listed["items"]} == {"Pod", "Service", "Deployment"}
    assert kube.run("get", "pods", "-o", "jsonpath={.items[*].metadata.name}") == "one"
    assert kube.run("get", "pods", "-o", "name", "-l", "app=one") == "pod/one\n"
    columns = kube.run("get", "pods", "-o", "custom-columns=N:.metadata.name", "--no-headers")
    assert columns == "one\n"
    assert "No resources" in kube.run("get", "pods", "--field-selector", "status.phase=Running")
    assert "Replicas:" in kube.run("describe", "deploy", "web")
    assert "Containers:" in kube.run("describe", "pod", "one")
    missing = kube.run("get", "pod", "nobody", code=1)
    assert 'Error from server (NotFound): pods "nobody" not found' in missing


def test_changes_of_every_kind(newest: Kubectl, tmp_path: Path) -> None:
    """Label, annotate, three patches, scale, edit, set, rollout and diff."""
    file = manifest(tmp_path)
    newest.run("apply", "-f", file)
    newest.run("label", "pod", "one", "tier=front")
    newest.run("annotate", "pod", "one", "note=hello")
    pod = json.loads(newest.run("get", "pod", "one", "-o", "json"))
    assert pod["metadata"]["labels"] == {"app": "one", "tier": "front"}
    assert pod["metadata"]["annotations"]["note"] == "hello"
    newest.run("patch", "deploy", "web", "-p", '{"spec":{"replicas":3}}')
    newest.run("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":4}}')
    operation = '[{"op":"replace","path":"/spec/replicas","value":5}]'
    newest.run("patch", "deploy", "web", "--type=json", "-p", operation)
    replicas = ("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}")
    assert newest.run(*replicas) == "5"
    assert "scaled" in newest.run("scale", "deploy", "web", "--replicas=6")
    assert newest.run(*replicas) == "6"
    newest.run("edit", "deploy", "web", KUBE_EDITOR="sed -i s/web:1/web:2/")
    newest.run("set", "env", "deploy/web", "COLOR=green")
    template = newest.run("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec}")
    container = json.loads(template)["containers"][0]
    assert container["image"] == "web:2"
    assert container["env"] == [{"name": "COLOR", "value": "green"}]
    newest.run("rollout", "pause", "deploy/web")
    newest.run("rollout", "resume", "deploy/web")
    newest.run("rollout", "restart", "deploy/web")
    assert "replicas: 6" in newest.run("diff", "-f", file, code=1)
    if newest.minor >= 23:  # older ones wait for conditions only
        newest.run("wait", "--for=jsonpath={.spec.replicas}=6", "deploy/web", "--timeout=10s")


def test_creates_by_generators(kube: Kubectl) -> None:
    """What newer kubectls send as protobuf and older ones as JSON comes to the same object."""
    kube.run("create", "configmap", "cm", "--from-literal=a=b")
    kube.run("create", "secret", "generic", "hidden", "--from-literal=a=b")
    kube.run("create", "deployment", "made", "--image=x", "--replicas=3", "--port=80")
    kube.run("create", "job", "once", "--image=x", "--", "true")
    kube.run("create", "quota", "q", "--hard=cpu=1,pods=2")
    kube.run("create", "serviceaccount", "sa")
    kube.run("create", "service", "clusterip", "svc", "--tcp=80:8080")
    kube.run("expose", "deploy", "made", "--name=made2", "--port=80")
    assert kube.run("get", "cm", "cm", "-o", "jsonpath={.data}") == '{"a":"b"}'
    assert kube.run("get", "secret", "hidden", "-o", "jsonpath={.data.a}") == "Yg=="
    made = json.loads(kube.run("get", "deploy", "made", "-o", "json"))
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["template"]["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP"}
    ]
    service = json.loads(kube.run("get", "svc", "svc", "-o", "json"))
    assert service["spec"]["ports"][0]["targetPort"] == 8080
    quota = json.loads(kube.run("get", "quota", "q", "-o", "json"))
    assert quota["spec"]["hard"] == {"cpu": "1", "pods": "2"}


def test_server_side_apply_and_dry_run(newest: Kubectl, tmp_path: Path) -> None:
    """Conflicts name the manager, force takes over, a dry run leaves nothing behind."""
    file = manifest(tmp_path)
    assert "server dry run" in newest.run("apply", "--dry-run=server", "-f", file)
    assert "No resources found" in newest.run("get", "pods")
    newest.run("apply", "--server-side", "-f", file)
    newest.run("scale", "deploy", "web", "--replicas=7")
    text = MANIFEST.replace("replicas: 2", "replicas: 3")
    other = manifest(tmp_path, text)
    refused = newest.run("apply", "--server-side", "--field-manager=other", "-f", other, code=1)
    assert ".spec.replicas" in refused
    newest.run("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", other)
    assert newest.run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"


def test_strict_validation_names_the_field(kube: Kubectl, tmp_path: Path) -> None:
    """A typo is refused by the server: kubectl found fieldValidation in the OpenAPI paths."""
    file = manifest(tmp_path, MANIFEST.replace("replicas: 2", "replicsa: 2"))
    strict = kube.minor >= 25  # older ones leave validation to the server's warnings
    told = kube.run("apply", "-f", file, code=1 if strict else 0)
    assert 'unknown field "spec.replicsa"' in told


def test_explain_discovery_and_questions(kube: Kubectl) -> None:
    """What kubectl asks about the server itself."""
    if kube.minor >= 27:  # older ones want OpenAPI v2 with all definitions
        assert "RollingUpdate" in kube.run("explain", "deploy.spec.strategy")
    assert "deployments" in kube.run("api-resources")
    assert "apps/v1" in kube.run("api-versions").split()
    assert "v1.35.0" in kube.run("version")
    assert "is running at" in kube.run("cluster-info")
    assert kube.run("auth", "can-i", "create", "pods").strip() == "yes"
    assert "*.*" in kube.run("auth", "can-i", "--list")
    assert kube.run("get", "--raw", "/healthz") == "ok"
    if kube.minor >= 26:  # older ones have no such command
        assert "No events found" in kube.run("events")


def test_more_generators(newest: Kubectl) -> None:
    """The kinds that the matrix over versions leaves out."""
    newest.run("create", "role", "reader", "--verb=get", "--resource=pods")
    if newest.minor >= 21:  # older ones ask for batch/v1beta1, which is gone since 1.25
        newest.run("create", "cronjob", "often", "--image=x", "--schedule=*/5 * * * *")
    newest.run("create", "service", "clusterip", "svc", "--tcp=80:8080")
    newest.run("create", "ingress", "in", "--rule=a.example/*=svc:80")
    newest.run("create", "deployment", "made", "--image=x")
    newest.run("autoscale", "deploy", "made", "--max=3")
    newest.run("run", "alone", "--image=x")
    assert "a.example" in newest.run("get", "ingress", "in")


def test_delete_by_name_file_and_all(newest: Kubectl, tmp_path: Path) -> None:
    """Deletes wait until the objects are gone."""
    file = manifest(tmp_path)
    newest.run("apply", "-f", file)
    assert 'pod "one" deleted' in newest.run("delete", "pod", "one", "--timeout=20s")
    newest.run("delete", "-f", file, "--ignore-not-found", "--timeout=20s")
    newest.run("create", "secret", "generic", "a")
    newest.run("create", "secret", "generic", "b")
    newest.run("delete", "secret", "--all", "--timeout=20s")
    assert "No resources found" in newest.run("get", "secret")


def test_watch_shows_changes(newest: Kubectl) -> None:
    """A watch prints what was there and what comes."""
    newest.run("create", "secret", "generic", "before")
    process = subprocess.Popen(
        [str(newest.program), "-n", newest.namespace, "get", "secret", "-w", "--no-headers"],
        env=newest._environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("before")
        newest.run("create", "secret", "generic", "later")
        assert process.stdout.readline().startswith("later")
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_debug_adds_an_ephemeral_container(newest: Kubectl) -> None:
    """Only the new container goes over the wire, and the one before it stays."""
    newest.run("run", "one", "--image=web:1")
    newest.run("debug", "one", "--image=busybox", "--container=look", "--target=one")
    newest.run("debug", "one", "--image=other", "--container=again")
    path = "jsonpath={.spec.ephemeralContainers[*].image} {.spec.containers[*].image}"
    assert set(newest.run("get", "pod", "one", "-o", path).split()) == {
        "busybox",
        "other",
        "web:1",
    }
