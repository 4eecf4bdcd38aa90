"""``orchestrator replay``, ``history`` and ``diff`` on a recorded log and on a data directory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner, Result

from actors.log import LogError, LogLocked
from actors.log.files import open_log, write_log
from orchestrator import Cluster
from orchestrator.cli import app as commands
from orchestrator.resources.objects import Key, Object
from orchestrator.store.archives import read_history
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop


def run(*words: object) -> Result:
    """Run the program."""
    return CliRunner().invoke(commands.app, [str(word) for word in words])


class Recorded(NamedTuple):
    """A log, and what is known of it.

    Attributes:
        path: The file.
        objects: All objects at its end.
        states: Versions, and the ConfigMap ``a`` at them.
        early: Before the Deployment was scaled.
        late: After it was.
    """

    path: Path
    objects: dict[Key, Object]
    states: dict[int, Object]
    early: int
    late: int


async def record(path: Path) -> Recorded:
    """Record a life: a Deployment that is scaled by somebody, a ConfigMap that goes."""
    states = {}
    async with Cluster(listen=None, epoch=EPOCH, seed=1) as cluster:
        await cluster.apply([deployment("web"), config_map("gone")])
        await cluster.wait("deployment/web", "Available")
        for turn in range(5):
            await cluster.apply(config_map("a", x=str(turn)))
            states[cluster.version] = await cluster.api.get("cm", "a")
        early = cluster.version
        await cluster.clock.advance(hours=1)
        async with cluster.client(user="alice", groups=("system:masters",)) as api:
            await api.patch("deployment", "web", {"spec": {"replicas": 3}})
        await cluster.api.delete("cm", "gone")
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.settle()
        await cluster.record(path)
        return Recorded(path, cluster.store.objects(), states, early, cluster.version)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """One recorded log for all."""
    path = tmp_path_factory.mktemp("recorded") / "run.db"
    yield asyncio.run(record(path))
    assert not list(path.parent.glob("*-wal")), "reading leaves nothing beside a log"


def test_a_recorded_log_replays_to_exactly_the_state(recorded: Recorded) -> None:
    """Every object, at its end and at versions before, versions included."""
    history = read_history(recorded.path)
    assert history.state(recorded.late) == recorded.objects
    for version, seen in recorded.states.items():
        assert history.state(version)[("configmaps", "default", "a")] == seen  # type: ignore[index] # a Key is a tuple


def test_the_same_seed_records_the_same_log(recorded: Recorded, tmp_path: Path) -> None:
    """Record by record, byte for byte, times and authors included."""
    again = asyncio.run(record(tmp_path / "again.db"))
    records = []
    for path in (recorded.path, again.path):
        with open_log(path) as log:
            records.append([item for chunk in log.records(0) for item in chunk])
    differing = [pair for pair in zip(*records, strict=True) if pair[0] != pair[1]]
    # The key of accounts' tokens is the operating system's; everything else is the seed's.
    assert differing == []


def test_replay_shows_tables_as_kubectl_does(recorded: Recorded) -> None:
    """Aligned, with ages as of then, without what a cluster is full of by itself."""
    result = run("replay", recorded.path)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if "deployment.apps/web" in line)
    assert lines[at - 1].split() == ["NAMESPACE", "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[at].split() == ["default", "deployment.apps/web", "3/3", "3", "3", "60m"]
    assert "clusterrole" not in result.stdout
    early = run("replay", recorded.path, "po,deploy", "--until", recorded.early)
    assert early.stdout.count("pod/web-") == 2
    assert "configmap" not in early.stdout
    assert "2/2" in early.stdout
    assert "clusterrole.rbac" in run("replay", recorded.path, "all").stdout
    assert "NODE" in run("replay", recorded.path, "pods", "-o", "wide", "-n", "default").stdout


@pytest.mark.parametrize("how", [("-o", "yaml"), ("-o", "json"), ("--json",)])
def test_replay_prints_objects_whole(recorded: Recorded, how: tuple[str, ...]) -> None:
    """As a List that kubectl can apply."""
    result = run("replay", recorded.path, "cm", "-n", "default", *how)
    listed: Any = yaml.safe_load(result.stdout)
    assert listed["kind"] == "List"
    wanted = [v for k, v in recorded.objects.items() if k[:2] == ("configmaps", "default")]
    assert listed["items"] == sorted(wanted, key=lambda obj: str(obj["metadata"]["name"]))


def test_history_tells_each_revision_by_whom_and_what(recorded: Recorded) -> None:
    """As a table, and as JSON; of objects that are gone too."""
    result = run("history", recorded.path, "deploy/web")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["VERSION", "TIME", "BY", "CHANGE"]
    column = lines[0].index("CHANGE")
    assert lines[1][column:] == "added"
    (scaled,) = [i for i, line in enumerate(lines) if "spec.replicas: 2 -> 3" in line]
    assert "2026-01-01T01:00:00Z  orchestrator-library (alice)" in lines[scaled - 1]
    found = json.loads(run("history", recorded.path, "cm/gone", "--json").stdout)
    assert [item["change"] for item in found] == ["added", "removed"]
    assert found[0]["user"] == "kubernetes-admin"


def test_diff_tells_what_was_added_removed_and_changed(recorded: Recorded) -> None:
    """One line for each field, with the old and the new value."""
    result = run("diff", recorded.path, recorded.early, recorded.late)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["CHANGE", "NAMESPACE", "OBJECT", "FIELD", "OLD", "NEW"]
    assert ["removed", "default", "configmap/gone"] in lines
    assert ["spec.replicas", "2", "3"] in lines
    found = json.loads(run("diff", recorded.path, recorded.early, recorded.late, "--json").stdout)
    (web,) = [item for item in found if (item["kind"], item["name"]) == ("Deployment", "web")]
    assert {"path": "spec.replicas", "old": 2, "new": 3} in web["fields"]
    same = run("diff", recorded.path, recorded.late, recorded.late)
    assert (same.exit_code, same.stdout) == (0, "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("replay", "{dir}/none.db"), "there is no event log at"),
        (("replay", "{dir}/text"), "is not an event log"),
        (("replay", "{dir}"), "there is no event log at"),
        (
            ("replay", "{log}", "--until", "99999"),
            "99999 is beyond the last one: versions 0 to",
        ),
        (("replay", "{log}", "gizmos"), 'doesn\'t have a resource type "gizmos"'),
        (("diff", "{log}", "1", "99999"), "versions 0 to"),
        (("history", "{log}", "deployment/wbe"), "near it were web"),
        (("history", "{log}", "deployment/web", "-n", "x"), "there was one in default"),
        (("history", "{log}", "deployment"), "names no object"),
        (("history", "{log}", "cm/zzzzzz"), "there were a"),
    ],
)
def test_what_cannot_be_had_is_told_with_what_can(
    recorded: Recorded, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    """One line on standard error, and exit code 2."""
    (tmp_path / "text").write_text("no log, " * 100)
    result = run(*(word.format(dir=tmp_path, log=recorded.path) for word in words))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.startswith(f"orchestrator {words[0]}: ")
    assert len(result.stderr.splitlines()) == 1


@on_a_real_loop
async def test_the_directory_of_a_running_cluster_is_read_without_disturbing_it(
    tmp_path: Path,
) -> None:
    """What is committed by then is seen; the cluster goes on, and it is read when it ended."""
    directory = tmp_path / "data"
    async with Cluster(listen=None, data_dir=directory) as cluster:
        await cluster.apply(config_map("a", x="1"))
        found = await asyncio.to_thread(read_history, directory)
        assert found.state(found.last) == cluster.store.objects()
        await cluster.apply(config_map("a", x="2"))
        result = await asyncio.to_thread(run, "history", directory, "cm/a")
        assert 'data.x: "1" -> "2"' in result.stdout
        with pytest.raises(LogLocked):
            await asyncio.to_thread(write_log, directory / "cluster.db", 1, [])
        objects = cluster.store.objects()
    found = await asyncio.to_thread(read_history, directory)
    assert found.state(found.last).keys() >= objects.keys()


@on_a_real_loop
async def test_a_bounded_history_is_recorded_from_where_it_begins(tmp_path: Path) -> None:
    """The state before comes along; a record replaces a record, and nothing else."""
    path = tmp_path / "run.db"
    async with Cluster(listen=None, history=20_000) as cluster:
        for turn in range(200):
            await cluster.apply(config_map("a", x=str(turn) * 50))
        await cluster.record(path)
        await cluster.record(path)
        found = read_history(path)
        assert found.floor > 0
        assert found.state(found.last) == cluster.store.objects()
        (tmp_path / "notes").write_text("mine, " * 100)
        with pytest.raises(LogError, match="not an event log"):
            await cluster.record(tmp_path / "notes")
        assert (tmp_path / "notes").read_text().startswith("mine")
