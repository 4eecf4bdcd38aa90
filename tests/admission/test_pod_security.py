"""The Pod Security Standards: what each forbids, and whom a namespace's labels concern."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.objects import Object
from orchestrator.resources.pod_security import LATEST, Level, told, violations
from tests.admission.conftest import Admitting

Part = dict[str, Any]
ENFORCE = "pod-security.kubernetes.io/enforce"


def only(**security: Any) -> Part:
    """A pod of one container with a security context."""
    return {"containers": [{"name": "c", "securityContext": security}]}


GOOD: Part = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
    ]
}
PLAIN = (
    'allowPrivilegeEscalation != false (container "c" must set '
    "securityContext.allowPrivilegeEscalation=false), "
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
    '"RuntimeDefault" or "Localhost")'
)
BASELINE: list[tuple[Part, str]] = [
    (only(), ""),
    (
        only(privileged=True),
        'privileged (container "c" must not set securityContext.privileged=true)',
    ),
    (
        {"containers": [], "hostNetwork": True, "hostIPC": True},
        "host namespaces (hostNetwork=true, hostIPC=true)",
    ),
    (
        {"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        'hostPath volumes (volume "v")',
    ),
    (
        {
            "containers": [
                {"name": "a", "ports": [{"hostPort": 80}, {"hostPort": 443}]},
                {"name": "b", "ports": [{"hostPort": 80}]},
            ]
        },
        'hostPort (containers "a", "b" use hostPorts 443, 80)',
    ),
    (
        only(capabilities={"add": ["NET_ADMIN", "CHOWN"]}),
        (
            'non-default capabilities (container "c" must not include "NET_ADMIN" in '
            "securityContext.capabilities.add)"
        ),
    ),
    (
        only(seLinuxOptions={"type": "x", "user": "u"}),
        (
            'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "x"; '
            "user may not be set)"
        ),
    ),
    (
        only(procMount="Unmasked"),
        'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ),
    ({**only(procMount="Unmasked"), "hostUsers": False}, ""),
    (
        {
            "securityContext": {"seccompProfile": {"type": "Unconfined"}},
            **only(seccompProfile={"type": "Unconfined"}),
        },
        (
            'seccompProfile (pod and container "c" must not set '
            'securityContext.seccompProfile.type to "Unconfined")'
        ),
    ),
    (
        {
            "containers": [],
            "securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.a"}]},
        },
        "forbidden sysctls (kernel.msgmax, net.a)",
    ),
    (
        only(windowsOptions={"hostProcess": True}),
        'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
    (
        only(appArmorProfile={"type": "Unconfined"}),
        (
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to '
            '"Unconfined")'
        ),
    ),
    (
        {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "h"}}}]},
        'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
    ),
]
RESTRICTED: list[tuple[Part, str]] = [
    (GOOD, ""),
    (only(), PLAIN),
    ({**GOOD, "volumes": [{"name": "v", "emptyDir": {}}]}, ""),
    (
        {**GOOD, "volumes": [{"name": "v", "nfs": {}}, {"name": "w", "hostPath": {}}]},
        'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
    ),
    (
        {**GOOD, "securityContext": {"runAsUser": 0}},
        "runAsUser=0 (pod must not set runAsUser=0)",
    ),
    (
        {**GOOD, "securityContext": {"runAsNonRoot": False}},
        "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
    ),
    (
        {
            **only(),
            "os": {"name": "windows"},
            "securityContext": {"runAsNonRoot": True},
        },
        "",
    ),
]


@pytest.mark.parametrize(
    ("level", "spec", "expected"),
    [("baseline", *case) for case in BASELINE] + [("restricted", *case) for case in RESTRICTED],
)
def test_a_level_forbids(level: Level, spec: Part, expected: str) -> None:
    """In upstream's words; nothing of it at the level below all others."""
    assert told(violations(level, LATEST, {}, spec)) == expected
    assert violations("privileged", LATEST, {}, spec) == []


@pytest.mark.parametrize(
    ("minor", "spec", "reason"),
    [
        (33, {"containers": [{"name": "c", "livenessProbe": {"tcpSocket": {"host": "h"}}}]}, ""),
        (30, only(seLinuxOptions={"type": "container_engine_t"}), "seLinuxOptions"),
        (31, only(seLinuxOptions={"type": "container_engine_t"}), ""),
        (28, {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_fin_timeout"}]}}, "sysctls"),
        (29, {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_fin_timeout"}]}}, ""),
        (34, {**only(procMount="Unmasked"), "hostUsers": False}, "procMount"),
    ],
)
def test_a_version_of_the_standards_stays_as_it_was(minor: int, spec: Part, reason: str) -> None:
    """What came later does not hold for those who asked for an older one."""
    found = told(violations("baseline", (1, minor), {}, spec))
    assert (reason in found) if reason else not found


def test_annotations_count_as_profiles() -> None:
    """As they were the way to name a profile once."""
    notes = {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}
    assert "AppArmor" in told(violations("baseline", LATEST, {"annotations": notes}, only()))
    notes = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    old = told(violations("baseline", (1, 18), {"annotations": notes}, only()))
    assert old == (
        "seccompProfile (forbidden annotation "
        'seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    )


async def labelled(admitting: Admitting, **labels: str) -> Object:
    """Make a namespace with labels of PodSecurity."""
    marks = {
        f"pod-security.kubernetes.io/{name.replace('_', '-')}": value
        for name, value in labels.items()
    }
    return await admitting.given(
        "namespaces", "v1", "Namespace", name="n", metadata={"labels": marks}
    )


async def test_a_pod_below_the_standard_is_refused(kit: Any) -> None:
    """Whoever makes it; those made before stay."""
    async with kit.admitting() as admitting:
        await labelled(admitting, enforce="restricted")
        bad = kit.pod("p", {"name": "c"}, namespace="n")
        told_ = await admitting.user("pods", bad, "n")
        assert told_ == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {PLAIN}'
        assert await admitting.controllers("pods", bad) == [told_]
        good = {**bad, "spec": GOOD}
        assert isinstance(await admitting.user("pods", good, "n"), dict)
        assert admitting.warnings == []


async def test_templates_are_warned_about(kit: Any) -> None:
    """Even where only pods are refused, since their author is who can help."""
    async with kit.admitting() as admitting:
        await labelled(admitting, enforce="baseline", enforce_version="v1.30")
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]},
        }
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }
        made = await admitting.user("deployments.apps", deployment, "n")
        assert made["metadata"]["name"] == "d"
        assert admitting.warnings == [
            'would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)'
        ]


async def test_wrong_labels_are_refused(kit: Any) -> None:
    """All of them at once."""
    async with kit.admitting() as admitting:
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "n", "labels": {ENFORCE: "strict", f"{ENFORCE}-version": "1.30"}},
        }
        assert await admitting.user("namespaces", namespace, "") == (
            f'Namespace "n" is invalid: [metadata.labels[{ENFORCE}]: Invalid value: "strict": must '
            "be one of privileged, baseline, restricted, "
            f'metadata.labels[{ENFORCE}-version]: Invalid value: "1.30": must be "latest" or '
            '"v1.x"]'
        )


async def test_a_new_level_tells_of_the_pods_that_are_there(kit: Any) -> None:
    """Which would be refused now; what they have in common is told once."""
    async with kit.admitting() as admitting:
        namespace = await labelled(admitting)
        for name in "bac":
            await admitting.user("pods", kit.pod(name, hostNetwork=True, namespace="n"), "n")
        metadata = {**namespace["metadata"], "labels": {ENFORCE: "baseline"}}
        await admitting.updated("namespaces", {**namespace, "metadata": metadata})
        assert admitting.warnings == [
            (
                'existing pods in namespace "n" violate the new PodSecurity enforce level '
                '"baseline:latest"'
            ),
            "a (and 2 other pods): host namespaces",
        ]


async def test_ephemeral_containers_are_held_to_the_standard(kit: Any) -> None:
    """A label of the pod may change all the same."""
    async with kit.admitting() as admitting:
        await labelled(admitting, enforce="restricted")
        pod = {**kit.pod("p", namespace="n"), "spec": GOOD}
        made = await admitting.user("pods", pod, "n")
        debug = {"name": "debug", "image": "busybox", "targetContainerName": "c"}
        changed = {**made, "spec": {**made["spec"], "ephemeralContainers": [debug]}}
        refused = await admitting.updated("pods", changed, "ephemeralcontainers")
        assert 'violates PodSecurity "restricted:latest"' in refused
        assert '"debug" must set securityContext.allowPrivilegeEscalation=false' in refused
        marked = {**made, "metadata": {**made["metadata"], "labels": {"x": "y"}}}
        assert isinstance(await admitting.updated("pods", marked), dict)
