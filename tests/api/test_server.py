"""Hosting: ports, TLS files, tokens, and a stop that waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import stat
import time
from pathlib import Path

import httpx
import pytest
import yaml

from orchestrator.api import (
    ApiApplication,
    ApiConfig,
    ApiServer,
    InsecureAddressError,
    PortTakenError,
    Tls,
    ensure_certificates,
    ensure_token,
    kubeconfig,
)
from orchestrator.store import Store

DAY = 86400


async def test_a_taken_port_is_named(store: Store) -> None:
    """The error says which port, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = ApiServer(ApiApplication(store), "127.0.0.1", port)
        with pytest.raises(PortTakenError, match=f"port {port} on .* is already in use"):
            await server.start()


def test_plain_http_stays_on_loopback(store: Store) -> None:
    """Unless it is said aloud."""
    app = ApiApplication(store)
    with pytest.raises(InsecureAddressError, match=r"plain HTTP on 0\.0\.0\.0"):
        ApiServer(app, "0.0.0.0", 0)
    ApiServer(app, "0.0.0.0", 0, allow_insecure=True)


async def test_a_head_without_end_is_refused(store: Store) -> None:
    """Whatever a stranger sends, it takes a megabyte at most."""
    server = ApiServer(ApiApplication(store), "127.0.0.1", 0)
    async with server:
        for line in (b"X-Long: " + b"a" * 65536, b"X-Many: a\r\n" * 6000):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(40):
                    writer.write(line)
                    await writer.drain()
            assert (await reader.read(100)).startswith(b"HTTP/1.1 431 ")
            writer.close()


async def test_a_head_that_does_not_come_ends_the_connection(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither silence nor half a request holds a connection for ever, be it the second one."""
    monkeypatch.setattr("orchestrator.api._connections.HEAD_SECONDS", 0.05)
    half = b"GET /version HTTP/1.1\r\nHost: x\r\nX-"
    server = ApiServer(ApiApplication(store), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        for sent, answered in ((b"", False), (half, False), (half[:-2] + b"\r\n" + half, True)):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            assert (b"200 OK" in await reader.read()) is answered
            writer.close()


async def test_a_body_that_does_not_come_is_given_up(store: Store) -> None:
    """With a Status that says so."""
    app = ApiApplication(store, ApiConfig(body_seconds=0.05))
    async with ApiServer(app, "127.0.0.1", 0) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
        assert b" 504 " in await reader.readline()
        writer.close()


async def test_stopping_ends_a_watch_quickly(store: Store) -> None:
    """A client that watches gets the end of its stream, and the server does not wait."""
    server = ApiServer(ApiApplication(store), "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        path = "/api/v1/namespaces"
        async with client.stream("GET", path, params={"watch": "true"}) as stream:
            lines = stream.aiter_lines()
            assert '"ADDED"' in await anext(lines)
            async with asyncio.timeout(8):
                await server.stop()
                rest = [line async for line in lines]
    assert all('"ADDED"' in line for line in rest)


async def test_ten_megabytes_leave_the_connection_usable(store: Store) -> None:
    """The body is refused; the same connection answers the next request."""
    async with (
        ApiServer(ApiApplication(store), "127.0.0.1", 0) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        path = "/api/v1/namespaces/default/configmaps"
        answer = await client.post(path, content=b"x" * (10 << 20))
        assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
        assert (await client.get(path)).status_code == 200


async def test_clients_trust_the_ca_for_every_name(store: Store, tmp_path: Path) -> None:
    """The serving certificate is good for what clients call the server."""
    made = ensure_certificates(tmp_path, time.time(), ["127.96.0.1"])
    for file in (made.ca_file, made.key_file, tmp_path / "ca.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tls = Tls(made.certificate_file, made.key_file)
    async with ApiServer(ApiApplication(store), "127.0.0.1", 0, tls) as server:
        context = ssl.create_default_context(cadata=made.ca_pem)
        async with httpx.AsyncClient(verify=context, base_url=server.url) as client:
            assert (await client.get("/version")).status_code == 200


def test_certificates_are_renewed_when_needed_only(tmp_path: Path) -> None:
    """Near their end, or for another name; the CA that kubeconfigs carry stays."""
    now = time.time()
    first = ensure_certificates(tmp_path, now)
    serving = first.certificate_file.read_bytes()
    assert ensure_certificates(tmp_path, now + DAY) == first
    assert first.certificate_file.read_bytes() == serving
    named = ensure_certificates(tmp_path, now, ["10.0.0.1"])
    other = named.certificate_file.read_bytes()
    assert other != serving
    late = ensure_certificates(tmp_path, now + 340 * DAY, ["10.0.0.1"])
    assert late.certificate_file.read_bytes() != other
    assert late.ca_pem == first.ca_pem


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\xfe", None])
@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "apiserver.crt", "apiserver.key"])
def test_damaged_files_are_made_anew(tmp_path: Path, name: str, damage: bytes | None) -> None:
    """A server can always start with what it is given; a CA that is whole stays."""
    before = ensure_certificates(tmp_path, time.time())
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    after = ensure_certificates(tmp_path, time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(after.certificate_file, after.key_file)
    assert (after.ca_pem == before.ca_pem) is (name != "ca.crt")
    assert after.ca_pem == (tmp_path / "ca.crt").read_text()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"a b", b"short"])
def test_a_damaged_token_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    """An empty one above all: it would let everyone in."""
    file = tmp_path / "token"
    file.write_bytes(damage)
    assert len(ensure_token(file)) > 40


async def test_a_server_that_cannot_start_can_be_stopped(store: Store, tmp_path: Path) -> None:
    """The reason is raised once, by the start."""
    (tmp_path / "bad").write_text("bad")
    server = ApiServer(
        ApiApplication(store), "127.0.0.1", 0, Tls(tmp_path / "bad", tmp_path / "bad")
    )
    with pytest.raises(ssl.SSLError):
        await server.start()
    await server.stop()


def test_a_token_is_made_once(tmp_path: Path) -> None:
    """And only its owner can read it."""
    file = tmp_path / "token"
    token = ensure_token(file)
    assert len(token) > 40
    assert ensure_token(file) == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_kubeconfig_has_one_context() -> None:
    """Cluster, user and context share a name; plain HTTP carries neither CA nor token."""
    config = yaml.safe_load(kubeconfig("https://127.0.0.1:1", ca_pem="PEM", token="t"))
    assert config["current-context"] == "orchestrator"
    assert config["users"][0]["user"] == {"token": "t"}
    assert "certificate-authority-data" in config["clusters"][0]["cluster"]
    plain = yaml.safe_load(kubeconfig("http://127.0.0.1:1"))
    assert plain["users"][0]["user"] == {}
