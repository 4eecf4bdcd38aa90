"""kubectl from 1.32 on, which sends protobuf and asks for it: a real Go client of both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from orchestrator.api import _requests, protobuf
from orchestrator.api.protobuf import message_of
from orchestrator.api.protobuf.generate import collect
from orchestrator.resources.kinds import Kind
from tests.api.conftest import Kubectl

TABLE: Final = Path(protobuf.__file__).parent / "messages.txt"

pytestmark = pytest.mark.e2e

CREATED: Final = """
create configmap cm --from-literal=a=b
create secret generic hidden --from-literal=a=b
create deployment web --image=x --replicas=3 --port=80
create job once --image=x -- true
create cronjob cron --image=x --schedule=@daily
create quota q --hard=services=9,pods=20
create serviceaccount sa
create service nodeport svc --tcp=80:8080
create ingress ing --rule=a.example/p=svc:80,tls=my-cert
create role r --verb=get --resource=pods
create rolebinding rb --role=r --user=u
create poddisruptionbudget pdb --min-available=50% --selector=app=web
autoscale deployment web --min=1 --max=3
run pod --image=nginx --port=80 --env=A=b
"""
DESCRIBED: Final = (
    "cm/cm",
    "secret/hidden",
    "deploy/web",
    "job/once",
    "cronjob/cron",
    "quota/q",
    "sa/sa",
    "svc/svc",
    "ing/ing",
    "role/r",
    "rolebinding/rb",
    "pdb/pdb",
    "hpa/web",
    "pod/pod",
)
MANIFEST: Final = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "claim"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.fixture
def speaker(newest: Kubectl) -> Kubectl:
    """A kubectl that prefers protobuf."""
    if newest.minor < 32:
        pytest.skip("kubectl speaks protobuf from 1.32 on")
    return newest


def test_descriptions_read_alike_in_protobuf_and_in_json(
    speaker: Kubectl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What Go's decoder makes of the answers is what it makes of their JSON."""
    for line in CREATED.strip().splitlines():
        speaker.run(*line.split())
    manifest = tmp_path / "claim.json"
    manifest.write_text(json.dumps(MANIFEST))
    speaker.run("apply", "-f", str(manifest))
    spoken = []

    def has_protobuf(kind: Kind | None) -> bool:
        spoken.append(kind)
        return kind is None or message_of(kind.api_version, kind.kind) is not None

    described = {}
    for way, asked in (("protobuf", has_protobuf), ("json", lambda kind: kind is None)):
        with monkeypatch.context() as patched:
            patched.setattr(_requests, "has_protobuf", asked)
            described[way] = [
                speaker.run("describe", what) for what in (*DESCRIBED, "pvc/claim", "ns/default")
            ]
    assert len(spoken) >= len(DESCRIBED)
    assert described["protobuf"] == described["json"]


def test_a_rollout_and_its_history_are_read(speaker: Kubectl) -> None:
    """The typed calls behind scale, set, label, auth and cordon's kin work in protobuf."""
    speaker.run("create", "deployment", "web", "--image=x")
    speaker.run("scale", "deploy/web", "--replicas=2")
    speaker.run("set", "image", "deploy/web", "x=y")
    assert "deployment.apps/web" in speaker.run("rollout", "history", "deploy/web")
    assert speaker.run("auth", "can-i", "get", "pods").strip() == "yes"
    assert "Username" in speaker.run("auth", "whoami")
    assert "configmap/none" not in speaker.run("get", "configmaps", "-o", "name")
    assert "NotFound" in speaker.run("describe", "pod", "none", code=1)


def test_types_are_explained_from_either_document(kube: Kubectl) -> None:
    """Version 2, which older kubectls take as protobuf only, tells what version 3 tells."""
    if kube.minor < 27:
        pytest.skip("kubectl chooses between the documents from 1.27 on")
    told = kube.run("explain", "pod.spec.containers.ports", "--output=plaintext-openapiv2")
    assert "List of ports to expose from the container." in told
    assert "Number of port to expose on the pod's IP address." in told
    fields = kube.run("explain", "deploy", "--recursive", "--output=plaintext-openapiv2")
    assert "progressDeadlineSeconds\t<integer>" in fields


def test_the_table_says_what_the_program_says(
    kubectl: Path, kubectl_minor: Callable[[Path], int]
) -> None:
    """Every field of every message in kubectl's type records stands in the table, and alike."""
    if kubectl_minor(kubectl) < 31:
        pytest.skip("the table has messages from v1.31 on")
    found = collect([kubectl])
    assert len(found["core.v1.PodSpec"]) > 30
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    # What a zero looks like in JSON has changed for some fields; what is on the wire never does.
    known = {(name, cell.replace(":!", ":")) for name, *cells in lines for cell in cells}
    told = {
        (name, cell.replace(":!", ":")) for name, cells in found.items() for cell in cells.values()
    }
    assert told <= known
