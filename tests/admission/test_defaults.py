"""What the cluster's classes give to claims, Ingresses and pods, and what they refuse."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import Object
from tests.admission.conftest import Admitting

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def claim(name: str = "c", size: str = "1Gi", **spec: Any) -> Object:
    """A claim."""
    asked = {"requests": {"storage": size}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": asked, **spec},
    }


async def storage_class(admitting: Admitting, name: str, **parts: Any) -> None:
    """Make a StorageClass."""
    await admitting.given(
        "storageclasses.storage.k8s.io",
        "storage.k8s.io/v1",
        "StorageClass",
        name=name,
        provisioner="example.com/p",
        **parts,
    )


async def test_a_claim_gets_the_default_class(kit: Any) -> None:
    """Unless it names one; the empty name asks for none."""
    async with kit.admitting() as admitting:
        before = await admitting.user("persistentvolumeclaims", claim("before"))
        assert "storageClassName" not in before["spec"]
        await storage_class(admitting, "other")
        await storage_class(admitting, "fast", metadata={"annotations": DEFAULT})
        made = await admitting.user("persistentvolumeclaims", claim())
        assert made["spec"]["storageClassName"] == "fast"
        none = await admitting.user("persistentvolumeclaims", claim("n", storageClassName=""))
        assert none["spec"]["storageClassName"] == ""


async def test_an_ingress_gets_the_default_class(kit: Any) -> None:
    """Unless it names one."""
    async with kit.admitting() as admitting:
        await admitting.given(
            "ingressclasses.networking.k8s.io",
            "networking.k8s.io/v1",
            "IngressClass",
            name="web",
            metadata={"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            spec={"controller": "example.com/c"},
        )
        backend = {"service": {"name": "s", "port": {"number": 80}}}
        made = await admitting.given(
            "ingresses.networking.k8s.io",
            "networking.k8s.io/v1",
            "Ingress",
            spec={"defaultBackend": backend},
        )
        assert made["spec"]["ingressClassName"] == "web"


async def test_a_pod_gets_what_its_runtime_needs(kit: Any) -> None:
    """Overhead, where to run and what to tolerate; contradictions are refused."""
    async with kit.admitting() as admitting:
        await admitting.given(
            "runtimeclasses.node.k8s.io",
            "node.k8s.io/v1",
            "RuntimeClass",
            name="vm",
            handler="vm",
            overhead={"podFixed": {"cpu": "250m"}},
            scheduling={
                "nodeSelector": {"vm": "yes"},
                "tolerations": [{"key": "vm", "operator": "Exists"}],
            },
        )
        spec = (await admitting.user("pods", kit.pod("p", runtimeClassName="vm")))["spec"]
        assert spec["overhead"] == {"cpu": "250m"}
        assert spec["nodeSelector"] == {"vm": "yes"}
        assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]
        for bad, why in (
            ({"runtimeClassName": "no"}, 'pod rejected: RuntimeClass "no" not found'),
            (
                {"overhead": {"cpu": "1"}},
                (
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined "
                    "Overhead"
                ),
            ),
            (
                {"runtimeClassName": "vm", "overhead": {"cpu": "1"}},
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
            ),
            (
                {"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}},
                (
                    "conflict: runtimeClass.Scheduling.NodeSelector[vm] = yes; "
                    "pod.Spec.NodeSelector[vm] = no"
                ),
            ),
        ):
            told = await admitting.user("pods", kit.pod("q", **bad))
            assert told == f'pods "q" is forbidden: {why}'


async def test_one_priority_class_is_the_default(kit: Any) -> None:
    """A second one is refused, the first may change."""
    async with kit.admitting() as admitting:
        resource = "priorityclasses.scheduling.k8s.io"
        parts = ("scheduling.k8s.io/v1", "PriorityClass")
        first = await admitting.given(resource, *parts, name="a", value=1, globalDefault=True)
        second = {
            "apiVersion": parts[0],
            "kind": parts[1],
            "metadata": {"name": "b"},
            "value": 2,
            "globalDefault": True,
        }
        assert await admitting.user(resource, second, "") == (
            'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked '
            "as default. Only one default can exist"
        )
        changed = await admitting.updated(resource, {**first, "description": "new"})
        assert changed["description"] == "new"


async def test_a_bound_claim_grows_where_its_class_allows_it(kit: Any) -> None:
    """Nowhere else."""
    async with kit.admitting() as admitting:
        await storage_class(admitting, "grows", allowVolumeExpansion=True)
        await storage_class(admitting, "stays")
        for name in ("grows", "stays"):
            made = await admitting.user(
                "persistentvolumeclaims", claim(name, storageClassName=name, volumeName="v")
            )
            bound = await admitting.updated(
                "persistentvolumeclaims", {**made, "status": {"phase": "Bound"}}, "status"
            )
            larger = {"requests": {"storage": "2Gi"}}
            wanted = {**bound, "spec": {**bound["spec"], "resources": larger}}
            told = await admitting.updated("persistentvolumeclaims", wanted)
            if name == "grows":
                assert told["spec"]["resources"] == larger
            else:
                assert told.endswith(
                    "is forbidden: only dynamically provisioned pvc can be resized and the "
                    "storageclass that provisions the pvc must support resize"
                )
