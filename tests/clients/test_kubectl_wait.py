"""``kubectl wait`` in every form, and what deletes and how."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import yaml

from tests.clients.kubectl import Kubectl, config_map, sleeper

pytestmark = pytest.mark.e2e


@pytest.mark.kubectl_since(27)
def test_waiting_for_conditions_and_values(kube: Kubectl) -> None:
    """Conditions, a condition's value, JSONPath with and without a value, several objects."""
    kube.apply(sleeper("web", replicas=2))
    met = kube("wait --for=condition=Available deploy/web --timeout=60s")
    assert met == "deployment.apps/web condition met\n"
    kube("wait --for=condition=Available=True deploy -l app=web --timeout=60s")
    ready = kube("wait --for=condition=Ready pods -l app=web --timeout=60s")
    assert ready.count("condition met") == 2
    kube("wait --for=condition=Ready pods --all --timeout=60s")
    kube("wait deploy/web --timeout=60s", "--for=jsonpath={.status.readyReplicas}=2")
    kube("wait pods -l app=web --timeout=60s", "--for=jsonpath={.status.phase}=Running")
    kube("wait nodes --all --for=condition=Ready --timeout=60s")
    kube("wait nodes --all --for=condition=DiskPressure=false --timeout=60s")
    late = kube.refused("wait deploy/web --for=condition=Nothing --timeout=100ms")
    assert "timed out waiting for the condition on deployments/web" in late
    assert "NotFound" in kube.refused("wait deploy/none --for=condition=Available --timeout=5s")
    assert "no matching resources found" in kube.refused(
        "wait pods -l app=none --for=condition=Ready --timeout=5s"
    )
    if kube.minor >= 28:  # older ones ask for a value
        kube("wait deploy/web --timeout=60s", "--for=jsonpath={.status.observedGeneration}")
    if kube.minor >= 31:  # older ones take a condition's equals sign for the value's
        kube(
            "wait deploy/web --timeout=60s",
            '--for=jsonpath={.status.conditions[?(@.type=="Available")].status}=True',
        )


@pytest.mark.kubectl_since(27)
def test_waiting_for_what_is_yet_to_come(each_kube: Kubectl) -> None:
    """A change made while waiting ends the wait; so do a creation and a deletion."""
    each_kube.apply(config_map("mark", state="no"))
    waits = ["wait cm/mark --timeout=60s --for=jsonpath={.data.state}=yes"]
    if each_kube.minor >= 31:
        waits.append("wait cm/late --for=create --timeout=60s")
    waits.append("wait cm/mark --for=delete --timeout=60s")
    changes = {
        "yes": lambda: each_kube("patch cm mark --type=merge -p", '{"data":{"state":"yes"}}'),
        "create": lambda: each_kube.apply(config_map("late", a="1")),
        "delete": lambda: each_kube("delete cm mark"),
    }
    for wait in waits:
        change = next(act for word, act in changes.items() if word in wait)
        timer = threading.Timer(0.2, change)
        timer.start()
        assert "condition met" in each_kube(wait)
        timer.join()
    gone = each_kube("wait cm/mark --for=delete --timeout=5s")
    assert "met" in gone or gone == ""


@pytest.mark.kubectl_since(27)
def test_deletion_in_all_its_forms(kube: Kubectl, tmp_path: Path) -> None:
    """By name, file, label and all; with grace, by force, waiting or not."""
    for name in ("one", "two", "three", "four"):
        kube.apply(config_map(name, labels={"name": name}, a="1"))
    assert kube("delete cm one") == f'configmap "one" deleted{_from(kube)}\n'
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config_map("two")))
    kube("delete -f two.yaml")
    assert "NotFound" in kube.refused("delete -f two.yaml")
    kube("delete -f two.yaml --ignore-not-found")
    kube("delete cm -l name=three")
    assert "(server dry run)" in kube("delete cm four --dry-run=server")
    kube("delete cm --all")
    kube("create configmap held --from-literal=a=1")
    kube("patch cm held -p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    assert "timed out" in kube.refused("delete cm held --timeout=100ms")
    kube("delete cm held --wait=false")
    assert "deletionTimestamp" in kube.json("get cm held")["metadata"]
    kube("patch cm held --type=merge -p", '{"metadata":{"finalizers":null}}')
    kube("wait --for=delete cm/held --timeout=10s")

    for name in ("gentle", "forced", "now"):
        kube(f"run {name} --image=x --command -- sleep 3600")
    kube("wait --for=condition=Ready pod --all --timeout=60s")
    kube("delete pod gentle --grace-period=1 --timeout=30s")
    forced = kube("delete pod forced --force --grace-period=0")
    assert "Immediate deletion does not wait for confirmation" in forced
    kube("delete pod now --now --timeout=30s")
    assert "No resources found" in kube("get pods")


def _from(kube: Kubectl) -> str:
    """Since v1.34 the line names the namespace."""
    return f" from {kube.namespace} namespace" if kube.minor >= 34 else ""


@pytest.mark.kubectl_since(27)
def test_cascades(kube: Kubectl) -> None:
    """Background and foreground take the dependents along; orphans stay and are adopted."""
    kube.apply(sleeper("web", replicas=1))
    kube("rollout status deploy/web --timeout=60s")
    kube("delete deploy web --cascade=orphan")
    (orphan,) = kube.json("get rs")["items"]
    assert "ownerReferences" not in orphan["metadata"]
    kube.apply(sleeper("web", replicas=1))
    kube(
        "wait rs/" + orphan["metadata"]["name"],
        "--timeout=30s",
        "--for=jsonpath={.metadata.ownerReferences[0].kind}=Deployment",
    )
    (adopted,) = kube.json("get rs")["items"]
    assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]
    kube("delete deploy web --cascade=foreground --timeout=60s")
    assert kube.json("get rs,pods")["items"] == []
    kube.apply(sleeper("web", replicas=1))
    kube("rollout status deploy/web --timeout=60s")
    kube("delete deploy web --cascade=background --timeout=60s")
    kube("wait --for=delete rs,pod -l app=web --timeout=60s")
    assert kube.json("get rs,pods")["items"] == []


@pytest.mark.kubectl_since(27)
def test_a_namespace_takes_its_objects_along(newest: Kubectl) -> None:
    """Everything in it goes; meanwhile nothing new may be made in it."""
    namespace = newest.namespace
    newest.apply(sleeper("web"), config_map("held", a="1"))
    newest("patch cm held -p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    newest(f"delete ns {namespace} --wait=false")
    newest(f"wait ns {namespace} --timeout=30s", "--for=jsonpath={.status.phase}=Terminating")
    refused = newest.refused("create cm new --from-literal=a=1")
    assert "because it is being terminated" in refused
    newest(f"wait ns {namespace} --for=condition=NamespaceFinalizersRemaining --timeout=30s")
    conditions = newest.json(f"get ns {namespace}")["status"]["conditions"]
    remaining = next(c for c in conditions if c["type"] == "NamespaceFinalizersRemaining")
    assert "example.com/hold in 1 resource instances" in remaining["message"]
    newest("patch cm held --type=merge -p", json.dumps({"metadata": {"finalizers": None}}))
    newest(f"wait ns {namespace} --for=delete --timeout=60s")
