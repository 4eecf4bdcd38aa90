"""The kopf operator as one tests it against kind: its own process, real time, short intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube import Client, codecs
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod, Secret
from lightkube.types import PatchType

from tests.operators.kind_style.conftest import Programs, found
from tests.operators.kind_style.pace import Pace
from tests.operators.kit import EXAMPLES

pytestmark = pytest.mark.e2e

DIRECTORY = EXAMPLES / "database"
Database = create_namespaced_resource(
    "data.example.com", "v1", "EphemeralDatabase", "ephemeraldatabases"
)
ROTATION, HEALTH, RETRY = 2.0, 0.3, 0.3
"""The operator's intervals here, in place of an hour, 30 s and 10 s."""


def status(client: Client) -> dict[str, Any]:
    """Return what the database says of itself."""
    said: dict[str, Any] = client.get(Database, "orders").get("status") or {}
    return said


def define(client: Client, pace: Pace) -> None:
    """Define the kind, as `kubectl apply` would, and wait for it to be served."""
    definition = yaml.safe_load(Path(DIRECTORY / "crd.yaml").read_text())
    client.apply(CustomResourceDefinition.from_dict(definition), force=True)

    def established() -> bool:
        conditions = client.get(CustomResourceDefinition, definition["metadata"]["name"]).status
        return any(c.type == "Established" and c.status == "True" for c in conditions.conditions)

    pace.until(established)


def test_a_database_from_order_to_backup(client: Client, pace: Pace, programs: Programs) -> None:
    """Ready, watched, rotated twice, resized, degraded and well again, saved before it goes."""
    define(client, pace)
    programs.start(
        "operator",
        *("-m", "kopf", "run", str(DIRECTORY / "ephemeral_databases.py"), "--standalone"),
        f"--namespace={client.namespace}",
        ROTATION_SECONDS=str(ROTATION),
        HEALTH_SECONDS=str(HEALTH),
        RETRY_SECONDS=str(RETRY),
    )
    (order,) = codecs.load_all_yaml((DIRECTORY / "orders.yaml").read_text())
    client.create(order)
    pace.until(lambda: status(client).get("phase") == "Ready")
    first = client.get(Secret, "orders").data
    pace.until(lambda: status(client).get("health") == "Healthy", instead_of=30)
    pace.until(lambda: client.get(Secret, "orders").data != first, instead_of=3600)
    pace.until(lambda: status(client).get("rotations") == 2, instead_of=3600)

    change = {"spec": {"replicas": 2}}
    client.patch(Database, "orders", change, patch_type=PatchType.MERGE)
    pace.until(lambda: client.get(StatefulSet, "orders").status.readyReplicas == 2)

    broken = {"spec": {"template": {"spec": {"nodeSelector": {"no-such": "node"}}}}}
    client.patch(StatefulSet, "orders", broken)
    client.delete(Pod, "orders-0")
    pace.until(lambda: status(client)["health"] == "Degraded", instead_of=90)
    mended = {"spec": {"template": {"spec": {"nodeSelector": None}}}}
    client.patch(StatefulSet, "orders", mended)
    if stuck := next((pod for pod in client.list(Pod) if pod.status.phase == "Pending"), None):
        client.delete(Pod, stuck.metadata.name)  # an ordered set does not replace it by itself
    pace.until(lambda: status(client)["health"] == "Healthy", instead_of=30)

    client.delete(Database, "orders")
    pace.until(lambda: found(client, Database, "orders") is None, instead_of=10)
    (job,) = client.list(Job, labels={"backup-of": "orders"})
    assert job.status.succeeded == 1
    pace.until(lambda: found(client, StatefulSet, "orders") is None)
