"""Leader election through a Lease, by client-go's protocol, and work that only the leader does.

Several of these run; one leads. It enters a line into a ledger (a ConfigMap) every second, each
with the number of its term: a leader of an earlier term that does not know yet that it was replaced
is refused there, whatever its clock says.

    python election.py --identity a

The clocks of the processes need not agree: a Lease has expired when *this* process has seen it
unchanged for the lease's duration, by its own monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import signal
from dataclasses import dataclass
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap

NAME = "ledger"
TROUBLE = (ApiError, httpx2.HTTPError)


@dataclass(frozen=True)
class Timing:
    """client-go's three durations, in seconds, with its defaults.

    Attributes:
        lease: For so long a Lease that nobody renews is respected.
        renew: A leader that could not renew for so long gives up; shorter than ``lease``, so that
            it does so before another begins.
        retry: Between two attempts.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0


class Elector:
    """One that stands for election.

    Attributes:
        term: The number of its term, while it leads; else None.
    """

    def __init__(self, client: AsyncClient, identity: str, timing: Timing) -> None:
        """Stand as ``identity``."""
        self.client = client
        self.identity = identity
        self.timing = timing
        self.term: int | None = None
        self._seen: tuple[str | None, Any, int] | None = None
        self._seen_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Lead whenever that is possible, until told to stop; then leave the Lease to others."""
        while not stop.is_set():
            if await self._attempt():
                print(f"{self.identity} leads, term {self.term}", flush=True)
                await self._lead(stop)
            await pause(stop, self.timing.retry)

    async def _lead(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        work = asyncio.create_task(self._work())
        renewed = loop.time()
        try:
            while not stop.is_set():
                await pause(stop, self.timing.retry)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(renewed + self.timing.renew):
                        if await self._attempt():
                            renewed = loop.time()
                if loop.time() - renewed >= self.timing.renew or self._is_replaced():
                    print(f"{self.identity} lost the lead", flush=True)
                    return
            await self._release()
        finally:
            self.term = None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _is_replaced(self) -> bool:
        return self._seen is not None and self._seen[0] != self.identity

    async def _attempt(self) -> bool:
        """Take or renew the Lease; whether it is ours now."""
        try:
            return await self._take_or_renew()
        except TROUBLE:
            return False  # somebody was faster, or the API is out of reach

    async def _take_or_renew(self) -> bool:
        now = dt.datetime.now(dt.UTC)
        mine = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self.timing.lease)),
            "renewTime": now,
        }
        found = await find(self.client, Lease, NAME)
        if found is None:
            spec = {**mine, "acquireTime": now, "leaseTransitions": 0}
            await self.client.create(Lease.from_dict(lease_of(spec)))
            self._note(self.identity, now, 0)
            self.term = 0
            return True
        spec = found.to_dict()["spec"]
        holder, turns = spec.get("holderIdentity") or None, spec.get("leaseTransitions", 0)
        self._note(holder, spec.get("renewTime"), turns)
        if holder not in (None, self.identity) and not self._has_expired(spec):
            return False
        if holder != self.identity or self.term is None:
            # Also after our own restart: who was here before may still be at work.
            turns += 1
            spec = {**spec, "acquireTime": now, "leaseTransitions": turns}
        body = lease_of({**spec, **mine})
        body["metadata"]["resourceVersion"] = found.metadata.resourceVersion
        await self.client.replace(Lease.from_dict(body))
        self._note(self.identity, now, turns)
        self.term = turns
        return True

    def _note(self, holder: str | None, renewed: Any, turns: int) -> None:
        if (seen := (holder, renewed, turns)) != self._seen:
            self._seen, self._seen_at = seen, asyncio.get_running_loop().time()

    def _has_expired(self, spec: dict[str, Any]) -> bool:
        age = asyncio.get_running_loop().time() - self._seen_at
        return age >= spec.get("leaseDurationSeconds", self.timing.lease)

    async def _release(self) -> None:
        with contextlib.suppress(*TROUBLE):
            body = (await self.client.get(Lease, NAME)).to_dict()
            if body["spec"].get("holderIdentity") == self.identity:
                body["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self.client.replace(Lease.from_dict(body))

    async def _work(self) -> None:
        assert self.term is not None, "work is for leaders"
        ledger = Ledger(self.client, self.term)
        while True:
            try:
                await ledger.enter(self.identity)
            except Replaced as replaced:
                print(f"{self.identity} is refused: {replaced}", flush=True)
            except TROUBLE:
                pass  # the next entry
            await asyncio.sleep(1)


class Replaced(Exception):  # noqa: N818 - it names what happened
    """The ledger has entries of a later term."""


class Ledger:
    """What only leaders may write; it remembers the last term that wrote, and refuses others."""

    def __init__(self, client: AsyncClient, term: int) -> None:
        """Write in a term."""
        self.client = client
        self.term = term

    async def enter(self, line: str) -> None:
        """Enter a line.

        Raises:
            Replaced: A later term has begun to write.
        """
        found = await find(self.client, ConfigMap, NAME)
        if found is None:
            data = {"term": str(self.term), "lines": line}
            await self.client.create(
                ConfigMap.from_dict({"metadata": {"name": NAME}, "data": data})
            )
            return
        if int(found.data["term"]) > self.term:
            raise Replaced(f"term {self.term} is over, {found.data['term']} writes")
        found.data = {"term": str(self.term), "lines": f"{found.data['lines']} {line}"}
        # With the version that was read: who was overtaken between the two is refused, 409.
        await self.client.replace(found)


async def find(client: AsyncClient, kind: Any, name: str) -> Any:
    """Return an object, or None where there is none."""
    try:
        return await client.get(kind, name)
    except ApiError as error:
        if error.status.code != 404:
            raise
        return None


def lease_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the Lease with that spec."""
    return {"metadata": {"name": NAME}, "spec": spec}


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake when told to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def main() -> None:
    """Stand for election until SIGTERM."""
    parser = argparse.ArgumentParser(description="Stand for election.")
    parser.add_argument("--identity", required=True)
    parser.add_argument("--namespace", default="default")
    for name in ("lease", "renew", "retry"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Timing, name))
    told = parser.parse_args()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = AsyncClient(namespace=told.namespace)
    await Elector(client, told.identity, Timing(told.lease, told.renew, told.retry)).run(stop)
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
