"""What-if questions about a cluster that was dumped: what fits, what moves, what is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.asking import Answer, Ask, answer
from orchestrator.bench.planning.manifests import read_load, read_template
from orchestrator.bench.planning.sources import read_cluster
from orchestrator.bench.planning.starting import records_of
from orchestrator.bench.progress import Progress
from orchestrator.bench.traces.records import NodeComes, PodComes
from tests.bench.clusters import dump, node, pod, pod_file


def ask(cluster: Path | None, **question: Any) -> Answer:
    """Ask a question."""
    return answer(Ask(cluster=cluster, **question), Progress())


# ---- how many more fit


def test_as_many_fit_as_there_is_room_for(tmp_path: Path) -> None:
    """Four CPUs each, three taken, one node cordoned: five more, and why not a sixth."""
    cluster = dump(
        tmp_path,
        node("a"), node("b"), node("c", unschedulable=True),
        pod("x", "a", cpu="2"), pod("y", "b"), pod("done", "a", cpu="4", phase="Succeeded"),
    )  # fmt: skip
    said = ask(cluster, fit=pod_file(tmp_path))
    assert said.record["count"] == 5
    assert said.record["nodes"] == {"a": 2, "b": 3, "c": 0}
    assert said.headline == "5 more web pods fit on 3 nodes"
    assert said.record["stopped"].startswith(
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu."
    )
    assert said.record["reasons"] == {
        "a": "Insufficient cpu",
        "b": "Insufficient cpu",
        "c": "node(s) were unschedulable",
    }


def test_pods_that_wait_are_placed_first(tmp_path: Path) -> None:
    """The scheduler would do so; those behind a gate, or being deleted, are not."""
    gated = pod("gated", schedulingGates=[{"name": "g"}])
    cluster = dump(tmp_path, node("a"), pod("w", cpu="3"), pod("big", cpu="9"), gated)
    said = ask(cluster, fit=pod_file(tmp_path))
    assert said.record["count"] == 1
    assert said.notes == ["2 pods were pending: 1 of them are taken to be placed first"]


def test_nobody_is_preempted_to_make_room(tmp_path: Path) -> None:
    """A pod of high priority counts free room only."""
    cluster = dump(tmp_path, node("a"), pod("x", "a", cpu="3", priority=0))
    path = pod_file(tmp_path, cpu="2", priority=1000)
    said = ask(cluster, fit=path)
    assert said.record["count"] == 0
    assert said.record["stopped"] == (
        "0/1 nodes are available: 1 Insufficient cpu. 1 pod on a could be preempted for it."
    )


def test_the_limit_ends_the_question(tmp_path: Path) -> None:
    """And is said to be what stopped it."""
    said = ask(dump(tmp_path, node("a")), fit=pod_file(tmp_path), limit=2)
    assert (said.record["count"], said.record["stopped"]) == (2, "")
    assert said.lines == ["stopped at the limit of 2 (--limit)"]


def test_affinity_and_spread_hold_among_the_new_pods(tmp_path: Path) -> None:
    """One on each node, since they repel each other."""
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "solo"},
        "spec": {
            "selector": {"matchLabels": {"app": "solo"}},
            "template": {
                "metadata": {"labels": {"app": "solo"}},
                "spec": {
                    "containers": [{"name": "c", "image": "i"}],
                    "affinity": {
                        "podAntiAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                {
                                    "topologyKey": "kubernetes.io/hostname",
                                    "labelSelector": {"matchLabels": {"app": "solo"}},
                                }
                            ]
                        }
                    },
                },
            },
        },
    }
    path = tmp_path / "solo.yaml"
    path.write_text(yaml.safe_dump(manifest))
    said = ask(dump(tmp_path, node("a"), node("b")), fit=path)
    assert said.record["nodes"] == {"a": 1, "b": 1}
    assert "2 node(s) didn't match pod anti-affinity rules" in said.record["stopped"]


def test_a_policy_decides_where_they_go(tmp_path: Path) -> None:
    """Packed or spread."""
    profile = {
        "schedulerName": "default-scheduler",
        "pluginConfig": [
            {
                "name": "NodeResourcesFit",
                "args": {
                    "scoringStrategy": {
                        "type": "MostAllocated",
                        "resources": [{"name": "cpu", "weight": 1}],
                    }
                },
            }
        ],
    }
    policy = tmp_path / "most.yaml"
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [profile],
    }
    policy.write_text(yaml.safe_dump(document))
    cluster = dump(tmp_path, node("a"), node("b"))
    path = pod_file(tmp_path)
    spread = ask(cluster, fit=path, limit=4)
    packed = ask(cluster, fit=path, limit=4, policy=str(policy))
    assert sorted(spread.record["nodes"].values()) == [2, 2]
    assert sorted(packed.record["nodes"].values()) == [0, 4]


# ---- what if nodes go


def test_each_pod_of_a_node_that_goes_is_accounted_for(tmp_path: Path) -> None:
    """Moved, stuck, lost, or ended with its node."""
    cluster = dump(
        tmp_path,
        node("a"), node("b", cpu="2"), node("c", cpu="1"),
        pod("w1", "a"), pod("w2", "a"), pod("big", "a", cpu="3"),
        pod("d1", "a", cpu="100m", owner="DaemonSet"), pod("s", "a", owner="Node"),
        pod("bare", "a", owner=""), pod("o", "c"),
    )  # fmt: skip
    said = ask(cluster, without=("a",))
    moves = {move["pod"]: move for move in said.record["moves"]}
    assert {name: move["target"] for name, move in moves.items()} == {
        "team/w1": "b",
        "team/w2": "b",
        "team/big": None,
    }
    assert moves["team/big"]["why"].startswith("0/2 nodes are available: 2 Insufficient cpu.")
    assert said.record["with_node"] == ["team/d1", "team/s"]
    assert said.record["lost"] == ["team/bare"]
    assert said.code == 1
    assert said.headline == (
        "without a: 2 pods move, 1 fit nowhere, 1 are lost, 2 end with their node"
    )


def test_when_everything_finds_a_place_the_answer_is_good(tmp_path: Path) -> None:
    """The exit code says so, for scripts."""
    cluster = dump(tmp_path, node("a"), node("b"), node("c"), pod("w", "a"), pod("v", "b"))
    said = ask(cluster, without=("a", "b"))
    assert said.code == 0
    assert {move["target"] for move in said.record["moves"]} == {"c"}


def test_pods_that_move_may_take_the_places_of_others(tmp_path: Path) -> None:
    """An important one of a node that goes; the other one is told of as well."""
    cluster = dump(
        tmp_path,
        node("a"), node("b"),
        pod("vip", "a", cpu="3", priority=100), pod("low", "b", cpu="3"),
    )  # fmt: skip
    said = ask(cluster, without=("a",))
    vip, low = said.record["moves"]
    assert (vip["pod"], vip["target"], vip["preempted"]) == ("team/vip", "b", False)
    assert (low["pod"], low["source"], low["target"], low["preempted"]) == (
        "team/low", "b", None, True,
    )  # fmt: skip
    assert said.code == 1


def test_a_node_that_is_not_there_cannot_go(tmp_path: Path) -> None:
    """The nodes that are there are named."""
    with pytest.raises(UserError, match="there is no node z; there are a, b"):
        ask(dump(tmp_path, node("a"), node("b")), without=("z",))


# ---- how many nodes


def workload(directory: Path, replicas: int, cpu: str = "1", kind: str = "Deployment") -> Path:
    """Write a workload's manifest."""
    requests = {"requests": {"cpu": cpu, "memory": "1Gi"}}
    template = {
        "metadata": {"labels": {"app": "w"}},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": requests}]},
    }
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "w"}}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    document = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": kind.lower()},
        "spec": spec,
    }
    path = directory / f"{kind.lower()}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def template_file(directory: Path, cpu: str = "4") -> str:
    """Write a Node's manifest."""
    path = directory / "node.yaml"
    path.write_text(json.dumps(node("big", cpu=cpu, memory="16Gi")))
    return str(path)


@pytest.mark.parametrize(
    ("replicas", "cpu", "needed"), [(8, "1", 2), (9, "1", 3), (4, "3", 4), (40, "1500m", 20)]
)
def test_the_fewest_nodes_are_found(tmp_path: Path, replicas: int, cpu: str, needed: int) -> None:
    """Where pods do not divide a node evenly, it is more than the sum says."""
    path = workload(tmp_path, replicas, cpu)
    said = ask(None, load=path, node_template=template_file(tmp_path))
    assert said.record["nodes"] == needed
    assert said.record["attempts"].get(str(needed - 1), 1) > 0
    assert said.code == 0


def test_room_that_is_there_is_used_first(tmp_path: Path) -> None:
    """The template is the cluster's own kind of node, with its daemons on it."""
    cluster = dump(
        tmp_path, node("a"), pod("x", "a", cpu="1500m"), pod("d", "a", "500m", owner="DaemonSet")
    )
    assert ask(cluster, load=workload(tmp_path, 2)).record["nodes"] == 0
    said = ask(cluster, load=workload(tmp_path, 8))
    assert said.record["size"]["cpu"] == 3500
    assert said.record["nodes"] == 2
    assert said.headline.startswith(
        "2 nodes are needed for 8 pods beside the 1 that are there, each like a (3.5 CPU, "
    )


def test_daemonsets_of_the_load_weigh_on_every_node(tmp_path: Path) -> None:
    """Half of each node goes to them."""
    both = tmp_path / "both.yaml"
    parts = [workload(tmp_path, 4), workload(tmp_path, 0, "2", "DaemonSet")]
    both.write_text("---\n".join(part.read_text() for part in parts))
    assert ask(None, load=both, node_template=template_file(tmp_path)).record["nodes"] == 2


def test_a_pod_that_is_too_big_needs_other_nodes(tmp_path: Path) -> None:
    """No number is enough; why is said once, and the code is 1."""
    said = ask(None, load=workload(tmp_path, 3, "5"), node_template=template_file(tmp_path))
    assert said.record["nodes"] is None
    assert said.code == 1
    assert len(said.record["unplaced"]) == 1
    assert "Insufficient cpu" in said.record["unplaced"][0]
    assert max(map(int, said.record["attempts"])) < 100


def trace_file(directory: Path) -> Path:
    """Write a trace with a node and two pods that come while others run."""
    lines = [
        {"kind": "node", "name": "n", "cpu": "2", "memory": "4Gi"},
        *(
            {"kind": "pod", "time": time, "name": f"p{time}", "cpu": "2", "duration": 10}
            for time in (0, 1, 2, 20)
        ),
    ]
    path = directory / "load.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize(("patience", "needed"), [(0, 3), (9, 2), (30, 1)])
def test_a_trace_needs_fewer_nodes_when_pods_may_wait(
    tmp_path: Path, patience: float, needed: int
) -> None:
    """Three run at a time; the trace's own node is the template."""
    said = ask(None, load=trace_file(tmp_path), max_pending=patience)
    assert said.record["nodes"] == needed
    assert said.record["requested"]["cpu"] == 6000


def test_a_trace_that_no_number_of_nodes_takes_says_why(tmp_path: Path) -> None:
    """In the scheduler's words: the kind of node lacks something."""
    path = trace_file(tmp_path)
    path.write_text(path.read_text() + '{"kind": "pod", "time": 30, "name": "g", "gpu": 1}\n')
    said = ask(None, load=path)
    assert said.code == 1
    (reason,) = said.record["unplaced"]
    assert "Insufficient nvidia.com/gpu" in reason


def test_a_template_must_be_one_node(tmp_path: Path) -> None:
    """A name of the cluster's, or a file with a Node; without either, it is asked for."""
    load = workload(tmp_path, 1)
    with pytest.raises(UserError, match="what kind of node"):
        ask(None, load=load)
    with pytest.raises(UserError, match="one Node is needed as a template"):
        ask(None, load=load, node_template=str(pod_file(tmp_path)))
    cluster = dump(tmp_path, node("a"), node("b", cpu="64"))
    said = ask(cluster, load=workload(tmp_path, 100), node_template="b")
    assert said.record["size"]["cpu"] == 64000


# ---- reading


def test_a_dump_in_yaml_or_of_one_kind_is_read_too(tmp_path: Path) -> None:
    """As ``kubectl get nodes -o yaml`` writes it, and as the API does."""
    path = tmp_path / "nodes.yaml"
    path.write_text(yaml.safe_dump({"kind": "List", "items": [node("a")]}))
    observed = read_cluster(path, Progress())
    assert [each["metadata"]["name"] for each in observed.nodes] == ["a"]
    assert observed.notes == [
        f"{path}: there are no pods in it, so all nodes are taken to be empty"
    ]
    bare = {key: value for key, value in node("a").items() if key != "kind"}
    path.write_text(yaml.safe_dump({"kind": "NodeList", "items": [bare]}))
    assert len(read_cluster(path, Progress()).nodes) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"kind": "List", "items": [', ":1: not JSON: .*was the dump cut off"),
        ("a: [", "not YAML"),
        ("", "there is nothing in it"),
        ("kind: Pod", "neither a kubeconfig nor a dump; make one by: kubectl get nodes,pods"),
        ('{"kind": "List", "items": []}', "there are no nodes in it; make a dump by"),
        ('{"kind": "List", "items": [3]}', "item 0 is no Kubernetes object"),
        ('{"kind": "List", "items": [{"kind": "Node", "metadata": {}}]}', "no metadata.name"),
    ],
)
def test_a_file_that_is_no_cluster_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """And what would be one is said."""
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint):
        read_cluster(path, Progress())


def test_a_cluster_can_begin_a_trace(tmp_path: Path) -> None:
    """Its pods stand on their nodes from the beginning; waiting ones are to be scheduled."""
    observed = read_cluster(dump(tmp_path, node("a"), pod("x", "a"), pod("w")), Progress())
    first, running, waiting = records_of(observed)
    assert isinstance(first, NodeComes)
    assert isinstance(running, PodComes)
    assert isinstance(waiting, PodComes)
    assert (running.node, waiting.node) == ("a", None)
    assert "nodeName" not in running.pod["spec"]


def test_manifests_become_the_pods_they_make(tmp_path: Path) -> None:
    """Requests default to limits, classes become priorities; what makes no pods is noted."""
    path = tmp_path / "all.yaml"
    path.write_text(
        """
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 80}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: n}
spec:
  parallelism: 3
  completions: 2
  template:
    spec:
      restartPolicy: Never
      priorityClassName: system-node-critical
      containers: [{name: c, image: i, resources: {limits: {cpu: 300m}}}]
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec: {nodeName: elsewhere, containers: [{name: c, image: i}]}
"""
    )
    load = read_load(path)
    assert [each["metadata"]["name"] for each in load.pods] == ["j-0", "j-1", "p"]
    spec = load.pods[0]["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "300m"}
    assert spec["priority"] == 2_000_001_000
    assert "nodeName" not in load.pods[2]["spec"]
    assert load.notes == [f"{path}: a Service makes no pods"]


GOLD = """
{kind: Pod, apiVersion: v1, metadata: {name: p},
 spec: {priorityClassName: gold, containers: [{name: c, image: i}]}}
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {container: []}", "unknown field"),
        (
            "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {containers: []}",
            "Required value",
        ),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: p}", "one pod or workload is needed"),
        ("metadata: {name: p}", "a document has no kind"),
        (
            GOLD,
            "no PriorityClass with name gold was found; a dump has them if made by",
        ),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """In the API's words: a misspelt field would silently ask for something else."""
    path = tmp_path / "pod.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint):
        read_template(path)
