"""The pytest plugin, in projects of its users."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import ClassVar

import pytest

from actors.testing import run_virtual
from orchestrator import Cluster
from orchestrator.testing import reports

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest")
AUTO = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
STRICT = "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function"


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Have everything in memory that a cluster needs: what a run loads it forgets again."""

    async def live() -> None:
        async with Cluster(nodes=1) as cluster:
            await cluster.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n")
            reports.describe(cluster)

    run_virtual(live())


def run(pytester: pytest.Pytester, test: str, *options: str, ini: str = AUTO) -> pytest.RunResult:
    """Run a user's test file in a project of its own."""
    pytester.makepyfile(textwrap.dedent(test))
    pytester.makeini(f"[pytest]\naddopts = --strict-markers\n{ini}\n")
    return pytester.runpytest_inprocess(*QUIET, *options)


def test_each_test_has_a_cluster_of_its_own_on_its_own_loop(pytester: pytest.Pytester) -> None:
    """Under pytest-asyncio in auto mode; options and markers say what it is like."""
    pytester.path.joinpath("deep.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-file}\n"
    )
    result = run(
        pytester,
        """
        import pytest

        CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}

        async def test_first(cluster):
            assert len(cluster.nodes) == 2
            await cluster.api.create(CONFIG)

        async def test_second(cluster):
            assert cluster.seed == 7
            await cluster.api.create(CONFIG)

        @pytest.mark.cluster(nodes=1, seed=5)
        class TestMarked:
            @pytest.mark.cluster(
                apply=["deep.yaml", CONFIG], epoch=0.0, faults={"verb": "delete", "error": 500}
            )
            async def test_third(self, cluster):
                assert (len(cluster.nodes), cluster.seed, cluster.clock.now()) == (1, 5, 0)
                assert await cluster.api.get("configmaps", "from-file")
                (fault,) = cluster.faults.active
                with pytest.raises(Exception):
                    await cluster.api.delete("configmaps", "one")
                assert fault.hits == 1

        @pytest.mark.cluster(versions=["1.33", "1.35"])
        async def test_versions(cluster, cluster_version):
            assert cluster.config.kubernetes_version == cluster_version
            (node, *_) = cluster.nodes.values()
            version = node.object["status"]["nodeInfo"]["kubeletVersion"]
            assert version.startswith("v" + cluster_version)

        async def test_option(cluster):
            assert cluster.config.kubernetes_version == "1.34"

        def test_sync(sync_cluster):
            sync_cluster.api.create(CONFIG)
            sync_cluster.clock.advance(hours=1)
        """,
        "-v",
        "--cluster-seed=7",
        "--cluster-version=1.34",
        ini=f"{AUTO}\ncluster_nodes = 2",
    )
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*test_versions?kubernetes-1.33? PASSED*"])


def test_strict_mode_and_wider_loops_do_as_well(pytester: pytest.Pytester) -> None:
    """The cluster is of one test, the loop of its module or of the session."""
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.mark.asyncio
        async def test_function(cluster):
            await cluster.clock.advance(hours=1)

        @pytest.mark.asyncio(loop_scope="module")
        async def test_module(cluster):
            await asyncio.create_task(cluster.clock.advance(hours=1))

        @pytest.mark.asyncio(loop_scope="session")
        @pytest.mark.cluster(time="auto")
        async def test_session(cluster):
            await cluster.clock.sleep(3600)

        @pytest.mark.asyncio
        async def test_real(cluster):
            assert cluster.clock.mode == "manual"
        """,
        ini=STRICT,
    )
    result.assert_outcomes(passed=4)


@pytest.mark.leaves_tasks  # the plugin's own runner
def test_anyio_runs_the_tests_as_well(pytester: pytest.Pytester) -> None:
    """Also a shared cluster, where the backend is one of the session; not on trio."""
    result = run(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="session")
        def anyio_backend():
            return "asyncio"

        async def test_own(cluster):
            await cluster.clock.advance(hours=1)

        CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}

        @pytest.mark.parametrize("time", [1, 2])
        async def test_shared(shared_cluster, time):
            await shared_cluster.api.create(CONFIG)
        """,
        "-p",
        "no:asyncio",
        ini="",
    )
    result.assert_outcomes(passed=3)


def test_a_shared_cluster_is_for_each_test_what_it_was_before(pytester: pytest.Pytester) -> None:
    """What a fixture of the module has put there stays."""
    test = """
        import pytest
        import pytest_asyncio

        SEEN = set()

        def config(name):
            return {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": name}}}}

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def ready(shared_cluster):
            await shared_cluster.apply(config("kept"))

        @pytest_asyncio.fixture(loop_scope="session")
        async def mine(shared_cluster):
            await shared_cluster.apply(config("mine"))

        {mark}
        @pytest.mark.parametrize("time", [1, 2])
        async def test_shared(mine, shared_cluster, ready, time):
            SEEN.add(id(shared_cluster))
            assert len(SEEN) == 1
            found = await shared_cluster.api.list("configmaps")
            assert [obj["metadata"]["name"] for obj in found] == ["kept", "mine"]
            await shared_cluster.api.create(config("one"))
            await shared_cluster.delete([config("kept")])

        @pytest.fixture(scope="session")
        def shared_cluster_arguments():
            return {{"nodes": 1}}

        @pytest.mark.cluster(apply=config("two"))
        @pytest.mark.parametrize("time", [1, 2])
        def test_sync(shared_sync_cluster, time):
            assert list(shared_sync_cluster.nodes) == ["node-1"]
            assert len(shared_sync_cluster.api.list("configmaps")) == 1
            shared_sync_cluster.api.create(config("one"))

        @pytest.mark.cluster(nodes=2)
        def test_asks_too_much(shared_sync_cluster):
            pass
        """
    result = run(pytester, test.format(mark="@pytest.mark.asyncio(loop_scope='session')"))
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        ["pytest.mark.cluster(nodes=...) is about a cluster of the test's own*"]
    )
    result = run(pytester, test.format(mark=""))
    result.assert_outcomes(passed=2, errors=3)
    result.stdout.fnmatch_lines(["shared_cluster lives on the event loop of the session*function*"])


def test_what_is_asked_for_wrongly_is_refused_in_a_line(pytester: pytest.Pytester) -> None:
    """With what to write instead."""
    result = run(
        pytester,
        """
        import pytest

        def test_sync(cluster):
            pass

        @pytest.mark.cluster(nods=3)
        async def test_misspelt(cluster):
            pass

        @pytest.mark.cluster(3)
        async def test_bare(cluster):
            pass
        """,
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "cluster is for async tests, *ask for sync_cluster, whose methods need no await",
            "pytest.mark.cluster has no argument 'nods': did you mean nodes?",
            "pytest.mark.cluster takes names with its values, not 3 alone: *",
        ]
    )
    assert "living.py" not in result.stdout.str()


FAILING = """
    import asyncio
    import pytest
    from actors import VirtualClock

    POD = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "huge"},
        "spec": {"containers": [{"name": "main", "image": "x",
            "resources": {"requests": {"cpu": "4000"}}}]},
    }

    @pytest.mark.cluster(nodes=1)
    async def test_waits_in_vain(cluster):
        cluster.image("worker", logs=["first words"])
        await cluster.apply([POD, {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fine"},
            "spec": {"containers": [{"name": "main", "image": "worker"}]},
        }])
        await cluster.wait("pod/fine")
        cluster.faults.api(verb="get", kind="Secret", error=500).start()
        await cluster.wait("pod/huge", timeout=10)

    def test_sync(sync_cluster):
        assert not sync_cluster.api.list("nodes")

    TASKS = []

    async def test_leaves_a_task(cluster):
        TASKS.append(asyncio.create_task(VirtualClock().sleep(1)))
        await asyncio.sleep(0)

    async def test_passes(cluster):
        pass
    """


@pytest.mark.leaves_tasks
def test_a_failed_test_shows_its_cluster(pytester: pytest.Pytester) -> None:
    """The seed to repeat it, what is not well first, Events, the log's end, pods' logs, faults."""
    result = run(pytester, FAILING, "--cluster-seed=9")
    result.assert_outcomes(failed=2, passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ClusterError: tasks go on after the test's cluster has ended*",
            "*VirtualClock.sleep*",
            "*- cluster -*",
            "Kubernetes 1.35, 1 node, *",
            "seed 9: repeat it with pytest --cluster-seed=9, or Cluster(seed=9, epoch=*)",
            "pods:",
            "  default * huge * 0/1 * Pending *",
            "  default * fine * 1/1 * Running *",
            "events, the last *",
            "  Warning * FailedScheduling * pod/huge * 0/1 nodes are available: *",
            "event log, the last * records:",
            "  * orchestrator-library * ADDED * pods default/huge*",
            "log of default/fine, container main:",
            "  first words",
            "faults in force:",
            "*verb=get kind=Secret error=500*",
        ]
    )


def test_a_failed_test_shows_the_clusters_that_it_opened_itself(
    pytester: pytest.Pytester,
) -> None:
    """As they were when they were given up, or as they are where they were left open."""
    result = run(
        pytester,
        """
        import asyncio, gc, weakref
        import pytest
        from orchestrator import Cluster

        def named(name):
            return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}

        async def test_block():
            async with Cluster(nodes=1, listen=None) as cluster:
                await cluster.apply(named("in-a-block"))
                assert False

        async def test_finally():
            cluster = Cluster(nodes=1, listen=None)
            await cluster.start()
            try:
                await cluster.apply(named("in-a-try"))
                raise LookupError
            finally:
                await cluster.stop()

        async def test_beside(cluster):
            await cluster.apply(named("of-the-fixture"))
            async with Cluster(nodes=1, listen=None) as own:
                await own.apply(named("beside-it"))
                assert False

        def test_twin():
            with Cluster.sync(nodes=1, listen=None) as cluster:
                cluster.apply(named("in-the-twin"))
                assert False

        @pytest.fixture
        async def mine():
            async with Cluster(nodes=1, listen=None) as cluster:
                await cluster.apply(named("of-a-fixture-of-mine"))
                yield cluster

        async def test_own_fixture(mine):
            assert False

        kept = []

        async def test_well_stopped():
            async with Cluster(nodes=1, listen=None) as cluster:
                await cluster.apply(named("well-stopped"))
                kept.append(weakref.ref(cluster))
            del cluster
            gc.collect()
            assert kept[0]() is None, "nobody holds it"
            assert False, "alone"

        async def test_passes():
            with pytest.raises(LookupError):
                async with Cluster(nodes=1, listen=None) as cluster:
                    await cluster.apply(named("on-purpose"))
                    raise LookupError
        """,
    )
    result.assert_outcomes(failed=6, passed=1)
    text = result.stdout.str()
    reports_of = {
        part.split(" ", 1)[0]: part
        for part in text.split("\n___")[1:]
        for part in [part.strip("_ ")]
    }
    shown = {
        name: [title for title in ("cluster", "cluster 2") if f"- {title} -" in part]
        for name, part in reports_of.items()
    }
    assert shown == {
        "test_block": ["cluster"],
        "test_finally": ["cluster"],
        "test_beside": ["cluster", "cluster 2"],
        "test_twin": ["cluster"],
        "test_own_fixture": ["cluster"],
        "test_well_stopped": [],
    }
    for test, name in (
        ("test_block", "in-a-block"),
        ("test_finally", "in-a-try"),
        ("test_beside", "of-the-fixture"),
        ("test_beside", "beside-it"),
        ("test_twin", "in-the-twin"),
        ("test_own_fixture", "of-a-fixture-of-mine"),
    ):
        assert f"  default     {name}" in reports_of[test], test


THROUGH_THE_LIBRARY = """
    import pytest

    async def test_told(cluster):
        await cluster.wait("pod/none", timeout=1)

    def test_told_from_a_thread(sync_cluster):
        sync_cluster.api.get("pod", "none")

    async def test_own_mistake_far_below(cluster):
        await cluster.clock.advance_until(lambda: 1 / 0)

    async def test_perhaps_the_library_s_mistake(cluster):
        await cluster.wait("pod/none", 7)
"""


@pytest.mark.parametrize(
    ("option", "inner"), [("-q", False), ("--full-trace", True)], ids=["usual", "full"]
)
def test_a_traceback_is_about_the_test_not_the_library(
    pytester: pytest.Pytester, option: str, inner: bool
) -> None:
    """Errors that the library tells of, and others that came through it, are shown without it."""
    result = run(pytester, THROUGH_THE_LIBRARY, option, "--show-capture=no")
    result.assert_outcomes(failed=4)
    shown = result.stdout.str()
    for file in ("embedded/client/calls.py", "embedded/sync/portal.py", "embedded/clock/clocks.py"):
        assert (file in shown) == inner
    assert "embedded/waiting/conditions.py" in shown  # a TypeError is kept whole
    result.stdout.fnmatch_lines(
        [
            '>*await cluster.wait("pod/none", timeout=1)',
            "E*orchestrator.WaitTimeoutError: pod/none did not come to Ready within 1 s*",
            '>*sync_cluster.api.get("pod", "none")',
            'E*orchestrator.StatusError: pods "none" not found',
            "E*ZeroDivisionError*",
        ]
    )


@pytest.mark.e2e
def test_workers_of_xdist_do_not_meet(pytester: pytest.Pytester) -> None:
    """Two at once, each with ports and a seed of its own; reports come through."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("time", range(4))
        async def test_own(cluster, time):
            assert cluster.kubeconfig.is_file()
            assert time < 3
        """
    )
    pytester.makeini(f"[pytest]\n{AUTO}\n")
    result = pytester.runpytest_subprocess(*QUIET, "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["seed *: repeat it with pytest --cluster-seed=*"])


def test_a_project_without_clusters_loads_next_to_nothing() -> None:
    """The plugin imports none of the library's parts before a fixture is used."""
    program = (
        "import sys, pytest, pytest_asyncio; before = set(sys.modules)\n"
        "import orchestrator.testing.plugin, orchestrator.testing.asyncio_fixtures\n"
        "print(*sorted(n for n in set(sys.modules) - before if n.partition('.')[0] in "
        "('orchestrator', 'actors', 'orjson', 'yaml', 'httpx', 'uvicorn', 'structlog')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [
        "orchestrator",
        "orchestrator.lazily",
        "orchestrator.testing",
        "orchestrator.testing.asyncio_fixtures",
        "orchestrator.testing.living",
        "orchestrator.testing.opened",
        "orchestrator.testing.plugin",
        "orchestrator.testing.settings",
        "orchestrator.witnesses",
    ]


def test_the_librarys_own_assertions_are_left_as_they_are() -> None:
    """Pytest would write those of every distribution with a plugin anew: of 900 modules."""
    from orchestrator.testing.plugin import _spare_the_library

    class Finder:
        _must_rewrite: ClassVar = {"orchestrator", "actors", "hypothesis", "tests"}

    _spare_the_library([object(), Finder])
    assert Finder._must_rewrite == {"hypothesis", "tests"}
    for finder in sys.meta_path:
        assert not {"orchestrator", "actors"} & getattr(finder, "_must_rewrite", set())
