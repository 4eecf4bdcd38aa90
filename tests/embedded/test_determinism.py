"""With a seed and an epoch, two runs record the same log (docs/library/travel.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, json, sys, urllib.request
from orchestrator import Cluster, StatusError
from tests.embedded.kit import EPOCH, config_map, deployment

async def main():
    async with Cluster(nodes=2, seed=5, epoch=EPOCH) as cluster:
        @cluster.image("web:1")
        async def web(container):
            while True:
                await container.sleep(7)
                container.log(container.now())
        with cluster.faults.api(verb="create", error=500, probability=0.5):
            for number in range(8):
                try:
                    await cluster.api.create(config_map(f"settings-{number}"))
                except StatusError:
                    pass
        await cluster.apply(deployment())
        await cluster.wait("deployment/web", "Available")
        ask = f"{cluster.url}/api/v1/namespaces/default/configmaps"
        body = json.dumps({**config_map(), "metadata": {"generateName": "over-http-"}}).encode()
        request = urllib.request.Request(ask, body, {"Content-Type": "application/json"})
        await asyncio.to_thread(lambda: urllib.request.urlopen(request).close())
        await cluster.nodes["node-2"].crash()
        await cluster.clock.advance(minutes=8)
        await cluster.record(sys.argv[1])

asyncio.run(main())
"""


def test_two_processes_record_the_same_log_byte_for_byte(tmp_path: Path) -> None:
    """Names, uids, faults, functions of images, and the way over a port, which differs."""
    files = [tmp_path / f"{seed}.db" for seed in ("0", "7")]
    runs = [
        subprocess.Popen(  # the interpreter and a program of this file
            [sys.executable, "-c", PROGRAM, str(file)],
            env={**os.environ, "PYTHONHASHSEED": file.stem},
            cwd=Path(__file__).parents[2],
        )
        for file in files
    ]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert files[0].read_bytes() == files[1].read_bytes()
