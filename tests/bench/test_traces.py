"""Traces as files: what is read, what is written, what is refused and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.bench.traces.files import read_trace, write_trace
from orchestrator.bench.traces.records import (
    NodeComes,
    NodeGoes,
    PodComes,
    Record,
    TraceError,
    merge_records,
)
from orchestrator.bench.traces.synthetic import (
    DEFAULT_NODE,
    DEFAULT_SHAPES,
    Mix,
    generate_trace,
    read_mix,
)

LINES: list[dict[str, object]] = [
    {
        "kind": "node", "name": "n", "cpu": "4", "memory": "16Gi", "gpu": 2, "count": 2,
        "labels": {"zone": "a"}, "taints": ["dedicated=ml:NoSchedule"],
    },
    {
        "kind": "pod", "time": 1.5, "name": "p", "namespace": "team", "cpu": "500m",
        "memory": "1Gi", "priority": 7, "labels": {"app": "x"}, "node_selector": {"zone": "a"},
        "tolerations": ["dedicated:NoSchedule"], "duration": 30,
    },
    {
        "kind": "pod", "time": 2, "name": "q", "resources": {"example.com/licence": 1},
        "until": 40, "spec": {"terminationGracePeriodSeconds": 5},
    },
    {"kind": "node-gone", "time": 9, "name": "n-1"},
]  # fmt: skip
JSONL = "# nodes first\n\n" + "".join(f"{json.dumps(line)}\n" for line in LINES)
CSV = """\
kind,time,name,count,namespace,cpu,memory,gpu,resources,labels,taints,priority,node_selector,tolerations,duration,until,spec
node,0,n,2,,4,16Gi,2,,zone=a,dedicated=ml:NoSchedule,,,,,,
pod,1.5,p,,team,500m,1Gi,,,app=x,,7,zone=a,dedicated:NoSchedule,30,,
pod,2,q,,,,,,example.com/licence=1,,,,,,,40,"{""terminationGracePeriodSeconds"": 5}"
node-gone,9,n-1,,,,,,,,,,,,,,
"""


def written(directory: Path, name: str, text: str) -> Path:
    """Write a file."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    """The JSONL and the CSV form of one trace give equal records, with all that was said."""
    records = list(read_trace(written(tmp_path, "t.jsonl", JSONL)))
    assert list(read_trace(written(tmp_path, "t.csv", CSV))) == records
    first, second, pod, other, gone = records
    assert isinstance(first, NodeComes)
    assert isinstance(second, NodeComes)
    assert first.node["metadata"]["name"] == "n-0"
    assert second.node["metadata"]["labels"] == {"kubernetes.io/hostname": "n-1", "zone": "a"}
    assert first.node["status"]["allocatable"] == {
        "cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2", "pods": "110",
    }  # fmt: skip
    assert first.node["spec"]["taints"] == [
        {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    ]
    assert isinstance(pod, PodComes)
    assert (pod.time, pod.duration, pod.until) == (1.5, 30, None)
    assert pod.pod["metadata"]["namespace"] == "team"
    assert pod.pod["spec"] == {
        "containers": [
            {"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
        ],
        "priority": 7,
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    }
    assert isinstance(other, PodComes)
    assert (other.duration, other.until) == (None, 40)
    assert other.pod["spec"]["terminationGracePeriodSeconds"] == 5
    assert gone == NodeGoes(time=9, name="n-1")


@pytest.mark.parametrize("name", ["again.jsonl", "again.csv", "again.jsonl.gz", "again.csv.gz"])
def test_a_written_trace_reads_as_it_was(tmp_path: Path, name: str) -> None:
    """Whatever the form, packed or not; and writing it twice gives the same bytes."""
    records = list(read_trace(written(tmp_path, "t.jsonl", JSONL)))
    for path in (tmp_path / name, tmp_path / f"2{name}"):
        assert write_trace(records, path) == 5
    assert list(read_trace(tmp_path / name)) == records
    if not name.endswith(".gz"):
        assert (tmp_path / name).read_bytes() == (tmp_path / f"2{name}").read_bytes()


def test_pods_that_say_the_same_share_their_spec(tmp_path: Path) -> None:
    """So that a long trace stays small, and finding a pod's class is quick."""
    line = '{"kind": "pod", "time": %d, "name": "p%d", "cpu": "1"}\n'
    text = "".join(line % (number, number) for number in range(3))
    specs = {
        id(record.pod["spec"])
        for record in list(read_trace(written(tmp_path, "t.jsonl", text)))
        if isinstance(record, PodComes)
    }
    assert len(specs) == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "each line must be a JSON object"),
        ('{"kind": "pods", "name": "p"}', "kind: 'pods' must be one of node, node-gone, pod"),
        ('{"kind": "pod"}', "name: None must be a name"),
        ('{"kind": "pod", "name": "p", "cpus": 1}', "pod has no field 'cpus'; it has kind, "),
        ('{"kind": "node", "name": "n", "duration": 1}', "node has no field 'duration'"),
        ('{"kind": "pod", "name": "p", "cpu": "two"}', "cpu: 'two' is no quantity; write it as"),
        ('{"kind": "pod", "name": "p", "cpu": true}', "cpu: True is no quantity"),
        ('{"kind": "pod", "name": "p", "memory": "-1Gi"}', "memory: '-1Gi' is negative"),
        ('{"kind": "pod", "name": "p", "gpu": 0.5}', "gpu: '0.5' must be whole devices"),
        ('{"kind": "pod", "name": "p", "time": "soon"}', "time: 'soon' is no number of seconds"),
        ('{"kind": "pod", "name": "p", "time": -1}', "time: -1 must be a number of seconds from"),
        ('{"kind": "pod", "name": "p", "duration": "nan"}', "duration: 'nan' must be a number"),
        ('{"kind": "pod", "name": "p", "time": 5, "until": 4}', "until: 4 is before the pod's"),
        ('{"kind": "pod", "name": "p", "count": 0}', "count: 0 must be 1 or more"),
        ('{"kind": "pod", "name": "p", "priority": "high"}', "priority: 'high' is no whole number"),
        ('{"kind": "pod", "name": "p", "labels": "a=b"}', "labels: 'a=b' must be names with"),
        ('{"kind": "node", "name": "n", "taints": ["x"]}', "taints: 'x' must be key=value:Effect"),
        (
            '{"kind": "pod", "name": "p", "spec": {"nodeName": "n"}}',
            "spec.nodeName: a pod of a trace",
        ),
        (
            '{"kind": "pod", "name": "p", "cpu": 1, "spec": {"containers": [{"name": "c"}]}}',
            "a pod has either cpu, memory, ... or spec.containers, not both",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    """Which file, which line, which field, and what would be right."""
    good = '{"kind": "node", "name": "first"}\n'
    path = written(tmp_path, "bad.jsonl", good + line + "\n")
    with pytest.raises(TraceError) as error:
        list(read_trace(path))
    assert str(error.value).startswith(f"{path}:2: {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind,name,cpu\npod,p\n", ":2: 2 cells, but the header names 3"),
        ("kind,name,name\n", ":1: a column is named twice"),
        ("kind,name,labels\npod,p,app\n", ":2: labels: 'app' must be name=value;name=value"),
        ("kind,name,spec\npod,p,{\n", ":2: spec: not JSON"),
        ('kind,name\npod,"p\n', ":2: not CSV"),
        ("kind,time,name\npod,5,p\npod,4,q\n", ":3: time 4 is before 5 of the line above"),
        ("name,cpu\np,1\n", ": neither a JSONL nor a CSV trace (docs/traces.md)"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """The same strictness for CSV, and for the order of time."""
    path = written(tmp_path, "bad.csv", text)
    with pytest.raises(TraceError) as error:
        list(read_trace(path))
    assert str(error.value).startswith(f"{path}{complaint}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """One that is not there, one that is no text, one that is no gzip."""
    with pytest.raises(TraceError, match=r"none.jsonl: cannot be read: No such file"):
        read_trace(tmp_path / "none.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="not UTF-8 text"):
        read_trace(tmp_path / "binary.jsonl")
    (tmp_path / "plain.gz").write_bytes(b"kind,name\n")
    with pytest.raises(TraceError, match="cannot be read: Not a gzipped file"):
        read_trace(tmp_path / "plain.gz")


def test_traces_are_merged_by_time() -> None:
    """Nodes of one file and pods of another make one trace; at one time nodes come first."""
    pods: list[Record] = [PodComes(time=0, pod={}), PodComes(time=2, pod={})]
    nodes: list[Record] = [NodeComes(time=0, node={}), NodeGoes(time=1, name="n")]
    merged = list(merge_records([pods, nodes]))
    assert merged == [nodes[0], pods[0], nodes[1], pods[1]]


def test_a_seed_draws_one_trace() -> None:
    """The same twice, another one from another seed; rates and means are those asked for."""
    mix = Mix(rate=2.0, pods=3000, nodes=({**DEFAULT_NODE, "count": 3},), shapes=DEFAULT_SHAPES)
    once = list(generate_trace(mix, 7))
    assert once == list(generate_trace(mix, 7))
    assert once != list(generate_trace(mix, 8))
    assert sum(isinstance(record, NodeComes) for record in once) == 3
    pods = [record for record in once if isinstance(record, PodComes)]
    assert pods[-1].time == pytest.approx(1500, rel=0.1)
    web = [pod for pod in pods if pod.pod["metadata"]["name"].startswith("web-")]
    assert len(web) == pytest.approx(1800, rel=0.1)
    assert sum(pod.duration or 0 for pod in web) / len(web) == pytest.approx(1800, rel=0.1)


def test_a_mix_is_read_from_yaml(tmp_path: Path) -> None:
    """Its nodes and pods have the fields that a line has; mistakes are told."""
    mix = Mix(rate=1, pods=2)
    text = "nodes: [{name: n, cpu: 4}]\npods: [{name: w, weight: 2, mean_duration: 9, cpu: 1}]\n"
    read = read_mix(written(tmp_path, "mix.yaml", text), mix)
    assert read.shapes[0].weight == 2
    assert [type(record) for record in generate_trace(read, 1)] == [NodeComes, PodComes, PodComes]
    for bad, complaint in (
        ("pods: 3", "pods: must be a list"),
        ("podz: []", "a mix has the keys nodes and pods"),
        ("pods: [{name: w, weight: 0}]", "must be above 0"),
        ("pods: [{name: w, cpus: 1}]", "pod has no field 'cpus'"),
        ("pods: [", "not YAML"),
    ):
        with pytest.raises(TraceError, match=complaint):
            read_mix(written(tmp_path, "mix.yaml", bad), mix)
