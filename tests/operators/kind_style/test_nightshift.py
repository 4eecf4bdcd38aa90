"""The kr8s controller as one tests it against kind: nights of a few seconds.

Its schedule is of minutes, and the computer's clock cannot be turned: an author who does not wait
for the evening puts its edge into the next minute, and waits for that.
"""

from __future__ import annotations

import datetime as dt

import pytest
import yaml
from lightkube import Client
from lightkube.resources.apps_v1 import Deployment

from tests.operators.kind_style.conftest import Programs
from tests.operators.kind_style.pace import Pace
from tests.operators.kit import EXAMPLES

pytestmark = pytest.mark.e2e

HOURS = "nightshift.example.com/hours"
NIGHT = 2.0
"""Seconds, in place of twelve hours; the day before it is as long."""


def test_a_deployment_sleeps_and_wakes(client: Client, pace: Pace, programs: Programs) -> None:
    """In the evening it has no replicas, in the morning as many as before."""
    shop = yaml.safe_load((EXAMPLES / "nightshift" / "shop.yaml").read_text())
    now = dt.datetime.now(dt.UTC)
    evening = (now + dt.timedelta(seconds=NIGHT + 2)).time().replace(microsecond=0, tzinfo=None)
    morning = (now + dt.timedelta(seconds=2 * NIGHT + 2)).time().replace(microsecond=0)
    shop["metadata"]["annotations"] = {HOURS: f"{morning.isoformat()}-{evening.isoformat()}"}
    programs.start("nightshift", str(EXAMPLES / "nightshift" / "nightshift.py"), client.namespace)
    client.create(Deployment.from_dict(shop))

    def ready() -> int:
        return client.get(Deployment, "shop").status.readyReplicas or 0

    pace.until(lambda: ready() == 3)
    pace.until(lambda: client.get(Deployment, "shop").spec.replicas == 0, instead_of=8 * 3600)
    pace.until(lambda: ready() == 0)
    pace.until(lambda: ready() == 3, instead_of=12 * 3600)
    assert programs.said("nightshift") == ""
