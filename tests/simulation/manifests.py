"""What the workload makes."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import Object

SCRIPT = "simulation.orchestrator/"
HOSTNAME = "kubernetes.io/hostname"


def template(app: str, image: str, script: dict[str, str], *, cpu: int, grace: int) -> Object:
    """Return a pod template; ``script`` says what its containers do, ``cpu`` is in millicores."""
    metadata: Object = {"labels": {"app": app}}
    if script:
        metadata["annotations"] = {SCRIPT + key: value for key, value in script.items()}
    container = {
        "name": "main",
        "image": image,
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": f"{cpu}m", "memory": f"{cpu}Mi"}},
    }
    return {
        "metadata": metadata,
        "spec": {"containers": [container], "terminationGracePeriodSeconds": grace},
    }


def deployment(name: str, replicas: int, pods: Object, strategy: Object, **spec: Any) -> Object:
    """Return a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pods,
            "strategy": strategy,
            **spec,
        },
    }


def service(name: str, app: str, **spec: str) -> Object:
    """Return a Service in front of a Deployment's pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80}], **spec},
    }


def pod(name: str, policy: str, script: dict[str, str], *, cpu: int, kind: str = "plain") -> Object:
    """Return a pod of nobody.

    Args:
        name: Its name.
        policy: Whether it restarts.
        script: What its container does.
        cpu: In millicores.
        kind: ``shy`` for one that shares its node with no other shy one of its namespace,
            ``urgent`` for one that preempts others, ``spread`` for one whose like are on all nodes.
    """
    made = template(name, "one", script, cpu=cpu, grace=1)
    made["metadata"]["name"] = name
    made["metadata"]["labels"]["kind"] = kind
    spec = made["spec"]
    spec["restartPolicy"] = policy
    alike = {"labelSelector": {"matchLabels": {"kind": kind}}, "topologyKey": HOSTNAME}
    if kind == "shy":
        required = {"requiredDuringSchedulingIgnoredDuringExecution": [alike]}
        spec["affinity"] = {"podAntiAffinity": required}
    elif kind == "spread":
        constraint = {**alike, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
        spec["topologySpreadConstraints"] = [constraint]
    elif kind == "urgent":
        spec["priorityClassName"] = "system-node-critical"
    return {"apiVersion": "v1", "kind": "Pod", **made}


def config_map(name: str, owners: list[Object], finalizers: list[str], **data: str) -> Object:
    """Return a ConfigMap, owned by other objects."""
    metadata: Object = {"name": name}
    if owners:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "blockOwnerDeletion": True,
            }
            for owner in owners
        ]
    if finalizers:
        metadata["finalizers"] = finalizers
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
