"""Watches over WebSocket: as browsers and JavaScript clients ask for them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    RejectData,
    TextMessage,
)

from orchestrator.api import ApiApplication, ApiConfig, ApiServer
from orchestrator.resources.objects import Object
from orchestrator.store import Store
from tests.api.sockets import opened

MAPS = "/api/v1/namespaces/default/configmaps"
TOKEN = "secret-token"


def config_map(name: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
    }


@pytest.fixture
async def server(store: Store) -> AsyncIterator[ApiServer]:
    """A server that asks for a token."""
    async with ApiServer(ApiApplication(store, ApiConfig(token=TOKEN)), "127.0.0.1", 0) as made:
        yield made


BEARER = {"authorization": f"Bearer {TOKEN}"}


async def test_each_event_is_a_message(store: Store, server: ApiServer) -> None:
    """Text, one JSON document each; the server closes when the time is up."""
    await store.create(config_map("a"), resource="configmaps", namespace="default")
    await store.create(config_map("b"), resource="configmaps", namespace="default")
    path = f"{MAPS}?watch=1&timeoutSeconds=1"
    async with opened(server, path, headers=BEARER) as client:
        assert isinstance(await client.next(), AcceptConnection)
        names = [(await client.event())["object"]["metadata"]["name"] for _ in range(2)]
        assert names == ["a", "b"]
        await store.create(config_map("c"), resource="configmaps", namespace="default")
        event = await client.event()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "c")
        closed = await client.next()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1000


async def test_browsers_pass_their_token_as_a_subprotocol(store: Store, server: ApiServer) -> None:
    """It is not answered with; another one that is offered is."""
    await store.create(config_map("a"), resource="configmaps", namespace="default")
    token = base64.urlsafe_b64encode(TOKEN.encode()).rstrip(b"=").decode()
    offered = [f"base64url.bearer.authorization.k8s.io.{token}", "base64.binary.k8s.io"]
    headers = {"origin": "https://console.example"}
    async with opened(server, f"{MAPS}?watch=1", headers=headers, subprotocols=offered) as client:
        accepted = await client.next()
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == "base64.binary.k8s.io"
        event = json.loads(base64.b64decode(await client.text()))
        assert event["object"]["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        (f"{MAPS}?watch=1", {"authorization": "Bearer wrong"}, 401),
        (f"{MAPS}?watch=1&resourceVersion=x", BEARER, 400),
        (f"{MAPS}/none", BEARER, 404),
        (MAPS, BEARER, 200),
        (f"{MAPS}?watch=1", {"origin": "https://evil.example"}, 403),
    ],
)
async def test_what_is_no_stream_is_answered_as_over_http(
    server: ApiServer, path: str, headers: dict[str, str], code: int
) -> None:
    """The upgrade is refused with the whole answer."""
    async with opened(server, path, headers=headers) as client:
        refused = await client.next()
        assert isinstance(refused, RejectConnection)
        assert refused.status_code == code
        body = await client.next()
        assert isinstance(body, RejectData)
        if code == 404:
            assert json.loads(bytes(body.data))["reason"] == "NotFound"


async def test_protobuf_comes_in_binary_messages(store: Store, server: ApiServer) -> None:
    """Without the length in front, since a message has its own."""
    await store.create(config_map("a"), resource="configmaps", namespace="default")
    headers = {**BEARER, "accept": "application/vnd.kubernetes.protobuf"}
    async with opened(server, f"{MAPS}?watch=1", headers=headers) as client:
        assert isinstance(await client.next(), AcceptConnection)
        message = await client.next()
        assert isinstance(message, BytesMessage)
        assert b"\x0a\x05ADDED" in bytes(message.data)[:8]


async def test_a_client_that_leaves_ends_its_watch(store: Store, server: ApiServer) -> None:
    """Nobody follows for it any more; what it sends before is ignored."""
    before = len(store._followers)
    async with opened(server, f"{MAPS}?watch=1", headers=BEARER) as client:
        assert isinstance(await client.next(), AcceptConnection)
        client.send(TextMessage(data="hello"))
        await store.create(config_map("a"), resource="configmaps", namespace="default")
        await client.event()
        assert len(store._followers) == before + 1
        client.send(CloseConnection(code=1000))
        assert isinstance(await client.next(), CloseConnection)
    async with asyncio.timeout(10):
        while len(store._followers) > before:
            await asyncio.sleep(0)
