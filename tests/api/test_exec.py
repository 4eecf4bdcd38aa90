"""``pods/exec`` over WebSocket, as clients without a library see it.

https://kubernetes.io/docs/tasks/debug/debug-application/get-shell-running-container/
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    RejectData,
)

from actors import RealClock
from orchestrator.access import AccountTokens
from orchestrator.api import ApiApplication, ApiConfig, ApiServer
from orchestrator.api.streaming import conversing
from orchestrator.api.streaming.spdy.frames import Data, data_frame
from orchestrator.node import ContainerOf, SimulatedRuntime
from orchestrator.node.pod_sessions import NodeSessions
from orchestrator.node.simulated_commands import Invocation
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, uid_of
from orchestrator.store import Store
from orchestrator.store.admission import Attributes
from tests.api.sockets import Socket, opened
from tests.api.spdy_client import Spdy, upgraded

TOKEN = "secret-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}
POD = "/api/v1/namespaces/default/pods/p"
OUTPUT = {"stdout": "true", "stderr": "true"}


class Ground:
    """A server, and a pod of two containers, of which ``c`` runs."""

    def __init__(
        self, server: ApiServer, runtime: SimulatedRuntime, pod: Object, container: str
    ) -> None:
        self.server = server
        self.runtime = runtime
        self.pod = pod
        self.id = container
        self.ended: list[Invocation] = []

    @asynccontextmanager
    async def execute(
        self,
        *command: str,
        protocol: str = "v4.channel.k8s.io",
        headers: Any = BEARER,
        name: str = "exec",
        **options: Any,
    ) -> AsyncIterator[Socket]:
        asked = {"container": "c", **(options or OUTPUT)}
        query = urlencode([*asked.items(), *(("command", word) for word in command)])
        offered = [protocol] if protocol else []
        path = f"{POD}/{name}?{query}"
        async with opened(self.server, path, headers=headers, subprotocols=offered) as client:
            yield client


async def accepted(client: Socket) -> str | None:
    """The subprotocol agreed on."""
    event = await client.next()
    assert isinstance(event, AcceptConnection), event
    return event.subprotocol


async def refused(client: Socket) -> tuple[int, str]:
    """Code and text of a handshake that is refused."""
    event = await client.next()
    assert isinstance(event, RejectConnection), event
    body = await client.next()
    assert isinstance(body, RejectData), body
    return event.status_code, bytes(body.data).decode()


async def pieces(client: Socket) -> dict[int, bytes]:
    """What each channel got until the server closed."""
    found: dict[int, bytes] = {}
    while True:
        event = await client.next()
        if isinstance(event, CloseConnection):
            assert event.code == 1000
            return found
        assert isinstance(event, BytesMessage), event
        data = bytes(event.data)
        found[data[0]] = found.get(data[0], b"") + data[1:]


@pytest.fixture
async def ground(store: Store) -> AsyncIterator[Ground]:
    """A pod that runs on a simulated node."""
    containers = [{"name": name, "image": "x"} for name in ("c", "other")]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": containers, "nodeName": "n"},
    }
    pod = await store.create(body, resource="pods", namespace="default")
    ended: list[Invocation] = []

    async def errors(asked: Invocation) -> int:
        await asked.stdout.write(b"out")
        await asked.stderr.write(b"err")
        return 3

    async def wait(asked: Invocation) -> int:
        try:
            await asked.stdout.write(b"ready")
            await asyncio.Event().wait()
        finally:
            ended.append(asked)
        return 0

    programs = {"errors": errors, "wait": wait}

    def program(asked: Invocation) -> Any:
        found = programs.get(asked.command[0])
        return found(asked) if found else None

    runtime = SimulatedRuntime(RealClock(), random.Random(1), program=program)
    started = runtime.run(ContainerOf("n", uid_of(pod), "c", 0), "10.0.0.1")
    app = ApiApplication(
        store,
        ApiConfig(token=TOKEN),
        sessions=NodeSessions(runtime),
        accounts=AccountTokens(store),
    )
    async with ApiServer(app, "127.0.0.1", 0) as server:
        made = Ground(server, runtime, pod, started.id)
        made.ended = ended
        yield made
    await runtime.close(grace=0)


# -- protocols


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_output_errors_and_exit_code_are_channels(ground: Ground, protocol: str) -> None:
    """Output is 1, stderr 2, and the error channel 3 ends with a Status that has the code."""
    async with ground.execute("errors", protocol=protocol) as client:
        assert await accepted(client) == protocol
        found = await pieces(client)
    status = json.loads(found.pop(3))
    assert found == {1: b"out", 2: b"err"}
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}


async def test_the_first_message_is_empty_and_says_that_all_is_ready(ground: Ground) -> None:
    """It comes on the lowest channel that is asked for."""
    async with ground.execute("true", stderr="true") as client:
        await accepted(client)
        assert await client.data() == b"\x02"


@pytest.mark.parametrize("protocol", ["", "channel.k8s.io"])
async def test_before_version_4_only_failures_are_told(ground: Ground, protocol: str) -> None:
    """As text; success is a channel that says nothing."""
    async with ground.execute("errors", protocol=protocol) as client:
        assert await accepted(client) == (protocol or None)
        found = await pieces(client)
    assert found[3] == (
        b"command terminated with non-zero exit code: error executing command [errors], exit code 3"
    )
    async with ground.execute("true", protocol=protocol) as client:
        await accepted(client)
        assert 3 not in await pieces(client)


async def test_base64_is_text(ground: Ground) -> None:
    """A digit for the channel, then base64."""
    async with ground.execute("echo", "hi", protocol="base64.channel.k8s.io") as client:
        await accepted(client)
        assert await client.text() == "1"
        assert await client.text() == "1aGkK"


async def test_input_ends_by_a_close_of_its_channel_from_version_5_on(ground: Ground) -> None:
    """255 and the channel; ``cat`` gives back what came before and ends."""
    options = {"stdin": "true", "stdout": "true"}
    async with ground.execute("cat", protocol="v5.channel.k8s.io", **options) as client:
        await accepted(client)
        client.send(BytesMessage(data=b"\x00hello"))
        client.send(BytesMessage(data=b"\xff\x00"))
        found = await pieces(client)
    assert found[1] == b"hello"
    assert json.loads(found[3]) == {"metadata": {}, "status": "Success"}


# -- SPDY in place of HTTP, as kubectl has it before 1.30


@asynccontextmanager
async def spdy(
    ground: Ground, query: str, versions: str = "v4.channel.k8s.io,channel.k8s.io"
) -> AsyncIterator[tuple[str, Spdy]]:
    """A connection that is asked to go over to SPDY."""
    headers = [*BEARER.items(), ("X-Stream-Protocol-Version", versions)]
    async with upgraded(ground.server, f"{POD}/exec?{query}", headers) as (head, connection):
        yield head, connection


async def test_spdy_has_a_stream_for_each_of_the_commands(ground: Ground) -> None:
    """The error stream ends with the Status; which streams there are the query says."""
    query = "container=c&stdout=1&stderr=1&command=errors"
    async with spdy(ground, query) as (head, connection):
        assert "x-stream-protocol-version: v4.channel.k8s.io" in head
        numbers = [connection.begin(streamtype=kind) for kind in ("error", "stdout", "stderr")]
        found = await connection.ends(*numbers)
    error, out, err = numbers
    assert (found[out], found[err]) == (b"out", b"err")
    assert json.loads(found[error])["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_spdys_input_ends_with_its_stream(ground: Ground) -> None:
    """``cat`` gives back what came before."""
    async with spdy(ground, "container=c&stdin=1&stdout=1&command=cat") as (_, connection):
        error, given, out = (
            connection.begin(streamtype=kind) for kind in ("error", "stdin", "stdout")
        )
        connection.send(data_frame(given, b"hello") + data_frame(given, b"", fin=True))
        found = await connection.ends(error, given, out)
    assert found[out] == b"hello"
    assert json.loads(found[error]) == {"metadata": {}, "status": "Success"}


async def test_a_spdy_client_that_vanishes_ends_its_command(ground: Ground) -> None:
    """Nothing is left of it."""
    async with spdy(ground, "container=c&stdout=1&command=wait") as (_, connection):
        for kind in ("error", "stdout"):
            connection.begin(streamtype=kind)
        while not isinstance(await connection.frame(), Data):
            continue
    async with asyncio.timeout(10):
        while not ground.ended:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("query", "versions", "head", "text"),
    [
        ("container=c", "v9", "403", "client supports [v9], server accepts [v4.channel.k8s.io"),
        ("container=other", "v4.channel.k8s.io", "500", 'container not found ("other")'),
        ("container=no", "v4.channel.k8s.io", "400", "container no is not valid for pod p"),
    ],
)
async def test_spdy_is_refused_before_the_upgrade(
    ground: Ground, query: str, versions: str, head: str, text: str
) -> None:
    """In upstream's words."""
    async with spdy(ground, f"{query}&stdout=1&command=true", versions) as (answer, _):
        assert answer.startswith(f"HTTP/1.1 {head}")
        assert text in answer


# -- refusals


async def test_an_unknown_protocol_is_refused(ground: Ground) -> None:
    """403, as upstream's handshake, with what is spoken here."""
    async with ground.execute("true", protocol="v9.channel.k8s.io") as client:
        code, text = await refused(client)
    assert code == 403
    assert "v5.channel.k8s.io" in text


async def test_a_container_that_does_not_run_is_not_found(ground: Ground) -> None:
    """Version 4 hears it before the upgrade, in the kubelet's words; version 5 on channel 3."""
    async with ground.execute("true", container="other", stdout="true") as client:
        assert await refused(client) == (500, 'container not found ("other")\n')
    asked = {"protocol": "v5.channel.k8s.io", "container": "other", "stdout": "true"}
    async with ground.execute("true", **asked) as client:
        await accepted(client)
        status = json.loads((await pieces(client))[3])
    assert (status["reason"], status["code"]) == ("InternalError", 500)
    refused_by = "Internal error occurred: unable to upgrade connection: "
    assert status["message"] == f'{refused_by}container not found ("other")'


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"stdout": "true", "container": "no"}, 400, "container no is not valid for pod p"),
        (
            {"stdout": "true", "container": ""},
            400,
            "a container name must be specified for pod p, choose one of: [c other]",
        ),
        ({"stdout": "false"}, 400, "you must specify at least 1 of stdin, stdout, stderr"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_the_upgrade(
    ground: Ground, options: dict[str, str], code: int, message: str
) -> None:
    """400 with a Status in upstream's words."""
    async with ground.execute("true", **options) as client:
        found, body = await refused(client)
    assert (found, json.loads(body)["message"]) == (code, message)


async def test_a_pod_without_a_node_has_nobody_to_ask(ground: Ground, store: Store) -> None:
    """400 in upstream's words."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    await store.create(body, resource="pods", namespace="default")
    path = f"{POD[:-1]}q/exec?stdout=1&command=true"
    async with opened(ground.server, path, headers=BEARER) as client:
        code, text = await refused(client)
    assert (code, json.loads(text)["message"]) == (400, "pod q does not have a host assigned")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_is_no_upgrade_is_told_so(ground: Ground, method: str) -> None:
    """400 in upstream's words."""
    async with httpx.AsyncClient(headers=BEARER) as client:
        url = f"{ground.server.url}{POD}/exec?container=c&stdout=1&command=true"
        plain = await client.request(method, url)
    assert (plain.status_code, plain.json()["message"]) == (400, "Upgrade request required")


async def test_a_websocket_needs_the_right_to_create(ground: Ground, store: Store) -> None:
    """Getting ``pods/exec`` is not enough from 1.35 on, since what goes on changes things."""
    account = await store.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}},
        resource="serviceaccounts",
        namespace="default",
    )
    assert account
    for name, verbs in (("get-only", ["get"]), ("both", ["get", "create"])):
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}],
        }
        await store.create(role, resource="roles.rbac.authorization.k8s.io", namespace="default")
    impersonating = {**BEARER, "impersonate-user": "jane"}
    binding: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "get-only"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    bindings = "rolebindings.rbac.authorization.k8s.io"
    await store.create(binding, resource=bindings, namespace="default")
    async with ground.execute("true", headers=impersonating) as client:
        code, text = await refused(client)
    assert code == 403
    assert 'cannot create resource "pods/exec"' in json.loads(text)["message"]
    binding["metadata"] = {"name": "jane-too"}
    binding["roleRef"] = {**binding["roleRef"], "name": "both"}
    await store.create(binding, resource=bindings, namespace="default")
    async with ground.execute("true", headers=impersonating) as client:
        assert await accepted(client)


class Censor:
    """A hook that lets everything run under another name, but nothing evil."""

    def concerns(self, operation: str, kind: Any, subresource: str) -> bool:
        return operation == "CONNECT" and kind.kind == "Pod" and subresource == "exec"

    async def mutate(self, attributes: Attributes) -> Object | None:
        assert attributes.object is not None
        command = ["echo", "censored", *attributes.object["command"]]
        return {**attributes.object, "command": command}

    async def validate(self, attributes: Attributes) -> None:
        assert attributes.object is not None
        assert attributes.object["kind"] == "PodExecOptions"
        if "evil" in attributes.object["command"]:
            raise StatusError(403, "Forbidden", "no evil here")


async def test_admission_sees_and_changes_what_is_executed(ground: Ground, store: Store) -> None:
    """CONNECT of ``pods/exec`` with the options, before the pod is even looked up."""
    store.admission.hooks = (*store.admission.hooks, Censor())
    async with ground.execute("true", stdout="true") as client:
        await accepted(client)
        assert (await pieces(client))[1] == b"censored true\n"
    async with ground.execute("evil", stdout="true") as client:
        code, text = await refused(client)
    assert (code, json.loads(text)["message"]) == (403, "no evil here")


# -- ends


async def test_a_client_that_vanishes_ends_its_command(ground: Ground) -> None:
    """Nothing is left of it."""
    async with ground.execute("wait") as client:
        await accepted(client)
        assert await client.data() == b"\x01"
        assert await client.data() == b"\x01ready"
    async with asyncio.timeout(10):
        while not ground.ended:
            await asyncio.sleep(0.005)


async def test_a_command_ends_with_its_container(ground: Ground) -> None:
    """The client hears 137."""
    async with ground.execute("wait") as client:
        await accepted(client)
        await client.data()
        await client.data()
        ground.runtime.stop(ground.id, 0)
        status = json.loads((await pieces(client))[3])
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "137"}]


async def test_a_server_that_stops_ends_conversations(ground: Ground) -> None:
    """The client sees the end at once, and the command is ended."""
    async with ground.execute("wait") as client:
        await accepted(client)
        await client.data()
        await client.data()
        await ground.server.stop()
        assert isinstance(await client.next(), CloseConnection)
    assert ground.ended


@pytest.mark.parametrize("size", [200_000, 20_000_000])
async def test_a_client_that_leaves_unread_input_behind_is_noticed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """More than a pipe holds, or than the connection does, which then hides the client's end."""
    monkeypatch.setattr(conversing, "_LOOK", 0.02)
    async with ground.execute("wait", stdin="true", stdout="true") as client:
        await accepted(client)
        await client.data()
        await client.data()
        for _ in range(size // 50_000):
            client.send(BytesMessage(data=bytes(50_000)))
        await asyncio.sleep(0.05)  # until the connection is as full as it gets
        client.vanish()
    async with asyncio.timeout(10):
        while not ground.ended:
            await asyncio.sleep(0.005)


async def test_a_conversation_without_a_byte_ends(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After four hours; here, after a moment."""
    monkeypatch.setattr(conversing, "_LOOK", 0.02)
    monkeypatch.setattr(conversing, "IDLE_SECONDS", 0.1)
    async with ground.execute("wait") as client:
        await accepted(client)
        await client.data()
        await client.data()
        assert isinstance(await client.next(), CloseConnection)
    assert ground.ended
