"""Fields that keep a pod waiting, each with its path."""

from typing import Any

import pytest

from orchestrator.node.support import find_unsupported, limits_of, unsupported_of_debugger


def paths(spec: dict[str, Any], *, executes: bool = True, user: int = 1000) -> list[str]:
    """Paths of what is not supported."""
    containers = spec.pop("containers", [{"name": "c"}])
    pod = {"metadata": {"name": "p"}, "spec": {**spec, "containers": containers}}
    return [item.path for item in find_unsupported(pod, executes=executes, user=user)]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"volumes": [{"name": "v", "nfs": {}}]}, "spec.volumes[0]"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"podCertificate": {}}]}}]},
            "spec.volumes[0].projected.sources[0].podCertificate",
        ),
        (
            {"initContainers": [{"name": "i", "volumeDevices": [{}]}]},
            "spec.initContainers[0].volumeDevices",
        ),
        ({"resourceClaims": [{"name": "i"}]}, "spec.resourceClaims"),
        ({"hostNetwork": True}, "spec.hostNetwork"),
        ({"shareProcessNamespace": True}, "spec.shareProcessNamespace"),
        ({"hostAliases": [{"ip": "1.2.3.4"}]}, "spec.hostAliases"),
        ({"dnsPolicy": "None"}, "spec.dnsPolicy"),
        ({"hostUsers": False}, "spec.hostUsers"),
        ({"os": {"name": "windows"}}, "spec.os.name"),
        ({"securityContext": {"fsGroup": 5}}, "spec.securityContext.fsGroup"),
        ({"securityContext": {"sysctls": [{}]}}, "spec.securityContext.sysctls"),
        ({"securityContext": {"runAsUser": 5}}, "spec.securityContext.runAsUser"),
    ],
)
def test_a_pod_field_that_cannot_be_honoured_is_named(spec: dict[str, Any], path: str) -> None:
    """Once, by its path."""
    assert paths(spec) == [path]


@pytest.mark.parametrize(
    ("container", "path"),
    [
        (
            {
                "volumeMounts": [
                    {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}
                ]
            },
            "volumeMounts[0].mountPropagation",
        ),
        ({"ports": [{"containerPort": 1}, {"hostPort": 80}]}, "ports[1].hostPort"),
        ({"securityContext": {"privileged": True}}, "securityContext.privileged"),
        (
            {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}},
            "securityContext.capabilities.add",
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
            "securityContext.seccompProfile",
        ),
    ],
)
def test_a_container_field_that_cannot_be_honoured_is_named(
    container: dict[str, Any], path: str
) -> None:
    """With the container's index."""
    containers = [{"name": "a"}, {"name": "b", **container}]
    assert paths({"containers": containers}) == [f"spec.containers[1].{path}"]


def test_what_admission_fills_in_is_no_obstacle() -> None:
    """Defaults, and the projected token of the service account."""
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {}},
        {"configMap": {}},
        {"downwardAPI": {}},
    ]
    container = {
        "name": "c",
        "terminationMessagePath": "/dev/termination-log",
        "volumeMounts": [{"name": "kube-api-access-x1", "mountPath": "/var/run/x"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "kube-api-access-x1", "projected": {"sources": sources}}],
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
    }
    assert paths(spec) == []


def test_root_can_become_anyone_and_others_only_themselves() -> None:
    """``runAsUser`` needs the right to change users."""
    spec = {"securityContext": {"runAsUser": 7}}
    assert paths(dict(spec), user=0) == []
    assert paths(dict(spec), user=7) == []
    assert paths(dict(spec), user=8) == ["spec.securityContext.runAsUser"]
    groups = {"securityContext": {"fsGroup": 5, "supplementalGroups": [6]}}
    assert paths(groups, user=0) == []


def test_a_debugger_of_root_may_look_into_processes() -> None:
    """``kubectl debug --profile=general`` asks for it; nobody else gets it."""
    container = {"name": "d", "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}
    refused = [
        unsupported_of_debugger(container, 0, executes=executes, user=user)
        for executes, user in ((True, 0), (True, 1000), (False, 1000))
    ]
    path = "spec.ephemeralContainers[0].securityContext.capabilities.add"
    assert [[item.path for item in found] for found in refused] == [[], [path], []]


def test_a_simulated_node_refuses_only_what_changes_a_pods_course() -> None:
    """It executes nothing, so volumes and users hold trivially; devices do not."""
    spec = {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "hostNetwork": True,
        "resourceClaims": [{"name": "i"}],
    }
    assert paths(spec, executes=False) == ["spec.resourceClaims"]


def test_limits_are_listed_for_the_note_that_they_are_not_enforced() -> None:
    """Requests alone are no reason for one."""
    containers = [
        {"name": "a", "resources": {"requests": {"cpu": "1"}}},
        {"name": "b", "resources": {"limits": {"cpu": "1"}}},
    ]
    assert limits_of({"spec": {"containers": containers}}) == [
        "spec.containers[1].resources.limits"
    ]
