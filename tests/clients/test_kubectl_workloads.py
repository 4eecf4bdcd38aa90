"""Running, changing and rolling back workloads with every kubectl at hand."""

from __future__ import annotations

import json
import time

import pytest

from tests.clients.kubectl import Kubectl, next_line, sleeper

pytestmark = pytest.mark.e2e


def revisions(kube: Kubectl, what: str = "deploy/web") -> list[str]:
    """Return the revisions that ``rollout history`` lists."""
    lines = kube(f"rollout history {what}").splitlines()
    return [line.split()[0] for line in lines if line[:1].isdigit()]


def image(kube: Kubectl, what: str = "deploy/web") -> str:
    """Return the image of a workload's first container."""
    return kube(f"get {what} -o", "jsonpath={.spec.template.spec.containers[0].image}")


@pytest.mark.kubectl_since(27)
def test_a_short_life_with_every_kubectl(each_kube: Kubectl) -> None:
    """Applied, described, edited, patched, rolled back and deleted: what a version may do anew."""
    each_kube.apply(sleeper("web", replicas=2))
    assert "successfully rolled out" in each_kube("rollout status deploy/web --timeout=60s")
    everything = each_kube("get nodes,deploy,rs,pods -o wide")
    assert everything.count(" Ready ") == 3
    assert "2/2" in everything
    assert everything.count(" Running ") == 2
    described = each_kube("describe pods -l app=web")
    for word in ("Successfully assigned", "Started container main", "Running"):
        assert word in described
    assert each_kube("logs deploy/web").splitlines()[1:] == []  # the choice of a pod, at most
    edited = each_kube("edit deploy web", env={"KUBE_EDITOR": "sed -i s/sleeper:1/sleeper:2/"})
    assert "deployment.apps/web edited" in edited
    each_kube("rollout status deploy/web --timeout=60s")
    assert revisions(each_kube) == ["1", "2"]
    each_kube("rollout undo deploy/web")
    each_kube("rollout status deploy/web --timeout=60s")
    assert image(each_kube) == "sleeper:1"
    each_kube("patch deploy web -p", '{"spec":{"replicas":1}}')
    each_kube("label deploy web tier=front")
    assert "1/1" in each_kube("get deploy -l tier=front")
    each_kube("delete deploy web --timeout=30s")
    each_kube("wait --for=delete pod -l app=web --timeout=30s")
    assert "No resources found" in each_kube("get pods -l app=web")


def test_a_rollout_over_its_revisions(kube: Kubectl) -> None:
    """Updated, looked up, undone to the last and to a named revision, paused, restarted."""
    kube.apply(sleeper("web", replicas=2))
    assert "successfully rolled out" in kube("rollout status deploy/web --timeout=60s")
    assert "image updated" in kube("set image deploy/web main=sleeper:2")
    kube("annotate deploy web kubernetes.io/change-cause=second")
    kube("rollout status deploy/web --timeout=60s")
    kube("set image deploy/web *=sleeper:3")
    kube("rollout status deploy/web --timeout=60s")
    assert revisions(kube) == ["1", "2", "3"]
    assert "second" in kube("rollout history deploy/web")
    assert "sleeper:2" in kube("rollout history deploy/web --revision=2")
    assert "deployment.apps/web rolled back" in kube("rollout undo deploy/web")
    kube("rollout status deploy/web --timeout=60s")
    assert image(kube) == "sleeper:2"
    kube("rollout undo deploy/web --to-revision=1")
    kube("rollout status deploy/web --timeout=60s")
    assert image(kube) == "sleeper:1"
    assert revisions(kube) == ["3", "4", "5"]
    assert "unable to find specified revision 9" in kube.refused(
        "rollout undo deploy/web --to-revision=9"
    )
    assert "paused" in kube("rollout pause deploy/web")
    assert "already paused" in kube.refused("rollout pause deploy/web")
    kube("set image deploy/web main=sleeper:4")
    assert "paused" in kube.refused("rollout restart deploy/web")
    assert "resumed" in kube("rollout resume deploy/web")
    kube("rollout status deploy/web --timeout=60s")
    assert revisions(kube)[-1] == "6"
    assert "restarted" in kube("rollout restart deploy/web")
    kube("rollout status deploy/web --timeout=60s")
    annotations = kube.json("get deploy web")["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in annotations


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_rollout_over_controller_revisions(kube: Kubectl, kind: str) -> None:
    """Updated, looked up, undone to the last and to a named revision, restarted, scaled."""
    web = sleeper("web")
    web["kind"] = kind
    if kind == "DaemonSet":
        del web["spec"]["replicas"]
    else:
        web["spec"] |= {"serviceName": "web", "replicas": 2, "podManagementPolicy": "Parallel"}
    kube.apply(web)
    what = f"{kind.lower()}/web"
    status = f"rollout status {what} --timeout=60s"
    said = kube(status)
    assert "complete" in said or "successfully rolled out" in said
    web["metadata"]["annotations"] = {"kubernetes.io/change-cause": "second"}
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "sleeper:2"
    kube.apply(web)
    kube(status)
    assert revisions(kube, what) == ["1", "2"]
    assert "second" in kube(f"rollout history {what}")
    assert "sleeper:1" in kube(f"rollout history {what} --revision=1")
    assert "rolled back" in kube(f"rollout undo {what}")
    kube(status)
    assert image(kube, what) == "sleeper:1"
    assert revisions(kube, what) == ["2", "3"]
    kube(f"rollout undo {what} --to-revision=2")
    kube(status)
    assert image(kube, what) == "sleeper:2"
    assert revisions(kube, what) == ["3", "4"]
    assert "restarted" in kube(f"rollout restart {what}")
    kube(status)
    pods = kube.json("get pods -l app=web")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"sleeper:2"}
    if kind == "StatefulSet":
        assert sorted(pod["metadata"]["name"] for pod in pods) == ["web-0", "web-1"]
        kube("scale sts/web --replicas=1")
        kube("wait --for=delete pod/web-1 --timeout=30s")
    else:
        nodes = kube.json("get nodes")["items"]
        assert len(pods) == len(nodes)


def test_a_rollout_that_fails(newest: Kubectl) -> None:
    """One whose pods never get ready exceeds its deadline, is told so, and can be undone."""
    web = sleeper("web", replicas=1)
    web["spec"]["progressDeadlineSeconds"] = 1
    newest.apply(web)
    newest("rollout status deploy/web --timeout=30s")
    del web["spec"]["template"]["spec"]["containers"][0]["command"]
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "entrypoint:unknown"
    newest.apply(web)
    refused = newest.refused("rollout status deploy/web --timeout=30s")
    assert 'error: deployment "web" exceeded its progress deadline' in refused
    assert "1/1" in newest("get deploy web")  # the old pod serves on
    newest("rollout undo deploy/web")
    newest("rollout status deploy/web --timeout=30s")


def test_setting_fields(kube: Kubectl) -> None:
    """Image, environment, resources, account, selector: each ``set``."""
    kube.apply(sleeper("web", replicas=0))
    kube("create configmap settings --from-literal=fast=yes")
    kube("create serviceaccount robot")
    kube("set env deploy/web A=1 B=2")
    kube("set env deploy/web A- --from=configmap/settings --prefix=S_")
    assert "web, container main\nB=2\n" in kube("set env deploy/web --list")
    kube("set resources deploy/web -c=main --limits=cpu=200m,memory=64Mi --requests=cpu=100m")
    kube("set serviceaccount deploy web robot")
    spec = kube.json("get deploy web")["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"] == [
        {"name": "B", "value": "2"},
        {
            "name": "S_FAST",
            "valueFrom": {"configMapKeyRef": {"key": "fast", "name": "settings"}},
        },
    ]
    assert spec["containers"][0]["resources"] == {
        "limits": {"cpu": "200m", "memory": "64Mi"},
        "requests": {"cpu": "100m"},
    }
    assert spec["serviceAccountName"] == "robot"
    kube("create service clusterip front --tcp=80")
    kube("set selector svc front tier=x")
    assert kube.json("get svc front")["spec"]["selector"] == {"tier": "x"}
    printed = kube("set image deploy/web main=sleeper:9 --dry-run=client -o yaml")
    assert "sleeper:9" in printed
    assert image(kube) == "sleeper:1"


def test_scaling(kube: Kubectl) -> None:
    """With preconditions, of several at once, through the subresource; and autoscalers."""
    kube.apply(sleeper("web", replicas=1))
    kube.apply(sleeper("side", replicas=0))
    assert kube("scale deploy/web --replicas=2") == "deployment.apps/web scaled\n"
    assert "Expected replicas to be 5, was 2" in kube.refused(
        "scale deploy/web --current-replicas=5 --replicas=3"
    )
    kube("scale deploy/web --current-replicas=2 --replicas=3 --timeout=60s")
    kube("scale deploy/web deploy/side --replicas=0")
    assert [d["spec"]["replicas"] for d in kube.json("get deploy")["items"]] == [0, 0]
    version = kube.json("get deploy web")["metadata"]["resourceVersion"]
    kube(f"scale deploy/web --resource-version={version} --replicas=1")
    assert "Expected resource version" in kube.refused(
        f"scale deploy/web --resource-version={version} --replicas=2"
    ).replace("Expected resourceVersion", "Expected resource version")
    if kube.minor >= 24:
        scale = kube.json("get deploy web --subresource=scale")
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
        assert scale["status"]["selector"] == "app=web"
    kube("autoscale deploy web --min=1 --max=3 --cpu-percent=80")
    autoscaler = kube.json("get hpa web")["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (1, 3)
    assert autoscaler["scaleTargetRef"]["name"] == "web"
    row = kube("get hpa web --no-headers").split()
    assert row[:2] == ["web", "Deployment/web"]
    assert "80%" in " ".join(row)
    assert (
        kube.json("get horizontalpodautoscalers.v1.autoscaling web")["spec"][
            "targetCPUUtilizationPercentage"
        ]
        == 80
    )
    assert "Deployment/web" in kube("describe hpa web")


def test_labels_and_annotations(kube: Kubectl) -> None:
    """Set, refused to overwrite, overwritten, removed, by selector, listed, with a precondition."""
    kube.apply(sleeper("web", replicas=0))
    assert kube("label deploy web tier=a") == "deployment.apps/web labeled\n"
    refused = kube.refused("label deploy web tier=b")
    assert "'tier' already has a value (a), and --overwrite is false" in refused
    kube("label deploy web tier=b --overwrite")
    assert "tier=b" in kube("label deploy web --list")
    kube("label deploy -l tier=b more=yes")
    kube("label deploy --all all=yes")
    kube("label deploy web tier-")
    labels = kube.json("get deploy web")["metadata"]["labels"]
    assert labels == {"app": "web", "more": "yes", "all": "yes"}
    assert "a valid label must be an empty string or consist of" in kube.refused(
        "label deploy web", "bad=not a label"
    )
    version = kube.json("get deploy web")["metadata"]["resourceVersion"]
    kube(f"annotate deploy web note=first --resource-version={version}")
    assert "Conflict" in kube.refused(f"annotate deploy web other=x --resource-version={version}")
    kube("annotate deploy web", "note=second thought", "--overwrite")
    assert kube.json("get deploy web")["metadata"]["annotations"]["note"] == "second thought"
    kube("annotate deploy web note-")
    assert "note" not in kube.json("get deploy web")["metadata"].get("annotations", {})


def test_logs_of_many(kube: Kubectl) -> None:
    """Of a pod, a Deployment, a selection; followed; of a container that ended before."""
    script = "echo first; echo last; sleep 3600"
    web = sleeper("web", replicas=2)
    web["spec"]["template"]["spec"]["containers"] = [
        {"name": "main", "image": "x", "command": ["sh", "-c", script]},
        {"name": "side", "image": "x", "command": ["sh", "-c", "echo side; sleep 3600"]},
    ]
    kube.apply(web)
    kube("rollout status deploy/web --timeout=60s")
    deadline = time.monotonic() + 20
    while "last" not in kube("logs deploy/web -c main"):
        assert time.monotonic() < deadline
    name = kube("get pods -l app=web -o", "jsonpath={.items[0].metadata.name}")
    assert kube(f"logs {name} -c main") == "first\nlast\n"
    assert kube(f"logs {name} -c main --tail=1") == "last\n"
    stamped = kube(f"logs {name} -c main --timestamps --tail=1").split()
    assert stamped[0].startswith("20")
    selected = kube("logs -l app=web --all-containers --prefix")
    assert selected.count("side") >= 2
    assert f"[pod/{name}/main] last" in selected
    refused = kube.refused(f"logs {name} -c none")
    assert f"container none is not valid for pod {name}" in refused
    with kube.background(f"logs -f {name} -c side") as following:
        next_line(following.stdout, "side")
    assert "previous terminated container" in kube.refused(f"logs {name} -c side --previous")


@pytest.mark.kubectl_since(27)
def test_events(newest: Kubectl) -> None:
    """``kubectl events`` and ``get events``, of one object, by type, as they come."""
    newest.apply(sleeper("web", replicas=1))
    newest("rollout status deploy/web --timeout=60s")
    assert "SuccessfulCreate" in newest("events")
    assert "ScalingReplicaSet" in newest("events --for=deploy/web")
    assert "Scheduled" in newest("get events --sort-by=.metadata.creationTimestamp")
    assert "No events found" in newest("events --types=Warning")
    reasons = newest(
        "get events -o",
        "jsonpath={.items[*].reason}",
        "--field-selector",
        "involvedObject.kind=Deployment",
    )
    assert set(reasons.split()) == {"ScalingReplicaSet"}
    event = json.loads(newest("get events.events.k8s.io -o json"))["items"][0]
    assert event["regarding"]["namespace"] == newest.namespace
    with newest.background("events --watch") as watching:
        next_line(watching.stdout, "ScalingReplicaSet")
        newest("scale deploy web --replicas=2")
        next_line(watching.stdout, "from 1 to 2")
