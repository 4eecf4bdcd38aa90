"""Pods that use the API with their own ServiceAccount, and users of a daemon."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.node.process.supervisor.mounting import probe
from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e


def pod(
    name: str,
    kubectl: Path,
    *words: str,
    account: str = "default",
    env: object = (),
    **spec: object,
) -> str:
    """Return the manifest of a pod that runs kubectl once."""
    container = {"name": "c", "image": "none", "command": [str(kubectl), *words], "env": env}
    whole = {
        "serviceAccountName": account,
        "restartPolicy": "Never",
        "containers": [container],
        **spec,
    }
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}
    )


def test_a_pod_is_its_service_account(daemon: Daemon, kubectl: Path, tmp_path: Path) -> None:
    """An unmodified client in a process finds token and server; a restart keeps the key."""
    session = Session(daemon, kubectl)
    session("create serviceaccount bot")
    session("create rolebinding bot --clusterrole=view --serviceaccount=default:bot")
    file = tmp_path / "pods.json"

    def logs(name: str, *words: str, account: str = "bot", **spec: object) -> str:
        file.write_text(pod(name, kubectl, *words, account=account, **spec))
        session(f"apply -f {file}")
        phase = "jsonpath={.status.phase}"
        session(f"wait pod/{name} --for={phase}=Succeeded --timeout=30s")
        return session(f"logs {name}")

    assert "system:serviceaccount:default:bot" in logs("who", "auth", "whoami")
    assert "who " in logs("list", "get", "pods")
    if os.getuid() == 0 and not probe(str(tmp_path)):
        # As every client library does that has no kubeconfig: it takes the right to port 443.
        plain = [{"name": "KUBECONFIG", "value": ""}]
        assert "system:serviceaccount:default:bot" in logs("plain", "auth", "whoami", env=plain)
        session("delete pod plain --now")
    stored = json.loads(session("get pod who -o json"))
    (volume,) = stored["spec"]["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    (mount,) = stored["spec"]["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    token = session("create token bot").strip()
    session("delete pod who list --now")
    assert [path.name for path in (daemon.state / "mounts").iterdir()] == [".trash"]
    assert daemon.stop() == 0
    daemon.start()
    reviewed = session(f"--token={token} auth whoami")
    assert "system:serviceaccount:default:bot" in reviewed
