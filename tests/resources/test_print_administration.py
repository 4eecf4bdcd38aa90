"""Tables of the kinds that govern a cluster: whole rows, ``-o wide`` included."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.kinds import registry
from orchestrator.resources.printing import table
from orchestrator.resources.timestamps import format_time

NOW = 1_700_000_000.0
CREATED = format_time(NOW - 312)
AGE = "5m12s"
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"


def printed(resource: str, obj: dict[str, Any], version: str) -> list[tuple[str, Any, int]]:
    """Return an object's row: heading, cell and priority of each column."""
    metadata = {"name": "x", "creationTimestamp": CREATED, **obj.get("metadata", {})}
    kind = registry(version).by_key(resource)
    built = table(kind, [{**obj, "metadata": metadata}], now=NOW)
    columns = built["columnDefinitions"]
    assert all(column["description"] for column in columns)
    cells = built["rows"][0]["cells"]
    return [
        (column["name"], cell, column["priority"])
        for column, cell in zip(columns, cells, strict=True)
    ]


def condition(*types: str, **more: str) -> list[dict[str, str]]:
    """Return conditions that are true."""
    return [{"type": type_, "status": "True", **more} for type_ in types]


@pytest.mark.parametrize(
    ("resource", "obj", "expected"),
    [
        (f"roles.{RBAC}", {}, f"Name=x|Created At={CREATED}"),
        (f"clusterroles.{RBAC}", {}, f"Name=x|Created At={CREATED}"),
        (
            f"rolebindings.{RBAC}",
            {
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [
                    {"kind": "User", "name": "u"},
                    {"kind": "User", "name": "v"},
                    {"kind": "Group", "name": "g"},
                    {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                ],
            },
            f"Name=x|Role=Role/r|Age={AGE}|*Users=u, v|*Groups=g|*ServiceAccounts=n/s",
        ),
        (
            "certificatesigningrequests.certificates.k8s.io",
            {
                "spec": {"signerName": "a.b/c", "username": "ann", "expirationSeconds": 7200},
                "status": {"conditions": condition("Approved"), "certificate": "YQ=="},
            },
            (
                f"Name=x|Age={AGE}|SignerName=a.b/c|Requestor=ann|RequestedDuration=120m|"
                "Condition=Approved,Issued"
            ),
        ),
        (
            "certificatesigningrequests.certificates.k8s.io",
            {"spec": {}, "status": {"conditions": condition("Failed")}},
            (
                f"Name=x|Age={AGE}|SignerName=<none>|Requestor=|RequestedDuration=<none>|"
                "Condition=Pending,Failed"
            ),
        ),
        (
            f"validatingwebhookconfigurations.{ADMISSION}",
            {"webhooks": [{}, {}]},
            f"Name=x|Webhooks=2|Age={AGE}",
        ),
        (
            f"validatingadmissionpolicies.{ADMISSION}",
            {
                "spec": {
                    "validations": [{}],
                    "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
                }
            },
            f"Name=x|Validations=1|ParamKind=v1/ConfigMap|Age={AGE}",
        ),
        (
            f"validatingadmissionpolicybindings.{ADMISSION}",
            {"spec": {"policyName": "p", "paramRef": {"name": "q"}}},
            f"Name=x|PolicyName=p|ParamRef=*/q|Age={AGE}",
        ),
        (
            f"mutatingadmissionpolicies.{ADMISSION}",
            {"spec": {"mutations": [{}]}},
            f"Name=x|Mutations=1|ParamKind=<unset>|Age={AGE}",
        ),
        (
            "apiservices.apiregistration.k8s.io",
            {
                "spec": {"service": {"namespace": "n", "name": "s"}},
                "status": {
                    "conditions": [{"type": "Available", "status": "False", "reason": "Gone"}]
                },
            },
            f"Name=x|Service=n/s|Available=False (Gone)|Age={AGE}",
        ),
        (
            "storageclasses.storage.k8s.io",
            {
                "provisioner": "a.b/c",
                "allowVolumeExpansion": True,
                "metadata": {
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}
                },
            },
            (
                "Name=x (default)|Provisioner=a.b/c|ReclaimPolicy=Delete|VolumeBindingMode=<unset>|"
                f"AllowVolumeExpansion=True|Age={AGE}"
            ),
        ),
        (
            "volumeattributesclasses.storage.k8s.io",
            {"driverName": "a.b"},
            f"Name=x|DriverName=a.b|Age={AGE}",
        ),
        (
            "csidrivers.storage.k8s.io",
            {
                "spec": {
                    "podInfoOnMount": True,
                    "tokenRequests": [{"audience": "a"}, {"audience": "b"}],
                    "volumeLifecycleModes": ["Persistent", "Ephemeral"],
                }
            },
            (
                "Name=x|AttachRequired=True|PodInfoOnMount=True|StorageCapacity=False|"
                f"TokenRequests=a,b|RequiresRepublish=False|Modes=Persistent,Ephemeral|Age={AGE}"
            ),
        ),
        (
            "csinodes.storage.k8s.io",
            {"spec": {"drivers": [{}, {}]}},
            f"Name=x|Drivers=2|Age={AGE}",
        ),
        (
            "csistoragecapacities.storage.k8s.io",
            {"storageClassName": "s"},
            "Name=x|StorageClassName=s|Capacity=<unset>",
        ),
        (
            "volumeattachments.storage.k8s.io",
            {
                "spec": {
                    "attacher": "a",
                    "nodeName": "n",
                    "source": {"persistentVolumeName": "v"},
                },
                "status": {"attached": True},
            },
            f"Name=x|Attacher=a|PV=v|Node=n|Attached=True|Age={AGE}",
        ),
        (
            "persistentvolumes",
            {
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": {"namespace": "n", "name": "c"},
                    "storageClassName": "s",
                    "volumeMode": "Block",
                },
                "status": {"phase": "Bound"},
            },
            (
                "Name=x|Capacity=1Gi|Access Modes=RWO,RWX|Reclaim Policy=Retain|"
                f"Status=Bound|Claim=n/c|StorageClass=s|VolumeAttributesClass=<unset>|Reason=|Age={AGE}|"
                "*VolumeMode=Block"
            ),
        ),
        (
            "persistentvolumeclaims",
            {
                "spec": {"volumeName": "v", "storageClassName": "s"},
                "status": {
                    "phase": "Bound",
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOncePod"],
                },
            },
            (
                "Name=x|Status=Bound|Volume=v|Capacity=1Gi|Access Modes=RWOP|StorageClass=s|"
                f"VolumeAttributesClass=<unset>|Age={AGE}|*VolumeMode=<unset>"
            ),
        ),
        (
            "flowschemas.flowcontrol.apiserver.k8s.io",
            {
                "spec": {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 3},
                "status": {"conditions": condition("Dangling")},
            },
            (
                "Name=x|PriorityLevel=p|MatchingPrecedence=3|DistinguisherMethod=<none>|"
                f"Age={AGE}|MissingPL=True"
            ),
        ),
        (
            "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
            {
                "spec": {
                    "type": "Limited",
                    "limited": {
                        "nominalConcurrencyShares": 5,
                        "limitResponse": {"queuing": {"queues": 4, "handSize": 2}},
                    },
                }
            },
            (
                "Name=x|Type=Limited|NominalConcurrencyShares=5|Queues=4|HandSize=2|"
                f"QueueLengthLimit=<none>|Age={AGE}"
            ),
        ),
        (
            "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
            {"spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0}}},
            (
                "Name=x|Type=Exempt|NominalConcurrencyShares=0|Queues=<none>|HandSize=<none>|"
                f"QueueLengthLimit=<none>|Age={AGE}"
            ),
        ),
        (
            "resourceclaims.resource.k8s.io",
            {"status": {"allocation": {"devices": {}}, "reservedFor": [{}]}},
            f"Name=x|State=allocated,reserved|Age={AGE}",
        ),
        (
            "resourceclaims.resource.k8s.io",
            {"metadata": {"deletionTimestamp": CREATED}},
            f"Name=x|State=deleted|Age={AGE}",
        ),
        ("resourceclaims.resource.k8s.io", {}, f"Name=x|State=pending|Age={AGE}"),
        (
            "resourceslices.resource.k8s.io",
            {"spec": {"driver": "a.b", "pool": {"name": "p"}}},
            f"Name=x|Node=<unset>|Driver=a.b|Pool=p|Age={AGE}",
        ),
        (
            "priorityclasses.scheduling.k8s.io",
            {"value": 7, "preemptionPolicy": "Never"},
            f"Name=x|Value=7|Global-Default=False|Age={AGE}|PreemptionPolicy=Never",
        ),
        ("runtimeclasses.node.k8s.io", {"handler": "h"}, f"Name=x|Handler=h|Age={AGE}"),
        (
            "leases.coordination.k8s.io",
            {"spec": {"holderIdentity": "me"}},
            f"Name=x|Holder=me|Age={AGE}",
        ),
        (
            "servicecidrs.networking.k8s.io",
            {"spec": {"cidrs": ["10.0.0.0/16", "fd00::/112"]}},
            f"Name=x|CIDRs=10.0.0.0/16,fd00::/112|Age={AGE}",
        ),
        (
            "ipaddresses.networking.k8s.io",
            {"spec": {"parentRef": {"resource": "services", "namespace": "n", "name": "s"}}},
            "Name=x|ParentRef=services/n/s",
        ),
        (
            "ingressclasses.networking.k8s.io",
            {
                "spec": {
                    "controller": "a.b/c",
                    "parameters": {"apiGroup": "g", "kind": "K", "name": "p"},
                }
            },
            f"Name=x|Controller=a.b/c|Parameters=K.g/p|Age={AGE}",
        ),
        (
            "networkpolicies.networking.k8s.io",
            {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
            f"Name=x|Pod-Selector=a=b|Age={AGE}",
        ),
        (
            "componentstatuses",
            {"conditions": condition("Healthy", message="ok")},
            "Name=x|Status=Healthy|Message=ok|Error=",
        ),
    ],
)
def test_every_cell_is_upstreams(resource: str, obj: dict[str, Any], expected: str) -> None:
    """Headings in order, each with its cell; a star marks what only ``-o wide`` shows."""
    version = "1.36" if resource.startswith("mutatingadmissionpolic") else "1.35"
    found = "|".join(
        f"{'*' if priority else ''}{name}={cell}"
        for name, cell, priority in printed(resource, obj, version)
    )
    assert found == expected
