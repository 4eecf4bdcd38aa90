"""What is said of an object to who waited for it in vain."""

from __future__ import annotations

import re
from typing import Any

import pytest

from orchestrator import Cluster, StatusError, WaitTimeoutError
from orchestrator.embedded.waiting.conditions import describe_state
from orchestrator.embedded.waiting.paths import NOTHING, read_path
from orchestrator.embedded.waiting.possible import not_seen, refuse_impossible
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from tests.embedded.kit import deployment, on_a_real_loop


def thing(status: dict[str, Any] | None = None, **fields: Any) -> Object:
    """Return an object."""
    body: dict[str, Any] = {"metadata": {"name": "a"}, **fields}
    return body if status is None else {**body, "status": status}


GOING = {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"]}
WAITING = {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
ENDED = {"name": "main", "state": {"terminated": {"reason": "Error", "exitCode": 1}}}
READY = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}


@pytest.mark.parametrize(
    ("obj", "condition", "said"),
    [
        (None, "Ready", "it does not exist"),
        (thing(), "Ready", "it has no status"),
        (thing({"step": 3}), "Ready", 'it has no condition Ready; its status is {"step": 3}'),
        (thing({"step": 3}), "jsonpath={.status.step}=4", "{.status.step} is 3"),
        (thing({}), "jsonpath={.status.step}=4", "{.status.step} is not there"),
        (thing({"a": "x" * 300}), "jsonpath=.status.a=y", f'{{.status.a}} is "{"x" * 196}...'),
        (thing(metadata=GOING), "delete", "being deleted, held by the finalizers x/y"),
        (
            thing({"readyReplicas": 1, "replicas": 2}, spec={"replicas": 3}),
            "rollout",
            "1 of 3 ready",
        ),
        (
            thing({"phase": "Pending", "conditions": [READY], "containerStatuses": [WAITING]}),
            "Ready",
            (
                "container main: waiting, ImagePullBackOff; phase Pending; "
                "Ready=False (ContainersNotReady)"
            ),
        ),
        (
            thing({"phase": "Failed", "containerStatuses": [ENDED]}),
            len,
            "container main: terminated, Error; phase Failed",
        ),
    ],
)
def test_how_an_object_stands(obj: Object | None, condition: Any, said: str) -> None:
    """What was asked for first, then what holds it up, then its conditions."""
    assert describe_state(obj, condition) == said


@pytest.mark.parametrize(
    ("kind", "condition", "said"),
    [
        ("Node", "rollout", "a Node does not roll out: Deployments, DaemonSets and"),
        ("ReplicaSet", "rollout", "a ReplicaSet does not roll out"),
        ("ConfigMap", "Available", "a ConfigMap has no conditions, so it cannot come to 'Availab"),
        ("ServiceAccount", "condition=Ready=True", "a ServiceAccount has no conditions"),
        ("Pod", "Ready=Maybe", "a condition is True, False or Unknown, never 'Maybe'"),
        ("Pod", "jsonpath={.status.fase}=Running", "a Pod has no field .status.fase: did you mean"),
        ("Pod", "jsonpath={.status.phase.x}", "a Pod has no field .status.phase.x: there are no"),
        (
            "Pod",
            "jsonpath=.spec.containers[0].nam=a",
            r"containers\[0\].nam: did you .*.name",
        ),
        ("ConfigMap", "jsonpath={.dta.a}=b", "a ConfigMap has no field .dta: did you mean .data?"),
    ],
)
def test_what_no_object_of_a_kind_can_come_to_is_refused(
    kind: str, condition: str, said: str
) -> None:
    """A made-up field, a condition of what has none, a rollout of what does not roll out."""
    found = next(each for each in registry().kinds() if each.kind == kind)
    with pytest.raises(ValueError, match=said):
        refuse_impossible(found, condition)


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("Pod", "my.gate/open"),
        ("Node", "KernelDeadlock=False"),
        ("Service", "Ready"),
        ("Deployment", "rollout"),
        ("ConfigMap", "exists"),
        ("ConfigMap", "delete"),
        ("ConfigMap", "jsonpath={.data.anything}=b"),
        ("ConfigMap", "jsonpath={.metadata.annotations.a\\.b/c}"),
        ("Pod", "jsonpath={.status.podIPs[0].ip}"),
        ("Pod", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True'),
    ],
)
def test_what_an_object_may_come_to_is_waited_for(kind: str, condition: str) -> None:
    """Conditions are open: whoever likes may set one where there are any."""
    refuse_impossible(next(each for each in registry().kinds() if each.kind == kind), condition)


@pytest.mark.parametrize(
    ("kind", "name", "phase", "said"),
    [
        ("Pod", "Redy", "Running", "it has no condition Redy: did you mean Ready?"),
        ("Pod", "Running", "Pending", r"phase is waited for as jsonpath={.status.phase}=Running"),
        ("Deployment", "Ready", "", "has no condition Ready: a Deployment has Available, Progress"),
        ("StatefulSet", "Ready", "", "it has no condition Ready: .* wait for 'rollout'"),
        ("Widget", "Redy", "", "it has no condition Redy: did you mean Ready?"),
    ],
)
def test_a_condition_that_was_never_seen_is_told(
    kind: str, name: str, phase: str, said: str
) -> None:
    """With what was probably meant."""
    there = ["Ready"] if kind == "Widget" else []
    assert re.search(said, not_seen(kind, name, there, phase))


POD: Object = {
    "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "on": True},
}


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("jsonpath={.spec.containers[0].name}=a", "a", True),
        ("jsonpath=.spec.containers[-1].name=b", "b", True),
        ("jsonpath={.spec.containers[2].name}", NOTHING, False),
        ("jsonpath={.status.on}=true", True, True),
        ("jsonpath={.status.on}='true'", True, True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', "True", True),
        ("jsonpath={.spec.containers[?(@.name=='b')].image}=x", "y", False),
        ("jsonpath={.spec.containers[?(@.name=='c')].image}", NOTHING, False),
    ],
)
def test_a_path_leads_to_a_value(text: str, value: Any, holds: bool) -> None:
    """As kubectl wait reads it, filters included."""
    path = read_path(text)
    assert path.value_in(POD) == value
    assert path.holds(POD) is holds


@pytest.mark.parametrize("text", ["jsonpath=", "jsonpath={.a", "jsonpath={.a}b", "jsonpath={.[}=b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    """Before anything is waited for."""
    with pytest.raises(ValueError, match="cannot read"):
        read_path(text)


def test_a_path_to_several_values_is_refused() -> None:
    """Nobody could say which of them is meant."""
    with pytest.raises(ValueError, match=r"has 2 values, and a wait is about one"):
        read_path("jsonpath={.spec.containers[*].name}=a").holds(POD)


@on_a_real_loop
async def test_a_wait_in_vain_is_refused_at_once_or_says_what_there_was() -> None:
    """https://kubernetes.io/docs/reference/kubectl/generated/kubectl_wait/."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(deployment("web", replicas=1))
        status = {"type": "object", "properties": {"step": {"type": "integer"}}}
        schema = {"type": "object", "properties": {"spec": {"type": "object"}, "status": status}}
        await cluster.install_crd(schema, group="example.com", kind="Gadget")
        began = cluster.clock.now()
        with pytest.raises(ValueError, match="a Node does not roll out"):
            await cluster.wait("node/node-1", "rollout")
        with pytest.raises(ValueError, match="a Gadget has no conditions"):
            await cluster.wait("gadget/none")
        with pytest.raises(ValueError, match=r"no field .status.stp: did you mean .status.step"):
            await cluster.wait("gadget/none", "jsonpath={.status.stp}=3")
        with pytest.raises(StatusError, match='resource type "deploymnt": did you mean deployment'):
            await cluster.wait("deploymnt/web")
        assert cluster.clock.now() == began
        with pytest.raises(WaitTimeoutError, match=r"web: .*no condition Ready: a Deployment"):
            await cluster.wait("deployment/web", "Ready", timeout=5)


@on_a_real_loop
async def test_a_wait_in_vain_says_what_went_wrong_below() -> None:
    """Of a Deployment, the warnings of its pods: the same of many pods is said once."""
    async with Cluster(nodes=1, listen=None) as cluster:
        large = deployment("web", replicas=3)
        container = large["spec"]["template"]["spec"]["containers"][0]
        container["resources"] = {"requests": {"cpu": "900"}}
        await cluster.apply(large)
        with pytest.raises(WaitTimeoutError) as caught:
            await cluster.wait("deployment/web", timeout=5)
        said = str(caught.value)
        assert said.count("Warning FailedScheduling of pod/web-") == 1
        assert "0/1 nodes are available: 1 Insufficient cpu." in said


@on_a_real_loop
async def test_what_is_wanted_of_a_kind_need_not_be_said() -> None:
    """Deployments are never Ready, Jobs complete, and what rolls out is there when it has."""
    container = {"name": "main", "image": "work:1"}
    once = {"restartPolicy": "Never", "containers": [container]}
    head = {"apiVersion": "apps/v1", "metadata": {"name": "a"}}
    selected = {
        "selector": {"matchLabels": {"a": "a"}},
        "template": {"metadata": {"labels": {"a": "a"}}, "spec": {"containers": [container]}},
    }
    async with Cluster(nodes=1, listen=None) as cluster:
        cluster.image("work:1", run_seconds=60, exit_code=0)
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            await cluster.apply({**head, "kind": kind, "spec": selected})
            found = await cluster.wait(f"{kind.lower()}/a")
            assert found is not None
            assert found["status"].get("readyReplicas", found["status"].get("numberReady")) == 1
        job = {"template": {"spec": once}}
        await cluster.apply({**head, "apiVersion": "batch/v1", "kind": "Job", "spec": job})
        done = await cluster.wait("job/a", timeout=120)
        assert done is not None
        assert done["status"]["succeeded"] == 1
        await cluster.wait("node/node-1")
