"""Alibaba's GPU trace of 2023 (openb): a list of nodes and a list of pods, as CSV.

A pod asks for ``num_gpu`` devices of which it takes ``gpu_milli`` thousandths each. Kubernetes has
no shares of a device, so they are written as an extended resource, by one of two rules that
enclose the truth:

- ``milli``: a node offers 1000 ``alibabacloud.com/gpu-milli`` for each device, a pod takes the sum.
  Shares are added up over a node's devices, so two halves of two devices would hold a whole one:
  the optimistic bound.
- ``whole``: a pod takes ``num_gpu`` devices (``nvidia.com/gpu``) whatever its share, as a plain
  device plugin hands them out: the pessimistic bound.

Source of the columns: github.com/alibaba/clusterdata, cluster-trace-gpu-v2023/README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from orchestrator.bench.traces.fields import GPU, make_node, make_pod
from orchestrator.bench.traces.importers.base import (
    Imported,
    Omissions,
    Row,
    columns,
    number,
    rows,
    seconds,
)
from orchestrator.bench.traces.records import (
    NodeComes,
    Place,
    PodComes,
    Record,
    TraceError,
    sort_records,
)
from orchestrator.resources.objects import Object

GPU_MILLI: Final = "alibabacloud.com/gpu-milli"
MODEL: Final = "alibabacloud.com/gpu-card-model"
QOS: Final = "alibabacloud.com/qos"

NODE_COLUMNS: Final = frozenset({"sn", "cpu_milli", "memory_mib", "gpu"})
POD_COLUMNS: Final = frozenset({"name", "cpu_milli", "memory_mib", "num_gpu", "creation_time"})

Shares = Literal["milli", "whole"]


def import_openb(paths: list[Path], *, shares: Shares = "milli") -> Imported:
    """Import node lists and pod lists, told apart by their headers.

    Raises:
        TraceError: A file has other columns, or a cell is not what it should be.
    """
    records: list[Record] = []
    omitted = Omissions()
    specs: dict[tuple[Any, ...], Object] = {}
    for path in paths:
        found = columns(path)
        if found >= NODE_COLUMNS:
            records.extend(_node(row, place, shares) for place, row in rows(path))
        elif found >= POD_COLUMNS:
            for place, row in rows(path):
                pod = _pod(row, place, shares, specs, omitted)
                if pod is not None:
                    records.append(pod)
        else:
            raise TraceError(
                f"{path}: neither openb's nodes ({', '.join(sorted(NODE_COLUMNS))}) "
                f"nor its pods ({', '.join(sorted(POD_COLUMNS))}), by its first line"
            )
    how = {
        "milli": f"a share of a GPU counts as {GPU_MILLI}, added up over a node's devices",
        "whole": f"a share of a GPU counts as a whole {GPU}",
    }
    return Imported(sort_records(records), [how[shares], *omitted.notes()])


def _node(row: Row, place: Place, shares: Shares) -> NodeComes:
    gpus = int(number(row, "gpu", place, 0))
    amounts = {
        "cpu": f"{int(number(row, 'cpu_milli', place))}m",
        "memory": f"{int(number(row, 'memory_mib', place))}Mi",
    }
    if gpus:
        amounts |= {GPU_MILLI: str(1000 * gpus)} if shares == "milli" else {GPU: str(gpus)}
    model = _text(row, "model")
    name = _text(row, "sn")
    if not name:
        raise place.complain("sn: a node needs a name")
    return NodeComes(time=0.0, node=make_node(name, amounts, {MODEL: model} if model else {}))


def _pod(
    row: Row,
    place: Place,
    shares: Shares,
    specs: dict[tuple[Any, ...], Object],
    omitted: Omissions,
) -> PodComes | None:
    name = _text(row, "name")
    if not name:
        raise place.complain("name: a pod needs a name")
    created = number(row, "creation_time", place)
    scheduled, deleted = (
        seconds(row, column, place) for column in ("scheduled_time", "deletion_time")
    )
    if deleted is not None and deleted < created:
        omitted.add("pods left out: deleted before they were created")
        return None
    gpus = int(number(row, "num_gpu", place))
    milli = int(number(row, "gpu_milli", place, 1000 if gpus else 0))
    if gpus and not 0 < milli <= 1000:
        raise place.complain(f"gpu_milli: {milli} must be from 1 to 1000 for a pod with GPUs")
    shape = (
        int(number(row, "cpu_milli", place)),
        int(number(row, "memory_mib", place)),
        gpus,
        milli if shares == "milli" else 1000,
        _text(row, "gpu_spec"),
    )
    spec = specs.get(shape)
    if spec is None:
        spec = specs[shape] = _spec(*shape, shares=shares)
    labels = {QOS: qos} if (qos := _text(row, "qos")) else {}
    duration = until = None
    if deleted is not None:
        if scheduled is None:  # it never ran there: its owner gave up waiting
            until = deleted
        else:
            duration = max(0.0, deleted - scheduled)
    pod = make_pod(name, "default", labels, spec)
    return PodComes(time=created, pod=pod, duration=duration, until=until)


def _spec(cpu: int, memory: int, gpus: int, milli: int, models: str, *, shares: Shares) -> Object:
    requests = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
    if gpus:
        requests |= {GPU_MILLI: str(gpus * milli)} if shares == "milli" else {GPU: str(gpus)}
    spec: Object = {"containers": [{"name": "main", "resources": {"requests": requests}}]}
    wanted = [model for model in models.split("|") if model]
    if wanted:
        expression = {"key": MODEL, "operator": "In", "values": wanted}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        spec["affinity"] = {"nodeAffinity": required}
    return spec


def _text(row: Row, column: str) -> str:
    value = str(row.get(column) or "").strip()
    return "" if value == "nan" else value
