"""kopf operators beside a cluster: https://docs.kopf.dev/en/stable/testing ."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import kopf
import pytest

from actors.testing import virtual
from orchestrator import Cluster, ClusterError, WaitTimeoutError
from orchestrator.resources.objects import Object
from orchestrator.testing import kopf_operator
from tests.embedded.kit import EPOCH, config_map, on_a_real_loop

pytest_plugins = ["pytester"]

OPERATOR = """
import kopf

COUNT = 0


@kopf.on.create("configmaps", labels={"counted": "yes"})
def count(meta, patch, **_):
    global COUNT
    COUNT += 1
    if meta.name == "broken":
        raise RuntimeError("it is too dark")
    if meta.name == "unwanted":
        raise kopf.PermanentError("not this one")
    patch.metadata.labels["number"] = str(COUNT)


@kopf.on.create("configmaps", labels={"shaky": "yes"}, backoff=0.05)
def try_again(patch, retry, **_):
    if not retry:
        raise RuntimeError("once is not enough")
    patch.metadata.labels["number"] = "2"
"""

ROLES = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: counter}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: counter}
rules:
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [list, watch]}
- {apiGroups: [""], resources: [configmaps], verbs: [list, watch, patch]}
- {apiGroups: [""], resources: [events], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: counter}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: counter}
subjects: [{kind: ServiceAccount, name: counter, namespace: default}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with an operator."""
    found = tmp_path / "counter.py"
    found.write_text(textwrap.dedent(OPERATOR))
    return found


def broken(namespace: str = "default") -> Object:
    """Return one that the operator fails for."""
    body = counted("broken")
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """See that the process is as it was."""
    modules, path, before = set(sys.modules), list(sys.path), os.environ.get("KUBECONFIG")
    level = logging.getLogger("kopf.objects").level
    yield
    assert "counter" not in set(sys.modules) - modules
    assert sys.path == path
    assert os.environ.get("KUBECONFIG") == before
    assert logging.getLogger("kopf.objects").level == level
    assert not [each for each in threading.enumerate() if each.name == "kopf-operator"]


def labelled(name: str, **labels: str) -> dict[str, Any]:
    """Return a ConfigMap that the operator looks after."""
    body = config_map(name)
    body["metadata"]["labels"] = labels
    return body


def counted(name: str) -> dict[str, Any]:
    """Return one that it counts."""
    return labelled(name, counted="yes")


@on_a_real_loop
async def test_an_operator_has_caught_up_when_it_has_done_what_there_was_to_do(file: Path) -> None:
    """Its file is loaded anew for each run; what was there before it began is done too."""
    async with Cluster(nodes=0) as cluster:
        await cluster.apply(counted("early"))
        for number in ("1", "2"):
            async with kopf_operator(cluster, file) as operator:
                await cluster.apply([counted("one"), counted("two")])
                await operator.caught_up()
                found = await cluster.api.list("configmaps", labels="counted=yes")
                numbers = [each["metadata"]["labels"].get("number") for each in found]
                assert sorted(numbers) == ["1", "2", "3"], number
                assert operator.failures == []
            for each in found:
                await cluster.api.delete("configmap", each["metadata"]["name"])
            await cluster.apply(counted("early"))


def test_an_operator_beside_a_synchronous_cluster(file: Path) -> None:
    """With a plain ``with``."""
    with Cluster.sync(nodes=0) as cluster, kopf_operator(cluster, file) as operator:
        cluster.apply(counted("one"))
        operator.caught_up()
        labels = cluster.api.get("configmap", "one")["metadata"]["labels"]
        assert labels == {"counted": "yes", "number": "1"}


@on_a_real_loop
async def test_an_exception_in_a_handler_fails_the_test(file: Path) -> None:
    """It comes out of the block itself, so that the report shows the handler's line."""

    async def run(*objects: Object) -> None:
        async with kopf_operator(cluster, file, namespaces=None) as operator:
            await cluster.apply(list(objects))
            await operator.caught_up()

    async with Cluster(nodes=0) as cluster:
        with pytest.raises(RuntimeError, match="too dark") as caught:
            await run(broken())
        assert str(caught.traceback[-1].path).endswith("counter.py")
        (note,) = caught.value.__notes__
        assert note.startswith("in the operator, Handler 'count' of configmap/broken (default) ")
        other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}}
        with pytest.raises(ExceptionGroup, match="handlers of the operator have failed") as both:
            await run(other, broken("b"), broken("kube-public"))
        assert len(both.value.exceptions) == 2


@on_a_real_loop
async def test_what_was_made_good_or_forgiven_or_meant_fails_nothing(file: Path) -> None:
    """Tried again with success; forgiven by the test; ``PermanentError``."""
    async with Cluster(nodes=0) as cluster, kopf_operator(cluster, file) as operator:
        await cluster.apply(labelled("shaky", shaky="yes"))
        await cluster.wait("configmap/shaky", "jsonpath={.metadata.labels.number}=2")
        await operator.caught_up()
        assert operator.failures == []
        await cluster.apply([counted("unwanted"), counted("broken")])
        await operator.caught_up()
        (failure,) = operator.failures
        assert (failure.handler, failure.object) == (
            "Handler 'count'",
            "configmap/broken (default)",
        )
        await cluster.api.delete("configmap", "broken")
        operator.forgive()


@on_a_real_loop
async def test_a_wait_in_vain_tells_of_the_operator_s_trouble(file: Path) -> None:
    """With the exception that the test had anyway."""

    async def run() -> None:
        async with kopf_operator(cluster, file) as operator:
            await cluster.apply(counted("broken"))
            await operator.caught_up()
            await cluster.wait("configmap/broken", "jsonpath={.data.a}=1", timeout=0.1)

    async with Cluster(nodes=0) as cluster:
        with pytest.raises(WaitTimeoutError) as caught:
            await run()
    (note,) = caught.value.__notes__
    assert note.endswith("RuntimeError: it is too dark")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("by", ["port", "socket"])
@on_a_real_loop
async def test_an_operator_s_own_roles_are_tested(file: Path, tmp_path: Path, by: str) -> None:
    """It is a ServiceAccount then, that may do what it may, whichever way it comes."""
    account = "system:serviceaccount:default:counter"
    listen: Any = tmp_path / "api.sock" if by == "socket" else "http"
    async with Cluster(nodes=0, listen=listen) as cluster:
        await cluster.apply(ROLES)
        async with kopf_operator(cluster, file, user=account, namespaces=None) as operator:
            await cluster.apply(counted("one"))
            await operator.caught_up()
        (last,) = [each for each in cluster.history("configmap/one") if each.user == account][-1:]
        assert last.object["metadata"]["labels"]["number"] == "1"
        with pytest.raises(ClusterError, match="no ServiceAccount nobody"):
            async with kopf_operator(cluster, user="system:serviceaccount:default:nobody"):
                raise AssertionError


class _NotStartedError(Exception):
    """Says of which handlers it comes, as kopf's does."""

    outcomes = MappingProxyType({"start": SimpleNamespace(exception=OSError("no such luck"))})


@on_a_real_loop
async def test_an_operator_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause goes with the error; a file that is not there is told at once."""

    async def fail(**_: Any) -> None:
        raise _NotStartedError("One or more handlers failed.")

    async with Cluster(nodes=0) as cluster:
        with pytest.raises(ClusterError, match=r"no Python file .*/none\.py"):
            async with kopf_operator(cluster, tmp_path / "none.py"):
                raise AssertionError
        monkeypatch.setattr(kopf, "spawn_tasks", fail)  # kopf itself takes five seconds to give up
        said = "the operator has ended by itself: OSError: no such luck"
        with pytest.raises(ClusterError, match=said) as caught:
            async with kopf_operator(cluster, registry=kopf.OperatorRegistry()):
                raise AssertionError
        assert isinstance(caught.value.__cause__, OSError)


@on_a_real_loop
async def test_who_does_not_catch_up_is_named() -> None:
    """A handler that takes its time."""
    release = threading.Event()

    def wait(**_: Any) -> None:
        release.wait(20)

    registry = kopf.OperatorRegistry()
    kopf.on.create("configmaps", registry=registry, id="wait")(wait)
    async with (
        Cluster(nodes=0) as cluster,
        kopf_operator(cluster, registry=registry) as operator,
    ):
        await cluster.apply(config_map("one"))
        with pytest.raises(ClusterError, match="at work is Handler 'wait' of configmap/"):
            await operator.caught_up(timeout=1)
        release.set()


@virtual
async def test_on_a_loop_of_virtual_time_timers_are_exact(tmp_path: Path) -> None:
    """The operator shares the loop, meets the cluster at its socket, and sees its clock."""
    struck: list[float] = []
    registry = kopf.OperatorRegistry()
    others = asyncio.create_task(asyncio.sleep(1e9))
    async with Cluster(time="auto", listen=tmp_path / "s", nodes=0, epoch=EPOCH) as cluster:

        @kopf.timer("configmaps", interval=3600, registry=registry, labels={"counted": "yes"})
        async def strike(**_: Any) -> None:
            struck.append(cluster.clock.now() - EPOCH)

        async with kopf_operator(cluster, registry=registry) as operator:
            await cluster.apply(counted("hours"))
            began = cluster.clock.now() - EPOCH
            await asyncio.sleep(2.5 * 3600)
        assert [round(moment - began) for moment in struck] == [0, 3600, 7200]
        assert operator.failures == []
        await cluster.apply(counted("more"))  # the cluster lives on
    assert not others.done()
    others.cancel()


def test_a_failed_test_s_report_tells_of_the_operator_once(
    pytester: pytest.Pytester, file: Path
) -> None:
    """In its cluster's section; the fixture's end, which comes later, does not tell it again."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        f"""
        import pytest
        from orchestrator.testing import kopf_operator

        BROKEN = {broken()!r}

        @pytest.fixture
        def operated(sync_cluster):
            with kopf_operator(sync_cluster, {str(file)!r}) as operator:
                yield sync_cluster, operator

        def test_fails_by_itself(operated):
            cluster, operator = operated
            cluster.apply(BROKEN)
            operator.caught_up()
            cluster.wait("configmap/broken", "jsonpath={{.data.number}}=1", timeout=0.1)

        def test_fails_by_the_operator(operated):
            cluster, operator = operated
            cluster.apply(BROKEN)
            operator.caught_up()
        """
    )
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "schemathesis", "logging")]
    result = pytester.runpytest_inprocess("-q", *plugins)
    result.assert_outcomes(failed=1, passed=1, errors=1)
    failed = "Handler 'count' of configmap/broken (default) failed: RuntimeError: it is too dark"
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_fails_by_the_operator*",
            '>*raise RuntimeError("it is too dark")',
            "E*RuntimeError: it is too dark",
            f"E*in the operator, {failed}",
            "*test_fails_by_itself*",
            "*- cluster -*",
            "failed in operators beside it:",
            f"  {failed}",
        ]
    )
