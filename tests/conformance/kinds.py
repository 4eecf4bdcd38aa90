"""An object of every kind that upstream's suite holds to all operations, small and valid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

TEMPLATE: Final[Json] = {
    "metadata": {"labels": {"app": "none"}},
    "spec": {"containers": [{"name": "main", "image": "agnhost"}]},
}
SELECTOR: Final[Json] = {"matchLabels": {"app": "none"}}
RULES: Final[Json] = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["limitranges"],
}
HOOK: Final[Json] = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/none"},
    "rules": [RULES],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "failurePolicy": "Ignore",
    "namespaceSelector": {"matchLabels": {"nobody": "has-this"}},
}
EVENT: Final[Json] = {"kind": "Pod", "namespace": "NAMESPACE", "name": "p", "apiVersion": "v1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One kind and what its objects hold.

    Attributes:
        path: The kind's group and version as paths name them, and the resource.
        body: An object without metadata.
        status: A status to patch in, or None for kinds without that subresource.
        namespaced: Whether its objects live in namespaces.
        status_only: Whether a write to the status leaves labels and annotations alone.
    """

    path: str
    body: Json = field(default_factory=dict)
    status: Json | None = None
    namespaced: bool = True
    status_only: bool = False

    @property
    def prefix(self) -> str:
        """``/api/v1`` or ``/apis/GROUP/VERSION``."""
        return self.path.rpartition("/")[0]

    @property
    def group(self) -> str:
        """The group's name; empty for the core group."""
        return "" if self.prefix == "/api/v1" else self.prefix.split("/")[2]

    @property
    def version(self) -> str:
        """``GROUP/VERSION``, or ``v1``."""
        return self.prefix.removeprefix("/api/").removeprefix("/apis/").removeprefix("s/")

    @property
    def resource(self) -> str:
        """The plural name."""
        return self.path.rpartition("/")[2]

    def collection(self, namespace: str) -> str:
        """Where its objects are created."""
        middle = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.prefix}{middle}/{self.resource}"


def _workload(**more: Any) -> Json:
    return {"spec": {"selector": SELECTOR, "template": TEMPLATE, **more}}


def _condition(kind: str = "StatusUpdate") -> Json:
    return {
        "type": kind,
        "status": "True",
        "reason": "E2E",
        "message": "Set from e2e test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


CONDITIONS: Final[Json] = {"conditions": [_condition()]}

SAMPLES: Final = (
    Sample(path="/api/v1/configmaps", body={"data": {"a": "1"}}),
    Sample(path="/api/v1/secrets", body={"stringData": {"a": "1"}}),
    Sample(
        path="/api/v1/endpoints",
        body={"subsets": [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"port": 80}]}]},
    ),
    Sample(
        path="/api/v1/events",
        body={"involvedObject": EVENT, "reason": "Test", "message": "m", "type": "Normal"},
    ),
    Sample(
        path="/api/v1/limitranges",
        body={"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    ),
    Sample(
        path="/api/v1/persistentvolumeclaims",
        body={
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "resources": {"requests": {"storage": "1Gi"}},
            }
        },
        status=CONDITIONS,
    ),
    Sample(
        path="/api/v1/persistentvolumes",
        namespaced=False,
        body={
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "storageClassName": "none",
                "csi": {"driver": "e2e-driver", "volumeHandle": "e2e"},
                "persistentVolumeReclaimPolicy": "Retain",
            }
        },
        status={"message": "StatusPatched", "reason": "E2E patchStatus"},
    ),
    Sample(path="/api/v1/podtemplates", body={"template": TEMPLATE}),
    Sample(
        path="/api/v1/replicationcontrollers",
        body={"spec": {"replicas": 0, "selector": {"app": "none"}, "template": TEMPLATE}},
        status=CONDITIONS,
    ),
    Sample(
        path="/api/v1/resourcequotas",
        body={"spec": {"hard": {"cpu": "500m", "memory": "500Mi"}}},
        status={"hard": {"cpu": "500m", "memory": "500Mi"}},
    ),
    Sample(path="/api/v1/serviceaccounts"),
    Sample(
        path="/api/v1/services",
        body={"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}},
        status={"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}]}},
    ),
    Sample(
        path="/api/v1/nodes",
        namespaced=False,
        status={"phase": "Running"},
    ),
    Sample(
        path="/apis/apps/v1/daemonsets",
        body={
            "spec": {
                "selector": SELECTOR,
                "template": {
                    **TEMPLATE,
                    "spec": {**TEMPLATE["spec"], "nodeSelector": {"nobody": "has-this"}},
                },
            }
        },
        status=CONDITIONS,
    ),
    Sample(path="/apis/apps/v1/deployments", body=_workload(replicas=0), status=CONDITIONS),
    Sample(path="/apis/apps/v1/replicasets", body=_workload(replicas=0), status=CONDITIONS),
    Sample(
        path="/apis/apps/v1/statefulsets",
        body=_workload(replicas=0, serviceName="none"),
        status=CONDITIONS,
    ),
    Sample(path="/apis/apps/v1/controllerrevisions", body={"revision": 1, "data": {"a": 1}}),
    Sample(
        path="/apis/batch/v1/jobs",
        body={
            "spec": {
                "suspend": True,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": TEMPLATE["spec"]["containers"]}
                },
            }
        },
        status=CONDITIONS,
    ),
    Sample(
        path="/apis/batch/v1/cronjobs",
        body={
            "spec": {
                "schedule": "0 0 29 2 *",
                "suspend": True,
                "jobTemplate": {
                    "spec": {
                        "template": {
                            "spec": {
                                "restartPolicy": "OnFailure",
                                "containers": TEMPLATE["spec"]["containers"],
                            }
                        }
                    }
                },
            }
        },
        status={"lastScheduleTime": "2026-01-01T00:00:00Z"},
    ),
    Sample(
        path="/apis/policy/v1/poddisruptionbudgets",
        body={"spec": {"minAvailable": 1, "selector": SELECTOR}},
        status={
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
            "disruptionsAllowed": 0,
            "conditions": [_condition()],
        },
    ),
    Sample(
        path="/apis/autoscaling/v2/horizontalpodautoscalers",
        body={
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "none", "apiVersion": "apps/v1"},
                "maxReplicas": 2,
            }
        },
        status={
            "desiredReplicas": 0,
            "currentReplicas": 0,
            "currentMetrics": None,
            "conditions": [_condition()],
        },
    ),
    Sample(
        path="/apis/autoscaling/v1/horizontalpodautoscalers",
        body={
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "none", "apiVersion": "apps/v1"},
                "maxReplicas": 2,
                "targetCPUUtilizationPercentage": 5,
            }
        },
        status={"currentReplicas": 1, "desiredReplicas": 1, "currentCPUUtilizationPercentage": 5},
    ),
    Sample(path="/apis/coordination.k8s.io/v1/leases", body={"spec": {"holderIdentity": "me"}}),
    Sample(
        path="/apis/discovery.k8s.io/v1/endpointslices",
        body={"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}]},
    ),
    Sample(
        path="/apis/events.k8s.io/v1/events",
        body={
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "note": "m",
            "type": "Normal",
            "reason": "Test",
            "action": "Do",
            "reportingController": "test-controller",
            "reportingInstance": "test-node",
            "regarding": EVENT,
        },
    ),
    Sample(
        path="/apis/networking.k8s.io/v1/ingresses",
        body={"spec": {"defaultBackend": {"service": {"name": "default", "port": {"number": 80}}}}},
        status={"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}},
    ),
    Sample(
        path="/apis/networking.k8s.io/v1/ingressclasses",
        body={"spec": {"controller": "example.com/controller"}},
        namespaced=False,
    ),
    Sample(
        path="/apis/networking.k8s.io/v1/networkpolicies",
        body={"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{}]}},
    ),
    Sample(
        path="/apis/networking.k8s.io/v1/servicecidrs",
        body={"spec": {"cidrs": ["NETWORK/24"]}},
        status_only=True,
        status=CONDITIONS,
        namespaced=False,
    ),
    Sample(
        path="/apis/networking.k8s.io/v1/ipaddresses",
        body={"spec": {"parentRef": {"resource": "services", "name": "none", "namespace": "x"}}},
        namespaced=False,
    ),
    Sample(path="/apis/node.k8s.io/v1/runtimeclasses", body={"handler": "h"}, namespaced=False),
    Sample(path="/apis/rbac.authorization.k8s.io/v1/roles", body={"rules": []}),
    Sample(
        path="/apis/rbac.authorization.k8s.io/v1/rolebindings",
        body={
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "none"},
            "subjects": [],
        },
    ),
    Sample(
        path="/apis/rbac.authorization.k8s.io/v1/clusterroles", body={"rules": []}, namespaced=False
    ),
    Sample(
        path="/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        body={
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "none",
            },
        },
        namespaced=False,
    ),
    Sample(path="/apis/scheduling.k8s.io/v1/priorityclasses", body={"value": 7}, namespaced=False),
    Sample(
        path="/apis/storage.k8s.io/v1/storageclasses",
        body={"provisioner": "e2e-fake-provisioner"},
        namespaced=False,
    ),
    Sample(
        path="/apis/storage.k8s.io/v1/csidrivers",
        body={"spec": {"attachRequired": False}},
        namespaced=False,
    ),
    Sample(
        path="/apis/storage.k8s.io/v1/csinodes",
        body={"spec": {"drivers": []}},
        namespaced=False,
    ),
    Sample(path="/apis/storage.k8s.io/v1/csistoragecapacities", body={"storageClassName": "gold"}),
    Sample(
        path="/apis/storage.k8s.io/v1/volumeattachments",
        body={
            "spec": {
                "attacher": "e2e-test.storage.k8s.io",
                "nodeName": "n1",
                "source": {"persistentVolumeName": "v"},
            }
        },
        status_only=True,
        status={"attached": True},
        namespaced=False,
    ),
    Sample(
        path="/apis/storage.k8s.io/v1/volumeattributesclasses",
        body={"driverName": "e2e-fake-csi-driver", "parameters": {"a": "b"}},
        namespaced=False,
    ),
    Sample(
        path="/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
        body={
            "spec": {
                "matchingPrecedence": 10000,
                "priorityLevelConfiguration": {"name": "global-default"},
                "rules": [
                    {
                        "subjects": [{"kind": "User", "user": {"name": "example-e2e"}}],
                        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    }
                ],
            }
        },
        status_only=True,
        status=CONDITIONS,
        namespaced=False,
    ),
    Sample(
        path="/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        body={
            "spec": {
                "type": "Limited",
                "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}},
            }
        },
        status_only=True,
        status=CONDITIONS,
        namespaced=False,
    ),
    Sample(
        path="/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        body={"webhooks": [HOOK]},
        namespaced=False,
    ),
    Sample(
        path="/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        body={"webhooks": [HOOK]},
        namespaced=False,
    ),
    Sample(
        path="/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        body={
            "spec": {
                "matchConstraints": {"resourceRules": [RULES]},
                "validations": [{"expression": "object.metadata.name != 'x'"}],
            }
        },
        status_only=True,
        status={"observedGeneration": 1, **CONDITIONS},
        namespaced=False,
    ),
    Sample(
        path="/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        body={"spec": {"policyName": "none", "validationActions": ["Deny"]}},
        namespaced=False,
    ),
    Sample(path="/apis/resource.k8s.io/v1/deviceclasses", body={"spec": {}}, namespaced=False),
    Sample(path="/apis/resource.k8s.io/v1/resourceclaimtemplates", body={"spec": {"spec": {}}}),
    Sample(
        path="/apis/resource.k8s.io/v1/resourceclaims",
        body={"spec": {}},
        status_only=True,
        status={"allocation": {"devices": {}}},
    ),
    Sample(
        path="/apis/resource.k8s.io/v1/resourceslices",
        body={
            "spec": {
                "driver": "d.example.com",
                "nodeName": "n1",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            }
        },
        namespaced=False,
    ),
)
