"""An API whose store enforces policies, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.access import RbacAuthorizer
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.policies import MutatingPolicies, ValidatingPolicies
from orchestrator.resources.kinds import registry
from orchestrator.store import Store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store that enforces policies, of the first version with mutating ones."""
    async with ActorSystem("policies-test") as system:
        store = await Store.open(system, MemoryLog(), registry("1.36"))
        access = RbacAuthorizer(store)
        store.admission.hooks = (
            MutatingPolicies(store, access),
            ValidatingPolicies(store, access),
        )
        yield store


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API over that store."""
    app = ApiApplication(store, ApiConfig())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as made:
        yield made
