"""A new user's session with a real, unmodified kubectl: the oldest and the newest at hand.

``tests/clients`` has a shorter one with every version between them.
"""

from __future__ import annotations

import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.demo.manifests import web_deployment, web_service
from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e


def manifests() -> str:
    """Return the Deployment, its Service and a NodePort Service with a port the server picks."""
    public = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web-public"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "web"},
            "ports": [{"port": 8080, "targetPort": "http"}],
        },
    }
    return yaml.safe_dump_all([web_deployment(), web_service(), public])


def fetch(url: str, *, deadline: float = 10) -> str:
    """Return the body, trying again while the pods' servers come up."""
    end = time.monotonic() + deadline
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_a_new_users_session(
    daemon: Daemon, edge_kubectl: Path, kubectl_minor: Callable[[Path], int], tmp_path: Path
) -> None:
    """Apply, look, reach, scale, update, roll back, patch, taint: every step as upstream's."""
    kubectl = Session(daemon, edge_kubectl)
    web = tmp_path / "web.yaml"
    web.write_text(manifests())

    applied = kubectl(f"apply -f {web}")
    assert "deployment.apps/web created" in applied
    assert "service/web created" in applied
    assert "successfully rolled out" in kubectl("rollout status deploy/web --timeout=30s")
    kubectl("wait --for=condition=Available deploy/web --timeout=30s")
    assert "unchanged" in kubectl(f"apply -f {web}")

    everything = kubectl("get nodes,deploy,rs,pods,svc -o wide")
    assert everything.count(" Ready ") == 3
    assert "5/5" in everything
    lines = kubectl("get pods -l app=web --no-headers").splitlines()
    assert len(lines) == 5
    assert all("1/1" in line and "Running" in line for line in lines)
    pod = lines[0].split()[0]
    found = kubectl.json(f"get pod {pod}")
    assert found["status"]["phase"] == "Running"
    assert yaml.safe_load(kubectl(f"get pod {pod} -o yaml"))["metadata"]["name"] == pod
    described = kubectl(f"describe pod {pod}")
    for word in ("Successfully assigned", "Started container web", "Running"):
        assert word in described
    assert "Scheduled" in kubectl("get events")

    service = kubectl.json("get svc web")
    address = service["spec"]["clusterIP"]
    assert fetch(f"http://{address}:8080").split()[1] == "blue"
    node_port = kubectl.json("get svc web-public")["spec"]["ports"][0]["nodePort"]
    node = kubectl.json("get node node-2")["status"]["addresses"][0]["address"]
    for host in ("127.0.0.1", node):
        assert fetch(f"http://{host}:{node_port}").split()[1] == "blue"
    kubectl(f"logs {pod}")
    assert "listening on" in kubectl(f"logs {pod} -c web --tail 5")

    kubectl("scale deploy web --replicas=8")
    kubectl("rollout status deploy/web --timeout=30s")
    assert kubectl.json("get deploy web")["status"]["readyReplicas"] == 8

    kubectl("set env deploy/web COLOR=green")
    kubectl("rollout status deploy/web --timeout=60s")
    assert fetch(f"http://{address}:8080").split()[1] == "green"
    history = kubectl("rollout history deploy/web")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    kubectl("rollout undo deploy/web")
    kubectl("rollout status deploy/web --timeout=60s")
    assert fetch(f"http://{address}:8080").split()[1] == "blue"
    kubectl("rollout pause deploy/web")
    kubectl("rollout resume deploy/web")

    kubectl("label deploy web tier=front")
    kubectl("annotate deploy web note=hello")
    assert "web" in kubectl("get deploy -l tier=front")
    kubectl("patch deploy web -p", '{"spec":{"replicas":4}}')
    kubectl(
        "patch deploy web --type=json -p", '[{"op":"replace","path":"/spec/replicas","value":3}]'
    )
    kubectl("patch deploy web --type=merge -p", '{"metadata":{"labels":{"tier":null}}}')
    assert kubectl.json("get deploy web")["spec"]["replicas"] == 3
    assert "tier" not in kubectl.json("get deploy web")["metadata"]["labels"]

    kubectl("create ns team")
    kubectl("create configmap settings -n team --from-literal=a=1")
    kubectl("create secret generic token -n team --from-literal=key=value")
    kubectl("create deployment idle -n team --image=idle --replicas=1")
    assert kubectl.json("get configmap settings -n team")["data"] == {"a": "1"}
    replaced = kubectl.json("get configmap settings -n team")
    replaced["data"] = {"a": "2"}
    kubectl("replace -f -", stdin=yaml.safe_dump(replaced))
    assert kubectl.json("get configmap settings -n team")["data"] == {"a": "2"}
    edit(daemon, edge_kubectl, tmp_path)
    kubectl("delete ns team --timeout=30s")
    assert "NotFound" in kubectl.refused("get ns team")

    if kubectl_minor(edge_kubectl) >= 27:  # older ones want OpenAPI v2 with all definitions
        explained = kubectl("explain deploy.spec.strategy")
        assert "RollingUpdate" in explained
        assert "strategy" in explained

    node = kubectl.json("get nodes")["items"][0]["metadata"]["name"]
    kubectl(f"taint nodes {node} k=v:NoSchedule")
    kubectl(f"cordon {node}")
    assert "SchedulingDisabled" in kubectl(f"get node {node}")
    kubectl(f"uncordon {node}")
    kubectl(f"taint nodes {node} k-")
    assert "Ready" in kubectl(f"describe node {node}")

    kubectl(f"delete -f {web} --timeout=30s")
    kubectl("wait --for=delete pod -l app=web --timeout=30s")
    assert kubectl("get pods -l app=web --no-headers") == ""


def edit(daemon: Daemon, program: Path, tmp_path: Path) -> None:
    """Change a value with ``kubectl edit`` through a real editor script."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/a: .2.$/a: three/" "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        [str(program), "edit", "configmap", "settings", "-n", "team"],
        env={
            "KUBECONFIG": str(daemon.kubeconfig),
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "KUBE_EDITOR": str(editor),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    value = Session(daemon, program).json("get configmap settings -n team")["data"]["a"]
    assert value == "three"


def test_logs_follow_a_running_container(daemon: Daemon, kubectl: Path) -> None:
    """``kubectl logs -f`` prints lines as they come and ends when the pod does."""
    session = Session(daemon, kubectl)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "count"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "c",
                    "image": "none",
                    "command": ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.3; done"],
                }
            ],
        },
    }
    session("apply -f -", stdin=yaml.safe_dump(pod))
    deadline = time.monotonic() + 20
    while session.json("get pod count")["status"]["phase"] == "Pending":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert session("logs -f count") == "line 1\nline 2\nline 3\n"
    assert session("logs count --tail=1") == "line 3\n"
    while session.json("get pod count")["status"]["phase"] == "Running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert session.json("get pod count")["status"]["phase"] == "Succeeded"
