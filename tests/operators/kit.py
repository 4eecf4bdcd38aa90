"""What the tests of the example operators share."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
from lightkube import AsyncClient, KubeConfig
from lightkube.config import models

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples/operators"
EPOCH = 1_767_225_600.0
"""2026-01-01T00:00:00Z"""


@contextlib.contextmanager
def example(directory: str, name: str, file: str = "") -> Iterator[ModuleType]:
    """Load an operator as its users' ``import`` would, for the block; under a name of its own."""
    path = EXAMPLES / directory / f"{file or name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[name]


@contextlib.asynccontextmanager
async def running(*works: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run coroutines beside the block; they end with it, and fail it if they failed."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


def since_epoch(moment: dt.datetime | None) -> float:
    """Return how many seconds after the beginning a moment is."""
    assert moment is not None
    return moment.timestamp() - EPOCH


def client_by(socket: Path, user_agent: str) -> AsyncClient:
    """Return lightkube's client, led to a cluster's Unix socket."""
    # Without `insecure` and `verify` it reads all the world's certificates, in vain and slowly.
    cluster = models.Cluster(server="http://cluster", insecure=True)
    config = KubeConfig.from_one(cluster=cluster, user=models.User()).get()
    transport = httpx2.AsyncHTTPTransport(uds=str(socket), verify=False)
    client = AsyncClient(config=config, transport=transport, field_manager=user_agent)
    client._client._client.headers["user-agent"] = user_agent
    return client
