"""What a cluster in a test need not pay for is not loaded: it starts in milliseconds."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from orchestrator import lazily

SELDOM: Final = frozenset(
    {
        "aiosqlite",  # a data directory
        "actors._statistics",
        "cryptography",  # TLS
        "difflib",  # a name that is nearly another one
        "httpx",  # webhooks and aggregated servers
        "jwt",  # tokens of ServiceAccounts
        "kubernetes_validate",  # only its files are read
        "orchestrator.api.protobuf",  # a client that speaks it
        "orchestrator.bench",
        "orchestrator.cli",
        "orchestrator.embedded.client.client",
        "orchestrator.embedded.kinds.manifests",  # objects to apply
        "orchestrator.embedded.waiting.possible",  # a wait
        "orchestrator.embedded.waiting.conditions",
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
        "orchestrator.api._forwarding",  # a server behind an APIService
        "orchestrator.api._subresources",
        "orchestrator.api._websockets",
        "orchestrator.api._writing",  # a client that writes
        "orchestrator.api.faults.rules",  # a fault
        "orchestrator.node.images",  # what a program says of its images
        "orchestrator.node.launching",  # a pod
        "orchestrator.node.pods",
        "orchestrator.node.resting",
        "orchestrator.node.simulated_logs",
        "orchestrator.node.usage.loads",  # kubectl top, an autoscaler
        "orchestrator.node.volumes.directories",
        "orchestrator.policies.matching",  # a policy
        "orchestrator.resources.patches.apply",
        "orchestrator.resources.patches.managed_fields",
        "orchestrator.resources.printing.tables",  # kubectl get
        "orchestrator.resources.strategies.pods",
        "orchestrator.scheduler.configuration",  # a pod, or a configuration of one's own
        "orchestrator.scheduler.core",
        "orchestrator.scheduler.scheduler",
        "orchestrator.webhooks.admission",  # a webhook
        "wsproto",  # a WebSocket
        "yaml",  # a body in YAML
        "zoneinfo",  # a CronJob's time zone
    }
)
"""Modules that take milliseconds to load, and what they are loaded for."""

NEEDED: Final = frozenset({"apiservices", "clusterroles", "garbage", "namespaces", "nodes"})
"""Packages of the controllers that every cluster needs; all others sleep until they are needed."""

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
    assert controllers(loaded) == NEEDED


def test_a_plain_cluster_that_is_asked_and_closed_loads_nothing_that_it_seldom_needs() -> None:
    """In memory, with simulated nodes, over plain HTTP."""
    loaded = loaded_by(LIVE)
    assert "orchestrator.embedded.cluster" in loaded
    assert loaded & SELDOM == set()
    assert controllers(loaded) == NEEDED | {"system"}


def test_what_is_loaded_later_is_there() -> None:
    """A module that has moved would have its name in the list for nothing."""
    ours = [name for name in SELDOM if name.startswith("orchestrator.")]
    assert [name for name in ours if find_spec(name) is None] == []


@pytest.mark.parametrize(
    "package",
    [
        "orchestrator",
        "orchestrator.api.faults",
        "orchestrator.controllers",
        "orchestrator.node",
        "orchestrator.node.usage",
        "orchestrator.node.volumes",
        "orchestrator.resources.patches",
        "orchestrator.resources.printing",
        "orchestrator.scheduler",
        "orchestrator.webhooks",
    ],
)
def test_a_package_exports_what_it_loads_later(package: str) -> None:
    """Each name leads to a module that has it; any other one is missing, as in every module."""
    exporting = import_module(package)
    for name in exporting.__all__:
        assert getattr(exporting, name) is not None
        assert name in vars(exporting), "found without a search from the second time on"
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nothing'"):
        _ = exporting.Nothing


def controllers(loaded: set[str]) -> set[str]:
    """Return whose actors are loaded, by package."""
    found = (name.split(".") for name in loaded if name.startswith("orchestrator.controllers."))
    return {parts[2] for parts in found if parts[-1] in {"actor", "pods"} and len(parts) == 4}


def test_importing_leaves_the_collector_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that embeds a cluster keeps its own settings; the collector rests meanwhile."""
    monkeypatch.syspath_prepend(tmp_path)
    was = gc.isenabled()
    try:
        for enabled in (True, False):
            name = f"collected_{enabled}".lower()
            (tmp_path / f"{name}.py").write_text("import gc\nCOLLECTS = gc.isenabled()\n")
            (gc.enable if enabled else gc.disable)()
            assert lazily.load(name).COLLECTS is False
            assert gc.isenabled() is enabled
            del sys.modules[name]
    finally:
        (gc.enable if was else gc.disable)()
