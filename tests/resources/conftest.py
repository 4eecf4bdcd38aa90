"""Builders of objects."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.kinds import Kind, registry

Object = dict[str, Any]


def _pod_spec() -> Object:
    return {"containers": [{"name": "main", "image": "nginx:1.25"}]}


def _workload(kind: str, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": _pod_spec()},
            **spec,
        },
    }


def _plain(api_version: str, kind: str, **parts: Any) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        **parts,
    }


def _cluster(api_version: str, kind: str, **parts: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **parts}


@pytest.fixture
def examples() -> dict[str, Object]:
    """A valid object of every kind with rules of its own, as a user would write it."""
    job = {"template": {"spec": {**_pod_spec(), "restartPolicy": "Never"}}}
    return {
        "configmaps": _plain("v1", "ConfigMap", data={"a": "b"}),
        "controllerrevisions.apps": _plain(
            "apps/v1", "ControllerRevision", data={"spec": {}}, revision=1
        ),
        "cronjobs.batch": _plain(
            "batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": job}}
        ),
        "daemonsets.apps": _workload("DaemonSet"),
        "deployments.apps": _workload("Deployment"),
        "endpoints": _plain(
            "v1",
            "Endpoints",
            subsets=[{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 1}]}],
        ),
        "endpointslices.discovery.k8s.io": _plain(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            addressType="IPv4",
            endpoints=[{"addresses": ["127.0.0.1"]}],
            ports=[{"port": 80}],
        ),
        "events": _plain("v1", "Event", involvedObject={"kind": "Pod", "namespace": "default"}),
        "horizontalpodautoscalers.autoscaling": _plain(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            spec={"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        ),
        "jobs.batch": _plain("batch/v1", "Job", spec=job),
        "leases.coordination.k8s.io": _plain("coordination.k8s.io/v1", "Lease", spec={}),
        "limitranges": _plain(
            "v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}
        ),
        "namespaces": _cluster("v1", "Namespace"),
        "networkpolicies.networking.k8s.io": _plain(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            spec={"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]},
        ),
        "nodes": _cluster("v1", "Node", status={"capacity": {"cpu": "4"}}),
        "persistentvolumeclaims": _plain(
            "v1",
            "PersistentVolumeClaim",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        ),
        "poddisruptionbudgets.policy": _plain(
            "policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1}
        ),
        "podtemplates": _plain("v1", "PodTemplate", template={"spec": _pod_spec()}),
        "pods": _plain("v1", "Pod", spec=_pod_spec()),
        "priorityclasses.scheduling.k8s.io": _cluster(
            "scheduling.k8s.io/v1", "PriorityClass", value=1000
        ),
        "replicasets.apps": _workload("ReplicaSet"),
        "replicationcontrollers": _plain(
            "v1",
            "ReplicationController",
            spec={"template": {"metadata": {"labels": {"a": "b"}}, "spec": _pod_spec()}},
        ),
        "resourcequotas": _plain("v1", "ResourceQuota", spec={"hard": {"pods": "10"}}),
        "rolebindings.rbac.authorization.k8s.io": _plain(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            roleRef={"kind": "Role", "name": "r"},
            subjects=[{"kind": "User", "name": "u"}],
        ),
        "secrets": _plain("v1", "Secret", stringData={"a": "b"}),
        "serviceaccounts": _plain("v1", "ServiceAccount"),
        "services": _plain("v1", "Service", spec={"ports": [{"port": 80}]}),
        "statefulsets.apps": _workload(
            "StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "d"}, "spec": {}}]
        ),
    }


@pytest.fixture
def kind_of() -> Any:
    """Find a kind by the store's name for it."""

    def find(resource: str) -> Kind:
        return registry().by_key(resource)

    return find
