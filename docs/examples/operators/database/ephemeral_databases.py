"""An operator that gives out databases for tests, written with kopf.

An ``EphemeralDatabase`` gets a StatefulSet, a Service and a Secret. Its password is changed every
hour, its health is watched, its size follows ``spec.replicas``, and it goes only when a backup of
it was made.

    kopf run ephemeral_databases.py --namespace=default
"""

from __future__ import annotations

import base64
import os
import secrets
from typing import Any

import kopf
from lightkube import ApiError, AsyncClient
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Secret, Service
from lightkube.types import PatchType

DATABASES = "ephemeraldatabases.data.example.com"
MANAGER = "ephemeral-databases"
Database = create_namespaced_resource(
    "data.example.com", "v1", "EphemeralDatabase", "ephemeraldatabases"
)

ROTATION = float(os.environ.get("ROTATION_SECONDS", "3600"))
"""From one password to the next."""
HEALTH = float(os.environ.get("HEALTH_SECONDS", "30"))
"""Between two looks at a database's health."""
PATIENCE = int(os.environ.get("HEALTH_LOOKS", "3"))
"""Looks in a row that find it unwell before it is called so."""
RETRY = float(os.environ.get("RETRY_SECONDS", "10"))
"""Until something unfinished or failed is looked at again."""


@kopf.on.startup()
async def connect(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    """Set kopf up, and connect unless whoever runs this has done so."""
    settings.persistence.finalizer = "data.example.com/backup"
    settings.posting.enabled = False
    if "client" not in memo:
        memo.client = AsyncClient(field_manager=MANAGER)


@kopf.on.create(DATABASES, backoff=RETRY)
@kopf.on.resume(DATABASES, backoff=RETRY)
async def provide(name: str, namespace: str, spec: Any, memo: Any, patch: Any, **_: Any) -> None:
    """Make what a database consists of; it is ready when its StatefulSet is."""
    client: AsyncClient = memo.client
    patch.status["phase"] = "Creating"
    secret = await find(client, Secret, name, namespace)
    if secret is None:
        password = {"password": encoded(secrets.token_urlsafe(16))}
        secret = Secret.from_dict(owned({"kind": "Secret", "data": password}, name))
        await client.create(secret, namespace=namespace)
    for make in (service_of, stateful_set_of):
        kind, child = make(name, spec)
        await client.apply(kind.from_dict(owned(child, name)), namespace=namespace, force=True)
    patch.status["host"] = f"{name}.{namespace}.svc"
    found = await client.get(StatefulSet, name, namespace=namespace)
    if ready_of(found) < spec.get("replicas", 1):
        raise kopf.TemporaryError(f"{name} is not ready yet", delay=RETRY)
    patch.status["phase"] = "Ready"


@kopf.on.field(DATABASES, field="spec.replicas", old=kopf.PRESENT, new=kopf.PRESENT)
async def resize(name: str, namespace: str, new: int, memo: Any, **_: Any) -> None:
    """Let the database have as many replicas as asked for."""
    change = {"spec": {"replicas": new}}
    await memo.client.patch(StatefulSet, name, change, namespace=namespace)


@kopf.timer(DATABASES, interval=ROTATION, initial_delay=ROTATION, backoff=RETRY)
async def rotate(
    name: str, namespace: str, memo: Any, status: Any, patch: Any, logger: Any, **_: Any
) -> None:
    """Change the password."""
    change = {"data": {"password": encoded(secrets.token_urlsafe(16))}}
    await memo.client.patch(Secret, name, change, namespace=namespace, patch_type=PatchType.MERGE)
    patch.status["rotations"] = status.get("rotations", 0) + 1
    logger.info("changed the password of %s", name)


@kopf.daemon(DATABASES, initial_delay=HEALTH, cancellation_timeout=5)
async def watch_health(
    name: str, namespace: str, body: Any, memo: Any, stopped: Any, **_: Any
) -> None:
    """Look after a database as long as it lives; call it degraded after some bad looks."""
    unwell, told = 0, ""
    while not stopped:
        found = await find(memo.client, StatefulSet, name, namespace)
        # The body is the latest that was seen, also of what changed since the daemon began.
        well = found is not None and ready_of(found) >= body.spec.get("replicas", 1)
        unwell = 0 if well else unwell + 1
        health = "Healthy" if well else "Degraded" if unwell >= PATIENCE else told
        if health != told:
            change = {"status": {"health": health}}
            await memo.client.patch(
                Database.Status, name, change, namespace=namespace, patch_type=PatchType.MERGE
            )
            told = health
        await stopped.wait(HEALTH)


@kopf.on.delete(DATABASES, backoff=RETRY)
async def save(name: str, namespace: str, uid: str, memo: Any, patch: Any, **_: Any) -> None:
    """Let a database go only when a backup of it has succeeded."""
    client: AsyncClient = memo.client
    backup = f"backup-{name}-{uid[:8]}"
    job = await find(client, Job, backup, namespace)
    if job is None:
        job = await client.create(Job.from_dict(backup_of(backup, name)), namespace=namespace)
    if not (job.status and job.status.succeeded):
        patch.status["phase"] = "BackingUp"
        raise kopf.TemporaryError(f"{backup} is not done", delay=RETRY)


async def find(client: AsyncClient, kind: Any, name: str, namespace: str) -> Any:
    """Return an object, or None where there is none."""
    try:
        return await client.get(kind, name, namespace=namespace)
    except ApiError as error:
        if error.status.code != 404:
            raise
        return None


def owned(child: dict[str, Any], name: str) -> dict[str, Any]:
    """Name a child after the database being handled, and let it go with that."""
    made = {"metadata": {"name": name}, **child}
    kopf.adopt(made)
    kopf.label(made, {"app": name})
    return made


def encoded(text: str) -> str:
    """Return a Secret's form of a text."""
    return base64.b64encode(text.encode()).decode()


def ready_of(found: StatefulSet) -> int:
    """Return how many replicas of the present spec are ready."""
    status, metadata = found.status, found.metadata
    if status is None or (status.observedGeneration or 0) < (metadata.generation or 0):
        return 0
    return status.readyReplicas or 0


def service_of(name: str, _: Any) -> tuple[type[Service], dict[str, Any]]:
    """Return the Service by which clients find a database."""
    spec = {"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 5432}]}
    return Service, {"apiVersion": "v1", "kind": "Service", "spec": spec}


def stateful_set_of(name: str, spec: Any) -> tuple[type[StatefulSet], dict[str, Any]]:
    """Return the StatefulSet that runs a database."""
    container = {
        "name": "database",
        "image": spec.get("image", "busybox:1.36"),
        "command": spec.get("command", ["sh", "-c", "exec sleep 1000000"]),
        "env": [
            {
                "name": "PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}},
            }
        ],
    }
    return StatefulSet, {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "spec": {
            "serviceName": name,
            "replicas": spec.get("replicas", 1),
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


def backup_of(backup: str, name: str) -> dict[str, Any]:
    """Return the Job that saves a database; it outlives it for a day."""
    container = {
        "name": "backup",
        "image": "busybox:1.36",
        "command": ["sh", "-c", f"echo saved {name}"],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": backup, "labels": {"backup-of": name}},
        "spec": {
            "ttlSecondsAfterFinished": 86_400,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
