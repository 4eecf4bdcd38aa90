"""Autoscalers in whole simulated clusters.

Sections are those of https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from actors.testing import virtual
from orchestrator.controllers.autoscaler import AutoscalerController, AutoscalerSettings
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object
from orchestrator.store import EventRecorder
from tests.autoscaling.worlds import (
    AUTOSCALERS,
    DEPLOYMENTS,
    World,
    autoscaler,
    cpu_metric,
    deployment,
    open_world,
)

CPU = "cpu resource utilization (percentage of request)"


def replicas(world: World, name: str = "web", resource: str = DEPLOYMENTS) -> int:
    """Return how many replicas an object is to have."""
    found = world.store.get(resource, "default", name)
    assert found is not None
    return int(found["spec"].get("replicas", 1))


def status(world: World, name: str = "web") -> Object:
    """Return an autoscaler's status."""
    found = world.store.get(AUTOSCALERS, "default", name)
    assert found is not None
    return dict(found.get("status") or {})


def condition(world: World, type_: str, name: str = "web") -> tuple[str, str, str]:
    """Return status, reason and message of an autoscaler's condition."""
    found = find_condition({"status": status(world, name)}, type_) or {}
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


@virtual
async def test_it_follows_the_load_and_waits_before_it_goes_down() -> None:
    """The HPA scales to the peak of five minutes, then down; #stabilization-window."""
    async with open_world() as world:
        await world.create(deployment(annotations={"cpu-load": "100m"}))
        await world.create(autoscaler(), AUTOSCALERS)
        await asyncio.sleep(20)
        assert replicas(world) == 1
        assert condition(world, "ScalingActive") == (
            "True",
            "ValidMetricFound",
            f"the HPA was able to successfully calculate a replica count from {CPU}",
        )
        assert condition(world, "AbleToScale")[1:] == (
            "ReadyForNewScale",
            "recommended size matches current size",
        )
        await world.annotate(DEPLOYMENTS, "web", cpu_load="2")
        await asyncio.sleep(15)
        assert replicas(world) == 4
        assert condition(world, "ScalingLimited") == (
            "True",
            "ScaleUpLimit",
            "the desired replica count is increasing faster than the maximum scale rate",
        )
        assert condition(world, "AbleToScale") == (
            "True",
            "SucceededRescale",
            "the HPA controller was able to update the target scale to 4",
        )
        await asyncio.sleep(60)
        assert replicas(world) == 8
        shown = status(world)
        assert (shown["currentReplicas"], shown["desiredReplicas"]) == (8, 8)
        assert shown["currentMetrics"] == [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "current": {"averageUtilization": 50, "averageValue": "250m"},
                },
            }
        ]
        await world.annotate(DEPLOYMENTS, "web", cpu_load="500m")
        await asyncio.sleep(280)
        assert replicas(world) == 8
        assert condition(world, "AbleToScale")[1] == "ScaleDownStabilized"
        await asyncio.sleep(60)
        assert replicas(world) == 2
        scaled = [message for reason, message in world.events("web") if "Rescale" in reason]
        assert scaled == [
            f"New size: 4; reason: {CPU} above target",
            f"New size: 8; reason: {CPU} above target",
            "New size: 2; reason: All metrics below target",
        ]


@virtual
async def test_without_an_autoscaler_nothing_happens_and_with_one_a_look_each_period() -> None:
    """It runs intermittently, at an interval; #how-does-a-horizontalpodautoscaler-work."""
    settings = AutoscalerSettings(sync_period=40.0)
    async with open_world(autoscaling=settings) as world:
        await world.create(deployment(replicas=3))
        looks = []
        read = world.cluster.meter

        async def counted(pods: Any) -> Any:
            looks.append(world.store.clock.monotonic())
            return await original(pods)

        assert read is not None
        original = read.pods
        read.pods = counted  # type: ignore[method-assign] # it only counts
        await asyncio.sleep(1000)
        assert looks == []
        await world.create(autoscaler(), AUTOSCALERS)
        await asyncio.sleep(130)
        assert [round(two - one) for one, two in itertools.pairwise(looks)] == [40, 40]
        await world.store.delete(AUTOSCALERS, "default", "web")
        await asyncio.sleep(1000)
        assert len(looks) == 3


@virtual
async def test_maintenance_mode_by_zero_replicas() -> None:
    """If you set the target's desired replica count to 0, the HPA stops adjusting the target.

    #implicit-maintenance-mode-deactivation.
    """
    async with open_world() as world:
        await world.create(deployment(replicas=0, annotations={"cpu-load": "2"}))
        await world.create(autoscaler(least=2), AUTOSCALERS)
        await asyncio.sleep(60)
        assert replicas(world) == 0
        assert condition(world, "ScalingActive") == (
            "False",
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
        )
        await world.store.modify(
            DEPLOYMENTS,
            "default",
            "web",
            lambda obj: {**obj, "spec": {**obj["spec"], "replicas": 1}},
        )
        await asyncio.sleep(16)
        assert replicas(world) == 2
        assert (
            "SuccessfulRescale",
            "New size: 2; reason: Current number of replicas below Spec.MinReplicas",
        ) in (world.events("web"))


@virtual
async def test_replicas_stay_within_bounds() -> None:
    """More than maxReplicas are taken away at once."""
    async with open_world() as world:
        await world.create(deployment(replicas=5))
        await world.create(autoscaler(most=3), AUTOSCALERS)
        await asyncio.sleep(16)
        assert replicas(world) == 3
        reason = "Current number of replicas above Spec.MaxReplicas"
        assert ("SuccessfulRescale", f"New size: 3; reason: {reason}") in world.events("web")
        await world.annotate(DEPLOYMENTS, "web", cpu_load="5")
        await asyncio.sleep(60)
        assert condition(world, "ScalingLimited") == (
            "True",
            "TooManyReplicas",
            "the desired replica count is more than the maximum replica count",
        )


@virtual
async def test_pods_without_a_request_cannot_be_measured_by_utilization() -> None:
    """If containers have no request set, CPU utilization is not defined, and nothing is done.

    #how-does-a-horizontalpodautoscaler-work.
    """
    async with open_world() as world:
        await world.create(deployment(cpu=None))
        await world.create(autoscaler(), AUTOSCALERS)
        await asyncio.sleep(40)
        assert replicas(world) == 1
        (pod,) = world.store.list("pods", "default")
        why = (
            "failed to get cpu utilization: missing request for cpu in container main of Pod "
            f"{pod['metadata']['name']}"
        )
        assert condition(world, "ScalingActive") == (
            "False",
            "FailedGetResourceMetric",
            f"the HPA was unable to compute the replica count: {why}",
        )
        events = world.events("web")
        assert ("FailedGetResourceMetric", why) in events
        assert (
            "FailedComputeMetricsReplicas",
            (
                "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource "
                f"metric value: {why}"
            ),
        ) in events
        assert status(world)["currentMetrics"] == [{"type": ""}]


@virtual
async def test_several_metrics_choose_the_largest_scale() -> None:
    """The HPA evaluates each metric and takes the largest; one that fails prevents only fewer.

    #algorithm-details.
    """
    other: Object = {
        "type": "Pods",
        "pods": {
            "metric": {"name": "hits"},
            "target": {"type": "AverageValue", "averageValue": "1"},
        },
    }
    memory: Object = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "20Mi"}},
    }
    async with open_world() as world:
        await world.create(deployment(replicas=2, annotations={"cpu-load": "600m"}))
        await world.create(autoscaler(metrics=[cpu_metric(50), memory]), AUTOSCALERS)
        await asyncio.sleep(20)
        assert replicas(world) == 4
        assert ("SuccessfulRescale", "New size: 4; reason: memory resource above target") in (
            world.events("web")
        )
        await world.create(deployment("api", replicas=2, annotations={"cpu-load": "600m"}))
        await world.create(autoscaler("api", metrics=[cpu_metric(50), other]), AUTOSCALERS)
        await asyncio.sleep(20)
        assert replicas(world, "api") == 3
        assert condition(world, "ScalingActive", "api")[0] == "True"
        await world.annotate(DEPLOYMENTS, "api", cpu_load="100m")
        await asyncio.sleep(600)
        assert replicas(world, "api") == 3
        assert condition(world, "ScalingActive", "api") == (
            "False",
            "FailedGetPodsMetric",
            (
                "the HPA was unable to compute the replica count: unable to get metric hits: "
                "unable to fetch metrics from custom metrics API: no custom metrics API "
                "(custom.metrics.k8s.io) registered"
            ),
        )


@virtual
async def test_container_resource_metrics_track_one_container() -> None:
    """A container resource metric is the usage of one container; #container-resource-metrics."""
    metric: Object = {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "main",
            "target": {"type": "Utilization", "averageUtilization": 60},
        },
    }
    async with open_world() as world:
        await world.create(
            deployment(
                script={"main.cpu-usage": "450m", "side.cpu-usage": "1m"},
                containers=("side", "main"),
            )
        )
        await world.create(autoscaler(metrics=[metric]), AUTOSCALERS)
        await asyncio.sleep(20)
        assert replicas(world) == 2
        assert (
            "SuccessfulRescale",
            (
                "New size: 2; reason: cpu container resource utilization "
                "(percentage of request) above target"
            ),
        ) in world.events("web")
        assert status(world)["currentMetrics"][0]["containerResource"]["container"] == "main"


@virtual
async def test_policies_of_the_behavior_limit_the_rate() -> None:
    """One pod each 60 seconds, and none down; #scaling-policies and selectPolicy Disabled."""
    behavior = {
        "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]},
        "scaleDown": {"selectPolicy": "Disabled"},
    }
    async with open_world() as world:
        await world.create(deployment(annotations={"cpu-load": "2"}))
        await world.create(autoscaler(behavior=behavior), AUTOSCALERS)
        seen = []
        for _ in range(4):
            await asyncio.sleep(60)
            seen.append(replicas(world))
        assert seen == [2, 3, 4, 5]
        assert condition(world, "ScalingLimited")[:2] == ("True", "ScaleUpLimit")
        await world.annotate(DEPLOYMENTS, "web", cpu_load="100m")
        await asyncio.sleep(900)
        assert replicas(world) == 5
        assert condition(world, "ScalingLimited")[:2] == ("True", "ScaleDownLimit")


@virtual
async def test_two_autoscalers_of_the_same_pods_stop() -> None:
    """Both tell that the selector is ambiguous."""
    async with open_world() as world:
        await world.create(deployment(annotations={"cpu-load": "2"}))
        first, second = autoscaler(), autoscaler()
        second["metadata"]["name"] = "rival"
        await world.create(first, AUTOSCALERS)
        await world.create(second, AUTOSCALERS)
        await asyncio.sleep(40)
        why = (
            "pods by selector app=web are controlled by multiple HPAs: [default/rival default/web]"
        )
        for name in ("web", "rival"):
            assert condition(world, "ScalingActive", name) == ("False", "AmbiguousSelector", why)
        assert ("AmbiguousSelector", why) in world.events("rival")
        await world.store.delete(AUTOSCALERS, "default", "rival")
        await asyncio.sleep(20)
        assert condition(world, "ScalingActive")[0] == "True"


@virtual
async def test_what_cannot_be_scaled_is_said() -> None:
    """The condition AbleToScale is about fetching and updating scales; #status-conditions."""
    targets = {
        "absent": ("apps/v1", "Deployment", 'deployments.apps "absent" not found'),
        "kind": ("example.com/v1", "Thing", 'no matches for kind "Thing" in group "example.com"'),
        "plain": ("v1", "ConfigMap", "the server could not find the requested resource"),
    }
    async with open_world() as world:
        for name, (version, kind, _) in targets.items():
            target = {"apiVersion": version, "kind": kind, "name": name}
            await world.create(autoscaler(name, target=target), AUTOSCALERS)
        await asyncio.sleep(20)
        for name, (_, _, why) in targets.items():
            assert condition(world, "AbleToScale", name) == (
                "False",
                "FailedGetScale",
                f"the HPA controller was unable to get the target's current scale: {why}",
            )
            assert ("FailedGetScale", why) in world.events(name)


@virtual
async def test_custom_resources_are_scaled_by_their_scale_subresource() -> None:
    """Anything with a scale subresource can be a target; also autoscaling/v1 shows it."""
    definition: Object = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "farms.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "farms", "kind": "Farm"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.size",
                            "statusReplicasPath": ".status.size",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                }
            ],
        },
    }
    async with open_world() as world:
        await world.store.create(
            definition, resource="customresourcedefinitions.apiextensions.k8s.io"
        )
        await asyncio.sleep(5)
        await world.create(deployment(annotations={"cpu-load": "1500m"}, replicas=2))
        farm: Object = {
            "apiVersion": "example.com/v1",
            "kind": "Farm",
            "metadata": {"name": "web"},
            "spec": {"size": 2},
        }
        await world.create(farm, "farms.example.com")
        target = {"apiVersion": "example.com/v1", "kind": "Farm", "name": "web"}
        await world.create(autoscaler(target=target), AUTOSCALERS)
        await asyncio.sleep(20)
        missing = "the HPA target's scale is missing a selector"
        assert condition(world, "ScalingActive") == ("False", "InvalidSelector", missing)
        await world.store.modify(
            "farms.example.com",
            "default",
            "web",
            lambda obj: {**obj, "status": {"size": 2, "selector": "app=web"}},
            subresource="status",
        )
        await asyncio.sleep(20)
        found = world.store.get("farms.example.com", "default", "web")
        assert found is not None
        assert found["spec"]["size"] == 4
        path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web"
        old = await world.get(path)
        assert old["status"]["currentCPUUtilizationPercentage"] == 150
        assert old["status"]["desiredReplicas"] == 4


@virtual
async def test_a_target_that_refuses_is_said() -> None:
    """The condition AbleToScale tells of a target that cannot be updated."""
    async with open_world() as world:
        await world.create(deployment(annotations={"cpu-load": "2"}))
        await world.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicy",
                "metadata": {"name": "small"},
                "spec": {
                    "matchConstraints": {
                        "resourceRules": [
                            {
                                "apiGroups": ["apps"],
                                "apiVersions": ["*"],
                                "operations": ["UPDATE"],
                                "resources": ["deployments", "deployments/scale"],
                            }
                        ]
                    },
                    "validations": [
                        {"expression": "object.spec.replicas < 3", "message": "too large"}
                    ],
                },
            },
            "validatingadmissionpolicies.admissionregistration.k8s.io",
        )
        await world.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": {"name": "small"},
                "spec": {"policyName": "small", "validationActions": ["Deny"]},
            },
            "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        )
        await world.create(autoscaler(), AUTOSCALERS)
        await asyncio.sleep(20)
        assert replicas(world) == 1
        state, reason, message = condition(world, "AbleToScale")
        assert (state, reason) == ("False", "FailedUpdateScale")
        assert message.startswith("the HPA controller was unable to update the target scale: ")
        assert "too large" in message
        assert status(world)["currentReplicas"] == 1
        reason, message = world.events("web")[-1]
        assert reason == "FailedRescale"
        assert message.startswith(f"New size: 4; reason: {CPU} above target; error: ")
        before = world.store.get(AUTOSCALERS, "default", "web")
        await asyncio.sleep(60)  # AbleToScale does not flap, and nothing else is written
        assert world.store.get(AUTOSCALERS, "default", "web") is before


@virtual
async def test_every_workload_with_a_scale_can_be_the_target() -> None:
    """StatefulSets, ReplicaSets and ReplicationControllers; DaemonSets have no scale."""
    kinds = {
        "StatefulSet": ("apps/v1", "statefulsets.apps"),
        "ReplicaSet": ("apps/v1", "replicasets.apps"),
        "ReplicationController": ("v1", "replicationcontrollers"),
    }
    async with open_world() as world:
        for kind, (version, resource) in kinds.items():
            name = kind.lower()
            body = deployment(name, script={"cpu-usage": "500m"})
            spec = body["spec"]
            if kind == "ReplicationController":
                spec["selector"] = {"app": name}
            if kind == "StatefulSet":
                spec["serviceName"] = name
            await world.create({**body, "apiVersion": version, "kind": kind}, resource)
            target = {"apiVersion": version, "kind": kind, "name": name}
            await world.create(autoscaler(name, target=target), AUTOSCALERS)
        await asyncio.sleep(20)
        for kind, (_, resource) in kinds.items():
            assert replicas(world, kind.lower(), resource) == 2, kind
            assert condition(world, "AbleToScale", kind.lower())[1] == "SucceededRescale"


@virtual
async def test_an_answer_that_cannot_be_read_is_the_servers_failure() -> None:
    """The autoscaler says so, and goes on looking; the table shows that nothing is known."""

    class Broken:
        asked = 0

        async def read(self, question: Any, pods: Any) -> Object:
            del question, pods
            self.asked += 1
            return {"items": [{"metadata": {"name": "p"}, "containers": "none"}]}

    async with open_world() as world:
        broken = Broken()
        controller = AutoscalerController(
            world.store, EventRecorder(world.store, "horizontal-pod-autoscaler"), broken
        )
        await world.create(deployment(name="api"))
        world.cluster.system.spawn(lambda: controller, "second")
        body = autoscaler("api")
        await world.create(body, AUTOSCALERS)
        await asyncio.sleep(50)
        assert broken.asked == 3
        assert any("the answer cannot be read" in message for _, message in world.events("api"))
