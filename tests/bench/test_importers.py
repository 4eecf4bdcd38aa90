"""Published traces: small files of their schemas become the records they should."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from orchestrator.bench.traces.importers.azure import DAY
from orchestrator.bench.traces.importers.formats import detect_format, import_trace
from orchestrator.bench.traces.importers.openb import GPU_MILLI, MODEL
from orchestrator.bench.traces.published import Format
from orchestrator.bench.traces.records import NodeComes, NodeGoes, PodComes, Record, TraceError

NODES = "sn,cpu_milli,memory_mib,gpu,model\nnode-0,32000,262144,0,\nnode-1,96000,786432,8,V100M32\n"
PODS = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
pod-1,6000,12288,1,460,V100M16|V100M32,LS,Running,50,900,60
pod-0,88000,327680,8,1000,,Burstable,Succeeded,10,200,10
pod-2,4000,15258,0,0,nan,BE,Pending,55,70,
pod-3,4000,15258,0,0,,BE,Pending,55,54,
"""


def pods_of(records: list[Record]) -> dict[str, PodComes]:
    """Return the pods by name."""
    return {
        record.pod["metadata"]["name"]: record for record in records if isinstance(record, PodComes)
    }


def requests(pod: PodComes) -> dict[str, str]:
    """Return what a pod requests."""
    found: dict[str, str] = pod.pod["spec"]["containers"][0]["resources"]["requests"]
    return found


def test_openb_gives_nodes_and_pods_in_order(tmp_path: Path) -> None:
    """Whichever file comes first; a pod that never ran leaves when its owner gave up."""
    nodes, pods = tmp_path / "nodes.csv", tmp_path / "pods.csv"
    nodes.write_text(NODES)
    pods.write_text(PODS)
    assert detect_format([pods, nodes]) is Format.OPENB
    imported = import_trace([pods, nodes])
    times = [record.time for record in imported.records]
    assert times == [0, 0, 10, 50, 55]
    node = imported.records[1]
    assert isinstance(node, NodeComes)
    assert node.node["status"]["allocatable"] == {
        "pods": "110", "cpu": "96000m", "memory": "786432Mi", GPU_MILLI: "8000",
    }  # fmt: skip
    assert node.node["metadata"]["labels"][MODEL] == "V100M32"
    found = pods_of(imported.records)
    assert requests(found["pod-0"])[GPU_MILLI] == "8000"
    assert requests(found["pod-1"]) == {"cpu": "6000m", "memory": "12288Mi", GPU_MILLI: "460"}
    terms = found["pod-1"].pod["spec"]["affinity"]["nodeAffinity"]
    assert terms["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": MODEL, "operator": "In", "values": ["V100M16", "V100M32"]}]}
    ]
    assert (found["pod-1"].duration, found["pod-1"].until) == (840, None)
    assert (found["pod-2"].duration, found["pod-2"].until) == (None, 70)
    assert "affinity" not in found["pod-2"].pod["spec"]
    assert imported.notes[1:] == ["1 pods left out: deleted before they were created"]


def test_openb_shares_can_take_whole_devices(tmp_path: Path) -> None:
    """The pessimistic way: as a plain device plugin hands them out."""
    for name, text in (("nodes.csv", NODES), ("pods.csv", PODS)):
        (tmp_path / name).write_text(text)
    imported = import_trace([tmp_path / "nodes.csv", tmp_path / "pods.csv"], shares="whole")
    found = pods_of(imported.records)
    assert requests(found["pod-1"])["nvidia.com/gpu"] == "1"
    assert requests(found["pod-0"])["nvidia.com/gpu"] == "8"


@pytest.mark.parametrize(
    ("cell", "replacement", "complaint"),
    [
        ("6000,12288", "six,12288", "pods.csv:2: cpu_milli: 'six' is no number"),
        ("1,460", "1,1460", "pods.csv:2: gpu_milli: 1460 must be from 1 to 1000"),
        ("Running,50", "Running,", "pods.csv:2: creation_time: a number is needed here"),
        ("pod-1,", ",", "pods.csv:2: name: a pod needs a name"),
    ],
)
def test_a_wrong_cell_is_told_with_its_line(
    tmp_path: Path, cell: str, replacement: str, complaint: str
) -> None:
    """And its column."""
    path = tmp_path / "pods.csv"
    path.write_text(PODS.replace(cell, replacement, 1))
    with pytest.raises(TraceError, match=complaint):
        import_trace([path])


VM_TYPES = """\
id,vmTypeId,machineId,core,memory,hdd,ssd,nic
0,1,16,0.5,0.25,,0.1,0.0125
1,1,17,0.25,0.125,0.5,0,0.01
2,2,17,1.0,1.0,,,
"""
VMS = """\
vmId,tenantId,vmTypeId,priority,starttime,endtime
0,1,1,0,-0.5,0.5
1,1,2,1,1.25,NULL
2,1,1,1,-3,-1
3,1,9,0,1,2
"""


def azure_csv(directory: Path) -> list[Path]:
    """Write both tables."""
    types, vms = directory / "vmType.csv", directory / "vm.csv"
    types.write_text(VM_TYPES)
    vms.write_text(VMS)
    return [vms, types]


def azure_sqlite(directory: Path) -> list[Path]:
    """Write both tables as the database that is published."""
    path = directory / "packing_trace_zone_a_v1.sqlite"
    database = sqlite3.connect(path)
    for table, text in (("vm", VMS), ("vmType", VM_TYPES)):
        header, *lines = text.splitlines()
        database.execute(f"CREATE TABLE {table} ({header})")
        for line in lines:
            cells = [json.loads(cell.lower() or "null") for cell in line.split(",")]
            database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(cells))})", cells)
    database.commit()
    database.close()
    return [path]


def test_azure_sizes_are_shares_of_a_machine(tmp_path: Path) -> None:
    """The kind on which most requests can be; others are left out, and said to be."""
    imported = import_trace(azure_csv(tmp_path), nodes=2)
    nodes = [record for record in imported.records if isinstance(record, NodeComes)]
    assert [node.node["metadata"]["labels"]["azure.com/machine"] for node in nodes] == ["17", "17"]
    found = pods_of(imported.records)
    assert found.keys() == {"vm-0", "vm-1"}
    assert requests(found["vm-0"]) == {
        "cpu": "16000m", "memory": "65536Mi", "azure.com/nic-milli": "10",
        "azure.com/hdd-milli": "500",
    }  # fmt: skip
    assert (found["vm-0"].time, found["vm-0"].duration) == (0, 0.5 * DAY)
    assert (found["vm-1"].time, found["vm-1"].duration) == (1.25 * DAY, None)
    assert found["vm-0"].pod["spec"]["priority"] > found["vm-1"].pod["spec"]["priority"]
    assert set(imported.notes[2:]) == {
        "1 requests left out: over before the trace's beginning, or at once",
        "1 requests left out: their type cannot be on that kind of machine",
    }
    other = import_trace(azure_csv(tmp_path), nodes=1, machine="16")
    assert requests(pods_of(other.records)["vm-0"])["cpu"] == "32000m"


def test_azures_database_is_read_as_published(tmp_path: Path) -> None:
    """SQLite, with numbers for cells, detected by its first bytes."""
    paths = azure_sqlite(tmp_path)
    assert detect_format(paths) is Format.AZURE
    imported = import_trace(paths, nodes=1)
    pod = pods_of(imported.records)["vm-0"]
    assert requests(pod)["cpu"] == "16000m"
    assert pod.duration == 0.5 * DAY


def test_azure_needs_its_tables_and_a_number_of_machines(tmp_path: Path) -> None:
    """Each refusal says what to do."""
    paths = azure_csv(tmp_path)
    with pytest.raises(TraceError, match=r"say how many there are \(--nodes N\)"):
        import_trace(paths)
    with pytest.raises(TraceError, match="azure needs both tables, vm and vmType"):
        import_trace(paths[:1], nodes=1)
    with pytest.raises(TraceError, match="machineId '5' is not in the table vmType"):
        import_trace(paths, nodes=1, machine="5")


MACHINES = """\
time,machine_id,type,switch_id,capacity_cpus,capacity_memory,platform_id
0,7,1,s,0.5,0.25,p
600000000,7,3,s,0.5,0.5,p
900000000,7,REMOVE,s,,,p
"""
COLLECTIONS = (
    "time,type,collection_id,collection_name,max_per_machine,max_per_switch\n0,0,10,x,1,\n"
)


def instance(time: float, kind: str | int, index: int, **more: object) -> str:
    """Return a line of instance_events as BigQuery exports it: numbers that are long, as text."""
    row = {
        "time": str(int(time * 1e6)),
        "type": kind,
        "collection_id": "10",
        "priority": "200",
        "instance_index": str(index),
        "resource_request": {"cpus": 0.125, "memory": 0.0625},
        **more,
    }
    return json.dumps(row) + "\n"


def test_google_events_become_pods_and_nodes(tmp_path: Path) -> None:
    """A run lasts from SUBMIT to its end, as long as it was scheduled; a second one is another."""
    machines, collections = tmp_path / "machines.csv", tmp_path / "collections.csv"
    machines.write_text(MACHINES)
    collections.write_text(COLLECTIONS)
    events = tmp_path / "instances.json.gz"
    lines = [
        instance(30, "SCHEDULE", 0, machine_id="7"),  # shards are not sorted
        instance(20, "SUBMIT", 0),
        instance(90, "EVICT", 0),
        instance(91, 0, 0),
        instance(99, 7, 0),
        instance(40, "SUBMIT", 1, alloc_collection_id="4"),
        instance(50, "SUBMIT", 2, resource_request=None),
        instance(60, "SUBMIT", 3, constraint=[{"name": "c", "relation": 1}]),
    ]
    with gzip.open(events, "wt") as file:
        file.writelines(lines)
    paths = [events, machines, collections]
    assert detect_format(paths) is Format.GOOGLE
    imported = import_trace(paths)
    nodes = [record for record in imported.records if isinstance(record, NodeComes)]
    assert [node.node["status"]["allocatable"]["memory"] for node in nodes] == [
        "65536Mi",
        "131072Mi",
    ]
    assert nodes[0].node["metadata"]["labels"]["google.com/switch"] == "s"
    assert imported.records[-1] == NodeGoes(time=900, name="machine-7")
    found = pods_of(imported.records)
    first, second = found["instance-10-0"], found["instance-10-0-run2"]
    assert requests(first) == {"cpu": "8000m", "memory": "16384Mi"}
    assert (first.time, first.duration, first.until) == (20, 60, None)
    assert (second.time, second.duration, second.until) == (91, None, 99)
    assert first.pod["spec"]["priority"] == 200
    anti = first.pod["spec"]["affinity"]["podAntiAffinity"]
    (term,) = anti["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == first.pod["metadata"]["labels"]
    assert (found["instance-10-3"].duration, found["instance-10-3"].until) == (None, None)
    assert set(imported.notes[1:]) == {
        "1 events left out: of tasks inside an alloc instance",
        "1 events left out: nothing says what their instance requests",
        "1 instances imported without their machine constraints",
    }


def test_a_google_event_of_no_known_type_is_refused(tmp_path: Path) -> None:
    """With its line, and what would be one."""
    path = tmp_path / "instances.json"
    path.write_text(instance(1, "SUBMIT", 0) + instance(2, "VANISH", 0))
    with pytest.raises(TraceError, match=r":2: type: 'VANISH' is none of SUBMIT, QUEUE"):
        import_trace([path])


def test_files_of_no_format_or_of_two_are_refused(tmp_path: Path) -> None:
    """What was found is said."""
    for name, text in (("nodes.csv", NODES), ("vm.csv", VMS), ("odd.csv", "a,b\n")):
        (tmp_path / name).write_text(text)
    with pytest.raises(TraceError, match=r"odd.csv: its first line is of no known format"):
        detect_format([tmp_path / "odd.csv"])
    with pytest.raises(TraceError, match=r"not in one format: .*nodes.csv is openb, .* is azure"):
        detect_format([tmp_path / "nodes.csv", tmp_path / "vm.csv"])
