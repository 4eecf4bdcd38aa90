"""What comes and goes leaves nothing behind: a server lives long."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from orchestrator.access import RbacAuthorizer
from orchestrator.access.authorizing import Decision
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.api.protobuf import ProtobufError, decode_object
from orchestrator.api.protobuf.wire import field
from orchestrator.resources.kinds import Kind
from orchestrator.resources.rbac import Attributes
from orchestrator.resources.users import User
from orchestrator.store import Follower, Store

NAMESPACE = "/api/v1/namespaces/default"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"


def alive(type_: type) -> int:
    """Count the objects of a type that something still holds."""
    gc.collect()
    return sum(isinstance(one, type_) for one in gc.get_objects())


async def grows(type_: type, step: Callable[[int], Awaitable[Any]], times: int) -> int:
    """Return by how many objects of a type the last of many steps have added to the first ones."""
    for at in range(times):
        await step(at)
    before = alive(type_)
    for at in range(times):
        await step(times + at)
    return alive(type_) - before


async def test_a_closed_application_follows_nothing(store: Store) -> None:
    """Clusters inside tests open and close many over one store."""

    async def once(_: int) -> None:
        app = ApiApplication(store, ApiConfig(token="admin-token"))
        transport = httpx.ASGITransport(app)
        headers = {
            "authorization": "Bearer admin-token",
            "impersonate-user": "jane",
        }
        async with httpx.AsyncClient(
            transport=transport, base_url="http://a", headers=headers
        ) as client:
            assert (await client.get(f"{NAMESPACE}/pods")).status_code == 403
        app.close()

    assert await grows(Follower, once, 25) <= 0
    assert store.admission.hooks == ()


async def test_users_and_namespaces_leave_nothing_in_the_authorizer(
    store: Store, client: httpx.AsyncClient
) -> None:
    """Bindings of namespaces that are gone take no place, decisions a bounded one."""
    authorizer = RbacAuthorizer(store)
    for at in range(100):
        namespace = f"n-{at}"
        made = await client.post("/api/v1/namespaces", json={"metadata": {"name": namespace}})
        assert made.status_code == 201
        binding = {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": f"u-{at}"}],
        }
        path = BINDINGS.format(namespace)
        assert (await client.post(path, json=binding)).status_code == 201
        asked = Attributes("get", resource="pods", namespace=namespace)
        assert authorizer.decide(User(f"u-{at}"), asked) == Decision(
            False, 'RBAC: role.rbac.authorization.k8s.io "r" not found'
        )
        assert (await client.delete(f"{path}/b")).status_code == 200
    authorizer.decide(User("u"), Attributes("get", resource="pods"))
    held = [one for one in gc.get_referents(authorizer) if isinstance(one, dict) and one]
    assert sum("n-" in str(key) for one in held for key in one) == 0
    authorizer.close()


async def test_webhook_configurations_that_are_gone_are_forgotten(
    store: Store, client: httpx.AsyncClient
) -> None:
    """No more Kinds or followers are alive after a hundred of them."""

    async def once(at: int) -> None:
        body = {"metadata": {"name": f"h-{at}"}, "webhooks": []}
        assert (await client.post(HOOKS, json=body)).status_code == 201
        made = await client.post(f"{NAMESPACE}/configmaps", json={"metadata": {"name": f"m-{at}"}})
        assert made.status_code == 201
        assert (await client.delete(f"{HOOKS}/h-{at}")).status_code == 200

    kinds = alive(Kind)
    assert await grows(Follower, once, 50) <= 0
    assert alive(Kind) <= kinds
    assert store.registry is not None


def test_types_that_clients_make_up_are_not_remembered() -> None:
    """A protobuf body says its type, and a client may say another one each time."""
    for at in range(20):
        made_up = f"{at}/" + "x" * 100_000
        body = b"k8s\x00" + field(1, field(1, made_up), field(2, "DeleteOptions"))
        try:
            decode_object(body)
        except ProtobufError:
            continue
        raise AssertionError("such a type is nobody's")
