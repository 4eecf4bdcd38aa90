"""Code that reads the computer's clock, shown a cluster's; clients on a loop of virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import types
from pathlib import Path

import httpx
import pytest

from actors.testing import virtual
from orchestrator import Cluster, ClusterError
from tests.embedded.kit import EPOCH, on_a_real_loop

CODE = """
import datetime, time
from datetime import datetime as moment
from time import time as seconds

def readings():
    utc = datetime.timezone.utc
    return [
        datetime.datetime.now(utc).timestamp(), moment.now(utc).timestamp(),
        moment.utcnow().replace(tzinfo=utc).timestamp(), moment.today().timestamp(),
        time.time(), seconds(),
    ]

def is_moment(value):
    return isinstance(value, moment)
"""


@on_a_real_loop
async def test_named_modules_read_the_clusters_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they imported it, for the block only, and others do not."""
    package, inner = types.ModuleType("dated"), types.ModuleType("dated.inner")
    for module in (package, inner):
        exec(CODE, vars(module))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "dated_not", types.ModuleType("dated_not"))
    async with Cluster(nodes=0, listen=None, epoch=EPOCH) as cluster:
        with cluster.clock.shown_to("dated"):
            await cluster.clock.advance(hours=1)
            assert set(inner.readings()) == set(package.readings()) == {EPOCH + 3600}
            assert inner.is_moment(dt.datetime.now(dt.UTC))
            assert dt.datetime.now(dt.UTC).timestamp() > EPOCH + 7200
        assert min(inner.readings()) > EPOCH + 7200
        assert inner.datetime is dt
        with (
            pytest.raises(ValueError, match="no module undated is loaded: import it before"),
            cluster.clock.shown_to("dated", "undated"),
        ):
            pass
        assert package.datetime is dt


@virtual
async def test_clients_on_a_loop_of_virtual_time_come_by_a_unix_socket(tmp_path: Path) -> None:
    """What they wait for on their loop passes with the cluster's time, and at once."""
    socket = tmp_path / "api.sock"
    async with (
        Cluster(time="auto", nodes=0, listen=socket, epoch=EPOCH) as cluster,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket))) as client,
    ):
        for _ in range(3):
            answer = await client.get("http://cluster/api/v1/namespaces/default")
            assert answer.json()["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
            await asyncio.sleep(86_400)
        assert cluster.clock.now() == EPOCH + 3 * 86_400


@on_a_real_loop
async def test_automatic_time_with_a_socket_wants_such_a_loop(tmp_path: Path) -> None:
    """On another nobody could tell when the clients are done."""
    with pytest.raises(ClusterError, match="wants a loop of virtual time"):
        async with Cluster(time="auto", listen=tmp_path / "api.sock"):
            pass
