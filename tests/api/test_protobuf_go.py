"""Upstream's own Go client, compiled: typed calls, an informer and metadata in protobuf."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.api.conftest import LiveServer
from tests.conftest import missing

pytestmark = pytest.mark.e2e

SOURCE: Final = Path(__file__).parent / "goclient"

QUICKLY: Final = ("-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w")
"""Neither optimised nor for a debugger: the program runs for a second, compiled it is each time."""


@pytest.fixture(scope="session")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, compiled from what ``.ci/unpack-client-go`` left; it takes half a minute."""
    root = Path(os.environ.get("ORCHESTRATOR_TEST_GO", "/nowhere"))
    compilers = sorted(root.glob("usr/lib/go-*/bin/go"))
    if not compilers:
        missing("client-go")
    directory = tmp_path_factory.mktemp("go")
    program = directory / "client"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GOROOT": str(compilers[-1].parents[1]),
        "GOPATH": str(root / "usr/share/gocode"),
        "GOCACHE": os.environ.get("GOCACHE", str(directory / "cache")),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "GOGC": "400",  # a compiler that ends soon need not collect much
    }
    subprocess.run(
        [compilers[-1], "build", *QUICKLY, "-o", program, "."],
        cwd=SOURCE,
        env=environment,
        check=True,
        timeout=600,
    )
    return program


@pytest.mark.parametrize(
    ("namespace", "feature"),
    [("go-list", "false"), ("go-watch", "true")],
    ids=["list and watch", "watch list"],
)
def test_a_go_client_works_in_protobuf(
    go_client: Path, live_server: LiveServer, namespace: str, feature: str
) -> None:
    """Writes, conflicts, pages, options, an informer and metadata, with either way to list."""
    done = subprocess.run(
        [go_client, live_server.kubeconfig, namespace],
        env={**os.environ, "KUBE_FEATURE_WatchListClient": feature},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert output.splitlines()[-1] == "done"
    assert "falling back" not in output
