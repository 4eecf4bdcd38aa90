"""A claim, a real process that keeps data in it, and nothing left when the claim is gone.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "keeper"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "main",
                "image": "none",
                "command": ["sleep", "1000"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}


def test_a_claims_directory_lives_as_long_as_the_claim(daemon: Daemon, kubectl: Path) -> None:
    """Made for the pod that comes first, kept for the next one, deleted with the claim."""
    session = Session(daemon, kubectl)
    session("apply -f -", stdin=yaml.safe_dump_all([CLAIM, POD]))
    session("wait --for=condition=Ready pod/keeper --timeout=60s")
    session("wait --for=jsonpath={.status.phase}=Bound pvc/data --timeout=10s")
    claim = session.json("get pvc data")
    volume = session.json(f"get pv {claim['spec']['volumeName']}")
    directory = Path(volume["spec"]["hostPath"]["path"])
    assert directory.parent == daemon.state / "volumes"
    assert directory.is_dir()
    (directory / "kept").touch()
    assert "local-path (default)" in session("get storageclass")
    assert "ProvisioningSucceeded" in session("describe pvc data")
    session("delete pod keeper --timeout=60s")
    assert (directory / "kept").exists()
    session("delete pvc data --timeout=60s")
    session(f"wait --for=delete pv/{volume['metadata']['name']} --timeout=60s")
    assert not directory.exists()
