"""Requests to a Service, one connection each, counted by the pod that answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Traffic:
    """What came back.

    Attributes:
        answered: Pod name → answers.
        colours: Colour → answers.
        failed: Requests without a complete answer.
    """

    answered: Counter[str] = field(default_factory=Counter)
    colours: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    @property
    def sent(self) -> int:
        """Requests that ended, well or not."""
        return self.failed + sum(self.answered.values())


async def send_request(address: str, port: int, traffic: Traffic, *, timeout: float = 5) -> None:
    """Send one GET and count the answer; never raises for a network failure."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                await writer.drain()
                answer = await reader.read()
            finally:
                writer.close()
    except OSError:  # a TimeoutError is one, too
        traffic.failed += 1
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    words = body.decode(errors="replace").split()
    if not head.startswith(b"HTTP/1.0 200") or len(words) != 2:
        traffic.failed += 1
        return
    traffic.answered[words[0]] += 1
    traffic.colours[words[1]] += 1


async def send_many(
    address: str, port: int, traffic: Traffic, *, requests: int, at_once: int = 8
) -> None:
    """Send ``requests`` requests, ``at_once`` under way at a time."""
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await send_request(address, port, traffic)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def send_until(
    address: str, port: int, traffic: Traffic, done: asyncio.Event, *, at_once: int = 4
) -> None:
    """Keep sending until ``done`` is set."""

    async def worker() -> None:
        while not done.is_set():
            await send_request(address, port, traffic)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
