"""Tables: rows as upstream prints them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.printing import (
    PRINTERS,
    human_duration,
    partial_object_metadata,
    pod_status,
    printer_of,
    since,
    table,
)
from orchestrator.resources.timestamps import format_time

NOW = 1_700_000_000.0
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def ago(seconds: float) -> str:
    """Return the timestamp of that many seconds before now."""
    return format_time(NOW - seconds)


def kind(resource: str) -> Kind:
    """Return a kind by its resource."""
    return registry("1.35").by_key(resource)


def row(resource: str, obj: dict[str, Any]) -> dict[str, Any]:
    """Return one object's cells by column name."""
    metadata = {"name": "x", "creationTimestamp": ago(5 * MINUTE + 12), **obj.get("metadata", {})}
    built = table(kind(resource), [{**obj, "metadata": metadata}], now=NOW)
    names = [column["name"] for column in built["columnDefinitions"]]
    return dict(zip(names, built["rows"][0]["cells"], strict=True))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (5 * MINUTE + 12, "5m12s"),
        (10 * MINUTE + 30, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 20 * MINUTE, "3h20m"),
        (9 * HOUR + 20 * MINUTE, "9h"),
        (47 * HOUR, "47h"),
        (3 * DAY + 4 * HOUR, "3d4h"),
        (2 * DAY, "2d"),
        (8 * DAY + 4 * HOUR, "8d"),
        (729 * DAY, "729d"),
        (2 * YEAR, "2y"),
        (3 * YEAR + 5 * DAY, "3y5d"),
        (9 * YEAR + 5 * DAY, "9y"),
    ],
)
def test_durations_have_two_figures(seconds: float, expected: str) -> None:
    """The borders are upstream's."""
    assert human_duration(seconds) == expected


def test_an_age_without_a_timestamp_is_unknown() -> None:
    """Neither a missing nor a broken timestamp stops a listing."""
    assert since(None, NOW) == since("yesterday", NOW) == "<unknown>"


def test_every_printer_has_a_cell_for_each_column() -> None:
    """Even for an object with nothing in it."""
    for resource, printer in PRINTERS.items():
        cells = printer.cells({"metadata": {"name": "x"}}, NOW)
        assert len(cells) == len(printer.columns), resource


def test_every_builtin_kind_is_printed_with_descriptions() -> None:
    """Name first, and a published description for each column."""
    for one in registry("1.35").kinds():
        columns = table(one, [], now=NOW)["columnDefinitions"]
        assert "Name" in [column["name"] for column in columns]
        assert all(column["description"] for column in columns), one.kind
        assert {column["type"] for column in columns} <= {"string", "integer", "boolean"}
        assert {column["priority"] for column in columns} <= {0, 1}


def test_rows_carry_what_was_asked_for() -> None:
    """Metadata by default, the whole object, or nothing."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "resourceVersion": "7"}}
    pods = kind("pods")
    assert table(pods, [pod], now=NOW)["rows"][0]["object"] == partial_object_metadata(pod)
    assert table(pods, [pod], now=NOW)["metadata"] == {"resourceVersion": "7"}
    assert table(pods, [pod], now=NOW, include_object="Object")["rows"][0]["object"] is pod
    assert table(pods, [pod], now=NOW, include_object="None")["rows"][0]["object"] is None
    assert table(pods, [pod], now=NOW, columns=False)["columnDefinitions"] is None
    assert table(pods, [pod, pod], now=NOW, resource_version="9")["metadata"] == {
        "resourceVersion": "9"
    }


def test_a_partial_object_has_metadata_only() -> None:
    """Its own kind and version, nothing of the spec."""
    assert partial_object_metadata({"metadata": {"name": "x"}, "spec": {}}) == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "x"},
    }


def running(name: str = "c", **fields: Any) -> dict[str, Any]:
    """Return the status of a ready container."""
    return {
        "name": name,
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
        **fields,
    }


def terminated(code: int, reason: str = "", **fields: Any) -> dict[str, Any]:
    """Return the status of a container that ended."""
    ended = {"exitCode": code, **({"reason": reason} if reason else {}), **fields}
    return {"name": "c", "ready": False, "restartCount": 0, "state": {"terminated": ended}}


def waiting(reason: str) -> dict[str, Any]:
    """Return the status of a container that waits."""
    return {
        "name": "c",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
    }


def pod(*statuses: dict[str, Any], phase: str = "Running", **more: Any) -> dict[str, Any]:
    """Return a pod with a container for each status."""
    spec = {"containers": [{"name": f"c{index}"} for index in range(max(len(statuses), 1))]}
    return {
        "metadata": more.pop("metadata", {}),
        "spec": {**spec, **more.pop("spec", {})},
        "status": {"phase": phase, "containerStatuses": list(statuses), **more},
    }


INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}

PODS: dict[str, tuple[dict[str, Any], str, str]] = {
    "pending": (pod(phase="Pending"), "0/1", "Pending"),
    "running": (pod(running()), "1/1", "Running"),
    "one of two": (pod(running(), waiting("CrashLoopBackOff")), "1/2", "CrashLoopBackOff"),
    "first reason wins": (
        pod(waiting("ErrImagePull"), terminated(1, "Error")),
        "0/2",
        "ErrImagePull",
    ),
    "creating": (pod(waiting("ContainerCreating"), phase="Pending"), "0/1", "ContainerCreating"),
    "completed": (pod(terminated(0, "Completed"), phase="Succeeded"), "0/1", "Completed"),
    "error": (pod(terminated(1, "Error"), phase="Failed"), "0/1", "Error"),
    "exit code": (pod(terminated(3)), "0/1", "ExitCode:3"),
    "signal": (pod(terminated(137, signal=9)), "0/1", "Signal:9"),
    "evicted": (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted"),
    "half done and ready": (
        pod(
            terminated(0, "Completed"),
            running(),
            conditions=[{"type": "Ready", "status": "True"}],
        ),
        "1/2",
        "Running",
    ),
    "half done": (pod(terminated(0, "Completed"), running()), "1/2", "NotReady"),
    "terminating": (pod(running(), metadata={"deletionTimestamp": ago(1)}), "1/1", "Terminating"),
    "ended and deleted": (
        pod(terminated(0, "Completed"), phase="Succeeded", metadata={"deletionTimestamp": ago(1)}),
        "0/1",
        "Completed",
    ),
    "node lost": (
        pod(running(), metadata={"deletionTimestamp": ago(1)}, reason="NodeLost"),
        "1/1",
        "Unknown",
    ),
    "gated": (
        pod(
            phase="Pending",
            conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
        ),
        "0/1",
        "SchedulingGated",
    ),
    "initializing": (
        pod(phase="Pending", spec=INIT, initContainerStatuses=[running("i", ready=False)]),
        "0/1",
        "Init:0/2",
    ),
    "second init": (
        pod(
            phase="Pending",
            spec=INIT,
            initContainerStatuses=[terminated(0), waiting("PodInitializing")],
        ),
        "0/1",
        "Init:1/2",
    ),
    "init failed": (
        pod(phase="Pending", spec=INIT, initContainerStatuses=[terminated(1, "Error")]),
        "0/1",
        "Init:Error",
    ),
    "init exit code": (
        pod(phase="Pending", spec=INIT, initContainerStatuses=[terminated(2)]),
        "0/1",
        "Init:ExitCode:2",
    ),
    "init waits": (
        pod(phase="Pending", spec=INIT, initContainerStatuses=[waiting("CrashLoopBackOff")]),
        "0/1",
        "Init:CrashLoopBackOff",
    ),
    "sidecar": (
        pod(
            running(),
            spec={"initContainers": [{"name": "i", "restartPolicy": "Always"}]},
            initContainerStatuses=[running("i", started=True)],
        ),
        "2/2",
        "Running",
    ),
}


@pytest.mark.parametrize("case", PODS)
def test_a_pod_is_summed_up_in_one_word(case: str) -> None:
    """READY and STATUS for each way a pod can be."""
    obj, ready, status = PODS[case]
    cells = row("pods", obj)
    assert (cells["Ready"], cells["Status"]) == (ready, status)
    assert pod_status(obj) == status


def test_a_pods_other_columns() -> None:
    """Restarts with the last one's age, and what ``-o wide`` adds."""
    ended = {"terminated": {"exitCode": 1, "finishedAt": ago(2 * MINUTE)}}
    obj = pod(
        running(restartCount=3, lastState=ended),
        podIPs=[{"ip": "127.64.0.9"}],
        podIP="127.64.0.9",
        spec={"nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        conditions=[{"type": "a", "status": "True"}],
    )
    assert row("pods", obj) == {
        "Name": "x",
        "Ready": "1/1",
        "Status": "Running",
        "Restarts": "3 (2m ago)",
        "Age": "5m12s",
        "IP": "127.64.0.9",
        "Node": "n1",
        "Nominated Node": "<none>",
        "Readiness Gates": "1/2",
    }
    bare = row("pods", pod(phase="Pending"))
    assert [bare[name] for name in ("Restarts", "IP", "Node", "Readiness Gates")] == [
        "0",
        "<none>",
        "<none>",
        "<none>",
    ]


def test_a_finished_pod_row_says_so() -> None:
    """Kubectl dims rows with a Completed condition."""
    built = table(kind("pods"), [{**pod(phase="Succeeded"), "metadata": {"name": "x"}}], now=NOW)
    assert built["rows"][0]["conditions"] == [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ]


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}
SELECTOR = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
    ],
}

ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "deployment": (
        "deployments.apps",
        {
            "spec": {"replicas": 5, "template": TEMPLATE, "selector": SELECTOR},
            "status": {"readyReplicas": 2, "updatedReplicas": 4, "availableReplicas": 1},
        },
        {
            "Name": "x",
            "Ready": "2/5",
            "Up-to-date": 4,
            "Available": 1,
            "Age": "5m12s",
            "Containers": "a,b",
            "Images": "i:1,j",
            "Selector": "app=web,!old,tier in (a,b)",
        },
    ),
    "replica set": (
        "replicasets.apps",
        {"spec": {"replicas": 5}, "status": {"replicas": 4, "readyReplicas": 3}},
        {"Desired": 5, "Current": 4, "Ready": 3, "Selector": "<none>"},
    ),
    "stateful set": (
        "statefulsets.apps",
        {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}},
        {"Ready": "1/3"},
    ),
    "job": (
        "jobs.batch",
        {
            "spec": {"completions": 4},
            "status": {"succeeded": 2, "startTime": ago(90), "completionTime": ago(30)},
        },
        {"Status": "Running", "Completions": "2/4", "Duration": "60s"},
    ),
    "job that is done": (
        "jobs.batch",
        {
            "spec": {"parallelism": 3},
            "status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
        },
        {"Status": "Complete", "Completions": "1/1 of 3", "Duration": ""},
    ),
    "cron job": (
        "cronjobs.batch",
        {
            "spec": {
                "schedule": "* * * * *",
                "suspend": False,
                "jobTemplate": {"spec": {"template": TEMPLATE}},
            },
            "status": {"active": [{}], "lastScheduleTime": ago(60)},
        },
        {
            "Schedule": "* * * * *",
            "Timezone": "<none>",
            "Suspend": "False",
            "Active": 1,
            "Last Schedule": "60s",
            "Containers": "a,b",
            "Selector": "<none>",
        },
    ),
    "service": (
        "services",
        {
            "spec": {
                "type": "NodePort",
                "clusterIP": "127.96.0.5",
                "ports": [
                    {"port": 80, "nodePort": 30080, "protocol": "TCP"},
                    {"port": 53, "protocol": "UDP"},
                ],
                "selector": {"b": "2", "a": "1"},
            }
        },
        {
            "Type": "NodePort",
            "Cluster-IP": "127.96.0.5",
            "External-IP": "<none>",
            "Port(s)": "80:30080/TCP,53/UDP",
            "Selector": "a=1,b=2",
        },
    ),
    "load balancer": (
        "services",
        {"spec": {"type": "LoadBalancer", "clusterIP": "1"}},
        {"External-IP": "<pending>", "Port(s)": "<none>", "Selector": "<none>"},
    ),
    "external name": (
        "services",
        {"spec": {"type": "ExternalName", "externalName": "example.com"}},
        {"Cluster-IP": "<none>", "External-IP": "example.com"},
    ),
    "endpoints": (
        "endpoints",
        {
            "subsets": [
                {"addresses": [{"ip": f"1.1.1.{n}"} for n in range(5)], "ports": [{"port": 8}]}
            ]
        },
        {"Endpoints": "1.1.1.0:8,1.1.1.1:8,1.1.1.2:8 + 2 more..."},
    ),
    "no endpoints": ("endpoints", {}, {"Endpoints": "<none>"}),
    "endpoint slice": (
        "endpointslices.discovery.k8s.io",
        {
            "addressType": "IPv4",
            "ports": [{"port": 80}, {"name": "x"}, {}],
            "endpoints": [{"addresses": ["1.1.1.1"]}],
        },
        {"AddressType": "IPv4", "Ports": "80,x,*", "Endpoints": "1.1.1.1"},
    ),
    "empty slice": (
        "endpointslices.discovery.k8s.io",
        {},
        {"Ports": "<unset>", "Endpoints": "<unset>"},
    ),
    "ingress": (
        "ingresses.networking.k8s.io",
        {
            "spec": {"rules": [{"host": "a"}, {"host": "b"}], "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"hostname": "a-very-long-name.example"}]}},
        },
        {
            "Class": "<none>",
            "Hosts": "a,b",
            "Address": "a-very-long-name.example",
            "Ports": "80, 443",
        },
    ),
    "node": (
        "nodes",
        {
            "metadata": {"labels": {"node-role.kubernetes.io/worker": ""}},
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"kubeletVersion": "v1.35.0", "osImage": "Debian"},
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            },
        },
        {
            "Status": "Ready,SchedulingDisabled",
            "Roles": "worker",
            "Version": "v1.35.0",
            "Internal-IP": "127.0.0.1",
            "External-IP": "<none>",
            "OS-Image": "Debian",
            "Kernel-Version": "<unknown>",
        },
    ),
    "unheard node": ("nodes", {}, {"Status": "Unknown", "Roles": "<none>"}),
    "silent node": (
        "nodes",
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        {"Status": "NotReady"},
    ),
    "config map": (
        "configmaps",
        {"data": {"a": "1"}, "binaryData": {"b": "Mg=="}},
        {"Data": 2},
    ),
    "secret": ("secrets", {"type": "Opaque", "data": {"a": "MQ=="}}, {"Type": "Opaque", "Data": 1}),
    "event": (
        "events",
        {
            "lastTimestamp": ago(30),
            "firstTimestamp": ago(90),
            "count": 3,
            "type": "Warning",
            "reason": "BackOff",
            "message": "again\n",
            "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec"},
            "source": {"component": "kubelet", "host": "n1"},
        },
        {
            "Last Seen": "30s",
            "Type": "Warning",
            "Reason": "BackOff",
            "Object": "pod/web",
            "Subobject": "spec",
            "Source": "kubelet, n1",
            "Message": "again",
            "First Seen": "90s",
            "Count": 3,
            "Name": "x",
        },
    ),
    "new event": (
        "events",
        {"eventTime": ago(30), "reportingComponent": "scheduler"},
        {"Last Seen": "30s", "First Seen": "30s", "Count": 1, "Source": "scheduler"},
    ),
    "volume": (
        "persistentvolumes",
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "claimRef": {"namespace": "n", "name": "c"},
            },
            "status": {"phase": "Bound"},
        },
        {"Capacity": "1Gi", "Access Modes": "RWO,RWX", "Claim": "n/c", "Status": "Bound"},
    ),
    "storage class": (
        "storageclasses.storage.k8s.io",
        {
            "metadata": {
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            }
        },
        {"Name": "x (default)", "AllowVolumeExpansion": False},
    ),
    "budget": (
        "poddisruptionbudgets.policy",
        {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        {"Min Available": "50%", "Max Unavailable": "N/A", "Allowed Disruptions": 1},
    ),
    "autoscaler": (
        "horizontalpodautoscalers.autoscaling",
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "maxReplicas": 9,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"averageUtilization": 50}},
                    }
                ],
            }
        },
        {"Reference": "Deployment/web", "Targets": "cpu: <unknown>/50%", "MinPods": "<unset>"},
    ),
    "quota": (
        "resourcequotas",
        {"status": {"hard": {"pods": "5", "limits.cpu": "2"}, "used": {"pods": "1"}}},
        {"Request": "pods: 1/5", "Limit": "limits.cpu: 0/2"},
    ),
    "role binding": (
        "rolebindings.rbac.authorization.k8s.io",
        {
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "User", "name": "u"},
                {"kind": "ServiceAccount", "namespace": "n", "name": "s"},
            ],
        },
        {"Role": "Role/r", "Users": "u", "Groups": "", "ServiceAccounts": "n/s"},
    ),
    "controller revision": (
        "controllerrevisions.apps",
        {
            "revision": 2,
            "metadata": {
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "StatefulSet",
                        "name": "db",
                        "controller": True,
                    }
                ]
            },
        },
        {"Controller": "statefulset.apps/db", "Revision": 2},
    ),
    "API service": (
        "apiservices.apiregistration.k8s.io",
        {"status": {"conditions": [{"type": "Available", "status": "False", "reason": "Gone"}]}},
        {"Service": "Local", "Available": "False (Gone)"},
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_printed_as_upstream_prints_them(case: str) -> None:
    """The cells that matter of one object of each kind."""
    resource, obj, expected = ROWS[case]
    cells = row(resource, obj)
    assert {name: cells[name] for name in expected} == expected


def test_unknown_kinds_have_name_and_age() -> None:
    """A kind without a printer of its own still lists."""
    custom = Kind("example.com", "v1", "Thing", "things", "thing", namespaced=True)
    assert [column.name for column in printer_of(custom).columns] == ["Name", "Age"]
