"""Jobs do not hold up the end of their namespace.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index: the last
failed pod of an index is kept until another is made for it; in a namespace that ends none can be.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.resources.objects import Object
from tests.batch.conftest import JOBS, Batch, job, open_batch


async def start(batch: Batch, namespace: str, **spec: Any) -> None:
    """Make a namespace with an indexed Job whose pods all fail after 2 s."""
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await batch.store.create(body, resource="namespaces")
    body = job(run=2, code=1, backoffLimitPerIndex=3, completionMode="Indexed", **spec)
    await batch.store.create(body, resource=JOBS, namespace=namespace)


def pods(batch: Batch, namespace: str) -> list[Object]:
    """Return the namespace's pods."""
    return list(batch.store.list("pods", namespace=namespace))


@pytest.mark.parametrize("seconds", [1.0, 2.5, 11.9, 12.0, 30.0])
@virtual
async def test_a_namespace_ends_whatever_its_indexed_jobs_wait_for(seconds: float) -> None:
    """Its pods run, wait for their back-off, or are just being replaced."""
    async with open_batch() as batch:
        await start(batch, "going", completions=3, parallelism=3)
        await asyncio.sleep(seconds)
        await batch.store.delete("namespaces", "", "going")
        async with asyncio.timeout(120):
            while batch.store.get("namespaces", "", "going") is not None:
                await asyncio.sleep(1)
        assert pods(batch, "going") == []


@virtual
async def test_a_job_counts_what_failed_in_a_namespace_that_is_held() -> None:
    """A finalizer keeps the namespace; the Job's pods go, and no other is said to be active."""
    async with open_batch() as batch:
        await start(batch, "held", completions=2, parallelism=2)
        await batch.store.modify(
            "namespaces",
            "",
            "held",
            lambda obj: {**obj, "metadata": {**obj["metadata"], "finalizers": ["example.com/a"]}},
        )
        await asyncio.sleep(2.5)
        assert [pod["status"]["phase"] for pod in pods(batch, "held")] == ["Failed", "Failed"]
        await batch.store.delete("namespaces", "", "held")
        await asyncio.sleep(60)
        assert pods(batch, "held") == []
        assert batch.store.get("namespaces", "", "held") is not None
