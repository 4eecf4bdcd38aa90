"""Volumes of pods that are processes, as kubectl sees them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.node.process.supervisor.mounting import probe
from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"tier": "front"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "c",
                "image": "none",
                "command": ["sleep", "300"],
                "volumeMounts": [
                    {"name": "settings", "mountPath": "/etc/web-settings"},
                    {"name": "all", "mountPath": "/projected"},
                    {"name": "scratch", "mountPath": "/scratch"},
                ],
            }
        ],
        "volumes": [
            {"name": "settings", "configMap": {"name": "settings"}},
            {
                "name": "all",
                "projected": {
                    "sources": [
                        {"secret": {"name": "key"}},
                        {
                            "downwardAPI": {
                                "items": [
                                    {
                                        "path": "labels",
                                        "fieldRef": {"fieldPath": "metadata.labels"},
                                    }
                                ]
                            }
                        },
                    ]
                },
            },
            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    },
}


def until(check: Callable[[], bool]) -> None:
    """Try again until something is true, for a while."""
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


def test_a_users_pod_reads_its_configuration_at_the_paths_it_names(
    daemon: Daemon, kubectl: Path, tmp_path: Path
) -> None:
    """It waits for it, sees changes, writes its scratch space; nothing is left in the end."""
    if probe(str(tmp_path)):
        pytest.skip("no mount namespaces here")
    session = Session(daemon, kubectl)
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(POD))
    session(f"apply -f {file}")
    told = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    until(lambda: told in session("describe pod web"))
    assert "ContainerCreating" in session("get pod web")
    session("create secret generic key --from-literal=token=secret")
    session("create configmap settings --from-literal=color=red")
    session("wait pod/web --for=condition=Ready --timeout=30s")
    assert session("exec web -- cat /etc/web-settings/color") == "red"
    seen = session("exec web -- cat /projected/token /projected/labels")
    assert seen == 'secrettier="front"'
    script = "echo x > /scratch/x && stat -f -c %T /scratch"
    assert session("exec", "web", "--", "sh", "-c", script).strip() == "tmpfs"
    session("patch", "configmap", "settings", "-p", '{"data":{"color":"blue"}}')
    until(lambda: session("exec web -- cat /etc/web-settings/color") == "blue")
    described = session("describe pod web")
    assert "VolumesMounted" in described
    assert "spec.volumes[2].emptyDir.sizeLimit" in described
    session("delete pod web")
    assert [path.name for path in (daemon.state / "mounts").iterdir()] == [".trash"]
    assert not Path("/etc/web-settings").exists()
    assert not Path("/scratch").exists()


def test_a_claims_data_passes_from_pod_to_pod_and_ends_with_the_claim(
    daemon: Daemon, kubectl: Path, tmp_path: Path
) -> None:
    """Made by the default StorageClass when the first pod comes; an ephemeral one goes with it."""
    session = Session(daemon, kubectl)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    found = (
        "cat $ORCHESTRATOR_MOUNT_NO_SUCH_DATA/x" if probe(str(tmp_path)) else "cat /no-such/data/x"
    )
    objects: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": claim,
        }
    ]
    for name, script in (("one", found.replace("cat ", "echo kept > ")), ("two", found)):
        container = {
            "name": "c",
            "image": "none",
            "command": ["sh", "-c", script],
            "volumeMounts": [
                {"name": "data", "mountPath": "/no-such/data"},
                {"name": "own", "mountPath": "/no-such/own"},
            ],
        }
        spec = {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}},
            ],
        }
        objects.append(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        )
    file = tmp_path / "objects.yaml"
    for pod in objects[1:]:
        file.write_text(yaml.safe_dump_all([objects[0], pod]))
        session(f"apply -f {file}")
        done = "jsonpath={.status.phase}=Succeeded"
        session(f"wait pod/{pod['metadata']['name']} --for={done} --timeout=30s")
    assert session("logs two") == "kept\n"
    volumes = daemon.state / "volumes"
    assert len(list(volumes.iterdir())) == 3
    session("delete pod one two")
    session("delete pvc data")
    until(lambda: list(volumes.iterdir()) == [])
