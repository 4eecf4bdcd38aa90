"""Sessions with ``@kubernetes/client-node``: typed clients, informers and watches, any object."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.manifests import custom_kind
from tests.conftest import missing

pytestmark = pytest.mark.e2e

SESSIONS = Path(__file__).with_name("node")


def modules() -> Path:
    """Return the folder that npm installed the client into, or skip."""
    folder = Path(os.environ.get("ORCHESTRATOR_TEST_NODE") or SESSIONS) / "node_modules"
    if not (folder / "@kubernetes" / "client-node").is_dir():
        missing("@kubernetes/client-node")
    return folder


@pytest.mark.parametrize("session", ["typed", "informers", "objects", "streams"])
def test_a_session(
    session: str,
    require_program: Callable[[str], str],
    kubeconfig: str,
    namespace: str,
    tmp_path: Path,
) -> None:
    """The script asserts each of its steps; it ends with a line that says so."""
    node = require_program("node")
    scripts = tmp_path / "scripts"
    shutil.copytree(SESSIONS, scripts, ignore=shutil.ignore_patterns("node_modules"))
    (scripts / "node_modules").symlink_to(modules(), target_is_directory=True)
    done = subprocess.run(
        [node, str(scripts / f"{session}.mjs")],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KUBECONFIG": kubeconfig,
            "SESSION_NAMESPACE": namespace,
            "SESSION_DEFINITION": json.dumps(custom_kind("wheels", "Wheel")),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("session ended\n"), done.stdout + done.stderr
