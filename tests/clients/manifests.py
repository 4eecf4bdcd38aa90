"""Manifests that the sessions of several clients share."""

from __future__ import annotations

from typing import Any

GROUP = "example.com"


def custom_kind(plural: str, kind: str, *, scope: str = "Namespaced") -> dict[str, Any]:
    """Return a definition with a schema, a default, a rule, columns, status and scale."""
    spec = {
        "type": "object",
        "required": ["size"],
        "x-kubernetes-validations": [
            {"rule": "self.size <= self.limit", "message": "size must not exceed limit"}
        ],
        "properties": {
            "size": {"type": "integer", "minimum": 0},
            "limit": {"type": "integer", "default": 10},
            "color": {"type": "string", "enum": ["red", "green"]},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "note": {"type": "string"}},
                },
            },
        },
    }
    status = {
        "type": "object",
        "properties": {"phase": {"type": "string"}, "size": {"type": "integer"}},
        "x-kubernetes-preserve-unknown-fields": True,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": spec, "status": status},
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.size",
                            "statusReplicasPath": ".status.size",
                        },
                    },
                    "selectableFields": [{"jsonPath": ".spec.color"}],
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                }
            ],
        },
    }


def custom(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return an object of a custom kind."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def sleeper(name: str, *, replicas: int = 1, **labels: str) -> dict[str, Any]:
    """Return a Deployment of processes that do nothing, so that its pods become ready."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name, **labels}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()},
        },
    }


def pod(name: str, script: str = "sleep 3600", **labels: str) -> dict[str, Any]:
    """Return a pod that runs a shell script once."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {**pod_spec(script), "restartPolicy": "Never"},
    }


def pod_spec(script: str = "sleep 3600") -> dict[str, Any]:
    """Return a spec with one container that ends a second after it is asked to."""
    command = ["sh", "-c", f"exec {script}" if script.startswith("sleep") else script]
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "sleeper:1", "command": command}],
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
