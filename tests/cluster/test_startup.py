"""What a cluster in a test need not pay for is not loaded: it starts in milliseconds."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Final

import orchestrator

SELDOM: Final = frozenset(
    {
        "aiosqlite",  # a data directory
        "cryptography",  # TLS
        "httpx",  # webhooks and aggregated servers
        "jwt",  # tokens of ServiceAccounts
        "kubernetes_validate",  # only its files are read
        "orchestrator.api.protobuf",  # a client that speaks it
        "orchestrator.bench",
        "orchestrator.cli",
        "orchestrator.network",  # processes
        "orchestrator.node.process",
        "orchestrator.resources.cel.compiling",  # policies and rules of custom resources
        "orchestrator.resources.openapi",  # a client that asks for the documents
        "prometheus_client",  # a scrape
        "re2",  # a pattern
        "rich",  # the command line
        "sqlite3",
        "structlog",  # a line of the log
        "typer",
        "encodings.idna",  # a name that is no address
        "wsproto",  # a WebSocket
        "yaml",  # a body in YAML
        "zoneinfo",  # a CronJob's time zone
    }
)
"""Modules that take milliseconds to load, and what they are loaded for."""

IMPORT: Final = "import orchestrator; orchestrator.Cluster"

LIVE: Final = """
import asyncio
from orchestrator import Cluster

async def live():
    async with Cluster(nodes=3) as cluster:
        port = int(cluster.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/nodes HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert answer.count(b'"name":"node-') >= 3, answer
        writer.close()

asyncio.run(live())
"""


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(told.stdout))


def test_importing_a_cluster_loads_nothing_that_it_seldom_needs() -> None:
    """What it is sure to need is there."""
    loaded = loaded_by(IMPORT)
    assert "orchestrator.embedded.cluster" in loaded
    assert loaded & SELDOM == set()


def test_a_plain_cluster_that_is_asked_and_closed_loads_nothing_that_it_seldom_needs() -> None:
    """In memory, with simulated nodes, over plain HTTP."""
    loaded = loaded_by(LIVE)
    assert "orchestrator.embedded.cluster" in loaded
    assert loaded & SELDOM == set()


def test_importing_leaves_the_collector_as_it_was() -> None:
    """A program that embeds a cluster keeps its own settings."""
    was = gc.isenabled()
    try:
        for enabled in (True, False):
            (gc.enable if enabled else gc.disable)()
            assert orchestrator.Cluster is not None
            assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
