"""The lightkube reconciler as one tests it against kind: its own process, hooks every second."""

from __future__ import annotations

import json
import subprocess

import pytest
from lightkube import Client
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Service

from tests.operators.kind_style.conftest import Programs, found
from tests.operators.kind_style.pace import Pace
from tests.operators.kit import EXAMPLES

pytestmark = pytest.mark.e2e

HOOK = 0.5
"""Seconds between hooks, in place of five minutes."""


def test_an_application_over_its_configurations(
    client: Client, pace: Pace, programs: Programs
) -> None:
    """Active, drifted and taken back, refused, pruned."""
    running: subprocess.Popen[bytes] | None = None

    def configure(log: str, **config: object) -> None:
        nonlocal running
        if running is not None:
            running.kill()
        running = programs.start(
            log,
            str(EXAMPLES / "charm" / "charm.py"),
            "web",
            json.dumps(config),
            NAMESPACE=client.namespace,
            UPDATE_STATUS_SECONDS=str(HOOK),
        )

    configure("first", replicas=2, cache=True)
    pace.until(lambda: "active" in programs.said("first"), instead_of=300)
    client.patch(Deployment, "web", {"spec": {"replicas": 5}})
    client.patch(ConfigMap, "web", {"data": {"greeting": "changed"}})
    client.delete(Service, "web")
    pace.until(lambda: client.get(Deployment, "web").spec.replicas == 2, instead_of=300)
    pace.until(lambda: client.get(ConfigMap, "web").data["greeting"] == "hello")
    pace.until(lambda: found(client, Service, "web"))
    configure("refused", replicas=-1)
    pace.until(lambda: "must be greater than or equal to 0" in programs.said("refused"))
    configure("last", replicas=1)
    pace.until(lambda: found(client, Deployment, "web-cache") is None)
    pace.until(lambda: "active" in programs.said("last"), instead_of=300)
