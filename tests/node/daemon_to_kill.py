"""A daemon-like process for the adoption tests: a store on disk and one process node.

Started as ``python daemon_to_kill.py DIRECTORY``; prints ``ready`` and runs until killed. Pods
are made by lines of JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from actors import ActorSystem
from actors.log import SqliteLog
from orchestrator.node import NodeManager, ProcessConfig, ProcessRuntime, process_node
from orchestrator.node.volumes import VolumeDirectories
from orchestrator.resources.kinds import registry
from orchestrator.store import Store


class Silent:
    def event(self, *_words: Any, **_more: Any) -> None:
        """Drop it."""


async def main(directory: Path) -> None:
    """Run until killed."""
    async with ActorSystem() as system:
        log = await SqliteLog.open(directory / "log.db")
        store = await Store.open(system, log, registry("1.35"))
        runtime = ProcessRuntime(ProcessConfig(directory=directory / "process"), system.clock)
        volumes = VolumeDirectories(directory / "mounts")
        nodes = [process_node(1, pods="127.252")]
        manager = NodeManager(store, Silent(), [runtime], nodes, volumes)
        await manager.start(system)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await store.create(json.loads(line), resource="pods", namespace="default")
            sys.stdout.write("created\n")
            sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
