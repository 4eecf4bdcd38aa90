"""What is called wrongly says so at once, instead of waiting for ever or doing something else."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from actors import VirtualClock
from actors.testing import Deadlock, run_virtual
from orchestrator import (
    ApplyError,
    Cluster,
    ClusterError,
    StatusError,
    VersionError,
    WaitTimeoutError,
)
from orchestrator.embedded import Exit
from orchestrator.embedded.kinds.manifests import read_objects
from tests.embedded.kit import config_map, on_a_real_loop


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"runtime": "docker"}, "runtime='docker': choose one of simulated, process"),
        ({"time": "fast"}, "time='fast': choose one of real, manual, auto"),
        ({"listen": "/tmp/api.sock"}, r"listen='/tmp/api.sock': .*Path\('/tmp/api.sock'\)"),
        ({"nodes": -1}, "nodes=-1: give a whole number"),
        ({"nodes": "3"}, "nodes='3': give a whole number"),
        ({"seed": "a"}, "seed='a': give a whole number"),
        ({"epoch": math.nan}, "epoch=nan: give seconds as a number"),
        ({"client_grace": -1}, "client_grace=-1: give seconds as a number"),
        ({"kubernetes_version": 1.35}, 'kubernetes_version=1.35: give a text, "1.35"'),
        ({"history": -1}, "history=-1: give a whole number"),
        ({"node_capacity": {"cpu": "lots"}}, "node_capacity: cpu='lots': quantities must match"),
        ({"node_capacity": {"cpu": "-4"}}, "node_capacity: cpu='-4' is negative"),
        ({"node_capacity": {"cpus": "4"}}, "'cpus' is no resource of nodes .*: did you mean cpu?"),
        ({"node_capacity": ["cpu"]}, r"node_capacity=\['cpu'\]: give quantities by resource"),
        ({"kubernetes_version": "v1.35"}, r"'v1.35': choose one of 1\.31, 1\.32, "),
        ({"kubernetes_version": "1.99"}, r"kubernetes_version='1.99': choose one of 1\.31"),
        ({"seed": True}, "seed=True: give a whole number"),
        ({"epoch": 1e30}, "epoch=1e\\+30: give seconds as a number"),
        ({"data_dir": ""}, "data_dir='': give the path of a directory"),
        ({"data_dir": 5}, "data_dir=5: give the path of a directory"),
        ({"config": {"nodes": 3}}, "config={'nodes': 3}: give an orchestrator.cluster.ClusterConf"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    """A word that is none of the choices is not taken for one of them."""
    with pytest.raises(ClusterError, match=said):
        Cluster(**given)


def test_a_directory_may_be_a_text(tmp_path: Path) -> None:
    """As everywhere in Python."""
    directory: Any = str(tmp_path)
    assert Cluster(data_dir=directory).config.data_dir == tmp_path


def test_a_clock_before_the_start_says_that_there_was_none() -> None:
    """The clock is an attribute that comes with the start."""
    cluster = Cluster()
    with pytest.raises(ClusterError, match="not started"):
        _ = cluster.clock
    with pytest.raises(AttributeError, match="'Cluster' object has no attribute 'klock'"):
        _ = cluster.klock


@on_a_real_loop
async def test_wrong_times_targets_and_conditions_are_refused_at_once() -> None:
    """Each of these waited for ever, passed, or complained of something within the library."""
    async with Cluster(nodes=1) as cluster:
        clock, began = cluster.clock, cluster.clock.now()
        for endless in (math.nan, math.inf):
            with pytest.raises(ValueError, match="never ends"):
                await clock.advance(endless)
            with pytest.raises(ValueError, match="never ends"):
                await clock.advance_until(lambda: False, hours=endless)
            with pytest.raises(ValueError, match=r"timeout: .*never ends"):
                await cluster.wait("pod/web", timeout=endless)
        text: Any = "30s"
        with pytest.raises(TypeError, match="timeout: give a time as a number, not '30s'"):
            await cluster.wait("pod/web", timeout=text)
        with pytest.raises(TypeError, match="advance: give a time as a number, not '30s'"):
            await clock.advance(text)
        for target in ("pod/", "pod/default/web", ""):
            with pytest.raises(ValueError, match=r"cannot read .*name an object as"):
                await cluster.wait(target)
        pod: Any = {"kind": "Pod"}
        with pytest.raises(TypeError, match="name an object as text"):
            await cluster.wait(pod)
        number: Any = 5
        with pytest.raises(TypeError, match="cannot wait for 5"):
            await cluster.wait("node/node-1", number)
        with pytest.raises(ValueError, match="returned something to be awaited"):
            await cluster.wait("node/node-1", lambda _: cluster.api.list("pods"))
        with pytest.raises(WaitTimeoutError, match="there are none"):
            await cluster.wait("pods", labels="app=web", timeout=0)
        with clock.held(), pytest.raises(ClusterError, match="this block holds the clock"):
            await clock.advance(1)
        with clock.held(), pytest.raises(ClusterError, match="this block holds the clock"):
            await cluster.wait("pod/web")
        with pytest.raises(ValueError, match="sleep: a time of nan"):
            await clock.sleep(math.nan)
        with pytest.raises(ClusterError, match="run_seconds: nan seconds are none"):
            cluster.image("web:1", run_seconds=math.nan)
        with pytest.raises(ClusterError, match="run_seconds: '5' seconds are none"):
            cluster.image("web:1", run_seconds=cast("float", "5"))
        labels: Any = {"app": "web"}
        with pytest.raises(TypeError, match="give labels as text"):
            await cluster.wait("pods", labels=labels)
        several: Any = [config_map()]
        with pytest.raises(TypeError, match=r"not list; cluster\.apply takes lists"):
            await cluster.api.create(several)
        misspelt = cluster.webhook(print, "configmaps", failurePolcy="Ignore")
        with pytest.raises(TypeError, match="a webhook has no field failurePolcy: choose of"):
            await misspelt.__aenter__()
        with pytest.raises(TypeError, match="a function of the request, not 5"):
            await cluster.webhook(number, "configmaps").__aenter__()
        with pytest.raises(TypeError, match=r"give the command as a list, \['ls', '-l'\]"):
            await cluster.api.exec("web", "ls -l")
        assert clock.now() == began
        await clock.advance(1)
        assert clock.now() == began + 1


@on_a_real_loop
async def test_a_handler_that_fails_is_shown_and_not_how_it_was_called() -> None:
    """The refusal begins with its error, and its frames are its own."""

    def careless(request: dict[str, Any]) -> None:
        raise LookupError(request["name"])

    async with Cluster(nodes=1) as cluster, cluster.webhook(careless, "configmaps"):
        with pytest.raises(StatusError) as refused:
            await cluster.api.create(config_map())
    said = refused.value.message
    assert "LookupError: settings" in said
    assert "in careless" in said
    assert "embedded/webhooks/server.py" not in said


def test_a_cluster_that_nobody_stopped_leaves_no_directory() -> None:
    """A notebook, or a program that fails before its ``finally``."""
    program = """
import asyncio
from orchestrator import Cluster

async def main():
    cluster = Cluster(nodes=1, listen=None)
    await cluster.start()
    print(cluster.core.directory)

asyncio.run(main())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert Path(run.stdout.strip()).name.startswith("orchestrator-")
    assert not Path(run.stdout.strip()).exists()


@pytest.mark.cluster(versions="1.34")
def test_one_version_may_be_a_text(cluster_version: str) -> None:
    """Its characters are not versions."""
    assert cluster_version == "1.34"


def _api(name: str, *args: Any, **options: Any) -> Callable[[Cluster], Any]:
    return lambda cluster: getattr(cluster.api, name)(*args, **options)


def _fault(**options: Any) -> Callable[[Cluster], Any]:
    return lambda cluster: cluster.faults.api(**options)


def _cluster(name: str, *args: Any, **options: Any) -> Callable[[Cluster], Any]:
    return lambda cluster: getattr(cluster, name)(*args, **options)


def _node(**options: Any) -> Callable[[Cluster], Any]:
    return lambda cluster: cluster.nodes.add(**options)


MISTAKES: list[tuple[str, Callable[[Cluster], Any], type[Exception], str]] = [
    # What would have been another request: all pods in place of one.
    ("no name", _api("delete", "pods", ""), ValueError, "give the name of one of the pods: an"),
    ("path as name", _api("get", "pods", "a/b"), ValueError, "the name 'a/b': give it alone"),
    ("None as name", _api("find", "pods", None), TypeError, "give the name of one of the pods as"),
    ("namespace", _api("get", "pods", "a", 5), TypeError, "give a namespace as text, not 5"),
    ("kind", _api("list", "podz"), StatusError, 'resource type "podz": did you mean pod?'),
    ("labels", _api("list", "pods", labels={"a": "b"}), TypeError, "give labels as text, 'app=web"),
    ("fields", _api("watch", "pods", fields=5), TypeError, "give fields as text"),
    ("form", _api("patch", "pods", "a", {}, form="mrge"), ValueError, "form='mrge': choose one of"),
    ("grace", _api("delete", "pods", "a", grace_seconds=1.5), TypeError, "give grace_seconds as a"),
    ("replicas", _api("scale", "deploy", "a", "3"), TypeError, "give replicas as a whole number"),
    ("stdin", _api("exec", "a", ["cat"], stdin=b"x"), TypeError, "give stdin as text, not bytes"),
    ("no JSON", _api("create", config_map(a=cast("Any", set()))), TypeError, "plain JSON data"),
    (
        "metadata",
        _api("create", {**config_map(), "metadata": "a"}),
        TypeError,
        "metadata of this ConfigMap is 'a': give a dictionary",
    ),
    (
        "kind of an object",
        _api("create", {**config_map(), "kind": "Confgmap"}),
        StatusError,
        'no matches for kind "Confgmap" in version "v1": did you mean ConfigMap in v1?',
    ),
    (
        "its version",
        _api("create", {**config_map(), "apiVersion": "apps/v1", "kind": "CronJob"}),
        StatusError,
        'no matches for kind "CronJob" in version "apps/v1": it is in batch/v1',
    ),
    ("bytes", _cluster("apply", b"kind: Pod"), ApplyError, "is bytes: decode them"),
    ("metadata, applied", _cluster("apply", {**config_map(), "metadata": 5}), ApplyError, "is 5"),
    (
        "deleted kind",
        _cluster("delete", {**config_map(), "kind": "Confgmap"}),
        StatusError,
        "did you mean ConfigMap in v1?",
    ),
    (
        "version",
        _cluster("at", None),
        TypeError,
        "give a version as cluster.version",
    ),
    ("future", _cluster("at", 10**9), VersionError, "version 1000000000 is beyond the last one"),
    ("past", _cluster("diff", -1), VersionError, "version -1 is no longer there"),
    ("fork", _cluster("fork", 1.5), TypeError, "give a version as cluster.version"),
    ("restore", _cluster("restore", 5), TypeError, r"restore what cluster.snapshot\(\) returned"),
    (
        "user",
        _cluster("kubeconfig_for", ""),
        ValueError,
        "give a user: an empty text",
    ),
    (
        "account",
        _cluster("kubeconfig_for", "system:serviceaccount:default"),
        ClusterError,
        "names no ServiceAccount: write system:serviceaccount:NAMESPACE:NAME",
    ),
    (
        "groups",
        _cluster("kubeconfig_for", "a", groups="admins"),
        TypeError,
        r"give groups as several texts, \('one', 'two'\), not 'admins'",
    ),
    ("groups alone", _cluster("client", groups=("a",)), ValueError, "are a user's: give user, too"),
    ("no program", _cluster("run"), TypeError, "name a program, and its arguments"),
    ("its time", _cluster("run", "true", timeout=math.nan), ValueError, "timeout: a time of nan"),
    (
        "labels of a name",
        _cluster("wait", "pod/a", labels="a=b"),
        ValueError,
        "labels='a=b' choose among objects, and pod/a is one",
    ),
    (
        "selector",
        _cluster("wait", "pods", labels="a=b=c"),
        ValueError,
        "labels='a=b=c' cannot be read: found '='",
    ),
    (
        "watched",
        _cluster("watched", "pods", timeout="x"),
        TypeError,
        "timeout: give a time",
    ),
    ("verb", _fault(verb="lst", error=500), ValueError, "verb='lst': requests get, list"),
    (
        "verbs",
        _fault(verb=iter(["get"]), error=500),
        TypeError,
        "give a text, or several",
    ),
    ("where", _fault(where=5, error=500), TypeError, "where=5: give a function of the request"),
    ("times", _fault(times=1.5, error=500), TypeError, "give times as a whole number, not 1.5"),
    ("chance", _fault(probability="x", error=500), TypeError, "probability='x': give a number"),
    ("endless", _fault(latency=math.inf), ValueError, "latency: a time of inf never ends"),
    ("three", _fault(latency=(1, 2, 3)), ValueError, "give seconds, or the least and the most"),
    ("stale", _fault(stale_watch=-1), ValueError, "stale_watch: time does not go back"),
    ("late", _fault(delay_watch=math.nan), ValueError, "delay_watch: a time of nan"),
    ("name of", _fault(name=5, error=500), TypeError, "give name as text, not 5"),
    ("retry", _fault(error=429, retry_after="x"), TypeError, "give retry_after as a whole number"),
    (
        "part",
        _fault(kind="pods/lgo", error=500),
        ValueError,
        "no subresource 'lgo': did you",
    ),
    (
        "part, apart",
        _fault(kind="pods", subresource="statuss", error=500),
        ValueError,
        "pods have no subresource 'statuss': did you mean status?",
    ),
    (
        "controller",
        lambda cluster: cluster.faults.crash_controller("deploment"),
        ClusterError,
        "no controller 'deploment': did you mean deployment?",
    ),
    (
        "node",
        lambda cluster: cluster.nodes["node-9"],
        KeyError,
        "no node 'node-9': there are",
    ),
    ("its name", _node(name=5), TypeError, "give the name of a node as text"),
    ("its labels", _node(labels={"a b": "c"}), ClusterError, "labels: 'a b': 'c': "),
    (
        "their type",
        _node(labels={"a": 5}),
        ClusterError,
        "'a': 5: keys and values are",
    ),
    ("its taints", _node(taints="a:NoExecute"), TypeError, "give taints as several texts"),
    ("its capacity", _node(capacity={"cpu": "x"}), ClusterError, "capacity: cpu='x': quantities"),
    (
        "sleep",
        lambda cluster: cluster.clock.sleep(cast("Any", "x")),
        TypeError,
        "sleep: give a time",
    ),
    ("rate", lambda cluster: cluster.clock.running(0), ValueError, "rate: at 0 no time would pass"),
    ("dates", lambda cluster: cluster.clock.advance(1e18), ValueError, "beyond all dates"),
    (
        "condition",
        lambda cluster: cluster.clock.advance_until(cast("Any", 5)),
        TypeError,
        "give a function that says when to end, not 5",
    ),
    ("image", _cluster("image", 5), ClusterError, "image 5: an image has a name"),
    ("exit code", _cluster("image", "a", exit_code=300), ClusterError, "a whole number from 0 to"),
    ("readiness", _cluster("image", "a", ready="no"), ClusterError, "ready='no': give True or"),
    ("refusal", _cluster("image", "a", refuse=5), ClusterError, "refuse=5: give a text"),
    ("log", _cluster("image", "a", logs=5), ClusterError, "logs=5: give lines, or pairs"),
    (
        "late line",
        _cluster("image", "a", logs=[(-1, "a")]),
        ClusterError,
        r"\(-1, 'a'\) is no line",
    ),
    (
        "function",
        lambda cluster: cluster.image("a")(cast("Any", 5)),
        TypeError,
        "5 is no function, and only one can be a container",
    ),
    ("port", lambda cluster: cluster.image("a").port(0), ValueError, "there is no port 0: give a"),
    ("schema", _cluster("install_crd", {}, kind="Shop"), ApplyError, "Shop has no API group: give"),
    ("hook", _cluster("webhook", print, []), ValueError, "a webhook of no resources is never"),
    ("hook's", _cluster("webhook", print, "pods/exek"), ValueError, "did you mean exec?"),
    (
        "hook's time",
        _cluster("webhook", print, "pods", timeout="x"),
        TypeError,
        "timeout as a whole",
    ),
    ("may", _cluster("can", "a", "lst", "pods"), ValueError, "verb='lst': did you mean list?"),
    ("may's", _cluster("can", "a", "get", "pods", groups="b"), TypeError, "give groups as several"),
    ("packages", lambda cluster: cluster.clock.shown_to(), TypeError, "name packages by text"),
]


@on_a_real_loop
async def test_each_mistake_is_told_for_what_it_is() -> None:
    """What happened, to what, and what to do; nothing is done, and nobody waits."""
    others = {}
    async with Cluster(nodes=1) as cluster:
        version = cluster.version
        for name, call, kind, said in MISTAKES:
            try:
                async with asyncio.timeout(5):
                    found = call(cluster)
                    if isinstance(found, contextlib.AsyncContextDecorator):
                        found = found.__aenter__()  # type: ignore[attr-defined] # its contexts have it
                    if inspect.isawaitable(found):
                        await found
                others[name] = "nothing was said"
            except Exception as error:  # noqa: BLE001 - all are compared
                text = str(error.args[0] if isinstance(error, KeyError) else error)
                if type(error) is not kind or not re.search(said, text):
                    others[name] = f"{type(error).__name__}: {text}"
        assert others == {}
        assert cluster.version == version
        assert len(cluster.nodes) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\nmetadata: [a\n", "app.yaml is no YAML: .*line 2"),
        ("- a\n", "document 1 of .*app.yaml is a list, not an object"),
        ("kind: Pod\n", "document 1 of .*app.yaml has no apiVersion"),
        ("apiVersion: v1\nkind: Pod\nmetadata: x\n", "metadata of document 1 of .*app.yaml is 'x'"),
        ("\xff", "app.yaml is no text in UTF-8"),
    ],
)
@on_a_real_loop
async def test_a_file_that_cannot_be_applied_is_named_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """The file, the document in it, the line."""
    file = tmp_path / "app.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ApplyError, match=re.compile(said, re.DOTALL)):
        await read_objects(file)
    with pytest.raises(ApplyError, match=r"ap\.yaml: no such file: did you mean .*app\.yaml\?"):
        await read_objects(tmp_path / "ap.yaml")
    with pytest.raises(ApplyError, match="no such file; YAML text has to have a line break"):
        await read_objects(tmp_path / "other.json")


def test_infinity_is_for_ever_for_a_timer_and_nothing_moves_there() -> None:
    """``sleep(inf)`` in an image's function, with the cluster's clock and with the loop's."""

    async def live() -> None:
        async with Cluster(nodes=1, time="auto", listen=None) as cluster:

            @cluster.image("idle:1")
            async def idle(container: Any) -> None:
                for_ever = asyncio.create_task(asyncio.sleep(math.inf))
                try:
                    await container.sleep(math.inf)
                finally:
                    for_ever.cancel()

            await cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": "idle"},
                    "spec": {"containers": [{"name": "main", "image": "idle:1"}]},
                }
            )
            began = cluster.clock.now()
            await cluster.wait("pod/idle")
            await cluster.clock.sleep(3600)
            assert cluster.clock.now() - began == 3600
            pod = await cluster.api.get("pod", "idle")
            assert pod["status"]["phase"] == "Running"

    asyncio.run(live())
    run_virtual(live())


@pytest.mark.leaves_tasks
def test_who_waits_for_ever_alone_is_a_deadlock() -> None:
    """A loop of virtual time does not go on day by day."""
    with pytest.raises(Deadlock):
        run_virtual(asyncio.sleep(math.inf))
    with pytest.raises(ValueError, match="a timer of nan seconds"):
        VirtualClock().call_later(math.nan, print)


@on_a_real_loop
async def test_a_containers_function_is_told_its_mistakes_and_ends_with_them() -> None:
    """An exit code that was none left its container running for ever, with nothing behind it."""
    said: list[str] = []
    wrong: Any = "no"
    async with Cluster(nodes=1, listen=None) as cluster:

        @cluster.image("wrong:1")
        async def mistaken(container: Any) -> None:
            calls: tuple[Callable[[], Any], ...] = (
                lambda: container.set_ready(wrong),
                lambda: container.on_exec(wrong),
                lambda: container.log("a", stream=wrong),
                lambda: setattr(container, "termination_message", 5),
            )
            for call in calls:
                with pytest.raises((TypeError, ValueError)) as refused:
                    call()
                said.append(str(refused.value))
            with pytest.raises(TypeError) as refused:
                await container.sleep(wrong)
            said.append(str(refused.value))
            raise Exit(wrong)

        spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "wrong:1"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "wrong"}, "spec": spec}
        await cluster.apply(pod)
        await cluster.wait("pod/wrong", "jsonpath={.status.phase}=Failed")
        assert "an exit code is a whole number" in await cluster.api.logs("wrong")
    assert said == [
        "say True or False of being ready, not 'no'",
        "'no' is no function, and only one answers commands",
        "stream='no': choose stdout or stderr",
        "give the termination message as text, not 5",
        "sleep: give a time as a number, not 'no'",
    ]
