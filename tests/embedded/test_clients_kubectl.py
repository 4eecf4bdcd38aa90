"""kubectl beside a cluster in the same test: time passes while it runs, and stands again after."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import Cluster, ClusterError
from tests.embedded.kit import EPOCH, deployment, on_a_real_loop


@on_a_real_loop
async def test_kubectl_applies_waits_and_looks_into_pods(kubectl: Path) -> None:
    """Apply from its input, rollout status, wait, logs, exec."""
    async with Cluster(epoch=EPOCH) as cluster:

        async def kube(*arguments: str, **options: Any) -> str:
            return (await cluster.run(kubectl, *arguments, **options)).stdout

        slow = deployment(replicas=1)
        slow["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/start-seconds": "20"
        }
        assert "created" in await kube("apply", "-f", "-", stdin=yaml.safe_dump(slow))
        said = await kube("rollout", "status", "deployment/web")
        assert said.endswith('deployment "web" successfully rolled out\n')
        assert cluster.clock.now() >= EPOCH + 20
        await kube("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=20s")
        assert await kube("exec", "deployment/web", "--", "echo", "hello") == "hello\n"
        assert (cluster.core.directory / "kubectl-cache").exists()
        stands = cluster.clock.now()
        with pytest.raises(ClusterError, match=r"get pod none ended with code 1: .*NotFound"):
            await kube("get", "pod", "none")
        failed = await cluster.run(kubectl, "get", "pod", "none", check=False)
        assert failed.exit_code == 1
        with pytest.raises(TimeoutError, match=r"still running after 0\.3 real seconds"):
            await kube("get", "pods", "--watch", timeout=0.3)
        assert cluster.clock.now() > stands
        with pytest.raises(ClusterError, match="no-such-program is not installed"):
            await cluster.run("no-such-program")


@on_a_real_loop
async def test_what_kubectl_follows_holds_no_time_up(kubectl: Path) -> None:
    """A watch, followed logs, a conversation and a forwarded port, open over a whole hour."""
    async with Cluster(epoch=EPOCH) as cluster:
        await cluster.apply(deployment(replicas=1))
        await cluster.wait("deployment/web", "Available")
        (pod,) = await cluster.api.list("pods")
        name = pod["metadata"]["name"]
        followers = [
            await asyncio.create_subprocess_exec(
                kubectl,
                *arguments,
                env=cluster.environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for arguments in (
                ("get", "pods", "--watch", "-o", "name"),
                ("logs", "-f", name),
                ("exec", "-i", name, "--", "cat"),
                ("port-forward", f"pod/{name}", ":80"),
            )
        ]
        watching, _, talking, forwarding = followers
        assert watching.stdout is not None
        assert talking.stdin is not None
        assert talking.stdout is not None
        assert forwarding.stdout is not None
        try:
            async with asyncio.timeout(20):
                assert await watching.stdout.readline() == f"pod/{name}\n".encode()
                talking.stdin.write(b"echo\n")
                assert await talking.stdout.readline() == b"echo\n"
                assert b"Forwarding from" in await forwarding.stdout.readline()
                before = asyncio.get_running_loop().time()
                await cluster.clock.advance(hours=1)
                assert asyncio.get_running_loop().time() - before < 5
                await cluster.api.delete("pods", name)
                assert await watching.stdout.readline() == f"pod/{name}\n".encode()
        finally:
            for process in followers:
                if process.returncode is None:
                    process.kill()
                await process.communicate()


OBSERVER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: observer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: observer}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/exec], verbs: [create, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: observer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: observer}
subjects: [{kind: ServiceAccount, name: observer}]
"""


@on_a_real_loop
async def test_kubectl_is_who_its_kubeconfig_is_for(kubectl: Path) -> None:
    """Though it shows a token over TLS only; what the role lacks is refused, also in a stream."""
    account = "system:serviceaccount:default:observer"
    async with Cluster(nodes=1) as cluster:
        await cluster.apply([OBSERVER, deployment(replicas=1)])
        await cluster.wait("deployment/web", "Available")
        path = cluster.kubeconfig_for(account)

        async def kube(*arguments: str, check: bool = True) -> str:
            done = await cluster.run(kubectl, *arguments, kubeconfig=path, check=check)
            return done.stdout + done.stderr

        assert account in await kube("auth", "whoami")
        assert "web-" in await kube("get", "pods", "-n", "default")
        assert await kube("exec", "deploy/web", "--", "echo", "hello", check=False) != "hello\n"
        (pod,) = await cluster.api.list("pods")
        assert await kube("exec", pod["metadata"]["name"], "--", "echo", "hello") == "hello\n"
        refused = await kube("delete", "pod", pod["metadata"]["name"], check=False)
        assert f'User "{account}" cannot delete resource "pods"' in refused
        assert "no" in await kube("auth", "can-i", "delete", "pods", check=False)


@on_a_real_loop
async def test_the_api_s_own_service_looks_as_it_does_anywhere(kubectl: Path) -> None:
    """Simulated containers do not come by it, so it need not tell of plain HTTP."""
    async with Cluster(nodes=0) as cluster:
        shown = await cluster.run(kubectl, "get", "service", "kubernetes", "--no-headers")
        assert shown.stdout.split()[:5] == [
            "kubernetes",
            "ClusterIP",
            "10.96.0.1",
            "<none>",
            "443/TCP",
        ]
