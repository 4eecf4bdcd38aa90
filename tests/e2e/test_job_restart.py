"""A Job whose processes end while the daemon is dead: they are counted by the next one, once.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e


def job(done: Path) -> dict[str, Any]:
    """Build a Job of two parts: one ends well, the other badly at first, once a file is there."""
    script = f"""
        until [ -e {done} ]; do sleep 0.05; done
        echo part $JOB_COMPLETION_INDEX
        if [ $JOB_COMPLETION_INDEX = 1 ] && [ ! -e {done}.again ]; then
            touch {done}.again
            exit 7
        fi
    """
    container = {"name": "main", "image": "x", "command": ["sh", "-c", script]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "parts"},
        "spec": {
            "completions": 2,
            "parallelism": 2,
            "completionMode": "Indexed",
            "template": {"spec": {"restartPolicy": "OnFailure", "containers": [container]}},
        },
    }


def test_parts_that_end_while_the_daemon_is_dead_are_counted(
    daemon: Daemon, kubectl: Path, tmp_path: Path
) -> None:
    """Exit codes outlive it; what failed is restarted, what succeeded is not run again."""
    session = Session(daemon, kubectl)
    done = tmp_path / "done"
    session("apply -f -", stdin=yaml.safe_dump(job(done)))
    session("wait --for=jsonpath={.status.ready}=2 job/parts --timeout=30s")
    daemon.kill()
    done.touch()
    end = time.monotonic() + 20
    while not done.with_name("done.again").exists():
        assert time.monotonic() < end, "the processes did not end"
        time.sleep(0.05)
    daemon.start()
    session("wait --for=condition=complete job/parts --timeout=60s")
    status = session.json("get job parts")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (2, "0,1")
    assert "failed" not in status  # it was restarted in place
    assert len(session.json("get pods -l job-name=parts")["items"]) == 2
    assert daemon.stop() == 0
