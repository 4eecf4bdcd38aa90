"""Definitions that come and go leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc

from orchestrator.resources.custom.versions import CustomVersion
from orchestrator.resources.kinds import Kind
from orchestrator.store import Follower
from tests.custom.conftest import CRDS, GROUP, Api, definition, instance


def alive(*types: type) -> dict[str, int]:
    """Count the objects of some types that something still holds."""
    gc.collect()
    counted = {one.__name__: 0 for one in types}
    for one in gc.get_objects():
        if type(one) in types:
            counted[type(one).__name__] += 1
    return counted


async def test_definitions_that_are_gone_are_forgotten(api: Api) -> None:
    """With their kinds, what was compiled for them, and those who watched their objects."""

    async def once(at: int) -> None:
        plural = f"things{at}"
        await api.define(definition(plural=plural, kind=f"Thing{at}"))
        path = api.path(plural=plural)
        made = await api.client.post(path, json=instance(kind=f"Thing{at}"))
        assert made.status_code == 201, made.text
        watch = asyncio.create_task(api.client.get(path, params={"watch": "1"}))
        assert (await api.client.get(f"/openapi/v3/apis/{GROUP}/v1")).status_code == 200
        gone = await api.client.delete(f"{CRDS}/{plural}.{GROUP}")
        assert gone.status_code == 200, gone.text
        while api.store.get(
            "customresourcedefinitions.apiextensions.k8s.io", "", f"{plural}.{GROUP}"
        ):
            await api.store.wait_sequence(api.store.sequence + 1)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    types = Kind, CustomVersion, Follower
    for at in range(20):
        await once(at)
    before = alive(*types)
    for at in range(20, 60):
        await once(at)
    after = alive(*types)
    grown = {name: after[name] - before[name] for name in before}
    # The window of recent events holds objects, never kinds; a few may be in the last's answers.
    assert all(more <= 3 for more in grown.values()), grown
