"""Commands that the library's client runs in containers: they pass through the whole of the API.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#kubelet-api-access
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio

import pytest

from orchestrator import Cluster, StatusError
from orchestrator.embedded.containers.commands import Command
from tests.embedded.kit import on_a_real_loop

POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: main, image: "shell:1"}, {name: second, image: "other:1"}]}
"""
VIEWER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: view}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, name: jane}]
"""


@on_a_real_loop
async def test_who_may_only_look_runs_no_commands() -> None:
    """Running one takes a right to ``pods/exec``, which the role ``view`` lacks."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(POD)
        await cluster.apply(VIEWER)
        await cluster.wait("pod/one")
        async with cluster.client(user="jane") as jane:
            assert await jane.get("pods", "one")
            with pytest.raises(StatusError, match='cannot get resource "pods/exec"') as caught:
                await jane.exec("one", ["true"])
        assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
        assert await cluster.api.exec("one", ["true"]) == (0, "", "")


@on_a_real_loop
async def test_faults_and_webhooks_strike_commands() -> None:
    """As they strike those of kubectl: a fault answers or breaks off, a webhook denies."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(POD)
        await cluster.wait("pod/one")
        with cluster.faults.api(kind="pods/exec", error=503, times=1) as fault:
            with pytest.raises(StatusError) as caught:
                await cluster.api.exec("one", ["true"])
            assert (caught.value.code, fault.hits) == (503, 1)
        with (
            cluster.faults.api(kind="pods/exec", error="reset", times=1),
            pytest.raises(ConnectionResetError),
        ):
            await cluster.api.exec("one", ["true"])
        async with cluster.webhook(lambda _: "not here", "pods/exec", operations=["CONNECT"]):
            with pytest.raises(StatusError, match="denied the request: not here"):
                await cluster.api.exec("one", ["true"])
        assert (await cluster.api.exec("one", ["true"])).exit_code == 0


@on_a_real_loop
async def test_commands_read_write_and_end_as_they_like() -> None:
    """Their input, both streams that they write, their exit code, and which container is meant."""
    async with Cluster(nodes=1, listen=None) as cluster:

        @cluster.image("shell:1").exec
        async def run(command: Command) -> int:
            await command.write((await command.read_all()).upper())
            await command.write_error("done\n")
            return 7 if command.argv == ["grep", "a b", ""] else 0

        await cluster.apply(POD)
        await cluster.wait("pod/one")
        api = cluster.api
        loud = "ä" * 100_000
        assert await api.exec("one", ["cat"], stdin=loud) == (0, loud.upper(), "done\n")
        assert await api.exec("one", ["cat"], stdin="") == (0, "", "done\n")
        assert (await api.exec("one", ["grep", "a b", ""], stdin="")).exit_code == 7
        other = await api.exec("one", ["echo", "hi"], container="second")
        assert other == (0, "hi\n", "")


@on_a_real_loop
async def test_what_cannot_run_says_why() -> None:
    """No such container, none that runs yet, no such pod: in the words of kubectl's users."""
    async with Cluster(nodes=1, listen=None) as cluster:
        cluster.image("other:1", refuse="ErrImagePull: not found")
        await cluster.apply(POD)
        await cluster.clock.advance(1)
        for container, text in (
            ("third", "container third is not valid for pod one"),
            ("second", r'unable to upgrade connection: container not found \("second"\)'),
        ):
            with pytest.raises(StatusError, match=text):
                await cluster.api.exec("one", ["true"], container=container)
        with pytest.raises(StatusError) as caught:
            await cluster.api.exec("two", ["true"])
        assert (caught.value.code, caught.value.reason) == (404, "NotFound")


@on_a_real_loop
async def test_a_command_given_up_is_cancelled() -> None:
    """Whoever stops waiting for it leaves, and it ends with the connection."""
    async with Cluster(nodes=1, listen=None) as cluster:
        cancelled = asyncio.Event()

        @cluster.image("shell:1").exec
        async def run(command: Command) -> None:
            try:
                await command.container.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        await cluster.apply(POD)
        await cluster.wait("pod/one")
        waiting = asyncio.create_task(cluster.api.exec("one", ["wait"]))
        await cluster.clock.settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert cancelled.is_set()
