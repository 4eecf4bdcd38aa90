"""A call that its caller gives up leaves no connection behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from orchestrator.egress import Call, CallError, Egress


@pytest.mark.parametrize("given_up", ["cancelled", "late"])
async def test_a_call_that_ends_in_its_handshake_closes_its_connection(given_up: str) -> None:
    """Cancelled with the request it is about, or after its timeout; at once, and not by chance."""
    came, gone = asyncio.Event(), asyncio.Event()

    async def shake_no_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        came.set()
        await reader.read()
        gone.set()
        writer.close()

    egress = Egress(random.Random(1))
    async with (
        asyncio.timeout(20),
        await asyncio.start_server(shake_no_hands, "127.0.0.1") as server,
    ):
        port = server.sockets[0].getsockname()[1]
        timeout = 0.2 if given_up == "late" else 20
        call = Call(method="POST", url=f"https://127.0.0.1:{port}/", timeout=timeout, verify=False)
        calling = asyncio.ensure_future(egress.request(call))
        await came.wait()
        if given_up == "cancelled":
            calling.cancel()
        with pytest.raises((asyncio.CancelledError, CallError)):
            await calling
        await gone.wait()
    await egress.close()
