"""Looking at a cluster with every kubectl at hand: formats, selectors, orders, watches."""

from __future__ import annotations

import json
import select
import time
from pathlib import Path

import pytest
import yaml

from tests.clients.kubectl import Kubectl, config_map, next_line, sleeper

pytestmark = pytest.mark.e2e

NODES = ["node-1", "node-2", "node-3"]


@pytest.mark.kubectl_since(27)
def test_output_formats(kube: Kubectl, tmp_path: Path) -> None:
    """JSON, YAML, names, JSONPath, templates, columns from arguments and files, wide tables."""
    kube.apply(
        config_map("a", labels={"order": "2", "team": "x"}, k="1"),
        config_map("b", labels={"order": "1"}, k="2", **{"odd.key": "3"}),
    )
    listed = kube.json("get cm a b")
    assert listed["kind"] == "List"
    assert [item["kind"] for item in listed["items"]] == ["ConfigMap", "ConfigMap"]
    assert kube.json("get cm -l order")["kind"] == "List"
    assert yaml.safe_load(kube("get cm a -o yaml"))["data"] == {"k": "1"}
    assert kube("get cm a b -o name") == "configmap/a\nconfigmap/b\n"
    paths = {
        "{.items[*].metadata.name}": "a b",
        "{.items[?(@.metadata.labels.team=='x')].metadata.name}": "a",
        "{.items[1].data['odd\\.key']}": "3",
        "{range .items[*]}{.metadata.name}={.data.k}{'\\n'}{end}": "a=1\nb=2\n",
        "{.items[-1:].metadata.labels.order}": "1",
    }
    for path, printed in paths.items():
        assert kube("get cm -l order -o", f"jsonpath={path}") == printed
    assert json.loads(kube("get cm a -o", "jsonpath-as-json={.data}")) == [{"k": "1"}]
    template = '{{range .items}}{{.metadata.name}}:{{index .metadata.labels "order"}} {{end}}'
    assert kube("get cm -l order -o", f"go-template={template}") == "a:2 b:1 "
    (tmp_path / "template").write_text("{{.metadata.name}}")
    assert kube("get cm a -o go-template-file=template") == "a"
    columns = "NAME:.metadata.name,K:.data.k,NONE:.data.none"
    table = kube("get cm -l order -o", f"custom-columns={columns}").splitlines()
    assert [line.split() for line in table] == [
        ["NAME", "K", "NONE"],
        ["a", "1", "<none>"],
        ["b", "2", "<none>"],
    ]
    (tmp_path / "columns").write_text("X Y\nmetadata.name data.k\n")
    assert kube("get cm a -o custom-columns-file=columns").split() == ["X", "Y", "a", "1"]
    assert kube("get cm a --show-labels").splitlines()[1].split()[-1] == "order=2,team=x"
    labelled = kube("get cm -L team,order -l order").splitlines()
    assert labelled[0].split() == ["NAME", "DATA", "AGE", "TEAM", "ORDER"]
    assert labelled[1].split()[-2:] == ["x", "2"]
    assert "managedFields" not in kube("get cm a -o yaml")
    assert "managedFields" in kube("get cm a -o yaml --show-managed-fields")
    kinds = kube("get cm/a svc/kubernetes -o name --show-kind -n default", "--ignore-not-found")
    assert kinds == "service/kubernetes\n"


def test_selectors_and_orders(kube: Kubectl) -> None:
    """Labels by equality, sets and existence; fields; sorting by string, number and time."""
    for number, name in enumerate(("c", "a", "b")):
        kube.apply(config_map(name, labels={"rank": str(number), "set": "yes"}, v=str(10 - number)))
    selections = {
        "set=yes": "a b c",
        "rank!=0,set": "a b",
        "rank in (0,2)": "b c",
        "rank notin (0),set=yes": "a b",
        "!set,rank": "",
        "rank>0": "a b",
    }
    for selector, names in selections.items():
        found = kube("get cm -o", "jsonpath={.items[*].metadata.name}", "-l", selector)
        assert found == names, selector
    by = {".data.v": "b a c", ".metadata.name": "a b c", ".metadata.labels.rank": "c a b"}
    for path, names in by.items():
        rows = kube("get cm -l set --no-headers --sort-by", path).splitlines()
        assert " ".join(row.split()[0] for row in rows) == names, path
    assert kube("get cm -o name --field-selector", "metadata.name=a") == "configmap/a\n"
    others = kube("get cm -l set -o name --field-selector", "metadata.name!=a")
    assert others == "configmap/b\nconfigmap/c\n"
    refused = kube.refused("get cm --field-selector data.v=1")
    assert (
        '"data.v" is not a known field selector: only "metadata.name", "metadata.namesp' in refused
    )
    refused = kube.refused("get pods --field-selector spec.none=1")
    assert "field label not supported: spec.none" in refused
    refused = kube.refused("get cm", "-l", "a==b==c")
    assert "unable to parse requirement" in refused
    everywhere = kube("get cm -A --field-selector", f"metadata.namespace={kube.namespace}")
    assert everywhere.count(kube.namespace) == 4  # with the CA's
    assert kube("get cm -l set --chunk-size=1 -o name").split() == [
        "configmap/a",
        "configmap/b",
        "configmap/c",
    ]


def test_tables_of_workloads(kube: Kubectl) -> None:
    """The columns of the kinds that people look at all day."""
    kube.apply(sleeper("web", replicas=2))
    kube("rollout status deploy/web --timeout=60s")
    headers = {
        "deploy": "NAME READY UP-TO-DATE AVAILABLE AGE",
        "rs": "NAME DESIRED CURRENT READY AGE",
        "pods": "NAME READY STATUS RESTARTS AGE",
        "pods -o wide": "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES",
        "deploy -o wide": "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
        "nodes": "NAME STATUS ROLES AGE VERSION",
        "svc -n default": "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE",
        "ns": "NAME STATUS AGE",
        "sa": "NAME SECRETS AGE",
        "events": "LAST SEEN TYPE REASON OBJECT MESSAGE",
        "endpointslices -n default": "NAME ADDRESSTYPE PORTS ENDPOINTS AGE",
        "leases -n kube-node-lease": "NAME HOLDER AGE",
    }
    for resources, header in headers.items():
        first = kube(f"get {resources}").splitlines()[0]
        assert " ".join(first.split()) == header, resources
    assert "2/2" in kube("get deploy web")
    pods = kube("get pods --field-selector status.phase=Running -o name").split()
    assert len(pods) == 2
    on_nodes = [kube(f"get pods -A -o name --field-selector spec.nodeName={n}") for n in NODES]
    assert sum(len([p for p in found.split() if p in pods]) for found in on_nodes) == 2
    everything = kube("get all")
    for name in ("deployment.apps/web", "replicaset.apps/web-", "pod/web-"):
        assert name in everything
    assert kube("get all,cm -o name").count("\n") == 5
    assert "No resources found in" in kube("get jobs")
    missing = kube.refused("get nothing")
    assert 'error: the server doesn\'t have a resource type "nothing"' in missing
    for kind in ("deploy/web", "pods", "rs", "node/node-1", "svc/kubernetes -n default", "ns"):
        assert "Name:" in kube(f"describe {kind}")
    described = kube("describe deploy web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert "ScalingReplicaSet" in described


def test_raw_paths(kube: Kubectl) -> None:
    """``--raw`` reads, creates, replaces and deletes by path."""
    path = f"/api/v1/namespaces/{kube.namespace}/configmaps"
    kube(f"create --raw {path} -f -", stdin=json.dumps(config_map("raw", a="1")))
    made = json.loads(kube(f"get --raw {path}/raw"))
    assert made["data"] == {"a": "1"}
    made["data"] = {"a": "2"}
    kube(f"replace --raw {path}/raw -f -", stdin=json.dumps(made))
    assert json.loads(kube(f"get --raw {path}/raw"))["data"] == {"a": "2"}
    kube(f"delete --raw {path}/raw")
    assert "NotFound" in kube.refused(f"get --raw {path}/raw")
    assert kube("get --raw /healthz") == "ok"
    assert kube("get --raw /readyz?verbose").endswith("readyz check passed\n")
    assert kube("get --raw /livez") == "ok"
    assert json.loads(kube("get --raw /version"))["major"] == "1"


def test_watches(each_kube: Kubectl) -> None:
    """The list and then changes; changes only; with the types of the events; as JSON."""
    each_kube.apply(config_map("old", a="1"))
    with each_kube.background("get cm -w") as watch:
        next_line(watch.stdout, "old")
        each_kube.apply(config_map("new", a="1"))
        assert next_line(watch.stdout, "new").split()[1] == "1"
    with each_kube.background("get cm --watch-only --output-watch-events") as watch:
        assert watch.stdout is not None
        while not select.select([watch.stdout], [], [], 0)[0]:  # until it watches
            each_kube("annotate --overwrite cm old", f"touched={time.monotonic()}")
        next_line(watch.stdout, "MODIFIED")
        each_kube("delete cm old")
        assert next_line(watch.stdout, "DELETED").split()[1] == "old"
    with each_kube.background("get cm -w -o name --field-selector metadata.name=newer") as watch:
        for _ in range(3):
            each_kube.apply(config_map("newer", a="1"))
            each_kube("delete cm newer")
        assert next_line(watch.stdout, "configmap") == "configmap/newer\n"
