"""Administration with every kubectl at hand: nodes, access, discovery, the proxy, settings."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.kubectl import Kubectl, next_line, sleeper

pytestmark = pytest.mark.e2e


@pytest.fixture
def node(kube: Kubectl) -> Iterator[str]:
    """A node that is as new at the end."""
    yield "node-2"
    kube("uncordon node-2")
    kube.run("taint node node-2 k-")


@pytest.mark.kubectl_since(27)
def test_taints_and_maintenance(kube: Kubectl, node: str) -> None:
    """Tainted, cordoned, drained under a budget, and back in service."""
    assert "tainted" in kube(f"taint node {node} k=v:NoSchedule")
    assert "already has k taint(s) with same effect(s)" in kube.refused(
        f"taint node {node} k=v:NoSchedule"
    )
    kube(f"taint node {node} k=w:NoSchedule --overwrite")
    assert {"key": "k", "value": "w", "effect": "NoSchedule"} in kube.json(f"get node {node}")[
        "spec"
    ]["taints"]
    assert "untainted" in kube(f"taint node {node} k:NoSchedule-")
    assert "cordoned" in kube(f"cordon {node}")
    assert "already cordoned" in kube(f"cordon {node}")
    assert "Ready,SchedulingDisabled" in kube(f"get node {node}")
    kube(f"uncordon {node}")

    web = sleeper("web", replicas=2)
    web["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    kube.apply(web)
    kube("rollout status deploy/web --timeout=60s")
    kube(
        "run lonely --image=x --overrides",
        json.dumps({"spec": {"nodeName": node, "terminationGracePeriodSeconds": 1}}),
        "--command",
        "--",
        "sleep",
        "3600",
    )
    kube("wait --for=condition=Ready pod/lonely --timeout=60s")
    refused = kube.refused(f"drain {node} --timeout=5s")
    assert "cannot delete" in refused
    assert "use --force to override" in refused
    kube.apply(sleeper("web", replicas=2))  # may go elsewhere now
    drained = kube(f"drain {node} --force --timeout=60s")
    assert f"node/{node} drained" in drained
    left = kube(f"get pods -o name --field-selector spec.nodeName={node}")
    assert left == ""
    kube("rollout status deploy/web --timeout=60s")


@pytest.mark.kubectl_since(27)
def test_a_drain_respects_a_budget_and_ends(newest: Kubectl) -> None:
    """It waits for a budget that allows no disruption, and says so; with enough pods it ends."""
    web = sleeper("web", replicas=1)
    newest.apply(web)
    newest("create pdb web --selector=app=web --min-available=1")
    newest("rollout status deploy/web --timeout=60s")
    (pod,) = newest.json("get pods")["items"]
    node = pod["spec"]["nodeName"]
    newest("wait --for=jsonpath={.status.currentHealthy}=1 pdb/web --timeout=20s")
    drain = f"drain {node} --pod-selector=app=web --ignore-daemonsets --delete-emptydir-data"
    try:
        refused = newest.refused(f"{drain} --timeout=3s")
        assert "Cannot evict pod as it would violate the pod's disruption budget" in refused
        uids = [found["metadata"]["uid"] for found in newest.json("get pods")["items"]]
        assert uids == [pod["metadata"]["uid"]]
        newest("scale deploy web --replicas=2")  # with one more the budget allows one to go
        assert f"node/{node} drained" in newest(f"{drain} --timeout=60s")
    finally:
        newest(f"uncordon {node}")


def test_who_may_do_what(kube: Kubectl) -> None:
    """``auth can-i`` in its forms, ``auth whoami``, ``auth reconcile``."""
    assert kube("auth can-i create pods") == "yes\n"
    assert kube("auth can-i --list").splitlines()[0].split() == [
        "Resources",
        "Non-Resource",
        "URLs",
        "Resource",
        "Names",
        "Verbs",
    ]
    assert kube("auth can-i get /healthz") == "yes\n"
    assert kube("auth can-i update deployments --subresource=scale -q") == ""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": kube.namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    reconciled = kube("auth reconcile -f -", stdin=yaml.safe_dump(role))
    assert "reader reconciled" in reconciled
    if kube.minor >= 28:
        who = kube.json("auth whoami")["status"]["userInfo"]
        assert "system:authenticated" in who["groups"]


@pytest.mark.kubectl_since(27)
def test_discovery(each_kube: Kubectl) -> None:
    """Versions, resources by group, scope, verb and category, and what is short for what."""
    versions = each_kube("api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1"} <= set(versions)
    resources = {
        line.split()[0]: line for line in each_kube("api-resources --no-headers").splitlines()
    }
    assert {"pods", "deployments", "nodes", "customresourcedefinitions"} <= resources.keys()
    assert resources["deployments"].split()[1:] == ["deploy", "apps/v1", "true", "Deployment"]
    names = each_kube("api-resources -o name --namespaced=false --api-group=").split()
    assert {"nodes", "namespaces", "persistentvolumes"} <= set(names)
    assert "pods" not in names
    wide = each_kube("api-resources -o wide --api-group=apps").splitlines()
    assert "create,delete,deletecollection,get,list,patch,update,watch" in wide[1]
    if each_kube.minor >= 22:
        assert each_kube("api-resources --categories=all -o name --api-group=apps").split() == [
            "daemonsets.apps",
            "deployments.apps",
            "replicasets.apps",
            "statefulsets.apps",
        ]
    listable = each_kube("api-resources --verbs=list,watch -o name --cached").split()
    assert "bindings" not in listable
    assert "tokenreviews.authentication.k8s.io" not in listable
    version = each_kube.json("version")
    assert version["serverVersion"]["gitVersion"].startswith("v1.35")
    assert "Kubernetes control plane" in each_kube("cluster-info")
    assert len(each_kube("cluster-info dump --namespaces=default")) > 1000


@pytest.mark.kubectl_since(27)
def test_explanations(each_kube: Kubectl) -> None:
    """Of a kind, a field, everything below, another version, as upstream's OpenAPI says."""
    pod = each_kube("explain pods")
    assert "KIND:" in pod
    assert "VERSION:" in pod
    assert "Pod is a collection of containers that can run on a host" in pod
    assert "<ObjectMeta>" in pod
    field = each_kube("explain pod.spec.containers.resources.limits")
    assert "Limits describes the maximum amount of compute resources allowed" in field
    recursive = each_kube("explain deploy.spec --recursive")
    assert "progressDeadlineSeconds" in recursive
    assert "matchLabels" in recursive
    assert "targetCPUUtilizationPercentage" in each_kube(
        "explain hpa.spec --api-version=autoscaling/v1"
    )
    assert "behavior" in each_kube("explain hpa.spec --api-version=autoscaling/v2")
    refused = each_kube.refused("explain pod.spec.nothing")
    assert 'field "nothing" does not exist' in refused
    for kind in (
        "svc",
        "crd",
        "events --api-version=events.k8s.io/v1",
        "role",
        "pdb.spec",
        "lease",
    ):
        assert "KIND:" in each_kube(f"explain {kind}")


def test_the_proxy(kube: Kubectl) -> None:
    """``kubectl proxy`` serves the API without credentials, reads and writes, but not all paths."""
    with kube.background("proxy --port=0") as proxy:
        address = "http://" + next_line(proxy.stdout, "Starting to serve on").split()[-1]

        def call(path: str, method: str = "GET", body: object = None) -> dict[str, object]:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(
                address + path, data, {"content-type": "application/json"}, method=method
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: dict[str, object] = json.load(answer)
                return found

        path = f"/api/v1/namespaces/{kube.namespace}/configmaps"
        body = {"metadata": {"name": "proxied"}, "data": {"a": "1"}}
        assert call(path, "POST", body)["data"] == {"a": "1"}
        assert call(f"{path}/proxied")["kind"] == "ConfigMap"
        assert call(f"{path}/proxied", "DELETE")["status"] == "Success"
        assert "paths" in call("/")
        with urllib.request.urlopen(f"{address}{path}?watch=1", timeout=10) as watch:
            assert json.loads(watch.readline())["type"] == "ADDED"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            call(f"{path.replace('configmaps', 'pods')}/x/exec")


@pytest.mark.kubectl_since(20)
def test_top_shows_what_nodes_and_pods_use(kube: Kubectl) -> None:
    """Metrics are served without a metrics server; columns and units are kubectl's."""
    kube.apply(sleeper("web", replicas=1))
    kube("rollout status deploy/web --timeout=60s")
    # What was started since the last measurement is not in it.
    shown = kube.run("top pod -l app=web --containers --no-headers")
    end = time.monotonic() + 30
    while not shown.stdout and time.monotonic() < end:
        time.sleep(0.5)
        shown = kube.run("top pod -l app=web --containers --no-headers")
    pod, container, cpu, memory = shown.stdout.split()
    assert pod.startswith("web-")
    assert container
    assert cpu.endswith("m")
    assert memory.endswith("Mi")
    assert kube("top pods --no-headers --sort-by=cpu").split()[0] == pod
    nodes = kube("top nodes --no-headers").split()
    assert nodes[0].startswith("node-")
    assert nodes[2].endswith("%")


@pytest.mark.kubectl_since(27)
def test_settings_of_the_client(newest: Kubectl, tmp_path: Path) -> None:
    """A context of one's own on top of the cluster's kubeconfig."""
    own = tmp_path / "own"
    own.write_text(newest.daemon.kubeconfig.read_text())
    env = {"KUBECONFIG": str(own)}
    context = newest("config current-context", env=env).strip()
    assert context in newest("config get-contexts -o name", env=env).split()
    newest(f"config set-context --current --namespace={newest.namespace}", env=env)
    newest("config set-credentials nobody --token=wrong", env=env)
    cluster = newest("config view --minify -o", "jsonpath={.clusters[0].name}", env=env)
    newest(f"config set-context stranger --cluster={cluster} --user=nobody", env=env)
    unauthorized = newest.refused("get pods --context=stranger", env=env)
    assert "You must be logged in to the server" in unauthorized
    newest("config use-context stranger", env=env)
    assert newest("config current-context", env=env) == "stranger\n"
    newest("config delete-context stranger", env=env)
    assert "certificate-authority-data: DATA+OMITTED" in newest("config view", env=env)


def test_a_whole_day_of_discovery_is_cached(newest: Kubectl) -> None:
    """The second command of a home asks for no discovery again."""
    newest("get pods")
    began = time.monotonic()
    asked = newest.run("get pods -v=6")
    assert asked.returncode == 0
    assert "/apis" not in asked.stderr
    assert time.monotonic() - began < 30
