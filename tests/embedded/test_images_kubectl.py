"""A real kubectl reads logs of functions, and speaks with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator import Cluster, Container
from orchestrator.embedded.containers.commands import Command, Connection
from tests.embedded.kit import EPOCH, on_a_real_loop
from tests.embedded.test_images import pod


def test_kubectl_reads_logs_runs_commands_attaches_and_forwards(kubectls: list[Path]) -> None:
    """``logs``, ``--previous``, ``-f``, ``--timestamps``, ``exec`` with input, ``port-forward``."""

    @on_a_real_loop
    async def scenario() -> None:
        async with Cluster(nodes=1, epoch=EPOCH) as cluster:
            made = cluster.image("worker:1")

            @made
            async def worker(container: Container) -> int:
                container.log("life", container.restart_count)
                if container.restart_count == 0:
                    return 1
                await container.terminated
                container.log("bye")
                return 0

            @made.exec
            async def run(command: Command) -> str:
                said = (await command.read_all()).strip()
                return f"{command.argv[0]} {said} in {command.container.name}\n"

            @made.port(80)
            async def serve(connection: Connection) -> None:
                await connection.write(b"you said " + await connection.read())

            async def begin(*words: str) -> asyncio.subprocess.Process:
                return await asyncio.create_subprocess_exec(
                    kubectls[-1],
                    f"--kubeconfig={cluster.kubeconfig}",
                    *words,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )

            async def kubectl(*words: str, stdin: bytes | None = None) -> str:
                running = await begin(*words)
                out, _ = await asyncio.wait_for(running.communicate(stdin), 30)
                return out.decode()

            await cluster.apply(pod(restartPolicy="OnFailure"))
            await cluster.wait("pods/one", "Ready")
            ended, said, stamped = await asyncio.gather(
                kubectl("logs", "one", "--previous"),
                kubectl("exec", "-i", "one", "--", "tell", stdin=b"this\n"),
                kubectl("logs", "one", "--timestamps", "--tail=1"),
            )
            assert ended == "life 0\n"
            assert said == "tell this in main\n"
            assert stamped.endswith("Z life 1\n")
            assert stamped.startswith("2026-01-01T00:00:")

            forward = await begin("port-forward", "pod/one", ":80")
            assert forward.stdout is not None
            told = await asyncio.wait_for(forward.stdout.readline(), 30)
            port = int(told.decode().split(" ->")[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            assert await asyncio.wait_for(reader.read(), 10) == b"you said hello"
            writer.close()
            await writer.wait_closed()
            forward.terminate()
            await forward.wait()

            following = await begin("logs", "-f", "one")
            assert following.stdout is not None
            assert await asyncio.wait_for(following.stdout.readline(), 30) == b"life 1\n"
            await cluster.api.delete("pods", "one")
            await cluster.clock.advance(1)
            assert await asyncio.wait_for(following.stdout.read(), 30) == b"bye\n"
            assert await following.wait() == 0

    scenario()
